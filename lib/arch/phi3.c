/* SPDX-License-Identifier: MIT */
/* phi3.c -- Phi-3 and 4: fused projections, long contexts by factors. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "4096", "num_key_value_heads", "=num_attention_heads",
	"rms_norm_eps", "1e-05", "rope_parameters.rope_theta", "10000.0",
	"original_max_position_embeddings", "4096",
	"rope_parameters.partial_rotary_factor", "1.0",
	NULL
};

static const struct arch_class classes[] = {
	{ .name = "Phi3ForCausalLM", .type = "phi3", .title = "Phi-3", .defaults = defaults },
	{ 0 }
};

#define L	"model.layers.#."
static const struct arch_tensor tensors[] = {
	EDGES,
	BLOCK("attn_norm.*", "input_layernorm.*"),
	{ .gguf = "blk.#.attn_qkv.*", .hf = L "self_attn.qkv_proj.*",
	  .apr = L "self_attn.q_proj.*|" L "self_attn.k_proj.*|" L "self_attn.v_proj.*",
	  .parts = PARTS_QKV },
	BLOCK("attn_output.*", "self_attn.o_proj.*"),
	BLOCK("ffn_norm.*", "post_attention_layernorm.*"),
	{ .gguf = "blk.#.ffn_up.*", .hf = L "mlp.gate_up_proj.*",
	  .apr = L "mlp.gate_proj.*|" L "mlp.up_proj.*", .parts = PARTS_HALVES },
	BLOCK("ffn_down.*", "mlp.down_proj.*"),
	SAME("rope_factors_long.weight", "rope_factors_long.weight"),
	SAME("rope_factors_short.weight", "rope_factors_short.weight"),
	{ 0 }
};

static const struct arch_key keys[] = {
	{ .gguf = "context_length", .type = "u32", .hf = "max_position_embeddings" },
	{ .gguf = "rope.scaling.original_context_length", .type = "u32",
	  .hf = "original_max_position_embeddings" },
	{ .gguf = "embedding_length", .type = "u32", .hf = "hidden_size" },
	{ .gguf = "feed_forward_length", .type = "u32", .hf = "intermediate_size" },
	{ .gguf = "block_count", .type = "u32", .hf = "num_hidden_layers" },
	{ .gguf = "attention.head_count", .type = "u32", .hf = "num_attention_heads" },
	{ .gguf = "attention.head_count_kv", .type = "u32", .hf = "num_key_value_heads" },
	{ .gguf = "attention.layer_norm_rms_epsilon", .type = "f32", .hf = "rms_norm_eps" },
	{ .gguf = "rope.dimension_count", .type = "u32",
	  .hf = "rope_parameters.partial_rotary_factor", .how = KEY_PHI_DIM },
	{ .gguf = "rope.freq_base", .type = "f32", .hf = "rope_parameters.rope_theta" },
	KEY_TYPE,
	{ .gguf = "attention.sliding_window", .type = "u32", .hf = "sliding_window",
	  .how = KEY_OR_ZERO },
	{ 0 }
};

const struct arch arch_phi3 = {
	.name = "phi3", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_PHI3,
	.flags = ARCH_ROPE_FACTORS,
};
