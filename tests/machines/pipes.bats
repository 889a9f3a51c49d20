#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Pipes from machine to machine, by curl and ssh, as apr-farm(7) has them: whole,
# and with a line that breaks.  The machines a and b are this one, behind an sshd
# and an httpd of the test's own.
load ../helper

setup_file() {
	local d=$BATS_FILE_TMPDIR port i
	fixtures
	PATH=$PATH:/usr/sbin
	has sshd ssh ssh-keygen curl busybox rsync parallel
	need hf/llama3 gguf/llama3.bf16.gguf gguf/llama3.q4_k_m.gguf
	cd "$d"
	mkdir -p www/cgi-bin bin far
	ssh-keygen -q -t ed25519 -N '' -f host
	ssh-keygen -q -t ed25519 -N '' -f key
	for ((i = 0; i < 20; i++)); do
		port=$((20000 + RANDOM % 10000))
		cat >sshd_config <<-END
			Port $port
			ListenAddress 127.0.0.1
			HostKey $d/host
			AuthorizedKeysFile $d/key.pub
			PidFile $d/sshd.pid
			StrictModes no
			UsePAM no
			PasswordAuthentication no
			PermitRootLogin prohibit-password
			MaxStartups 100
			SetEnv PATH=$PATH LC_ALL=C
		END
		[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
		"$(command -v sshd)" -f sshd_config -E sshd.log && break
	done
	[ -e sshd.pid ] || { for ((i = 0; i < 50; i++)); do sleep 0.1; [ ! -e sshd.pid ] || break; done; }
	cat >ssh_config <<-END
		Host *
			HostName 127.0.0.1
			Port $port
			User $(id -un)
			IdentityFile $d/key
			StrictHostKeyChecking no
			UserKnownHostsFile $d/known
			LogLevel ERROR
	END
	printf '#!/bin/sh\nexec %s -F %s/ssh_config "$@"\n' "$(command -v ssh)" "$d" >bin/ssh
	chmod +x bin/ssh
	cp "$F/gguf/llama3.bf16.gguf" "$F"/hf/llama3/*.safetensors www/
	apr-cat --zstd --as gguf "$F/hf/llama3" >www/llama3.tar.zst
	# A server that hangs up: /cgi-bin/cut?FILE,BYTES,LENGTH.
	cat >www/cgi-bin/cut <<-END
		#!/bin/sh
		IFS=, read -r file bytes length <<X
		\$QUERY_STRING
		X
		[ -z "\$length" ] || printf 'Content-Length: %s\\r\\n' "\$length"
		printf 'Content-Type: application/octet-stream\\r\\n\\r\\n'
		head -c "\$bytes" '$d/www/'"\$file"
	END
	chmod +x www/cgi-bin/cut
	for ((i = 0; i < 20; i++)); do
		port=$((30000 + RANDOM % 10000))
		busybox httpd -f -p 127.0.0.1:$port -h www 3>&- &
		echo $! >httpd.pid
		for ((j = 0; j < 20; j++)); do
			sleep 0.1
			! curl -sf http://127.0.0.1:$port/llama3.tar.zst -o /dev/null || break 2
		done
	done
	echo http://127.0.0.1:$port >url
}

teardown_file() {
	local p
	for p in "$BATS_FILE_TMPDIR"/{sshd,httpd}.pid; do
		[ ! -s "$p" ] || kill "$(cat "$p")"
	done
}

setup() {
	set -o pipefail
	fixtures
	T=$BATS_TEST_TMPDIR
	cd "$T" || return
	PATH=$BATS_FILE_TMPDIR/bin:$PATH:/usr/sbin
	URL=$(cat "$BATS_FILE_TMPDIR/url")
	WWW=$BATS_FILE_TMPDIR/www
	far=$T/far
	mkdir far
	unset MAKEFLAGS MFLAGS MAKELEVEL
}

# stays_away FILE -- neither it nor a part of it is there when all have gone.
stays_away() {
	local i
	for ((i = 0; i < 100; i++)); do
		[ -n "$(compgen -G "$1*")" ] || break
		sleep 0.1
	done
	nothing "$1"
}

@test "a model from the net, quantized here, packed on another machine" {
	curl -sf "$URL/llama3.bf16.gguf" | apr-cat - | apr-quant -q q4_k_m | ssh a "apr-pack -q $far/a.gguf"
	same far/a.gguf "$F/gguf/llama3.q4_k_m.gguf"
	# Each step on another one; compressed between them.
	ssh a "apr-cat --zstd --as gguf $F/hf/llama3" | ssh b 'apr-quant -q q4_k_m' | zstd -q | ssh a "apr-pack -q $far/b.gguf"
	same far/b.gguf "$F/gguf/llama3.q4_k_m.gguf"
	# A saved stream, as an object that is compressed.
	curl -sf "$URL/llama3.tar.zst" | apr-cat - | apr-quant -q q4_k_m | apr-pack -q c.gguf
	same c.gguf "$F/gguf/llama3.q4_k_m.gguf"
	# What is in there?  Its header is enough, and so is a range with it.
	apr-ls <(curl -sf "$URL/llama3.bf16.gguf") >all
	apr-ls "$F/gguf/llama3.bf16.gguf" | diff all -
	apr-ls <(curl -sf -r 0-131071 "$URL/llama3.bf16.gguf") | diff all -
}

@test "shards of safetensors, each an object" {
	local one=model-00001-of-00002.safetensors two=model-00002-of-00002.safetensors
	apr-cat <(curl -sf "$URL/$one") <(curl -sf "$URL/$two") | apr-quant -q q4k | ssh a "apr-pack -q $far/a.apr"
	apr-cat "$F/hf/llama3/$one" "$F/hf/llama3/$two" | apr-quant -q q4k | apr-pack -q b.apr
	same far/a.apr b.apr
	! apr-cat <(curl -sf "$URL/$one") <(curl -sf "$URL/cgi-bin/cut?$two,500000") 2>err |
	    apr-quant -q q4k 2>/dev/null | ssh a "apr-pack -q $far/c.apr" 2>/dev/null || false
	grep '^apr-cat: ' err
	stays_away far/c.apr
}

@test "a server that hangs up: nothing appears, and it is said" {
	local file size cut length n=0
	for file in llama3.bf16.gguf llama3.tar.zst; do
		size=$(stat -c %s "$WWW/$file")
		for cut in 1000 $((size / 2)) $((size - 1)); do
			# With a length curl knows; without one, the end looks like any other.
			for length in $size ''; do
				set +o pipefail
				! curl -sf "$URL/cgi-bin/cut?$file,$cut,$length" | apr-cat - 2>err | apr-quant -q q4_k_m 2>>err |
				    ssh a "apr-pack -q $far/a.gguf" 2>>err || false
				set -o pipefail
				[ "$(grep -c '^apr-cat: ' err)" = 1 ]
				grep '^apr-pack: ' err
				stays_away far/a.gguf
				((n += 1))
			done
		done
	done
	[ $n = 12 ]
	# It is there afterwards: once more, and it works.
	curl -sf "$URL/cgi-bin/cut?llama3.bf16.gguf,99999999" | apr-cat - | apr-quant -q q4_k_m | ssh a "apr-pack -q $far/a.gguf"
	same far/a.gguf "$F/gguf/llama3.q4_k_m.gguf"
}

@test "a connection that breaks between machines: nothing appears" {
	local pid
	apr-cat "$F/gguf/llama3.bf16.gguf" >s
	# What feeds it dies.
	! head -c 700000 s | ssh a "apr-pack -q $far/a.gguf" 2>err || false
	grep '^apr-pack: ' err
	stays_away far/a.gguf
	# The connection does, while it is open, and so does its client.
	mkfifo pipe
	ssh a "apr-pack -q $far/a.gguf" <pipe 2>/dev/null &
	pid=$!
	exec 8>pipe
	head -c 700000 s >&8
	while [ -z "$(compgen -G "$far/a.gguf.*")" ]; do sleep 0.05; done
	kill -9 $pid
	wait $pid || [ $? = 137 ]
	exec 8>&-
	stays_away far/a.gguf
	# A source on the other side that is killed half-way.
	! ssh a "apr-cat $F/gguf/llama3.bf16.gguf | head -c 700000; kill -9 \$\$" | apr-quant -q q4_k_m 2>/dev/null | apr-pack -q a.gguf 2>err || false
	grep '^apr-pack: ' err
	nothing a.gguf
}

# farm -- two models in two types, here.
farm() {
	cp -r "$REPO"/examples/farm/. .
	mkdir src
	cp -rL "$F/hf/llama3" "$F/hf/qwen3" src
	chmod -R u+w src
	cat >models.mk <<-END
		MODELS = llama3 qwen3
		source_llama3 = src/llama3
		source_qwen3 = src/qwen3
		TYPES = q8_0 q4_k_m
		bounds = --max-nmse 0.02
		tokens = 2
	END
}

@test "the farm on machines that GNU parallel reaches by ssh" {
	need hf/qwen3
	mkdir local shared apart
	(cd local && farm && make -s -j2)
	# A directory that all see.
	cd shared
	farm
	parallel -S a,b --wd "$PWD" make -s -k MODELS={} ::: llama3 qwen3
	make | grep 'Nothing to be done'
	diff -r out ../local/out
	# Sources go there and results come back.
	cd ../apart
	farm
	rsync -aR -e ssh Makefile *.mk sums report *.jq *.awk "a:$far/"
	parallel -S a,b --wd "$far" --tf src/{} --return out/{} make -s -k MODELS={} ::: llama3 qwen3
	make | grep 'Nothing to be done'
	diff -r out ../local/out
}
