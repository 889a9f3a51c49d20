# SPDX-License-Identifier: MIT
# What a conversion loses, and whether apr-quant says it as it is.
load helper

# values STREAM NAME -- a tensor's numbers, one a line, by apr-dequant: as bits.
values() {
	apr-dequant -q f32 <"$1" | tar xOf - "tensors/$2" | od -An -v -w4 -t u4
}

# measured A B NAME -- its line of statistics, by awk: a second opinion.
measured() {
	paste <(values "$1" "$3") <(values "$2" "$3") | awk '
	function value(u,  e, m) {
		if (u >= 2147483648) return -value(u - 2147483648)
		e = int(u / 8388608); m = u % 8388608 / 8388608
		return e ? (1 + m) * 2 ^ (e - 127) : m * 2 ^ -126
	}
	{
		x = value($1); y = value($2)
		d = x - y; xx += x * x; yy += y * y; xy += x * y; dd += d * d; n++
		d = d < 0 ? -d : d; max = d > max ? d : max
	} END {
		printf "%d %.15g %.15g %.15g %.15g %.15g\n", n, sqrt(dd / n), dd / xx, max,
		    xy / sqrt(xx * yy), 10 * log(xx / dd) / log(10)
	}'
}

# agree STREAM STREAM STATS -- every changed tensor of the second is measured.
agree() {
	local name
	while read -r name; do
		measured "$1" "$2" "$name" >want
		jq -r --arg n "$name" 'select(.name == $n) | [.n, .rmse, .nmse, .max, .cosine, .sqnr_db] | map(tostring) | join(" ")' "$3" >got
		paste -d ' ' want got | awk -v name="$name" '{
			for (i = 1; i <= 6; i++) {
				d = $i - $(i + 6); d = d < 0 ? -d : d
				if (NF != 12 || d > 1e-9 * ($i < 0 ? -$i : $i)) { print name, $0; exit 1 }
			}
		}' >&2 || return 1
	done < <(jq -r 'select(.nmse > 0) | .name' "$3")
}

@test "figures are what awk makes of the values before and after" {
	need gguf/llama3.bf16.gguf hf/qwen2-odd
	local t
	apr-cat --reject 'blk.1.*' "$F/gguf/llama3.bf16.gguf" >in
	apr-cat --reject 'model.layers.[1-9]*' --reject '*embed*' "$F/hf/qwen2-odd" >odd
	for t in q4_k q8_0 q3_k f16; do
		apr-quant -q -f --stats s.jsonl $t <in >out
		agree in out s.jsonl
		jq -e -s --arg t $t 'length > 0 and any(.nmse > 0) == ($t != "bf16")' s.jsonl
	done
	for t in "--fallback=pad q4_k" apr_q4 apr_q8 q4_k "--fallback=pad --pure q6_k"; do
		apr-quant -q -f --stats s.jsonl $t <odd >out
		agree odd out s.jsonl
		jq -e -s 'any(.nmse > 0)' s.jsonl
	done
}

@test "a line for each tensor, in order, with type and bits per weight" {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	apr-quant -q -f --stats s.jsonl q4_k <in >out
	apr-quant -q q4_k <in | cmp - out
	jq -r .name s.jsonl | cmp - <(names <out)
	tar xOf out manifest.json | jq -c '.tensors[] | [.name, .dtype, (.source_dtype // .dtype), (.shape | reduce .[] as $d (1; . * $d)), .bytes]' >want
	jq -c '[.name, .type, .from, .n, .bpw * .n / 8]' s.jsonl | cmp - want
	jq -e -s 'map(select(.type == "F32")) | length > 0 and all(.rmse == 0 and .nmse == 0 and .max == 0 and .cosine == 1 and .sqnr_db == null)' s.jsonl
	jq -e -s 'map(select(.type == "Q4_K")) | all(.bpw == 4.5 and .nmse > 0.001 and .nmse < 0.02 and .tiny == 0)' s.jsonl
}

@test "the same figures by any number of threads and rows" {
	need gguf/llama3.bf16.gguf hf/qwen2-odd gguf/llama3.imatrix.gguf
	local t n j
	apr-cat "$F/gguf/llama3.bf16.gguf" >llama
	apr-cat "$F/hf/qwen2-odd" >odd
	# Rows of more than a tile, too.
	tar xOf llama tensors/token_embd.weight >e
	cat e e e e e >five; head -c 2211840 five >wide.data
	st wide.safetensors '{"up.weight":{"dtype":"BF16","shape":[90,12288],"data_offsets":[0,2211840]}}' <wide.data
	apr-cat wide.safetensors >wide
	for t in q4_k "--pure q5_0" "--fallback=pad --pure q6_k" apr_q4 apr_q8; do
		for m in llama odd wide; do
			apr-quant -q -j 1 -f --stats want $t <$m >out
			for n in 0 1 7 65536; do
				for j in 1 3; do
					APR_CHUNK_ROWS=$n apr-quant -q -j $j -f --stats got $t <$m | cmp - out
					same want got "$t of $m with $n, $j"
				done
			done
			APR_CPU=scalar apr-quant -q -f --stats got $t <$m >out
			same want got "$t of $m, scalar"
		done
	done
	apr-quant -q -j 1 -f --stats want --imatrix "$F/gguf/llama3.imatrix.gguf" q4_0 <llama >out
	APR_CHUNK_ROWS=3 apr-quant -q -j 3 -f --stats got --imatrix "$F/gguf/llama3.imatrix.gguf" q4_0 <llama >out
	same want got
}

@test "--max-nmse: named, with its figure, and no end" {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	apr-quant -q -f --stats s.jsonl q3_k <in >out
	local worst name max
	worst=$(jq -s 'map(.nmse) | max' s.jsonl)
	name=$(jq -r --argjson w "$worst" 'select(.nmse == $w) | .name' s.jsonl)
	# Itself is no more than itself, to the last digit.
	apr-quant -q --max-nmse "$worst" q3_k <in | cmp - out
	max=$(jq -n "$worst * 0.999999")
	OUT=cut fails 1 apr-quant --max-nmse "$max" --stats no.jsonl --report no.json q3_k <in
	says "$name: NMSE $(printf %.6g "$worst") as Q3_K, --max-nmse allows "
	nothing no.jsonl no.json
	OUT=/dev/null fails 1 apr-cat - <cut
	run ! bash -c 'apr-quant -q --max-nmse 0.0001 q3_k <in | apr-pack -q out.gguf'
	nothing out.gguf
	OUT=/dev/null fails 1 apr-quant -q --stats /dev/full --report no.json q3_k <in
	says '/dev/full: No space left on device'
	(ulimit -f 1 && trap '' XFSZ && OUT=/dev/null fails 1 apr-quant -q --stats no.jsonl q3_k <in)
	nothing no.jsonl no.json
	fails 2 apr-quant --max-nmse x q3_k <in
	fails 2 apr-quant --max-nmse -1 q3_k <in
	fails 2 apr-quant --max-nmse nan q3_k <in
}

@test "the summary as JSON is what manifest and statistics say" {
	need hf/qwen2-odd
	apr-cat "$F/hf/qwen2-odd" >in
	apr-quant -f --stats s.jsonl --report r.json q4_k <in >out 2>err
	tar xOf out manifest.json >m
	jq -e --slurpfile m m --slurpfile s s.jsonl '
	    ($m[0].tensors | map(select(.tied_to | not))) as $t
	    | .tensors == ($m[0].tensors | length)
	    and .bytes == ($t | map(.bytes) | add)
	    and .weights == ($s | map(.n) | add)
	    and .bpw == .bytes * 8 / .weights
	    and .nominal_bpw == 4.5
	    and (.types | map_values(.tensors)) == ($t | group_by(.dtype) | map({(.[0].dtype): length}) | add)
	    and (.types | map_values(.bytes)) == ($t | group_by(.dtype) | map({(.[0].dtype): (map(.bytes) | add)}) | add)
	    and (.worst | map(.name)) == ($s | sort_by(-.nmse) | map(.name))[:5]
	    and (.worst[0] | {name, rmse, nmse, max, cosine, sqnr_db}) == ($s | max_by(.nmse) | {name, rmse, nmse, max, cosine, sqnr_db})
	    and .underflows == []
	    and (.fallbacks | map(.name)) == ($t | map(select(.dtype == "Q5_0") | .name))
	    and (.fallbacks | length > 0 and all(.wanted == "Q4_K" and .type == "Q5_0"))' r.json
	jq -e --argjson in "$(tar xOf in manifest.json | jq '[.tensors[].bytes] | add')" '.bytes_in == $in' r.json
	grep -q "^apr-quant: .* MB of tensors from .* MB, worst NMSE: $(jq -r '.worst[0].name' r.json) 0\.0" err
	# A plan has types and sizes.
	apr-cat --plan "$F/hf/qwen2-odd" | apr-quant -q --report p.json q4_k >plan
	same <(jq -S 'del(.worst)' r.json) <(jq -S 'del(.worst)' p.json)
	jq -e '.worst == []' p.json
}

@test "scales too small for an f16 are counted and named" {
	# 0.5 and 1e-6, and some between, in BF16.
	for i in $(seq 512); do printf '\x00\x3f\x80\xbe'; done >big
	for i in $(seq 512); do printf '\x86\x35\x06\xb5'; done >small
	cat big small | st m.safetensors '{"a.weight":{"dtype":"BF16","shape":[4,256],"data_offsets":[0,2048]},"b.weight":{"dtype":"BF16","shape":[4,256],"data_offsets":[2048,4096]}}'
	apr-cat m.safetensors | apr-quant --stats s.jsonl --report r.json --pure q6_k 2>err >out
	grep -x 'apr-quant: 4 blocks have a scale too small for an f16: b.weight (4)' err
	jq -e '.underflows == [{name: "b.weight", blocks: 4}]' r.json
	jq -s -e 'map(.tiny) == [0, 4] and .[1].nmse > 0.5' s.jsonl
}

@test "what is not finite has no figures" {
	# NaN stays NaN in a plain float; zeros have no signal.
	{ head -c 1022 /dev/zero; printf '\xc0\x7f'; head -c 1024 /dev/zero; } |
	    st m.safetensors '{"a.weight":{"dtype":"BF16","shape":[2,256],"data_offsets":[0,1024]},"b.weight":{"dtype":"BF16","shape":[2,256],"data_offsets":[1024,2048]}}'
	apr-cat m.safetensors | apr-quant -q -f --stats s.jsonl f32 >out
	jq -s -e '.[0] | .rmse == null and .nmse == null and .cosine == null' s.jsonl
	jq -s -e '.[1] | .rmse == 0 and .nmse == 0 and .cosine == null and .sqnr_db == null' s.jsonl
	apr-cat m.safetensors >in
	fails 1 apr-quant --max-nmse 1 f32 <in
	says "a.weight: NMSE "
}

@test "files of statistics get their names at the end" {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	fails 1 apr-quant --stats no/such q4_k <in
	says "no/such: No such file"
	run -1 bash -c 'apr-quant -q --stats /dev/full q4_k <in 2>&1 >out'
	[[ $output == "apr-quant: /dev/full: No space left"* ]]
	# What is no file is written as it is.
	apr-quant -q --stats /dev/fd/9 q4_k <in 9>&1 >out | jq -r .name >got
	same got <(names <in)
	echo old >s.jsonl
	head -c 100000 in >cut
	fails 1 apr-quant -f --stats s.jsonl q4_k <cut
	fails 1 apr-quant --stats s.jsonl q4_k <in
	says "s.jsonl: exists; -f replaces it"
	same s.jsonl <(echo old)
	[ "$(ls s.jsonl*)" = s.jsonl ]
	apr-quant -q -f --stats s.jsonl q4_k <in >out
	jq -r .name s.jsonl | cmp - got
}
