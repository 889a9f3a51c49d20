#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The OpenCL device on PoCL, whose bits must be the CPU's.
load helper

# What it compiles is kept for this file's tests, and not in anyone's home.
setup_file() {
	export POCL_CACHE_DIR=$BATS_FILE_TMPDIR/pocl
	mkdir -p "$POCL_CACHE_DIR"
}

ALL='llama smollm llama3 mistral qwen2 qwen2-odd qwen3 qwen3-moe qwen3-5 gpt2 gemma2 gemma3
	phi3 mixtral olmo2 granite'
IDS=5,17,2,9,30,7,4,8,1,3,22,11

# opencl -- skip where no device can be used; APR_ENFORCE=1 makes that a failure.
opencl() {
	local said
	said=$(apr-infer --devices | grep '^opencl: ')
	case $said in
	*MiB) return 0 ;;
	esac
	if [ "${APR_ENFORCE:-0}" = 1 ]; then
		echo "$said" >&2
		return 1
	fi
	skip "$said"
}

# both MODEL [OPTION...] -- the logits of both devices.
both() {
	local m=$1
	shift
	need "$m"
	apr-infer --logits "$@" --ids $IDS "$F/$m" >want
	apr-infer --device opencl --logits "$@" --ids $IDS "$F/$m" >got
	cmp got want || { echo "$m $*" >&2; return 1; }
}

@test "devices, and what is none" {
	apr-infer --devices >list
	[ "$(sed 's/: .*//' list | sort -u | tr '\n' ' ')" = 'cpu cuda opencl ' ]
	grep -E '^cpu: kernels for [a-z0-9]+$' list
	fails 2 apr-infer --device abacus -p x "$REPO/examples/sample"
	says 'abacus'
	apr-infer --device cpu --logits --ids 1,2 "$REPO/examples/sample" >a
	apr-infer --logits --ids 1,2 "$REPO/examples/sample" | cmp - a
}

@test "no library, no driver, no such device: one line each" {
	opencl
	s=$REPO/examples/sample
	OCL_ICD_VENDORS=$T/none fails 1 apr-infer --device opencl --ids 1 "$s"
	says 'no OpenCL device: no driver offers one'
	OCL_ICD_VENDORS=$T/none apr-infer --devices >list
	grep -Fx 'opencl: no driver offers a device' list
	APR_OPENCL='no such name' fails 1 apr-infer --device opencl --ids 1 "$s"
	says 'lacks the name that APR_OPENCL asks for'
	mkdir lib
	: >lib/libOpenCL.so.1
	LD_LIBRARY_PATH=$T/lib fails 1 apr-infer --device opencl --ids 1 "$s"
	says 'libOpenCL.so.1 is not there'
	LD_LIBRARY_PATH=$T/lib apr-infer --devices | grep '^opencl: libOpenCL.so.1 is not there: '
	# Nothing asks for it unless it is wanted.
	LD_LIBRARY_PATH=$T/lib apr-infer --logits --ids 1,2 "$s" >/dev/null
}

@test "each operation and type against the scalar code" {
	opencl
	APR_CPU=scalar "${APR_BUILD:-$REPO/build}/test/device" opencl --rounds 8 >tap || { grep -v '^ok' tap; return 1; }
	[ "$(grep -c '^ok' tap)" = 45 ]
}

@test "logits of all models, from checkpoints and in Q4_K_M" {
	opencl
	for m in $ALL; do
		both "hf/$m"
		both "gguf/$m.q4_k_m.gguf"
	done
}

@test "logits in every type" {
	opencl
	for f in llama3.bf16 llama3.q4_0 llama3.q4_1 llama3.q5_0 llama3.q5_1 llama3.q8_0 llama3.q2_k \
	    llama3.q3_k_s llama3.q5_k_s llama3.q6_k llama3.iq4_nl llama3.iq4_xs llama3.tq1_0 \
	    llama3.tq2_0 llama3.q1_0 llama3.q2_0 llama3.iq3_s llama3.im.iq1_m llama3.im.iq1_s \
	    llama3.im.iq2_s llama3.im.iq2_xs llama3.im.iq2_xxs llama3.im.iq3_xxs \
	    qwen3-moe.mxfp4_moe; do
		both "gguf/$f.gguf"
	done
}

@test "the same token by token, in batches of 3 and 8, in other caches, from a stream" {
	opencl
	for m in llama3 qwen3-moe qwen3-5 gemma2 mistral gpt2; do
		for o in '-b 1' '-b 3' '-b 8' '--kv q8_0' '--kv f32'; do
			both "gguf/$m.q4_k_m.gguf" $o
		done
	done
	apr-cat -q "$F/gguf/llama3.q4_k_m.gguf" | apr-infer --device opencl --logits --ids $IDS - >got
	apr-infer --logits --ids $IDS "$F/gguf/llama3.q4_k_m.gguf" | cmp - got
}

@test "traces, texts, requests and perplexity" {
	opencl
	s=$REPO/examples/sample
	need gguf/qwen3-moe.q4_k_m.gguf
	for d in cpu opencl; do
		apr-infer --device $d --trace '*' --ids $IDS "$F/gguf/qwen3-moe.q4_k_m.gguf" >trace.$d
		apr-infer --device $d --json -n 12 --ids $IDS "$F/gguf/qwen3-moe.q4_k_m.gguf" | jq -c .tokens >tokens.$d
		head -n 4 "$s/questions.jsonl" | jq -c '{prompt, max_tokens: 8, stop: "\n"}' |
		    apr-infer --device $d --jsonl "$s" | jq -c .text >text.$d
		head -n 20 "$REPO/README.md" | cut -c 1-300 >some
		apr-infer --device $d --ppl some "$s" >ppl.$d
	done
	for f in trace tokens text ppl; do
		cmp $f.cpu $f.opencl
	done
	[ -s trace.cpu ] && [ -s tokens.cpu ] && [ -s text.cpu ] && [ -s ppl.cpu ]
}

@test "what it cannot do it names, and leaves to nobody" {
	opencl
	s=$REPO/examples/sample
	need gguf/llama3.q4_k_m.gguf
	fails 1 apr-infer --device opencl --precise --logits --ids 1 "$F/gguf/llama3.q4_k_m.gguf"
	says 'token_embd.weight: opencl cannot multiply packed weights as floats'
	need hf/gpt2
	apr-cat --as apr "$F/hf/gpt2" | apr-quant -q --rules=apr q4_k | apr-pack -q q.apr
	fails 1 apr-infer --device opencl --logits --ids 1 q.apr
	says 'packed weights that lie transposed'
	fails 1 apr-infer --device opencl --memory 1000 --logits --ids 1 "$s"
	says 'model.embed_tokens.weight: '
	says ' of 1000 are free'
	apr-infer --plan --memory 1000 --device opencl "$s" && return 1
	# The CPU needs no place for them.
	apr-infer --plan "$s" | grep '^weights, mapped '
}
