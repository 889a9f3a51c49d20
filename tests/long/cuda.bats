#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What takes too much room for `make check`: CUDA's kernels on a large model's widths.
load ../helper
load ../device
KIND=cuda

@test "a mixture of 128 experts at its own widths, two tokens and one" {
	device
	"$REPO/scripts/mk-synth" qwen3-coder-30b-a3b --layers 1 --type q4_k_m --no-vocab wide.gguf >/dev/null
	apr-infer --logits -c 8 -b 2 --ids 1,2,3 wide.gguf >want
	stub apr-infer --device cuda --logits -c 8 -b 2 --ids 1,2,3 wide.gguf | cmp - want
	rm wide.gguf
}
