/* SPDX-License-Identifier: MIT */
/* shapes.c -- the shapes, and what each format calls their numbers. */
#include <stddef.h>
#include <string.h>

#include "synth.h"

#define L "model.layers.#."
#define BLOCK(hf, gguf, rows, cols, flags) \
	{ L hf, "", "blk.#." gguf, rows, cols, LAYER | (flags) }
static const struct part llama[] = {
	{ "model.embed_tokens.weight", "", "token_embd.weight", VOC, HID, 0 },
	BLOCK("input_layernorm.weight", "attn_norm.weight", HID, NONE, 0),
	BLOCK("self_attn.q_proj.weight", "attn_q.weight", Q, HID, 0),
	BLOCK("self_attn.q_proj.bias", "attn_q.bias", Q, NONE, BIAS),
	BLOCK("self_attn.k_proj.weight", "attn_k.weight", KV, HID, 0),
	BLOCK("self_attn.k_proj.bias", "attn_k.bias", KV, NONE, BIAS),
	BLOCK("self_attn.v_proj.weight", "attn_v.weight", KV, HID, 0),
	BLOCK("self_attn.v_proj.bias", "attn_v.bias", KV, NONE, BIAS),
	BLOCK("self_attn.o_proj.weight", "attn_output.weight", HID, Q, 0),
	BLOCK("self_attn.q_norm.weight", "attn_q_norm.weight",
	    HD, NONE, QKNORM),
	BLOCK("self_attn.k_norm.weight", "attn_k_norm.weight",
	    HD, NONE, QKNORM),
	BLOCK("post_attention_layernorm.weight", "ffn_norm.weight",
	    HID, NONE, 0),
	BLOCK("mlp.gate_proj.weight", "ffn_gate.weight", FFN, HID, DENSE),
	BLOCK("mlp.up_proj.weight", "ffn_up.weight", FFN, HID, DENSE),
	BLOCK("mlp.down_proj.weight", "ffn_down.weight", HID, FFN, DENSE),
	BLOCK("mlp.gate.weight", "ffn_gate_inp.weight", EXP, HID, MOE),
	BLOCK("mlp.experts.@.down_proj.weight", "ffn_down_exps.weight",
	    HID, MFF, MOE | EXPERT),
	BLOCK("mlp.experts.@.gate_proj.weight", "ffn_gate_exps.weight",
	    MFF, HID, MOE | EXPERT),
	BLOCK("mlp.experts.@.up_proj.weight", "ffn_up_exps.weight",
	    MFF, HID, MOE | EXPERT),
	{ "model.norm.weight", "", "output_norm.weight", HID, NONE, 0 },
	{ "lm_head.weight", "", "output.weight", VOC, HID, UNTIED },
	{ 0 }
};

#define H "transformer.h.#."
/* A weight and its bias; .apr has c_attn in three. */
#define PAIR(hf, apr, gguf, rows, cols, flags) \
	{ hf ".weight", apr ".weight", gguf ".weight", rows, cols, flags }, \
	{ hf ".bias", apr ".bias", gguf ".bias", \
	    (flags) & CONV ? cols : rows, NONE, (flags) & LAYER }
#define SPLIT(apr) \
	{ NULL, apr ".weight", NULL, HID, HID, LAYER }, \
	{ NULL, apr ".bias", NULL, HID, NONE, LAYER }
const struct part synth_gpt2[] = {
	{ "transformer.wte.weight", "model.embed_tokens.weight",
	    "token_embd.weight", VOC, HID, 0 },
	{ "transformer.wpe.weight", "model.position_embedding.weight",
	    "position_embd.weight", CTX, HID, 0 },
	PAIR(H "ln_1", L "input_layernorm", "blk.#.attn_norm",
	    HID, NONE, LAYER),
	{ H "attn.c_attn.weight", NULL, "blk.#.attn_qkv.weight",
	    HID, HID3, LAYER | CONV },
	{ H "attn.c_attn.bias", NULL, "blk.#.attn_qkv.bias",
	    HID3, NONE, LAYER },
	SPLIT(L "self_attn.q_proj"),
	SPLIT(L "self_attn.k_proj"),
	SPLIT(L "self_attn.v_proj"),
	PAIR(H "attn.c_proj", L "self_attn.o_proj", "blk.#.attn_output",
	    HID, HID, LAYER | CONV),
	PAIR(H "ln_2", L "post_attention_layernorm", "blk.#.ffn_norm",
	    HID, NONE, LAYER),
	PAIR(H "mlp.c_fc", L "mlp.up_proj", "blk.#.ffn_up",
	    HID, FFN, LAYER | CONV),
	PAIR(H "mlp.c_proj", L "mlp.down_proj", "blk.#.ffn_down",
	    FFN, HID, LAYER | CONV),
	PAIR("transformer.ln_f", "model.norm", "output_norm", HID, NONE, 0),
	{ 0 }
};

const struct part synth_one[] = {
	BLOCK("mlp.down_proj.weight", "ffn_down.weight", HID, FFN, 0),
	{ 0 }
};

struct shape shapes[] = {
	{ "qwen3-coder-30b-a3b", "qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM",
	    llama, 48, 2048, 32, 4, 128, 5472, 151936, 262144, 128, 8, 768,
	    1e7, 1e-6, MOE | QKNORM | UNTIED },
	{ "qwen2.5-32b", "qwen2", "qwen2", "Qwen2ForCausalLM",
	    llama, 64, 5120, 40, 8, 128, 27648, 152064, 32768, 0, 0, 0,
	    1e6, 1e-6, DENSE | BIAS | UNTIED },
	{ "qwen2.5-7b", "qwen2", "qwen2", "Qwen2ForCausalLM",
	    llama, 28, 3584, 28, 4, 128, 18944, 152064, 32768, 0, 0, 0,
	    1e6, 1e-6, DENSE | BIAS | UNTIED },
	{ "llama-8b", "llama", "llama", "LlamaForCausalLM",
	    llama, 32, 4096, 32, 8, 128, 14336, 128256, 131072, 0, 0, 0,
	    5e5, 1e-5, DENSE | UNTIED },
	{ "llama-1b", "llama", "llama", "LlamaForCausalLM",
	    llama, 22, 2048, 32, 4, 64, 5632, 32000, 8192, 0, 0, 0,
	    1e4, 1e-5, DENSE | UNTIED },
	{ "moe-1b", "qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM",
	    llama, 16, 1024, 16, 4, 64, 3072, 32000, 4096, 64, 8, 384,
	    1e6, 1e-6, MOE | QKNORM | UNTIED },
	{ "smollm-135m", "llama", "llama", "LlamaForCausalLM",
	    llama, 30, 576, 9, 3, 64, 1536, 49152, 2048, 0, 0, 0,
	    1e4, 1e-5, DENSE },
	{ "qwen2-0.5b", "qwen2", "qwen2", "Qwen2ForCausalLM",
	    llama, 24, 896, 14, 2, 64, 4864, 151936, 131072, 0, 0, 0,
	    1e6, 1e-6, DENSE | BIAS },
	{ "gpt2-124m", "gpt2", "gpt2", "GPT2LMHeadModel",
	    synth_gpt2, 12, 768, 12, 12, 64, 3072, 50257, 1024, 0, 0, 0,
	    0, 1e-5, 0 },
	{ "tiny", "llama", "llama", "LlamaForCausalLM",
	    llama, 2, 256, 4, 2, 64, 512, 512, 2048, 0, 0, 0,
	    1e4, 1e-5, DENSE | UNTIED },
	{ "one-tensor", "llama", "llama", "LlamaForCausalLM",
	    synth_one, 1, 0, 1, 1, 64, 0, 1, 2048, 0, 0, 0, 1e4, 1e-5, UNTIED },
};
const size_t nshapes = sizeof shapes / sizeof *shapes;

/* What each format calls a member of struct shape; zeros are left out. */
const struct field fields[] = {
#define F(apr, gguf, hf, gpt2, m) \
	{ { apr, gguf, hf, gpt2 }, offsetof(struct shape, m) }
	F("num_layers", "block_count", "num_hidden_layers", "n_layer", layers),
	F("max_position_embeddings", "context_length",
	    "max_position_embeddings", "n_positions", ctx),
	F("hidden_size", "embedding_length", "hidden_size", "n_embd", hidden),
	F("intermediate_size", "feed_forward_length", "intermediate_size",
	    "n_inner", ffn),
	F("num_heads", "attention.head_count", "num_attention_heads",
	    "n_head", heads),
	F("num_kv_heads", "attention.head_count_kv", "num_key_value_heads",
	    NULL, kv),
	F("vocab_size", "vocab_size", "vocab_size", "vocab_size", vocab),
	F("head_dim", "attention.key_length", "head_dim", NULL, head_dim),
	F(NULL, "attention.value_length", NULL, NULL, head_dim),
	F("num_experts", "expert_count", "num_experts", NULL, experts),
	F("num_experts_per_tok", "expert_used_count", "num_experts_per_tok",
	    NULL, used),
	F("moe_intermediate_size", "expert_feed_forward_length",
	    "moe_intermediate_size", NULL, moe_ffn),
};
const size_t nfields = sizeof fields / sizeof *fields;

/* The value of a field if it is written under this column's name, else 0;
 * head_dim is written where it does not follow from the others. */
uint64_t
value(const struct shape *s, const struct field *f, int column)
{
	uint64_t v;

	memcpy(&v, (const char *)s + f->at, sizeof v);
	if (f->names[column] == NULL || (f->at ==
	    offsetof(struct shape, head_dim) && v * s->heads == s->hidden))
		v = 0;
	return v;
}

void
json_fields(FILE *f, const struct shape *s, int column, const char *eps)
{
	for (const struct field *d = fields; d < fields + nfields; d++)
		if (value(s, d, column) > 0)
			fprintf(f, ",\"%s\":%" PRIu64, d->names[column],
			    value(s, d, column));
	if (s->theta > 0)
		fprintf(f, ",\"rope_theta\":%.1f", s->theta);
	fprintf(f, ",\"%s\":%.0e", eps, s->eps);
}
