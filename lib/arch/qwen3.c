/* SPDX-License-Identifier: MIT */
/* qwen3.c -- Qwen 3: no biases, queries and keys normed in each head. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "32768", "num_key_value_heads", "32",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0",
	"head_dim", "128",
	NULL
};

static const struct arch_class classes[] = {
	{ .name = "Qwen3ForCausalLM", .type = "qwen3", .title = "Qwen3",
	  .defaults = defaults },
	{ 0 }
};

static const struct arch_tensor tensors[] = {
	EDGES,
	BLOCK("attn_norm.*", "input_layernorm.*"),
	ATTENTION(OP_COPY, OP_COPY),
	BLOCK("attn_q_norm.*", "self_attn.q_norm.*"),
	BLOCK("attn_k_norm.*", "self_attn.k_norm.*"),
	BLOCK("ffn_norm.*", "post_attention_layernorm.*"),
	MLP,
	{ 0 }
};

static const struct arch_key keys[] = { KEYS_BASE, { 0 } };

const struct arch arch_qwen3 = {
	.name = "qwen3", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_QWEN,
	.flags = ARCH_BIAS,
};
