# SPDX-License-Identifier: MIT
# What a config.json, a card and a folder's name become as keys, and back.
load helper
load gguf

@test "names: base name, size, version, finetune, the card" {
	need hf/llama
	model Foo-7B-chat-v2 .
	apr-cat Foo-7B-chat-v2 | apr-pack -f a.gguf
	keys a.gguf | grep '"general\.' | grep -v file_type >got
	cat >want <<-'X'
	["general.architecture","STRING","llama"]
	["general.type","STRING","model"]
	["general.name","STRING","Foo 7B Chat v2"]
	["general.version","STRING","v2"]
	["general.finetune","STRING","7b-chat"]
	["general.basename","STRING","Foo"]
	["general.size_label","STRING","3.9M"]
	["general.quantization_version","UINT32",2]
	X
	same got want
	# Without the size's doubt: it is 3.9 million.
	model Foo-3.9M-Instruct .
	apr-cat Foo-3.9M-Instruct | apr-pack -f a.gguf
	keys a.gguf | grep -F '["general.size_label","STRING","3.9M"]' >/dev/null
	keys a.gguf | grep -F '["general.finetune","STRING","Instruct"]' >/dev/null
	model card '._name_or_path = "org/ignored-1"'
	cat >card/README.md <<-'X'
	---
	license: apache-2.0
	license_name: a-name	# no comment
	base_model:
	- Org/Base-Model-1.5
	- meta-llama/x
	datasets: [ "Some/data" ]
	tags:
	- one
	- "two"
	pipeline_tag: text-generation
	language: [en, 'de']
	other: {}
	---
	# Title: x
	license: none
	X
	jq '. + {temperature: 0.7, top_k: 20, top_p: 0.8, repetition_penalty: 1.05}' \
	    "$F/hf/llama/generation_config.json" >card/generation_config.json
	apr-cat card | apr-pack -f a.gguf
	keys a.gguf | grep '"general\.' >got
	cat >want <<-'X'
	["general.architecture","STRING","llama"]
	["general.type","STRING","model"]
	["general.sampling.top_k","INT32",20]
	["general.sampling.top_p","FLOAT32",0.800000011920929]
	["general.sampling.temp","FLOAT32",0.699999988079071]
	["general.sampling.penalty_repeat","FLOAT32",1.0499999523162842]
	["general.name","STRING","Ignored 1"]
	["general.version","STRING","1"]
	["general.organization","STRING","Org"]
	["general.basename","STRING","ignored"]
	["general.size_label","STRING","3.9M"]
	["general.license","STRING","apache-2.0"]
	["general.license.name","STRING","a-name"]
	["general.base_model.count","UINT32",2]
	["general.base_model.0.name","STRING","Base Model 1.5"]
	["general.base_model.0.version","STRING","1.5"]
	["general.base_model.0.organization","STRING","Org"]
	["general.base_model.0.repo_url","STRING","https://huggingface.co/Org/Base-Model-1.5"]
	["general.base_model.1.name","STRING","X"]
	["general.base_model.1.organization","STRING","Meta Llama"]
	["general.base_model.1.repo_url","STRING","https://huggingface.co/meta-llama/x"]
	["general.dataset.count","UINT32",1]
	["general.dataset.0.name","STRING","Data"]
	["general.dataset.0.organization","STRING","Some"]
	["general.dataset.0.repo_url","STRING","https://huggingface.co/Some/data"]
	["general.tags","STRING",["one","two","text-generation"]]
	["general.languages","STRING",["en","de"]]
	["general.file_type","UINT32",1]
	["general.quantization_version","UINT32",2]
	X
	sed 's/0\.80000001192092[0-9]*/0.8/; s/0\.69999998807907[0-9]*/0.7/; s/1\.04999995231628[0-9]*/1.05/' got >g
	sed 's/0\.80000001192092[0-9]*/0.8/; s/0\.69999998807907[0-9]*/0.7/; s/1\.04999995231628[0-9]*/1.05/' want >w
	same g w
	# And back: a card is written where only a card can say it.
	apr-cat a.gguf | apr-pack dir/
	apr-cat dir | apr-pack -f y.gguf
	keys y.gguf | grep '"general\.' | grep -v 'organization\|basename\|version' >got
	keys a.gguf | grep '"general\.' | grep -v 'organization\|basename\|version' | cmp - got
}

@test "scalings of RoPE: keys, factors, and back" {
	need hf/llama hf/phi3
	model lin '.rope_parameters = {rope_type: "linear", factor: 4.0, rope_theta: 10000.0}'
	model yarn 'del(.rope_parameters) | .rope_scaling = {type: "yarn", factor: 2.5,
		original_max_position_embeddings: 512, beta_fast: 16.0} | .rope_theta = 5000.0' qwen2
	model long '.max_position_embeddings = 4096 | .rope_parameters = {rope_type: "longrope",
		rope_theta: 10000.0, partial_rotary_factor: 1.0, long_factor: [range(16) | . + 1.5],
		short_factor: [range(16) | 1 + . / 8]}' phi3
	apr-cat lin | apr-pack -f a.gguf
	keys a.gguf | grep rope.scaling >got
	printf '%s\n' '["llama.rope.scaling.type","STRING","linear"]' \
	    '["llama.rope.scaling.factor","FLOAT32",4]' | cmp - got
	apr-cat yarn | apr-pack -f b.gguf
	keys b.gguf | grep rope >got
	printf '%s\n' '["qwen2.rope.scaling.type","STRING","yarn"]' \
	    '["qwen2.rope.scaling.factor","FLOAT32",2.5]' \
	    '["qwen2.rope.scaling.original_context_length","UINT32",512]' \
	    '["qwen2.rope.scaling.yarn_beta_fast","FLOAT32",16]' \
	    '["qwen2.rope.freq_base","FLOAT32",5000]' | cmp - got
	apr-cat long | apr-pack -f c.gguf
	# s = 8: sqrt(1 + ln 8 / ln 512)
	keys c.gguf | sed -n 2p | grep '^\["phi3.rope.scaling.attn_factor","FLOAT32",1.15470' >/dev/null
	[ "$(apr-ls --json c.gguf | jq -r '.tensors[:2][].name' | tr '\n' ' ')" = \
	    "rope_factors_long.weight rope_factors_short.weight " ]
	[ "$(values c.gguf rope_factors_long.weight)" = "1.5 2.5 3.5 4.5 5.5 6.5 7.5 8.5 9.5 10.5 11.5 12.5 13.5 14.5 15.5 16.5" ]
	for f in a b c; do
		rm -rf dir
		apr-cat $f.gguf | apr-pack dir/
		apr-cat dir | apr-pack -f y.gguf
		alike y.gguf $f.gguf
	done
	jq -e '.rope_parameters.short_factor[8] == 2 and .rope_parameters.rope_type == "longrope"' dir/config.json >/dev/null
	# Divisors that nobody's parameters give are not left out in silence.
	need hf/llama3
	model l3 . llama3
	apr-cat l3 | apr-pack -f d.gguf
	n=$(apr-ls --json d.gguf | jq '[.files[] | select(.name == ".source/header")][0].bytes')
	f32 1.25 | dd of=d.gguf bs=1 seek=$n conv=notrunc 2>/dev/null
	apr-cat d.gguf >s
	rm -rf dir
	fails 1 apr-pack dir/ <s
	says rope_freqs.weight
	nothing dir
}

@test "an old config.json, and one that says little" {
	need hf/llama hf/qwen2 hf/granite
	model old 'del(.rope_parameters, .head_dim) | .rope_theta = 10000.0'
	model full .
	mv full old2
	rm -rf full
	mkdir full && mv old2 full/old
	apr-cat old | apr-pack a.gguf
	apr-cat full/old | apr-pack b.gguf
	same a.gguf b.gguf
	# transformers' defaults reach the keys.
	model few 'del(.rope_parameters, .max_position_embeddings, .rms_norm_eps)' qwen2
	apr-cat few | apr-pack -f a.gguf
	for k in '["qwen2.context_length","UINT32",32768]' '["qwen2.rope.freq_base","FLOAT32",10000]'; do
		keys a.gguf | grep -F "$k" >/dev/null
	done
	model eps 'del(.rms_norm_eps)'
	apr-cat eps | apr-pack -f a.gguf
	keys a.gguf | jq -es 'any(.[]; .[0] == "llama.attention.layer_norm_rms_epsilon" and (.[2] - 1e-6 | fabs) < 1e-12)'
	model g0 'del(.embedding_multiplier) | .residual_multiplier = 0' granite
	apr-cat g0 | apr-pack -f a.gguf
	keys a.gguf | grep -F '["granite.embedding_scale","FLOAT32",1]' >/dev/null
	[ "$(keys a.gguf | grep -c residual_scale)" = 0 ]
	# What cannot be a number is not taken for one.
	model str '.num_hidden_layers = "many"'
	apr-cat str >s
	fails 1 apr-pack x.gguf <s
	says num_hidden_layers
}
