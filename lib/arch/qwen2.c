/* SPDX-License-Identifier: MIT */
/* qwen2.c -- Qwen 2 and 2.5. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "32768", "num_key_value_heads", "32",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0",
	NULL
};

static const struct arch_class classes[] = {
	{ .name = "Qwen2ForCausalLM", .type = "qwen2", .title = "Qwen2",
	  .defaults = defaults },
	{ 0 }
};

static const struct arch_tensor tensors[] = {
	EDGES,
	BLOCK("attn_norm.*", "input_layernorm.*"),
	ATTENTION(OP_COPY, OP_COPY),
	BLOCK("ffn_norm.*", "post_attention_layernorm.*"),
	MLP,
	{ 0 }
};

static const struct arch_key keys[] = { KEYS_BASE, { 0 } };

const struct arch arch_qwen2 = {
	.name = "qwen2", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_QWEN,
};
