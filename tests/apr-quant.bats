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
	fails 1 apr-quant --pure q1_0 <in
	says "not whole Q1_0 blocks of 128"
	apr-quant --fallback=f16 q4_k <in 2>err | dtypes >got
	! grep -v -e ' F16$' -e ' BF16$' got || false
	apr-quant --fallback=pad q4_k <in 2>err >out
	grep -q 'Q4_K (padded: rows not multiples of 256)' err
	tar xOf out manifest.json | jq -e '[.tensors[] | select(.row_bytes)] | length > 0 and all(.row_bytes == 144 or .row_bytes == 288)'
	apr-dequant -q <out >f32
	# Flat blocks need no rows.
	apr-quant apr_q4 <in 2>err | dtypes | grep -q ' apr_q4$'
	! grep -q fallback err || false
}

@test "aprender's rules: its tensors, its types, its bytes" {
	need apr/qwen2.int4.apr apr/smollm.q4k.apr apr/qwen2-odd.q4k.apr
	local found=0
	local model type file
	for model in qwen2 smollm qwen2-odd; do
		for type in apr_q4:int4 apr_q8:int8 q4k:q4k; do
			file=$F/apr/$model.${type#*:}.apr
			[ -e "$file" ] || continue
			apr-cat "$F/apr/$model.apr" | apr-quant -q --rules=apr --effort=apr "${type%:*}" >out
			apr-cat "$file" >theirs
			dtypes <out >a
			# They write a tied output out.
			dtypes <theirs | grep -v '^lm_head' >b
			same b a "$file"
			sums <out | grep -v lm_head >a
			sums <theirs | grep -v lm_head >b
			same b a "$file"
			found=$((found + 1))
		done
	done
	[ $found = 8 ]
	# Its blocks are others than ggml's.
	apr-cat "$F/apr/qwen2.apr" >in
	! cmp -s <(apr-quant -q --rules=apr --effort=apr q4k <in | sums) <(apr-quant -q --rules=apr q4k <in | sums) || false
}

@test "--effort: which type has which, and who did it" {
	need gguf/llama3.bf16.gguf
	apr-cat --select 'blk.0.*' "$F/gguf/llama3.bf16.gguf" >in
	local type n
	for type in q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q3_k q4_k q5_k q6_k iq4_nl iq4_xs mxfp4 nvfp4 iq3_s; do
		apr-quant -q -j 1 --pure --effort=high $type <in >want
		apr-quant -q -j 2 --pure $type <in >plain
		! cmp -s <(sums <want) <(sums <plain) || false
		APR_CPU=scalar APR_CHUNK_ROWS=7 apr-quant -q -j 2 --pure --effort=high $type <in | cmp - want
	done
	tar xOf want manifest.json | jq -e '.history[-1].options.effort == "high"'
	apr-quant -q --effort=reference q4_k <in >a
	apr-quant -q q4_k <in | cmp - a
	# A recipe says it too, and the option beats it.
	echo '{"apr_recipe": 1, "effort": "high", "base": "q4_k"}' >r.json
	apr-quant -q -r r.json <in | sums >a
	apr-quant -q --effort=high q4_k <in | sums | cmp - a
	! cmp -s a <(apr-quant -q --effort=reference -r r.json <in | sums) || false
	# Zeros ahead spoil a block of ggml's IQ3_S, and that is said.
	{ head -c 128 /dev/zero; printf '%0896d'; printf '%01024d'; } | st z.safetensors \
	    '{"z.weight":{"dtype":"F32","shape":[2,256],"data_offsets":[0,2048]}}'
	apr-cat z.safetensors | apr-quant --pure iq3_s 2>err >out
	grep -q '1 blocks have zeros ahead' err
	apr-cat z.safetensors | apr-quant --pure --effort=high iq3_s 2>err >out
	! grep 'zeros ahead' err || false
	fails 1 apr-quant --effort=high tq2_0 <in
	says ".weight: no TQ2_0 is made with --effort=high"
	fails 1 apr-quant --pure --effort=apr q6_k <in
	says ".weight: no Q6_K is made with --effort=apr"
	# A plain type is rounded, and no effort can better that.
	apr-quant -q --effort=high f16 <in | sums >a
	apr-quant -q f16 <in | sums | cmp - a
	fails 2 apr-quant --effort=nosuch q4_k
}

@test "bytes depend on neither threads, nor chunks, nor the pipe" {
	need gguf/llama3.bf16.gguf hf/qwen2-odd
	local type n
	apr-cat "$F/gguf/llama3.bf16.gguf" >llama
	apr-cat "$F/hf/qwen2-odd" >odd
	for type in q4_k "--pure q2_k" apr_q4 apr_q8 q8_0 "--pure --fallback=pad q6_k" "--rules=apr q4k"; do
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
	for a in apr_q4 apr_q8 "--fallback=pad q4_k" "--pure --fallback=pad q6_k" q8_0; do
		apr-quant -q $a <in >a
		apr-dequant -q <a >f32
		for b in apr_q4 "--fallback=pad q3_k" "--pure q5_0" apr_q8; do
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
	! tar xOf out manifest.json | jq -e '.tensors[] | select(.dtype == "apr_q8" and .absmax)' || false
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
		fails 1 apr-quant -j $j --pure q6_k <in
		says "$w: -Inf at index 259 (row 1, column 3)"
		apr-cat f32.safetensors >in
		fails 1 apr-quant -j $j --pure q4_0 <in
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

@test "a mix with padded rows leaves what is looked up in F16" {
	need hf/smollm hf/llama3
	apr-cat "$F/hf/smollm" | apr-quant -q --fallback=pad q4_k_m >out
	dtypes <out | grep -qx 'model.embed_tokens.weight F16'
	[ "$(dtypes <out | grep -c 'Q[46]_K')" -ge 12 ]
	apr-pack -q x.apr <out
	# Whole rows are as ever.
	apr-cat "$F/hf/llama3" | apr-quant -q --fallback=pad q4_k_m | sums >a
	apr-cat "$F/hf/llama3" | apr-quant -q q4_k_m | sums | cmp - a
}

@test "aprender's 4 bits and Q4_0 are the same numbers, and go over into each other" {
	need apr/qwen2.int4.apr
	local j
	apr-cat "$F/apr/qwen2.int4.apr" >in
	apr-dequant -q --all f32 <in | sums >want
	for j in 1 2; do
		APR_CHUNK_ROWS=$((j * 3)) apr-quant -q -j $j --pure q4_0 <in >q4_0
		[ "$(dtypes <q4_0 | grep -c Q4_0)" -ge 10 ]
		! dtypes <q4_0 | grep -q apr_q4 || false
		apr-dequant -q --all f32 <q4_0 | sums | cmp - want
		apr-quant -q --rules=apr apr_q4 <q4_0 | sums >back
		sums <in | cmp - back
	done
}

@test "norms, routers, positions and odd names stay" {
	need hf/mixtral hf/gpt2 hf/qwen3-5 hf/qwen3-moe
	apr-cat "$F/hf/mixtral" | apr-quant -q q8_0 | dtypes >got
	! grep 'block_sparse_moe.gate.weight Q8_0' got || false
	grep 'experts.0.w1.weight Q8_0' got
	apr-cat "$F/hf/qwen3-moe" | apr-quant -q q8_0 | dtypes >got
	! grep 'mlp.gate.weight Q8_0' got || false
	grep 'gate_proj.weight Q8_0' got
	apr-cat "$F/hf/gpt2" | apr-quant -q q8_0 | dtypes >got
	grep 'wpe.weight F32' got
	grep 'wte.weight Q8_0' got
	apr-cat "$F/hf/qwen3-5" | apr-quant -q q8_0 | dtypes >got
	! grep -e 'conv1d.weight Q8_0' -e 'A_log Q8_0' got || false
	grep 'in_proj_a.weight Q8_0' got
}

@test "keys, history and source types" {
	need gguf/llama3.bf16.gguf hf/llama3
	apr-cat "$F/gguf/llama3.bf16.gguf" | apr-quant -q -j 2 q4k | tar xOf - manifest.json >m
	jq -e '.set | to_entries == [
	    {key: "general.quantization_version", value: {type: "u32", value: 2}},
	    {key: "general.file_type", value: {type: "u32", value: 15}}]' m
	jq -e '.history[-1] | .tool == "apr-quant" and .options == {type: "Q4_K", rules: "ggml", fallback: "table", effort: "reference"}' m
	apr-cat "$F/hf/llama3" | apr-quant -q --pure q6_k | tar xOf - manifest.json >m
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
	! tar tf plan | grep '^tensors/' || false
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

@test "a mix goes by roles, and is refused where nothing says them" {
	need hf/qwen2
	# Of an architecture that is known, any names will do.
	apr-cat "$F/hf/qwen2" | apr-quant -q q4_k_m | dtypes >got
	apr-cat --as gguf "$F/hf/qwen2" | apr-quant -q q4_k_m | dtypes >want
	[ "$(cut -d' ' -f2 got | sort)" = "$(sed /F32/d want | cut -d' ' -f2 | { cat; grep F32 want | sed 's/.*/BF16/'; } | sort)" ]
	grep 'layers.1.self_attn.v_proj.weight Q6_K' got
	mkdir nobody
	cp "$F"/hf/qwen2/*.safetensors nobody
	apr-cat nobody >in
	for mix in q4_k_m q6_k iq2_xs mxfp4_moe; do
		fails 1 apr-quant $mix <in
		says "$mix goes by what tensors are for"
	done
	for option in --leave-output-tensor "--output-tensor-type q8_0" "--token-embedding-type q8_0"; do
		fails 1 apr-quant $option q4_k <in
		says "${option% *} goes by what tensors are for"
	done
	# What is the same everywhere needs no names.
	apr-quant -q q8_0 <in | dtypes | grep -q 'embed_tokens.weight Q8_0'
	apr-quant -q --pure q4_k_m <in | dtypes | grep -q 'down_proj.weight Q4_K'
}

@test "llama-quantize's options, in llama-quantize's order" {
	need gguf/llama3.bf16.gguf
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >in
	# The model is tied: its embedding is its output.
	apr-quant -q q4_k_m <in | dtypes | grep -x 'token_embd.weight Q6_K'
	apr-quant -q --pure q4_k_m <in | dtypes | grep -x 'token_embd.weight Q4_K'
	apr-quant -q --leave-output-tensor q4_k_m <in | dtypes | grep -x 'token_embd.weight Q6_K'
	apr-quant -q --output-tensor-type q5_0 q4_k_m <in | dtypes | grep -x 'token_embd.weight Q5_0'
	apr-quant -q --output-tensor-type q5_0 --token-embedding-type q5_1 --pure q4_k_m <in |
	    dtypes | grep -x 'token_embd.weight Q5_1'
	# An override decides before the mix, and does not count in it.
	apr-quant -q --tensor-type '\.0\.FFN_\w+=q8_0' --tensor-type 'ffn_down=Q2_K' q4_k_m <in | dtypes >got
	[ "$(grep -c 'blk.0.ffn.* Q8_0' got)" = 3 ]
	grep -x 'blk.1.ffn_down.weight Q2_K' got
	grep -x 'blk.1.ffn_up.weight Q4_K' got
	apr-quant -q --pure --tensor-type 'attn_v=f16' q4_k_m <in | dtypes | grep -x 'blk.0.attn_v.weight F16'
	# The first of a list wins, from a file as well.
	printf 'attn_v=q5_0 \n\t attn_(k|v)=q5_1\n' >types
	apr-quant -q --tensor-type-file types q4_k <in | dtypes >got
	grep -x 'blk.0.attn_v.weight Q5_0' got
	grep -x 'blk.0.attn_k.weight Q5_1' got
	# Plain types leave no room for it.
	apr-quant --tensor-type 'attn_v=q8_0' f16 <in 2>err | dtypes | grep -x 'blk.0.attn_v.weight F16'
	grep -q 'tensor-type has no effect' err
	# What is left alone stays so.
	apr-quant -q --tensor-type '.*=q8_0' q4_k <in | dtypes | grep -x 'output_norm.weight F32'
}

@test "an untied output is one" {
	need expected/llama.convert-auto.json
	jq -c '{apr_stream: 1, source: "gguf", convention: "gguf", plan: true, files: [],
	    metadata: (.metadata | map_values(.value)),
	    tensors: [.tensors[] | {name, dtype: .type, shape: (.shape | reverse), bytes}]}' \
	    "$F/expected/llama.convert-auto.json" >manifest.json
	xxhsum -H2 manifest.json >CHECKSUMS
	tar cf in manifest.json CHECKSUMS
	apr-quant -q --leave-output-tensor --output-tensor-type q8_0 q4_k_m <in | dtypes | grep -x 'output.weight F16'
	apr-quant -q --output-tensor-type q5_0 q4_k_m <in | dtypes >got
	grep -x 'output.weight Q5_0' got
	grep -x 'token_embd.weight Q4_K' got
	# 9 layers; one decided by name does not count: the first quarter is 0, then 4, 7 and 8.
	v() { grep 'attn_v.weight Q6_K' | sed 's/^blk.//; s/[.].*//' | tr '\n' ' '; }
	[ "$(apr-quant -q q4_k_m <in | dtypes | v)" = "0 3 6 7 8 " ]
	[ "$(apr-quant -q --tensor-type 'blk.0.attn_v=q8_0' q4_k_m <in | dtypes | v)" = "1 4 7 8 " ]
}

@test "metadata overrides" {
	need gguf/llama3.bf16.gguf
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >in
	apr-quant -q --override-kv a.int=int:-7 --override-kv a.float=float:1e6 --override-kv a.yes=bool:true \
	    --override-kv 'a.text=str:a "b"' q4_k_m <in | tar xOf - manifest.json |
	    jq -c '.set | to_entries | map([.key, .value.type, .value.value])' >got
	cat >want <<-'END'
	[["general.quantization_version","u32",2],["general.file_type","u32",15],["a.int","u32",7],["a.float","f32",1000000],["a.yes","bool",true],["a.text","string","a \"b\""]]
	END
	same want got
	# It wins over what the tool would set, and rules see it.
	apr-quant -q --override-kv general.file_type=int:99 q4_k_m <in | tar xOf - manifest.json |
	    jq -e '.set["general.file_type"].value == 99'
	apr-quant -q --override-kv llama.expert_count=int:8 q4_k_m <in | dtypes | grep -x 'blk.1.attn_k.weight Q8_0'
	fails 2 apr-quant --override-kv a=int:x q4_k <in
	fails 2 apr-quant --override-kv a=int:4294967296 q4_k <in
	fails 2 apr-quant --override-kv a=maybe:1 q4_k <in
	fails 2 apr-quant --override-kv a q4_k <in
	fails 2 apr-quant --override-kv a=bool:1 q4_k <in
	fails 2 apr-quant --override-kv "a=str:$(printf %0128d 0)" q4_k <in
}

@test "types that want an importance matrix are refused without one" {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >plan
	local mix
	for mix in iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq2_m iq3_xxs iq3_xs q2_k_s "--pure q2_k_s"; do
		fails 1 apr-quant $mix <in
		says "needs an importance matrix"
		# A plan may say what it would come to.
		apr-quant $mix <plan 2>err >out
		grep -q 'needs an importance matrix' err
	done
	# It goes by the final type, and not for embeddings.
	apr-quant -q --token-embedding-type iq2_xs q4_k <plan 2>err >out
	! grep -q importance err || false
	apr-quant -q q2_k <in >out
}

@test "usage" {
	fails 2 apr-quant
	fails 2 apr-quant q4_k q5_k
	fails 2 apr-quant nosuch
	fails 2 apr-quant --rules=nosuch q4_k
	fails 2 apr-quant --fallback=nosuch q4_k
	fails 2 apr-quant -j 0 q4_k
	fails 2 apr-quant --rules=apr q4_k_m
	says "q4_k_m is a mix of types"
	fails 2 apr-quant f8_e4m3
	says "can be read, not made"
	fails 2 apr-quant i8
	fails 2 apr-quant -r nosuch.json q4_k
	fails 2 apr-quant -r nosuch.json --rules=apr
	fails 1 apr-quant -r nosuch.json
	fails 2 apr-quant --tensor-type q4_k q4_k
	fails 2 apr-quant --tensor-type a=b q4_k
	fails 2 apr-quant --tensor-type-file nosuch q4_k
	fails 2 apr-quant --output-tensor-type foo q4_k
	run -0 apr-quant --help
	[[ ${lines[0]} == "usage: apr-quant "* ]]
	run -0 apr-quant --version
}
