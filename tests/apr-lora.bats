#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load helper

one='\0\0\200\77' two='\0\0\0\100' three='\0\0\100\100' four='\0\0\200\100'

# A model of ones and twos.

model() {
	printf "$one$one$one$one$one$one$two$two$two" | st m.safetensors \
	    '{"m.w.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"m.n.weight":{"dtype":"F32","shape":[3],"data_offsets":[24,36]}}'
}

# adapter CONFIG -- A = [1 2 3], B = [2; 4].
adapter() {
	mkdir -p a
	echo "{\"peft_type\":\"LORA\"$1}" >a/adapter_config.json
	printf "$one$two$three$two$four" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.w.lora_A.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},"base_model.model.m.w.lora_B.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[12,20]}}'
}

values() {
	tar xOf - "tensors/$1" | od -An -v -tf4 | xargs
}

@test "help, version, wrong usage" {
	apr-lora --help | grep '^usage: apr-lora' >/dev/null
	[ "$(apr-lora --version | cut -d' ' -f1)" = apr-lora ]
	model
	apr-cat m.safetensors >s.tar
	fails 2 apr-lora <s.tar
	fails 2 apr-lora a b <s.tar
	fails 1 apr-lora nowhere <s.tar
	says adapter_config.json
	adapter ',"lora_alpha":1'
	head -c 1000 s.tar >cut
	fails 1 apr-lora a <cut
	OUT=/dev/full fails 1 apr-lora a <s.tar
}

@test "numbers that can be worked out by hand" {
	model
	adapter ',"lora_alpha":1,"r":1'
	apr-cat m.safetensors | apr-lora a >out
	[ "$(values m.w.weight <out)" = "3 5 7 5 9 13" ]
	[ "$(values m.n.weight <out)" = "2 2 2" ]
	adapter ',"lora_alpha":0.5,"r":1'
	[ "$(apr-cat m.safetensors | apr-lora a | values m.w.weight)" = "2 3 4 3 5 7" ]
	adapter ',"lora_alpha":1,"r":1,"alpha_pattern":{"w":2,"x":9}'
	[ "$(apr-cat m.safetensors | apr-lora a | values m.w.weight)" = "5 9 13 9 17 25" ]
	# A pattern is the whole name, or its end behind a dot: vw is not w.
	printf "$one$one$one$one$one$one" | st v.safetensors '{"m.vw.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
	adapter ',"lora_alpha":1,"r":1,"alpha_pattern":{"w":9}'
	printf "$one$two$three$two$four" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.vw.lora_A.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},"base_model.model.m.vw.lora_B.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[12,20]}}'
	[ "$(apr-cat v.safetensors | apr-lora a | values m.vw.weight)" = "3 5 7 5 9 13" ]
	# Rank 2: alpha / 2, and with rslora alpha / sqrt(2).
	adapter ',"lora_alpha":2,"r":2'
	printf "$one$two$three$one$one$one$two$one$four$one" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.w.lora_A.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"base_model.model.m.w.lora_B.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[24,40]}}'
	[ "$(apr-cat m.safetensors | apr-lora a | values m.w.weight)" = "4 6 8 6 10 14" ]
	echo '{"peft_type":"LORA","lora_alpha":2,"use_rslora":true}' >a/adapter_config.json
	[ "$(apr-cat m.safetensors | apr-lora a | values m.w.weight)" = "5.2426405 8.071068 10.899495 8.071068 13.727922 19.384777" ]
}

@test "a turned one, whole values, packed weights" {
	model
	mkdir a
	# W [2, 3] is [in, out]: A [1, 2], B [3, 1].
	echo '{"peft_type":"LORA","lora_alpha":1,"fan_in_fan_out":true}' >a/adapter_config.json
	printf "$one$two$one$two$three$four$four$four" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.w.lora_A.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"base_model.model.m.w.lora_B.weight":{"dtype":"F32","shape":[3,1],"data_offsets":[8,20]},"base_model.model.m.n.weight":{"dtype":"F32","shape":[3],"data_offsets":[20,32]}}'
	apr-cat m.safetensors | apr-lora a >out
	[ "$(values m.w.weight <out)" = "2 3 4 3 5 7" ]
	[ "$(values m.n.weight <out)" = "4 4 4" ]
	need hf/qwen2
	mkdir b
	echo '{"peft_type":"LORA","lora_alpha":1}' >b/adapter_config.json
	{ head -c 1024 /dev/zero; head -c 1024 /dev/zero; } | st b/adapter_model.safetensors \
	    '{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight":{"dtype":"F32","shape":[1,256],"data_offsets":[0,1024]},"base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight":{"dtype":"F32","shape":[256,1],"data_offsets":[1024,2048]}}'
	# Nothing is added: BF16 stays as it is, Q8_0 becomes what it stands for.
	apr-cat "$F/hf/qwen2" | apr-lora b | apr-pack d/
	diff -r d "$F/hf/qwen2"
	apr-cat "$F/hf/qwen2" | apr-quant -q q8_0 >q
	apr-lora b <q | tar xOf - tensors/model.layers.0.self_attn.q_proj.weight >x
	apr-dequant -q <q | tar xOf - tensors/model.layers.0.self_attn.q_proj.weight | cmp - x
	apr-lora b <q | tar xOf - tensors/model.layers.0.self_attn.k_proj.weight >x
	tar xOf q tensors/model.layers.0.self_attn.k_proj.weight | cmp - x
	apr-cat "$F/gguf/qwen2.bf16.gguf" >g
	fails 1 apr-lora b <g
	says 'apr-cat --as hf'
}

@test "what cannot be merged is named" {
	model
	apr-cat m.safetensors >s.tar
	adapter ',"lora_alpha":1,"use_dora":true'
	fails 1 apr-lora a <s.tar
	says DoRA
	adapter ',"lora_alpha":1,"lora_bias":true'
	fails 1 apr-lora a <s.tar
	adapter ''
	fails 1 apr-lora a <s.tar
	says lora_alpha
	adapter ',"lora_alpha":1,"alpha_pattern":{"w.*":2}'
	fails 1 apr-lora a <s.tar
	says 'plain name'
	echo '{"peft_type":"IA3","lora_alpha":1}' >a/adapter_config.json
	fails 1 apr-lora a <s.tar
	says 'not LORA'
	adapter ',"lora_alpha":1'
	printf "$one$two$three" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.w.lora_A.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]}}'
	fails 1 apr-lora a <s.tar
	says 'm.w: lora_B is missing'
	printf "$one$two$three$two$four" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.v.lora_A.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},"base_model.model.m.v.lora_B.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[12,20]}}'
	fails 1 apr-lora a <s.tar
	says 'm.v: the model has no such tensor'
	printf "$one$two$two$four" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.w.lora_A.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"base_model.model.m.w.lora_B.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]}}'
	fails 1 apr-lora a <s.tar
	says 'shape [2, 3], the adapter'
	printf "$one$two$three$two$four" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.w.lora_A.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},"base_model.model.m.w.lora_B.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[12,20]}}'
	fails 1 apr-lora a <s.tar
	says 'of rank 1, lora_B of 2'
	printf "$one$two$three$one$two$three$two$four" | st a/adapter_model.safetensors \
	    '{"base_model.model.m.w.lora_A.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},"m.w.lora_A.default.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[12,24]},"base_model.model.m.w.lora_B.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[24,32]}}'
	fails 1 apr-lora a <s.tar
	says 'are the same part of a change'
}
