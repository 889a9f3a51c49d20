/* SPDX-License-Identifier: MIT */
/* gemma3.c -- Gemma 3: two ropes, a norm on every query and key. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "131072", "num_key_value_heads", "4",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "1000000.0",
	"rope_local_base_freq", "10000.0", "head_dim", "256", "sliding_window", "4096",
	NULL
};

static const struct arch_class classes[] = {
	{ .name = "Gemma3ForCausalLM", .type = "gemma3_text", .title = "Gemma 3",
	  .defaults = defaults },
	{ .name = "Gemma3ForConditionalGeneration", .type = "gemma3", .title = "Gemma 3",
	  .defaults = defaults },
	{ 0 }
};

static const struct arch_tensor tensors[] = {
	{ .gguf = "token_embd.weight", .hf = "model.embed_tokens.weight", .op = OP_CUT },
	SAME("output.weight", "lm_head.weight"),
	{ .gguf = "output_norm.weight", .hf = "model.norm.weight", .value = VALUE_PLUS_1 },
	BLOCK_NORM("attn_norm.weight", "input_layernorm.weight"),
	ATTENTION(OP_COPY, OP_COPY),
	BLOCK_NORM("attn_q_norm.weight", "self_attn.q_norm.weight"),
	BLOCK_NORM("attn_k_norm.weight", "self_attn.k_norm.weight"),
	BLOCK_NORM("post_attention_norm.weight", "post_attention_layernorm.weight"),
	BLOCK_NORM("ffn_norm.weight", "pre_feedforward_layernorm.weight"),
	BLOCK_NORM("post_ffw_norm.weight", "post_feedforward_layernorm.weight"),
	MLP,
	{ 0 }
};

static const struct arch_key keys[] = {
	KEYS_BASE,
	{ .gguf = "final_logit_softcapping", .type = "f32", .hf = "final_logit_softcapping" },
	{ .gguf = "attention.sliding_window", .type = "u32", .hf = "sliding_window" },
	{ 0 }
};

const struct arch arch_gemma3 = {
	.name = "gemma3", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_GEMMA3,
	.flags = ARCH_TWO_ROPES | ARCH_BIAS | ARCH_QUERY_SCALE, .odd_layers = 62,
};
