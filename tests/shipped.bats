#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bugs that other people's engines have shipped, each under the name that their
# lists have for it.  tests/mutants puts every one of them into ours.
load helper

W=model.layers.0.mlp.up_proj.weight

# one SHAPE TYPE FILE -- a tensor of that shape, with the bytes on standard input.
one() {
	cat >one.bytes
	st "$3" "{\"$W\":{\"dtype\":\"$2\",\"shape\":$1,\"data_offsets\":[0,$(stat -c %s one.bytes)]}}" <one.bytes
}
data() { tar xOf - "tensors/$W"; }
count() { tar xOf - manifest.json | jq '.tensors | length'; }
files() { tar xOf - CHECKSUMS | grep ' files/' | grep -v ' files/.source/' | sort; }
shape_of() { apr-ls --json "$1" | jq -c --arg n "$2" '.tensors[] | select(.name == $n).shape'; }

@test "PMAT-170: Q4_K is 32 low nibbles, then 32 high ones" {
	# 0 1 2 .. 15 twice, then 15 .. 0 twice; a scale of 1, a minimum of 0.
	local up='' down='' v
	for v in '\0\0\0\0' '\0\0\200\77' '\0\0\0\100' '\0\0\100\100' '\0\0\200\100' '\0\0\240\100' \
	    '\0\0\300\100' '\0\0\340\100' '\0\0\0\101' '\0\0\20\101' '\0\0\40\101' '\0\0\60\101' \
	    '\0\0\100\101' '\0\0\120\101' '\0\0\140\101' '\0\0\160\101'; do
		up=$up$v down=$v$down
	done
	for v in 1 2 3 4 5 6 7 8; do printf "$up$up$down$down"; done | one '[2,256]' F32 w.safetensors
	for v in 1 2 3 4 5 6 7 8; do echo ' f0 e1 d2 c3 b4 a5 96 87 78 69 5a 4b 3c 2d 1e 0f'; done >bytes
	apr-cat w.safetensors | data | od -An -v -tf4 -w4 | awk '{ printf "%.0f\n", $1 }' >values
	# (Where a set of kernels is not, the best one answers again.)
	for cpu in scalar avx2 any; do
		apr-cat w.safetensors | APR_CPU=$cpu apr-quant -q q4_k >q
		data <q | tail -c 128 | od -An -v -tx1 -w16 >got
		same got bytes "$cpu"
		# And read in that order: as it was, to a step's half.
		APR_CPU=$cpu apr-dequant -q <q | data | od -An -v -tf4 -w4 | awk '{ printf "%.0f\n", $1 }' >got
		same got values "$cpu"
	done
}

@test "PMAT-216: lm_head is vocabulary times width, in every format" {
	local n=lm_head.weight
	head -c 6144 /dev/urandom >w
	st m.safetensors "{\"$n\":{\"dtype\":\"F32\",\"shape\":[48,32],\"data_offsets\":[0,6144]}}" <w
	apr-cat m.safetensors | apr-pack -q m.apr
	apr-cat m.safetensors | apr-pack -q --raw m.gguf
	[ "$(shape_of m.apr $n)" = '[48,32]' ]
	[ "$(shape_of m.gguf $n)" = '[48,32]' ]
	# By a reader that is not ours: GGUF has the fastest first.
	"${APR_BUILD:-$REPO/build}/test/ggufdump" m.gguf | jq -e '.tensors[0].shape == [32, 48]'
	for f in m.apr m.gguf; do apr-cat $f | tar xOf - tensors/$n | cmp - w; done
}

@test "GH-88: the number of key heads has many names, and is not lost" {
	apr-cat --as gguf "$REPO/examples/sample" | apr-pack -q m.gguf
	apr-ls --json m.gguf | jq -e '.metadata | .["llama.attention.head_count"] == 4 and .["llama.attention.head_count_kv"] == 2'
	# (From here on no config.json says it too.)
	apr-cat --as apr m.gguf | apr-pack -q m.apr
	apr-ls --json m.apr | jq -e '.metadata | .num_heads == 4 and .num_kv_heads == 2'
	apr-cat --as gguf m.apr | apr-pack -q n.gguf
	apr-ls --json n.gguf | jq -e '.metadata | .["llama.attention.head_count"] == 4 and .["llama.attention.head_count_kv"] == 2'
	apr-infer -q --precise -n 8 --ids 5,17,2 --json m.gguf | jq -c .tokens >want
	apr-infer -q --precise -n 8 --ids 5,17,2 --json m.apr | jq -c .tokens | cmp - want
}

@test "GH-369, 2443: BF16 has two bytes an element" {
	printf '\200\77\0\100\100\100\200\100\240\100\300\100\340\100\0\101' >w
	one '[4]' BF16 four.safetensors <w
	fails 1 apr-cat four.safetensors
	# Nor as zeros, which might pass for a gap.
	{ head -c 8 w; head -c 8 /dev/zero; cat w; } | st four.safetensors \
	    '{"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[8],"data_offsets":[16,32]}}'
	fails 1 apr-cat four.safetensors
	says 'a: data_offsets span 16 bytes, but BF16 [4] takes 8'
	one '[8]' BF16 two.safetensors <w
	[ "$(apr-cat two.safetensors | apr-dequant -q | data | od -An -v -tf4 | xargs)" = "1 2 3 4 5 6 7 8" ]
	[ "$(apr-cat two.safetensors | APR_CPU=scalar apr-dequant -q | data | od -An -v -tf4 | xargs)" = "1 2 3 4 5 6 7 8" ]
	apr-cat two.safetensors | apr-pack -q two.apr
	apr-cat two.apr | data | cmp - w
	[ "$(apr-cat two.apr | apr-dequant -q | data | od -An -v -tf4 | xargs)" = "1 2 3 4 5 6 7 8" ]
}

@test "GH-191, 375: every type comes back as itself, in its own number of bytes" {
	local t dtypes='[.tensors[] | select(.tied_to | not) | [.name, .dtype, .bytes]] | sort'
	apr-cat --as gguf "$REPO/examples/sample" >s
	for t in f32 f16 bf16 q2_k q3_k q4_k q5_k q6_k apr_q4 apr_q8 q4_0 q4_1 q5_0 q5_1 q8_0 iq4_nl iq4_xs mxfp4 tq1_0 tq2_0; do
		apr-quant -q --pure $t <s >q
		tar xOf q manifest.json | jq -c "$dtypes" >want
		case $t in
		apr_q*) ;;
		*) apr-pack -q -f o.gguf <q; apr-ls --json o.gguf | jq -c "$dtypes" | cmp - want ;;
		esac
		case $t in
		q?_?|iq*|mxfp4|tq*) [ "${t#q?_}" = k ] || continue ;;
		esac
		apr-pack -q -f --raw o.apr <q
		apr-ls --json o.apr | jq -c "$dtypes" | cmp - want
		# (The output, which is tied, is there twice.)
		apr-cat o.apr | sums | grep -v lm_head >got
		sums <q | cmp - got
	done
	# What went wrong was ten times the size.
	apr-cat "$REPO/examples/sample" | apr-quant -q --rules=apr q4_k | apr-pack -q q.apr
	[ "$(stat -c %s q.apr)" -lt $(($(stat -c %s "$REPO/examples/sample/model.safetensors") / 2)) ]
}

@test "GH-202, GH-215: rows of 384 and 576 become whole blocks, each by itself" {
	local k wide rest
	apr-cat "$REPO/examples/sample" | apr-dequant -q --all f32 | data >w
	for k in 384 576; do
		wide=$(((k + 255) / 256 * 256)) rest=$((((k + 255) / 256 * 256 - k) * 4))
		head -c $((k * 8)) w | one "[2,$k]" F32 w.safetensors
		apr-cat w.safetensors | apr-quant -q --fallback=pad q4_k >q
		[ "$(data <q | wc -c)" = $((2 * wide / 256 * 144)) ]
		# The same rows with zeros behind them.
		{ head -c $((k * 4)) w; head -c $rest /dev/zero; head -c $((k * 8)) w | tail -c $((k * 4)); head -c $rest /dev/zero; } |
		    one "[2,$wide]" F32 wide.safetensors
		apr-cat wide.safetensors | apr-quant -q q4_k | data >want
		data <q | cmp - want
		apr-pack -q -f q.apr <q
		[ "$(shape_of q.apr $W)" = "[2,$k]" ]
		[ "$(apr-cat q.apr | apr-dequant -q | data | wc -c)" = $((k * 8)) ]
	done
}

@test "GH-208: output.weight is a name, not a part of one" {
	apr-cat --plan --as gguf "$REPO/examples/sample" | apr-quant -q --output-tensor-type q5_0 q4_k_m |
	    tar xOf - manifest.json | jq -r '.tensors[] | "\(.name) \(.dtype)"' >got
	grep -qx 'blk.0.attn_output.weight Q4_K' got
	[ "$(grep -c 'Q5_0$' got)" = 1 ]
	# Read by somebody's own index, the other way round.
	apr-cat --as gguf "$REPO/examples/sample" | apr-pack -q m.gguf
	apr-infer --precise --logits --ids 5,17,2 m.gguf | sums >want
	apr-cat --order quantize m.gguf | apr-pack -q n.gguf
	apr-infer --precise --logits --ids 5,17,2 n.gguf | sums | cmp - want
}

@test "ALB-106: a file in column order is refused" {
	fails 1 apr-cat "$REPO/tests/bad/apr/column-major.apr"
	says 'column-major files are not read'
	fails 1 apr-infer -n 1 -p x "$REPO/tests/bad/apr/column-major.apr"
}

@test "190 of 290: a tensor that is lost is missed" {
	local n
	apr-cat "$REPO/examples/sample" >s
	n=$(count <s)
	[ "$(apr-quant -q q8_0 <s | apr-dequant -q | apr-edit . | count)" = "$n" ]
	apr-pack -q m.safetensors <s
	[ "$(apr-ls --json m.safetensors | jq '.tensors | length')" = "$n" ]
	apr-pack -q m.apr <s
	[ "$(apr-ls --json m.apr | jq '[.tensors[] | select(.tied_to | not)] | length')" = "$n" ]
	apr-cat --as gguf "$REPO/examples/sample" | apr-pack -q m.gguf
	[ "$(apr-ls --json m.gguf | jq '.tensors | length')" = "$n" ]
	# A model without one is another model, whoever has it.
	apr-cat --reject $W m.safetensors | apr-pack -q less.safetensors
	n=0; apr-diff m.safetensors less.safetensors >out || n=$?
	[ $n = 1 ]
	grep -q "^only_a .*$W" out
	n=0; apr-diff less.safetensors m.gguf >out || n=$?
	[ $n = 1 ]
	grep -q "^only_b .*up" out
	# In a stream it is its end that shows it, whatever the sums say.
	mkdir d && tar xf s -C d
	sed -i "\\| tensors/$W\$|d" d/CHECKSUMS
	(cd d && tar cf ../cut manifest.json files $(tar tf ../s | grep '^tensors/' | grep -vxF "tensors/$W") CHECKSUMS)
	fails 1 apr-pack lost.apr <cut
	says "$W"
	nothing lost.apr
}

@test "2392: the tokenizer goes through every filter, byte for byte" {
	apr-cat "$REPO/examples/sample" >s
	files <s >want
	grep -q ' files/tokenizer.json$' want
	local t
	for t in f16 q4_k apr_q4 apr_q8; do
		apr-quant -q --rules=apr $t <s | files | cmp - want || { echo "$t"; return 1; }
		apr-quant -q --rules=apr $t <s | apr-pack -q -f m.apr
		apr-cat m.apr | files | cmp - want || { echo "$t.apr"; return 1; }
	done
	apr-dequant -q <s | files | cmp - want
	apr-edit '.metadata.note = 1' <s | files | grep -v ' files/config.json' >got
	grep -v ' files/config.json' want | cmp - got
	apr-merge "$REPO/examples/sample" <s | files | cmp - want
	apr-pack -q d/ <s
	for t in tokenizer.json tokenizer_config.json config.json; do same "d/$t" "$REPO/examples/sample/$t"; done
}

@test "2392: a plan says the size that the file will have" {
	local t out
	for t in q4_k q8_0 f16; do
		for out in m.apr m.gguf; do
			case $t.$out in q8_0.m.apr) continue ;; esac
			apr-cat --plan --as "${out#m.}" "$REPO/examples/sample" | apr-quant -q $t | apr-pack -q --json $out | jq .size >want
			[ ! -e $out ]
			apr-cat --as "${out#m.}" "$REPO/examples/sample" | apr-quant -q $t | apr-pack -q $out
			[ "$(stat -c %s $out)" = "$(cat want)" ]
			rm $out
		done
	done
}

@test "2392: what is there is not written over" {
	apr-cat "$REPO/examples/sample" >s
	local out
	for out in m.apr m.safetensors; do
		echo mine >$out
		fails 1 apr-pack -q $out <s
		says exists
		[ "$(cat $out)" = mine ]
		apr-pack -q -f $out <s
		apr-cat $out >/dev/null
	done
	mkdir d && echo mine >d/mine
	fails 1 apr-pack -q d/ <s
	[ "$(ls d)" = mine ]
}

@test "615: a difference is exit 1, trouble is 2" {
	printf '\0\0\200\77' | one '[1]' F32 a.safetensors
	printf '\0\0\0\100' | one '[1]' F32 b.safetensors
	local how got
	apr-diff a.safetensors a.safetensors
	for how in '' -q --json --bytes '--max-nmse 0.1'; do
		got=0; apr-diff $how a.safetensors b.safetensors >out || got=$?
		[ $got = 1 ] || { echo "apr-diff $how: $got"; return 1; }
		got=0; apr-diff $how a.safetensors nowhere.safetensors >out 2>&1 || got=$?
		[ $got = 2 ] || { echo "apr-diff $how, nowhere: $got"; return 1; }
	done
	for how in 5,17,2 9,30,7; do apr-infer --logits --ids $how "$REPO/examples/sample" >"$how"; done
	got=0; apr-diff --logits 5,17,2 9,30,7 >out || got=$?
	[ $got = 1 ]
}

@test "2309, 2441: a tensor of no bytes is tied, or refused" {
	local f
	for f in not-tied tied-false no-embedding shape; do
		fails 1 apr-cat "$REPO/tests/bad/apr/ghost-$f.apr"
		says 'lm_head.weight: has no bytes'
	done
	# A tied model's output is its embedding, whoever reads it.
	apr-cat "$REPO/examples/sample" | apr-pack -q m.apr
	apr-ls --json m.apr | jq -e '[.tensors[] | select(.tied_to)] | length == 1 and .[0].bytes == 0'
	apr-infer --precise --logits --ids 5,17,2 "$REPO/examples/sample" | sums >want
	apr-infer --precise --logits --ids 5,17,2 m.apr | sums | cmp - want
}

@test "1922: aprender's 8 bits are not Q8_0" {
	apr-cat --as gguf "$REPO/examples/sample" | apr-quant -q --rules=apr apr_q8 >q
	fails 1 apr-pack -q m.gguf <q
	says 'GGUF has no type apr_q8'
	nothing m.gguf
	# Asked for, it becomes the values that it stands for.
	apr-quant -q --allow-requantize --pure q8_0 <q | apr-pack -q m.gguf
	apr-diff --max-nmse 1e-3 -q m.gguf "$REPO/examples/sample"
}
