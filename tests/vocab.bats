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

# refuse DIR TEXT -- a directory that is an error which says so, in one line.
refuse() {
	fails 1 vocab "hf:${FAMILY:-bpe}" "$1" none
	says "$2"
}

@test "hostile tokenizer.json" {
	has jq
	local i
	mkdir d
	printf '{"model":' >d/tokenizer.json
	refuse d "tokenizer.json: not JSON"
	{ printf '{"normalizer":'; printf '[%.0s' {1..70}; } >d/tokenizer.json
	refuse d "nested more than 64 deep"
	printf '{"model":{"type":"WordPiece","vocab":{}}}' >d/tokenizer.json
	refuse d "type WordPiece is not supported"
	printf '{"model":{"type":"BPE","vocab":{"a":4294967295}}}' >d/tokenizer.json
	refuse d "id 4294967295 is too large"
	printf '{"model":{"type":"BPE","vocab":{"a":-1}}}' >d/tokenizer.json
	refuse d "a: the id is no integer from 0 on"
	printf '{"model":{"type":"BPE","vocab":{"a":1e3}}}' >d/tokenizer.json
	refuse d "a: the id is no integer"
	printf '{"model":{"type":"BPE","vocab":{"a":0,"b":0}}}' >d/tokenizer.json
	refuse d "id 0 is there twice"
	printf '{"model":{"type":"BPE","vocab":{"a":0,"a":1}}}' >d/tokenizer.json
	refuse d "ids 0 and 1 are both a"
	printf '{"model":{"type":"BPE","vocab":{"a":0}},"model":{}}' >d/tokenizer.json
	refuse d "model is there twice"
	printf '{"model":{"type":"BPE","vocab":{},"merges":[]}}' >d/tokenizer.json
	refuse d "tokenizer.json: no tokens"
	printf '{"model":[]}' >d/tokenizer.json
	refuse d "model is no object"
	printf '{"model":{"type":"BPE","vocab":"a"}}' >d/tokenizer.json
	refuse d "model/vocab is neither an array nor an object"
	printf '{"added_tokens":[{"id":0,"content":"b"}],"model":{"type":"BPE","vocab":{"a":0}}}' >d/tokenizer.json
	refuse d "added token b: id 0 is a already"
	printf '{"added_tokens":[{"id":1,"content":"a"}],"model":{"type":"BPE","vocab":{"a":0}}}' >d/tokenizer.json
	refuse d "ids 0 and 1 are both a"
	printf '{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}' >d/tokenizer.json
	refuse d "merge 0 is no pair of strings"
	printf '{"model":{"type":"BPE","vocab":{"a":0},"merges":[["","a"]]}}' >d/tokenizer.json
	refuse d "merge 0 has an empty part"
	printf '{"decoder":{"type":"Sequence","decoders":[]},"model":{"type":"BPE","byte_fallback":true,"vocab":{"a":0,"b":1},"merges":[["a","b"]]}}' >d/tokenizer.json
	FAMILY=llama refuse d "merge 0, a and b, has parts or a result that are no tokens"
	printf '{"model":{"type":"BPE","vocab":{"%s":0}}}' "$(printf 'x%.0s' {1..5000})" >d/tokenizer.json
	refuse d "token 0 has 5000 bytes"
	printf '{"model":{"type":"BPE","vocab":{},"end_of_word_suffix":"</w>"}}' >d/tokenizer.json
	refuse d "end_of_word_suffix is not supported"
	SEED=qwen2 made d .
	echo '{"vocab_size": 4294967296}' >d/config.json
	refuse d "vocab_size is 4294967296"
	echo '{"vocab_size": 3}' >d/config.json
	refuse d "but config.json's vocab_size is 3"
	rm d/config.json
	# Cut anywhere: never a crash, never a success.
	cp d/tokenizer.json whole
	for i in 1 50 100 200 400 700 1000 $(($(stat -c %s whole) - 2)); do
		head -c $i whole >d/tokenizer.json
		fails 1 vocab hf:bpe d none
	done
}

# What is read can be read again when it was written, or is not written.
@test "tokens that files would spell alike, blanks in merges, names twice" {
	local spm='"decoder":{"type":"Sequence","decoders":[]},"model":{"type":"BPE","byte_fallback":true,' i
	local bpe='"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"model":{"type":"BPE",'
	mkdir d
	printf '{"added_tokens":[{"id":5,"content":"<a>"}],"model":{"type":"Unigram","vocab":[["[PAD3]",0],["a",1]]}}' >d/tokenizer.json
	fails 1 vocab hf:bpe d dir out1
	says "id 0 is [PAD3], as id 3 is called, which is no token"
	printf '{%s"vocab":{"a b▁c":0,"a▁b c":1}}}' "$spm" >d/tokenizer.json
	fails 1 vocab hf:llama d dir out2
	says "token 0, a b▁c, has blanks of two kinds"
	printf '{%s"vocab":{"%s":0}}}' "$spm" "$(printf ' %.0s' {1..1400})" >d/tokenizer.json
	fails 1 vocab hf:llama d dir out3
	says "token 0 has 4200 bytes"
	printf '{%s"vocab":{"a":0," b":1,"a b":2},"merges":[["a"," b"]]}}' "$spm" >d/tokenizer.json
	vocab hf:llama d dir plain
	vocab hf:llama plain none
	printf '{%s"vocab":{"a b":0,"c":1,"a bc":2},"merges":[["a b","c"]]}}' "$spm" >d/tokenizer.json
	vocab hf:llama d apr >m
	grep -qF '"tokenizer.merges":[["a b","c"]]' m
	vocab meta m none
	printf '{%s"vocab":{"a":0},"merges":[["%s","a"]]}}' "$bpe" "$(printf ' %.0s' {1..2500})" >d/tokenizer.json
	fails 1 vocab hf:bpe d keys
	says "merge 0 has 5002 bytes in GGUF"
	printf '{%s"vocab":{"a":0}}}' "$bpe" >d/tokenizer.json
	printf '{"chat_template":[{"name":"x y","template":"1"},{"name":"default","template":"2"},{"name":"x_y","template":"3"},{"name":"default","template":"4"}]}' >d/tokenizer_config.json
	vocab hf:bpe d apr 2>err >m
	[ "$(cat err)" = "warning: the chat template x_y is there twice: the last one is taken
warning: the chat template default is there twice: the last one is taken" ]
	vocab meta m keys >got
	[ "$(jq -c '[."tokenizer.chat_template".value, ."tokenizer.chat_templates".value, ."tokenizer.chat_template.x_y".value]' got)" = '["4",["x_y"],"3"]' ]
	rm d/tokenizer_config.json d/tokenizer.json
	# Hostile files are not made longer by what is said about them.
	cp "$REPO/tests/fuzz/corpus/tokenizer_model/bpe.model" d/tokenizer.model
	{ printf '{"t0":100000'; for ((i = 1; i < 100; i++)); do printf ',"t%d":%d' $i $((100000 + i)); done; echo '}'; } >d/added_tokens.json
	vocab hf:llama d none 2>err
	[ "$(wc -l <err)" = 65 ]
	[ "$(tail -n 1 err)" = "warning: and more" ]
}

@test "hostile tokenizer.model" {
	local good=$REPO/tests/fuzz/corpus/tokenizer_model/bpe.model i n
	FAMILY=llama
	mkdir d
	n=$(stat -c %s "$good")
	# Cut at every byte: inside a field it is an error, between two it is a
	# shorter model.
	for ((i = 0; i < n; i++)); do
		head -c $i "$good" >d/tokenizer.model
		vocab hf:llama d none >/dev/null 2>err || {
			[ $? = 1 ]
			grep -q '^vocab: tokenizer.model: ' err
			[ "$(wc -l <err)" = 1 ]
		}
	done
	: >d/tokenizer.model
	refuse d "no pieces"
	printf '\x0a\xff\xff\xff\xff\x0f' >d/tokenizer.model
	refuse d "a field of 4294967295 bytes at byte 6, but 0 are left"
	printf '\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01' >d/tokenizer.model
	refuse d "a field of 18446744073709551615 bytes"
	printf '\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f' >d/tokenizer.model
	refuse d "a number of more than 64 bits"
	printf '\x0b\x0c' >d/tokenizer.model
	refuse d "a field of a kind that is not used"
	printf '\x02\x00' >d/tokenizer.model
	refuse d "no field has this number"
	printf '\x08\x01' >d/tokenizer.model
	refuse d "a message is of a wrong kind"
	printf '\x0a\x05\x0a\x01a\x18\x07' >d/tokenizer.model
	refuse d "piece 0: type 7 is not one of 1 to 6"
	printf '\x0a\x03\x0a\x01\xff' >d/tokenizer.model
	refuse d "piece 0 is not UTF-8"
	printf '\x0a\x02\x18\x01' >d/tokenizer.model
	refuse d "piece 0 is empty"
	printf '\x0a\x08\x0a\x01a\x15\x00\x00\xc0\x7f' >d/tokenizer.model
	refuse d "piece 0: its score is no finite number"
	printf '\x0a\x03\x0a\x01a\x0a\x03\x0a\x01a' >d/tokenizer.model
	refuse d "ids 0 and 1 are both a"
	printf '\x0a\x03\x0a\x01a\x12\x02\x18\x03' >d/tokenizer.model
	refuse d "model type 3 is not supported"
	printf '\x0a\x02\x08\x01' >d/tokenizer.model
	refuse d "piece 0: field 1 is of a wrong kind"
}

@test "hostile metadata of an .apr" {
	local k
	printf '{"tokenizer.vocabulary":["a",1]}' >m
	fails 1 vocab meta m none
	says "tokenizer.vocabulary: element 1 is no string"
	printf '{"tokenizer.vocabulary":["a"],"tokenizer.scores":[1,2]}' >m
	fails 1 vocab meta m none
	says "2 elements for 1 tokens"
	printf '{"tokenizer.token_type":[1,9],"tokenizer.vocabulary":["a"]}' >m
	fails 1 vocab meta m none
	says "9 is not one of 1 to 6"
	printf '{"tokenizer.vocabulary":["a","b"],"tokenizer.merges":["a z"]}' >m
	vocab meta m none
	fails 1 vocab meta m dir out
	says "tokenizer.pre_type is missing"
	printf '{"tokenizer.vocabulary":["a","b"],"tokenizer.merges":["a z"],"tokenizer.pre_type":"gpt-2"}' >m
	fails 1 vocab meta m dir out2
	says "merge 0, a and z, has parts or a result that are no tokens"
	printf '{"tokenizer.vocabulary":["a"],"tokenizer.model":"bert"}' >m
	fails 1 vocab meta m none
	says "a tokenizer of kind bert is not supported"
	printf '{}' >m
	vocab meta m keys | grep '^{}$'
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
