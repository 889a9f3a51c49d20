#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

G=gguf/llama3.q8_0.gguf

@test "help, version, wrong usage" {
	apr-ls --help | grep '^usage: apr-ls' >/dev/null
	[ "$(apr-ls --version | cut -d' ' -f1)" = apr-ls ]
	fails 2 apr-ls --nope
	fails 2 apr-ls --json=x y
	OUT=/dev/full fails 1 apr-ls --version
}

@test "a table, the same from a file, a stream and a plan" {
	need $G
	apr-ls "$F/$G" >want
	# It stops when it knows: what is upstream may end by SIGPIPE.
	set +o pipefail
	apr-cat "$F/$G" | apr-ls >got
	same want got
	apr-ls - <"$F/$G" | cmp - want
	apr-cat --zstd "$F/$G" | apr-ls | cmp - want
	cat "$F/$G" | apr-ls | cmp - want
	apr-cat -n "$F/$G" | apr-ls >plan
	[ "$(sed '$d' plan)" = "$(sed '$d' want)" ]
	[[ $(tail -n 1 plan) == *plan* ]]
	n=$(apr-cat "$F/$G" | names | wc -l)
	[[ $(tail -n 1 want) == "$n tensors, "* ]]
	[ "$(grep -c '^Q8_0 ' want)" -gt 0 ]
}

@test "shapes, types and lengths are those of who wrote the file" {
	for f in q8_0 q1_0 tq1_0 im.iq1_s; do
		need "gguf/llama3.$f.gguf" "expected/llama3.${f}.json"
		apr-ls --json "$F/gguf/llama3.$f.gguf" |
			jq -r '.tensors[] | "\(.name) \(.dtype) \(.shape|reverse|tojson) \(.bytes)"' | sort >got
		jq -r '.tensors[] | "\(.name) \(.type) \(.shape|tojson) \(.bytes)"' \
			"$F/expected/llama3.$f.json" | sort >want
		same want got
	done
}

# What llama.cpp's converter made of each checkpoint says how many weights it
# has, and how many of them an expert's.
@test "a line for people: architecture, parameters, active ones, type, size" {
	local m title want
	while read -r m title; do
		need hf/$m expected/$m.convert-f32.json
		want=$(jq -r --arg t "$title" '
			def three: . as $v | (if $v >= 999500 then [$v / 1000000, " M"] else [$v / 1000, " K"] end)
				| .[0] as $x | (if $x < 9.995 then 100 elif $x < 99.95 then 10 else 1 end) as $d
				| [($x * $d | round) / $d, .[1]] | "\(.[0])\(.[1])";
			([.metadata | to_entries[] | select(.key | endswith(".expert_count")).value | .value? // .][0]) as $n
			| ([.metadata | to_entries[] | select(.key | endswith(".expert_used_count")).value | .value? // .][0]) as $k
			| [.tensors[] | select(.name | startswith("rope_") | not)
				| {e: (.name | contains("_exps.")), n: (reduce .shape[] as $d (1; . * $d))}] as $t
			| ([$t[].n] | add) as $all | ([$t[] | select(.e).n] | add // 0) as $exps
			| "\(if $n then ($all - $exps + $exps / $n * $k) else 0 end | three) \($all | three)"
			' "$F/expected/$m.convert-f32.json")
		apr-ls "$F/hf/$m" | grep " parameters, " >got
		echo "$m: $want; $(cat got)"
		sed -E 's/([0-9]\.[0-9]*[1-9])0+ /\1 /g; s/\.0+ / /g' got >trimmed
		grep -F "$title, ${want#* * } parameters, " trimmed
		case $want in
		"0 K "*) [ "$(grep -c active got)" = 0 ] ;;
		*) grep -F " parameters, ${want% * *} active, " trimmed ;;
		esac
		# The same of GGUF, whose types and sizes it has.
		[ ! -e "$F/gguf/$m.q4_k_m.gguf" ] ||
		    apr-ls "$F/gguf/$m.q4_k_m.gguf" | grep "^.*, .* parameters, .*Q4_K_M [0-9.]* bpw, [0-9.]* [MK]B$"
	done <<-'X'
	gemma2 Gemma 2
	gemma3 Gemma 3
	gpt2 GPT-2
	granite Granite
	llama Llama
	llama3 Llama
	mistral Mistral
	mixtral Mixtral
	olmo2 OLMo 2
	phi3 Phi-3
	qwen2 Qwen2
	qwen2-odd Qwen2
	qwen3 Qwen3
	qwen3-5 Qwen3.5
	qwen3-moe Qwen3 MoE
	smollm Llama
	X
}

@test "--json" {
	for f in $G apr/smollm.int4.apr apr/made/golden_A.apr hf/llama3; do
		need "$f"
		apr-ls --json "$F/$f" >json
		jq -e '(.tensors | length > 0) and (.metadata | type == "object") and (.files | length > 0)
			and ([.tensors[] | (.name | type == "string") and (.dtype | type == "string")
			and (.shape | type == "array") and (.bytes | type == "number")] | all)
			and ([.files[] | has("name") and has("bytes")] | all)' json >/dev/null
		apr-cat "$F/$f" >s.tar
		apr-ls --json <s.tar | jq -S .tensors >a
		jq -S .tensors json >b
		same a b
	done
	apr-ls --json "$F/hf/llama3" | jq -e '.metadata.model_type == "llama" and .source == "hf"
		and (.shards | length == 2)' >/dev/null
	apr-ls --json "$F/$G" | jq -e '.metadata["general.architecture"] == "llama"' >/dev/null
}

@test "several sources" {
	need hf/llama3
	apr-ls "$F"/hf/llama3/model-0000?-of-00002.safetensors >got
	[ "$(grep -c layers got)" = "$(apr-ls "$F/hf/llama3" | grep -c layers)" ]
}

@test "a name cannot speak to the terminal" {
	printf '\0\0\200\077' | st m.safetensors \
		'{"a\u001b[31m\u0007\r\nb\u009b2J\u007f":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
	apr-ls m.safetensors >out
	[ "$(LC_ALL=C tr -d '\n\40-\176' <out | LC_ALL=C tr -d '\200-\377' | wc -c)" = 0 ]
	[ "$(LC_ALL=C grep -c "$(printf '\302\233')" out)" = 0 ]
	[ "$(grep -c '^F32' out)" = 1 ]
	apr-ls --json m.safetensors >json
	[ "$(LC_ALL=C grep -c "$(printf '\033')" json)" = 0 ]
	jq -e '.tensors[0].name == "a\u001b[31m\u0007\r\nb\u009b2J\u007f"' json >/dev/null
	# Nor can a message.
	cp m.safetensors "$(printf 'x\033[31m.safetensors')"
	truncate -s -1 "$(printf 'x\033[31m.safetensors')"
	fails 1 apr-ls "$(printf 'x\033[31m.safetensors')"
	[ "$(printf %s "$said" | LC_ALL=C tr -d '\40-\176' | wc -c)" = 0 ] || { printf %s "$said" | od -c >&2; false; }
}

@test "what is broken, and what is beyond the manifest" {
	need $G
	fails 1 apr-ls missing
	fails 1 apr-ls </dev/null
	OUT=/dev/full fails 1 apr-ls "$F/$G"
	OUT=/dev/full fails 1 apr-ls --json "$F/$G"
	apr-cat "$F/$G" >s.tar
	head -c 700 s.tar >cut.tar
	fails 1 apr-ls cut.tar
	head -c 300000 s.tar >cut.tar
	apr-ls <cut.tar >got
	apr-ls "$F/$G" | cmp - got
	apr-ls s.tar | cmp - got
}
