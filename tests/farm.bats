#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# examples/farm: four models in two types, made once; each test has a copy.
load helper

MODELS='smollm qwen3 llama3 granite'
unset MAKEFLAGS MFLAGS MAKELEVEL

setup_file() {
	local m
	SECONDS=0
	fixtures
	for m in $MODELS; do
		[ -d "$F/hf/$m" ] || return 0
	done
	mkdir "$BATS_FILE_TMPDIR/clean" && cd "$BATS_FILE_TMPDIR/clean"
	new_farm
	make -s -j2
	echo $SECONDS >../seconds
}

# new_farm -- one with its own sources, here.
new_farm() {
	local m
	cp -r "$REPO"/examples/farm/. .
	mkdir src
	for m in $MODELS; do
		cp -rL "$F/hf/$m" src
	done
	chmod -R u+w src
	cat >models.mk <<-END
		MODELS = $MODELS
		$(for m in $MODELS; do echo "source_$m = src/$m"; done)
		TYPES = q8_0 mine
		quant_mine = -r mine.json
		bounds = --max-nmse 0.01
		prompt = it's "1"
		tokens = 2
	END
	cat >mine.json <<-END
		{"apr_recipe": 1, "base": "q4_k", "rules": [
		{"class": "attn_v", "type": "q6_k"},
		{"include": "q4_k_m"}]}
	END
}

setup() {
	set -o pipefail
	fixtures
	need hf/smollm hf/qwen3 hf/llama3 hf/granite
	T=$BATS_TEST_TMPDIR
	cp -a "$BATS_FILE_TMPDIR/clean" "$T/farm"
	cd "$T/farm"
}

# todo -- the steps that make would take, sorted.
todo() {
	make -n | sed -n "s/^echo '  \(.*\)'\$/\1/p" | sort
}

# steps MODEL TYPE STEP... -- lines as todo has them.
steps() {
	local s
	for s in "${@:3}"; do
		echo "$s $1 $2"
	done
}

@test "a farm that is done has nothing to do, whatever was touched or moved" {
	local used
	[ "$(ls out/*/*.gguf | wc -l)" = 8 ]
	[ -z "$(todo)" ]
	make | grep 'Nothing to be done'
	find . -exec touch {} +
	chmod 600 src/*/*
	[ -z "$(todo)" ]
	mv src elsewhere
	sed -i 's|= src/|= elsewhere/|' models.mk
	make | grep "Nothing to be done"
	# Six types a model, as files that are there; the time of the processor,
	# as that of a clock is the other tests'.
	sed -i '/^TYPES/s/$/ a b c d/' models.mk
	todo >/dev/null
	TIMEFORMAT='%U %S'
	used=$({ time make -n >/dev/null; } 2>&1)
	echo "$used"
	awk '{ exit !($1 + $2 < 2) }' <<<"$used"
	# What it is is what the pipe gives.
	apr-cat --as gguf elsewhere/qwen3 | apr-quant -q -r mine.json | apr-pack x.gguf
	same x.gguf out/qwen3/mine.gguf
}

@test "what has changed is made anew, and nothing else" {
	local m
	# A line of a recipe.
	sed -i 's/"q6_k"/"q5_k"/' mine.json
	for m in $MODELS; do steps $m mine quantize check run line; done | sort >want
	todo | diff want -
	sed -i 's/"q5_k"/"q6_k"/' mine.json
	[ -z "$(todo)" ]
	# A file that it includes.
	sed -i 's/"q4_k_m"/"more.json"/' mine.json
	cp "$REPO/recipes/q4_k_m.json" more.json
	make -s -j2
	[ -z "$(todo)" ]
	sed -i '0,/q6_k/s//q5_k/' more.json
	todo | diff want -
	cp "$REPO/recipes/q4_k_m.json" more.json
	[ -z "$(todo)" ]
	# One of models.mk's lines, and of the Makefile's.
	echo 'bounds_q8_0 = --max-nmse 0.001' >>models.mk
	for m in $MODELS; do steps $m q8_0 check line; done | sort | diff - <(todo)
	sed -i '$d' models.mk
	sed -i '/^run /s/-n $(tokens)/& --kv q8_0/' Makefile
	for m in $MODELS; do steps $m q8_0 run line; steps $m mine run line; done | sort | diff - <(todo)
	cp "$REPO/examples/farm/Makefile" .
	# The content of a source.
	printf ' ' >>src/llama3/config.json
	{ echo source llama3; steps llama3 q8_0 quantize check run line; steps llama3 mine quantize check run line; } |
	    sort | diff - <(todo)
	cp "$F/hf/llama3/config.json" src/llama3/
	[ -z "$(todo)" ]
	# An importance matrix.
	need gguf/llama3.imatrix.gguf
	cp "$F/gguf/llama3.imatrix.gguf" .
	echo 'imatrix_llama3 = llama3.imatrix.gguf' >>models.mk
	{ steps llama3 q8_0 quantize check run line; steps llama3 mine quantize check run line; } | sort | diff - <(todo)
	make -s -j2
	! cmp -s out/llama3/mine.gguf "$BATS_FILE_TMPDIR/clean/out/llama3/mine.gguf" || false
	cp "$F/gguf/qwen3.imatrix.gguf" llama3.imatrix.gguf 2>/dev/null || printf x >>llama3.imatrix.gguf
	[ "$(todo | wc -l)" = 8 ]
	sed -i '$d' models.mk
	sed -i "s/more.json/q4_k_m/" mine.json
	make -s -j2
	diff -r out "$BATS_FILE_TMPDIR/clean/out"
	# The version of the tools.
	mkdir bin
	printf '#!/bin/sh\necho apr-cat 99\n' >bin/apr-cat
	chmod +x bin/apr-cat
	[ "$(PATH=$PWD/bin:$PATH todo | wc -l)" = 36 ]
}

@test "killed at any moment, make goes on: the bytes of a clean run" {
	local i j hit=0 pid types=(q6_k q5_k) ms
	ms=$((($(cat "$BATS_FILE_TMPDIR/seconds") + 1) * 500))
	for ((i = 0; i < ${APR_KILLS:-5}; i++)); do
		# Another recipe each time: what is left is of the one or the other.
		sed -i "s/q[56]_k/${types[i % 2]}/" mine.json
		[ -n "$(todo)" ] || rm -rf out
		setsid make -s -j2 >/dev/null 2>&1 &
		pid=$!
		sleep "$(printf '%d.%03d' $(((j = RANDOM * ms / 32768) / 1000)) $((j % 1000)))"
		! kill -9 -- -$pid 2>/dev/null || ((hit += 1))
		wait $pid || :
	done
	((hit > 0))
	sed -i "s/q[56]_k/q6_k/" mine.json
	make -s -j2
	diff -r out "$BATS_FILE_TMPDIR/clean/out"
	[ -z "$(todo)" ]
}

@test "killed between a result and its key" {
	mkdir bin
	cat >bin/mv <<-END
		#!/bin/sh
		[ "\$2" != out/qwen3/mine.gguf.key ] || kill -9 0
		exec $(command -v mv) "\$@"
	END
	chmod +x bin/mv
	sed -i 's/q6_k/q5_k/' mine.json
	PATH=$PWD/bin:$PATH setsid make -s -j2 >/dev/null 2>&1 || [ $? = 137 ]
	! cmp -s out/qwen3/mine.gguf "$BATS_FILE_TMPDIR/clean/out/qwen3/mine.gguf"
	# Back: what lies there is not what it was.
	sed -i 's/q5_k/q6_k/' mine.json
	todo | grep -x 'quantize qwen3 mine'
	make -s -j2
	diff -r out "$BATS_FILE_TMPDIR/clean/out"
}

@test "a broken source stops its own targets, by its name" {
	local status=0
	rm -rf out
	truncate -s -1000 src/qwen3/model.safetensors
	make -s -k -j2 2>err || status=$?
	[ $status = 2 ]
	grep '^qwen3 source: apr-stat: .*model.safetensors' err
	[ "$(grep -c '^[a-z]' err)" = "$(grep -c '^qwen3\|^make' err)" ]
	[ "$(ls out/*/*.line | wc -l)" = 6 ]
	nothing out/qwen3/*.gguf
	status=0
	make report >report.txt || status=$?
	[ $status = 2 ]
	[ "$(grep -c '^qwen3 .* source: apr-stat: .*model.safetensors' report.txt)" = 2 ]
	[ "$(grep -c '0\.0' report.txt)" = 3 ]
	cp "$F/hf/qwen3/model.safetensors" src/qwen3/
	make -s -j2
	diff -r out "$BATS_FILE_TMPDIR/clean/out"
	make report
}

@test "what was pinned is refused when a bit of it has changed" {
	make -s pin
	todo >list
	[ "$(wc -l <list)" = 4 ]
	[ "$(grep -c ^source list)" = 4 ]
	make -s -j2
	printf x | dd of=src/granite/model.safetensors bs=1 seek=1000000 conv=notrunc status=none
	! make -s -k -j2 2>err || false
	grep '^granite source: not what was pinned: src/granite$' err
	[ "$(grep -c 'not what was pinned' err)" = 1 ]
	rm pins.mk
	! make -s -k 2>err || [ "$(todo)" = '' ]
}

@test "a full disk stops what it must" {
	unshare -rm mount -t tmpfs x /mnt 2>/dev/null || skip "mounting a tmpfs is not permitted"
	rm -rf out/llama3 out/smollm
	mkdir out/smollm
	unshare -rm bash -c 'mount -t tmpfs -o size=1m x out/smollm; make -s -k -j2; r=$?; ls out/smollm >left; exit $r' 2>err && false
	grep '^smollm q8_0: .*No space left' err
	! grep 'gguf' left || false
	[ -e out/llama3/mine.line ]
	make report >report.txt || grep '^smollm .* quantize: .*No space left' report.txt
	make -s -j2
	diff -r out "$BATS_FILE_TMPDIR/clean/out"
}

@test "bounds that are not kept, a type that is none" {
	echo 'bounds_mine = --max-nmse 0.001' >>models.mk
	echo 'types_granite = nonsense' >>models.mk
	! make -s -k -j2 2>err || false
	grep '^smollm mine: [0-9]* tensors, the first: .*(over, NMSE 0.00' err
	grep '^granite nonsense: apr-quant: ' err
	[ -e out/smollm/mine.gguf ]
	[ ! -e out/smollm/mine.check.key ]
	! make report >report.txt || false
	[ "$(grep -c ' check: [0-9]* tensors' report.txt)" = 3 ]
	grep '^granite .* quantize: apr-quant: ' report.txt
}

@test "a program that dies without a word" {
	mkdir bin
	printf "#!/bin/sh\nkill -SEGV \$\$\n" >bin/apr-infer
	chmod +x bin/apr-infer
	rm out/qwen3/mine.run
	! PATH=$PWD/bin:$PATH make -s -k 2>err
	grep -E "^qwen3 mine: .*(Segmentation fault|exit status 139)" err
	make -s
	diff -r out "$BATS_FILE_TMPDIR/clean/out"
}

@test "the plan has the sizes, and does nothing" {
	rm -rf out .farm log
	make plan >plan.txt
	[ ! -e out ]
	[ ! -s .farm/sums ]
	cd "$BATS_FILE_TMPDIR/clean"
	make plan >"$T/plan.txt"
	for f in out/*/*.gguf; do
		m=${f#out/} t=${f##*/}
		grep "^${m%/*}  *${t%.gguf}  *done  *$(awk "BEGIN { printf \"%.1f\", $(stat -c %s "$f") / 1e6 }") MB  *[0-9]* MiB\$" "$T/plan.txt"
	done
	grep '^0.0 MB to be written' "$T/plan.txt"
}

@test "tensor by tensor: the bytes of one pipe, and one tensor made anew" {
	echo 'each_llama3 = yes' >>models.mk
	# The key is that of the pipe.
	make | grep 'Nothing to be done'
	[ ! -e out/llama3/parts ]
	rm -rf out/llama3
	make -s -j2
	[ "$(ls out/llama3/mine.each/*.tar | wc -l)" = "$(apr-ls --json out/llama3/mine.gguf | jq '.tensors | length')" ]
	make | grep 'Nothing to be done'
	mkdir both
	mv out/llama3/parts* out/llama3/*.each both/
	diff -r out "$BATS_FILE_TMPDIR/clean/out"
	# What is done needs no parts any more.
	make | grep 'Nothing to be done'
	mv both/* out/llama3/
	sed -i 's/"q6_k"/"q5_k"/' mine.json
	todo | grep llama3 >list
	{ steps llama3 mine quantize check run line
	    for i in $(ls out/llama3/parts | grep attn_v.weight | cut -d- -f2); do echo "tensor llama3 mine $i"; done; } | sort >want
	[ "$(grep -c ^tensor want)" = 2 ]
	diff want list
	make -s -j2
	apr-cat --as gguf src/llama3 | apr-quant -q -r mine.json --stats s | apr-pack x.gguf
	same x.gguf out/llama3/mine.gguf
	same s out/llama3/mine.stats
	# A part that was lost is missed where it is needed.
	sed -i 's/"q5_k"/"q6_k"/' mine.json
	rm -rf out/llama3/parts
	todo | grep '^split llama3$'
	make -s -j2
	same out/llama3/mine.gguf "$BATS_FILE_TMPDIR/clean/out/llama3/mine.gguf"
	need gguf/llama3.imatrix.gguf
	echo "imatrix_llama3 = $F/gguf/llama3.imatrix.gguf" >>models.mk
	make -s -j2
	apr-cat --as gguf src/llama3 | apr-quant -q --imatrix "$F/gguf/llama3.imatrix.gguf" -r mine.json | apr-pack -q -f x.gguf
	same x.gguf out/llama3/mine.gguf
}
