# SPDX-License-Identifier: MIT
# cuda.bash -- models on a card that tests/stub plays, and on the CPU.

ALL='llama smollm llama3 mistral qwen2 qwen2-odd qwen3 qwen3-moe qwen3-5 gpt2 gemma2 gemma3
	phi3 mixtral olmo2 granite'
IDS=5,17,2,9,30,7,4,8,1,3,22,11

# cuda -- skip where the library was built without PTX.
cuda() {
	local said
	STUB=${APR_BUILD:-$REPO/build}/test/stub
	said=$(stub apr-infer --devices | grep '^cuda: ' | head -n 1)
	case $said in
	*'compute capability'*) return 0 ;;
	esac
	if [ "${APR_ENFORCE:-0}" = 1 ]; then
		echo "$said" >&2
		return 1
	fi
	skip "$said"
}

stub() {
	LD_LIBRARY_PATH=$STUB "$@"
}

both() {
	local m=$1
	shift
	need "$m"
	apr-infer --logits "$@" --ids $IDS "$F/$m" >want
	stub apr-infer --device cuda --logits "$@" --ids $IDS "$F/$m" >got
	cmp got want || { echo "$m $*" >&2; return 1; }
}
