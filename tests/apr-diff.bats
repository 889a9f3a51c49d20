# SPDX-License-Identifier: MIT
load helper

# trouble CMD... -- status 2 and one line, no usage: it is not the call.
trouble() {
	local got=0
	"$@" >out 2>err || got=$?
	said=$(head -n 1 err)
	[ "$got" = 2 ] && [ "$(wc -l <err)" = 1 ] && [ "${said#apr-diff: }" != "$said" ] || {
		echo "$*: status $got: $(cat err)" >&2
		return 1
	}
}

# differ CMD... -- status 1, nothing on standard error; output in `out`.
differ() {
	local got=0
	"$@" >out 2>err || got=$?
	[ "$got" = 1 ] && [ ! -s err ] || {
		echo "$*: status $got: $(cat err)" >&2
		return 1
	}
}

# count STATUS -- of the last --json.
count() {
	jq -r ".summary.$1" out
}

# f32 NUMBER... -- little-endian, through od's eyes the other way round.
f32() {
	perl -e 'print pack "f<*", @ARGV' "$@"
}

@test "every model says same, whatever convention and format it is in" {
	need hf/qwen2 hf/gpt2 hf/qwen3-5 hf/phi3 hf/mixtral
	local m n=0
	for m in "$F"/hf/*/; do
		m=$(basename "$m")
		apr-cat --as gguf "$F/hf/$m" 2>/dev/null | apr-pack -q -f g.gguf
		apr-cat "$F/hf/$m" | apr-pack -q -f a.apr
		apr-diff --json "$F/hf/$m" g.gguf >out
		[ "$(count same)" = "$(count tensors)" ]
		[ "$(count tensors)" -gt 14 ]
		[ "$(jq .summary.keys out)" -gt 5 ]
		apr-diff -q "$F/hf/$m" a.apr
		apr-diff -q g.gguf a.apr
		n=$((n + 1))
	done
	[ "$n" = 16 ]
}

@test "aprender's imports are their checkpoints, llama.cpp's files too" {
	need apr/llama3.apr apr/qwen3-5.apr apr/qwen3-moe.apr hf/qwen3-moe gguf/granite.f32.gguf
	local m
	for m in llama3 qwen2 qwen2-odd qwen3-5 qwen3-moe smollm; do
		apr-diff --json "$F/hf/$m" "$F/apr/$m.apr" >out
		[ "$(count same)" -ge 20 ]
	done
	for m in llama3.bf16 qwen2.bf16 granite.f32; do
		apr-diff -q "$F/hf/${m%.*}" "$F/gguf/$m.gguf"
	done
	for m in qwen2 qwen3; do
		apr-diff -q "$F/gguf/$m.q4_k_m.gguf" "$F/apr/$m.gguf-q4_k_m.apr"
	done
	# An .apr of GPT-2 that calls itself qwen2, in padded rows and native
	# types: its tensors are found all the same.
	for m in int4 int8 q4k; do
		differ apr-diff --json --max-nmse 0.01 "$F/hf/gpt2" "$F/apr/gpt2.$m.apr"
		[ "$(count over)" = 0 ]
		[ "$(count within)" -gt 8 ]
		[ "$(jq -r '.metadata[0].key' out)" = general.architecture ]
	done
	apr-diff -q --metadata ignore --max-nmse 0.01 "$F/hf/smollm" "$F/apr/smollm.q4k.apr"
}

@test "streams on either side, or both, in any chunks, by any number of threads" {
	need hf/gpt2 hf/qwen3-moe gguf/qwen3-moe.q4_k_m.gguf
	local m p
	apr-cat --as gguf "$F/hf/gpt2" | apr-pack -q g.gguf
	apr-diff -q "$F/hf/gpt2" - <g.gguf
	apr-cat g.gguf | apr-diff -q - "$F/hf/gpt2"
	apr-cat "$F/hf/gpt2" | apr-diff -q g.gguf -
	apr-diff -q <(apr-cat "$F/hf/gpt2") <(apr-cat g.gguf)
	# Experts come one by one, and out of order; figures stay the same.
	m=qwen3-moe
	apr-diff -j 1 --json "$F/hf/$m" "$F/gguf/$m.q4_k_m.gguf" >want || [ $? = 1 ]
	for p in "<(apr-cat $F/hf/$m) $F/gguf/$m.q4_k_m.gguf" \
	    "$F/hf/$m <(apr-cat $F/gguf/$m.q4_k_m.gguf)" \
	    "<(apr-cat --order=quantize $F/hf/$m | dd bs=777 status=none) <(apr-cat --order=quantize $F/gguf/$m.q4_k_m.gguf)"; do
		eval "apr-diff -j 3 --json $p" >got || [ $? = 1 ]
		same <(jq -S 'del(.a, .b, .metadata, .summary.keys) | .tensors |= sort_by(.name)' want) \
		    <(jq -S 'del(.a, .b, .metadata, .summary.keys) | .tensors |= sort_by(.name)' got) "$p"
	done
	# A pipe that is no stream cannot be read anywhere.
	trouble apr-diff "$F/hf/gpt2" <(cat g.gguf)
	says apr-cat
	# Two orders.
	trouble apr-diff <(apr-cat "$F/hf/$m") <(apr-cat --order=quantize "$F/gguf/$m.q4_k_m.gguf")
	says --order=quantize
	# A stream that was cut is no evidence.
	apr-cat "$F/hf/gpt2" >cut && truncate -s 5000000 cut
	trouble apr-diff cut g.gguf
}

@test "missing, extra, renamed, reshaped, retyped" {
	need hf/qwen2
	apr-cat "$F/hf/qwen2" | apr-pack -q q.apr
	apr-cat --reject '*0.mlp.up_proj.weight' q.apr | apr-pack -q --raw less.apr
	differ apr-diff --json q.apr less.apr
	[ "$(count only_a)" = 1 ]
	[ "$(count same)" = 25 ]
	jq -e '.tensors[] | select(.status == "only_a") | .a.name == "model.layers.0.mlp.up_proj.weight" and
	    .b == null' out
	differ apr-diff less.apr "$F/hf/qwen2"
	grep '^only_b .*0.*up.*weight' out
	differ apr-diff -q less.apr q.apr
	[ ! -s out ]
	printf 12345678abcdefgh | st a.safetensors '{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
	printf 12345678abcdefgh | st b.safetensors '{"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
	differ apr-diff a.safetensors b.safetensors
	grep '^shape .*\[4\] and \[2, 2\]' out
	f32 1 2 3 4 | st a.safetensors '{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
	printf '\0\74\0\100\0\102\0\104' | st b.safetensors '{"x":{"dtype":"F16","shape":[1,4],"data_offsets":[0,8]}}'
	apr-diff a.safetensors b.safetensors >out
	grep ' 1 of another type' out
	differ apr-diff --types a.safetensors b.safetensors
	# One convention, two names of one tensor: transformers knows both.
	cp -r "$F/hf/gpt2" two && chmod -R u+w two
	perl -0pi -e 's/"transformer\.(h\.0\.ln_1\.bias)"/"$1"            /' two/model.safetensors
	apr-diff "$F/hf/gpt2" two >out
	grep '^renamed .*transformer.h.0.ln_1.bias is h.0.ln_1.bias' out
	# Nobody knows that these are one, but it is said.
	f32 1 2 | st a.safetensors '{"base.x.y":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
	f32 1 2 | st b.safetensors '{"x.y":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
	differ apr-diff a.safetensors b.safetensors
	grep '^renamed .*base.x.y is x.y' out
	grep ', 1 same' out
}

@test "an expert that is missing is named, and spoils nothing else" {
	need hf/mixtral
	apr-cat --as apr "$F/hf/mixtral" | apr-pack -q m.apr
	apr-cat --as gguf "$F/hf/mixtral" | apr-pack -q m.gguf
	apr-diff -q m.gguf m.apr
	apr-ls --json m.apr | jq -r '.tensors[].name' | grep experts >names
	local x
	x=$(sed -n 3p names)
	apr-cat --reject "$x" m.apr | apr-pack -q --raw less.apr
	differ apr-diff --json m.gguf less.apr
	[ "$(count incomplete)" = 1 ]
	[ "$(count same)" = $(($(count tensors) - 1)) ]
	jq -r '.tensors[] | select(.status == "incomplete").why' out | grep -F "$x: is not there"
	differ apr-diff --json m.apr less.apr
	[ "$(count only_a)" = 1 ]
	[ "$(count incomplete)" = 0 ]
	[ "$(jq -r '.tensors[] | select(.status == "only_a").name' out)" = "$x" ]
}

@test "figures, with NaN and infinity where they are" {
	f32 1 2 3 4 -5 6 >x
	f32 1 2.5 3 4 -5 7 >y
	st a.safetensors '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}' <x
	st b.safetensors '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}' <y
	differ apr-diff --json a.safetensors b.safetensors
	# 0.25 + 1 over 91; 1 at [1,2]; 4 of 6 are equal.
	jq -e '.tensors[0] | (.nmse - 1.25 / 91 | fabs) < 1e-15 and (.rmse - (1.25 / 6 | sqrt) | fabs) < 1e-15 and
	    .max == 1 and .max_at == [1, 2] and (.equal - 4 / 6 | fabs) < 1e-15 and .n == 6 and
	    (.cosine - 98 / ((91 | sqrt) * (106.25 | sqrt)) | fabs) < 1e-15' out
	apr-diff -q --max-nmse 0.014 a.safetensors b.safetensors
	differ apr-diff -q --max-nmse 0.013 a.safetensors b.safetensors
	apr-diff -q --max-abs 1 --min-equal 0.6 --min-sqnr 18 --min-cosine 0.9 --max-rmse 0.5 a.safetensors b.safetensors
	differ apr-diff -q --max-abs 0.99 a.safetensors b.safetensors
	differ apr-diff -q --max-nmse 0.014 --min-cosine 0.9999 a.safetensors b.safetensors
	differ apr-diff -q --max-nmse 0.014 --min-equal 0.7 a.safetensors b.safetensors
	# Places are counted from the tensor's begin, however far that is.
	perl -e 'print pack "f<*", 0 .. 9999' | st a.safetensors '{"w":{"dtype":"F32","shape":[100,100],"data_offsets":[0,40000]}}'
	perl -e 'print pack "f<*", map { $_ == 9001 ? 1 : $_ == 9002 ? "nan" : $_ } 0 .. 9999' |
	    st b.safetensors '{"w":{"dtype":"F32","shape":[100,100],"data_offsets":[0,40000]}}'
	differ apr-diff --json a.safetensors b.safetensors
	jq -e '.tensors[0] | .max == 9000 and .max_at == [90, 1] and .unequal_nonfinite_at == [90, 2]' out
	f32 1 2 3 4 -5 6 | st a.safetensors '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
	f32 1 nan 3 inf -5 6 >x
	f32 1 nan 3 inf -5 6 | st b.safetensors '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
	st a.safetensors '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}' <x
	apr-diff --json a.safetensors b.safetensors >out
	jq -e '.tensors[0] | .nan == [1, 1] and .inf == [1, 1] and .equal == 1 and .nmse == 0' out
	f32 1 nan 3 -inf nan 6 | st b.safetensors '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
	# However wide the bounds are.
	differ apr-diff --json --max-nmse 100 a.safetensors b.safetensors
	jq -e '.tensors[0] | .unequal_nonfinite == 2 and .unequal_nonfinite_at == [1, 0] and .nan == [1, 2] and
	    .nmse == 0 and .status == "over"' out
}

@test "8-bit floats are compared with their scales, or not at all" {
	local d=$REPO/tests/data/other
	differ apr-diff "$d/fp8.safetensors" "$d/fp8.bf16.safetensors"
	grep '^unmeasured .* a.weight .*: 8-bit floats with scales: apr-dequant' out
	grep ', 3 unmeasured' out
	apr-cat "$d/fp8.safetensors" | apr-dequant -q bf16 | apr-diff -q - "$d/fp8.bf16.safetensors"
	apr-diff -q "$d/fp8.safetensors" "$d/fp8.safetensors"
	# And a checkpoint that lies anywhere in an archive.
	apr-diff -q "$d/views.pt" "$d/torch.safetensors"
	apr-diff -q "$d/plain.npz" "$d/packed.npz"
}

@test "metadata: hyper-parameters in anybody's words" {
	need hf/llama3 gguf/llama3.bf16.gguf
	cp -r "$F/hf/llama3" m && chmod -R u+w m
	jq '.rms_norm_eps = 1e-6' m/config.json >c && cp c m/config.json
	differ apr-diff m "$F/gguf/llama3.bf16.gguf"
	grep '^metadata .*layer_norm_rms_epsilon' out
	apr-diff -q --metadata ignore m "$F/gguf/llama3.bf16.gguf"
	fails 2 apr-diff --metadata some a b
	# All keys of one format.
	need gguf/llama3.q8_0.gguf
	differ apr-diff --metadata all --max-nmse 0.01 "$F/gguf/llama3.bf16.gguf" "$F/gguf/llama3.q8_0.gguf"
	grep '^metadata  *general.file_type: 32 and 7' out
	apr-diff -q --metadata all "$F/gguf/llama3.bf16.gguf" "$F/gguf/llama3.bf16.gguf"
}

@test "tokenizers: lost, or with another word for an id" {
	need hf/llama3 gguf/llama3.bf16.gguf
	local g=$F/gguf/llama3.bf16.gguf
	apr-diff --json "$F/hf/llama3" "$g" >out
	jq -e '.metadata | all(.key | startswith("tokenizer") | not)' out
	cp -r "$F/hf/llama3" m && chmod -R u+w m
	jq -c '(.model.vocab | to_entries | map(select(.value == 300))[0].key) as $k |
	    .model.vocab |= (with_entries(if .key == $k then .key = "zzzz" else . end)) |
	    .model.merges |= map(select(join("") != $k))' "$F/hf/llama3/tokenizer.json" >m/tokenizer.json
	differ apr-diff --json m "$g"
	jq -e '.metadata[] | select(.key == "tokenizer.tokens") | .a == "id 300 is zzzz, 1 differ"' out
	rm m/tokenizer.json
	apr-diff m "$g" >out
	grep '^metadata  *tokenizer: nothing and "bpe"' out
}

@test "bytes as they are stored" {
	need gguf/llama3.q8_0.gguf gguf/llama3.bf16.gguf
	apr-diff --bytes --json "$F/gguf/llama3.q8_0.gguf" "$F/gguf/llama3.q8_0.gguf" >out
	jq -e '.tensors | all(.status == "same" and .unequal_bytes == 0)' out
	cp "$F/gguf/llama3.q8_0.gguf" x.gguf && chmod u+w x.gguf
	printf '\377' | dd of=x.gguf bs=1 seek=$(($(stat -c %s x.gguf) - 100)) conv=notrunc status=none
	differ apr-diff --bytes "$F/gguf/llama3.q8_0.gguf" x.gguf
	grep '^over  *1 of [0-9]* bytes differ, the first at ' out
	differ apr-diff --bytes --json "$F/gguf/llama3.q8_0.gguf" "$F/gguf/llama3.bf16.gguf"
	[ "$(count unmeasured)" -gt 10 ]
}

@test "logits: identical, tie, diverged, unmeasured" {
	local h='{"logits":{"dtype":"F32","shape":[4,3],"data_offsets":[0,48]}}'
	f32 1 2 3  1 2 2.0005  5 1 1  0 0 1 | st a.safetensors "$h"
	f32 1 2 4  1 2.1 2  1 5 1  0 0 nan | st b.safetensors "$h"
	differ apr-diff --logits --json a.safetensors b.safetensors
	jq -e '[.positions[].class] == ["IDENTICAL", "TIE-BREAK", "DIVERGED", "UNMEASURED"] and
	    .first_divergence == 2 and .agreement == 0.25' out
	jq -e '.positions[2] | .argmax == [0, 1] and .margin_a == 4 and .gap == 4 and
	    (.cosine - 11 / 27 | fabs) < 1e-15' out
	# By hand: ln p of softmax.
	jq -e '.positions[2] | (.kl - ((5 | exp) * 4 - (1 | exp) * 4) / ((5 | exp) + 2 * (1 | exp)) | fabs) < 1e-14' out
	# What is missing is not the same.
	f32 1 2 3  1 2 3 | st c.safetensors '{"logits":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
	f32 1 2 3 | st d.safetensors '{"logits":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]}}'
	apr-diff -q --logits c.safetensors c.safetensors
	differ apr-diff --logits c.safetensors d.safetensors
	grep '1 UNMEASURED' out
	differ apr-diff -q --logits --min-agree 0 --max-kl 100 c.safetensors d.safetensors
	f32 1 2 3 | st e.safetensors '{"x":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]}}'
	trouble apr-diff --logits c.safetensors e.safetensors
	says 'nothing is measured'
	f32 1 2 3 4 | st e.safetensors '{"logits":{"dtype":"F32","shape":[1,4],"data_offsets":[0,16]}}'
	trouble apr-diff --logits c.safetensors e.safetensors
}

@test "two models run a text; streams of their logits say the same" {
	need gguf/llama3.bf16.gguf gguf/llama3.q8_0.gguf text
	local a=$F/gguf/llama3.bf16.gguf b=$F/gguf/llama3.q8_0.gguf
	head -c 300 "$REPO/README.md" >text
	differ apr-diff --run text -c 64 --json "$a" "$b"
	apr-infer --ppl text -c 64 --json "$a" >ppl
	jq -e --slurpfile p ppl '(.perplexity_a / $p[0].perplexity - 1 | fabs) < 1e-8 and
	    .predicted == $p[0].tokens' out
	apr-infer --ppl text -c 64 --json "$b" >ppl
	jq -e --slurpfile p ppl '(.perplexity_b / $p[0].perplexity - 1 | fabs) < 1e-8' out
	apr-diff -q --run text "$a" "$a"
	apr-diff -q --run text --max-kl 0.1 "$a" "$b"
	differ apr-diff -q --run text --max-kl 1e-6 "$a" "$b"
	# One window, by way of streams: all but the last position are the text's.
	head -c 100 text >short
	apr-token "$a" <short | tr '\n' , >ids
	apr-diff --run short --json "$a" "$b" >out || [ $? = 1 ]
	apr-diff --logits --json <(apr-infer --logits --ids "$(cat ids)" "$a") \
	    <(apr-infer --logits --ids "$(cat ids)" "$b") >got || [ $? = 1 ]
	jq -e --slurpfile g got '.identical as $n | .kl.mean as $m | $g[0].positions[:-1] |
	    (map(select(.class == "IDENTICAL")) | length) == $n and
	    ((map(.kl) | add / length) / $m - 1 | fabs) < 1e-9' out
	trouble apr-diff --run text "$a" nowhere.gguf
}

@test "trace: the first value that differs is named" {
	need hf/llama3
	local i=5,17,300,42
	cp -r "$F/hf/llama3" m && chmod -R u+w m
	apr-infer --trace '*' --ids $i m >a.tar
	apr-infer --trace '*' --ids $i -b 1 m >b.tar
	apr-diff -q --trace a.tar b.tar
	# Another epsilon shows at once, other positions in the first attention.
	jq '.rms_norm_eps = 0.1' m/config.json >c && cp c m/config.json
	apr-infer --trace '*' --ids $i m >b.tar
	differ apr-diff --trace --json a.tar b.tar
	[ "$(jq -r '.first | "\(.layer) \(.operation)"' out)" = "0 attn_norm" ]
	differ apr-diff --trace a.tar b.tar
	grep '^before .*hidden.0' out
	grep '^first .*layer.0.attn_norm (layer 0, attn_norm): NMSE' out
	# One that a side lacks is not measured.
	apr-infer --trace 'hidden.*' --ids $i "$F/hf/llama3" >b.tar
	differ apr-diff --trace a.tar b.tar
	grep ' [1-9][0-9]* unmeasured' out
}

@test "misuse and trouble are 2, and output is checked" {
	fails 2 apr-diff
	fails 2 apr-diff a
	fails 2 apr-diff - -
	fails 2 apr-diff --max-nmse -1 a b
	fails 2 apr-diff --min-cosine 2 a b
	fails 2 apr-diff --logits --trace a b
	trouble apr-diff nowhere nothing
	says nowhere
	f32 1 | st a.safetensors '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
	if [ -w /dev/full ]; then
		local got=0
		apr-diff a.safetensors a.safetensors >/dev/full 2>err || got=$?
		[ "$got" = 2 ]
	fi
	apr-diff --help | grep -q '^usage: apr-diff'
}
