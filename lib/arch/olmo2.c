/* SPDX-License-Identifier: MIT */
/* olmo2.c -- OLMo 2: norms behind attention and MLP, not before. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "2048", "num_key_value_heads", "=num_attention_heads",
	"rms_norm_eps", "1e-05", "rope_parameters.rope_theta", "10000.0",
	NULL
};

static const struct arch_class classes[] = {
	{ .name = "Olmo2ForCausalLM", .type = "olmo2", .title = "OLMo 2",
	  .defaults = defaults },
	{ 0 }
};

static const struct arch_tensor tensors[] = {
	EDGES,
	ATTENTION(OP_COPY, OP_COPY),
	BLOCK("attn_q_norm.*", "self_attn.q_norm.*"),
	BLOCK("attn_k_norm.*", "self_attn.k_norm.*"),
	BLOCK("post_attention_norm.*", "post_attention_layernorm.*"),
	BLOCK("post_ffw_norm.*", "post_feedforward_layernorm.*"),
	MLP,
	{ 0 }
};

static const struct arch_key keys[] = { KEYS_BASE, { 0 } };

const struct arch arch_olmo2 = {
	.name = "olmo2", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_BPE,
	.flags = ARCH_BIAS,
};
