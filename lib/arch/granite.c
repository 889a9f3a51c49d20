/* SPDX-License-Identifier: MIT */
/* granite.c -- Granite: Llama with four multipliers. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "2048", "num_key_value_heads", "=num_attention_heads",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0",
	"attention_multiplier", "1.0", "embedding_multiplier", "1.0",
	"residual_multiplier", "1.0", "logits_scaling", "1.0",
	NULL
};

static const struct arch_class classes[] = {
	{ .name = "GraniteForCausalLM", .type = "granite", .title = "Granite",
	  .defaults = defaults },
	{ 0 }
};

static const struct arch_tensor tensors[] = {
	EDGES,
	BLOCK("attn_norm.*", "input_layernorm.*"),
	ATTENTION(OP_Q, OP_K),
	BLOCK("ffn_norm.*", "post_attention_layernorm.*"),
	MLP,
	SAME("rope_freqs.weight", "rope_freqs.weight"),
	{ 0 }
};

static const struct arch_key keys[] = {
	KEYS_SIZES, KEYS_ROPE, KEYS_EPS, KEYS_EXPERTS, KEY_TYPE,
	{ .gguf = "vocab_size", .type = "u32", .hf = "vocab_size" },
	{ .gguf = "rope.dimension_count", .type = "u32", .hf = "head_dim", .how = KEY_HEAD_DIM },
	{ .gguf = "attention.scale", .type = "f32", .hf = "attention_multiplier",
	  .how = KEY_NONZERO },
	{ .gguf = "embedding_scale", .type = "f32", .hf = "embedding_multiplier",
	  .how = KEY_NONZERO },
	{ .gguf = "residual_scale", .type = "f32", .hf = "residual_multiplier",
	  .how = KEY_NONZERO },
	{ .gguf = "logit_scale", .type = "f32", .hf = "logits_scaling", .how = KEY_NONZERO },
	{ 0 }
};

const struct arch arch_granite = {
	.name = "granite", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_LLAMA,
	.flags = ARCH_ROPE_FREQS | ARCH_NO_HEAD_DIM | ARCH_BIAS | ARCH_MLP_BIAS,
};
