# SPDX-License-Identifier: MIT
# Models that are only read: PyTorch's checkpoints and NumPy's archives, made
# by those (tests/data/other/make.py) with the same numbers as safetensors.
load helper

D=$REPO/tests/data/other

# what FILE [OPTION...] -- its tensors: names, types, shapes and sums, sorted.
what() {
	local f=$1
	shift
	apr-cat "$@" "$f" >s
	tar xOf s manifest.json | jq -c '.tensors | sort_by(.name)[] | [.name, .dtype, .shape, .bytes]'
	sums <s
}

equal() {
	local f
	what "$D/$1" >want
	shift
	for f; do
		what "$D/$f" >got
		same got want "$f"
		what "$D/$f" --absmax >got
		same got want "$f, its largest values measured"
		what "$D/$f" --order name >got
		same got want "$f, in order of names"
	done
}

@test "checkpoints: types, views, shared storages, protocols, trainers' dicts" {
	has jq
	equal torch.safetensors views.pt protocol4.pt training.pth
	equal module.safetensors module.bin
	what "$D/views.pt" | grep -c '^\[' | grep '^23$'
}

@test "arrays: types, orders, packed and not" {
	has jq
	equal numpy.safetensors plain.npz packed.npz
}

@test "what is no tensor, or cannot be told, is refused" {
	fails 1 apr-cat "$D/whole-module.pt"
	says "names torch.nn.modules.container.Sequential"
	fails 1 apr-cat "$D/script.pt"
	says TorchScript
	fails 1 apr-cat "$D/before-1.6.pt"
	says "before 1.6"
	fails 1 apr-cat "$D/expanded.pt"
	says "a: is a view that repeats its numbers"
	for f in views.pt plain.npz; do
		fails 1 apr-cat - < <(cat "$D/$f")
		says "not a pipe"
		zstd -q -c "$D/$f" >packed.zst
		fails 1 apr-cat packed.zst
		says "nor compressed"
	done
	apr-cat - <"$D/views.pt" | sums >a
	apr-cat "$D/views.pt" | sums >b
	same a b
}

@test "they are not written" {
	apr-cat "$D/module.bin" >s
	fails 2 apr-pack x.npz <s
	fails 2 apr-pack x.pt <s
	fails 2 apr-pack --format torch x <s
	fails 2 apr-pack - <s
	nothing x.npz x.pt x
	apr-cat "$D/module.bin" | apr-pack x.safetensors
	apr-cat x.safetensors | sums >a
	sums <s >b
	same a b
}

# A plan reads no tensor; parts go together.
@test "plans, choices, several files" {
	apr-cat -n "$D/packed.npz" | tar xOf - manifest.json | jq -e '.plan and .source == "npz"' >/dev/null
	[ "$(apr-cat --select 'view.*' "$D/views.pt" | names | sort | tr '\n' ' ')" = "view.columns view.rows view.steps view.turned " ]
	apr-cat "$D/views.pt" "$D/module.bin" | names | sort >a
	{ apr-cat "$D/views.pt" | names; apr-cat "$D/module.bin" | names; } | sort >b
	same a b
	fails 1 apr-cat "$D/views.pt" "$D/plain.npz"
	says "is npz, the first part is torch"
}

@test "a directory with pytorch_model.bin" {
	mkdir d e
	cp "$D/module.bin" d/pytorch_model.bin
	echo '{"model_type": "llama"}' >d/config.json
	apr-cat d | apr-pack out/
	[ "$(ls out | tr '\n' ' ')" = "config.json model.safetensors " ]
	apr-cat out/model.safetensors | sums >a
	apr-cat "$D/module.bin" | sums >b
	same a b
	# Shards, by the index; it does not travel.
	cp "$D/module.bin" e/pytorch_model-00001-of-00002.bin
	cp "$D/views.pt" e/pytorch_model-00002-of-00002.bin
	cp d/config.json e
	apr-cat "$D/views.pt" "$D/module.bin" | names | awk -v q='"' 'BEGIN { printf "{\"weight_map\": {" }
	    { printf("%s%s%s%s: %spytorch_model-0000%d-of-00002.bin%s", (NR > 1 ? "," : ""), q, $0, q, q, (/^[0-9]/ ? 1 : 2), q) }
	    END { print "}}" }' >e/pytorch_model.bin.index.json
	apr-cat e | apr-pack two/
	[ "$(ls two | tr '\n' ' ')" = "config.json model.safetensors " ]
	apr-cat two/model.safetensors | sums >a
	apr-cat "$D/views.pt" "$D/module.bin" | sums >b
	same a b
	apr-cat e/pytorch_model.bin.index.json | sums >a
	same a b
	# safetensors is taken first.
	cp "$D/numpy.safetensors" d/model.safetensors
	apr-cat d | names | grep layer.0.weight
	mkdir none
	fails 1 apr-cat none
	says "neither *.safetensors nor pytorch_model.bin"
}

# A model is the same model whatever it lies in.
@test "a model of PyTorch's, in other conventions and orders" {
	local c='{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":32,
		"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,
		"intermediate_size":64,"vocab_size":40,"rms_norm_eps":1e-5}' as
	has jq
	mkdir -p s/m t/m
	echo "$c" | tee s/m/config.json >t/m/config.json
	cp "$D/llama.safetensors" s/m/model.safetensors
	cp "$D/llama.bin" t/m/pytorch_model.bin
	for as in "--as gguf" "--as apr" "--order convert" "--order quantize" "--as gguf --order quantize"; do
		# shellcheck disable=SC2086
		apr-cat $as s/m | sums >want
		# shellcheck disable=SC2086
		apr-cat $as t/m | sums >got
		same got want "$as"
	done
	# Where it lies in the file is not known to who maps files.
	fails 1 apr-infer -n 1 -p a t/m
	says "apr-cat gives them as a stream"
	apr-cat s/m | apr-pack -f want.gguf
	apr-cat t/m | apr-pack -f got.gguf
	same got.gguf want.gguf
	apr-cat --as gguf t/m | apr-quant -q q8_0 | apr-pack -f got.gguf
	apr-cat --as gguf s/m | apr-quant -q q8_0 | apr-pack -f want.gguf
	same got.gguf want.gguf
	apr-cat --as gguf t/m | apr-pack --format gguf - | cmp - <(apr-cat --as gguf s/m | apr-pack --format gguf -)
	# By themselves they do not say what they are.
	for f in llama.bin plain.npz; do
		fails 1 apr-cat --as gguf "$D/$f"
		says "no config.json says what architecture it is"
		apr-cat "$D/$f" >x.s
		fails 1 apr-pack x.gguf <x.s
		says "no config.json says what architecture it is"
	done
	nothing x.gguf
}

# Damage anywhere: status 1 with a line, or the tensors as they were (nobody
# reads an archive's dates).
@test "every byte of an archive turned" {
	local f i n r step=7
	[ "${APR_ASAN:-0}" = 0 ] || step=101
	for f in module.bin packed.npz; do
		apr-cat "$D/$f" | sums | awk '{ print $1 }' | sort >want
		n=$(stat -c %s "$D/$f")
		for ((i = 0; i < n; i += step)); do
			cp "$D/$f" bad
			printf "\\x$(printf %02x $(($(od -An -tu1 -j$i -N1 bad) ^ 0x41)))" |
			    dd of=bad bs=1 seek=$i conv=notrunc 2>/dev/null
			r=0
			apr-cat bad >s 2>err || r=$?
			if [ $r = 0 ]; then
				# A name may have changed, a number may not.
				sums <s | awk '{ print $1 }' | sort >got
				same got want "$f, byte $i"
			else
				[ $r = 1 ]
				[ "$(wc -l <err)" = 1 ]
			fi
		done
	done
}

# made by transformers' rule: value times scale, in F32, then BF16.
@test "8-bit floats with a scale for each 128 by 128" {
	local t
	has jq
	what "$D/fp8.bf16.safetensors" >want
	for t in "" "--order name"; do	# scales before their values, and behind
		# shellcheck disable=SC2086
		apr-cat $t "$D/fp8.safetensors" | apr-dequant -q --all bf16 >s
		tar xOf s manifest.json | jq -c '.tensors | sort_by(.name)[] | [.name, .dtype, .shape, .bytes]' >got
		sums <s >>got
		same got want "apr-dequant $t"
		# Into another type, at once or by way of F32; and one that is read twice.
		apr-cat $t "$D/fp8.safetensors" | apr-quant -q --pure q8_0 | sums | grep -v norm >a
		apr-cat "$D/fp8.safetensors" | apr-dequant -q --all | apr-quant -q --pure q8_0 | sums | grep -v norm >b
		same a b
		apr-cat $t "$D/fp8.safetensors" | apr-quant -q --rules=apr apr_q8 | sums | grep -v norm >a
		apr-cat "$D/fp8.safetensors" | apr-dequant -q --all | apr-quant -q --rules=apr apr_q8 | sums | grep -v norm >b
		same a b
		# The largest raw value is not that of what it means.
		apr-cat --absmax "$D/fp8.safetensors" | apr-quant -q --rules=apr apr_q8 | sums | grep -v norm >a
		same a b
		APR_CHUNK_ROWS=1 apr-dequant -q --all -j4 bf16 < <(apr-cat $t "$D/fp8.safetensors") | sums | grep -v norm >a
		sums <s | grep -v norm >b
		same a b
	done
	# config.json no longer speaks of them.
	mkdir d
	cp "$D/fp8.safetensors" d/model.safetensors
	printf '{\n  "model_type": "llama",\n  "quantization_config": {"quant_method": "fp8", "x": [1, {}]},\n  "z": 1\n}\n' >d/config.json
	apr-cat d | apr-dequant -q bf16 | apr-pack out/
	printf '{\n  "model_type": "llama",\n  "z": 1\n}\n' | cmp - out/config.json
	apr-cat d | apr-pack same/
	same d/config.json same/config.json
	# Rows that change places leave the scales of their block behind.
	rm -rf d
	mkdir d
	echo '{"architectures":["LlamaForCausalLM"],"hidden_size":32,"num_attention_heads":4,
		"num_hidden_layers":1,"vocab_size":9,"intermediate_size":8}' >d/config.json
	head -c 1028 /dev/zero | st d/model.safetensors '{"model.layers.0.self_attn.q_proj.weight":{"dtype":"F8_E4M3",
		"shape":[32,32],"data_offsets":[0,1024]},"model.layers.0.self_attn.q_proj.weight_scale_inv":{"dtype":"F32",
		"shape":[1,1],"data_offsets":[1024,1028]}}'
	fails 1 apr-cat --as gguf d
	says "q_proj.weight_scale_inv: 8-bit floats"
	says "without --as"
	apr-cat d >s
	fails 1 apr-pack x.gguf <s
	says "apr-dequant comes first"
	nothing x.gguf
	apr-cat d | apr-dequant -q bf16 | apr-pack x.gguf
}

@test "8-bit floats whose scales are not theirs" {
	st a.safetensors '{"w.weight":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[0,4]},"w.weight_scale_inv":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]}}' < <(head -c 12 /dev/zero)
	apr-cat a.safetensors >s
	fails 1 apr-dequant <s
	says "w.weight: w.weight_scale_inv has the shape [2, 1], which is not one scale for each 128 by 128 of [2, 2]"
	fails 1 apr-quant q8_0 <s
	st b.safetensors '{"w.weight":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[0,4]},"w.weight_scale":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}' < <(head -c 8 /dev/zero)
	fails 1 apr-dequant < <(apr-cat b.safetensors)
	says "w.weight: its values want the scales of w.weight_scale"
	st c.safetensors '{"w.weight":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[0,4]},"w.weight_scale_inv":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}}' < <(head -c 8 /dev/zero)
	fails 1 apr-dequant < <(apr-cat c.safetensors)
	says "are I32 and not floats"
	# A NaN among the scales is found where it was used.
	st n.safetensors '{"w.weight":{"dtype":"F8_E4M3","shape":[2,32],"data_offsets":[0,64]},"w.weight_scale_inv":{"dtype":"F32","shape":[1],"data_offsets":[64,68]}}' < <(head -c 64 /dev/zero | tr '\0' '8'; printf '\0\0\300\177')
	fails 1 apr-quant --pure q8_0 < <(apr-cat n.safetensors)
	says "w.weight: NaN at index 0"
}
