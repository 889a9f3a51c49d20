#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

A=apr/smollm.int4.apr
G=gguf/llama3.bf16.gguf

# The directory has these and no more (and no temporary ones).
only() {
	local got
	got=$(ls -A | sed '/^fails\./d' | tr '\n' ' ')
	[ "$got" = "${*:+$* }" ] || { echo "there is $got" >&2; return 1; }
}

@test "help, version, wrong usage" {
	apr-pack --help | grep '^usage: apr-pack' >/dev/null
	[ "$(apr-pack --version | cut -d' ' -f1)" = apr-pack ]
	need $A hf/qwen2
	apr-cat "$F/$A" >s.tar
	fails 2 apr-pack <s.tar
	fails 2 apr-pack a.apr b.apr <s.tar
	fails 2 apr-pack --nope a.apr <s.tar
	fails 2 apr-pack a.bin <s.tar
	fails 2 apr-pack --format npz a.bin <s.tar
	fails 2 apr-pack --format apr out/ <s.tar
	fails 2 apr-pack --apr-codes=new a.apr <s.tar
	fails 2 apr-pack --shard-size 1000 a.apr <s.tar
	fails 2 apr-pack --shard-size 0 out/ <s.tar
	fails 2 apr-pack --shard-size -1 out/ <s.tar
	fails 2 apr-pack --shard-size 1X out/ <s.tar
	fails 2 apr-pack --order name a.gguf <s.tar
	fails 2 apr-pack --split-like-source a.apr <s.tar
	# A directory's stream has no one format to be written in.
	apr-cat "$F/hf/qwen2" >h.tar
	fails 2 apr-pack - <h.tar
	says --format
	only h.tar s.tar
}

@test "no -f: what exists stays; -f: it is replaced, even the source" {
	need $A
	apr-cat "$F/$A" >s.tar
	echo precious >out.apr
	fails 1 apr-pack out.apr <s.tar
	says out.apr
	[ "$(cat out.apr)" = precious ]
	apr-pack -f out.apr <s.tar
	same out.apr "$F/$A"
	apr-cat out.apr | apr-pack -f out.apr
	same out.apr "$F/$A"
	head -c 500000 s.tar >cut.tar
	fails 1 apr-pack -f out.apr <cut.tar
	same out.apr "$F/$A"
	ln -s nowhere link.apr
	fails 1 apr-pack link.apr <s.tar
	fails 1 apr-pack nodir/out.apr <s.tar
	only cut.tar link.apr out.apr s.tar
	(umask 077; apr-pack new.apr <s.tar)
	[ "$(stat -c %a new.apr)" = 600 ]
	(umask 022; apr-pack -f new.apr <s.tar)
	[ "$(stat -c %a new.apr)" = 644 ]
}

@test "a cut or broken stream leaves nothing" {
	need apr/made/golden_A.apr $A hf/qwen2
	mkdir d
	cd d
	apr-cat "$F/apr/made/golden_A.apr" >../s.tar
	apr-cat "$F/$A" >../big.tar
	size=$(stat -c %s ../s.tar)
	end=$(grep -abo CHECKSUMS ../s.tar | tail -n 1 | cut -d: -f1)
	for n in 0 1 100 511 512 513 1024 1536 2000 $((end - 1)) $end $((end + 512)) $((end + 540)); do
		head -c $n ../s.tar >../cut.tar
		fails 1 apr-pack out.apr <../cut.tar
	done
	for n in 4096 65536 500000 1000000; do
		head -c $n ../big.tar >../cut.tar
		fails 1 apr-pack out.apr <../cut.tar
		fails 1 apr-pack --raw dir/ <../cut.tar
	done
	{ cat ../s.tar; echo more; } >../more.tar
	fails 1 apr-pack out.apr <../more.tar
	cp ../big.tar ../flip.tar
	b=$(dd if=../flip.tar bs=1 skip=700000 count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
	printf "\\x$(printf %02x $((b ^ 1)))" | dd of=../flip.tar bs=1 seek=700000 conv=notrunc 2>/dev/null
	fails 1 apr-pack out.apr <../flip.tar
	apr-cat "$F/hf/qwen2" >../h.tar
	head -c 1900000 ../h.tar >../cut.tar
	fails 1 apr-pack dir/ <../cut.tar
	only
}

@test "interrupted: nothing is left" {
	need $A
	mkdir d
	mkfifo fifo
	apr-cat "$F/$A" >s.tar
	head -c 600000 s.tar >part
	for sig in TERM INT HUP; do
		exec 7<>fifo
		# Background jobs of a shell ignore INT; env gives it back.
		(cd d && exec env --default-signal=INT apr-pack out.apr) <fifo 2>/dev/null 3>&- 7>&- &
		pid=$!
		cat part >&7
		for i in $(seq 100); do
			[ -z "$(ls -A d)" ] || break
			sleep 0.02
		done
		[ -n "$(ls -A d)" ]
		kill -$sig $pid
		got=0
		wait $pid || got=$?
		exec 7>&-
		[ $got -gt 128 ]
		[ -z "$(ls -A d)" ]
	done
}

@test "- is the same bytes, in order, without a temporary file" {
	need $A $G hf/llama3
	apr-cat "$F/$A" | apr-pack - | cmp - "$F/$A"
	apr-cat "$F/$G" | apr-pack - | cmp - "$F/$G"
	for f in apr safetensors; do
		apr-cat "$F/hf/llama3" | apr-pack m.$f
		apr-cat "$F/hf/llama3" | apr-pack --format $f - | cmp - m.$f
		apr-cat "$F/hf/llama3" | apr-pack --format $f - >n.$f
		same m.$f n.$f
		apr-cat "$F/hf/llama3" | apr-pack --format $f named
		same m.$f named
		rm named
	done
	apr-cat "$F/$A" >s.tar
	OUT=/dev/full fails 1 apr-pack - <s.tar
	fails 1 apr-pack -f --format apr /dev/full <s.tar
	[ -c /dev/full ]
	set +o pipefail
	apr-pack - <s.tar 2>err | head -c 1000 >head
	status=${PIPESTATUS[0]}
	set -o pipefail
	[ $status = 141 ]
	[ ! -s err ]
	can_trace
	for f in $A $G; do
		apr-cat "$F/$f" | env "$NO_LEAKS" strace -f -o trace apr-pack - >out
		same out "$F/$f"
		[ "$(grep -cE '(lseek|pwrite64|pwritev|ftruncate)\(1,' trace)" = 0 ]
		[ "$(grep -cE 'O_CREAT|O_TMPFILE|memfd_create|rename' trace)" = 0 ]
		[ "$(grep -c 'write(1,' trace)" -gt 0 ]
	done
}

@test "a pipe needs the order of the output, and is told which" {
	need $G
	apr-cat "$F/$G" >s.tar
	apr-pack --order quantize q.gguf <s.tar
	fails 1 apr-pack --order quantize - <s.tar
	says "--order quantize"
	apr-cat --order quantize "$F/$G" | apr-pack --order quantize - | cmp - q.gguf
	apr-cat q.gguf | sums >got
	apr-cat "$F/$G" | sums | cmp - got
	apr-cat q.gguf | apr-pack --order quantize - | cmp - q.gguf
}

@test "a plan: the exact size, and nothing written" {
	need $A $G hf/llama3 hf/qwen2
	mkdir d
	cd d
	for f in $A $G hf/llama3 hf/qwen2; do
		for to in apr safetensors gguf; do
			raw=
			[ $to != gguf ] || raw=--raw
			apr-cat --plan "$F/$f" >../plan
			if [ "$f $to" = "$A safetensors" ] || [ "$f $to" = "$A gguf" ]; then
				# What cannot be, cannot be planned.
				fails 1 apr-pack $raw out.$to <../plan
				says apr_q4
				continue
			fi
			apr-cat "$F/$f" | apr-pack $raw ../out.$to
			apr-pack $raw out.$to <../plan >../table
			n=$(stat -c %s ../out.$to)
			tail -n 1 ../table | grep " $n bytes" >/dev/null || { echo "$f $to: $(tail -n 1 ../table), not $n" >&2; false; }
			apr-cat --plan "$F/$f" | apr-pack $raw --json out.$to >../json
			[ "$(jq .size ../json)" = "$n" ]
			[ "$(jq -c '[.files[].size]' ../json)" = "[$n]" ]
			jq -e '(.format == "'$to'") and (.tensors | length > 0)' ../json >/dev/null
			apr-cat --plan "$F/$f" | apr-pack $raw --format $to --json - | jq -e ".size == $n" >/dev/null
			rm ../out.$to
			only
		done
	done
	# An existing output is no matter: nothing is written.
	echo precious >out.apr
	apr-cat --plan "$F/$A" | apr-pack out.apr >/dev/null
	[ "$(cat out.apr)" = precious ]
	apr-cat --plan "$F/$A" >plan
	OUT=/dev/full fails 1 apr-pack x.apr <plan
	head -c -1100 plan >cut
	fails 1 apr-pack x.apr <cut
}

@test "a plan of a directory" {
	need hf/llama3
	for o in "" "--shard-size 300K"; do
		rm -rf out
		apr-cat "$F/hf/llama3" | apr-pack $o out/
		apr-cat -n "$F/hf/llama3" | apr-pack $o --json new/ >json
		[ ! -e new ]
		jq -r '.files[] | "\(.name) \(.size)"' json >want
		(cd out && stat -c '%n %s' *.safetensors) >got
		same want got
	done
}

@test "hf to .apr keeps config.json and the tokenizer, and gives them back" {
	need hf/qwen2 hf/llama3
	for m in qwen2 llama3; do
		apr-cat "$F/hf/$m" | apr-pack $m.apr
		rm -rf x && mkdir x
		apr-cat $m.apr | tar xf - -C x
		for f in "$F/hf/$m"/*; do
			case $f in *.safetensors|*.index.json) continue ;; esac
			same "$f" "x/files/${f##*/}"
		done
		[ ! -e x/files/model.safetensors.index.json ]
		apr-cat $m.apr | apr-pack again.apr
		same again.apr $m.apr
		rm again.apr
		# And back into a directory: the same files, the same tensors.
		rm -rf dir
		apr-cat $m.apr | apr-pack dir/
		apr-cat dir | sums >got
		apr-cat "$F/hf/$m" | sums | cmp - got
		cmp dir/config.json "$F/hf/$m/config.json"
		cmp dir/tokenizer.json "$F/hf/$m/tokenizer.json"
	done
}

@test "a tied checkpoint's ghost" {
	need hf/qwen2 hf/llama3
	jq -e .tie_word_embeddings "$F/hf/qwen2/config.json" >/dev/null || skip "qwen2 is not tied"
	apr-cat "$F/hf/qwen2" | apr-pack out.apr
	apr-ls --json out.apr | jq -e '[.tensors[] | select(.tied_to)] |
		length == 1 and .[0].name == "lm_head.weight" and .[0].bytes == 0
		and .[0].tied_to == "model.embed_tokens.weight"' >/dev/null
	# Other sinks drop it.
	apr-cat out.apr | apr-pack out.safetensors
	[ "$(apr-ls --json out.safetensors | grep -c lm_head)" = 0 ]
	for d in "$F"/hf/*; do
		[ "$(jq .tie_word_embeddings "$d/config.json")" = false ] || continue
		apr-cat "$d" | apr-pack -f l.apr
		[ "$(apr-ls --json l.apr | grep -c tied_to)" = 0 ] || { echo "$d" >&2; false; }
	done
}

@test "from format to format the tensors stay" {
	need $G hf/llama3 apr/qwen2.gguf-q4_k_m.apr
	for f in $G hf/llama3 apr/qwen2.gguf-q4_k_m.apr; do
		apr-cat "$F/$f" | sums >want
		for to in apr safetensors; do
			[ "$to $f" != "safetensors apr/qwen2.gguf-q4_k_m.apr" ] || continue
			apr-cat "$F/$f" | apr-pack -f --raw out.$to
			# The ghost of a tied checkpoint is new, and empty.
			apr-cat out.$to | sums | sed '/^99aa06d3014798d86001c324468d497f/d' | cmp - want
			apr-cat out.$to | apr-pack -f again.$to
			same out.$to again.$to "$f as $to"
		done
		apr-cat "$F/$f" | apr-pack -f --raw out.gguf
		apr-cat out.gguf | sums | cmp - want
	done
}

@test "what a format cannot hold is exit 1 and says what" {
	need gguf/llama3.q8_0.gguf $A hf/qwen2
	apr-cat "$F/gguf/llama3.q8_0.gguf" >g.tar
	fails 1 apr-pack x.apr <g.tar
	says Q8_0
	fails 1 apr-pack x.safetensors <g.tar
	says Q8_0
	fails 1 apr-pack x/ <g.tar
	says apr-dequant
	apr-cat "$F/$A" >a.tar
	fails 1 apr-pack x.gguf <a.tar
	says apr_q4
	fails 1 apr-pack --raw x.gguf <a.tar
	says apr_q4
	fails 1 apr-pack x.safetensors <a.tar
	says apr_q4
	# An architecture that is not known has no names in GGUF.
	mkdir h
	cp "$F"/hf/qwen2/*.safetensors h
	apr-cat h >h.tar
	fails 1 apr-pack x.gguf <h.tar
	says config.json
	jq '.architectures = ["NoSuchModel"] | .model_type = "none"' "$F/hf/qwen2/config.json" >h/config.json
	apr-cat h >h.tar
	fails 1 apr-pack x.gguf <h.tar
	says NoSuchModel
	says "llama, qwen2, qwen3"
	says --raw
	fails 1 apr-cat --as gguf h
	says NoSuchModel
	apr-pack --raw x.gguf <h.tar
	rm x.gguf
	only a.tar g.tar h h.tar
	# Rows that are padded, and (old) blocks that run over their ends.
	head -c 3072 /dev/zero | st w.safetensors \
	    '{"model.layers.0.mlp.up_proj.weight":{"dtype":"F32","shape":[2,384],"data_offsets":[0,3072]}}'
	apr-cat w.safetensors | apr-quant -q --fallback=pad q4_k >p.tar
	fails 1 apr-pack --raw x.gguf <p.tar
	says 'rows padded to 288 bytes'
	nothing x.gguf
}

@test "tensors of an .apr begin at multiples of 64" {
	printf aaaabbbbcccc | st m.safetensors '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"c":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}'
	apr-cat m.safetensors | apr-pack m.apr
	for c in aaaa bbbb cccc; do grep -abo $c m.apr; done | cut -d: -f1 >at
	[ "$(wc -l <at)" = 3 ]
	awk '$1 % 64 { exit 1 }' at
}

@test "--apr-codes=legacy" {
	need apr/made/q_129.apr apr/made/q_9.apr $A
	# The same model with the old and the new codes.
	apr-cat "$F/apr/made/q_9.apr" | apr-pack --apr-codes=legacy out.apr
	same out.apr "$F/apr/made/q_9.apr"
	apr-cat --order name --reject '*norm*' "$F/$A" >s.tar
	apr-pack new.apr <s.tar
	apr-pack --apr-codes=legacy old.apr <s.tar
	[ "$(stat -c %s new.apr)" = "$(stat -c %s old.apr)" ]
	apr-cat new.apr | sums >want
	apr-cat old.apr | sums | cmp - want
	need hf/qwen2
	command -v apr-quant >/dev/null || skip "no apr-quant"
	apr-cat "$F/hf/qwen2" | apr-quant -q apr_q4 >q.tar
	apr-pack q.apr <q.tar
	apr-pack --apr-codes=legacy l.apr <q.tar
	! cmp -s q.apr l.apr || { echo "legacy codes are the new ones" >&2; false; }
	apr-cat q.apr | sums >want
	apr-cat l.apr | sums | cmp - want
}

@test "--shard-size makes shards and an index as transformers does" {
	need hf/llama3
	apr-cat "$F/hf/llama3" | sums >want
	apr-cat "$F/hf/llama3" | apr-pack --shard-size 300K out/
	apr-cat out | sums | cmp - want
	n=$(ls out/*.safetensors | wc -l)
	[ "$n" -gt 3 ]
	[ -e "$(printf 'out/model-%05d-of-%05d.safetensors' "$n" "$n")" ]
	for f in out/*.safetensors; do
		apr-ls --json "$f" | jq -e '(.tensors | length == 1) or ([.tensors[].bytes] | add <= 300000)' >/dev/null
		for t in $(apr-ls --json "$f" | jq -r '.tensors[].name'); do
			echo "$t ${f#out/}"
		done
	done | sort >map
	i=out/model.safetensors.index.json
	jq -r '.weight_map | to_entries[] | "\(.key) \(.value)"' $i | sort | cmp - map
	jq --indent 2 -S . $i | cmp - $i
	[ "$(jq -S .metadata $i)" = "$(jq -S .metadata "$F/hf/llama3/model.safetensors.index.json")" ]
	cmp out/config.json "$F/hf/llama3/config.json"
	# One shard is model.safetensors without an index.
	apr-cat "$F/hf/llama3" | apr-pack --shard-size 1G one/
	[ "$(ls one/model*)" = one/model.safetensors ]
	apr-cat one | sums | cmp - want
	# Each tensor alone.
	apr-cat "$F/hf/llama3" | apr-pack --shard-size 1 each/
	[ "$(ls each/*.safetensors | wc -l)" = "$(wc -l <want)" ]
	apr-cat each | sums | cmp - want
}

@test "a directory is replaced whole, and only with -f" {
	need hf/qwen2
	apr-cat "$F/hf/qwen2" >s.tar
	mkdir out
	echo precious >out/old
	fails 1 apr-pack out <s.tar
	fails 1 apr-pack out/ <s.tar
	[ "$(ls out)" = old ]
	head -c 1000000 s.tar >cut.tar
	fails 1 apr-pack -f out/ <cut.tar
	[ "$(cat out/old)" = precious ]
	apr-pack -f out/ <s.tar
	diff -r out "$F/hf/qwen2"
	apr-cat out | apr-pack -f out
	diff -r out "$F/hf/qwen2"
	[ "$(stat -c %a out)" = 755 ]
	only cut.tar out s.tar
}

@test "--split-like-source: -f, and a source without parts" {
	need gguf/split $G
	apr-cat "$F"/gguf/split/llama3.q4_k_m-00001-of-00003.gguf >s.tar
	echo precious >x-00002-of-00003.gguf
	fails 1 apr-pack --split-like-source x.gguf <s.tar
	[ "$(cat x-00002-of-00003.gguf)" = precious ]
	only s.tar x-00002-of-00003.gguf
	apr-pack -f --split-like-source x.gguf <s.tar
	cmp x-00002-of-00003.gguf "$F/gguf/split/llama3.q4_k_m-00002-of-00003.gguf"
	apr-cat "$F/$G" >g.tar
	fails 1 apr-pack --split-like-source y.gguf <g.tar
	rm x-*
	apr-cat "$F"/gguf/split/llama3.q4_k_m-00001-of-00003.gguf | apr-pack --split-like-source --format gguf odd
	[ "$(ls odd* | wc -l)" = 3 ]
}

@test "--provenance writes the history, and nothing else does" {
	need $A $G hf/qwen2
	for f in $A $G hf/qwen2/model.safetensors; do
		s=${f##*.}
		apr-cat "$F/$f" | apr-pack --provenance out.$s
		grep -a apr-cat out.$s >/dev/null || { echo "$f: no history" >&2; false; }
		apr-cat "$F/$f" | sums >want
		apr-cat out.$s | sums | cmp - want
		apr-cat out.$s | apr-pack again.$s
		same out.$s again.$s
		rm again.$s out.$s
		apr-cat "$F/$f" | apr-pack out.$s
		[ "$(grep -ac apr_tools.history out.$s)" = 0 ]
		rm out.$s
	done
}
