# SPDX-License-Identifier: MIT
# Tokenizers as data, by tests/vocab.c: the keys that convert_hf_to_gguf.py
# wrote (expected/NAME.convert-auto.json), and the ways back.
load helper

vocab() {
	"${APR_BUILD:-$REPO/build}/test/vocab" "$@"
}

# family NAME -- which of its files a model's converter believes.
family() {
	case $1 in
	llama | llama3 | mistral | mixtral | smollm | granite) echo llama ;;
	qwen2 | qwen2-odd | qwen3) echo qwen ;;
	gemma2) echo gemma ;;
	gemma3 | phi3) echo "$1" ;;
	*) echo bpe ;;
	esac
}

# The models whose fixtures are here: all 16, or the part in tests/data.
models() {
	local d
	for d in "$F"/hf/*/; do
		d=${d%/}
		[ ! -e "$F/expected/${d##*/}.convert-auto.json" ] || echo "${d##*/}"
	done
}

# keys MODEL -- what its directory gives, in the form of the expected files.
keys() {
	vocab "hf:$(family "$1")" "$F/hf/$1" keys
}

# In order, a line a key; so that jq's own order does not matter.
lines() {
	jq -r --stream -c 'select(length == 2)'
}

@test "GGUF keys of every model's tokenizer are the converter's" {
	local m n=0 bad=0
	has jq
	for m in $(models); do
		keys "$m" 2>warnings | lines >got
		jq '.metadata | with_entries(select(.key | startswith("tokenizer.")))' \
		    "$F/expected/$m.convert-auto.json" | lines >want
		n=$((n + 1))
		if cmp -s got want; then
			printf '%-10s %4d lines  equal\n' "$m" "$(wc -l <want)"
		else
			bad=$((bad + 1))
			printf '%-10s differs: %s\n' "$m" "$(diff got want | head -n 2 | tr '\n' ' ')"
		fi
		[ "$(wc -l <want)" -ge 20 ]
	done
	[ $bad = 0 ]
	[ $n -ge 1 ]
	[ "$F" = "$REPO/tests/data" ] || [ $n = 16 ]
}

@test "from GGUF to a directory and back: the same keys" {
	local m f n=0
	for m in $(models); do
		f=$(compgen -G "$F/gguf/$m.*.gguf" | grep -v imatrix | head -n 1) || continue
		keys "$m" >want 2>/dev/null
		vocab file "$f" dir "$m"
		vocab "hf:$(family "$m")" "$m" keys >got 2>/dev/null
		same got want "$m"
		vocab file "$f" keys 2>/dev/null >got
		same got want "$m, from the GGUF itself"
		n=$((n + 1))
	done
	[ $n -ge 1 ]
	[ "$F" = "$REPO/tests/data" ] || [ $n = 16 ]
}

@test "by way of an .apr: the same keys" {
	local m n=0
	for m in $(models); do
		keys "$m" >want 2>/dev/null
		vocab "hf:$(family "$m")" "$F/hf/$m" apr >meta 2>/dev/null
		vocab meta meta keys >got 2>/dev/null
		same got want "$m"
		n=$((n + 1))
	done
	[ $n -ge 1 ]
}

# Every tokenizer.* key that aprender wrote, with its value.
@test "an .apr's keys are aprender's" {
	local m n=0 size
	has jq
	for m in llama3 qwen2 qwen2-odd qwen3-5 qwen3-moe smollm; do
		[ -e "$F/apr/$m.apr" ] || continue
		size=$(od -An -tu4 -j20 -N4 "$F/apr/$m.apr")
		head -c $((64 + size)) "$F/apr/$m.apr" | tail -c "$size" |
		    jq -S 'with_entries(select(.key | startswith("tokenizer.")))' >want
		vocab "hf:$(family $m)" "$F/hf/$m" apr 2>/dev/null |
		    jq -S --slurpfile w want 'with_entries(select(.key | in($w[0])))' >got
		same got want "$m"
		[ "$(jq length want)" -ge 5 ]
		n=$((n + 1))
	done
	[ $n -ge 1 ] || need apr/qwen2.apr
	[ "$F" = "$REPO/tests/data" ] || [ $n = 6 ]
}

# made NAME JQ -- a directory of our own: tokenizer.json of a model's kind,
# as the jq program changes it.
made() {
	mkdir -p "$1"
	jq -c "$2" "$REPO/tests/fuzz/corpus/tokenizer_json/${SEED:-qwen2}.json" >"$1/tokenizer.json"
}

# value FAMILY DIR JQ -- of the keys' values, short ones.
value() {
	vocab "hf:$1" "$2" keys 2>warnings | jq -r "map_values(.value) | $3"
}

@test "types of byte-level tokens" {
	has jq
	made d '.added_tokens = [
	    {id: 11, content: "he", special: true}, {id: 12, content: "in", special: false},
	    {id: 20, content: "<|looks|>", special: false}, {id: 21, content: "<unused7>", special: false},
	    {id: 22, content: "a▁▁b", special: false}, {id: 25, content: "plain", special: true}]
	    | .model.vocab = {a: 0, he: 11, in: 12} | .model.merges = []'
	echo '{"vocab_size": 28}' >d/config.json
	[ "$(value bpe d '."tokenizer.ggml.tokens" | join(" ")')" = "a [PAD1] [PAD2] [PAD3] [PAD4] [PAD5] [PAD6] [PAD7] [PAD8] [PAD9] [PAD10] he in [PAD13] [PAD14] [PAD15] [PAD16] [PAD17] [PAD18] [PAD19] <|looks|> <unused7> a  b [PAD23] [PAD24] plain [PAD26] [PAD27]" ]
	[ "$(value bpe d '."tokenizer.ggml.token_type" | map(tostring) | join("")')" = 1555555555534555555533455355 ]
	[ "$(value bpe d 'has("tokenizer.ggml.merges")')" = false ]
	echo '{"vocab_size": 25}' >d/config.json
	fails 1 vocab hf:bpe d none
	says "id 25, but config.json's vocab_size is 25"
}

@test "merges: strings, pairs, and blanks in them" {
	has jq
	made d '.model.merges = ["h e", ["Ġ", "t"], ["a b", "c"], ["d", " "]]'
	value bpe d '."tokenizer.ggml.merges"[]' >got
	printf '%s\n' 'h e' 'Ġ t' 'aĠb c' 'd Ġ' >want
	same got want
	made d '.model.merges = ["nothing"]'
	fails 1 vocab hf:bpe d none
	says "merge 0 is not two parts"
}

@test "the name of a cut comes from its steps, or there is none" {
	has jq
	local seed name
	while read -r seed name; do
		SEED=$seed made d .
		[ "$(value bpe d '."tokenizer.ggml.pre"')" = "$name" ]
	done <<-'EOF'
	gpt2 gpt-2
	smollm smollm
	llama3 llama-bpe
	qwen2 qwen2
	EOF
	# One that is nobody's: an error with its regex, and not another's name.
	made d '.pre_tokenizer.pretokenizers[0].pattern.Regex = "[a-z]+|\\s+"'
	fails 1 vocab hf:bpe d keys
	says 'cuts text before merging: [a-z]+|\s+'
	made d '.pre_tokenizer.pretokenizers |= .[:1]'
	fails 1 vocab hf:bpe d keys
	made d '.pre_tokenizer = {type: "WhitespaceSplit"}'
	fails 1 vocab hf:bpe d keys
	says WhitespaceSplit
	made d '.pre_tokenizer = null'
	fails 1 vocab hf:bpe d keys
	# The same cut without the normalizer has another name.
	made d '.normalizer = null'
	[ "$(value bpe d '."tokenizer.ggml.pre"')" = deepseek-r1-qwen ]
	# What the name does not say is told.
	SEED=gpt2 made d '.normalizer = {type: "NFKC"}'
	value bpe d '."tokenizer.ggml.pre"'
	grep 'Unicode normalization is not recorded in GGUF' warnings
	SEED=gpt2 made d '.normalizer = {type: "Nmt"}'
	value bpe d '."tokenizer.ggml.pre"'
	grep 'normalizer Nmt is not carried over' warnings
	SEED=gpt2 made d '.added_tokens[0].lstrip = true'
	value bpe d '."tokenizer.ggml.pre"'
	grep '1 added tokens take blanks around them' warnings
}

@test "ids, flags and templates" {
	has jq
	made d '.added_tokens = [{id: 20, content: "<s>", special: true},
	    {id: 21, content: "</s>", special: true}, {id: 22, content: "<sep>", special: true}] |
	    .post_processor = {type: "TemplateProcessing",
	    single: [{SpecialToken: {id: "<s>"}}, {Sequence: {id: "A"}}, {SpecialToken: {id: "</s>"}}],
	    pair: [{SpecialToken: {id: "<s>"}}, {Sequence: {id: "A"}}, {SpecialToken: {id: "</s>"}},
	    {SpecialToken: {id: "<sep>"}}, {Sequence: {id: "B"}}, {SpecialToken: {id: "</s>"}}]}'
	echo '{"vocab_size": 30, "eos_token_id": 5, "pad_token_id": 7, "unk_token_id": [1, 2]}' >d/config.json
	echo '{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "sep_token": "<sep>", "add_bos_token": false}' >d/tokenizer_config.json
	value bpe d 'to_entries[] | select(.key | test("_id$|add_")) | "\(.key) \(.value)"' >got
	sed 's/^/tokenizer.ggml./' >want <<-EOF
	bos_token_id 20
	eos_token_id 21
	seperator_token_id 22
	padding_token_id 7
	add_bos_token true
	add_eos_token true
	add_sep_token true
	EOF
	same got want
	# Another end than the configured one: that one ends a turn.
	echo '{"bos_token": "<s>", "eos_token": "<sep>"}' >d/tokenizer_config.json
	[ "$(value bpe d '[."tokenizer.ggml.eos_token_id", ."tokenizer.ggml.eot_token_id"] | map(tostring) | join(" ")')" = "21 22" ]
	# Without a template, the configuration's flag counts.
	made d '.post_processor = null'
	echo '{"add_bos_token": false}' >d/tokenizer_config.json
	[ "$(value bpe d '."tokenizer.ggml.add_bos_token"')" = false ]
	# A ByteLevel says no to both, the configuration then says nothing.
	made d '.post_processor = {type: "ByteLevel"}'
	echo '{"add_bos_token": true}' >d/tokenizer_config.json
	[ "$(value bpe d '[."tokenizer.ggml.add_bos_token", ."tokenizer.ggml.add_eos_token"] | map(tostring) | join(" ")')" = "false false" ]
	# Several templates.
	echo '{"chat_template": [{"name": "default", "template": "D"}, {"name": "tool-use", "template": "T"}]}' >d/tokenizer_config.json
	printf J >d/chat_template.jinja
	value bpe d 'to_entries[] | select(.key | test("chat")) | "\(.key) \(.value)"' >got
	cat >want <<-EOF
	tokenizer.chat_template.tool_use T
	tokenizer.chat_templates ["tool_use"]
	tokenizer.chat_template D
	EOF
	same got want
	echo '{}' >d/tokenizer_config.json
	[ "$(value bpe d '."tokenizer.chat_template"')" = J ]
	# Families' own: a flag behind all others, and a blank's flag before them.
	made d '.post_processor = null'
	echo '{"vocab_size": 49152}' >d/config.json
	echo '{"add_prefix_space": false}' >d/tokenizer_config.json
	value llama d 'keys_unsorted | "\(first) \(last)"' >got
	echo "tokenizer.ggml.add_space_prefix tokenizer.ggml.add_bos_token" >want
	same got want
}

@test "SentencePiece: from tokenizer.model, and from tokenizer.json alone" {
	has jq
	SEED=llama made d .
	echo '{"vocab_size": 280}' >d/config.json
	echo '{"bos_token": "<s>", "unk_token": "<unk>"}' >d/tokenizer_config.json
	# Not padded; named tokens are control ones; no order of merges is left.
	[ "$(value llama d '[."tokenizer.ggml.model", ."tokenizer.ggml.tokens".count, (."tokenizer.ggml.scores".first | unique[]), (."tokenizer.ggml.token_type".first | map(tostring) | join(""))] | map(tostring) | join(" ")')" = "llama 275 -1000 36666666" ]
	grep 'readers will merge in another order' warnings
	# A family whose converter wants tokenizer.model: scores from the ranks.
	value gemma d '."tokenizer.ggml.scores".first[0]'
	grep 'tokenizer.model is missing' warnings
	vocab hf:gemma d dir e
	cmp <(jq -c '.model.merges' d/tokenizer.json) <(jq -c '.model.merges' e/tokenizer.json)
	# tokenizer.model, with what was added to it.
	mkdir m
	cp "$REPO/tests/fuzz/corpus/tokenizer_model/bpe.model" m/tokenizer.model
	echo '{"vocab_size": 20}' >m/config.json
	echo '{"<a>": 15}' >m/added_tokens.json
	echo '{"added_tokens_decoder": {"15": {"content": "<a>", "special": true}, "16": {"content": "x▁y", "special": false}, "17": {"content": "<|z|>", "special": false}}}' >m/tokenizer_config.json
	[ "$(value llama m '."tokenizer.ggml.tokens" | join(",")')" = "<unk>,<s>,</s>,<|im_start|>,<0x00>,<0x01>,<0x02>,▁t,he,▁the,▁,t,h,e,[PAD14],<a>,x y,<|z|>,[PAD18],[PAD19]" ]
	[ "$(value llama m '."tokenizer.ggml.token_type" | map(tostring) | join("")')" = 23316661111111534355 ]
	[ "$(value llama m '."tokenizer.ggml.scores" | map(tostring) | join(" ")')" = "0 0 0 0 0 0 0 0 -1 -2 -3 -4 -5 -6 -10000 -1000 -1000 -1000 -10000 -10000" ]
	# The token that a user defined comes back as one.
	vocab hf:llama m dir n
	[ "$(jq -c '[.added_tokens[] | select(.content == "<|im_start|>") | .special]' n/tokenizer.json)" = '[true]' ]
	[ "$(jq -c '.model.merges' n/tokenizer.json)" = '[["▁","t"],["h","e"],["▁t","he"]]' ]
	vocab hf:gemma m keys | jq -r 'keys_unsorted | last' | grep '^tokenizer.ggml.add_space_prefix$'
}

@test "unigram" {
	has jq
	SEED=unigram made d .
	echo '{"bos_token": "<s>"}' >d/tokenizer_config.json
	vocab hf:bpe d keys >want
	jq -r '."tokenizer.ggml.model".value, (."tokenizer.ggml.precompiled_charsmap".value | length), ."tokenizer.ggml.remove_extra_whitespaces".value' want >got
	printf 't5\n4\ntrue\n' | cmp - got
	vocab hf:bpe d dir e
	vocab hf:bpe e keys >got
	same got want
	vocab hf:bpe d apr >meta
	vocab meta meta keys >got
	same got want
}

@test "old files: vocab.json and merges.txt" {
	local d=vocab/gpt2-raw-bytelevel
	need $d/vocab.json vocab/ggml-vocab-gpt-2.gguf
	mkdir g
	cp "$F/$d"/* g
	echo '{"model_type": "gpt2", "vocab_size": 50257}' >g/config.json
	vocab hf:bpe g keys | jq -c '[."tokenizer.ggml.tokens", ."tokenizer.ggml.merges"]' >got
	vocab file "$F/vocab/ggml-vocab-gpt-2.gguf" keys | jq -c '[."tokenizer.ggml.tokens", ."tokenizer.ggml.merges"]' >want
	same got want
	echo '{"model_type": "other"}' >g/config.json
	fails 1 vocab hf:bpe g none
	says "do not say how text is cut"
}

# 262,144 tokens and half a million merges, 33 MB: twice the file's bytes and
# 64 MiB are the limit; what is needed is far less.
@test "memory of a large tokenizer" {
	[ "${APR_ASAN:-0}" = 0 ] || skip "the sanitizer takes more"
	mkdir d
	awk 'BEGIN {
		printf "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\n\"model\":{\"type\":\"BPE\",\"vocab\":{"
		for (i = 0; i < 262144; i++)
			printf "%s\n      \"tok%08x%d\": %d", i ? "," : "", i * 2654435761 % 4294967296, i, i
		printf "},\"merges\":["
		for (i = 0; i < 514000; i++)
			printf "%s\n      [\n        \"tok%x\",\n        \"len%d\"\n      ]", i ? "," : "", i, i
		printf "]}}\n"
	}' >d/tokenizer.json
	[ "$(stat -c %s d/tokenizer.json)" -gt 33000000 ]
	"${APR_BUILD:-$REPO/build}/test/faults" size 131072 "${APR_BUILD:-$REPO/build}/test/vocab" hf:bpe d kv >kv
	[ "$(stat -c %s kv)" -gt 10000000 ]
}

# The same in a pipe: an .apr holds it twice, as keys and as the file.
@test "memory of a model with a large tokenizer" {
	[ "${APR_ASAN:-0}" = 0 ] || skip "the sanitizer takes more"
	local f size="${APR_BUILD:-$REPO/build}/test/faults size 131072"
	has jq
	"$REPO/scripts/mk-synth" one-tensor --rows 4 --cols 256 d/ >/dev/null
	awk 'BEGIN {
		printf "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":false,\"vocab\":[[\"<unk>\",0]"
		for (i = 1; i < 262144; i++)
			printf ",\n[\"%0110d\",-%d]", i, i
		printf "]}}\n"
	}' >d/tokenizer.json
	[ "$(stat -c %s d/tokenizer.json)" -gt 31000000 ]
	jq -c '.vocab_size = 262144' d/config.json >c
	mv c d/config.json
	for f in apr gguf; do
		apr-cat -q --as $f d | $size apr-pack -q m.$f
	done
	$size apr-cat -q m.apr | $size apr-pack -q n.apr
	same m.apr n.apr
}
