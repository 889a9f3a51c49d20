# SPDX-License-Identifier: MIT
# Types for a size, or for bits a weight.
load helper

@test "types for a size: it is met, and not wasted" {
	need gguf/llama3.bf16.gguf
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	local want got last=0 bits
	for want in 450000 520K 0.6M 700123 800Ki 1M 1.5M 2M 30M; do
		apr-quant -q --target-size $want <in | apr-pack -f out.gguf
		got=$(stat -c %s out.gguf)
		case $want in
		*Ki) want=$((${want%Ki} * 1024)) ;;
		*) want=$(echo "$want" | sed 's/K/*10^3/; s/M/*10^6/' | jq -Rr '[splits("[*]")] | (.[0] | tonumber) * ({"10^3": 1000, "10^6": 1000000}[.[1] // ""] // 1)') ;;
		esac
		[ "$got" -le "$want" ]
		[ "$got" -ge "$last" ]
		last=$got
		# No step of this model is larger than the embedding's, from Q8_0 to BF16.
		[ "$got" -ge $((want - 250000)) ] || [ "$got" = "$(stat -c %s "$F/gguf/llama3.bf16.gguf")" ]
	done
	fails 1 apr-quant --target-size 300K <in
	says "are the least that this comes to"
	for bits in 3.5 4.6 8; do
		apr-quant -q --target-bpw $bits <in | tar xOf - manifest.json |
		    jq -e --argjson b $bits '([.tensors[].bytes] | add) * 8 / ([.tensors[].shape | reduce .[] as $d (1; . * $d)] | add) | . <= $b and . > $b - 0.4'
	done
	# Options decide before it, and the types are those that were allowed.
	apr-quant -q --target-size 700K --types q4_k,q6_k --tensor-type attn_v=q8_0 <in | dtypes >got
	[ "$(grep -c 'attn_v.weight Q8_0' got)" = 2 ]
	! grep -v -e F32 -e attn_v got | grep -v -e Q4_K -e Q6_K || false
	# A plan says the same, and keeps the files.
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" | apr-quant -q --target-size 700K | apr-pack --json x.gguf | jq .size >a
	apr-quant -q --target-size 700K <in >q
	apr-pack -f out.gguf <q
	[ "$(cat a)" = "$(stat -c %s out.gguf)" ]
	tar tf q >members
	tar tf in | cmp - members
	# An .apr has other types, and another header.
	apr-cat "$REPO/examples/sample" | apr-pack sample.apr
	for want in 600K 1M 1234567; do
		apr-cat sample.apr | apr-quant -q --target-size $want | apr-pack -f out.apr 2>/dev/null || continue
		[ "$(stat -c %s out.apr)" -le "$(echo $want | sed 's/K/000/; s/M/000000/')" ]
	done
	[ -s out.apr ]
}

@test "types for a size: experts that will be stacked have one type, on both roads" {
	need hf/qwen3-moe hf/mixtral
	local m want
	for m in qwen3-moe mixtral; do
		for want in 1150000 1600000; do
			apr-cat "$F/hf/$m" | apr-quant -q --target-size $want --format gguf | apr-pack -q -f a.gguf
			[ "$(stat -c %s a.gguf)" -le $want ]
			[ "$(stat -c %s a.gguf)" -ge $((want - 60000)) ]
			apr-cat --as gguf "$F/hf/$m" | apr-quant -q --target-size $want --format gguf | apr-pack -q -f b.gguf
			same a.gguf b.gguf "$m, $want"
		done
	done
}

@test "types for a size: the keys of an imatrix count, and its types are there" {
	need gguf/llama3.bf16.gguf gguf/llama3.imatrix.gguf
	local want size
	apr-cat "$F/gguf/llama3.bf16.gguf" >in
	cp "$F/gguf/llama3.imatrix.gguf" a-name-of-some-length-for-the-key.gguf
	apr-quant -q --imatrix a-name-of-some-length-for-the-key.gguf --target-size 400000 <in | tee q | apr-pack -f out.gguf
	dtypes <q | grep -q IQ2_
	# Steps are larger than the keys: what is met to the byte shows that they count.
	size=$(stat -c %s out.gguf)
	for want in $((size - 1)) $size $((size + 100)); do
		apr-quant -q --imatrix a-name-of-some-length-for-the-key.gguf --target-size $want <in | apr-pack -f out.gguf
		[ "$(stat -c %s out.gguf)" -le $want ]
		[ $want -lt $size ] || [ "$(stat -c %s out.gguf)" = $size ]
	done
}

@test "types for a size: what was measured counts" {
	need gguf/llama3.bf16.gguf
	apr-cat --plan "$F/gguf/llama3.bf16.gguf" >in
	local n
	n=$(tar xOf in manifest.json | jq '.tensors[] | select(.name == "blk.0.ffn_up.weight") | .shape[0] * .shape[1]')
	# Were Q4_K and less very bad for one tensor, it would get more than its neighbours.
	for t in q2_k q3_k iq4_xs q4_k q4_0 iq4_nl q4_1 iq3_s; do
		echo "{\"name\":\"blk.0.ffn_up.weight\",\"type\":\"$t\",\"n\":$n,\"nmse\":0.5,\"more\":[1]}"
	done >errors
	echo '{"tool":"apr-quant"}' >>errors
	apr-quant -q --target-size 600K <in | dtypes | grep 'ffn_up' >without
	apr-quant -q --target-size 600K --errors errors <in | dtypes | grep 'ffn_up' >with
	! grep -q 'blk.0.ffn_up.weight Q[568]' without || false
	grep -q 'blk.0.ffn_up.weight Q[568]' with
	! grep -q 'blk.1.ffn_up.weight Q[568]' with || false
	echo '{"name":"blk.0.ffn_up.weight","type":"q4_k","n":5,"nmse":0.1}' >errors
	fails 1 apr-quant --target-size 600K --errors errors <in
	says "another model's"
	echo '{"name":"a","type":"q4_k","nmse":0.1}' >errors
	fails 1 apr-quant --target-size 600K --errors errors <in
	says "line 1: name, type, n and nmse are wanted"
	: >errors
	fails 2 apr-quant --errors errors q4_k <in
	fails 2 apr-quant --target-size 600K --target-bpw 4 <in
	fails 2 apr-quant --target-size 600K q4_k <in
	fails 2 apr-quant --target-size 6X <in
	fails 2 apr-quant --target-bpw 0 <in
	fails 2 apr-quant --target-size 600K --types q4_k,foo <in
	fails 2 apr-quant --target-size 600K --format zip <in
}
