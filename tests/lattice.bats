# SPDX-License-Identifier: MIT
# lattice's models: files of one tensor, and directories of them, both ways.
load helper

# head4 VERSION NDIM DIM... LEN -- a header.
head4() {
	local v
	printf KHQ4
	le 4 "$1" "$2"
	shift 2
	for v; do le 8 "$v"; done
}

# le BYTES NUMBER... -- little-endian; -1 is the largest.
le() {
	local n=$1 v i x
	shift
	for v; do
		for ((i = 0; i < n; i++)); do
			printf -v x '\\x%02x' $((v >> 8 * i & 255))
			printf %b "$x"
		done
	done
}

# block [SCALE [BIAS]] -- bits of two halves, in hex; 1 and 0.
block() {
	local s=${1:-3c00} b=${2:-0000}
	printf "\\x${s:2}\\x${s:0:2}\\x${b:2}\\x${b:0:2}"
	head -c 16 /dev/zero
}

# source_of SEED N -- the goldens' numbers: BF16 of ((i * 37 + SEED * 13) % 200 - 100) / 4
source_of() {
	awk -v seed="$1" -v n="$2" 'BEGIN {
		for (i = 0; i < n; i++) {
			v = ((i * 37 + seed * 13) % 200 - 100) / 4
			s = v < 0; if (s) v = -v
			e = 0; if (v) { while (v >= 2) { v /= 2; e++ } while (v < 1) { v *= 2; e-- } }
			m = v ? int((v - 1) * 128) : 0; x = v ? e + 127 : 0
			printf "\\x%02x\\x%02x", x % 2 * 128 + m, s * 128 + int(x / 2)
		}
	}'
}

@test "goldens: quantized, read, written" {
	need lattice/gate_proj_golden.q4 lattice/k_proj_golden.q4
	printf %b "$(source_of 1 66)" | st gate.safetensors '{"gate_proj.weight":{"dtype":"BF16","shape":[2,33],"data_offsets":[0,132]}}'
	printf %b "$(source_of 2 32)" | st k.safetensors '{"k_proj.weight":{"dtype":"BF16","shape":[1,32],"data_offsets":[0,64]}}'
	for m in gate k; do
		f=$F/lattice/${m}_proj_golden.q4
		apr-cat $m.safetensors | apr-quant -q --rules=lattice lattice_q4 | apr-pack -f $m.q4
		same $m.q4 "$f"
		# In small pieces, into a pipe, by several threads.
		APR_CHUNK_ROWS=1 apr-quant -q -j4 --rules=lattice lattice_q4 < <(apr-cat $m.safetensors) |
		    dd bs=7 2>/dev/null | apr-pack --format lattice - | cmp - "$f"
		apr-cat "$f" | apr-pack -f again.q4
		same again.q4 "$f"
		[ "$(apr-cat "$f" | names)" = ${m}_proj_golden ]
		# What comes back is near.
		apr-cat $m.q4 | apr-dequant -q f32 | tar xOf - --wildcards 'tensors/*' | od -An -v -tf4 -w4 >got
		apr-cat $m.safetensors | apr-dequant -q f32 | tar xOf - --wildcards 'tensors/*' | od -An -v -tf4 -w4 >want
		paste got want | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1.7) exit 1 }'
	done
	# F16 by itself.
	printf '\x00\x3c\x00\xbc\x01\x00' >half
	st h.safetensors '{"a.norm.weight":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}' <half
	apr-cat h.safetensors | apr-pack --format lattice h.f16
	{ printf KHF1; le 4 1 1; le 8 3 3; cat half; } | cmp - h.f16
	apr-cat h.f16 | apr-pack --format lattice g.f16
	same h.f16 g.f16
}

@test "directories, both ways" {
	for m in qwen2 qwen3-5; do
		need hf/$m
		rm -rf a b c
		apr-cat "$F/hf/$m" | apr-quant -q --rules=lattice lattice_q4 >s
		apr-pack --format lattice a/ <s
		# Without --format: no other directory can hold it.
		apr-pack b/ <s
		diff -r a b
		apr-cat a | apr-pack b/ -f
		diff -r a b
		cmp a/config.json "$F/hf/$m/config.json"
		sums <s >want
		apr-cat a/ | sums >got
		same got want $m
		apr-cat --order name a/ | sums >got
		same got want "$m, in order of names"
		# Names, files, shapes; sorted.
		jq -r '.[].name' a/quantize_index.json >got
		sort got | cmp - got
		[ "$(ls a | grep -c '\.q4$\|\.f16$')" = "$(wc -l <got)" ]
		[ "$(cd a && grep -L ^KHQ4 $(jq -r '.[] | select(.quantized) | .file' quantize_index.json))" = "" ]
		# And to llama.cpp, by way of plain numbers.
		apr-cat a | apr-dequant -q bf16 | apr-pack -q -f x.gguf
		apr-cat a | apr-dequant -q bf16 | apr-pack -q c/
		apr-cat c | apr-pack -q -f y.gguf
		"${APR_BUILD:-$REPO/build}/test/ggufdump" x.gguf | jq -S .tensors >got
		"${APR_BUILD:-$REPO/build}/test/ggufdump" y.gguf | jq -S .tensors >want
		same got want "$m as GGUF"
		[ ! -e c/quantize_index.json ]
		# Blocks run over row ends: no other format holds them.
		fails 1 apr-pack z.gguf <s
		fails 1 apr-pack z.apr <s
		fails 1 apr-pack --format safetensors z/ <s
		nothing z.gguf z.apr z
	done
	# Which tensors, by lattice's rules.
	apr-cat "$F/hf/qwen3-5" | apr-quant -q --rules=lattice lattice_q4 | tar xOf - manifest.json |
	    jq -r '.tensors[] | [.dtype, (.name | sub("[0-9]+"; "#"))] | join(" ")' | sort -u >got
	cat >want <<-'X'
	F16 model.language_model.layers.#.input_layernorm.weight
	F16 model.language_model.layers.#.linear_attn.A_log
	F16 model.language_model.layers.#.linear_attn.conv1d.weight
	F16 model.language_model.layers.#.linear_attn.dt_bias
	F16 model.language_model.layers.#.linear_attn.norm.weight
	F16 model.language_model.layers.#.post_attention_layernorm.weight
	F16 model.language_model.layers.#.self_attn.k_norm.weight
	F16 model.language_model.layers.#.self_attn.q_norm.weight
	F16 model.language_model.norm.weight
	lattice_q4 model.language_model.embed_tokens.weight
	lattice_q4 model.language_model.layers.#.linear_attn.in_proj_a.weight
	lattice_q4 model.language_model.layers.#.linear_attn.in_proj_b.weight
	lattice_q4 model.language_model.layers.#.linear_attn.in_proj_qkv.weight
	lattice_q4 model.language_model.layers.#.linear_attn.in_proj_z.weight
	lattice_q4 model.language_model.layers.#.linear_attn.out_proj.weight
	lattice_q4 model.language_model.layers.#.mlp.down_proj.weight
	lattice_q4 model.language_model.layers.#.mlp.gate_proj.weight
	lattice_q4 model.language_model.layers.#.mlp.up_proj.weight
	lattice_q4 model.language_model.layers.#.self_attn.k_proj.weight
	lattice_q4 model.language_model.layers.#.self_attn.o_proj.weight
	lattice_q4 model.language_model.layers.#.self_attn.q_proj.weight
	lattice_q4 model.language_model.layers.#.self_attn.v_proj.weight
	X
	sed -i 's/language_model\.//' got want
	same got want "rules"
	# From a GGUF the names must be Hugging Face's first.
	need gguf/qwen2.bf16.gguf
	apr-cat "$F/gguf/qwen2.bf16.gguf" >s
	fails 1 apr-quant --rules=lattice lattice_q4 <s
	says "apr-cat --as hf"
	apr-cat --as hf "$F/gguf/qwen2.bf16.gguf" | apr-quant -q --rules=lattice lattice_q4 | apr-pack -q g/
	jq -e '.architectures == ["Qwen2ForCausalLM"]' g/config.json >/dev/null
}

@test "corrupt headers of KHQ4" {
	bad() {
		fails 1 apr-cat x.q4
		says "$1"
	}
	good() { head4 2 2 2 32 64; block; block; }
	good >x.q4
	apr-cat x.q4 >/dev/null
	{ printf KHQ5; good | tail -c +5; } >x.q4;	bad "neither"
	{ head4 1 2 2 32 64; block; block; } >x.q4;	bad "quantize it again"
	{ head4 3 2 2 32 64; block; block; } >x.q4;	bad "version 3"
	good >all
	head -c 75 all >x.q4;	bad "75 bytes, its header says 76"
	{ good; printf x; } >x.q4;	bad "77 bytes, its header says 76"
	head -c 11 all >x.q4;	bad "cut off"
	head -c 35 all >x.q4;	bad "cut off"
	{ head4 2 536870912 2 32 64; block; block; } >x.q4;	bad "dimensions"
	{ head4 2 9 1 1 1 1 1 1 1 1 1 1; block; } >x.q4;	bad "dimensions"
	# Dimensions whose product overflows, or whose blocks' bytes do.
	{ head4 2 2 4294967296 4294967296 0; block; } >x.q4;	bad "overflows"
	{ head4 2 1 $((1 << 62)) $((1 << 62)); block; } >x.q4;	bad "48 bytes, its header says"
	{ head4 2 1 -1 -1; block; } >x.q4;	bad "overflows"
	# More than there is.
	{ head4 2 2 1048576 1048576 $((1 << 40)); block; } >x.q4;	bad "its header says"
	{ head4 2 2 2 32 63; block; block; } >x.q4;	bad "64 elements"
	{ head4 2 2 2 32 65; block; block; block; } >x.q4;	bad "64 elements"
	for s in 0000 8000 bc00 7c00 fc00 7e00; do
		{ head4 2 2 2 32 64; block; block $s; } >x.q4
		bad "block 1 has the scale"
		fails 1 apr-cat --order name x.q4
		says "block 1 has the scale"
	done
	for s in 7c00 fc00 7e00; do
		{ head4 2 2 2 32 64; block; block 3c00 $s; } >x.q4
		bad "block 1 has the bias"
	done
	# No dimension, and none of any length, are tensors too.
	{ head4 2 0 1; block; } >x.q4
	apr-cat x.q4 | apr-pack -f y.q4
	same y.q4 x.q4
	head4 2 2 0 7 0 >x.q4
	apr-cat x.q4 | apr-pack -f y.q4
	same y.q4 x.q4
	# A length in the file, not in a pipe.
	good >x.q4
	fails 1 apr-cat - < <(cat x.q4)
	says "not a pipe"
	zstd -q x.q4
	fails 1 apr-cat x.q4.zst
	says "nor compressed"
}

@test "corrupt headers of KHF1" {
	bad() {
		fails 1 apr-cat x.f16
		says "$1"
	}
	good() { printf KHF1; le 4 1 1; le 8 2 2; printf '\x00\x3c\x00\xbc'; }
	good >x.f16
	apr-cat x.f16 >/dev/null
	{ printf KHF1; le 4 2 1; le 8 2 2; le 2 0 0; } >x.f16;	bad "version 2"
	good >all
	head -c 31 all >x.f16;	bad "31 bytes, its header says 32"
	{ good; printf x; } >x.f16;	bad "33 bytes, its header says 32"
	{ printf KHF1; le 4 1 1; le 8 2 3; le 2 0 0; } >x.f16;	bad "2 elements"
	{ printf KHF1; le 4 1 2; le 8 $((1 << 62)) 8 16; le 2 0 0; } >x.f16;	bad "overflows"
	{ printf KHF1; le 4 1 1; le 8 2 2; le 2 0 31744; } >x.f16;	bad "Inf at index 1"
	{ printf KHF1; le 4 1 1; le 8 2 2; le 2 0 32256; } >x.f16;	bad "NaN at index 1"
}

@test "what cannot be written" {
	st inf.safetensors '{"a.bias":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}' < <(printf '\x00\x3c\x00\x7c')
	apr-cat inf.safetensors >s
	fails 1 apr-pack --format lattice x/ <s
	says "a.bias: Inf at index 1"
	fails 1 apr-pack --format lattice x.f16 <s
	nothing x x.f16
	# Ranges that no F16 holds; and a NaN.
	{ for i in $(seq 31); do le 4 0; done; printf '\x00\x00\x80\x49'; } |
	    st big.safetensors '{"q_proj.weight":{"dtype":"F32","shape":[1,32],"data_offsets":[0,128]}}'
	fails 1 apr-quant --rules=lattice lattice_q4 < <(apr-cat big.safetensors)
	says "q_proj.weight: 1.04858e+06 at index 31"
	{ for i in $(seq 31); do le 4 0; done; printf '\x00\x00\xc0\x7f'; } |
	    st nan.safetensors '{"q_proj.weight":{"dtype":"F32","shape":[1,32],"data_offsets":[0,128]}}'
	fails 1 apr-quant --rules=lattice lattice_q4 < <(apr-cat nan.safetensors)
	says "NaN at index 31"
	# Other types, several tensors in a file, names that become one.
	apr-cat big.safetensors >s
	fails 1 apr-pack --format lattice x/ <s
	says "lattice has no F32"
	head -c 8 /dev/zero | st two.safetensors '{"a.b":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"a_b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}'
	apr-cat two.safetensors >s
	fails 1 apr-pack x.q4 <s
	says "2 tensors"
	fails 1 apr-pack --format lattice x/ <s
	says "a.b and a_b would both be a_b.f16"
	nothing x x.q4
	# A stream from elsewhere is not trusted.
	{ head4 2 1 32 32; block; } >x.q4
	apr-cat x.q4 >s
	mkdir t && tar xf s -C t
	printf '\0\0' | dd of=t/tensors/x bs=1 conv=notrunc 2>/dev/null
	(cd t && xxhsum -q -H2 manifest.json tensors/x >CHECKSUMS && tar cf ../s2 manifest.json tensors CHECKSUMS)
	fails 1 apr-pack y.q4 <s2
	says "block 0 has the scale 0"
	nothing y.q4
}

@test "indices: lists, objects, and bad ones" {
	mkdir d
	{ head4 2 2 2 32 64; block; block; } >d/a_weight.q4
	{ printf KHF1; le 4 1 1; le 8 2 2; le 2 0 0; } >d/b.f16
	echo '{"model_type": "qwen3_5"}' >d/config.json
	a='{"name":"a.weight","file":"a_weight.q4","quantized":true,"shape":[2,32],"numel":64}'
	b='{"name":"b","file":"b.f16","quantized":false,"shape":[2],"numel":2,"more":[{"x":[1]}]}'
	put() { echo "$1" >d/quantize_index.json; }
	bad() {
		put "$1"
		fails 1 apr-cat d
		says "$2"
	}
	put "[$a,$b]"
	apr-cat d | apr-pack e/
	diff -r d e
	# Rotated weights: the index has more to say, and stays with its tensors alone.
	put "{\"quarot_seed\":51966,\"tensors\":[$a,$b],\"online\":null,\"promotion\":{\"state\":\"unpromoted\"}}"
	apr-cat d | apr-pack -f e/
	diff -r d e
	apr-cat --reject b d >s
	fails 1 apr-pack x/ <s
	says "rotated"
	nothing x
	apr-cat --select 'a*' e/ | apr-dequant -q | apr-pack x/
	[ ! -e x/quantize_index.json ]
	put "[$a,$b]"
	apr-cat --reject b d | apr-pack y/
	[ "$(jq -c 'map(.name)' y/quantize_index.json)" = '["a.weight"]' ]
	bad "{\"tensors\":[$a],\"online\":{\"r3\":true}}" "while the model runs"
	bad "{\"quarot_seed\":1}" "no list of tensors"
	bad "[$a,$a]" "a.weight"
	bad "{\"tensors\":[$a],\"tensors\":[$b]}" "two lists"
	bad '"list"' "neither a list"
	bad '[1]' "no object"
	bad "[$a" "quantize_index.json"
	bad '[{"name":"a.weight"}]' "lacks"
	bad "[${a/64/65}]" "shape"
	bad "[${a/2,32/32,2}]" "has the shape [2, 32]"
	bad "[${a/true/false}]" "not quantized"
	bad "[${a/a_weight.q4/b.f16}]" "F16"
	bad "[${a/a_weight.q4/..\/d\/a_weight.q4}]" "no plain file name"
	bad "[${a/a_weight.q4/none.q4}]" "No such file"
	bad "[${a/a_weight.q4/config.json}]" "neither lattice"
	bad "[${a/2,32/1,1,1,1,1,1,1,1,1}]" "dimensions"
	bad "[${a/\"shape\"/\"name\":\"x\",\"shape\"}]" "twice"
	bad "[${a/2,32/\"2\",32}]" "no list of numbers"
	bad "[${a/a.weight/}]" "name of 0 bytes"
	ln -s nowhere d/gone.q4
	bad "[${a/a_weight.q4/gone.q4}]" "No such file"
	mkfifo d/fifo.q4
	bad "[${a/a_weight.q4/fifo.q4}]" "not a regular file"
	rm d/fifo.q4 d/quantize_index.json
	ln -s nowhere d/quantize_index.json
	fails 1 apr-cat d
	rm d/quantize_index.json
	truncate -s 17M d/quantize_index.json
	fails 1 apr-cat d
	says "more than 16777216 bytes"
	# Parts of one model; each file's name is its tensor's.
	[ "$(apr-cat d/a_weight.q4 d/b.f16 | names | tr '\n' ' ')" = "a_weight b " ]
	fails 1 apr-cat d/a_weight.q4 d/a_weight.q4
	says a_weight
}
