#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

@test "help, version, wrong usage" {
	apr-split --help | grep '^usage: apr-split' >/dev/null
	[ "$(apr-split --version | cut -d' ' -f1)" = apr-split ]
	: >empty
	fails 2 apr-split p- <empty
	fails 2 apr-split --each <empty
	fails 2 apr-split --each a b <empty
	fails 2 apr-split --each '' <empty
	fails 2 apr-split --each --layers p- <empty
	fails 2 apr-split --max-size 0 p- <empty
	fails 2 apr-split --max-tensors 1X p- <empty
	fails 2 apr-split --each --order name p- <empty
	fails 1 apr-split --each p- <empty
	apr-cat --plan "$REPO/examples/sample" >plan
	fails 1 apr-split --each p- <plan
	says plan
	apr-cat "$REPO/examples/sample" >s.tar
	fails 2 apr-split --each --format npz p- <s.tar
	fails 1 apr-split --each nodir/p- <s.tar
	nothing 'p-*'
}

@test "GGUF: llama-gguf-split's bytes" {
	need gguf/split gguf/llama3.q4_k_m.gguf
	apr-cat "$F/gguf/llama3.q4_k_m.gguf" | apr-split --max-tensors 9 llama3.q4_k_m
	for i in 1 2 3; do
		same llama3.q4_k_m-0000$i-of-00003.gguf "$F/gguf/split/llama3.q4_k_m-0000$i-of-00003.gguf"
	done
	apr-cat llama3.q4_k_m-00001-of-00003.gguf | apr-pack w.gguf
	same w.gguf "$F/gguf/llama3.q4_k_m.gguf"
	# Split again, elsewhere.
	apr-cat llama3.q4_k_m-00001-of-00003.gguf | apr-split --max-tensors 20 again
	apr-cat again-00001-of-00002.gguf | apr-pack -f w.gguf
	same w.gguf "$F/gguf/llama3.q4_k_m.gguf"
}

@test "parts are the whole again, in every format and by every cut" {
	local f how suffix
	for f in gguf/qwen3-moe.q4_k_m.gguf apr/smollm.int4.apr apr/llama3.apr apr/made/golden_A.apr \
	    hf/qwen2/model.safetensors; do
		need "$f"
		suffix=${f##*.}
		for how in '--max-size 100K' '--max-tensors 3' --layers --each; do
			rm -rf d && mkdir d
			apr-cat "$F/$f" | apr-split $how d/
			apr-cat d/*."$suffix" | apr-pack back."$suffix"
			same back."$suffix" "$F/$f" "$f $how"
			rm back."$suffix"
		done
	done
}

@test "streams give back what no other form does" {
	local f
	for f in apr/smollm.int4.apr apr/qwen2.gguf-q4_k_m.apr hf/gpt2/model.safetensors; do
		need "$f"
		rm -rf d && mkdir d
		apr-cat "$F/$f" | apr-split --layers --format tar d/x
		[ "$(ls d | wc -l)" -gt 2 ]
		apr-cat d/x-*.tar | apr-pack -f back."${f##*.}"
		same back."${f##*.}" "$F/$f"
	done
	need hf/qwen3-moe
	apr-cat "$F/hf/qwen3-moe" | apr-split --max-size 500K --format tar e
	apr-cat e-*.tar | apr-pack back/
	diff -r back "$F/hf/qwen3-moe"
	# Parts of one stream, and all of them.
	apr-ls e-00002-of-*.tar >list
	fails 1 apr-cat e-00001-of-*.tar e-00001-of-*.tar
	says 'files of its own'
	fails 1 apr-cat e-00001-of-*.tar e-00002-of-*.tar e-00002-of-*.tar
	fails 1 apr-cat e-00001-of-*.tar "$F/hf/qwen3-moe/config.json"
	says 'is no stream'
}

@test "sizes, counts and layers are as asked for" {
	need hf/llama
	mkdir d
	apr-cat "$F/hf/llama" | apr-split --max-size 300K d/a
	jq -r '.weight_map | to_entries[] | "\(.value) \(.key)"' d/a.safetensors.index.json | sort >want
	for f in d/a-*.safetensors; do
		n=$(apr-ls --json "$f" | jq '[.tensors[].bytes] | add, length' | tr '\n' ' ')
		set -- $n
		[ "$1" -le 300000 ] || [ "$2" = 1 ]
		apr-cat "$f" | names | sed "s/^/${f##*/} /"
	done | sort >got
	same want got
	apr-cat d/a.safetensors.index.json | apr-pack w.safetensors
	apr-cat "$F/hf/llama" | apr-pack v.safetensors
	same w.safetensors v.safetensors
	apr-cat --as gguf "$F/hf/llama" | apr-split --layers --format gguf d/b
	[ "$(ls d/b-* | wc -l)" = 11 ]
	apr-cat "$F/hf/llama" | apr-split --each --format apr d/c
	[ -e d/c-00001-lm_head.weight.apr ]
	# A part is a model of its own: its architecture is in it.
	apr-cat d/c-00002-*.apr | apr-quant -q q8_0 2>&1 >q.tar
	tar xOf q.tar manifest.json | jq -e '.metadata.architecture == "llama"'
}

@test "into another format: the bytes of apr-pack, cut" {
	need hf/qwen3-moe hf/gpt2
	for m in qwen3-moe gpt2; do
		for f in gguf apr; do
			apr-cat "$F/hf/$m" | apr-split -q --max-tensors 7 --format $f p
			if [ $f = gguf ]; then set -- p-00001-of-*; else set -- p-*; fi
			apr-cat "$@" | apr-pack a.$f
			apr-cat "$F/hf/$m" | apr-pack -q b.$f
			same a.$f b.$f
			rm p-* a.$f b.$f
		done
	done
}

@test "what exists stays without -f; a cut stream leaves nothing" {
	need apr/smollm.int4.apr
	apr-cat "$F/apr/smollm.int4.apr" >s.tar
	mkdir d
	ln -s nowhere d/p-00003-of-00007.apr
	fails 1 apr-split --max-tensors 3 d/p <s.tar
	says 00003
	[ "$(ls -A d)" = p-00003-of-00007.apr ]
	apr-split -f --max-tensors 3 d/p <s.tar
	[ ! -e nowhere ]
	[ ! -L d/p-00003-of-00007.apr ]
	apr-cat d/p-*.apr | apr-pack w.apr
	same w.apr "$F/apr/smollm.int4.apr"
	rm -rf d && mkdir d
	for n in 600 100000 900000 $(($(stat -c %s s.tar) - 2000)); do
		head -c $n s.tar >cut.tar
		for f in apr tar; do
			fails 1 apr-split --each --format $f d/ <cut.tar
			[ -z "$(ls -A d)" ]
		done
	done
}

@test "names are encoded, and few descriptors do" {
	printf '{"a/../b \\u00fc":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},".x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}' >h
	head -c 8 /dev/zero | st m.safetensors "$(printf "$(cat h)")"
	mkdir d
	apr-cat m.safetensors | apr-split --each --raw d/n
	[ "$(ls d | tr '\n' ' ')" = 'n-00001-a%2F..%2Fb%20%C3%BC.safetensors n-00002-%2Ex.safetensors n.safetensors.index.json ' ]
	need hf/llama
	(ulimit -n 32; apr-cat "$F/hf/llama" | apr-split --each d/f)
	[ "$(ls d/f-* | wc -l)" -gt 60 ]
}

@test "little memory, however many parts" {
	[ "${APR_ASAN:-0}" = 0 ] || skip "with sanitizers memory is not measured"
	has time
	need apr/llama3.apr
	apr-cat "$F/apr/llama3.apr" >s.tar
	for f in apr tar; do
		command time -f %M -o rss apr-split --each --format $f "m-$f" <s.tar
		[ "$(tail -n 1 rss)" -lt 32768 ]
	done
}
