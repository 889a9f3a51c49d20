/* SPDX-License-Identifier: MIT */
/* qwen3_5.c -- Qwen 3.5: most layers are Gated DeltaNet, each fourth is not. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "32768", "num_key_value_heads", "4",
	"rms_norm_eps", "1e-06", "rope_parameters.rope_theta", "10000.0",
	"head_dim", "256", "rope_parameters.partial_rotary_factor", "0.25",
	"linear_conv_kernel_dim", "4", "linear_key_head_dim", "128",
	"linear_num_key_heads", "16", "linear_value_head_dim", "128",
	"linear_num_value_heads", "32", "full_attention_interval", "4",
	NULL
};

static const struct arch_class classes[] = {
	{ .name = "Qwen3_5ForCausalLM", .type = "qwen3_5_text", .title = "Qwen3.5",
	  .defaults = defaults },
	{ .name = "Qwen3_5ForConditionalGeneration", .type = "qwen3_5", .title = "Qwen3.5",
	  .defaults = defaults },
	{ 0 }
};

#define LINEAR(g, h, o)	BLOCK_OP(g, "linear_attn." h, o)
static const struct arch_tensor tensors[] = {
	SAME("token_embd.weight", "model.embed_tokens.weight"),
	SAME("output.*", "lm_head.*"),
	{ .gguf = "output_norm.weight", .hf = "model.norm.weight", .value = VALUE_PLUS_1 },
	BLOCK_NORM("attn_norm.weight", "input_layernorm.weight"),
	ATTENTION(OP_COPY, OP_COPY),
	BLOCK_NORM("attn_q_norm.weight", "self_attn.q_norm.weight"),
	BLOCK_NORM("attn_k_norm.weight", "self_attn.k_norm.weight"),
	BLOCK_NORM("post_attention_norm.weight", "post_attention_layernorm.weight"),
	MLP,
	LINEAR("attn_qkv.weight", "in_proj_qkv.weight", OP_V_QKV),
	LINEAR("attn_gate.weight", "in_proj_z.weight", OP_V_HEADS),
	LINEAR("ssm_alpha.weight", "in_proj_a.weight", OP_V_ONES),
	LINEAR("ssm_beta.weight", "in_proj_b.weight", OP_V_ONES),
	LINEAR("ssm_conv1d.weight", "conv1d.weight", OP_V_CONV),
	LINEAR("ssm_norm.weight", "norm.weight", OP_COPY),
	LINEAR("ssm_out.weight", "out_proj.weight", OP_V_COLUMNS),
	LINEAR("ssm_dt.bias", "dt_bias", OP_V_ONES),
	{ .gguf = "blk.#.ssm_a", .hf = "model.layers.#.linear_attn.A_log",
	  .op = OP_V_ONES, .value = VALUE_NEG_EXP },
	{ 0 }
};

static const struct arch_key keys[] = {
	KEYS_BASE,
	{ .gguf = "ssm.conv_kernel", .type = "u32", .hf = "linear_conv_kernel_dim" },
	{ .gguf = "ssm.state_size", .type = "u32", .hf = "linear_key_head_dim" },
	{ .gguf = "ssm.group_count", .type = "u32", .hf = "linear_num_key_heads" },
	{ .gguf = "ssm.time_step_rank", .type = "u32", .hf = "linear_num_value_heads" },
	{ .gguf = "ssm.inner_size", .type = "u32", .hf = "linear_value_head_dim",
	  .how = KEY_SSM_INNER },
	{ .gguf = "attention.recurrent_layers", .type = "[bool]", .hf = "layer_types",
	  .how = KEY_RECURRENT },
	{ .gguf = "full_attention_interval", .type = "u32", .hf = "full_attention_interval" },
	{ .gguf = "rope.dimension_count", .type = "u32",
	  .hf = "rope_parameters.partial_rotary_factor", .how = KEY_ROTARY_DIM },
	{ .gguf = "rope.dimension_sections", .type = "[i32]",
	  .hf = "rope_parameters.mrope_section", .how = KEY_SECTIONS },
	{ 0 }
};

const struct arch arch_qwen35 = {
	.name = "qwen35", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_BPE,
	.flags = ARCH_BIAS,
};
