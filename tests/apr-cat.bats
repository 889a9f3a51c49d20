#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

A=apr/smollm.int4.apr
G=gguf/llama3.bf16.gguf

@test "help, version, wrong usage" {
	apr-cat --help | grep '^usage: apr-cat' >/dev/null
	apr-cat --help 2>&1 >/dev/null | cmp - /dev/null
	[ "$(apr-cat --version | cut -d' ' -f1)" = apr-cat ]
	fails 2 apr-cat
	fails 2 apr-cat --nope x
	fails 2 apr-cat --order convertt x
	fails 2 apr-cat --zstd=99 x
	fails 2 apr-cat --zstd=x x
	fails 2 apr-cat --select
	need $A
	fails 2 apr-cat --where '.[' "$F/$A"
	OUT=/dev/full fails 1 apr-cat --help
}

@test "what cannot be read is exit 1" {
	fails 1 apr-cat missing.apr
	says missing.apr
	: >empty.apr
	fails 1 apr-cat empty.apr
	echo hello >text.apr
	fails 1 apr-cat text.apr
	says text.apr
	mkdir dir
	fails 1 apr-cat dir
	fails 1 apr-cat - </dev/null
	says "standard input"
	need $A
	head -c 100000 "$F/$A" >cut.apr
	fails 1 apr-cat cut.apr
	head -c 100000 "$F/$A" >cut.apr
	fails 1 apr-cat - <cut.apr
	# One byte of data flipped: the footer tells.
	cp "$F/$A" flip.apr
	printf '\377' | dd of=flip.apr bs=1 seek=$(($(stat -c %s flip.apr) / 2)) conv=notrunc 2>/dev/null
	if cmp -s flip.apr "$F/$A"; then
		printf '\0' | dd of=flip.apr bs=1 seek=$(($(stat -c %s flip.apr) / 2)) conv=notrunc 2>/dev/null
	fi
	fails 1 apr-cat flip.apr
	says CRC
	fails 1 apr-cat --order quantize flip.apr
	says CRC
	run bash -c 'apr-cat flip.apr 2>/dev/null | apr-pack out.apr'
	[ "$status" = 1 ]
	nothing out.apr
	if [ "$(id -u)" != 0 ]; then
		cp "$F/$A" locked.apr
		chmod 0 locked.apr
		fails 1 apr-cat locked.apr
	fi
}

@test "/dev/full, and a reader that leaves" {
	need $A $G hf/qwen2
	for f in $A $G hf/qwen2; do
		OUT=/dev/full fails 1 apr-cat "$F/$f"
		OUT=/dev/full fails 1 apr-cat --zstd "$F/$f"
		OUT=/dev/full fails 1 apr-cat --plan "$F/$f"
		set +o pipefail
		apr-cat "$F/$f" 2>err | head -c 1000 >head
		status=${PIPESTATUS[0]}
		set -o pipefail
		[ "$status" = 141 ] || [ "$status" = 0 ]
		[ ! -s err ]
		[ "$(stat -c %s head)" = 1000 ]
	done
}

@test "tar, bsdtar and xxhsum read a stream without a word" {
	for f in $A apr/made/golden_A.apr $G gguf/split/llama3.q4_k_m-00001-of-00003.gguf \
	    hf/llama3 hf/qwen2; do
		need "$f"
		rm -rf x y && mkdir x y
		apr-cat "$F/$f" >s.tar
		tar xf s.tar -C x >out 2>&1
		tar tvf s.tar 2>&1 >/dev/null | cat >>out
		if command -v bsdtar >/dev/null; then
			bsdtar xf s.tar -C y >>out 2>&1
			bsdtar tf s.tar 2>&1 >/dev/null | cat >>out
			diff -r x y
		fi
		[ ! -s out ] || { echo "$f: $(head -n 3 out)" >&2; false; }
		[ "$(tar tf s.tar | head -n 1)" = manifest.json ]
		[ "$(tar tf s.tar | tail -n 1)" = CHECKSUMS ]
		has xxhsum
		(cd x && xxhsum -c CHECKSUMS) >out 2>&1
		[ "$(grep -c ': OK' out)" = "$(tar tf s.tar | wc -l | awk '{ print $1 - 1 }')" ]
		[ "$(tar tvf s.tar | awk '{ print $1, $2, $4 }' | sort -u)" = '-rw-r--r-- 0/0 1970-01-01' ]
	done
}

@test "the same stream every time, and from every locale and place" {
	need $A hf/qwen2
	for f in $A hf/qwen2; do
		apr-cat "$F/$f" >a
		apr-cat "$F/$f" >b
		same a b
		(cd / && LC_ALL=C.UTF-8 TZ=Asia/Tokyo apr-cat "$F/$f") | cmp - a
	done
	apr-cat "$F/$A" >a
	apr-cat - <"$F/$A" | cmp - a
}

@test "a plan has the manifest, the files and the size, and no tensor" {
	for f in $A apr/made/golden_A.apr apr/made/golden_C.apr apr/made/min.apr $G \
	    gguf/llama3.imatrix.gguf; do
		need "$f"
		apr-cat -n "$F/$f" >plan
		tar tf plan >list
		[ "$(grep -c '^tensors/' list)" = 0 ]
		[ "$(tail -n 1 list)" = CHECKSUMS ]
		tar xOf plan manifest.json | jq -e '.plan == true' >/dev/null
		tar xOf plan manifest.json | jq -S '.tensors' >a
		apr-cat "$F/$f" | tar xOf - manifest.json | jq -S '.tensors' >b
		same a b
		s=.${f##*.}
		[ "$(apr-pack --json out$s <plan | jq .size)" = "$(stat -c %s "$F/$f")" ] ||
			{ echo "$f: $(apr-pack --json out$s <plan | head -c 100)" >&2; false; }
		nothing out$s
	done
}

@test "a plan reads no tensor" {
	# A terabyte of nothing.
	n=1099511627776
	st big.safetensors "{\"x\":{\"dtype\":\"F32\",\"shape\":[262144,1048576],\"data_offsets\":[0,$n]}}" </dev/null
	truncate -s $(($(stat -c %s big.safetensors) + n)) big.safetensors || skip "no large sparse files here"
	timeout 10 apr-cat --plan big.safetensors | apr-pack --json out.safetensors >json
	[ "$(jq .tensor_bytes json)" = $n ]
	timeout 10 apr-cat --plan --order name big.safetensors | apr-pack out.safetensors >/dev/null
	timeout 10 apr-ls big.safetensors >/dev/null
	can_trace
	env "$NO_LEAKS" strace -f -o trace -e trace=read,pread64,mmap apr-cat --plan big.safetensors >/dev/null
	[ "$(awk -F' = ' '/read|pread/ { n += $NF } END { print (n < 8000000) }' trace)" = 1 ]
}

@test "--order" {
	need $A $G
	apr-cat --order source "$F/$G" | cmp - <(apr-cat "$F/$G")
	apr-cat --order name "$F/$G" | names >got
	sort got | cmp - got
	apr-cat --order quantize "$F/$G" | names >got
	[ "$(grep -n '^blk.0.attn_k.weight' got | cut -d: -f1)" -lt "$(grep -n '^blk.0.ffn_down.weight' got | cut -d: -f1)" ]
	[ "$(grep -n '^output_norm.weight' got | cut -d: -f1)" -lt "$(grep -n '^blk.0' got | head -n 1 | cut -d: -f1)" ]
	for o in name quantize; do
		for f in $A $G; do
			apr-cat "$F/$f" | sums >want
			apr-cat --order $o "$F/$f" | sums | cmp - want
			apr-cat --order $o "$F/$f" | apr-pack -f out.${f##*.}
			apr-cat out.${f##*.} | sums | cmp - want
			apr-cat --order $o "$F/$f" | apr-pack - | cmp - out.${f##*.}
		done
	done
	# What the .apr sorts anyway.
	apr-cat --order name "$F/$A" | apr-pack -f out.apr
	same out.apr "$F/$A"
	export F
	run bash -c 'cat "$F/apr/smollm.int4.apr" | apr-cat --order name - 2>&1 >/dev/null'
	[ "$status" = 1 ]
	[[ $output == apr-cat:*seek* ]]
}

@test "--select, --reject, --where" {
	need $G
	apr-cat "$F/$G" | tar xOf - manifest.json | jq -c '.tensors[]' >all
	apr-cat --select 'blk.1.*' "$F/$G" | names >got
	jq -r 'select(.name | startswith("blk.1.")).name' all | cmp - got
	[ -s got ]
	apr-cat --select 'blk.1.*' --select '*norm*' --reject '*attn*' "$F/$G" | names >got
	jq -r '.name | select((startswith("blk.1.") or test("norm")) and (test("attn") | not))' all | cmp - got
	[ -s got ]
	apr-cat "$F/$G" --where '.dtype=="F32" and (.shape|length)==1' | names >got
	jq -r 'select(.dtype=="F32" and (.shape|length)==1).name' all | cmp - got
	[ -s got ]
	# The bytes are the right ones, and also out of a pipe.
	apr-cat "$F/$G" | sums | grep 'tensors/blk.1.' >want
	apr-cat --select 'blk.1.*' "$F/$G" | sums | cmp - want
	cat "$F/$G" | apr-cat --select 'blk.1.*' - | sums | cmp - want
	apr-cat --select 'blk.1.*' "$F/$G" | apr-pack out.gguf
	apr-cat out.gguf | sums | cmp - want
	apr-cat -n --select 'blk.1.*' "$F/$G" | apr-pack --json x.gguf | jq .size >size
	[ "$(cat size)" = "$(stat -c %s out.gguf)" ]
	fails 1 apr-cat --where '.name + 1' "$F/$G"
	apr-cat --select nothing "$F/$G" | tar xOf - manifest.json | jq -e '.tensors == []' >/dev/null
	apr-cat "$F/$G" >saved.tar
	fails 1 apr-cat --select x saved.tar
}

@test "--select of a directory's shards" {
	need hf/llama3
	apr-cat "$F/hf/llama3" | sums | grep layers.0 >want
	apr-cat --select '*layers.0.*' "$F/hf/llama3" | apr-pack out/
	apr-cat out | sums | cmp - want
	[ "$(ls out/*.safetensors)" = out/model.safetensors ]
	[ ! -e out/model.safetensors.index.json ]
	cmp out/config.json "$F/hf/llama3/config.json"
}

@test "--absmax" {
	printf '\0\0\200\077\0\0\140\300\0\0\200\276\0\100\200\077' >data # 1 -3.5 -.25; 2 1
	st m.safetensors '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]}}' <data
	apr-cat --absmax m.safetensors | tar xOf - manifest.json >man
	[ "$(jq -c '[.tensors[].absmax]' man)" = '[3.5,2]' ]
	apr-cat --absmax m.safetensors | apr-pack out.safetensors
	same out.safetensors m.safetensors
	run bash -c 'cat m.safetensors | apr-cat --absmax - 2>&1 >/dev/null'
	[ "$status" = 1 ]
	need $G
	apr-cat --absmax "$F/$G" >s.tar
	while read -r name want; do
		got=$(tar xOf s.tar "tensors/$name" | od -An -v -t f4 -w4 |
			awk '{ x = $1 < 0 ? -$1 : $1; if (x > m) m = x } END { printf "%.6g", m }')
		[ "$got" = "$(printf %.6g "$want")" ]
	done < <(tar xOf s.tar manifest.json | jq -r '.tensors[] | select(.dtype=="F32") | "\(.name) \(.absmax)"')
	apr-pack out.gguf <s.tar
	same out.gguf "$F/$G"
}

@test "several operands are one model" {
	need hf/llama3 $A $G
	a=$F/hf/llama3/model-00001-of-00002.safetensors
	b=$F/hf/llama3/model-00002-of-00002.safetensors
	apr-cat "$F/hf/llama3" | sums >want
	apr-cat "$a" "$b" | sums | cmp - want
	apr-cat "$a" "$b" | apr-pack one.safetensors
	apr-cat one.safetensors | sums | cmp - want
	apr-cat --order name "$a" "$b" | sums | cmp - want
	apr-cat - "$b" <"$a" | sums | cmp - want
	fails 1 apr-cat "$a" "$a"
	fails 1 apr-cat "$a" "$F/$G"
	fails 1 apr-cat "$a" "$F/hf/llama3"
	apr-cat "$a" >saved.tar
	fails 1 apr-cat saved.tar "$b"
}

@test "a split GGUF needs its first part, and the others" {
	need gguf/split
	cp "$F"/gguf/split/*.gguf .
	fails 1 apr-cat llama3.q4_k_m-00002-of-00003.gguf
	mv llama3.q4_k_m-00003-of-00003.gguf away
	fails 1 apr-cat llama3.q4_k_m-00001-of-00003.gguf
	says 00003-of-00003
}

@test "directories: links are followed, the rest stays" {
	need hf/qwen2
	mkdir m
	ln -s "$F"/hf/qwen2/* m/
	mkdir m/sub
	echo x >m/.hidden
	echo x >m/pytorch_model.bin
	apr-cat m | apr-pack out/
	diff -r out "$F/hf/qwen2"
	apr-cat -v m 2>notes >/dev/null
	grep -q pytorch_model.bin notes
	apr-cat m 2>&1 >/dev/null | cmp - /dev/null
	mkdir two
	cp "$F/hf/qwen2/model.safetensors" two/a.safetensors
	apr-cat two | names >/dev/null
	cp two/a.safetensors two/b.safetensors
	fails 1 apr-cat two
}

@test "9000 tiny tensors, in and out of order" {
	awk 'BEGIN { printf "{"; for (i = 0; i < 9000; i++)
		printf "%s\"model.layers.%d.experts.%d.weight\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[%d,%d]}",
		i ? "," : "", i % 90, int(i / 90), 5 * i, 5 * i + 5; printf "}" }' >json
	seq 10000 18999 | tr -d '\n' | st many.safetensors "$(cat json)"
	apr-cat many.safetensors | apr-pack out.safetensors
	same out.safetensors many.safetensors
	apr-cat many.safetensors | sums >want
	[ "$(wc -l <want)" = 9000 ]
	apr-cat --order name many.safetensors | apr-pack out.apr
	apr-cat out.apr | sums | cmp - want
	apr-cat -n out.apr | apr-pack --json x.apr | jq .size >size
	[ "$(cat size)" = "$(stat -c %s out.apr)" ]
}

@test "names of any bytes make members of safe ones" {
	printf '\0\0\200\077\0\0\200\077\0\0\200\077' |
		st m.safetensors '{"../../x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},".a b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"é\u001b[31m":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}'
	apr-cat m.safetensors | tar tf - >list
	grep -qx 'tensors/%2E\.%2F\.\.%2Fx' list
	grep -qx 'tensors/%2Ea%20b' list
	grep -qx 'tensors/%C3%A9%1B%5B31m' list
	apr-cat m.safetensors | apr-pack out.safetensors
	same out.safetensors m.safetensors
}
