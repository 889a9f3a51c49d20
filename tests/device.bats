#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The OpenCL device on PoCL, whose bits must be the CPU's.
load helper
load device
KIND=opencl

setup_file() {
	pocl
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
	device
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
	device
	APR_CPU=scalar "${APR_BUILD:-$REPO/build}/test/device" opencl --rounds 8 >tap || { grep -v '^ok' tap; return 1; }
	[ "$(grep -c '^ok' tap)" = 68 ]
}

@test "logits of all models, from checkpoints and in Q4_K_M" {
	device
	for m in $ALL; do
		both "hf/$m"
		both "gguf/$m.q4_k_m.gguf"
	done
}

@test "logits in every type" {
	device
	for f in llama3.bf16 llama3.q4_0 llama3.q4_1 llama3.q5_0 llama3.q5_1 llama3.q8_0 llama3.q2_k \
	    llama3.q3_k_s llama3.q5_k_s llama3.q6_k llama3.iq4_nl llama3.iq4_xs llama3.tq1_0 \
	    llama3.tq2_0 llama3.q1_0 llama3.q2_0 llama3.iq3_s llama3.im.iq1_m llama3.im.iq1_s \
	    llama3.im.iq2_s llama3.im.iq2_xs llama3.im.iq2_xxs llama3.im.iq3_xxs \
	    qwen3-moe.mxfp4_moe; do
		both "gguf/$f.gguf"
	done
}

@test "packed weights across, over row ends, padded; doubles and F8" {
	device
	need hf/gpt2
	need hf/qwen2-odd
	for t in q4_k lattice_q4 f64; do
		apr-cat "$F/hf/gpt2" | apr-quant -q --rules=apr $t | stream
	done
	for t in q4_k apr_q4 lattice_q4; do
		apr-cat "$F/hf/qwen2-odd" | apr-quant -q --rules=apr --fallback=pad $t | stream
	done
	# The upper byte of an F16 is an E5M2, and some E4M3.
	s=$REPO/examples/sample
	n=$(od -An -tu8 -N8 "$s/model.safetensors")
	mkdir eight
	cp "$s"/*.json eight
	tail -c +$((9 + n)) "$s/model.safetensors" | od -An -v -tx1 -w2 |
	    sed 's/^ .. /\\x/' | tr -d '\n' | fold -w 400000 >codes
	for t in F8_E5M2 F8_E4M3; do
		head -c $((8 + n)) "$s/model.safetensors" | tail -c "$n" | jq -c --arg t $t \
		    'map_values(if .dtype then .dtype = $t | .data_offsets |= map(. / 2) else . end)' |
		    tr -d '\n' >head
		while read -r line || [ "$line" ]; do printf '%b' "$line"; done <codes |
		    st eight/model.safetensors "$(cat head)"
		apr-ls eight | grep -q $t
		apr-cat eight | stream
	done
}

@test "weights as floats, with --precise" {
	device
	need hf/gpt2
	for f in llama3.q2_k llama3.q4_k_m llama3.im.iq2_xs qwen3-moe.mxfp4_moe; do
		both "gguf/$f.gguf" --precise
	done
	both hf/gpt2 --precise -b 3
	apr-cat "$F/hf/gpt2" | apr-quant -q --rules=apr apr_q8 | stream --precise
}

@test "the same token by token, in batches of 3 and 8, in other caches, from a stream" {
	device
	for m in llama3 qwen3-moe qwen3-5 gemma2 mistral gpt2; do
		for o in '-b 1' '-b 3' '-b 8' '--kv q8_0' '--kv f32'; do
			both "gguf/$m.q4_k_m.gguf" $o
		done
	done
	apr-cat -q "$F/gguf/llama3.q4_k_m.gguf" | apr-infer --device opencl --logits --ids $IDS - >got
	apr-infer --logits --ids $IDS "$F/gguf/llama3.q4_k_m.gguf" | cmp - got
}

@test "traces, texts, requests and perplexity" {
	device
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

@test "the same tokens however they are chosen, and their logarithms" {
	device
	s=$REPO/examples/sample
	asked >asked
	for d in cpu opencl; do
		apr-infer --device $d --jsonl --parallel 5 "$s" <asked >told.$d
		jq -c '. + {temperature: 0}' asked | apr-infer --device $d --jsonl --lookup 4 "$s" >guessed.$d
	done
	[ "$(jq -r .text told.cpu | sort -u | wc -l)" -gt 12 ]
	cmp told.cpu told.opencl
	cmp guessed.cpu guessed.opencl
	# Guesses change nothing, penalties among them.
	jq -c '. + {temperature: 0}' asked | apr-infer --jsonl --parallel 2 "$s" | cmp - guessed.cpu
}

@test "a device that goes away, whenever it does: one line" {
	device
	s=$REPO/examples/sample
	local -x LD_LIBRARY_PATH=${APR_BUILD:-$REPO/build}/test/stub/opencl
	local -x STUB_OPENCL STUB_OPENCL_GONE STUB_OPENCL_COUNT=$T/count
	STUB_OPENCL=$(ldconfig -p | sed -n 's/.*libOpenCL.so.1 .*=> //p' | head -n 1)
	apr-infer --device opencl --ids 1,2 -n 3 --temperature 1 --top-p 0.9 --json "$s" | jq -c .tokens >want
	apr-infer --ids 1,2 -n 3 --temperature 1 --top-p 0.9 --json "$s" | jq -c .tokens | cmp - want
	all=$(cat count)
	[ "$all" -gt 1000 ]
	# (What is given back in the end need not be there.)
	for i in 1 2 4 8 16 64 $((all / 8)) $((all / 4)) $((all / 2)) $((all * 3 / 4)); do
		STUB_OPENCL_GONE=$i fails 1 apr-infer --device opencl --ids 1,2 -n 3 --temperature 1 --top-p 0.9 --json "$s"
		[ "$i" -lt 8 ] || says 'CL_DEVICE_NOT_AVAILABLE'
	done
}

@test "what it cannot do it names, and leaves to nobody" {
	device
	s=$REPO/examples/sample
	mkdir other
	cp "$s"/* other
	jq '.model_type = "abacus" | .architectures = ["AbacusForCausalLM"]' "$s/config.json" >other/config.json
	fails 1 apr-infer --device opencl --logits --ids 1 other
	says 'abacus'
	fails 1 apr-infer --device opencl --memory 1000 --logits --ids 1 "$s"
	says 'model.embed_tokens.weight: '
	says ' of 1000 are free'
	apr-infer --plan --memory 1000 --device opencl "$s" && return 1
	# The CPU needs no place for them.
	apr-infer --plan "$s" | grep '^weights, mapped '
}
