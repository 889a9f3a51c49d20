#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What takes too long for `make check`: the OpenCL device on PoCL with all models.
load ../helper
load ../device
KIND=opencl

setup_file() {
	pocl
}

@test "every model token by token, by threes and eights; one, three and eight sequences at once" {
	device
	for m in $ALL; do
		for o in '-b 1' '-b 3' '-b 8'; do
			both "hf/$m" $o
		done
		for i in 1 2 3 4 5 6 7 8; do
			jq -nc --argjson i $i '{ids: ([5, 17, 2, 9, 30, 7][:1 + $i % 6] + [$i]), max_tokens: 3, logprobs: true}'
		done >requests
		apr-infer --jsonl --parallel 1 "$F/hf/$m" <requests >want
		for n in 1 3 8; do
			apr-infer --device opencl --jsonl --parallel $n "$F/hf/$m" <requests | cmp - want ||
			    { echo "$m: $n sequences" >&2; return 1; }
		done
	done
}

@test "widths of Qwen2.5-7B and Qwen3-30B-A3B" {
	device
	for m in qwen2.5-7b qwen3-coder-30b-a3b; do
		"$REPO/scripts/mk-synth" $m --layers 1 --type q4_k wide.gguf >/dev/null
		apr-infer -c 64 --logits --ids 5,17,2,9,1 wide.gguf >want
		apr-infer --device opencl -c 64 --logits --ids 5,17,2,9,1 wide.gguf | cmp - want
		apr-infer --device opencl -b 2 -c 64 --logits --ids 5,17,2,9,1 wide.gguf | cmp - want
	done
}

@test "every file, and its weights as floats" {
	device
	need gguf/llama3.q4_k_m.gguf
	n=0
	for f in "$F"/gguf/*.gguf "$F"/gguf/split/*-00001-of-* "$F"/apr/*.apr; do
		# (What is no model is none for either.)
		apr-infer --logits --ids $IDS "$f" >/dev/null 2>&1 || {
			fails 1 apr-infer --device opencl --logits --ids $IDS "$f"
			continue
		}
		both "${f#"$F/"}"
		n=$((n + 1))
		# Of each type one.
		case $f in
		*/llama3.* | *moe.*) both "${f#"$F/"}" --precise ;;
		esac
	done
	[ "$n" -ge 45 ]
}

@test "packed weights of every kind across, over row ends, padded" {
	device
	need hf/gpt2
	for t in q2_k q3_k q4_k q5_k q6_k q8_0 apr_q4 apr_q8 lattice_q4 f64; do
		apr-cat "$F/hf/gpt2" | apr-quant -q --rules=apr $t | stream
		apr-cat "$F/hf/qwen2-odd" | apr-quant -q --rules=apr --fallback=pad $t | stream
	done
	apr-cat "$F/hf/gpt2" | apr-quant -q --rules=apr apr_q8 | stream --precise
}
