# SPDX-License-Identifier: MIT
load helper

# hashes JSON TYPE STREAM -- every tensor that JSON says has TYPE has its sha256.
hashes() {
	local name want got n=0
	rm -rf x && mkdir x && tar xf "$3" -C x
	while read -r name want; do
		got=$(sha256sum <"x/tensors/$name")
		[ "${got%% *}" = "$want" ] || { echo "$1: $name" >&2; return 1; }
		n=$((n + 1))
	done < <(jq -r --arg t "$2" '.tensors[] | select(.type == $t) | "\(.name) \(.sha256)"' "$1")
	[ $n -gt 0 ] || { echo "$1: no tensor is $2" >&2; return 1; }
}

# poison FILE TENSOR INDEX SIZE HEX -- put bytes at an element of a
# .safetensors tensor.
poison() {
	local head at
	head=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
	at=$(dd if="$1" bs=1 skip=8 count="$head" status=none | jq --arg t "$2" '.[$t].data_offsets[0]')
	printf "$5" | dd of="$1" bs=1 seek=$((8 + head + at + $3 * $4)) conv=notrunc status=none
}

# dtypes -- name and dtype of every tensor with bytes of its own.
dtypes() {
	tar xOf - manifest.json | jq -r '.tensors[] | select(.tied_to | not) | "\(.name) \(.dtype)"' | sort
}

@test "every type gives llama-quantize's bytes" {
	need gguf/llama3.bf16.gguf expected/llama3.pure.q4_k.json
	local tag type
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	for tag in q4_0 q4_1 q5_0 q5_1 q8_0 q1_0 q2_0 q2_k iq4_nl iq4_xs tq1_0 tq2_0 q6_k \
	    q3_k_s:q3_k q4_k_s:q4_k pure.q4_k:q4_k q5_k_s:q5_k; do
		type=${tag#*:}
		apr-quant -q "$type" <in >out
		hashes "$F/expected/llama3.${tag%:*}.json" "$(echo "$type" | tr a-z A-Z)" out
	done
}

@test "MXFP4: experts one by one are llama-quantize's stacks" {
	need hf/qwen3-moe expected/qwen3-moe.mxfp4_moe.json
	local l e=x/tensors/model.layers.0.mlp.experts
	apr-cat "$F/hf/qwen3-moe" | apr-quant -q mxfp4 >out
	mkdir x && tar xf out -C x
	for l in gate up down; do
		got=$(cat $e.{0..7}.${l}_proj.weight | sha256sum)
		[ "${got%% *}" = "$(jq -r --arg n blk.0.ffn_${l}_exps.weight '.tensors[] | select(.name == $n) | .sha256' "$F/expected/qwen3-moe.mxfp4_moe.json")" ]
	done
}

@test "a pure type is llama-quantize --pure's, tensor by tensor" {
	need gguf/llama3.bf16.gguf expected/llama3.pure.q4_k.json
	apr-cat "$F/gguf/llama3.bf16.gguf" | apr-quant -q --pure Q4_K >out
	dtypes <out >got
	jq -r '.tensors[] | "\(.name) \(.type)"' "$F/expected/llama3.pure.q4_k.json" | sort >want
	same want got
	hashes "$F/expected/llama3.pure.q4_k.json" F32 out
}

@test "rows that are not whole blocks: the table gives llama-quantize's bytes" {
	need gguf/smollm.q8_0.gguf expected/qwen2-odd.q4_k_s.json hf/qwen2-odd
	# Names and rows are the same but for the names' convention.
	apr-cat "$F/hf/qwen2-odd" | apr-quant q4_k >out 2>err
	grep -q ' Q5_0 (fallback: rows not multiples of 256), .* bits per weight$' err
	rm -rf x && mkdir x && tar xf out -C x
	got=$(sha256sum <x/tensors/model.layers.0.mlp.up_proj.weight)
	[ "${got%% *}" = "$(jq -r '.tensors[] | select(.name == "blk.0.ffn_up.weight") | .sha256' "$F/expected/qwen2-odd.q4_k_s.json")" ]
}

@test "fallbacks" {
	need hf/qwen2-odd
	apr-cat "$F/hf/qwen2-odd" >in
	fails 1 apr-quant --fallback=error q4_k <in
	says "rows of 224 are not whole Q4_K blocks of 256"
	fails 1 apr-quant q1_0 <in
	says "not whole Q1_0 blocks of 128"
	apr-quant --fallback=f16 q4_k <in 2>err | dtypes >got
	! grep -v -e ' F16$' -e ' BF16$' got
	apr-quant --fallback=pad q4_k <in 2>err >out
	grep -q 'Q4_K (padded: rows not multiples of 256)' err
	tar xOf out manifest.json | jq -e '[.tensors[] | select(.row_bytes)] | length > 0 and all(.row_bytes == 144 or .row_bytes == 288)'
	apr-dequant -q <out >f32
	# Flat blocks need no rows.
	apr-quant apr_q4 <in 2>err | dtypes | grep -q ' apr_q4$'
	! grep -q fallback err
}

@test "aprender's rules: its tensors, its types, for native ones its bytes" {
	need apr/qwen2.int4.apr apr/smollm.q4k.apr apr/qwen2-odd.q4k.apr
	local model type file
	for model in qwen2 smollm qwen2-odd; do
		for type in apr_q4:int4 apr_q8:int8 q4k:q4k; do
			file=$F/apr/$model.${type#*:}.apr
			[ -e "$file" ] || continue
			apr-cat "$F/apr/$model.apr" | apr-quant -q --rules=apr "${type%:*}" >out
			apr-cat "$file" >theirs
			dtypes <out >a
			# They write a tied output out.
			dtypes <theirs | grep -v '^lm_head' >b
			same b a "$file"
			[ "$type" = q4k:q4k ] && continue
			sums <out | grep -v lm_head >a
			sums <theirs | grep -v lm_head >b
			same b a "$file"
		done
	done
}

@test "bytes depend on neither threads, nor chunks, nor the pipe" {
	need gguf/llama3.bf16.gguf hf/qwen2-odd
	local type n
	apr-cat "$F/gguf/llama3.bf16.gguf" >llama
	apr-cat "$F/hf/qwen2-odd" >odd
	for type in q4_k q2_k apr_q4 apr_q8 q8_0 "--fallback=pad q6_k" "--rules=apr q4k"; do
		for m in llama odd; do
			apr-quant -q -j 1 $type <$m >want
			apr-quant -q -j 2 $type <$m | cmp - want
			apr-quant -q -j 7 $type <$m | cmp - want
			for n in 1 100 65536; do
				APR_CHUNK_ROWS=$n apr-quant -q -j 2 $type <$m | cmp - want
			done
		done
	done
	dd bs=7 if=odd status=none | apr-quant -q apr_q8 | dd bs=7 status=none >a
	apr-quant -q apr_q8 <odd | cmp - a
}

@test "bytes do not depend on the processor, back to F32 neither" {
	need gguf/llama3.bf16.gguf
	local type cpu
	apr-cat "$F/gguf/llama3.bf16.gguf" >llama
	for type in q4_0 q5_1 q8_0 q2_k q3_k q4_k q5_k q6_k iq4_nl iq4_xs mxfp4 nvfp4 tq1_0 apr_q4 apr_q8 f16; do
		APR_CPU=scalar apr-quant -q $type <llama >want
		APR_CPU=scalar apr-dequant -q f16 <want >back
		for cpu in avx2 avx512 any; do
			APR_CPU=$cpu apr-quant -q $type <llama | cmp - want
			APR_CPU=$cpu apr-dequant -q f16 <want | cmp - back
		done
	done
}

@test "padded rows and flat blocks go over into each other" {
	need hf/qwen2-odd
	local a b n
	apr-cat "$F/hf/qwen2-odd" >in
	for a in apr_q4 apr_q8 "--fallback=pad q4_k" "--fallback=pad q6_k" q8_0; do
		apr-quant -q $a <in >a
		apr-dequant -q <a >f32
		for b in apr_q4 "--fallback=pad q3_k" q5_0 apr_q8; do
			[ "$a" = "$b" ] && continue
			apr-quant -q $b <f32 | sums >want
			for n in 0 1 3; do
				APR_CHUNK_ROWS=$n apr-quant -q -j 2 --allow-requantize $b <a | sums >got
				# What is kept has another type here and there.
				grep -v -e norm -e bias want >w; grep -v -e norm -e bias got | cmp - w
			done
		done
	done
}

@test "apr_q8: absmax in the manifest saves the second pass, and is checked" {
	need hf/qwen2-odd
	apr-cat "$F/hf/qwen2-odd" | apr-quant -q apr_q8 | sums >want
	apr-cat --absmax "$F/hf/qwen2-odd" >max
	tar xOf max manifest.json | jq -e '.tensors[0].absmax'
	TMPDIR=/nonexistent apr-quant -q apr_q8 <max >out
	sums <out | cmp - want
	! tar xOf out manifest.json | jq -e '.tensors[] | select(.dtype == "apr_q8" and .absmax)'
	apr-cat "$F/hf/qwen2-odd" >in
	TMPDIR=/nonexistent fails 1 apr-quant apr_q8 <in
	says /nonexistent
}

@test "NaN and Inf stop it, named" {
	need hf/llama hf/qwen2 hf/olmo2
	local w=model.layers.1.mlp.up_proj.weight cols j
	cp "$F/hf/llama/model.safetensors" f16.safetensors
	cp "$F/hf/qwen2/model.safetensors" bf16.safetensors
	cp "$F/hf/olmo2/model.safetensors" f32.safetensors
	chmod u+w ./*.safetensors
	poison f16.safetensors $w 1000 2 '\x01\x7e'
	poison f16.safetensors $w 30000 2 '\x00\x7c'
	poison bf16.safetensors $w 259 2 '\x80\xff'
	poison f32.safetensors $w 0 4 '\x00\x00\x80\x7f'
	for j in 1 2 5; do
		cols=$(apr-cat --plan f16.safetensors | tar xOf - manifest.json | jq --arg w $w '.tensors[] | select(.name == $w) | .shape[1]')
		apr-cat f16.safetensors >in
		for type in q4_k q8_0 apr_q4 apr_q8; do
			APR_CHUNK_ROWS=1 fails 1 apr-quant -j $j $type <in
			says "$w: NaN at index 1000 (row $((1000 / cols)), column $((1000 % cols)))"
		done
		apr-cat bf16.safetensors >in
		fails 1 apr-quant -j $j q6_k <in
		says "$w: -Inf at index 259 (row 1, column 3)"
		apr-cat f32.safetensors >in
		fails 1 apr-quant -j $j q4_0 <in
		says "$w: Inf at index 0 (row 0, column 0)"
	done
	# A plain float holds them.
	apr-quant -q f16 <in >out
}

@test "what no f16 holds is an error" {
	need hf/olmo2
	local w=model.layers.1.mlp.up_proj.weight
	cp "$F/hf/olmo2/model.safetensors" big.safetensors
	chmod u+w big.safetensors
	poison big.safetensors $w 5 4 '\x00\x00\x80\x5f'
	apr-cat big.safetensors >in
	fails 1 apr-quant f16 <in
	says "$w: 1.84467e+19 at index 5 (row 0, column 5) does not fit F16"
	fails 1 apr-quant q8_0 <in
	says "$w: 1.84467e+19 at index 5 (row 0, column 5) does not fit Q8_0"
	apr-quant -q bf16 <in >out
}

@test "what is quantized is not quantized again unless asked" {
	need gguf/llama3.q8_0.gguf gguf/llama3.q4_k_m.gguf
	apr-cat "$F/gguf/llama3.q8_0.gguf" >in
	fails 1 apr-quant q4_k <in
	says "token_embd.weight: is Q8_0 already"
	apr-quant -q --allow-requantize q4_k <in | dtypes | grep -q 'token_embd.weight Q4_K'
	apr-quant -q q8_0 <in | sums >a
	sums <in | cmp - a
}

@test "norms, routers, positions and odd names stay" {
	need hf/mixtral hf/gpt2 hf/qwen3-5 hf/qwen3-moe
	apr-cat "$F/hf/mixtral" | apr-quant -q q8_0 | dtypes >got
	! grep 'block_sparse_moe.gate.weight Q8_0' got
	grep 'experts.0.w1.weight Q8_0' got
	apr-cat "$F/hf/qwen3-moe" | apr-quant -q q8_0 | dtypes >got
	! grep 'mlp.gate.weight Q8_0' got
	grep 'gate_proj.weight Q8_0' got
	apr-cat "$F/hf/gpt2" | apr-quant -q q8_0 | dtypes >got
	grep 'wpe.weight F32' got
	grep 'wte.weight Q8_0' got
	apr-cat "$F/hf/qwen3-5" | apr-quant -q q8_0 | dtypes >got
	! grep -e 'conv1d.weight Q8_0' -e 'A_log Q8_0' got
	grep 'in_proj_a.weight Q8_0' got
}

@test "keys, history and source types" {
	need gguf/llama3.bf16.gguf hf/llama3
	apr-cat "$F/gguf/llama3.bf16.gguf" | apr-quant -q -j 2 q4k | tar xOf - manifest.json >m
	jq -e '.set | to_entries == [
	    {key: "general.quantization_version", value: {type: "u32", value: 2}},
	    {key: "general.file_type", value: {type: "u32", value: 15}}]' m
	jq -e '.history[-1] | .tool == "apr-quant" and .options == {type: "Q4_K", rules: "ggml", fallback: "table"}' m
	apr-cat "$F/hf/llama3" | apr-quant -q q6_k | tar xOf - manifest.json >m
	jq -e '.tensors | all(.dtype != "Q6_K" or .source_dtype == "BF16")' m
	jq -e '.tensors | any(.shard == 2)' m
	apr-cat "$F/hf/llama3" | apr-quant -q --rules=apr apr_q4 | tar xOf - manifest.json | jq -e '.set // {} | length == 0'
}

@test "a plan stays a plan" {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" | apr-quant -q q4_k | tar xOf - manifest.json >want
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" | apr-quant -q q4_k >plan
	tar xOf plan manifest.json | jq -S 'del(.plan)' >a
	jq -S . want | cmp - a
	! tar tf plan | grep '^tensors/'
}

@test "a stream cut anywhere is an error" {
	need gguf/llama3.bf16.gguf
	apr-cat --select 'blk.0.attn_?.weight' "$F/gguf/llama3.bf16.gguf" >in
	local size end n
	size=$(wc -c <in)
	# CHECKSUMS' last line: behind it are zeros alone.
	end=$(grep -aob 'tensors/blk.0.attn_v.weight$' in | tail -n 1 | cut -d: -f1)
	for n in 0 1 511 512 1000 10000 50000 100000 $((end - 100)) $((end + 26)); do
		[ "$n" -lt "$size" ] || continue
		head -c "$n" in >cut
		fails 1 apr-quant q4_k <cut
	done
}

@test "a full disk is an error, a closed pipe is quiet" {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	run -1 bash -c 'apr-quant q4_k <in >/dev/full'
	[[ $output == "apr-quant: "*"No space left"* ]]
	run bash -c 'apr-quant q8_0 <in | head -c 1000 >/dev/null; echo "${PIPESTATUS[0]}"'
	[ "$output" = 141 ]
}

@test "usage" {
	fails 2 apr-quant
	fails 2 apr-quant q4_k q5_k
	fails 2 apr-quant nosuch
	fails 2 apr-quant --rules=nosuch q4_k
	fails 2 apr-quant --fallback=nosuch q4_k
	fails 2 apr-quant -j 0 q4_k
	fails 2 apr-quant q4_k_m
	says "q4_k is a type"
	fails 2 apr-quant iq2_xs
	says "can be read, not made"
	fails 2 apr-quant i8
	run -0 apr-quant --help
	[[ ${lines[0]} == "usage: apr-quant "* ]]
	run -0 apr-quant --version
}
