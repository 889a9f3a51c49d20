#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

ALL=${APR_TOKENIZERS:-llama smollm llama3 mistral qwen2 qwen2-odd qwen3 qwen3-moe qwen3-5 gpt2 gemma2 gemma3
	phi3 mixtral olmo2 granite}

@test "help, version, wrong usage" {
	apr-token --help | grep '^usage: apr-token' >/dev/null
	fails 2 apr-token
	fails 2 apr-token a b
	fails 1 apr-token nosuch </dev/null
}

# The ids of a text as the references have them: how many, the first ones and
# a hash of them all, 4 bytes each.
hash_ids() {
	printf %b "$(tr ' ' '\n' | awk 'NF {
		printf "\\x%02x\\x%02x\\x%02x\\x%02x", $1 % 256, int($1 / 256) % 256, int($1 / 65536) % 256, int($1 / 16777216)
	}')" | sha256sum | cut -d' ' -f1
}

# of_model MODEL NAME -- every prompt, conversation and text of the reference.
of_model() {
	local ref=$F/ref/$2.json t i n
	n=$(jq '.prompts | length' "$ref")
	for ((i = 0; i < n; i++)); do
		jq -j ".prompts[$i].prompt" "$ref" | apr-token "$1" >got
		jq -r ".prompts[$i].prompt_ids | map(tostring) | join(\" \")" "$ref" | cmp - got || return 1
	done
	n=$(jq '.chat // [] | length' "$ref")
	for ((i = 0; i < n; i++)); do
		jq -j ".chat[$i].text" "$ref" >text
		jq -r ".chat[$i].ids | map(tostring) | join(\" \")" "$ref" >want
		apr-token --no-bos "$1" <text | cmp - want || return 1
		jq -c ".chat[$i].messages" "$ref" >messages
		apr-token --chat messages --text "$1" | cmp - text || return 1
		apr-token --chat messages "$1" | cmp - want || return 1
	done
	for t in code.txt scripts.txt spaces.txt special.txt invalid.txt wiki.test.raw; do
		jq -e ".tokens[\"$t\"]" "$ref" >/dev/null || continue
		[ -e "$F/text/$t" ] || continue
		apr-token --no-bos "$1" <"$F/text/$t" >ids
		[ "$(wc -w <ids)" = "$(jq ".tokens[\"$t\"].count" "$ref")" ] || { echo "$t: $(wc -w <ids) ids"; return 1; }
		[ "$(hash_ids <ids)" = "$(jq -r ".tokens[\"$t\"].sha256_le_i32" "$ref")" ] ||
			{ echo "$1: $t: other ids"; return 1; }
	done
}

@test "the ids of Hugging Face's tokenizers, from directories" {
	for m in $ALL; do
		need "hf/$m" "ref/$m.json"
		of_model "$F/hf/$m" $m || { echo "$m"; return 1; }
	done
}

@test "the same from GGUF" {
	for m in $ALL; do
		need "gguf/$m.q4_k_m.gguf" "ref/$m.json"
		of_model "$F/gguf/$m.q4_k_m.gguf" $m || { echo "$m"; return 1; }
	done
}

@test "the same from our .apr" {
	for m in llama3 qwen2 gemma3 smollm; do
		need "hf/$m" "ref/$m.json"
		apr-cat "$F/hf/$m" | apr-pack -f m.apr
		of_model m.apr $m || { echo "$m"; return 1; }
	done
}

@test "published vocabularies" {
	for v in deepseek-coder falcon gpt-2 llama-spm phi-3 starcoder; do
		g=vocab/ggml-vocab-$v.gguf
		need "$g" "$g.inp"
		# Texts stand between lines of their own; -l cannot tell them apart.
		awk -v RS='\n__ggml_vocab_test__\n' '{ f = sprintf("in.%03d", NR); printf "%s", $0 > f; close(f) }' "$F/$g.inp"
		i=0
		for f in in.*; do
			i=$((i + 1))
			apr-token --no-bos --no-parse-special "$F/$g" <"$f" | tr -s ' ' | sed 's/^ //; s/ $//' >got
			sed -n "${i}p" "$F/$g.out" | tr -s ' ' | sed 's/^ //; s/ $//' >want
			cmp got want || { echo "$v, text $i"; return 1; }
		done
		[ $i -ge 40 ]
		rm -f in.*
	done
}

@test "back to text" {
	for m in llama qwen2 gemma2; do
		need "hf/$m"
		for t in code.txt scripts.txt; do
			[ -e "$F/text/$t" ] || continue
			apr-token --no-bos "$F/hf/$m" <"$F/text/$t" | apr-token -d "$F/hf/$m" >got
			cmp got "$F/text/$t"
		done
	done
	need hf/qwen2
	[ "$(echo 'a b' | apr-token -l "$F/hf/qwen2" | wc -l)" = 1 ]
	apr-token --pieces "$F/hf/qwen2" <<<'héllo' | cut -f2 | jq -r . >/dev/null
	fails 1 apr-token -d "$F/hf/qwen2" <<<'1 x'
}

@test "templates: what they may do, and what not" {
	need hf/qwen2
	say() { printf '%s' "$1" >t; apr-token --chat m.json --text --template t "$F/hf/qwen2"; }
	echo '[{"role":"user","content":" a b "},{"role":"tool","content":"x"}]' >m.json
	[ "$(say "{% for m in messages %}{{ loop.index }}{{ m.role|upper }}{{ m['content']|trim }};{% endfor %}")" = "1USERa b;2TOOLx;" ]
	[ "$(say "{% set ns = namespace(n=1) %}{% for m in messages if m.role != 'tool' %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}")" = 2 ]
	[ "$(say "{%- if messages[1:]|length == 1 and not false %}y{% elif x %}n{% else %}z{% endif -%}  {{ 'q' if x is defined else 'r' }}")" = yr ]
	[ "$(say "{{ [1,2]|tojson }}{{ {'a': none}|tojson }}{{ 'a.b'.split('.')|join('-') }}")" = '[1, 2]{"a": null}a-b' ]
	printf '{{ raise_exception("no") }}' >t
	fails 1 apr-token --chat m.json --template t "$F/hf/qwen2"
	says "the template refuses: no"
	printf '{%% for i in range(100000000) %%}{%% endfor %%}' >t
	fails 1 apr-token --chat m.json --template t "$F/hf/qwen2"
	for bad in '{{' '{% if x %}' '{% for %}' '{{ x|nosuch }}' '{{ f() }}' '{% macro a() %}' "{{ 'a }}" '{{ 1 + [] }}'; do
		printf '%s' "$bad" >t
		fails 1 apr-token --chat m.json --template t "$F/hf/qwen2"
		says "chat template"
	done
	printf 'x%.0s' {1..10} >t
	echo '{"no": "list"}' >m.json
	fails 1 apr-token --chat m.json --template t "$F/hf/qwen2"
}

@test "lines of a million characters" {
	need hf/qwen2 hf/llama
	for m in qwen2 llama; do
		head -c 1000000 /dev/zero | tr '\0' a | apr-token "$F/hf/$m" >a
		head -c 1000000 /dev/zero | tr '\0' ' ' | apr-token "$F/hf/$m" >b
		head -c 300000 /dev/urandom | apr-token "$F/hf/$m" >c
		[ -s a ]
		[ -s b ]
		[ -s c ]
	done
}
