# SPDX-License-Identifier: MIT
# helper.bash -- what all tests share.  `load helper`, then write pipes.

# Programs come from PATH: `make suite` puts them there.
bats_require_minimum_version 1.5.0
REPO=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
export LC_ALL=C
command -v apr-cat >/dev/null || PATH=${APR_BUILD:-$REPO/build}/bin:$PATH

export LSAN_OPTIONS=suppressions=$REPO/tests/lsan.supp:print_suppressions=0
# Of what a library has for each thread it may read garbage for an address, and
# die of it (before LLVM 17: google/sanitizers issue 1322).
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0

# The leak sanitizer cannot work under strace.
NO_LEAKS=ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

setup() {
	set -o pipefail
	fixtures
	T=$BATS_TEST_TMPDIR
	cd "$T" || return
}

# F: where the fixtures are; tests/data has a small part of them.
fixtures() {
	F=${APR_FIXTURES:-$REPO/../shared/fixtures}
	[ -d "$F" ] || F=$REPO/tests/data
	F=$(cd "$F" && pwd)
}

# need FILE... -- skip the test where a fixture (below $F) is not there.
# APR_ENFORCE=1 makes that a failure.
need() {
	local f
	for f; do
		[ -e "$F/$f" ] && continue
		if [ "${APR_ENFORCE:-0}" = 1 ]; then
			echo "no fixture $f in $F" >&2
			return 1
		fi
		skip "no fixture $f"
	done
}

# has PROGRAM... -- the same for a program.
has() {
	local p
	for p; do
		command -v "$p" >/dev/null && continue
		if [ "${APR_ENFORCE:-0}" = 1 ]; then
			echo "no program $p" >&2
			return 1
		fi
		skip "no program $p"
	done
}

# fails N CMD... -- exactly status N (so a crash is no pass), and one line on
# standard error that begins with the tool's name.  With 2, the usage follows.
# The line is left in $said, standard output in fails.out, or where $OUT says.
fails() {
	local want=$1 got=0 err=${BATS_TEST_TMPDIR:-.}/fails.err lines tool
	shift
	"$@" >"${OUT:-${BATS_TEST_TMPDIR:-.}/fails.out}" 2>"$err" || got=$?
	said=$(head -n 1 "$err")
	lines=$(wc -l <"$err")
	tool=${1##*/}
	if [ "$got" != "$want" ]; then
		echo "$*: status $got, not $want: $said" >&2
		return 1
	fi
	case $said in
	"$tool: "?*) ;;
	*) echo "$*: says \"$said\", which does not begin with \"$tool: \"" >&2; return 1 ;;
	esac
	if [ "$want" = 2 ]; then
		case $(sed -n 2p "$err") in
		"usage: $tool "*) return 0 ;;
		*) echo "$*: no usage behind \"$said\"" >&2; return 1 ;;
		esac
	fi
	if [ "$lines" != 1 ] || [ -n "$(tail -c 1 "$err")" ]; then
		echo "$*: $lines lines on standard error:" >&2
		cat "$err" >&2
		return 1
	fi
}

# says TEXT -- does the line of the last `fails` contain it?
says() {
	case $said in
	*"$1"*) ;;
	*) echo "\"$said\" does not say \"$1\"" >&2; return 1 ;;
	esac
}

# same A B [WHAT] -- equal files; names what differs.
same() {
	cmp "$1" "$2" >&2 || { echo "${3:-$1} differs" >&2; return 1; }
}

# The lines of CHECKSUMS for tensors, sorted: what a stream's tensors are.
sums() {
	tar xOf - CHECKSUMS | grep ' tensors/' | sort -k2
}

# nothing PATH... -- neither it nor a temporary name beside it is there.
nothing() {
	local p
	for p; do
		if [ -n "$(compgen -G "$p" "$p.??????")" ]; then
			echo "left behind: $(compgen -G "$p*")" >&2
			return 1
		fi
	done
}

# st FILE JSON -- a .safetensors file with the data on standard input.
st() {
	local n=${#2} i
	{
		for i in 0 8 16 24 32 40 48 56; do
			printf "\\x$(printf %02x $((n >> i & 255)))"
		done
		printf %s "$2"
		cat
	} >"$1"
}

# names -- of a stream's tensors, in its order.
names() {
	tar xOf - manifest.json | jq -r '.tensors[].name'
}

# can_trace -- skip where strace may not.
can_trace() {
	has strace
	strace -o /dev/null true 2>/dev/null || skip "strace is not allowed to trace"
}

# dtypes -- name and dtype of every tensor with bytes of its own.
dtypes() {
	tar xOf - manifest.json | jq -r '.tensors[] | select(.tied_to | not) | "\(.name) \(.dtype)"' | sort
}

# asked -- requests of the sample model that choose tokens in each way.
asked() {
	local i=0 o
	for o in '{}' '{"temperature":1}' '{"temperature":0.7,"top_k":4}' '{"temperature":1.3,"top_p":0.8}' \
	    '{"temperature":2,"typical_p":0.6,"min_p":0.05}' '{"temperature":1.5,"top_k":20,"top_p":0.95,"min_p":0.02}' \
	    '{"repetition_penalty":1.4,"logit_bias":{"40":2.5,"41":-100}}' \
	    '{"temperature":1,"presence_penalty":0.6,"frequency_penalty":0.4}'; do
		for _ in 1 2 3; do
			jq -c --argjson o "$o" --argjson n $((i += 1)) \
			    '{id: $n, prompt, max_tokens: 9, seed: $n, logprobs: true} + $o' \
			    <(sed -n "${i}p" "$REPO/examples/sample/questions.jsonl")
		done
	done
}
