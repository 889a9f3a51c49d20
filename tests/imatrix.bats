# SPDX-License-Identifier: MIT
# Importance matrices: llama-quantize's bytes with the same file, and files
# that are none.
load helper

# differing JSON TYPE STREAM -- names of tensors that JSON says have TYPE, and
# whose sha256 is another.
differing() {
	local name want got n=0
	rm -rf x && mkdir x && tar xf "$3" -C x
	while read -r name want; do
		got=$(sha256sum <"x/tensors/$name")
		[ "${got%% *}" = "$want" ] || echo "$1: $2 $name"
		n=$((n + 1))
	done < <(jq -r --arg t "$2" '.tensors[] | select(.type == $t) | "\(.name) \(.sha256)"' "$1")
	[ $n -gt 0 ] || echo "$1: no tensor is $2"
}

# int V... -- i32 little-endian; f32 HEX... -- by their bits, big-endian.
int() {
	local v
	for v; do
		printf "\\x$(printf %x $((v & 255)))\\x$(printf %x $((v >> 8 & 255)))\\x$(printf %x $((v >> 16 & 255)))\\x$(printf %x $((v >> 24 & 255)))"
	done
}
f32() {
	local v
	for v; do
		printf "\\x${v:6:2}\\x${v:4:2}\\x${v:2:2}\\x${v:0:2}"
	done
}
text() {	# a .dat's string
	int ${#1}
	printf %s "$1"
}
str() {		# a GGUF's string
	int ${#1} 0
	printf %s "$1"
}
# gguf TYPE DATASETS CHUNKS SIZE INFO... -- an imatrix; each INFO is NAME,
# bytes of data before it, and its dimensions, fastest first.  The data come
# from standard input.
gguf() {
	local type=$1 datasets=$2 chunks=$3 size=$4 info name at dims d
	shift 4
	{
		printf GGUF
		int 3 $# 0 4 0
		str general.type; int 8; str "$type"
		str imatrix.datasets; int 9 8; eval "set -- $datasets \"\$@\"" ; int "$nsets" 0
		while [ "$nsets" -gt 0 ]; do str "$1"; shift; nsets=$((nsets - 1)); done
		str imatrix.chunk_count; int 4 "$chunks"
		str imatrix.chunk_size; int 4 "$size"
		for info; do
			read -r name at dims <<<"$info"
			str "$name"
			set -- $dims
			int $#
			for d; do int "$d" 0; done
			int 0 "$at" 0
		done
	} >head
	cat head
	head -c $(((32 - $(wc -c <head) % 32) % 32)) /dev/zero
	cat
}

# tiny -- w: a stream of one weight of 4 rows of 256.
tiny() {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" | tar xOf - tensors/blk.0.ffn_up.weight >up
	head -c 2048 up | st w.safetensors \
	    '{"blk.0.ffn_up.weight":{"dtype":"BF16","shape":[4,256],"data_offsets":[0,2048]}}'
	apr-cat w.safetensors | apr-pack -q --raw w.gguf
	apr-cat w.gguf >w
}

@test "every type with an imatrix gives llama-quantize's bytes" {
	need gguf/llama3.bf16.gguf gguf/llama3.imatrix.gguf expected/llama3.im.q4_k_m.json
	local tag type mix j
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	for tag in q4_0 q4_1 q5_0 q5_1 iq4_nl iq4_xs q6_k q2_k q2_k_s:q2_k q3_k_s:q3_k q3_k_m:q3_k \
	    q3_k_m:q4_k q3_k_l:q5_k q4_k_s:q4_k q4_k_m:q4_k q4_k_m:q6_k q5_k_s:q5_k q5_k_m:q6_k \
	    iq1_s iq1_m iq2_xxs iq2_xs iq2_m:iq2_s iq3_xxs iq3_s iq2_m:iq3_s; do
		mix=${tag%:*} type=${tag#*:}
		# By iq2_s llama-quantize means a mix of IQ2_XS.
		apr-quant -q -j 2 --imatrix "$F/gguf/llama3.imatrix.gguf" --pure "${type/iq2_s/iq2_m}" <in >out
		differing "$F/expected/llama3.im.$mix.json" "$(echo "$type" | tr a-z A-Z)" out
	done >bad
	cat bad >&2
	[ ! -s bad ]
	# Else nothing was seen.
	apr-quant -q --pure q4_k <in >plain
	! sums <plain | cmp -s - <(apr-quant -q --pure --imatrix "$F/gguf/llama3.imatrix.gguf" q4_k <in | sums) || false
}

# tensors -- of a stream under GGUF's names, or of a file: name, type, sha256.
tensors() {
	local dir=$1.d
	rm -rf "$dir" && mkdir "$dir" && apr-cat "$1" | tar xf - -C "$dir"
	jq -r '.tensors[] | "\(.name) \(.dtype)"' "$dir/manifest.json" | while read -r name type; do
		echo "$name $type $(sha256sum <"$dir/tensors/$name" | cut -c 1-64)"
	done | sort
}

@test "whoever's names a stream has: the same weights, each expert its own" {
	need hf/qwen3-moe hf/llama gguf/qwen3-moe.imatrix.gguf gguf/llama.imatrix.gguf expected/qwen3-moe.im.q4_k_m.json
	local m f tag n=0
	for m in llama qwen3-moe; do
		apr-cat "$F/hf/$m" >hf
		apr-cat --as gguf "$F/hf/$m" >as
		for f in "$F/expected/$m".im.*.json; do
			tag=${f##*.im.} tag=${tag%.json}
			jq -r '.tensors[] | "\(.name) \(.type) \(.sha256)"' "$f" | sort >want
			apr-quant -q --imatrix "$F/gguf/$m.imatrix.gguf" "$tag" <as | apr-pack -fq out.gguf
			tensors out.gguf >got
			same got want "$m $tag, as gguf"
			n=$((n + 1))
			case $tag in q4_k_m | q4_0 | iq4_xs | iq2_xxs | q3_k_l) ;; *) continue ;; esac
			APR_CHUNK_ROWS=$((n % 3 * 5)) apr-quant -q --imatrix "$F/gguf/$m.imatrix.gguf" "$tag" <hf |
			    apr-pack -fq out.gguf
			tensors out.gguf >got
			same got want "$m $tag, by role"
		done
	done
	[ $n -ge 40 ]
	# Which experts were reached how often is the file's.
	apr-quant --imatrix "$F/gguf/qwen3-moe.imatrix.gguf" q4_k <hf 2>err >out
	grep -x "apr-quant: imatrix: weights for [0-9]* of [0-9]* tensors, none for lm_head.weight, model.embed_tokens.weight" err ||
	    { cat err >&2; false; }
}

@test "columns in another order than GGUF's are refused" {
	need hf/gpt2
	local w=h.0.mlp.c_fc.weight i
	{ int 1; text blk.0.ffn_up.weight; int 1 "$(apr-cat --plan --as gguf "$F/hf/gpt2" | tar xOf - manifest.json | jq '.tensors[] | select(.name == "blk.0.ffn_up.weight").shape[1]')"; for i in $(seq 4096); do f32 3f800000; done; } >all
	n=$(od -An -t u4 -j $((4 + 4 + 19 + 4)) -N 4 all | tr -d ' ')
	head -c $((4 + 4 + 19 + 4 + 4 + n * 4)) all >im.dat
	apr-cat "$F/hf/gpt2" >in
	fails 1 apr-quant -j1 --imatrix im.dat q8_0 <in
	says "c_fc.weight: its columns are not in GGUF's order"
	says "apr-cat --as gguf"
	apr-cat --as gguf "$F/hf/gpt2" | apr-quant -q --imatrix im.dat q8_0 >out
}

@test "bytes depend on neither threads nor chunks, with an imatrix either" {
	need gguf/llama3.bf16.gguf gguf/llama3.imatrix.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	local type n
	for type in q4_0 q5_1 q4_k q6_k iq4_xs iq2_xs "--fallback=pad q3_k"; do
		apr-quant -q -j 1 --imatrix "$F/gguf/llama3.imatrix.gguf" $type <in >want
		for n in 0 1 3 65536; do
			APR_CHUNK_ROWS=$n apr-quant -q -j 3 --imatrix "$F/gguf/llama3.imatrix.gguf" $type <in | cmp - want
		done
	done
}

# A row's weights go by the sum of squares of all of it: halves that come
# twice give the same sum, so the same blocks, twice; whole numbers, so that
# no rounding is in the way.
@test "a row longer than a tile is one row to types that look at all of it" {
	local i n
	# bf16 MAX -- 2048 whole numbers up to it, either way.
	bf16() {
		printf "$(awk -v max=$1 'BEGIN {
			for (n = s = 1; n <= 2048; n++) {
				s = (s * 1103 + 12345) % 65536
				v = int(s / 65536 * (2 * max + 1)) - max
				a = v < 0 ? -v : v
				for (e = 0; 2 ^ (e + 1) <= a; e++) ;
				h = v ? (v < 0) * 32768 + (e + 127) * 128 + (a / 2 ^ e - 1) * 128 : 0
				printf "\\x%02x\\x%02x", h % 256, h / 256
			}
		}')"
	}
	bf16 5 >a
	bf16 31 >b
	for n in 1 2 3; do
		{ for i in $(seq $n); do cat a; done; for i in $(seq $n); do cat b; done; } >row
		cat row row | st $n.safetensors "{\"blk.0.ffn_down.weight\":{\"dtype\":\"BF16\",\"shape\":[2,$((4096 * n))],\"data_offsets\":[0,$((16384 * n))]}}"
		apr-cat $n.safetensors | apr-pack -q --raw $n.gguf
		{
			int 1; text blk.0.ffn_down.weight; int 1 $((4096 * n))
			for i in $(seq $((512 * n))); do f32 3f800000 40000000 3f000000 40400000 3e800000 3f800000 41000000 3fc00000; done
		} >$n.dat
	done
	for type in q4_0:18 q4_1:20 q5_0:22 q5_1:24; do
		for n in 1 2 3; do
			apr-cat $n.gguf | apr-quant -q --imatrix $n.dat --pure ${type%:*} | tar xOf - tensors/blk.0.ffn_down.weight >$n
		done
		# Two rows of two halves.
		[ "$(stat -c %s 1)" = $((8192 / 32 * ${type#*:})) ]
		split -n 4 1 part.
		cmp part.aa part.ac
		for n in 2 3; do
			for half in aa ab aa ab; do
				for i in $(seq $n); do cat part.$half; done
			done | cmp - $n
		done
	done
}

@test "a .dat is a value by calls, or the value" {
	tiny
	local i
	for i in 1 2 3 4; do
		{
			int 1; text blk.0.ffn_up.weight; int $((i == 4 ? 0 : 4)) 256
			# 1 and 3; 0.25 and 0.75 by 4 calls are these by none.
			for _ in $(seq 128); do [ $i = 4 ] && f32 3e800000 3f400000 || f32 3f800000 40400000; done
			case $i in 2) int 7; text calib.txt ;; 3) int 0; text x ;; esac
		} >$i.dat
		apr-quant -q --imatrix $i.dat q4_k <w >$i
	done
	sums <1 >want
	for i in 2 3 4; do sums <$i | cmp - want; done
	! apr-quant -q q4_k <w | sums | cmp -s - want || false
	tar xOf 1 manifest.json | jq -e '.set | has("quantize.imatrix.chunks_count") or has("quantize.imatrix.dataset") | not'
	tar xOf 2 manifest.json | jq -e '.set | to_entries[2:] == [
	    {key: "quantize.imatrix.file", value: {type: "string", value: "2.dat"}},
	    {key: "quantize.imatrix.dataset", value: {type: "string", value: "calib.txt"}},
	    {key: "quantize.imatrix.entries_count", value: {type: "u32", value: 1}},
	    {key: "quantize.imatrix.chunks_count", value: {type: "u32", value: 7}}]'
	tar xOf 3 manifest.json | jq -e '.set | has("quantize.imatrix.chunks_count") | not'
}

@test "keys are llama-quantize's" {
	need gguf/llama3.bf16.gguf gguf/llama3.imatrix.gguf expected/llama3.im.q4_k_m.json
	mkdir -p fx/q && cp "$F/gguf/llama3.imatrix.gguf" fx/q/
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" | apr-quant -q --imatrix fx/q/llama3.imatrix.gguf q4_k | tar xOf - manifest.json |
	    jq '.set | to_entries | map({(.key): .value.value}) | add' >got
	jq '.metadata | with_entries(select(.key | test("quant|file_type")) | .value |= .value)' "$F/expected/llama3.im.q4_k_m.json" >want
	same got want
	# Cut at 127 bytes.
	d=$(printf '%0100d' 0)
	mkdir $d && cp "$F/gguf/llama3.imatrix.gguf" $d/$d
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" | apr-quant -q --imatrix $d/$d q4_k | tar xOf - manifest.json |
	    jq -e '.set["quantize.imatrix.file"].value | length == 127'
}

@test "both formats are one matrix, from a pipe and compressed too" {
	need gguf/llama3.bf16.gguf gguf/llama3.imatrix.gguf gguf/llama3.imatrix.dat
	local m=$F/gguf/llama3.imatrix
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	for f in gguf dat; do
		cp "$m.$f" m
		apr-quant -q --imatrix m q4_k <in >$f.s
		sums <$f.s >$f.sums
		apr-quant -q --imatrix <(cat m) q4_k <in | sums | cmp - $f.sums
		zstd -q m -o $f.zst
		apr-quant -q --imatrix $f.zst q4_k <in | sums | cmp - $f.sums
	done
	# They differ by a rounding: the keys do not, and few of the bytes.
	cmp <(tar xOf gguf.s manifest.json) <(tar xOf dat.s manifest.json)
	n=$(cmp -l gguf.s dat.s | wc -l) || true
	[ "$n" -lt $(($(stat -c %s dat.s) / 100)) ]
}

@test "include, exclude" {
	need gguf/llama3.bf16.gguf gguf/llama3.imatrix.gguf
	local m=$F/gguf/llama3.imatrix.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	apr-quant -q --imatrix "$m" q4_k <in | sums >all
	apr-quant -q q4_k <in >none.s
	sums <none.s >none
	apr-quant --imatrix "$m" --include-weights attn_q --include-weights blk.1.ffn_up q4_k <in >out 2>err
	grep -q 'imatrix: weights for 3 of 15 tensors, none for ' err
	{ grep -e attn_q -e blk.1.ffn_up all; grep -v -e attn_q -e blk.1.ffn_up none; } | sort -k2 >want
	sums <out | cmp - want
	tar xOf out manifest.json | jq -e '.set["quantize.imatrix.entries_count"].value == 3'
	apr-quant -q --imatrix "$m" --exclude-weights attn_q --exclude-weights blk.1.ffn_up q4_k <in | sums >got
	{ grep -e attn_q -e blk.1.ffn_up none; grep -v -e attn_q -e blk.1.ffn_up all; } | sort -k2 | cmp - got
	# Nothing left: as if there were none, keys too.
	apr-quant -q --imatrix "$m" --include-weights nosuch q4_k <in | cmp - none.s
	fails 2 apr-quant --imatrix "$m" --include-weights a --exclude-weights b q4_k <in
	fails 2 apr-quant --include-weights a q4_k <in
}

@test "what it lacks is said: tensors without, experts never reached, other models" {
	head -c 2048 /dev/zero | st m.safetensors '{"blk.0.ffn_up_exps.weight":{"dtype":"BF16","shape":[2,2,256],"data_offsets":[0,2048]}}'
	apr-cat m.safetensors | apr-pack -q --raw m.gguf
	{ for _ in $(seq 512); do f32 40000000; done; f32 40800000 00000000; } >values
	{ head -c 2048 values; tail -c 8 values; } |
	    nsets=1 gguf imatrix '"a b"' 3 512 'blk.0.ffn_up_exps.weight.in_sum2 0 256 2' 'blk.0.ffn_up_exps.weight.counts 2048 1 2' >im.gguf
	apr-cat m.gguf | apr-quant --imatrix im.gguf q4_k 2>err >out
	grep -x 'apr-quant: imatrix: 1 of 2 experts were never reached: blk.0.ffn_up_exps.weight (1 of 2)' err
	tar xOf out manifest.json | jq -e '.set["quantize.imatrix.dataset"].value == "a b" and .set["quantize.imatrix.chunks_count"].value == 3'
	{ int 1; text blk.0.ffn_up_exps.weight; int 1 512; head -c 1024 values; head -c 1024 /dev/zero; } >im.dat
	apr-cat m.gguf | apr-quant --imatrix im.dat q4_k 2>err >out
	grep -q 'never reached: blk.0.ffn_up_exps.weight (1 of 2)' err
	tiny
	apr-quant --imatrix im.dat q4_k <w 2>err >out
	grep -x 'apr-quant: imatrix: weights for 0 of 1 tensors, none for blk.0.ffn_up.weight' err
	grep -x 'apr-quant: imatrix: 1 of 1 entries are for no tensor of this model' err
}

@test "an expert that was never reached weighs the same everywhere" {
	tiny
	head -c 4096 up | st m.safetensors '{"blk.0.ffn_up_exps.weight":{"dtype":"BF16","shape":[2,4,256],"data_offsets":[0,4096]}}'
	apr-cat m.safetensors | apr-pack -q --raw m.gguf
	local i
	{ for i in $(seq 128); do f32 40000000 41000000; done; for i in $(seq 256); do f32 00000000; done; f32 40000000 00000000; } |
	    nsets=0 gguf imatrix '' 3 512 'blk.0.ffn_up_exps.weight.in_sum2 0 256 2' 'blk.0.ffn_up_exps.weight.counts 2048 1 2' >im.gguf
	# 2/2, 8/2, and ones.
	{ int 1; text blk.0.ffn_up_exps.weight; int 1 512; for i in $(seq 128); do f32 3f800000 40800000; done; for i in $(seq 256); do f32 3f800000; done; } >im.dat
	for f in gguf dat; do apr-cat m.gguf | apr-quant -q --imatrix im.$f q4_k | sums >$f; done
	cmp gguf dat
}

@test "names that nobody knows are refused, those of a checkpoint are not" {
	need hf/llama3 gguf/llama3.imatrix.gguf ref/llama3.safetensors
	apr-cat "$F/ref/llama3.safetensors" >in
	fails 1 apr-quant --pure --imatrix "$F/gguf/llama3.imatrix.gguf" q4_k <in
	says "an imatrix goes by GGUF's names"
	apr-cat "$F/hf/llama3" | apr-quant -q --imatrix "$F/gguf/llama3.imatrix.gguf" q4_k | apr-pack -q a.gguf
	apr-cat --as gguf "$F/hf/llama3" | apr-quant -q --imatrix "$F/gguf/llama3.imatrix.gguf" q4_k | apr-pack -q b.gguf
	cmp a.gguf b.gguf
}

@test "entries that do not fit the tensor" {
	tiny
	local i v n
	v=$(for i in $(seq 256); do printf '3f800000 '; done)
	for n in 255 256 512; do
		f32 $v $v >values
		{ int 1; text blk.0.ffn_up.weight; int 1 $n; head -c $((n * 4)) values; } >$n.dat
	done
	apr-quant -q --imatrix 256.dat q4_k <w >out
	for n in 255 512; do
		fails 1 apr-quant --imatrix $n.dat q4_k <w
		says "blk.0.ffn_up.weight: the imatrix has $n weights for it, not 256 for each of 1"
	done
	# Two experts of 128 are not one row of 256.
	{ f32 $v 3f800000 3f800000; } | nsets=1 gguf imatrix x 1 1 'blk.0.ffn_up.weight.in_sum2 0 128 2' 'blk.0.ffn_up.weight.counts 1024 1 2' >2.gguf
	fails 1 apr-quant --imatrix 2.gguf q4_k <w
	says "the imatrix has 256 weights for it, not 256 for each of 1"
	# The embedding then goes without.
	head -c 2048 /dev/zero | st e.safetensors '{"token_embd.weight":{"dtype":"BF16","shape":[4,256],"data_offsets":[0,2048]}}'
	apr-cat e.safetensors | apr-pack -q --raw e.gguf
	{ int 1; text token_embd.weight; int 1 2 ; f32 3f800000 3f800000; } >e.dat
	apr-cat e.gguf | apr-quant --imatrix e.dat q4_k 2>err >out
	grep -q 'none for token_embd.weight' err
}

@test "files that are none" {
	tiny
	local v data infos n
	v=$(for n in $(seq 256); do printf '3f800000 '; done)
	f32 $v 3f800000 >data
	infos=('blk.0.ffn_up.weight.in_sum2 0 256 1' 'blk.0.ffn_up.weight.counts 1024 1 1')
	nsets=1 gguf imatrix x 1 1 "${infos[@]}" <data >good.gguf
	{ int 1; text blk.0.ffn_up.weight; int 1 256; f32 $v; int 5; text set; } >good.dat
	apr-quant -q --imatrix good.gguf q4_k <w | sums >want
	apr-quant -q --imatrix good.dat q4_k <w | sums | cmp - want

	# bad FILE WHY -- refused, with this message, and in 16 MiB.
	bad() {
		fails 1 apr-quant --imatrix "$1" q4_k <w
		says "$1: "
		says "$2"
	}
	: >empty; bad empty "ends at byte 0"
	bad nosuch "No such file"
	bad . "Is a directory"
	cp w.gguf model.gguf; bad model.gguf "no imatrix: no key general.type"
	nsets=1 gguf model x 1 1 "${infos[@]}" <data >type.gguf; bad type.gguf "its general.type is another"
	nsets=1 gguf imatrix x 1 0 "${infos[@]}" <data >size0.gguf; bad size0.gguf "chunk_size is no u32 above 0"
	for key in imatrix.datasets imatrix.chunk_count imatrix.chunk_size; do
		sed "s/$key/$(echo "$key" | tr a-z A-Z)/" good.gguf >key.gguf
		bad key.gguf "no key $key"
	done
	nsets=1 gguf imatrix x 1 1 "${infos[0]}" <data >half.gguf; bad half.gguf "blk.0.ffn_up.weight: has sums and no counts"
	nsets=1 gguf imatrix x 1 1 'blk.0.ffn_up.weight.counts 0 1 1' <data >other.gguf; bad other.gguf "has counts and no sums"
	nsets=1 gguf imatrix x 1 1 "${infos[0]}" 'blk.0.ffn_up.weight.counts 1024 1 2' < <(cat data data) >experts.gguf
	bad experts.gguf "sums and counts are not of as many experts"
	nsets=1 gguf imatrix x 1 1 'blk.0.ffn_up.weight 0 256 1' <data >name.gguf; bad name.gguf "neither a weight's .in_sum2 nor its .counts"
	nsets=1 gguf imatrix x 1 1 '.in_sum2 0 256 1' <data >noname.gguf; bad noname.gguf "neither a weight's"
	nsets=1 gguf imatrix x 1 1 'a.in_sum2 0 0 1' 'a.counts 0 1 1' <data >zero.gguf; bad zero.gguf "0 values of F32"
	nsets=1 gguf imatrix x 1 1 "${infos[@]}" < <(head -c 1000 data) >cut.gguf; bad cut.gguf "the file at"
	nsets=1 gguf imatrix x 1 1 "${infos[0]}" "${infos[0]}" <data >twice.gguf; bad twice.gguf "blk.0.ffn_up.weight.in_sum2"
	nsets=1 gguf imatrix x 1 1 "${infos[@]}" < <(f32 7fc00000 $v) >nan.gguf; bad nan.gguf "blk.0.ffn_up.weight.in_sum2: value 0 is NaN"
	nsets=1 gguf imatrix x 1 1 "${infos[@]}" < <(f32 $v ff800000) >inf.gguf; bad inf.gguf "blk.0.ffn_up.weight.counts: value 0 is infinite"

	# .dat: every cut, but behind the last entry; and wrong numbers.
	local end=$(($(wc -c <good.dat) - 11)) size=$(wc -c <good.dat)
	for n in 1 4 8 20 27 31 35 36 100 $((end - 1)) $((end + 1)) $((end + 4)) $((end + 8)) $((size - 1)); do
		head -c "$n" good.dat >cut.dat; bad cut.dat "bytes too early"
	done
	cat good.dat data >more.dat; bad more.dat "something follows"
	int 0 >none.dat; bad none.dat "0 entries"
	int -1 >minus.dat; bad minus.dat "-1 entries"
	int 2147483647 >many.dat; bad many.dat "entry 1 of 2147483647"
	{ int 1 0; } >name0.dat; bad name0.dat "a name has 0 bytes"
	{ int 1 -5; } >name-.dat; bad name-.dat "a name has -5 bytes"
	{ int 1 2147483647; } >namemax.dat; bad namemax.dat "a name has 2147483647 bytes"
	{ int 1 2; printf 'a\0'; int 1 1 0; } >nul.dat; bad nul.dat "a name is not UTF-8"
	{ int 1; text $'\xff'; int 1 1 0; } >utf8.dat; bad utf8.dat "a name is not UTF-8"
	{ int 1; text a; int 1 0; } >n0.dat; bad n0.dat "a: 0 values"
	{ int 1; text a; int 1 -1; } >n-.dat; bad n-.dat "a: -1 values"
	{ int 1; text a; int 1 2147483647; f32 $v; } >nmax.dat; bad nmax.dat "a: input ends"
	{ int 1; text a; int 1 2; f32 3f800000 7f800001; } >nan.dat; bad nan.dat "a: value 1 is NaN"
	{ int 2; text a; int 1 1 0; text a; int 1 1 0; } >twice.dat; bad twice.dat "a: comes twice"
}
