#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# examples/farm: four models in six types, made once; each test has a copy.
load helper

MODELS='smollm qwen3 llama3 granite'
TYPES='q8_0 q6_k q5_k_m q4_k_m q3_k_m mine'
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
		TYPES = $TYPES
		quant_mine = -r mine.json
		bounds = --max-nmse 0.03
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

# steps MODELS TYPES STEP... -- lines as todo has them.
steps() {
	local m t s
	for m in $1; do
		for t in $2; do
			for s in "${@:3}"; do
				echo "$s $m $t"
			done
		done
	done
}

@test "a farm that is done has nothing to do, whatever was touched or moved" {
	local used
	[ "$(ls out/*/*.gguf | wc -l)" = 24 ]
	[ -z "$(todo)" ]
	# In under 2 s: the time of the processor, as that of a clock is the other
	# tests' as well.
	TIMEFORMAT='%U %S'
	used=$({ time make >/dev/null; } 2>&1)
	echo "$used"
	awk '{ exit !($1 + $2 < 2) }' <<<"$used"
	make | grep 'Nothing to be done'
	find . -exec touch {} +
	chmod 600 src/*/*
	[ -z "$(todo)" ]
	mv src elsewhere
	sed -i 's|= src/|= elsewhere/|' models.mk
	make | grep "Nothing to be done"
	# What it is is what the pipe gives.
	apr-cat --as gguf elsewhere/qwen3 | apr-quant -q -r mine.json | apr-pack x.gguf
	same x.gguf out/qwen3/mine.gguf
}

@test "what has changed is made anew, and nothing else" {
	# A line of a recipe.
	sed -i 's/"q6_k"/"q5_k"/' mine.json
	steps "$MODELS" mine quantize check run line | sort >want
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
	steps "$MODELS" q8_0 check line | sort | diff - <(todo)
	sed -i '$d' models.mk
	sed -i '/^run /s/-n $(tokens)/& --kv q8_0/' Makefile
	steps "$MODELS" "$TYPES" run line | sort | diff - <(todo)
	cp "$REPO/examples/farm/Makefile" .
	# The content of a source.
	printf ' ' >>src/llama3/config.json
	{ echo source llama3; steps llama3 "$TYPES" quantize check run line; } | sort | diff - <(todo)
	cp "$F/hf/llama3/config.json" src/llama3/
	[ -z "$(todo)" ]
	# An importance matrix.
	need gguf/llama3.imatrix.gguf
	cp "$F/gguf/llama3.imatrix.gguf" .
	echo 'imatrix_llama3 = llama3.imatrix.gguf' >>models.mk
	steps llama3 "$TYPES" quantize check run line | sort | diff - <(todo)
	make -s -j2
	! cmp -s out/llama3/mine.gguf "$BATS_FILE_TMPDIR/clean/out/llama3/mine.gguf" || false
	cp "$F/gguf/qwen3.imatrix.gguf" llama3.imatrix.gguf 2>/dev/null || printf x >>llama3.imatrix.gguf
	[ "$(todo | wc -l)" = 24 ]
	sed -i '$d' models.mk
	sed -i "s/more.json/q4_k_m/" mine.json
	make -s -j2
	diff -r out "$BATS_FILE_TMPDIR/clean/out"
	# The version of the tools.
	mkdir bin
	printf '#!/bin/sh\necho apr-cat 99\n' >bin/apr-cat
	chmod +x bin/apr-cat
	[ "$(PATH=$PWD/bin:$PATH todo | wc -l)" = 100 ]
}

@test "killed at any moment, make goes on: the bytes of a clean run" {
	local i j hit=0 pid types=(q6_k q5_k) ms
	ms=$((($(cat "$BATS_FILE_TMPDIR/seconds") + 1) * 500))
	rm -rf out
	for ((i = 0; i < ${APR_KILLS:-5}; i++)); do
		# Another recipe each time: what is left is of the one or the other.
		sed -i "s/q[56]_k/${types[i % 2]}/" mine.json
		# When all else is there, all is made again.
		(($(todo | wc -l) > 16)) || rm -rf out
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
	[ "$(ls out/*/*.line | wc -l)" = 18 ]
	nothing out/qwen3/*.gguf
	status=0
	make report >report.txt || status=$?
	[ $status = 2 ]
	[ "$(grep -c '^qwen3 .* source: apr-stat: .*model.safetensors' report.txt)" = 6 ]
	[ "$(jq -r '.targets[] | .model + " " + .state' report.json | sort | uniq -c | tr -s ' ' | paste -sd,)" = \
	    " 6 granite done, 6 llama3 done, 6 qwen3 failed, 6 smollm done" ]
	jq -e '[.targets[] | select(.failed) | .failed.step == "source" and .bytes == null and .worst == []] | all and length == 6' report.json
	grep -x 'qwen3 q8_0, q6_k, q5_k_m, q4_k_m, q3_k_m, mine: source failed' report.txt
	[ "$(grep -c '<pre' report.html)" = 1 ]
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
		grep "^${m%/*}  *${t%.gguf}  *done  *$(awk "BEGIN { printf \"%.1f\", $(stat -c %s "$f") / 1e6 }") MB  *[0-9]* MiB  *[0-9]* MiB\$" "$T/plan.txt"
	done
	grep '^0.0 MB to be written' "$T/plan.txt"
	# Running takes what apr-infer says of the file that is there now.
	for f in out/{llama3,granite}/*.gguf; do
		m=${f#out/} t=${f##*/}
		grep "^${m%/*}  *${t%.gguf} .* $(apr-infer -j 1 --plan --json "$f" | jq '16 + (.weights_mapped + .kv + .scratch) / 1048576' | xargs printf %.0f) MiB\$" "$T/plan.txt"
	done
}

@test "tensor by tensor: the bytes of one pipe, and one tensor made anew" {
	echo 'each_llama3 = yes' >>models.mk
	# The key is that of the pipe.
	make | grep 'Nothing to be done'
	[ ! -e out/llama3/parts ]
	rm -f out/llama3/{mine,q8_0,source}.*
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

@test "the report is a page, a text and JSON, with the same figures" {
	local m t f
	has xmllint
	jq 'del(.targets[].measured)' <(make report >table && cat report.json) >want
	# JSON: what the files are.
	for f in out/*/*.gguf; do
		m=${f#out/} m=${m%/*} t=${f##*/} t=${t%.gguf}
		jq -e --arg m "$m" --arg t "$t" --argjson bytes "$(stat -c %s "$f")" --slurpfile l "out/$m/$t.line" \
		    --argjson n "$(apr-ls --json "$f" | jq '[.tensors[] | .shape | reduce .[] as $d (1; . * $d)] | add')" '
			.targets[] | select(.model == $m and .type == $t) | .state == "done" and .bytes == $bytes
			and .bpw == $bytes * 8 / $n and .nmse == $l[0].nmse and .says == $l[0].text and .worst[0].name == $l[0].worst' report.json
		# What quantizing says that a tensor lost is what apr-diff finds.
		jq -e --slurpfile c "out/$m/$t.check" --arg m "$m" --arg t "$t" '
			($c[0].tensors | map({ key: .name, value: .nmse }) | from_entries) as $nmse
			| .targets[] | select(.model == $m and .type == $t)
			| ([.roles[].tensors] | add) == ($nmse | length)
			and ([.worst[] | (.nmse / $nmse[.name] - 1) | fabs < 1e-9] | all and length == 5)
			and (.layers | length > 0 and all(.[]; .layer as $l | .nmse | to_entries
				| all(.[]; (.value / $nmse["blk.\($l).\(.key).weight"] - 1) | fabs < 1e-9)))' report.json
	done
	jq -e '[.targets[].measured | .prompt_s > 0 and .tokens_s > 0 and .memory > 1e6] | all and length == 24' report.json
	! grep -rl '"timing"' out || false
	# The page: well-formed, complete, and alone.
	xmllint --noout report.html
	! grep -inE 'https?:|src=|@import|url\(|<script|<link|<iframe|<object' report.html || false
	xmllint --xpath '//main/div[1]//data/@value' report.html | sed 's/^ *value="//; s/"$//' >page
	jq '.targets[] | .bytes, .bpw, .nmse, .measured.prompt_s, .measured.tokens_s, .measured.memory' report.json | diff page -
	[ "$(xmllint --xpath 'count(//main/div[1]//tbody/tr)' report.html)" = 24 ]
	[ "$(xmllint --xpath 'count(//details)' report.html)" = 24 ]
	[ "$(xmllint --xpath 'count(//details/figure/*[local-name()="svg"])' report.html)" = 24 ]
	xmllint --xpath '//details/div[1]//data/@value' report.html | sed 's/^ *value="//; s/"$//' >page
	jq '.targets[].roles[] | .tensors, .bpw, .mean, .nmse, (.layer // empty)' report.json | diff page -
	xmllint --xpath '//details/div[2]//data/@value' report.html | sed 's/^ *value="//; s/"$//' >page
	jq '.targets[].worst[] | .nmse, .rmse, .max' report.json | diff page -
	[ "$(xmllint --xpath 'count(//h2)' report.html)" = 4 ]
	# What is shown is the value, rounded.
	xmllint --xpath '//main/div[1]//tr[2]/td[2]/data/text()' report.html |
	    diff <(printf '%.2f\n' "$(jq '.targets[1].bpw' report.json)") -
	# The text begins with what was printed; without times, nothing differs.
	diff table <(head -n 25 report.txt)
	grep -x 'smollm mine' report.txt
	rm -r log
	make report | grep '^llama3 *mine  *0\.7 .*  -  *-  *-  "'
	jq 'del(.targets[].measured)' report.json | cmp - want
	cp report.html page
	make -s report >/dev/null
	cmp report.html page
	# A perplexity, and what it is plotted against.
	echo "types_granite = q8_0 mine" >>models.mk
	sed -i 's/^MODELS.*/MODELS = granite/' models.mk
	echo "text = $REPO/examples/sample/heldout.txt" >>models.mk
	echo "infer = -c 64" >>models.mk
	make -s -j2
	make report
	[ "$(jq .targets[1].perplexity report.json)" = "$(jq .perplexity out/granite/mine.line)" ]
	awk -v p="$(jq .targets[1].perplexity report.json)" 'BEGIN { exit !(p > 1) }'
	[ "$(xmllint --xpath 'count(//figure/*[@width="520"]/*[local-name()="circle"])' report.html)" = 4 ]
}

@test "names and messages in a report are text, whatever they are" {
	local evil='<script>alert(1)<'
	has xmllint
	mkdir -p "out/$evil" "log/$evil"
	jq -n -c '"<script>alert(1)</script>", "a&b\"\u0027>", "\u001b[31mred\u0007", "\u202egnp.exe", "\uffff\u0085", "blk.3.<b>.weight" |
		{name: ., from: "F32", type: "<i>", n: 256, rmse: 0.1, nmse: 0.01, max: 0.2, cosine: 1, sqnr_db: 20, bpw: 4.5, tiny: 0}' >"out/$evil/q&.stats"
	head -c 100 /dev/zero >"out/$evil/q&.gguf"
	echo '{"text":"</td><script src=x>\u001b]0;x\u0007"}' >"out/$evil/q&.run"
	printf '<img src=x onerror=alert(1)>\n\033[2J]]>--&\xff\xfe\n' >"log/$evil/bad&.check"
	printf '%s q& done\n%s bad& missing\n' "$evil" "$evil" | ./report >table && false
	xmllint --noout report.html
	[ "$(xmllint --xpath 'count(//script | //img | //b | //i | //@src | //@onerror)' report.html)" = 0 ]
	[ "$(xmllint --xpath 'string(//h2)' report.html)" = "$evil" ]
	xmllint --xpath '//th/text()' report.html | grep -F '&lt;script&gt;alert(1)&lt;/script&gt;'
	xmllint --xpath '//pre/text()' report.html | grep -F 'img src=x onerror'
	! LC_ALL=C grep -P '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80\xae|\xef\xbf\xbf' table report.txt report.html || false
	grep -F '"</td><script src=x>\u001b]0;x\u0007"' table
	grep -F '<script>alert(1)</script>' report.txt
	# Nothing is there, and what is there is rubbish.
	: | ./report
	xmllint --noout report.html
	for f in stats line run; do echo '{"name": 1, "n": "x"}{' >"out/$evil/q&.$f"; done
	printf '%s q& done\n' "$evil" | ./report
	xmllint --noout report.html
}
