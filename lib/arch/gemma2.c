/* SPDX-License-Identifier: MIT */
/* gemma2.c -- Gemma and Gemma 2: norms are stored less 1; no key says rope. */
#include "arch.h"

static const char *const gemma[] = {
	"max_position_embeddings", "8192", "num_key_value_heads", "16",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0", "head_dim", "256",
	NULL
};

static const char *const gemma2[] = {
	"max_position_embeddings", "8192", "num_key_value_heads", "4",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0", "head_dim", "256",
	"sliding_window", "4096", "attn_logit_softcapping", "50.0",
	"final_logit_softcapping", "30.0",
	NULL
};

static const struct arch_class gemma_classes[] = {
	{ .name = "GemmaForCausalLM", .type = "gemma", .title = "Gemma", .defaults = gemma },
	{ 0 }
};

static const struct arch_class gemma2_classes[] = {
	{ .name = "Gemma2ForCausalLM", .type = "gemma2", .title = "Gemma 2",
	  .defaults = gemma2 },
	{ 0 }
};

#define ENDS \
	SAME("token_embd.weight", "model.embed_tokens.weight"), \
	{ .gguf = NULL, .hf = "lm_head.weight" }, \
	{ .gguf = "output_norm.weight", .hf = "model.norm.weight", .value = VALUE_PLUS_1 }

static const struct arch_tensor gemma_tensors[] = {
	ENDS,
	BLOCK_NORM("attn_norm.weight", "input_layernorm.weight"),
	ATTENTION(OP_COPY, OP_COPY),
	BLOCK_NORM("ffn_norm.weight", "post_attention_layernorm.weight"),
	MLP,
	{ 0 }
};

static const struct arch_tensor gemma2_tensors[] = {
	ENDS,
	BLOCK_NORM("attn_norm.weight", "input_layernorm.weight"),
	ATTENTION(OP_COPY, OP_COPY),
	BLOCK_NORM("post_attention_norm.weight", "post_attention_layernorm.weight"),
	BLOCK_NORM("ffn_norm.weight", "pre_feedforward_layernorm.weight"),
	BLOCK_NORM("post_ffw_norm.weight", "post_feedforward_layernorm.weight"),
	MLP,
	{ 0 }
};

#define KEYS \
	{ .gguf = "context_length", .type = "u32", .hf = "max_position_embeddings" }, \
	{ .gguf = "embedding_length", .type = "u32", .hf = "hidden_size" }, \
	{ .gguf = "block_count", .type = "u32", .hf = "num_hidden_layers" }, \
	{ .gguf = "feed_forward_length", .type = "u32", .hf = "intermediate_size" }, \
	{ .gguf = "attention.head_count", .type = "u32", .hf = "num_attention_heads" }, \
	{ .gguf = "attention.head_count_kv", .type = "u32", .hf = "num_key_value_heads" }, \
	{ .gguf = "attention.layer_norm_rms_epsilon", .type = "f32", .hf = "rms_norm_eps" }, \
	KEYS_HEAD, KEY_TYPE

static const struct arch_key gemma_keys[] = { KEYS, { 0 } };

static const struct arch_key gemma2_keys[] = {
	KEYS,
	{ .gguf = "attn_logit_softcapping", .type = "f32", .hf = "attn_logit_softcapping" },
	{ .gguf = "final_logit_softcapping", .type = "f32", .hf = "final_logit_softcapping" },
	{ .gguf = "attention.sliding_window", .type = "u32", .hf = "sliding_window" },
	{ 0 }
};

const struct arch arch_gemma = {
	.name = "gemma", .class = gemma_classes, .tensor = gemma_tensors, .key = gemma_keys, .family = VOCAB_FAMILY_GEMMA,
	.flags = ARCH_BIAS,
};

const struct arch arch_gemma2 = {
	.name = "gemma2", .class = gemma2_classes, .tensor = gemma2_tensors,
	.key = gemma2_keys, .family = VOCAB_FAMILY_GEMMA, .flags = ARCH_BIAS | ARCH_QUERY_SCALE, .odd_layers = 46,
};
