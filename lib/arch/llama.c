/* SPDX-License-Identifier: MIT */
/* llama.c -- Llama 1 to 3, SmolLM, TinyLlama, Mistral, Mixtral. */
#include "arch.h"

static const char *const llama[] = {
	"max_position_embeddings", "2048", "num_key_value_heads", "=num_attention_heads",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0", "head_dim", "/",
	NULL
};

static const char *const mistral[] = {
	"max_position_embeddings", "131072", "num_key_value_heads", "8",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0", "head_dim", "/",
	NULL
};

static const char *const mixtral[] = {
	"max_position_embeddings", "131072", "num_key_value_heads", "8",
	"rms_norm_eps", "1e-05", "rope_parameters.rope_theta", "1000000.0",
	"num_local_experts", "8", "num_experts_per_tok", "2",
	NULL
};

static const char *const no_window[] = { "sliding_window", "null", NULL };

static const struct arch_class classes[] = {
	{ .name = "MixtralForCausalLM", .type = "mixtral", .title = "Mixtral",
	  .defaults = mixtral, .if_key = "expert_count", .extra = no_window },
	{ .name = "LlamaForCausalLM", .type = "llama", .title = "Llama", .defaults = llama },
	{ .name = "LLaMAForCausalLM", .type = "llama", .title = "Llama", .defaults = llama },
	{ .name = "MistralForCausalLM", .type = "mistral", .title = "Mistral",
	  .defaults = mistral },
	{ 0 }
};

static const struct arch_tensor tensors[] = {
	EDGES,
	BLOCK("attn_norm.*", "input_layernorm.*"),
	ATTENTION(OP_Q, OP_K),
	BLOCK("ffn_norm.*", "post_attention_layernorm.*"),
	MLP,
	BLOCK("ffn_gate_inp.*", "block_sparse_moe.gate.*"),
	BLOCK("ffn_gate_exps.*", "block_sparse_moe.experts.@.w1.*"),
	BLOCK("ffn_down_exps.*", "block_sparse_moe.experts.@.w2.*"),
	BLOCK("ffn_up_exps.*", "block_sparse_moe.experts.@.w3.*"),
	SAME("rope_freqs.weight", "rope_freqs.weight"),
	{ 0 }
};

static const struct arch_key keys[] = {
	KEYS_BASE,
	{ .gguf = "vocab_size", .type = "u32", .hf = "vocab_size" },
	{ .gguf = "rope.dimension_count", .type = "u32", .hf = "head_dim", .how = KEY_HEAD_DIM },
	{ 0 }
};

const struct arch arch_llama = {
	.name = "llama", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_LLAMA,
	.flags = ARCH_ROPE_FREQS | ARCH_BIAS | ARCH_MLP_BIAS,
};
