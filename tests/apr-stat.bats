#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

# f32 VALUE... -- their bytes; inf and nan by name.
f32() {
	local v
	for v; do
		case $v in
		0) printf '\0\0\0\0' ;;
		1) printf '\0\0\200\77' ;;
		-1) printf '\0\0\200\277' ;;
		2) printf '\0\0\0\100' ;;
		3) printf '\0\0\100\100' ;;
		-3) printf '\0\0\100\300' ;;
		5) printf '\0\0\240\100' ;;
		inf) printf '\0\0\200\177' ;;
		nan) printf '\0\0\300\177' ;;
		*) return 1 ;;
		esac
	done
}

@test "help, version, wrong usage" {
	apr-stat --help | grep '^usage: apr-stat' >/dev/null
	[ "$(apr-stat --version | cut -d' ' -f1)" = apr-stat ]
	: >empty
	fails 2 apr-stat -x <empty
	fails 2 apr-stat --errors x <empty
	fails 1 apr-stat <empty
	fails 2 apr-stat -j 0 <empty
	# A question's trouble is not its answer.
	local got=0
	apr-stat --check <empty 2>err || got=$?
	[ $got = 2 ]
	[ "$(wc -l <err)" = 1 ]
	fails 1 apr-stat nowhere.gguf
	apr-cat --plan "$REPO/examples/sample" >plan
	fails 1 apr-stat <plan
	apr-cat "$REPO/examples/sample" >s.tar
	head -c 100000 s.tar >cut
	fails 1 apr-stat <cut
	OUT=/dev/full fails 1 apr-stat <s.tar
}

@test "numbers that can be worked out by hand" {
	f32 1 2 3 5 0 -1 inf nan | st m.safetensors \
	    '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"x":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}'
	apr-stat --json m.safetensors >j
	# 1 2 3 5 0 -1: mean 10/6, squares 40; rows 2 and 4/3.
	jq -e '.tensors[0] | .n == 6 and .zeros == 1 and .min == -1 and .max == 5
	    and .first == [1, 2, 3, 5, 0, -1]
	    and (.mean - 10/6 | fabs) < 1e-15 and (.std - (40/6 - 100/36 | sqrt) | fabs) < 1e-15
	    and (.l2 - (40 | sqrt) | fabs) < 1e-15 and (.row_mean - (2 + 4/3) / 2 / 5 | fabs) < 1e-15' j
	jq -e '.tensors[1] | .nan == 1 and .inf == 1 and .mean == null and .first == [null, null]' j
	jq -e '.check == null' j
	# Of a row's mean the size counts: 2 and -2 are no 0.
	f32 1 3 -1 -3 | st r.safetensors '{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
	apr-stat --json r.safetensors | jq -e '.tensors[0] | .mean == 0 and (.row_mean - 2/3 | fabs) < 1e-15'
	apr-stat --check --json m.safetensors >j 2>err && false
	[ $? = 1 ]
	jq -e '[.check[] | [.tensor, .contract, .got]] ==
	    [["x", "nan", "1 of 2"], ["x", "inf", "1 of 2"]]' j
	grep '^apr-stat: x: nan: 1 of 2, expected none$' err
}

@test "numbers as JSON read back, with a point in every locale" {
	"${APR_BUILD:-$REPO/build}/test/real"
	printf 'LC_NUMERIC\ndecimal_point ","\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n' >comma
	localedef -c -i comma ./xx_XX 2>log || [ -s xx_XX/LC_NUMERIC ] || skip "no localedef"
	LOCPATH=$PWD LC_ALL=xx_XX "${APR_BUILD:-$REPO/build}/test/real" >out
	grep -x 'the point is ,' out
}

@test "neither threads, chunks nor pieces change a digit" {
	need gguf/llama3.q4_k_m.gguf apr/smollm.int4.apr apr/smollm.int8.apr apr/qwen2-odd.q4k.apr hf/phi3
	local m
	for m in gguf/llama3.q4_k_m.gguf apr/smollm.int4.apr apr/smollm.int8.apr apr/qwen2-odd.q4k.apr hf/phi3; do
		apr-cat "$F/$m" >s.tar
		apr-stat -j 1 --json --hist '*' <s.tar >want
		APR_CHUNK_ROWS=1 apr-stat -j 3 --json --hist '*' <s.tar >got
		same want got "$m"
		APR_CPU=scalar APR_CHUNK_ROWS=7 apr-stat -j 2 --json --hist '*' <s.tar >got
		same want got "$m"
		dd if=s.tar bs=777 status=none | apr-stat --json --hist '*' >got
		same want got "$m"
		jq -e '[.tensors[] | select(.counts) | (.counts | add) == .n] | all' want
	done
}

@test "what is fused, and the same apart" {
	need hf/phi3
	apr-stat --json "$F/hf/phi3" >j
	jq -e '.tensors[] | select(.name == "model.layers.0.self_attn.qkv_proj.weight") |
	    .q.n + .k.n + .v.n == .n and .q.zeros + .k.zeros + .v.zeros == .zeros
	    and ([.q.min, .k.min, .v.min] | min) == .min and ([.q.max, .k.max, .v.max] | max) == .max
	    and ((.q.mean * .q.n + .k.mean * .k.n + .v.mean * .v.n) / .n - .mean | fabs) < 1e-12' j
	# The first rows by themselves, as another model's tensor.
	apr-cat "$F/hf/phi3" >s.tar
	jq -r '[.tensors[] | select(.q)][0] | "\(.name) \(.q.n) \(.shape[1])"' j | {
		read -r name n cols
		tar xOf s.tar "tensors/$name" >all
		head -c $((n * 2)) all | st q.safetensors \
		    "{\"q\":{\"dtype\":\"BF16\",\"shape\":[$((n / cols)),$cols],\"data_offsets\":[0,$((n * 2))]}}"
	}
	jq -c '[.tensors[] | select(.q)][0].q | [.std, .l2, .row_mean, .max]' j >want
	apr-stat --json q.safetensors | jq -c '.tensors[0] | [.std, .l2, .row_mean, .max]' >got
	same want got
}

@test "contracts name what is wrong, and pass what is right" {
	need hf/qwen2 gguf/gpt2.q4_k_m.gguf apr/smollm.apr
	local m
	for m in hf/qwen2 gguf/gpt2.q4_k_m.gguf apr/smollm.apr; do
		apr-stat --check "$F/$m" >/dev/null
	done
	{
		head -c 40 /dev/zero
		f32 1 1 1 0 0 0 0 1 2 0 0 0 1
	} | st m.safetensors '{"zeros":{"dtype":"F32","shape":[10],"data_offsets":[0,40]},"same":{"dtype":"F32","shape":[3],"data_offsets":[40,52]},"wte":{"dtype":"F32","shape":[10],"data_offsets":[52,92]}}'
	fails_check() {
		local got=0
		apr-stat --check "$@" >out 2>err || got=$?
		[ $got = 1 ]
	}
	fails_check m.safetensors
	grep 'zeros: zeros: 100.00 %, expected at most 80 %' err
	grep 'zeros: l2: 0, expected at least 1e-06' err
	grep 'same: constant: all are 1, expected different values' err
	grep 'wte: zeros: 70.00 %, expected at most 50 %' err
	[ "$(wc -l <err)" = 5 ]		# and that zeros are constant
	# Shapes: the model says one thing, config.json another.
	cp -r "$F/hf/qwen2" m && chmod -R u+w m
	jq '.intermediate_size = 100' "$F/hf/qwen2/config.json" >m/config.json
	fails_check m
	grep 'model.layers.0.mlp.down_proj.weight: shape: \[256, [0-9]*\], expected \[256, 100\]' err
}

@test "histograms and pictures" {
	f32 0 1 1 2 3 3 3 5 | st m.safetensors '{"w":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}'
	apr-stat --hist w m.safetensors >out
	grep '^ *0 |#* 1$' out
	[ "$(grep -c '|' out)" = 16 ]
	apr-stat --hist w --json m.safetensors | jq -e '.tensors[0] |
	    (.counts | length) == 64 and (.counts | add) == 8 and .edges[0] == 0 and .edges[64] == 5'
	apr-stat --hist w --plot w.svg m.safetensors >/dev/null
	[ "$(head -c 5 w.svg)" = '<svg ' ]
	[ "$(tail -n 1 w.svg)" = '</svg>' ]
	[ "$(grep -c 'class="bar"' w.svg)" = 5 ]
	fails 1 apr-stat --hist w --plot w.svg m.safetensors
	says exists
	apr-stat -f --hist w --plot w.svg m.safetensors >/dev/null
	fails 1 apr-stat -f --hist w --plot /dev/full m.safetensors
	[ -c /dev/full ]
	(ulimit -f 1 && trap '' XFSZ && OUT=/dev/null fails 1 apr-stat --hist w --plot big.svg m.safetensors)
	nothing big.svg
	fails 1 apr-stat --hist nothing --plot x.svg m.safetensors
	nothing x.svg
	need hf/llama
	apr-cat --as gguf "$F/hf/llama" | apr-quant -q --stats s.jsonl q4_k_m >/dev/null
	apr-stat --errors s.jsonl --plot e.svg
	[ "$(grep -c '<polyline' e.svg)" = 7 ]
	grep -c 'NMSE' e.svg
	[ "$(grep -o '[0-9.]*,[0-9.]* ' e.svg | wc -l)" = 63 ]
	echo '{"name":"x","nmse":0}' >none.jsonl
	fails 1 apr-stat --errors none.jsonl --plot n.svg
	echo '{' >bad.jsonl
	fails 1 apr-stat --errors bad.jsonl --plot n.svg
	says 'line 1'
}
