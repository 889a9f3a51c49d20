# SPDX-License-Identifier: MIT
# What apr-infer does with models and prompts that are not what they should
# be: one line and exit 1, or a result, and never a crash.
load helper

# Small steps where they are cheap; a sanitizer's run costs ten times as much.
many() { if [ "${APR_ASAN:-0}" = 1 ]; then echo $(($1 / 5)); else echo "$1"; fi; }

# Places for n cuts of a file, the same in every run.
places() {
	awk -v n="$1" -v size="$(stat -c %s "$2")" 'BEGIN { srand(7)
		for (i = 0; i < n; i++) print int(rand() * rand() * size) }'
}

# poke FILE OFFSET -- four bytes of NaN.
poke() { printf '\000\000\300\177' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# at FILE NAME -- where a tensor's data begin in a .safetensors file.
at() {
	local n
	n=$(od -An -tu8 -N8 "$1" | tr -d ' ')
	echo $((8 + n + $(head -c $((8 + n)) "$1" | tail -c "$n" | jq ".[\"$2\"].data_offsets[0]")))
}

# found FILE STREAM NAME -- where a tensor of the stream lies in the file.
found() {
	grep -obUaP "$(tar xOf "$2" "tensors/$3" | head -c 24 | od -An -v -tx1 | tr -d '\n' |
	    sed 's/ /\\x/g')" "$1" | head -n 1 | cut -d: -f1
}

@test "a model cut at a hundred places" {
	need gguf/llama3.q8_0.gguf
	apr-cat "$F/gguf/llama3.q8_0.gguf" >s
	for f in "$F/gguf/llama3.q8_0.gguf" s; do
		for n in $(places "$(many 50)" "$f"); do
			head -c "$n" "$f" >cut
			fails 1 apr-infer --ids 1 -n 1 --json cut || { echo "$f at $n"; return 1; }
			[ ! -s fails.out ]
		done
	done
	# Also as a pipe that ends early.
	for n in $(places 5 s); do
		head -c "$n" s | fails 1 apr-infer --ids 1 -n 1 --json -
	done
}

@test "weights that are no numbers" {
	local s=$REPO/examples/sample
	apr-cat "$s" | apr-dequant -q --all f32 | apr-pack -q m.safetensors
	cp "$s/config.json" "$s/tokenizer.json" .
	mkdir d && mv m.safetensors d/model.safetensors && mv config.json tokenizer.json d
	apr-infer -n 1 -p '1+1=' d
	cp d/model.safetensors good
	# A vector is looked at when the model is bound, a matrix when it is used.
	poke d/model.safetensors "$(at good model.norm.weight)"
	fails 1 apr-infer -n 1 -p '1+1=' d
	says "model.norm.weight: element 0 is nan"
	cp good d/model.safetensors
	poke d/model.safetensors "$(at good model.layers.0.mlp.up_proj.weight)"
	for cpu in scalar avx2 avx512; do
		APR_CPU=$cpu fails 1 apr-infer -n 1 -p '1+1=' d
		says "a logit is"
		APR_CPU=$cpu fails 1 apr-infer --precise -n 1 -p '1+1=' d
		says "a logit is"
	done
	# In a packed type it is a block's scale.
	need gguf/llama3.q8_0.gguf
	apr-cat "$F/gguf/llama3.q8_0.gguf" >s
	cp "$F/gguf/llama3.q8_0.gguf" x.gguf
	chmod u+w x.gguf
	printf '\377\177' | dd of=x.gguf bs=1 conv=notrunc status=none \
	    seek="$(found x.gguf s blk.0.ffn_up.weight)"
	for cpu in scalar avx2 avx512; do
		APR_CPU=$cpu fails 1 apr-infer -n 1 --json --ids 1,2 x.gguf
		says "a logit is"
	done
}

@test "prompts: too long, empty, no UTF-8, a line of a million characters" {
	local s=$REPO/examples/sample
	fails 1 apr-infer -c 4 -p '12345+67890=' "$s"
	says "the context 4"
	fails 1 apr-infer -p '' --no-bos "$s"
	says "the prompt is empty"
	fails 1 apr-infer --no-bos "$s" </dev/null
	says "the prompt is empty"
	printf '1\377\3002\342\202' | apr-infer -n 2 "$s"
	head -c 1000000 /dev/zero | tr '\0' a >million
	fails 1 apr-infer "$s" <million
	says "the prompt has"
	# Of requests only the one is refused.
	{ printf '{"id":1,"prompt":"'; cat million; printf '"}\n{"id":2,"prompt":"1+1=","max_tokens":1}\n'
	  printf '{"id":3,"prompt":"\377\376"}\n{"id":4,"prompt":""}\n'; cat million; echo; } >in
	run -1 --separate-stderr apr-infer --jsonl "$s" <in
	[ "${#lines[@]}" = 5 ]
	[ "$(printf '%s\n' "${lines[@]}" | jq -c 'has("error")' | tr '\n' ' ')" = \
	    "true false $(jq -c 'has("error")' <<<"${lines[2]}") $(jq -c 'has("error")' <<<"${lines[3]}") true " ]
}

@test "requests for what is no number, no id, no text" {
	local f
	has jq
	for f in '"logit_bias":{"5":nan}' '"logit_bias":{"5":1e300}' '"logit_bias":{"":5}' '"logit_bias":{" 5":5}' \
	    '"logit_bias":{"-1":5}' '"logit_bias":{"99999999999999999999":5}' '"logit_bias":[5]' '"stop":"a\u0000b"' \
	    '"stop":[""]' '"stop":{}' '"max_tokens":1.5' '"max_tokens":nan' '"seed":-1' '"top_k":0.5' '"temperature":"1"'; do
		printf '{"id":"%s","ids":[5],"max_tokens":1,%s}\n' "${f:1:4}" "$f"
	done >in
	run -1 --separate-stderr apr-infer --jsonl "$REPO/examples/sample" <in
	printf '%s\n' "${lines[@]}" | jq -c 'select(has("error") | not)' >got
	[ ! -s got ] || { cat got >&2; return 1; }
	[ "${#lines[@]}" = 15 ]
	# An answer has the id as it came.
	for f in 12345678901234567890123 '{"id":[1e400,0.10,{"a":"\u00e9"}]}' '"x"' '[]'; do
		printf '{"ids":[5],"x":{"id":7},"max_tokens":1,"id":%s,"stop":"b"}\n' "$f" >in
		apr-infer --jsonl "$REPO/examples/sample" <in | grep -qF "{\"id\":$(printf %b "${f//\\u00e9/\\xc3\\xa9}"),\"text\""
	done
}

@test "a chat template that loops, or that grows" {
	local s=$REPO/examples/sample double='{% set n = namespace(x="a") %}{% for i in range(23) %}{% set n.x = n.x ~ n.x %}{% endfor %}'
	echo 'hello' >in
	for t in '{% for i in range(1000000000) %}x{% endfor %}' \
	    '{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}' \
	    '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}' \
	    '{% set n = namespace() %}{% set n.a = n %}{{ n }}' \
	    '{% set n = namespace(l=[1]) %}{% for i in range(99999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l == [n.l] }}' \
	    '{% set n = namespace(l=[1], m=[1]) %}{% for i in range(50) %}{% set n.l = [n.l, n.l] %}{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}' \
	    "$double"'{% for i in range(99999) %}{% set n.y = n.x ~ "b" %}{% endfor %}' \
	    "$double"'{{ n.x | replace("a", n.x) }}' "$double"'{{ [n.x, n.x, n.x, n.x] | join(n.x) | length }}' \
	    "$double"'{% for i in range(99999) %}{{ "b" in n.x }}{% endfor %}' \
	    '{{ 999999999999 * 2 }}' '{% set n = namespace(x=1) %}{% for i in range(70) %}{% set n.x = n.x + n.x %}{% endfor %}'; do
		printf '%s' "$t" >t
		OUT=/dev/null fails 1 apr-infer --chat --template t "$s" <in
		says "chat template, line 1"
	done
	{ printf '{{ '; printf 'not %.0s' {1..49001}; printf '1 }}'; printf '{{ "12".rstrip("2") | int }}{{ "ab".rstrip("b") < "ab" }}'; } >t
	apr-infer --chat -n 1 --template t "$s" <in
}

@test "scripts/apr: options without a value, values that are none" {
	local apr=$REPO/scripts/apr s=$REPO/examples/sample c
	has jq
	for c in '-p' '-n' '-n -1' '-n x' '--iterations 1e3' '--threshold x' '--nope'; do
		run -2 --separate-stderr "$apr" run "$s" $c </dev/null
		[[ $stderr = "apr: "* ]] && [ "${#stderr_lines[@]}" = 1 ]
	done
	run -2 --separate-stderr "$apr" export "$s" --format nope -o out
	[ "$stderr" = "apr: --format nope is not understood" ]
	run -2 --separate-stderr "$apr" import "$s" --quantize nope -o out
	[ "$stderr" = "apr: --quantize nope is not understood" ]
	nothing out
}
