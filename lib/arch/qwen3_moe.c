/* SPDX-License-Identifier: MIT */
/* qwen3_moe.c -- Qwen 3 with experts. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "32768", "num_key_value_heads", "4",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0",
	"num_local_experts", "128", "num_experts_per_tok", "8",
	"moe_intermediate_size", "768",
	NULL
};

static const char *const extra[] = {
	"norm_topk_prob", "true", "decoder_sparse_step", "1", NULL
};

static const struct arch_class classes[] = {
	{ .name = "Qwen3MoeForCausalLM", .type = "qwen3_moe", .title = "Qwen3 MoE",
	  .defaults = defaults, .extra = extra },
	{ 0 }
};

static const struct arch_tensor tensors[] = {
	EDGES,
	BLOCK("attn_norm.*", "input_layernorm.*"),
	ATTENTION(OP_COPY, OP_COPY),
	BLOCK("attn_q_norm.*", "self_attn.q_norm.*"),
	BLOCK("attn_k_norm.*", "self_attn.k_norm.*"),
	BLOCK("ffn_norm.*", "post_attention_layernorm.*"),
	MLP,	/* of layers that have no experts */
	EXPERTS,
	{ 0 }
};

static const struct arch_key keys[] = {
	KEYS_BASE,
	{ .gguf = "expert_feed_forward_length", .type = "u32", .hf = "moe_intermediate_size" },
	{ .gguf = "expert_shared_feed_forward_length", .type = "u32",
	  .hf = "shared_expert_intermediate_size" },
	{ 0 }
};

const struct arch arch_qwen3moe = {
	.name = "qwen3moe", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_BPE,
	.flags = ARCH_BIAS,
};
