#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

@test "help, version, wrong usage" {
	apr-edit --help | grep '^usage: apr-edit' >/dev/null
	[ "$(apr-edit --version | cut -d' ' -f1)" = apr-edit ]
	: >empty
	fails 2 apr-edit <empty
	fails 2 apr-edit . . <empty
	fails 2 apr-edit '.[' <empty
	fails 1 apr-edit . <empty
	apr-cat "$REPO/examples/sample" >s.tar
	fails 1 apr-edit -f nowhere <s.tar
	fails 1 apr-edit empty <s.tar
	says 'gives nothing'
	fails 1 apr-edit '., .' <s.tar
	says 'more than one result'
	fails 1 apr-edit 'error("no")' <s.tar
	says 'fails: no'
	fails 1 apr-edit 1 <s.tar
	head -c 200000 s.tar >cut
	fails 1 apr-edit . <cut
	OUT=/dev/full fails 1 apr-edit . <s.tar
}

@test "what is not changed keeps its bytes, in every format" {
	local f
	for f in gguf/smollm.q8_0.gguf apr/smollm.int4.apr apr/made/golden_A.apr hf/qwen2/model.safetensors; do
		need "$f"
		apr-cat "$F/$f" | apr-edit . | apr-pack -f out."${f##*.}"
		same out."${f##*.}" "$F/$f"
	done
	apr-cat "$REPO/examples/sample" | apr-edit . | apr-pack d/
	diff -r d "$REPO/examples/sample"
}

@test "GGUF: keys are set, changed in place and deleted; the others' bytes stay" {
	need gguf/llama3.q8_0.gguf
	local p='.metadata["general.name"] = "New" | .metadata["llama.context_length"] += 1 |
	    .metadata["x.float"] = 0.5 | .metadata["x.list"] = ["a", "b"] | .metadata["x.flag"] = true |
	    .metadata["x.minus"] = -3 | del(.metadata["general.file_type"])'
	apr-cat "$F/gguf/llama3.q8_0.gguf" | apr-edit "$p" | apr-pack out.gguf
	"$APR_BUILD"/test/ggufdump "$F/gguf/llama3.q8_0.gguf" >a
	"$APR_BUILD"/test/ggufdump out.gguf >b
	diff a b >d || true
	cat d
	grep '^> .*general.name.*New' d
	grep '^> .*x.float.*FLOAT32.*0.5' d
	grep '^> .*x.list.*\["a","b"\]' d
	grep '^> .*x.flag.*BOOL' d
	grep '^> .*x.minus.*INT32.*-3' d
	grep '^< .*general.file_type' d
	! grep 'tokenizer' d || false
	apr-cat "$F/gguf/llama3.q8_0.gguf" | sums >a
	apr-cat out.gguf | sums | cmp - a
	# A key's type is its own, whatever a value looks like.
	apr-cat "$F/gguf/llama3.q8_0.gguf" | apr-edit '.metadata["llama.rope.freq_base"] = 10000' | apr-pack t.gguf
	"$APR_BUILD"/test/ggufdump t.gguf | grep 'llama.rope.freq_base.*FLOAT32.*10000'
	# There and back: the source's bytes.
	apr-cat out.gguf | apr-edit '.metadata |= with_entries(select(.key | startswith("x.") | not))' |
	    apr-edit '.metadata["llama.context_length"] -= 1' | apr-pack back.gguf
	apr-cat "$F/gguf/llama3.q8_0.gguf" | apr-edit '.metadata["general.name"] = "New" |
	    del(.metadata["general.file_type"])' | apr-pack want.gguf
	same back.gguf want.gguf
	apr-cat out.gguf >s.tar
	fails 1 apr-edit '.metadata["general.name"] = {}' <s.tar
	fails 1 apr-edit '.metadata["tokenizer.ggml.tokens"].count = 3' <s.tar
	says 'too long'
}

@test "integers that jq cannot hold are strings, and come back" {
	has xxhsum
	need apr/made/golden_A.apr
	apr-cat "$F/apr/made/golden_A.apr" | apr-edit '.metadata.seed = 1' | apr-pack a.apr
	apr-cat a.apr >a.tar
	mkdir m && tar xf a.tar -C m
	sed -i 's/"seed":1/"seed":9007199254740993/' m/manifest.json
	(cd m && { tar tf ../a.tar | grep -v CHECKSUMS | while read -r f; do
		printf '%s  %s\n' "$(xxhsum -H2 - <"$f" | cut -c1-32)" "$f"
	done; } >CHECKSUMS && tar cf ../big.tar manifest.json files tensors CHECKSUMS)
	apr-edit '.metadata.note = .metadata.seed' <big.tar | tar xOf - manifest.json >j
	grep '"seed":9007199254740993' j
	grep '"note":"9007199254740993"' j
	apr-edit '.metadata.seed = "9007199254740995"' <big.tar | tar xOf - manifest.json >j
	grep '"seed":9007199254740995' j
}

@test ".apr and safetensors: their own metadata" {
	need apr/smollm.int4.apr hf/qwen2/model.safetensors
	apr-cat "$F/apr/smollm.int4.apr" | apr-edit '.metadata.description = "mine" | del(.metadata.license)' |
	    apr-pack out.apr
	apr-ls --json out.apr | jq -S .metadata >b
	apr-ls --json "$F/apr/smollm.int4.apr" | jq -S '.metadata | .description = "mine" | del(.license)' >a
	same a b
	apr-cat "$F/apr/smollm.int4.apr" | sums >a
	apr-cat out.apr | sums | cmp - a
	apr-cat "$F/hf/qwen2/model.safetensors" | apr-edit '.metadata.who = "me"' | apr-pack out.safetensors
	n=$(od -An -tu8 -N8 out.safetensors | tr -d ' ')
	head -c $((n + 8)) out.safetensors | tail -c "$n" | jq -e '.__metadata__ == {format: "pt", who: "me"}'
	apr-cat out.safetensors | apr-edit 'del(.metadata.who)' | apr-pack back.safetensors
	same back.safetensors "$F/hf/qwen2/model.safetensors"
	apr-cat out.safetensors >s.tar
	fails 1 apr-edit '.metadata.n = 1' <s.tar
	says strings
}

@test "a directory: config.json, in place" {
	need hf/qwen2
	apr-cat "$F/hf/qwen2" | apr-edit '.metadata.rms_norm_eps = 0.25 | .metadata.mine = [1]' | apr-pack d/
	diff "$F/hf/qwen2/config.json" d/config.json >x || true
	[ "$(grep -c '^[<>]' x)" -le 6 ]
	jq -e '.rms_norm_eps == 0.25 and .mine == [1]' d/config.json
	diff <(jq -S 'del(.rms_norm_eps, .mine)' d/config.json) <(jq -S 'del(.rms_norm_eps, .mine)' "$F/hf/qwen2/config.json")
	cmp d/model.safetensors "$F/hf/qwen2/model.safetensors"
	# It is what other formats get.
	apr-cat "$F/hf/qwen2" | apr-edit '.metadata.max_position_embeddings = 77' | apr-pack -q q.gguf
	apr-ls --json q.gguf | jq -e '.metadata["qwen2.context_length"] == 77'
}

@test "tensors are renamed and left out" {
	need apr/smollm.apr gguf/llama3.q8_0.gguf
	apr-cat "$F/gguf/llama3.q8_0.gguf" >s.tar
	apr-edit '.tensors |= map(select(.name != "output.weight") | .name |= sub("^blk"; "b\u00e9k"))' <s.tar >t.tar
	tar xOf s.tar manifest.json | jq -r '.tensors[] | select(.name != "output.weight") | .name | sub("^blk"; "b\u00e9k")' >a
	names <t.tar | cmp - a
	apr-pack --raw t.gguf <t.tar
	apr-cat t.gguf | names | cmp - a
	# A tied one follows what it equals.
	apr-cat "$F/apr/smollm.apr" | apr-edit '.tensors |= map(.name |= "x." + .)' | tar xOf - manifest.json |
	    jq -e '[.tensors[] | select(.tied_to) | .tied_to | startswith("x.")] | length == 1 and all'
	fails 1 apr-edit '.tensors[0].dtype = "F64"' <s.tar
	says 'only its name'
	fails 1 apr-edit '.tensors |= reverse' <s.tar
	says 'order'
	fails 1 apr-edit '.tensors[0].name = ""' <s.tar
	fails 1 apr-edit '.tensors[0].name = .tensors[1].name' <s.tar
	fails 1 apr-edit '.tensors += [{}]' <s.tar
	says 'no tensor has'
	tar xOf t.tar manifest.json | jq -e '.history[-1].tool == "apr-edit"'
}

@test "programs that want more input, or that make what no stream can hold" {
	apr-cat "$REPO/examples/sample" >s.tar
	fails 1 apr-edit 'input' <s.tar
	says 'the program fails'
	fails 1 apr-edit '[inputs]' <s.tar
	says 'no object'
	apr-edit 'debug' <s.tar >t.tar
	[ "$(sums <t.tar)" = "$(sums <s.tar)" ]
	fails 2 apr-edit 'import "a" as a; .' <s.tar
	# What is written can be read: to the last level.
	apr-edit '.metadata.a = (reduce range(61) as $i (1; [.]))' <s.tar >t.tar
	apr-ls <t.tar >/dev/null
	apr-edit '.metadata.a = (reduce range(100) as $i ("[[\"[\\"; . + "[")) | .metadata.b = "\\"' <s.tar >t.tar
	apr-ls <t.tar >/dev/null
	fails 1 apr-edit '.metadata.a = (reduce range(63) as $i (1; [.]))' <s.tar
	says 'nested too deep'
	cp -r "$REPO/examples/sample" d
	jq '.a = (reduce range(63) as $i (1; [.]))' "$REPO/examples/sample/config.json" >d/config.json
	fails 1 apr-cat d
	says 'metadata: nested too deep'
}
