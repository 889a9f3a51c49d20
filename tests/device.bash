# SPDX-License-Identifier: MIT
# device.bash -- models on a device and on the CPU: OpenCL's is PoCL, CUDA's the
# card that tests/stub plays.  KIND, which a file of tests sets, is which.

ALL='llama smollm llama3 mistral qwen2 qwen2-odd qwen3 qwen3-moe qwen3-5 gpt2 gemma2 gemma3
	phi3 mixtral olmo2 granite'
IDS=5,17,2,9,30,7,4,8,1,3,22,11
STUB=${APR_BUILD:-$REPO/build}/test/stub

# For setup_file: what PoCL compiles is kept for this file's tests, and not in
# anyone's home; two that compile the same at once are in each other's way.
pocl() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	export POCL_CACHE_DIR=$BATS_FILE_TMPDIR/pocl
	mkdir -p "$POCL_CACHE_DIR"
}

stub() {
	LD_LIBRARY_PATH=$STUB "$@"
}

# on KIND COMMAND...
on() {
	case $1 in
	cuda) stub "${@:2}" ;;
	*) "${@:2}" ;;
	esac
}

# usable KIND -- APR_ENFORCE=1 lets none be missing; why is why one is.
usable() {
	why=$(on "$1" apr-infer --devices | grep "^$1: " | head -n 1)
	case $why in
	*MiB*) return 0 ;;
	esac
	[ "${APR_ENFORCE:-0}" != 1 ] || { echo "$why" >&2; exit 1; }
	return 1
}

# device [KIND] -- skip where it cannot be used.
device() {
	usable "${1:-$KIND}" || skip "$why"
}

# both MODEL [OPTION...] -- the logits of both.
both() {
	local m=$1
	shift
	need "$m"
	apr-infer --logits "$@" --ids $IDS "$F/$m" >want
	on "$KIND" apr-infer --device "$KIND" --logits "$@" --ids $IDS "$F/$m" >got
	cmp got want || { echo "$m $*" >&2; return 1; }
}

# stream [OPTION...] <MODEL -- the logits of both.
stream() {
	cat >m.s
	apr-infer --logits "$@" --ids $IDS - <m.s >want
	on "$KIND" apr-infer --device "$KIND" --logits "$@" --ids $IDS - <m.s >got
	[ -s want ]
	cmp got want || { echo "$*" >&2; return 1; }
}

# broken VARIABLE=VALUE... -- with these the stub's driver makes apr-infer fail.
broken() {
	local -x LD_LIBRARY_PATH=$STUB STUB_CUDA_IDLE=1 "$@"
	fails 1 apr-infer --device cuda --ids 1,2 -n 4 --json "${MODEL:-$REPO/examples/sample}"
}
