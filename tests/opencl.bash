# SPDX-License-Identifier: MIT
# opencl.bash -- models on the OpenCL device and on the CPU.

# What it compiles is kept for this file's tests, and not in anyone's home.
setup_file() {
	# Two that compile the same at once are in each other's way.
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	export POCL_CACHE_DIR=$BATS_FILE_TMPDIR/pocl
	mkdir -p "$POCL_CACHE_DIR"
}

ALL='llama smollm llama3 mistral qwen2 qwen2-odd qwen3 qwen3-moe qwen3-5 gpt2 gemma2 gemma3
	phi3 mixtral olmo2 granite'
IDS=5,17,2,9,30,7,4,8,1,3,22,11

# opencl -- skip where no device can be used; APR_ENFORCE=1 makes that a failure.
opencl() {
	local said
	said=$(apr-infer --devices | grep '^opencl: ')
	case $said in
	*MiB) return 0 ;;
	esac
	if [ "${APR_ENFORCE:-0}" = 1 ]; then
		echo "$said" >&2
		return 1
	fi
	skip "$said"
}

# both MODEL [OPTION...] -- the logits of both devices.
both() {
	local m=$1
	shift
	need "$m"
	apr-infer --logits "$@" --ids $IDS "$F/$m" >want
	apr-infer --device opencl --logits "$@" --ids $IDS "$F/$m" >got
	cmp got want || { echo "$m $*" >&2; return 1; }
}

# stream [OPTION...] <MODEL -- the logits of both devices.
stream() {
	cat >m.s
	apr-infer --logits "$@" --ids $IDS - <m.s >want
	apr-infer --device opencl --logits "$@" --ids $IDS - <m.s >got
	[ -s want ]
	cmp got want || { echo "$*" >&2; return 1; }
}
