# SPDX-License-Identifier: MIT
load helper

dtypes() {
	tar xOf - manifest.json | jq -r '.tensors[] | select(.tied_to | not) | "\(.name) \(.dtype)"' | sort
}

# as_f32 JSON -- names and hashes of tensors, which are all F32.
hashes() {
	jq -r '.tensors[] | "\(.name) \(.sha256)"' "$1" | sort
}

members() {
	rm -rf x && mkdir x && tar xf - -C x
	(cd x/tensors && for f in *; do s=$(sha256sum <"$f"); echo "$f ${s%% *}"; done) | sort
}

@test "bf16 and f32 files are the converter's" {
	need gguf/llama3.bf16.gguf expected/llama3.convert-f32.json
	apr-cat "$F/gguf/llama3.bf16.gguf" | apr-dequant -q | members >got
	hashes "$F/expected/llama3.convert-f32.json" >want
	same want got
	# And back: nothing was lost, and the norms stay F32.
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	apr-dequant -q <in | apr-dequant -q bf16 >out
	dtypes <in >a
	dtypes <out | cmp - a
	sums <in >a
	sums <out | cmp - a
}

@test "what converters keep F32 becomes F32, unless --all" {
	need expected/qwen3-5.convert-auto.json hf/qwen3-5 hf/gpt2
	apr-cat "$F/hf/qwen3-5" | apr-dequant -q bf16 | dtypes | cut -d' ' -f2 | sort | uniq -c >got
	jq -r '.tensors[].type' "$F/expected/qwen3-5.convert-auto.json" | sort | uniq -c >want
	same want got
	apr-cat "$F/hf/qwen3-5" | apr-dequant -q --all f16 | dtypes >got
	! grep -v ' F16$' got || false
	apr-cat "$F/hf/gpt2" | apr-dequant -q f16 | dtypes >got
	grep 'wpe.weight F32' got
	grep 'wte.weight F16' got
}

@test "every type decodes, by any number of threads and rows" {
	need gguf/llama3.q4_0.gguf
	local f
	for f in "$F"/gguf/llama3.*.gguf; do
		case $f in *imatrix*) continue ;; esac
		apr-cat "$f" >in
		apr-dequant -q -j 1 <in >want
		APR_CHUNK_ROWS=1 apr-dequant -q -j 2 <in | cmp - want
		APR_CHUNK_ROWS=100 apr-dequant -q -j 3 <in | cmp - want
		! dtypes <want | grep -v ' F32$' || false
	done
	dd if=in bs=7 status=none | apr-dequant -q | cmp - want
}

@test "quantized from F32 and back is stable" {
	need gguf/llama3.q8_0.gguf
	apr-cat "$F/gguf/llama3.q8_0.gguf" >in
	apr-dequant -q <in | apr-quant -q q8_0 | sums >a
	sums <in | cmp - a
}

@test "aprender's own types, and its padded rows" {
	need apr/smollm.int8.apr apr/smollm.int4.apr apr/smollm.q4k.apr
	local t
	for t in int4 int8 q4k; do
		apr-cat "$F/apr/smollm.$t.apr" >in
		APR_CHUNK_ROWS=1 apr-dequant -q -j 2 <in >a
		apr-dequant -q -j 1 <in | cmp - a
		tar xOf a manifest.json | jq -e '.tensors | all(.dtype == "F32" and (.row_bytes | not))'
	done
}

@test "keys, history, plans" {
	need gguf/llama3.q4_0.gguf
	apr-cat "$F/gguf/llama3.q4_0.gguf" | apr-dequant -q --all f16 | tar xOf - manifest.json >m
	jq -e '.set == {"general.file_type": {type: "u32", value: 1}}' m
	jq -e '.history[-1] | .tool == "apr-dequant" and .options == {type: "F16", all: true}' m
	apr-cat --plan "$F/gguf/llama3.q4_0.gguf" | apr-dequant -q --all f16 >plan
	tar xOf plan manifest.json | jq -S 'del(.plan)' >a
	jq -S . m | cmp - a
	! tar tf plan | grep '^tensors/' || false
}

@test "usage" {
	fails 2 apr-dequant q4_k
	fails 2 apr-dequant f32 f16
	fails 2 apr-dequant -x
	: >empty
	fails 1 apr-dequant <empty
	run -0 apr-dequant --help
	[[ ${lines[0]} == "usage: apr-dequant "* ]]
	run -0 apr-dequant --version
}
