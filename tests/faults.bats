# SPDX-License-Identifier: MIT
# What breaks on the way: cut, flipped, killed, full, unreadable.  Always exit
# 1, one line, and no file under the final name (tests/faults.c runs the
# thousands of cases; see there what it takes for right).
load helper

damage() {
	"${APR_BUILD:-$REPO/build}/test/faults" "$@"
}

# Under a sanitizer a run costs ten times as much: fewer places, at odd steps.
every() {
	if [ "${APR_ASAN:-0}" = 1 ]; then echo $(($1 * 7)); else echo "$1"; fi
}

# Where CHECKSUMS's last byte ends in a stream: any cut before is one.
sums_end() {
	local last
	last=$(grep -abo '^[0-9a-f]\{32\}  [^ ]*$' "$1" | tail -n 1)
	echo $((${last%%:*} + $(printf %s "${last#*:}" | wc -c) + 1))
}

# big FILE -- 64 MiB in 16 tensors.
big() {
	local head='{' i
	for ((i = 0; i < 16; i++)); do
		head+="\"model.layers.$i.mlp.up_proj.weight\":{\"dtype\":\"F16\",\"shape\":[2048,1024],\"data_offsets\":[$((i << 22)),$((i + 1 << 22))]},"
	done
	head -c 64M /dev/zero | st "$1" "${head%,}}"
}

@test "a stream cut at every byte" {
	need apr/made/golden_C.apr
	local f=$F/apr/made/golden_C.apr
	apr-cat "$f" >s
	damage cut "$(every 1)" "$(sums_end s)" s out.apr "$f" apr-pack out.apr
	damage cut "$(every 11)" "$(sums_end s)" s - s apr-cat -
	damage cut "$(every 11)" "$(sums_end s)" s - s apr-dequant -q
	damage cut "$(every 11)" "$(sums_end s)" s - s apr-quant -q f32
	zstd -q s -o s.zst
	damage cut "$(every 5)" -1 s.zst out.apr "$f" apr-pack out.apr
}

@test "a large stream cut at every 4096th byte" {
	need gguf/llama3.bf16.gguf
	local f=$F/gguf/llama3.bf16.gguf
	apr-cat "$f" >s
	damage cut "$(every 4096)" "$(sums_end s)" s out.gguf "$f" apr-pack out.gguf
	damage cut "$(every 65536)" "$(sums_end s)" s - s apr-quant -q q4_k
}

@test "a bit flipped in every byte of a stream" {
	need apr/made/q_9.apr
	local f=$F/apr/made/q_9.apr
	apr-cat "$f" >s
	damage flip "$(every 1)" 0 s out.apr "$f" apr-pack out.apr
	damage flip "$(every 13)" 0 s - s apr-cat -
	zstd -q s -o s.zst
	damage flip "$(every 5)" 0 s.zst out.apr "$f" apr-pack out.apr
}

@test "a bit flipped in every byte of an .apr: its CRC shows it" {
	need apr/made/golden_A.apr
	local f=$F/apr/made/golden_A.apr
	apr-cat "$f" >s
	# Each of them, reserved and padding too: nothing is accepted.
	damage flip "$(every 1)" -1 "$f" - s apr-cat -
}

@test "a flipped bit in the data of an .apr file: no end mark, no output" {
	need apr/made/golden_A.apr
	cp "$F/apr/made/golden_A.apr" x.apr
	chmod u+w x.apr
	printf '\x5a' | dd of=x.apr bs=1 seek=840 conv=notrunc status=none
	fails 1 apr-cat x.apr
	says CRC-32
	[ -z "$(tar xOf fails.out CHECKSUMS 2>/dev/null)" ]
	mv fails.out cut
	fails 1 apr-pack out.apr <cut
	nothing out.apr
	fails 1 apr-cat --order name x.apr
	says CRC-32
}

@test "a source cut at every byte" {
	local f
	for f in good.apr good.gguf good.safetensors good-tied.apr; do
		f=$REPO/tests/bad/good/$f
		apr-cat "$f" >s
		# Accepted only with every tensor whole: behind the last one.
		damage cut "$(every 1)" 0 "$f" - s apr-cat -
	done
}

@test "a killed upstream, at 20 moments" {
	local i k pid
	big big.safetensors
	mkfifo pipe
	for ((i = 0; i < 20; i++)); do
		k=$((i < 2 ? i : (RANDOM * 32768 + RANDOM) % 950))
		apr-cat big.safetensors >pipe &
		pid=$!
		{
			dd bs=64K count=$k iflag=fullblock status=none
			kill -9 $pid
			cat
		} <pipe >cut
		wait $pid || [ $? = 137 ]
		fails 1 apr-pack out.safetensors <cut
		nothing out.safetensors
	done
	# As it is in life: everything at once.
	for ((i = 0; i < 20; i++)); do
		apr-cat big.safetensors >pipe &
		pid=$!
		{ dd bs=64K count=$((RANDOM % 900)) iflag=fullblock status=none; kill -9 $pid; cat; } <pipe |
		    fails 1 apr-pack out.safetensors
		wait $pid || [ $? = 137 ]
		nothing out.safetensors
	done
}

@test "TERM, HUP, INT: the temporary file goes" {
	local sig pid n status
	big big.safetensors
	apr-cat big.safetensors >s
	head -c 20M s >half
	mkfifo pipe
	for sig in TERM HUP INT; do
		n=0
		env --default-signal=INT apr-pack out.safetensors <pipe &
		pid=$!
		exec 9>pipe
		cat half >&9
		until compgen -G 'out.safetensors.??????' >temp; do
			[ $((n += 1)) -lt 500 ]
			sleep 0.02
		done
		kill -s $sig $pid
		status=0
		wait $pid || status=$?
		exec 9>&-
		[ "$status" = $((128 + $(kill -l $sig))) ]
		nothing out.safetensors
	done
}

@test "/dev/full" {
	local f=$REPO/tests/bad/good/good.gguf tool
	apr-cat "$f" >s
	for tool in "apr-cat $f" "apr-cat -" "apr-pack -" "apr-dequant -q" "apr-quant -q q8_0" \
	    "apr-cat --zstd $f" apr-ls "apr-ls --json"; do
		run bash -c "$tool <s 2>&1 >/dev/full"
		[ "$status" = 1 ]
		[ ${#lines[@]} = 1 ]
		case $output in *': No space left on device') ;; *) echo "$tool: $output" >&2; false ;; esac
	done
}

@test "a full disk" {
	has unshare
	unshare -rm mount -t tmpfs x /mnt 2>/dev/null || skip "mounting a tmpfs is not permitted"
	local name
	big big.safetensors
	apr-cat big.safetensors >s
	mkdir disk
	for name in out.apr out.safetensors out/; do
		unshare -rm bash -e -c "mount -t tmpfs -o size=1m x disk; cd disk; r=0
		    apr-pack $name <../s 2>../said || r=\$?; ls -A >../left; [ \$r = 1 ]"
		[ "$(wc -l <said)" = 1 ]
		grep -q 'No space left on device$' said
		[ ! -s left ]
	done
	# The spill of a type that must see the whole tensor first.
	set +o pipefail	# apr-cat ends by SIGPIPE
	apr-cat big.safetensors | unshare -rm bash -e -c "mount -t tmpfs -o size=1m x disk; r=0
	    TMPDIR=disk apr-quant -q apr_q8 2>said >/dev/null || r=\$?; ls -A disk >left; [ \$r = 1 ]"
	grep -q 'TMPDIR.*No space left on device$' said
	[ ! -s left ]
}

@test "sources that cannot be read" {
	local f
	mkdir dir
	ln -s loop loop
	mkfifo empty
	for f in absent dir loop /proc/self/mem dir/absent/x.apr; do
		fails 1 apr-cat "$f"
		says "$f"
	done
	fails 1 apr-cat - <dir
	says 'Is a directory'
	fails 1 apr-pack out.apr <dir
	fails 1 apr-cat - </dev/null
	fails 1 apr-pack out.apr </dev/null
	nothing out.apr
	cp "$REPO/tests/bad/good/good.apr" x.apr
	chmod 000 x.apr
	if [ "$(id -u)" = 0 ]; then
		chmod 755 . && cp x.apr /tmp/apr-unreadable.$$ && chmod 000 /tmp/apr-unreadable.$$
		local status=0 tool
		tool=$(command -v apr-cat)
		if setpriv --reuid 65534 --clear-groups test -x "$tool" 2>/dev/null; then
			setpriv --reuid 65534 --clear-groups "$tool" /tmp/apr-unreadable.$$ 2>said || status=$?
			[ "$status" = 1 ]
			grep -q 'Permission denied$' said
		fi
		rm -f /tmp/apr-unreadable.$$
	else
		fails 1 apr-cat x.apr
		says 'Permission denied'
	fi
}

@test "outputs that cannot be written" {
	apr-cat "$REPO/tests/bad/good/good.apr" >s
	echo precious >out.apr
	fails 1 apr-pack out.apr <s
	says '-f'
	[ "$(cat out.apr)" = precious ]
	# With -f it stays until the last sum held.
	head -c 3000 s >cut
	fails 1 apr-pack -f out.apr <cut
	[ "$(cat out.apr)" = precious ]
	[ -z "$(compgen -G 'out.apr.*')" ]
	fails 1 apr-pack absent/out.apr <s
	says absent/out.apr
	[ ! -e absent ]
	apr-pack -f out.apr <s
	same out.apr "$REPO/tests/bad/good/good.apr"
	# The input as the output.
	apr-cat out.apr | apr-pack -f out.apr
	same out.apr "$REPO/tests/bad/good/good.apr"
	# A link is replaced, not what it names.
	echo else >other
	ln -s other link.apr
	apr-pack -f link.apr <s
	[ "$(cat other)" = else ]
}

@test "NaN in an .apr stops the quantizer, and so the pipe" {
	{ head -c 1022 /dev/zero; printf '\x01\x7e'; } |
	    st nan.safetensors '{"model.layers.0.mlp.up_proj.weight":{"dtype":"F16","shape":[2,256],"data_offsets":[0,1024]}}'
	apr-cat nan.safetensors | apr-pack nan.apr
	apr-cat nan.apr >s
	fails 1 apr-quant --rules=apr q4k <s
	says 'model.layers.0.mlp.up_proj.weight: NaN at index 511'
	mv fails.out cut
	fails 1 apr-pack out.apr <cut
	nothing out.apr
}

@test "a source that changes behind its reader's back: the old bytes, or an error" {
	big m.safetensors
	cp m.safetensors old.safetensors
	# What fits into the pipe is on its way when the file changes.
	apr-cat m.safetensors | {
		sleep 0.3
		printf x | dd of=m.safetensors bs=1 seek=300000 conv=notrunc status=none
		apr-pack -q out.safetensors 2>err || echo $? >status
	} || true
	if [ -e status ]; then
		[ "$(cat status)" = 1 ]
		grep -q '^apr-pack: tensors/.*: checksum [0-9a-f]*, CHECKSUMS says ' err
		nothing out.safetensors
	else
		cmp out.safetensors old.safetensors
	fi
	# One that is cut is no model.
	apr-cat m.safetensors 2>err | {
		sleep 0.3
		truncate -s 30M m.safetensors
		cat >/dev/null
	} && false
	grep -q '^apr-cat: ' err
	[ "$(wc -l <err)" = 1 ]
}
