#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

# two FILE A B C D -- a tensor of four F32, as bytes of $one and so on.
zero='\0\0\0\0' one='\0\0\200\77' two='\0\0\0\100' three='\0\0\100\100' four='\0\0\200\100'

four() {
	printf "$2$3$4$5" | st "$1" '{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
}

values() {
	tar xOf - tensors/w | od -An -v -tf4 | xargs
}

@test "help, version, wrong usage" {
	apr-merge --help | grep '^usage: apr-merge' >/dev/null
	[ "$(apr-merge --version | cut -d' ' -f1)" = apr-merge ]
	four a.safetensors $one $two $three $four
	apr-cat a.safetensors >a.tar
	fails 2 apr-merge <a.tar
	fails 2 apr-merge - <a.tar
	fails 2 apr-merge --linear --slerp a.safetensors <a.tar
	fails 2 apr-merge -w x a.safetensors <a.tar
	fails 2 apr-merge --slerp -w 2 a.safetensors <a.tar
	fails 1 apr-merge nowhere.apr <a.tar
	says nowhere
	fails 1 apr-merge --task nowhere.apr a.safetensors <a.tar
	head -c 1000 a.tar >cut
	fails 1 apr-merge a.safetensors <cut
	apr-cat --plan a.safetensors >plan
	fails 1 apr-merge a.safetensors <plan
	OUT=/dev/full fails 1 apr-merge a.safetensors <a.tar
}

@test "numbers that can be worked out by hand" {
	four a.safetensors $one $two $three $four
	four b.safetensors $four $two $one $zero
	[ "$(apr-cat a.safetensors | apr-merge b.safetensors | values)" = "2.5 2 2 2" ]
	[ "$(apr-cat a.safetensors | apr-merge -w 0.25 b.safetensors | values)" = "1.75 2 2.5 3" ]
	[ "$(apr-cat a.safetensors | apr-merge -w 2 b.safetensors | values)" = "7 2 -1 -4" ]
	four base.safetensors $one $one $one $one
	[ "$(apr-cat a.safetensors | apr-merge --task base.safetensors b.safetensors | values)" = "4 3 3 3" ]
	[ "$(apr-cat a.safetensors | apr-merge --task base.safetensors -w 0.5 b.safetensors | values)" = "2.5 2.5 3 3.5" ]
	# At right angles, and of lengths 1 and 2.
	four x.safetensors $one $zero $zero $zero
	four y.safetensors $zero $two $zero $zero
	[ "$(apr-cat x.safetensors | apr-merge --slerp y.safetensors | values)" = "0.70710677 1.4142135 0 0" ]
	[ "$(apr-cat x.safetensors | apr-merge --slerp -w 0.3333333333333333 y.safetensors | values)" = "0.8660254 1 0 0" ]
	# At 45 degrees, whatever the lengths are: sin 22.5 / sin 45 of each.
	four p.safetensors $two $zero $zero $zero
	four q.safetensors $two $two $zero $zero
	[ "$(apr-cat p.safetensors | apr-merge --slerp q.safetensors | values)" = "2.1647844 1.0823922 0 0" ]
	# Parallel, and nothing at all: a straight line.
	[ "$(apr-cat x.safetensors | apr-merge --slerp -w 0.25 x.safetensors | values)" = "1 0 0 0" ]
	four z.safetensors $zero $zero $zero $zero
	[ "$(apr-cat x.safetensors | apr-merge --slerp -w 0.25 z.safetensors | values)" = "0.75 0 0 0" ]
}

@test "all of one, all of the other" {
	need hf/qwen2 hf/llama3 apr/qwen2.apr gguf/qwen2.bf16.gguf
	apr-cat "$F/hf/qwen2" | sums >want
	# Another seed's model of the same shape: the rows the other way round.
	apr-cat "$F/hf/qwen2" | apr-merge -w -1 --linear "$F/hf/qwen2" | sums | cmp - want
	apr-cat "$F/hf/qwen2" | apr-merge --slerp -w 0.3 "$F/hf/qwen2" | sums | cmp - want
	apr-cat "$F/hf/qwen2" | apr-merge --task "$F/hf/qwen2" -w 0.7 "$F/hf/qwen2" | apr-pack d/
	diff -r d "$F/hf/qwen2"
	# Other formats and conventions are translated, other orders sorted.
	apr-cat "$F/hf/qwen2" | apr-merge -w 1 "$F/gguf/qwen2.bf16.gguf" | sums | cmp - want
	apr-cat --order quantize "$F/gguf/qwen2.bf16.gguf" | apr-merge -w 1 "$F/hf/qwen2" | sums >a
	apr-cat "$F/gguf/qwen2.bf16.gguf" | sums | cmp - a
	apr-cat "$F/hf/llama3" | apr-merge -w 1 "$F"/hf/llama3/model-*.safetensors | sums >a
	apr-cat "$F/hf/llama3" | sums | cmp - a
}

@test "packed tensors become F32, and the order of the sums is one" {
	need gguf/llama3.q4_k_m.gguf gguf/llama3.q8_0.gguf
	apr-cat "$F/gguf/llama3.q4_k_m.gguf" | apr-merge -w 0 "$F/gguf/llama3.q8_0.gguf" | sums >a
	apr-cat "$F/gguf/llama3.q4_k_m.gguf" | apr-dequant -q | sums | cmp - a
	apr-cat "$F/gguf/llama3.q4_k_m.gguf" | apr-merge -w 1 "$F/gguf/llama3.q8_0.gguf" | sums >a
	apr-cat "$F/gguf/llama3.q8_0.gguf" | apr-dequant -q | sums | cmp - a
	apr-cat "$F/gguf/llama3.q4_k_m.gguf" >s.tar
	apr-merge --slerp "$F/gguf/llama3.q8_0.gguf" <s.tar >a
	dd if=s.tar bs=77 status=none | APR_CPU=scalar apr-merge --slerp "$F/gguf/llama3.q8_0.gguf" | cmp - a
}

@test "what does not fit is named" {
	four a.safetensors $one $two $three $four
	printf "$one" | st b.safetensors '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
	printf "$one" | st c.safetensors '{"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
	printf "$one$one$one$one$two" | st d.safetensors '{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"v":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}}'
	printf '\0\0\200\177\0\0\0\0\0\0\0\0\0\0\0\0' | st e.safetensors '{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
	apr-cat a.safetensors >s.tar
	fails 1 apr-merge b.safetensors <s.tar
	says 'w: shape [1], not [2, 2]'
	fails 1 apr-merge c.safetensors <s.tar
	says 'has no tensor w'
	fails 1 apr-merge d.safetensors <s.tar
	says 'has v, the other model has not'
	# What is saved is read once, in its order.
	printf "$two$one$one$one$one" | st f.safetensors '{"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[4,20]}}'
	apr-cat f.safetensors >f.tar
	apr-cat d.safetensors >d.tar
	fails 1 apr-merge f.tar <d.tar
	says 'in the same order'
	fails 1 apr-merge --slerp e.safetensors <s.tar
	says 'not finite'
	fails 1 apr-merge --task b.safetensors a.safetensors <s.tar
	says 'shape'
}
