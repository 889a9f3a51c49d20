#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# apr-cat F | apr-pack F2: F2 is F, byte for byte, however the pipe is cut.
load helper

# Model files of all formats, in one piece each.
models() {
	local f
	for f in "$F"/apr/*.apr "$F"/apr/made/*.apr "$F"/gguf/*.gguf "$F"/vocab/*.gguf; do
		[ ! -e "$f" ] || echo "$f"
	done
}

dirs() {
	local d
	for d in "$F"/hf/*/; do
		echo "${d%/}"
	done
}

# back F -- standard input, packed, is F again.
back() {
	rm -rf "$T/back" "$T/back.${1##*.}"
	if [ -d "$1" ]; then
		apr-pack "$T/back/" && diff -r "$1" "$T/back" >&2 && return
	else
		apr-pack "$T/back.${1##*.}" && cmp "$1" "$T/back.${1##*.}" >&2 && return
	fi
	echo "not the same again: $1" >&2
	return 1
}

small() {
	[ "$(du -sb "$1" | cut -f1)" -lt 3000000 ]
}

@test "every file is itself again" {
	models >list
	while read -r f; do
		apr-cat "$f" | back "$f"
	done <list
	[ "$(wc -l <list)" -ge 15 ]
}

@test "every directory is itself again, every file of it" {
	dirs >list
	while read -r f; do
		apr-cat "$f" | back "$f"
	done <list
	[ "$(wc -l <list)" -ge 2 ]
}

@test "an index.json, and a .safetensors of a directory" {
	need hf/llama3 hf/qwen2
	apr-cat "$F/hf/llama3/model.safetensors.index.json" | apr-pack out/
	for f in out/*; do
		same "$f" "$F/hf/llama3/${f#out/}"
	done
	[ "$(ls out | wc -l)" = 3 ]
	apr-cat "$F/hf/qwen2/model.safetensors" | back "$F/hf/qwen2/model.safetensors"
}

@test "through cat, from standard input, and to standard output" {
	{ models; dirs; } >list
	while read -r f; do
		apr-cat "$f" | cat | back "$f"
		[ ! -d "$f" ] || continue
		apr-cat - <"$f" | back "$f"
		# A pipe cannot be sought.
		cat "$f" | apr-cat - | back "$f"
		apr-cat "$f" | apr-pack - | cmp - "$f" || { echo "$f differs" >&2; false; }
	done <list
}

@test "through dd bs=7; what is large, 4099" {
	{ models; dirs; } >list
	while read -r f; do
		n=4099
		! small "$f" || n=7
		apr-cat "$f" | dd bs=$n 2>/dev/null | back "$f"
	done <list
}

@test "a model from dd bs=7" {
	need apr/smollm.int4.apr gguf/llama3.tq1_0.gguf
	for f in "$F/apr/smollm.int4.apr" "$F/gguf/llama3.tq1_0.gguf"; do
		dd bs=7 if="$f" 2>/dev/null | apr-cat - | back "$f"
	done
}

@test "zstd, ours and the program's, and a saved stream" {
	has zstd
	{ models; dirs; } >list
	while read -r f; do
		small "$f" || continue
		apr-cat "$f" | zstd -q -1 | apr-cat - | back "$f"
		apr-cat --zstd "$f" >saved.tar.zst
		zstd -q -t saved.tar.zst
		back "$f" <saved.tar.zst
		apr-cat saved.tar.zst | back "$f"
		zstd -q -d -c saved.tar.zst >saved.tar
		back "$f" <saved.tar
		apr-cat saved.tar | cmp - saved.tar || { echo "$f: a saved stream changed" >&2; false; }
		apr-cat - <saved.tar.zst | cmp - saved.tar || { echo "$f: a saved stream changed" >&2; false; }
	done <list
}

@test "zstd levels, and a compressed model" {
	has zstd
	need apr/smollm.int4.apr
	f=$F/apr/smollm.int4.apr
	apr-cat --zstd=1 "$f" | back "$f"
	apr-cat --zstd=9 "$f" | apr-cat --zstd=2 - | back "$f"
	zstd -q -c "$f" >m.apr.zst
	apr-cat m.apr.zst | back "$f"
	apr-cat - <m.apr.zst | back "$f"
}

@test "repacked by GNU tar" {
	{ models; dirs; } >list
	while read -r f; do
		small "$f" || continue
		rm -rf x && mkdir x
		apr-cat "$f" | tar xf - -C x
		tail=
		[ ! -e x/tail.json ] || tail=tail.json
		[ -d x/tensors ] || mkdir x/tensors
		tar cf - -C x manifest.json files tensors $tail CHECKSUMS | back "$f"
		tar cf - -C x ./manifest.json ./files ./tensors ${tail:+./$tail} ./CHECKSUMS | back "$f"
	done <list
}

@test "a split GGUF: its parts again, or the same tensors in one file" {
	need gguf/split
	p=$F/gguf/split/llama3.q4_k_m-00001-of-00003.gguf
	apr-cat "$p" | apr-pack --split-like-source llama3.q4_k_m.gguf
	[ "$(ls *.gguf)" = "$(cd "$F/gguf/split" && ls *.gguf)" ]
	for f in *.gguf; do
		same "$f" "$F/gguf/split/$f"
	done
	apr-cat "$p" | dd bs=4099 2>/dev/null | apr-pack -f --split-like-source llama3.q4_k_m.gguf
	for f in *.gguf; do
		same "$f" "$F/gguf/split/$f"
	done
	apr-cat "$p" | apr-pack one.gguf
	apr-cat "$p" | sums >parts.sums
	apr-cat one.gguf | sums >one.sums
	[ -s parts.sums ]
	same parts.sums one.sums
	apr-ls --json one.gguf >ls.json
	[ "$(grep -c '"split\.' ls.json)" = 0 ]
	apr-cat one.gguf | apr-pack two.gguf
	same one.gguf two.gguf
}

@test "a split GGUF as one file is what it was split from" {
	need gguf/split gguf/llama3.q4_k_m.gguf
	apr-cat "$F/gguf/split/llama3.q4_k_m-00001-of-00003.gguf" | apr-pack one.gguf
	same one.gguf "$F/gguf/llama3.q4_k_m.gguf"
}

@test "odd files: gaps, padding, footers, marks, ghosts" {
	good=$REPO/tests/bad/good
	[ -d "$good" ] || skip "no tests/bad/good"
	for f in "$good"/*.apr "$good"/*.gguf "$good"/*.safetensors; do
		apr-cat "$f" | back "$f"
		apr-cat "$f" | dd bs=7 2>/dev/null | back "$f"
		apr-cat - <"$f" | back "$f"
		cat "$f" | apr-cat - | back "$f"
		apr-cat "$f" | zstd -q | apr-cat - | apr-pack - | cmp - "$f"
	done
}
