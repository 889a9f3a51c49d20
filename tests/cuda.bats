#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The CUDA device without a card: tests/stub plays the driver, and runs the
# library's PTX, whose bits must be the CPU's.
load helper
load device
KIND=cuda

@test "instructions of PTX by the tables of its manual, and kernels that must fail" {
	stub "${APR_BUILD:-$REPO/build}/test/ptx" >tap || { grep -v '^ok' tap >&2; return 1; }
	[ "$(grep -c '^ok' tap)" -ge 80 ]
}

@test "all models: the CPU's bits" {
	device
	for m in $ALL; do
		both "gguf/$m.q4_k_m.gguf"
		both "gguf/$m.q4_k_m.gguf" -b 8
	done
}

@test "each operation and type against the scalar code" {
	device
	APR_CPU=scalar stub "${APR_BUILD:-$REPO/build}/test/device" cuda --rounds 6 >tap ||
	    { grep -v '^ok' tap; return 1; }
	[ "$(grep -c '^ok' tap)" = 68 ]
}

@test "a prompt token by token, in threes, keys and values in all types" {
	device
	for m in llama3 gemma2 qwen3-5 mixtral; do
		both "gguf/$m.q4_k_m.gguf" -b 1
		both "gguf/$m.q4_k_m.gguf" -b 3 --kv f32
		both "gguf/$m.q4_k_m.gguf" --kv q8_0
	done
}

@test "a context of several blocks of keys, in batches that are replayed" {
	device
	need gguf/llama3.q4_k_m.gguf
	m=$F/gguf/llama3.q4_k_m.gguf
	ids=$(seq 0 529 | awk '{ print $1 * 37 % 500 + 1 }' | paste -sd,)
	for b in 60 512; do
		apr-infer --logits -b $b --ids "$ids" "$m" >want
		stub apr-infer --device cuda --logits -b $b --ids "$ids" "$m" | cmp - want
	done
	# From the second block into the third, by graphs of the first tokens.
	jq -nc '{ids: [range(508) | . * 37 % 500 + 1], max_tokens: 12, logprobs: true}' >request
	apr-infer --jsonl "$m" <request >want
	STUB_CUDA_COUNT=$T/count stub apr-infer --device cuda --jsonl -b 60 "$m" <request | cmp - want
	[ "$(calls cuGraphLaunch)" -gt 10 ]
}

@test "a weight of one column's products takes no more instructions than bytes of memory let it" {
	device
	local -x STUB_CUDA_INSTRUCTIONS=$T/did
	# 128 lanes and 18 bytes a clock: an H200's processor, where both are its
	# most.  What is counted is PTX, which ptxas makes no longer.
	for of in Q4_0:18/32 Q4_K:144/256 Q5_K:176/256 Q6_K:210/256 Q8_0:34/32 F16:2 BF16:2 F32:4; do
		rm -f did
		stub "${APR_BUILD:-$REPO/build}/test/device" cuda --product "${of%:*}"
		awk -v "of=$of" -v "bytes=${of#*:}" '
		    BEGIN { split(bytes, b, "/"); most = 128 / 18 * b[1] / (b[2] ? b[2] : 1) }
		    /^gemv_/ { n++; each = $2 * 32 / (64 * 4096); print of, each, most; bad = each > most }
		    END { exit n != 1 || bad }' did
	done
}

@test "a mixture's choices are more than a grid's second dimension takes" {
	device
	need hf/mixtral
	cp -r "$F/hf/mixtral" long
	chmod -R u+w long
	jq '.max_position_embeddings = 33000' "$F/hf/mixtral/config.json" >long/config.json
	apr-cat -q long | apr-quant -q q4_k | apr-pack -q long.gguf
	seq -s, 32770 | sed 's/[0-9][0-9]*/1/g' >ids
	# (Two experts a token: 65540 choices, and the stub refuses what CUDA would.)
	STUB_CUDA_IDLE=1 STUB_CUDA_COUNT=$T/count stub apr-infer --device cuda -c 33000 -b 32770 -n 1 --json \
	    --ids "$(cat ids)" long.gguf
	[ "$(calls cuLaunchKernel)" -gt 20 ]
}

@test "threads do not race for shared memory" {
	device
	STUB_CUDA_RACES=1 APR_CPU=scalar stub "${APR_BUILD:-$REPO/build}/test/device" cuda --only blocks >tap
	STUB_CUDA_RACES=1 both gguf/mixtral.q4_k_m.gguf -b 8
	STUB_CUDA_RACES=1 both gguf/qwen3-5.q4_k_m.gguf -b 3
	STUB_CUDA_RACES=1 both gguf/llama3.q8_0.gguf -b 8
}

@test "every type that is multiplied" {
	device
	for m in "$F"/gguf/llama3.*.gguf; do
		case $m in *imatrix*) continue ;; esac
		both "gguf/${m##*/}"
	done
}

@test "no library, an old one, no device, too old a driver or card: one line each" {
	device
	mkdir none old
	: >none/libcuda.so.1
	broken LD_LIBRARY_PATH="$T/none"
	says 'libcuda.so.1'
	# Any other library has none of its functions.
	cp "$(ldd "$(command -v apr-infer)" | sed -n 's/.*libz.so.1 => \([^ ]*\).*/\1/p')" old/libcuda.so.1
	broken LD_LIBRARY_PATH="$T/old"
	says 'libcuda.so.1 has no cuInit: it is too old'
	broken STUB_CUDA_FAIL=cuInit:1:100
	says 'cuInit: CUDA_ERROR_NO_DEVICE'
	broken STUB_CUDA_FAIL=cuInit:1:803
	says 'cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH'
	broken STUB_CUDA_FAIL=cuInit:1:12345
	says 'cuInit: error 12345'
	broken STUB_CUDA_DEVICES=0
	says 'the driver has no device'
	broken STUB_CUDA_VERSION=10020
	says 'Stub 0: the driver has CUDA 10.2, kernels want 11.0'
	broken STUB_CUDA_ARCH=75
	says 'Stub 0: its compute capability is 7.5, kernels want 8.0'
	broken APR_CUDA=4
	says 'APR_CUDA=4: there are devices 0 to 0'
}

@test "devices are listed with what they are, or why they cannot be used" {
	device
	STUB_CUDA_DEVICES=2 stub apr-infer --devices | grep '^cuda: ' >got
	printf '%s\n' 'cuda: 0: Stub 0, 1024 MiB, compute capability 9.0, CUDA 12.4' \
	    'cuda: 1: Stub 1, 1024 MiB, compute capability 9.0, CUDA 12.4' | diff - got
	STUB_CUDA_ARCH=75 stub apr-infer --devices | grep -F '0: cannot be used: Stub 0: its compute capability is 7.5'
	STUB_CUDA_FAIL=cuDeviceGetName:1:1 stub apr-infer --devices |
	    grep -F 'cuda: 0: cannot be used: device 0: cuDeviceGetName: CUDA_ERROR_INVALID_VALUE'
	# An older card, and an older driver, take the older kernels.
	need gguf/llama3.q4_k_m.gguf
	apr-infer --logits --ids 1,2 "$F/gguf/llama3.q4_k_m.gguf" >want
	STUB_CUDA_ARCH=86 stub apr-infer --device cuda --logits --ids 1,2 "$F/gguf/llama3.q4_k_m.gguf" | cmp - want
	STUB_CUDA_VERSION=11020 stub apr-infer --device cuda --logits --ids 1,2 "$F/gguf/llama3.q4_k_m.gguf" | cmp - want
}

@test "any call of the driver that fails is one line, and a device that does not open leaves nothing" {
	device
	STUB_CUDA_LEFT=1 STUB_CUDA_IDLE=1 STUB_CUDA_COUNT=$T/count stub apr-infer --device cuda --ids 1,2 -n 4 --json "$REPO/examples/sample" >out 2>said
	[ ! -s said ]
	n=0
	while read -r call times; do
		[ "$call" != cuInit ] || continue
		case $call in
		# Many alike: the first ones, one in the middle, the last.
		cuLaunchKernel | cuMemcpy* | cuCtx*) list="1 2 $((times / 2)) $times" ;;
		# What is set free waits first: later than the last answer.
		cuStreamSynchronize) list="1 2" ;;
		*) list=$(seq 1 "$times") ;;
		esac
		for i in $list; do
			[ "$i" -gt 0 ] && [ "$i" -le "$times" ] || continue
			case $call in
			cuCtxSetCurrent) [ "$i" = 1 ] || continue ;;
			esac
			# A device that does not open gives everything back.
			left=
			case $call in
			*Create | cuMemHostAlloc | cuModule* | cuDevice* | cuDriver* | cuMemGetInfo | cuCtx*) left=1 ;;
			esac
			broken STUB_CUDA_FAIL="$call:$i:2" ${left:+STUB_CUDA_LEFT=1}
			says "$call: CUDA_ERROR_OUT_OF_MEMORY"
			n=$((n + 1))
		done
	done <count
	echo "$n failures"
	# As many kinds of calls as the device makes.
	[ "$(grep -cE '^(cuMemAlloc|cuMemHostAlloc|cuModuleLoadDataEx|cuModuleGetFunction|cuLaunchKernel|cuMemcpyHtoDAsync|cuMemcpyDtoHAsync|cuStreamSynchronize|cuStreamCreate|cuEventCreate|cuDevicePrimaryCtxRetain|cuStreamBeginCapture|cuStreamEndCapture|cuGraphInstantiate|cuGraphLaunch) ' count)" = 15 ]
	[ "$n" -gt 60 ]
}

# calls NAME -- how often the driver was asked for it.
calls() {
	sed -n "s/^$1 //p" count | grep . || echo 0
}

@test "from its second time on a pass is one launch, with the bits of many" {
	device
	local -x STUB_CUDA_COUNT=$T/count
	# A mixture's too: who has which expert is nothing that comes back.
	for m in llama3 qwen3-moe; do
		need "gguf/$m.q4_k_m.gguf"
		m=$F/gguf/$m.q4_k_m.gguf
		APR_CUDA_GRAPH=0 stub apr-infer --device cuda --ids $IDS -n 32 --json "$m" | jq -c .tokens >want
		[ "$(calls cuGraphLaunch)" = 0 ]
		APR_CUDA_GRAPH=0 stub apr-infer --device cuda --ids $IDS -n 1 --json "$m"
		prompt=$(calls cuLaunchKernel)
		APR_CUDA_GRAPH=0 stub apr-infer --device cuda --ids $IDS -n 2 --json "$m"
		token=$(($(calls cuLaunchKernel) - prompt))
		stub apr-infer --device cuda --ids $IDS -n 32 --json "$m" | jq -c .tokens >got
		cmp want got
		# 31 tokens are fed back: one by calls, one by calls that are captured.
		[ "$(calls cuLaunchKernel)" = $((prompt + 2 * token)) ]
		[ "$(calls cuGraphLaunch)" = 30 ]
		[ "$(calls cuGraphInstantiate)" = 1 ]
	done
	# Requests that end one by one: graphs for several numbers of columns.
	for n in 3 9 5 7 9; do
		echo "{\"prompt\":\"$n+2=\",\"max_tokens\":$n}"
	done >requests
	for g in 0 1; do
		APR_CUDA_GRAPH=$g stub apr-infer --device cuda --jsonl "$REPO/examples/sample" <requests | jq -c .text >text.$g
	done
	[ -s text.0 ]
	cmp text.0 text.1
	[ "$(calls cuGraphLaunch)" -gt 2 ]
}

@test "a dense layer is ten kernels, and one more for a matrix with a type of its own or a long context" {
	device
	local -x STUB_CUDA_COUNT=$T/count STUB_CUDA_IDLE=1 APR_CUDA_GRAPH=0
	while read -r m context layers; do
		need "gguf/$m.gguf"
		n=0
		for ids in 1,2,3 1,2; do
			stub apr-infer --device cuda --logits -b 1 -c "$context" --ids $ids "$F/gguf/$m.gguf" >/dev/null || true
			n=$(($(calls cuLaunchKernel) - n))
		done
		# Two layers; before them the embedding and a norm, behind them the
		# output's product.
		[ $((-n)) = $((layers + 3)) ]
	done <<-END
	llama3.q8_0 256 20
	llama3.q8_0 257 22
	llama3.q4_k_m 256 21
	END
}

@test "a device that goes away, whenever it does: one line" {
	device
	STUB_CUDA_IDLE=1 STUB_CUDA_COUNT=$T/count stub apr-infer --device cuda --ids 1,2 -n 4 --json "$REPO/examples/sample"
	all=$(awk '{ n += $2 } END { print n }' count)
	[ "$all" -gt 300 ]
	for i in 1 2 4 8 16 64 $((all / 8)) $((all / 4)) $((all / 2)) $((all * 3 / 4)); do
		broken STUB_CUDA_GONE="$i"
		says 'CUDA_ERROR_DEVICE_UNAVAILABLE'
	done
}

@test "the same tokens however they are chosen, and their logarithms" {
	device
	asked | awk 'NR % 3 == 1' | jq -c '.max_tokens = 4' >asked
	apr-infer --jsonl --parallel 3 "$REPO/examples/sample" <asked >want
	stub apr-infer --device cuda --jsonl --parallel 5 "$REPO/examples/sample" <asked | cmp - want
}

@test "what the compiler of kernels says is in the line" {
	device
	broken STUB_CUDA_FAIL=cuModuleLoadDataEx:1:218
	says 'Stub 0: cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (columns for sm_90): ptxas fatal of the stub'
	broken STUB_CUDA_FAIL=cuModuleGetFunction:2:500
	says 'Stub 0: cuModuleGetFunction: CUDA_ERROR_NOT_FOUND (norm)'
	broken STUB_CUDA_FAIL=cuLaunchKernel:3:719
	says 'cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED ('
	broken STUB_CUDA_FAIL=cuMemcpyDtoHAsync:1:700
	says 'cuMemcpyDtoHAsync: CUDA_ERROR_ILLEGAL_ADDRESS'
}

@test "bench-gpu without a card says so, and that is all" {
	mkdir none
	: >none/libcuda.so.1
	LD_LIBRARY_PATH=$T/none "$REPO/scripts/bench-gpu" >said 2>&1
	[ "$(wc -l <said)" = 1 ]
	grep '^no card: libcuda.so.1 is not there: ' said
	LD_LIBRARY_PATH=$T/none "$REPO/scripts/bench-gpu" --json | jq -e '.card == null and (.why | test("libcuda"))'
	LD_LIBRARY_PATH=$T/none fails 1 "${APR_BUILD:-$REPO/build}/test/bench-gpu"
	says 'libcuda.so.1 is not there'
	fails 2 "$REPO/scripts/bench-gpu" --sideways
}

@test "bench-gpu: the card, models as shares of it, llama.cpp beside them, what does not fit" {
	device
	export STUB_CUDA_FLOATS=1 LLAMA=$T/llama
	mkdir llama
	cat >llama/llama-bench <<-'END'
	#!/bin/sh
	echo '{"n_prompt": 512, "n_gen": 0, "avg_ts": 1000.5}'
	echo '{"n_prompt": 4096, "n_gen": 0, "avg_ts": 500.25}'
	echo '{"n_prompt": 0, "n_gen": 2, "avg_ts": 20.5}'
	END
	chmod +x llama/llama-bench
	stub "$REPO/scripts/bench-gpu" --quick --json --shapes tiny,qwen2.5-32b --types q8_0 >lines
	[ "$(wc -l <lines)" = 3 ]
	# As exactly as they are written.
	jq -se 'def near($x; $by): (. - $x | fabs) <= $x * 0.01 + $by;
	    .[0] as $card | .[1] as $m | .[2] as $big |
	    $card.copy_gb_s > 0 and $card.int8_tops >= 0 and $card.bf16_tflops >= 0 and
	    ($m.decode.gb_s * 1e9 | near($m.decode.tokens_s * $m.token_bytes; 6e4)) and
	    ($m.decode.copy_share | near($m.decode.gb_s / $card.copy_gb_s; 1e-6 + 6e-5 / $card.copy_gb_s)) and
	    $m.prompts[0].tokens_s > 0 and $m.load_gb_s > 0 and ($m.batches | map(.sequences)) == [2, 3] and
	    $m.llama_cpp.decode.tokens_s == 20.5 and $m.llama_cpp.prompts[1].tokens_s == 500.25 and
	    ($big.skipped | test("bytes of weights, the card has"))' lines
	stub "$REPO/scripts/bench-gpu" --quick --shapes tiny --types q8_0 >table
	grep -E '^tiny +q8_0 .*%.* 2: [0-9]+ 3: [0-9]+$' table
	grep -E '^  llama.cpp .* 20\.5 ' table
}
