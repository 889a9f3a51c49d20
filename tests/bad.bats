# SPDX-License-Identifier: MIT
# Hand-made bad files (tests/bad, see make.py there): each is refused with
# status 1, one line that says what its line in tests/bad/list says, and
# nothing left behind; no run takes more than 16 MiB.
load helper

# Reads every file to its end, with any limit on memory only without a
# sanitizer, whose own need is larger.
limited() {
	local kib=16384
	[ "${APR_ASAN:-0}" = 1 ] && kib=100000000
	"${APR_BUILD:-$REPO/build}/test/faults" size $kib "$@"
}

# refused FILE WHY PART -- the verdict on one of list's lines.
refused() {
	local f=$REPO/tests/bad/$1 ext=${1##*.} cat=0 pack=0 line
	case $1 in torch/* | npz/*) ext=safetensors ;; esac	# only read
	case $1 in
	stream/*)
		ext=apr
		limited apr-cat - <"$f" >/dev/null 2>cat.err || cat=$?
		limited apr-pack "out.$ext" <"$f" 2>pack.err || pack=$?
		line=$(cat pack.err)
		# A filter passes files and tail.json on: what they mean is for the sink.
		case $1 in stream/tail-* | stream/header-*) [ $cat != 0 ] || { cat=1; cp pack.err cat.err; } ;; esac
		;;
	*)
		limited apr-cat "$f" >out.s 2>cat.err || cat=$?
		limited apr-pack -f "out.$ext" <out.s 2>pack.err || pack=$?
		line=$(cat cat.err)
		;;
	esac
	[ "$cat" = 1 ] && [ "$pack" = 1 ] || { echo "$1 ($2): status $cat, then $pack: $line" >&2; return 1; }
	[ "$(wc -l <cat.err)" = 1 ] && [ "$(wc -l <pack.err)" = 1 ] ||
	    { echo "$1 ($2): not one line: $(cat cat.err pack.err)" >&2; return 1; }
	case $line in
	*": "*"$3"*) ;;
	*) echo "$1 ($2): \"$line\" does not say \"$3\"" >&2; return 1 ;;
	esac
	nothing "out.$ext"
}

# family NAME -- all of list's lines of one format; there are 30 or more, and
# every file of the directory has a line.
family() {
	local name why part n=0 bad=0
	while IFS=$'\t' read -r name why part; do
		case $name in "$1"/*) ;; *) continue ;; esac
		[ -n "$part" ] || { echo "$name: no message in list" >&2; return 1; }
		n=$((n + 1))
		refused "$name" "$why" "$part" || bad=$((bad + 1))
	done <"$REPO/tests/bad/list"
	echo "$1: $n files, $bad not refused as they should be"
	[ $n -ge 30 ] && [ $n = "$(ls "$REPO/tests/bad/$1" | wc -l)" ] && [ $bad = 0 ]
}

@test "bad .apr files" {
	family apr
}

@test "bad GGUF files" {
	family gguf
}

@test "bad safetensors files" {
	family safetensors
}

@test "bad PyTorch checkpoints" {
	family torch
}

@test "bad NumPy archives" {
	family npz
}

@test "bad streams" {
	family stream
}

@test "of ten bad files, eight have a message of their own" {
	local all own
	all=$(wc -l <"$REPO/tests/bad/list")
	own=$(sed 's,/[^	]*	[^	]*,,' "$REPO/tests/bad/list" | sort -u | wc -l)
	echo "$own messages for $all files"
	[ $((own * 10)) -ge $((all * 8)) ]
}

@test "the good files that the bad ones were made from are accepted" {
	local f n=0
	for f in "$REPO"/tests/bad/good/*; do
		echo "$f"
		n=$((n + 1))
		case $f in
		*.tar*)
			apr-cat - <"$f" >a.s
			apr-pack -q --raw -f out.apr <a.s
			;;
		*)
			apr-cat "$f" | apr-pack -f "out.${f##*.}"
			same "$f" "out.${f##*.}"
			apr-cat - <"$f" | apr-pack - >out
			same "$f" out
			;;
		esac
	done
	[ $n -ge 10 ]
}
