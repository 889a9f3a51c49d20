# SPDX-License-Identifier: MIT
# Tokenizers that are wrong, each refused with its reason.
load helper

vocab() {
	"${APR_BUILD:-$REPO/build}/test/vocab" "$@"
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
