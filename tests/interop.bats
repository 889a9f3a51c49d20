#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Hugging Face, GGUF and .apr into each other, against what llama.cpp's
# converter, llama-quantize and aprender made of the same checkpoints.
load helper
load gguf

MODELS="gemma2 gemma3 gpt2 granite llama llama3 mistral mixtral olmo2 phi3 qwen2
	qwen2-odd qwen3 qwen3-5 qwen3-moe smollm"

# Size; order, types and values of keys; names, shapes, types, bytes of tensors.
ALL='{file_bytes, tensors, metadata: (.metadata | if type == "object" then to_entries else . end)}'

# like FILE.gguf NAME -- is it what expected/NAME.json says?
like() {
	dump "$1" | jq -S "$ALL" >got.json
	jq -S "$ALL" "$F/expected/$2.json" >want.json
	cmp -s got.json want.json || { echo "$2:" >&2; diff got.json want.json | head -n 20 >&2; return 1; }
}

# What the converter makes F16 of, because the checkpoint is F32.
narrow() {
	case $1 in gpt2|olmo2) apr-dequant -q f16 ;; *) cat ;; esac
}

@test "the shuffle of cells is its definition" {
	"${APR_BUILD:-$REPO/build}/test/shuffle"
}

@test "GGUF from every checkpoint: names, shapes, types, bytes, order, keys" {
	for m in $MODELS; do
		need hf/$m expected/$m.convert-auto.json expected/$m.convert-f32.json
		apr-cat "$F/hf/$m" | narrow $m | apr-pack -f a.gguf
		like a.gguf $m.convert-auto
		apr-cat --as gguf "$F/hf/$m" | narrow $m | apr-pack -f b.gguf
		same b.gguf a.gguf "$m --as gguf"
		apr-cat --as gguf "$F/hf/$m" | apr-dequant -q f32 | apr-pack -f b.gguf
		like b.gguf $m.convert-f32
		# What a plan says is what comes.
		apr-cat -n "$F/hf/$m" | apr-dequant -q f32 | apr-pack --json x.gguf | jq .size >size
		[ "$(cat size)" = "$(stat -c %s b.gguf)" ]
	done
	# The very files.
	for m in llama3.bf16 qwen2.bf16; do
		need gguf/$m.gguf
		apr-cat "$F/hf/${m%.*}" | apr-pack -q -f a.gguf
		same a.gguf "$F/gguf/$m.gguf"
	done
	need gguf/granite.f32.gguf
	apr-cat "$F/hf/granite" | apr-dequant -q | apr-pack -q -f a.gguf
	same a.gguf "$F/gguf/granite.f32.gguf"
}

@test "Q8_0 as the converter writes it" {
	for m in $MODELS; do
		need hf/$m expected/$m.convert-q8_0.json
		apr-cat --as gguf "$F/hf/$m" | apr-quant -q q8_0 | apr-pack -f --order convert a.gguf
		like a.gguf $m.convert-q8_0
		# Packed rows move as well, but for a transposition.
		if [ $m = gpt2 ]; then
			apr-cat "$F/hf/$m" | apr-quant -q q8_0 >s
			fails 1 apr-pack x.gguf <s
			says "apr-cat --as gguf"
			continue
		fi
		apr-cat "$F/hf/$m" | apr-quant -q q8_0 | apr-pack -f --order convert b.gguf
		same b.gguf a.gguf "$m without --as"
	done
	need gguf/smollm.q8_0.gguf
	same b.gguf "$F/gguf/smollm.q8_0.gguf"
}

@test "into a pipe, if the order is the output's" {
	for m in $MODELS; do
		need hf/$m
		apr-cat --as gguf "$F/hf/$m" | apr-pack -f a.gguf
		apr-cat --as gguf "$F/hf/$m" | apr-pack --format gguf - | cmp - a.gguf
		apr-cat --order convert "$F/hf/$m" | apr-pack --format gguf - | cmp - a.gguf
		apr-cat --as gguf "$F/hf/$m" | apr-quant -q q8_0 | apr-pack -f b.gguf
		apr-cat --as gguf --order quantize "$F/hf/$m" | apr-quant -q q8_0 |
		    apr-pack --format gguf - | cmp - b.gguf
	done
	# Experts come one by one, and are wanted stack by stack.
	apr-cat "$F/hf/mixtral" >s
	fails 1 apr-pack --format gguf - <s
	says "--order convert"
	apr-cat "$F/hf/smollm" | apr-quant -q q8_0 >s
	fails 1 apr-pack --format gguf - <s
	says "--order quantize"
}

@test "from a pipe: a tensor that is turned is spilled" {
	mkdir tmp
	export TMPDIR=$PWD/tmp
	for m in gpt2 smollm gemma2 phi3 qwen3-5; do
		need hf/$m
		apr-cat "$F/hf/$m" | apr-pack -f x.gguf
		for as in hf apr; do
			apr-cat --as $as x.gguf | sums >want
			apr-cat --as $as - <x.gguf | sums | cmp - want
			# In little pieces too.
			dd if=x.gguf bs=4093 2>/dev/null | apr-cat --as $as - | sums | cmp - want
		done
	done
	# Experts that come one by one cannot be stacked so.
	need hf/mixtral
	apr-cat "$F/hf/mixtral" | apr-pack m.apr
	fails 1 apr-cat --as gguf - < <(cat m.apr)
	says seek
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "GGUF into a directory and back" {
	for m in $MODELS; do
		need hf/$m
		apr-cat --as gguf "$F/hf/$m" | apr-pack -f x.gguf
		rm -rf dir
		apr-cat x.gguf | apr-pack dir/
		apr-cat dir/ | apr-pack -f y.gguf
		alike y.gguf x.gguf
		# The checkpoint's own numbers, under its own names: but for what GGUF
		# keeps in F32.
		apr-cat dir/ | apr-dequant -q | sums >got
		apr-cat "$F/hf/$m" | apr-dequant -q | sums >want
		same got want $m
		jq -S '[.num_hidden_layers, .n_layer, .hidden_size, .n_embd, .num_attention_heads,
		    .num_key_value_heads, .head_dim, .vocab_size, .tie_word_embeddings, .rope_parameters.rope_type,
		    .intermediate_size, .rms_norm_eps, .linear_value_head_dim, .query_pre_attn_scalar,
		    .num_experts_per_tok, .layer_types and .model_type == "qwen3_5_text"]' dir/config.json >got
		jq -S '[.num_hidden_layers, .n_layer, .hidden_size, .n_embd, .num_attention_heads,
		    .num_key_value_heads, .head_dim, .vocab_size, .tie_word_embeddings, .rope_parameters.rope_type,
		    .intermediate_size, .rms_norm_eps, .linear_value_head_dim, .query_pre_attn_scalar,
		    .num_experts_per_tok, .layer_types and .model_type == "qwen3_5_text"]' "$F/hf/$m/config.json" >want
		same got want "$m: config.json"
	done
	# Quantized ones are for apr-dequant first.
	need gguf/llama3.q4_k_m.gguf
	apr-cat "$F/gguf/llama3.q4_k_m.gguf" >s
	rm -rf dir
	fails 1 apr-pack dir/ <s
	says apr-dequant
	nothing dir
	apr-dequant -q bf16 <s | apr-pack dir/
	[ "$(jq -c .rope_parameters dir/config.json)" = '{"factor":8.0,"high_freq_factor":4,"low_freq_factor":1.0,"original_max_position_embeddings":256,"rope_theta":500000.0,"rope_type":"llama3"}' ] ||
	    [ "$(jq -S -c .rope_parameters dir/config.json)" = "$(jq -S -c .rope_parameters "$F/hf/llama3/config.json")" ]
}

@test "conventions change back and forth" {
	for m in $MODELS; do
		need hf/$m
		apr-cat "$F/hf/$m" | apr-pack -f x.gguf
		for as in hf apr; do
			apr-cat --as $as x.gguf | apr-pack -f w.gguf
			same w.gguf x.gguf "$m --as $as"
		done
		# Through an .apr, from either side, everything comes back.
		apr-cat x.gguf | apr-pack -f a.apr
		apr-cat a.apr | apr-pack -f y.gguf
		alike y.gguf x.gguf
		apr-cat "$F/hf/$m" | apr-pack -f b.apr
		apr-cat b.apr | apr-pack -f y.gguf
		alike y.gguf x.gguf
		rm -rf dir
		apr-cat b.apr | apr-pack dir/
		apr-cat dir | sums >got
		apr-cat "$F/hf/$m" | sums | cmp - got
		cmp dir/config.json "$F/hf/$m/config.json"
	done
}

@test "quantized rows change containers, not numbers" {
	for m in qwen3 llama mixtral phi3; do
		need hf/$m
		apr-cat --as gguf "$F/hf/$m" | apr-quant -q --pure q4_k | apr-pack -f x.gguf
		apr-cat x.gguf | apr-pack -f a.apr
		apr-ls a.apr | grep 'Q4_K.*model.layers.0' >/dev/null
		apr-cat a.apr | apr-pack -f y.gguf
		alike y.gguf x.gguf
		# The same numbers as from the checkpoint, quantized under its names.
		apr-cat "$F/hf/$m" | apr-quant -q --pure q4_k | apr-pack -f z.gguf
		same z.gguf x.gguf $m
	done
}

@test ".apr: the tensors of aprender's import, and its keys" {
	for m in llama3 qwen2 qwen2-odd qwen3-5 qwen3-moe smollm; do
		need hf/$m apr/$m.apr
		apr-cat "$F/hf/$m" | apr-pack -f a.apr
		# llama3's lm_head is a copy in F32 there, and ours a ghost.
		apr-cat a.apr | sums | { [ $m = llama3 ] && sed /lm_head/d || cat; } >got
		apr-cat "$F/apr/$m.apr" | sums | { [ $m = llama3 ] && sed /lm_head/d || cat; } >want
		same got want $m
		for f in a.apr "$F/apr/$m.apr"; do
			apr-cat $f | tar xOf - manifest.json |
			    jq -cS '.tensors | sort_by(.name)[] | [.name, .dtype, .shape, .tied_to]' >${f##*/}.t
		done
		[ $m = llama3 ] || cmp a.apr.t $m.apr.t
		# Keys with other values, each for a reason that apr-pack(1) gives.
		apr-ls --json a.apr | jq -S '.metadata | del(.["apr_tools.files"])' >ours
		apr-ls --json "$F/apr/$m.apr" | jq -S '.metadata | del(.tensor_shapes)
			| with_entries(select(.key | startswith("tokenizer.") | not))' >theirs
		jq -n --slurpfile a ours --slurpfile b theirs -r '$b[0] | to_entries[]
			| select($a[0][.key] != .value) | .key' | sort >differ
		case $m in
		qwen2|qwen2-odd) echo model_type ;;
		smollm|qwen3-5) printf 'model_type\nrope_type\n' ;;
		*) printf 'model_type\nparam_count\nrope_type\n' ;;
		esac | cmp differ -
	done
	for t in int4:apr_q4 int8:apr_q8 q4k:q4k; do
		need hf/gpt2 apr/gpt2.${t%:*}.apr
		apr-cat --as apr "$F/hf/gpt2" | apr-quant -q --rules=apr --effort=apr ${t#*:} | apr-pack -f a.apr
		apr-cat a.apr | sums | sed /lm_head/d >got
		apr-cat "$F/apr/gpt2.${t%:*}.apr" | sums | sed /lm_head/d >want
		same got want $t
	done
}

@test "aprender's own files, as GGUF" {
	# The same checkpoint, by way of aprender's import: what it lost aside.
	# It does not say how text is cut before merging, and that is not guessed.
	for m in qwen2:qwen2 qwen2-odd:qwen2 qwen3-5:qwen35 smollm:smollm; do
		pre=${m#*:} m=${m%:*}
		need apr/$m.apr hf/$m
		apr-cat "$F/apr/$m.apr" >s
		fails 1 apr-pack x.gguf <s
		says tokenizer.ggml.pre
		apr-quant -q --override-kv tokenizer.ggml.pre=str:$pre bf16 <s | apr-pack -f a.gguf
		apr-cat "$F/hf/$m" | apr-pack -f b.gguf
		dump a.gguf | jq -S '.tensors | sort_by(.name)' >got
		dump b.gguf | jq -S '.tensors | map(select(.type != "F32") | .type = "BF16") | sort_by(.name)' >want
		jq -S 'map(select(.type != "F32"))' got >g
		[ $m = qwen2-odd ] || same g want $m
		keys a.gguf | grep -v 'token_type\|token_id\|add_\|file_type\|chat_template' | sort >got
		keys b.gguf | grep -v 'token_type\|token_id\|add_\|file_type\|chat_template' | sort >want
		same got want "$m: keys"
	done
	# How many experts a token takes is lost there, and not made up.
	need apr/qwen3-moe.apr hf/qwen3-moe
	apr-cat "$F/apr/qwen3-moe.apr" >s
	fails 1 apr-pack x.gguf <s
	says num_experts_per_tok
	apr-cat --as gguf "$F/apr/qwen3-moe.apr" | sums >got
	apr-cat --as gguf "$F/hf/qwen3-moe" | sums | cmp - got
	# An import of a GGUF has its names, its types and its order of rows.
	need apr/qwen3.gguf-q4_k_m.apr gguf/qwen3.q4_k_m.gguf
	apr-cat "$F/apr/qwen3.gguf-q4_k_m.apr" |
	    apr-quant -q --override-kv tokenizer.ggml.pre=str:qwen2 q4_k_m | apr-pack -f a.gguf
	dump a.gguf | jq -S '.tensors | sort_by(.name)' >got
	dump "$F/gguf/qwen3.q4_k_m.gguf" | jq -S '.tensors | sort_by(.name)' | cmp - got
}

@test "an expert that is missing, or is another type, is named" {
	need hf/qwen3-moe
	apr-cat --reject '*layers.1.mlp.experts.5.up_proj*' "$F/hf/qwen3-moe" >s
	fails 1 apr-pack x.gguf <s
	says experts.5.up_proj
	apr-cat --select '*layers.0.*' "$F/hf/qwen3-moe" >s
	apr-pack x.gguf <s
	model bad '.num_local_experts = 9' qwen3-moe
	fails 1 apr-cat --as gguf bad
	says experts.8
	model heads '.num_attention_heads = 7'
	fails 1 apr-cat --as gguf heads
	says "do not divide"
	st bad.safetensors '{"model.layers.0.self_attn.nobody.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' < <(f32 1)
	model odd .
	rm odd/*.safetensors
	cp bad.safetensors odd/model.safetensors
	fails 1 apr-cat --as gguf odd
	says nobody
	fails 1 apr-cat --as gguf bad.safetensors
	says config.json
	nothing x2.gguf
}

@test "tensors in any order in the checkpoint, sorted by name in GGUF" {
	need hf/llama
	# layers.10 comes before layers.2, whatever the file's order is.
	mkdir eleven
	jq '.num_hidden_layers = 11 | .num_attention_heads = 1 | .num_key_value_heads = 1 |
	    .head_dim = 2 | .hidden_size = 2' "$F/hf/llama/config.json" >eleven/config.json
	h=$(for i in 3 10 2 0 1 4 9 8 7 6 5; do echo $i; done | jq -Rnc '[inputs] | to_entries
		| map({key: "model.layers.\(.value).mlp.up_proj.weight", value: {dtype: "F32",
		shape: [1, 2], data_offsets: [.key * 8, .key * 8 + 8]}}) | from_entries')
	f32 3 3 10 10 2 2 0 0 1 1 4 4 9 9 8 8 7 7 6 6 5 5 | st eleven/model.safetensors "$h"
	apr-cat eleven | apr-pack a.gguf
	[ "$(dump a.gguf | jq -r '.tensors[].name' | tr -dc '0-9\n' | tr '\n' ' ')" = "0 1 10 2 3 4 5 6 7 8 9 " ]
	[ "$(values a.gguf blk.10.ffn_up.weight)" = "10 10" ]
	apr-cat --as gguf eleven | apr-pack --format gguf - | cmp - a.gguf
}

@test "value heads: which goes where" {
	need hf/qwen3-5
	# Four key heads, eight value heads: out p is in (p mod 4) * 2 + p div 4.
	mkdir v
	jq '.linear_num_key_heads = 4 | .linear_num_value_heads = 8 | .linear_key_head_dim = 1 |
	    .linear_value_head_dim = 1 | .num_hidden_layers = 1 | .layer_types = ["linear_attention"]' \
	    "$F/hf/qwen3-5/config.json" >v/config.json
	p=model.layers.0.linear_attn
	h=$(jq -nc --arg p $p '{"\($p).A_log": {dtype: "F32", shape: [8], data_offsets: [0, 32]},
		"\($p).conv1d.weight": {dtype: "F32", shape: [16, 1, 1], data_offsets: [32, 96]},
		"\($p).in_proj_a.weight": {dtype: "F32", shape: [8, 1], data_offsets: [96, 128]},
		"\($p).norm.weight": {dtype: "F32", shape: [1], data_offsets: [128, 132]},
		"\($p).out_proj.weight": {dtype: "F32", shape: [2, 8], data_offsets: [132, 196]}}')
	f32 0 0 0 0 0 0 0 0 100 101 102 103 104 105 106 107 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 \
	    5 0 1 2 3 4 5 6 7 10 11 12 13 14 15 16 17 | st v/model.safetensors "$h"
	apr-cat v | apr-pack a.gguf
	apr-cat --as gguf v | apr-pack --format gguf - | cmp - a.gguf
	[ "$(values a.gguf blk.0.ssm_alpha.weight)" = "0 2 4 6 1 3 5 7" ]
	[ "$(values a.gguf blk.0.ssm_out.weight)" = "0 2 4 6 1 3 5 7 10 12 14 16 11 13 15 17" ]
	[ "$(values a.gguf blk.0.ssm_conv1d.weight)" = "100 101 102 103 104 105 106 107 0 2 4 6 1 3 5 7" ]
	[ "$(values a.gguf blk.0.ssm_a)" = "-1 -1 -1 -1 -1 -1 -1 -1" ]
	[ "$(values a.gguf blk.0.ssm_norm.weight)" = 5 ]
	apr-cat --as hf a.gguf | sums >got
	apr-cat v | sums | cmp - got
}

@test "norms of an F16 checkpoint are rounded to F16; more rows than words" {
	need hf/gemma3
	mkdir g
	jq '.vocab_size = 2 | .hidden_size = 2' "$F/hf/gemma3/config.json" >g/config.json
	# 2^-11 + 1 is no F16: 1 is nearer to even.
	{ printf '\x00\x10\x00\x3c'; f32 1 2 3 4 5 6; } | st g/model.safetensors \
	    '{"model.norm.weight":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},
	    "model.embed_tokens.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[4,28]}}'
	apr-cat g | apr-pack a.gguf
	[ "$(values a.gguf output_norm.weight)" = "1 2" ]
	[ "$(values a.gguf token_embd.weight)" = "1 2 3 4" ]
	apr-cat --as gguf g | apr-pack --format gguf - | cmp - a.gguf
	apr-cat --as gguf - <g/model.safetensors >/dev/null 2>&1 && false
	apr-cat g | apr-pack --format apr - >g.apr
	apr-cat g.apr | apr-pack b.gguf
	dump b.gguf | jq -S .tensors >got
	dump a.gguf | jq -S .tensors | cmp - got
}

@test "experts that are one tensor already" {
	need hf/qwen3-moe
	mkdir e
	jq '.num_local_experts = 2 | .num_hidden_layers = 1' "$F/hf/qwen3-moe/config.json" >e/config.json
	f32 1 2 3 4 5 6 7 8 11 12 13 14 | st e/model.safetensors \
	    '{"model.layers.0.mlp.experts.gate_up_proj":{"dtype":"F32","shape":[2,2,2],"data_offsets":[0,32]},
	    "model.layers.0.mlp.experts.down_proj":{"dtype":"F32","shape":[2,2,1],"data_offsets":[32,48]}}'
	apr-cat e | apr-pack a.gguf
	apr-cat --as gguf e | apr-pack b.gguf
	same a.gguf b.gguf
	[ "$(values a.gguf blk.0.ffn_gate_exps.weight)" = "1 2 5 6" ]
	[ "$(values a.gguf blk.0.ffn_up_exps.weight)" = "3 4 7 8" ]
	[ "$(values a.gguf blk.0.ffn_down_exps.weight)" = "11 12 13 14" ]
	[ "$(apr-ls --json a.gguf | jq -c '[.tensors[].shape]')" = '[[2,2,1],[2,1,2],[2,1,2]]' ]
}

# mixes MODEL... -- every mix of llama-quantize's that there is a result of,
# through --as and without it.
mixes() {
	local m j t args
	# Importance files are named in the result's metadata: by this path.
	mkdir -p fx && ln -sfn "$F/gguf" fx/q
	for m; do
		need hf/$m expected/$m.q4_k_m.json
		for j in "$F/expected/$m".*.json; do
			t=${j##*/"$m".} t=${t%.json}
			case $t in
			convert-*) continue ;;
			im.*) args=(--imatrix "fx/q/$m.imatrix.gguf" "${t#im.}") ;;
			pure.*) args=(--pure "${t#pure.}_m") ;;
			*) args=("$t") ;;
			esac
			apr-cat --as gguf "$F/hf/$m" | apr-quant -q "${args[@]}" | apr-pack -q -f a.gguf
			like a.gguf $m.$t
			# Transposed, and heads that are no whole blocks: not as packed rows.
			case $m.$t in
			gpt2.*|qwen3-5.q[12]_0)
				apr-cat "$F/hf/$m" | apr-quant -q "${args[@]}" >s
				fails 1 apr-pack x.gguf <s
				says "apr-cat --as gguf"
				;;
			*)
				apr-cat "$F/hf/$m" | apr-quant -q "${args[@]}" | apr-pack -q -f b.gguf
				same b.gguf a.gguf "$m.$t without --as"
				;;
			esac
			# With the same metadata it is the same file.
			[ $m.$t = smollm.q8_0 ] || [ ! -e "$F/gguf/$m.$t.gguf" ] || same a.gguf "$F/gguf/$m.$t.gguf"
		done
	done
}

@test "mixes: llama3, smollm" { mixes llama3 smollm; }
@test "mixes: llama" { mixes llama; }
@test "mixes: qwen2-odd, qwen2, qwen3" { mixes qwen2-odd qwen2 qwen3; }
@test "mixes: qwen3-moe, mixtral" { mixes qwen3-moe mixtral; }
@test "mixes: qwen3-5, phi3, olmo2" { mixes qwen3-5 phi3 olmo2; }
@test "mixes: gemma3, gemma2, gpt2, granite, mistral" { mixes gemma3 gemma2 gpt2 granite mistral; }
