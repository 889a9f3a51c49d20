# SPDX-License-Identifier: MIT
# Recipes: which rule gives which tensor its type.
load helper

@test "a recipe: the first rule that matches, by class, glob, regex, jq and condition" {
	need gguf/llama3.bf16.gguf
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >in
	cat >r.json <<-'END'
	{ "apr_recipe": 1, "base": "q4_k", "file_type": 15, "let": { "last": "layer == layers - 1" },
	  "rules": [
	    { "glob": ["blk.0.attn_[qk].weight", "nothing*"], "type": "q8_0", "about": "why not" },
	    { "regex": "^blk\\.\\d+\\.attn_q", "type": "q5_k" },
	    { "jq": ".shape[0] == 64 and .dtype == \"BF16\"", "type": "keep" },
	    { "class": ["ffn_up", "ffn_gate"], "if": "last and cols % 256 == 0", "type": "q6_k" },
	    { "class": "output", "type": "base" },
	    { "include": "q2_k" } ],
	  "set": { "a.b": { "type": "arr:u32", "value": [1, 2] } } }
	END
	apr-quant -r r.json <in 2>err | tee out | dtypes >got
	! grep -q 'matches no' err || false
	cat >want <<-'END'
	blk.0.attn_k.weight Q8_0
	blk.0.attn_norm.weight F32
	blk.0.attn_output.weight Q3_K
	blk.0.attn_q.weight Q8_0
	blk.0.attn_v.weight BF16
	blk.0.ffn_down.weight Q3_K
	blk.0.ffn_gate.weight Q4_K
	blk.0.ffn_norm.weight F32
	blk.0.ffn_up.weight Q4_K
	blk.1.attn_k.weight BF16
	blk.1.attn_norm.weight F32
	blk.1.attn_output.weight Q3_K
	blk.1.attn_q.weight Q5_K
	blk.1.attn_v.weight BF16
	blk.1.ffn_down.weight Q3_K
	blk.1.ffn_gate.weight Q6_K
	blk.1.ffn_norm.weight F32
	blk.1.ffn_up.weight Q6_K
	output_norm.weight F32
	rope_freqs.weight F32
	token_embd.weight Q4_K
	END
	same want got
	tar xOf out manifest.json | jq -e '.set["general.file_type"].value == 15 and .set["a.b"].value == [1, 2]'
	# What a name took does not count among its kind: the next is its first,
	# as behind llama-quantize's --tensor-type.
	echo '{"apr_recipe":1,"base":"q4_k","rules":[{"glob":"blk.0.ffn_down.weight","type":"q8_0"},{"include":"q4_k_m"}]}' >n.json
	apr-quant -q -r n.json <in | dtypes >got
	apr-quant -q --tensor-type 'blk.0.ffn_down=q8_0' q4_k_m <in | dtypes | cmp - got
	grep -x 'blk.1.ffn_down.weight Q4_K' got
	# On other names what goes by globs works, and what goes by classes says so.
	if [ -d "$F/hf/qwen2" ]; then
		apr-cat --plan "$F/hf/qwen2" >hf
		echo '{"apr_recipe":1,"base":"q8_0","rules":[{"glob":"*.mlp.*","type":"q4_k"},{"if":"cols > 100000","type":"f16"}]}' >g.json
		apr-quant -q -r g.json <hf | dtypes | grep -q 'mlp.up_proj.weight Q4_K'
		# The same rules, by role: a glob of either name, a class.
		apr-quant -q -r r.json <hf | dtypes >got
		grep 'layers.0.mlp.down_proj.weight Q3_K' got
		mkdir nobody
		cp "$F"/hf/qwen2/*.safetensors nobody
		apr-cat --plan nobody >hf
		fails 1 apr-quant -r r.json <hf
		says "r.json goes by what tensors are for"
	fi
}

@test "regular expressions mean what they do to llama-quantize, or are refused" {
	need gguf/llama3.bf16.gguf
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >in
	local re n
	while read -r n re; do
		got=$(apr-quant -q --tensor-type "$re=q8_0" q4_k <in | dtypes | grep -c Q8_0) || true
		[ "$got" = "$n" ] || { echo "$re: $got, not $n" >&2; return 1; }
	done <<-'END'
	2 attn_v
	2 blk\.[0-1]\.attn_v\.weight$
	1 ^blk\.(0|7)\.(?:attn_v|nothing)
	6 attn_[\w]\.
	4 \.\d+\.attn_[kq]\b
	2 attn_[^koq_][.]w
	6 ffn_(up|down|gate)
	14 ^b.*?k
	0 ^attn
	1 ^[[:alpha:]]+_embd
	2 attn_v{1,2}\.
	2 ATTN_[^KQO]\.W
	0 attn_\D\.
	END
	for re in '(?!blk)' '(a)\1' '[a' 'a[]' 'a(' '\p' 'a++' '*a' 'a|?' 'a{,2}' 'a{256}' \
	    '((a{99}){99}){99}' "$(printf '(%.0s' {1..33})a$(printf ')+%.0s' {1..33})"; do
		fails 2 apr-quant --tensor-type "$re=q8_0" q4_k <in
	done
}

@test "a rule that matches nothing is a warning, and with --strict an error" {
	need gguf/llama3.bf16.gguf
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >in
	echo '{"apr_recipe":1,"base":"q4_k","rules":[{"glob":"blk.*","type":"q8_0"},{"glob":"*norm*","type":"q8_0"},
	    {"glob":"blk.0.*","type":"q6_k"},{"include":"q4_k_m"}]}' >r.json
	apr-quant -r r.json <in 2>err >out
	grep -qx 'apr-quant: r.json: rule 2 matches no tensor that is quantized' err
	grep -qx 'apr-quant: r.json: rule 3 decides nothing: earlier rules match all that it does' err
	[ "$(grep -c rule\  err)" = 2 ]
	fails 1 apr-quant --strict -r r.json <in
	says "rule 2 matches no tensor"
	fails 1 apr-quant --strict --tensor-type nothing=q8_0 q4_k_m <in
	says "--tensor-type nothing matches no tensor"
	# A mix's own rules for other models are no mistake.
	apr-quant --strict q4_k_m <in 2>err >out
	echo '{"apr_recipe":1,"tensors":{"foo":"q8_0"}}' >r.json
	fails 1 apr-quant --strict -r r.json <in
	says "names no tensor that is here"
}

@test "a resolved recipe gives the same bytes, for any part of the model" {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >plan
	local how
	for how in q4_k_m q2_k "--pure q6_k" "--tensor-type attn_v=f16 --override-kv x.y=int:3 q3_k_l" \
	    "--target-size 700K" "--rules=apr q4k" "--rules=apr apr_q8" "--rules=apr --fallback=pad q6_k"; do
		rm -f r.json
		apr-quant -q $how <in >want
		apr-quant -q $how --resolve r.json <plan >/dev/null
		apr-quant -q -r r.json <in >got
		sums <want >a; sums <got >b
		same a b "$how"
		tar xOf want manifest.json | jq -c '[.set, .tensors]' >a
		tar xOf got manifest.json | jq -c '[.set, .tensors]' >b
		same a b "$how"
		# A part: counters and ties would come out otherwise.
		apr-cat --select 'blk.1.*' "$F/gguf/llama3.bf16.gguf" | apr-quant -q -r r.json | sums >b
		sums <want | grep 'blk[.]1[.]' | cmp - b
		# Resolved again, it is itself.
		apr-quant -q -r r.json --resolve again.json -f <plan >/dev/null
		cmp <(jq 'del(.about)' r.json) <(jq 'del(.about)' again.json)
	done
	fails 1 apr-quant --resolve r.json q4_k <plan
	says "r.json: exists; -f replaces it"
	apr-quant -q -f --resolve r.json q4_k <plan >/dev/null
	jq -e '.tensors["blk.0.attn_q.weight"] == "Q4_K" and .tensors["output_norm.weight"] == "keep"' r.json
	fails 1 apr-quant --resolve /nonexistent/r.json q4_k <plan
	# With importance it wants importance.
	jq '.set["quantize.imatrix.file"] = {type: "string", value: "x"}' r.json >i.json
	fails 1 apr-quant -r i.json <plan
	says "importance matrix"
}

@test "what is no recipe" {
	need gguf/llama3.bf16.gguf
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >in
	local text why
	while IFS='|' read -r text why; do
		printf '%s' "$text" >r.json
		fails 1 apr-quant -r r.json <in
		says "$why" || return 1
	done <<-'END'
	|r.json
	[]|is no object
	{}|no "apr_recipe": 1
	{"apr_recipe":2}|another version
	{"apr_recipe":1,"apr_recipe":1}|stands there twice
	{"apr_recipe":1,"bas":"q4_k"}|no key bas
	{"apr_recipe":1,"base":"q4_k_m"}|q4_k_m is no number type
	{"apr_recipe":1,"base":"i8"}|is no number type
	{"apr_recipe":1,"fallback":"maybe"}|fallback is none of
	{"apr_recipe":1,"file_type":-1}|file_type is no number
	{"apr_recipe":1,"rules":{}}|rules is no list
	{"apr_recipe":1,"rules":[1]}|rule 1: is no object
	{"apr_recipe":1,"rules":[{}]}|rule 1: says not one of type, error, include
	{"apr_recipe":1,"rules":[{"type":"q8_0","error":"x"}]}|says not one of
	{"apr_recipe":1,"rules":[{"type":"q8_0"},{"type":"base"}]}|rule 2: there is no base
	{"apr_recipe":1,"rules":[{"class":"v","type":"q8_0"}]}|there is no class v
	{"apr_recipe":1,"rules":[{"class":[],"type":"q8_0"}]}|an empty list
	{"apr_recipe":1,"rules":[{"glob":"","type":"q8_0"}]}|a string is empty
	{"apr_recipe":1,"rules":[{"regex":"(","type":"q8_0"}]}|rule 1: regular expression (
	{"apr_recipe":1,"rules":[{"jq":".[","type":"q8_0"}]}|rule 1: jq
	{"apr_recipe":1,"rules":[{"jq":".name + 1","type":"q8_0"}]}|cannot be added
	{"apr_recipe":1,"rules":[{"if":"i <","type":"q8_0"}]}|an early end
	{"apr_recipe":1,"rules":[{"if":"foo","type":"q8_0"}]}|a word that is not known
	{"apr_recipe":1,"rules":[{"if":"arch == 1","type":"q8_0"}]}|a string compared with a number
	{"apr_recipe":1,"rules":[{"if":"arch","type":"q8_0"}]}|neither true nor false
	{"apr_recipe":1,"rules":[{"if":"1 / (cols - cols)","type":"q8_0"}]}|division by zero
	{"apr_recipe":1,"rules":[{"if":"9999999999999999999","type":"q8_0"}]}|too large
	{"apr_recipe":1,"rules":[{"if":"9223372036854775807 + 1","type":"q8_0"}]}|too large
	{"apr_recipe":1,"rules":[{"if":"(1","type":"q8_0"}]}|no closing parenthesis
	{"apr_recipe":1,"rules":[{"if":"1 1","type":"q8_0"}]}|something unexpected
	{"apr_recipe":1,"rules":[{"include":"q4_k_m","if":"1"}]}|include stands alone
	{"apr_recipe":1,"rules":[{"include":"r.json"}]}|too deep, or in circles
	{"apr_recipe":1,"rules":[{"include":"nosuch.json"}]}|nosuch.json: No such file
	{"apr_recipe":1,"rules":[{"class":"attn_v","error":"never"}]}|blk.0.attn_v.weight: never
	{"apr_recipe":1,"let":{"or":"1"}}|or is no name
	{"apr_recipe":1,"let":{"n":"1"}}|has a meaning already
	{"apr_recipe":1,"let":{"a":"b","b":"a"}}|round in circles
	{"apr_recipe":1,"let":{"a":"1 +"}}|let: a:
	{"apr_recipe":1,"set":{"a":{"type":"u32"}}}|lacks type or value
	{"apr_recipe":1,"tensors":{"a":"q8_0","a":"q8_0"}}|tensor a twice
	{"apr_recipe":1,"tensors":{"a":"q9"}}|q9 is no number type
	{"apr_recipe":1,"need_imatrix":"q2_k"}|is no list
	END
	# Names may double at every step; the sum is not computed.
	{
		printf '{"apr_recipe":1,"let":{"a0":"1"'
		for n in $(seq 30); do printf ',"a%d":"a%d + a%d"' $n $((n - 1)) $((n - 1)); done
		printf '}}'
	} >r.json
	fails 1 apr-quant -r r.json <in
	says "more than can be computed"
}

@test "presets are what is installed, and are shown" {
	local f
	for f in "$REPO"/recipes/*.json; do
		apr-quant --show-recipe "$(basename "$f" .json)" | cmp - "$f"
	done
	apr-quant --show-recipe Q4_K_M | grep -q '"include": "usual"'
	fails 2 apr-quant --show-recipe nosuch
	says " q4_k_m"
	fails 2 apr-quant usual
	says "no mix"
}
