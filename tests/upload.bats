#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Weights into a device's memory and out of it again, and what that takes: on
# PoCL and on tests/stub's libcuda.
load helper
load device

setup_file() {
	pocl
}

# devices -- D, the ones that can be used; skip where there are none.
devices() {
	local d
	D=
	for d in opencl cuda; do
		! usable $d || D="$D $d"
	done
	[ -n "$D" ] || skip 'neither OpenCL nor PTX'
}

# planned DEVICE OPTION... -- bytes that were planned are those that were taken,
# as the device itself says, and the stub, and as --plan does.
planned() {
	local d=$1 taken plan
	shift
	STUB_CUDA_IDLE=1 STUB_CUDA_BYTES=$T/bytes on "$d" apr-infer --device "$d" -v --ids 5,17,2 "$@" 2>said >out || { cat said >&2; return 1; }
	set -- "$d" "$(sed -n "s/.*$d: \([0-9]*\) bytes of memory taken, \([0-9]*\) planned/\1 \2/p" said)" "$@"
	taken=${2% *} plan=${2#* }
	echo "$*" >&2
	[ "$taken" -gt 0 ]
	[ $((taken > plan ? taken - plan : plan - taken)) -le $((plan / 100)) ]
	if [ "$d" = cuda ]; then
		read -r most written <bytes
		[ $((most > plan ? most - plan : plan - most)) -le $((plan / 100)) ]
		[ "$written" -gt 0 ]
	fi
}

@test "what is planned is what is taken, to 1 %" {
	devices
	for d in $D; do
		# What PoCL compiles takes its time.
		all='llama3.q4_k_m qwen3-5.q4_k_m'
		[ $d = opencl ] || all="$all qwen3-moe.q4_k_m gpt2.q4_k_m gemma3.q4_k_m llama3.im.iq2_xxs llama3.im.iq1_m"
		for m in $all; do
			need "gguf/$m.gguf"
			planned $d -n 2 "$F/gguf/$m.gguf"
			planned $d --logits -b 3 --kv q8_0 "$F/gguf/$m.gguf"
		done
		# Of some blocks of keys.
		planned $d -b 60 --ids "$(seq -s, 530)" -n 2 "$F/gguf/llama3.q4_k_m.gguf"
		planned $d --logits -c 64 "$REPO/examples/sample"
		planned $d -n 8 -c 300 --lookup 4 "$REPO/examples/sample"
	done
}

@test "--plan says the same by part" {
	devices
	need gguf/qwen3-5.q4_k_m.gguf
	m=$F/gguf/qwen3-5.q4_k_m.gguf
	for d in $D; do
		on $d apr-infer --plan --device $d -c 64 "$m" >plan
		[ "$(sed 's/  .*//' plan | tr '\n' '|')" = 'weights|keys and values|states|scratch|reserve|total|available|' ]
		on $d apr-infer --plan --json --device $d -c 64 "$m" >json
		jq -e '.fits and .weights > 0 and .kv > 0 and .states > 0 and .scratch > 0 and .reserve > 0 and
		    .total == .weights + .kv + .states + .scratch + .reserve and .total < .available' json
		[ "$(jq .total json)" = "$(sed -n 's/^total *//p' plan)" ]
		# From a stream: from its manifest, and nothing is kept.
		apr-cat -q "$m" | on $d apr-infer --plan --json --device $d -c 64 - | cmp - json
		# As much as that is enough, and a byte less is not.
		total=$(jq .total json)
		on $d apr-infer --plan --device $d -c 64 --memory "$total" "$m" >/dev/null
		on $d fails 1 apr-infer --plan --device $d -c 64 --memory $((total - 1)) "$m"
		says "keys and values of layer"
		says "$total are wanted in all"
	done
}

@test "what does not fit is named with its bytes before anything is there" {
	device cuda
	need gguf/llama3.q4_k_m.gguf
	MODEL=$F/gguf/llama3.q4_k_m.gguf
	broken STUB_CUDA_MEMORY=200000 STUB_CUDA_BYTES="$T/bytes"
	says 'token_embd.weight: '
	says ' of 200000 are free'
	[ "$(cat bytes)" = '0 0' ]
	on cuda apr-infer --plan --json --device cuda "$MODEL" >plan
	# Room for weights alone: keys and values, or what they want first.
	broken STUB_CUDA_MEMORY=$(($(jq .weights plan) + 1000)) STUB_CUDA_BYTES="$T/bytes"
	says 'what the device itself needs: '
	says '(a shorter context: -c)'
	[ "$(cat bytes)" = '0 0' ]
	got=0
	STUB_CUDA_MEMORY=200000 on cuda apr-infer --device cuda --plan --json "$MODEL" >plan 2>said || got=$?
	[ "$got" = 1 ]
	jq -e '.device == "cuda" and .available == 200000 and (.fits | not) and .weights > 200000 and
	    .lacking == "token_embd.weight" and .lacking_bytes > 0' plan
	# A stream's, before its first tensor.
	apr-cat -q "$MODEL" >saved
	MODEL=saved broken STUB_CUDA_MEMORY=200000 STUB_CUDA_BYTES="$T/bytes"
	says 'token_embd.weight: '
	[ "$(cat bytes)" = '0 0' ]
}

@test "a weight that is larger than a piece may be is refused by name" {
	device opencl
	"$REPO/scripts/mk-synth" qwen2.5-7b --type q4_k --sparse big.gguf >/dev/null
	POCL_MEMORY_LIMIT=1 fails 1 apr-infer --device opencl --json --ids 1 big.gguf
	says 'output.weight: 306561088 bytes in one piece, opencl gives 26843'
}

# dumped DEVICE MODEL ORIGINAL -- its weights, read back, make that file.
dumped() {
	on "$1" apr-infer --device "$1" --dump-weights "$2" | apr-pack -q back.gguf
	same back.gguf "$3" "$2 from $1" || return 1
	rm back.gguf
}

@test "--dump-weights gives the file's bytes: types, streams, shards" {
	devices
	for d in cpu $D; do
		for t in llama3.bf16 llama3.q4_0 llama3.q5_1 llama3.q8_0 llama3.q2_k llama3.q3_k_s \
		    llama3.q4_k_m llama3.q5_k_s llama3.q6_k llama3.iq4_nl llama3.iq4_xs llama3.tq1_0 \
		    llama3.im.iq2_xxs llama3.im.iq1_m qwen3-moe.mxfp4_moe qwen3-5.q4_k_m gemma2.q4_k_m; do
			need "gguf/$t.gguf"
			dumped $d "$F/gguf/$t.gguf" "$F/gguf/$t.gguf"
		done
		apr-cat -q "$F/gguf/qwen3-moe.q4_k_m.gguf" >saved
		dumped $d saved "$F/gguf/qwen3-moe.q4_k_m.gguf"
		apr-cat -q "$F/gguf/llama3.q4_k_m.gguf" |
		    on $d apr-infer --device $d --dump-weights - | apr-pack -q back.gguf
		same back.gguf "$F/gguf/llama3.q4_k_m.gguf" "a stream from $d"
		rm back.gguf
		# Three files, and a directory of two.
		need gguf/split hf/llama3 hf/gpt2
		set -- "$F"/gguf/split/*-00001-of-*.gguf
		on $d apr-infer --device $d --dump-weights "$1" >dump
		apr-cat -q "$1" >saved
		apr-diff -q dump saved
		[ "$(sums <dump)" = "$(sums <saved)" ]
		on $d apr-infer --device $d --dump-weights "$F/hf/llama3" | apr-pack -q dir/
		apr-cat -q "$F/hf/llama3" | apr-pack -q dir2/
		diff -r dir dir2
		rm -r dir dir2
		# aprender's own types: one has a scale for all, and lies transposed.
		apr-cat -q --as apr "$F/hf/gpt2" | apr-quant -q --rules=apr apr_q8 | apr-pack -q -f q.apr
		on $d apr-infer --device $d --dump-weights q.apr | sums >back
		apr-cat -q q.apr | sums | cmp - back
		apr-cat -q q.apr | on $d apr-infer --device $d --dump-weights - | sums | cmp - back
		apr-cat -q q.apr | on $d apr-infer --device $d --logits --ids 1,2 - >got
		apr-infer --logits --ids 1,2 q.apr | cmp - got
	done
}

@test "a stream's tensors in any order, and those that nobody wants" {
	devices
	need gguf/llama3.q4_k_m.gguf
	m=$F/gguf/llama3.q4_k_m.gguf
	apr-infer --logits --ids 1,2,3 "$m" >want
	for d in cpu $D; do
		apr-cat -q --order name "$m" | on $d apr-infer --device $d --logits --ids 1,2,3 - | cmp - want
		mkdir x
		apr-cat -q "$m" | tar xf - -C x
		(cd x && tar cf - manifest.json files $(ls -d tensors/* | sort -r) CHECKSUMS) |
		    on $d apr-infer --device $d --logits --ids 1,2,3 - | cmp - want
		rm -r x
	done
}

@test "a stream of a large model passes through, and stays nowhere" {
	device cuda
	"$REPO/scripts/mk-synth" qwen2-0.5b --type f16 --sparse big.gguf >/dev/null
	all=$(stat -c %s big.gguf)
	export STUB_CUDA_FAR=1 STUB_CUDA_IDLE=1 STUB_CUDA_MEMORY=4000000000
	apr-cat -q big.gguf >saved
	for f in big.gguf saved; do
		STUB_CUDA_BYTES=$T/bytes on cuda apr-infer --device cuda --ids 1,2 \
		    -n 2 -c 64 --json --timing "$f" >out
		read -r most written <bytes
		echo "$f: $(jq -c .timing out), $all bytes, $written written" >&2
		[ "$written" -gt $((all / 10 * 6)) ]
		# Buffers and the embedding.
		jq -e --argjson most $((400 << 20)) '.timing.peak_bytes < $most' out
	done
}

@test "what ends early, is missing or fails on the way: one line" {
	device cuda
	need gguf/llama3.q4_k_m.gguf hf/llama3
	MODEL=$F/gguf/llama3.q4_k_m.gguf
	apr-cat -q "$MODEL" >whole
	size=$(stat -c %s whole)
	for n in $((size / 3)) $((size / 2)) $((size - 4096)); do
		head -c $n whole >cut
		MODEL=cut broken
		fails 1 apr-infer --ids 1,2 cut
	done
	cp -r "$F/hf/llama3" dir
	chmod -R u+w dir
	rm dir/model-00002-of-*
	MODEL=dir broken
	says 'model-00002-of-'
	# The device fails in mid-upload, from a file and a stream.
	for MODEL in "$F/gguf/llama3.q4_k_m.gguf" whole; do
		for n in 1 2 12; do
			broken STUB_CUDA_FAIL=cuMemcpyHtoDAsync:$n:700
			says 'cuMemcpyHtoDAsync: CUDA_ERROR_ILLEGAL_ADDRESS'
			broken STUB_CUDA_FAIL=cuEventRecord:$n:700
			says 'cuEventRecord: CUDA_ERROR_ILLEGAL_ADDRESS'
			broken STUB_CUDA_FAIL=cuMemAlloc:$n:2
			says 'cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY'
		done
	done
}
