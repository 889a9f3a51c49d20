/* SPDX-License-Identifier: MIT */
/* gpt2.c -- GPT-2: Conv1D weights lie transposed; q, k, v are one tensor. */
#include "arch.h"

static const char *const defaults[] = {
	"max_position_embeddings", "1024", "layer_norm_epsilon", "1e-05",
	"hidden_size", "768", "num_attention_heads", "12", "num_hidden_layers", "12",
	"num_key_value_heads", "=num_attention_heads",
	NULL
};

static const struct arch_class classes[] = {
	{ .name = "GPT2LMHeadModel", .type = "gpt2", .title = "GPT-2", .defaults = defaults },
	{ 0 }
};

#define L	"model.layers.#."
#define PART(g, h, a)	{ .gguf = "blk.#." g, .hf = "h.#." h, .apr = L a }
#define CONV1D(g, h, a)	{ .gguf = "blk.#." g, .hf = "h.#." h, .apr = L a, .op = OP_TRANSPOSE }
static const struct arch_tensor tensors[] = {
	{ .gguf = "token_embd.weight", .hf = "wte.weight", .apr = "model.embed_tokens.weight" },
	{ .gguf = "position_embd.weight", .hf = "wpe.weight",
	  .apr = "model.position_embedding.weight" },
	{ .gguf = "output.weight", .hf = "lm_head.weight", .apr = "lm_head.weight" },
	{ .gguf = "output_norm.*", .hf = "ln_f.*", .apr = "model.norm.*" },
	PART("attn_norm.*", "ln_1.*", "input_layernorm.*"),
	PART("ffn_norm.*", "ln_2.*", "post_attention_layernorm.*"),
	{ .gguf = "blk.#.attn_qkv.*", .hf = "h.#.attn.c_attn.*",
	  .apr = L "self_attn.q_proj.*|" L "self_attn.k_proj.*|" L "self_attn.v_proj.*",
	  .op = OP_TRANSPOSE, .apr_op = OP_COLUMNS, .parts = PARTS_QKV },
	CONV1D("attn_output.*", "attn.c_proj.*", "self_attn.o_proj.*"),
	CONV1D("ffn_up.*", "mlp.c_fc.*", "mlp.up_proj.*"),
	CONV1D("ffn_down.*", "mlp.c_proj.*", "mlp.down_proj.*"),
	{ 0 }
};

static const struct arch_key keys[] = {
	{ .gguf = "block_count", .type = "u32", .hf = "num_hidden_layers" },
	{ .gguf = "context_length", .type = "u32", .hf = "max_position_embeddings" },
	{ .gguf = "embedding_length", .type = "u32", .hf = "hidden_size" },
	{ .gguf = "feed_forward_length", .type = "u32", .hf = "hidden_size", .how = KEY_FOUR },
	{ .gguf = "attention.head_count", .type = "u32", .hf = "num_attention_heads" },
	{ .gguf = "attention.layer_norm_epsilon", .type = "f32", .hf = "layer_norm_epsilon" },
	KEY_TYPE,
	{ 0 }
};

static const char *const names[] = {
	"num_hidden_layers", "n_layer", "max_position_embeddings", "n_positions",
	"max_position_embeddings", "n_ctx", "hidden_size", "n_embd",
	"num_attention_heads", "n_head", "intermediate_size", "n_inner",
	NULL
};

const struct arch arch_gpt2 = {
	.name = "gpt2", .class = classes, .tensor = tensors, .key = keys, .family = VOCAB_FAMILY_BPE,
	.rename = names, .prefix = "transformer.",
};
