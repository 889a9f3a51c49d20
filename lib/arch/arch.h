/* SPDX-License-Identifier: MIT */
/*
 * arch.h -- what a table of an architecture is made of.
 *
 * An architecture is one file: names of tensors and what happens to them on
 * the way into GGUF, keys of its metadata in GGUF's order, classes and their
 * defaults as transformers has them.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <apr/arch.h>

#include "doc.h"

/* How rows and columns move from Hugging Face's layout to GGUF's. */
enum arch_op {
	OP_COPY,
	OP_Q, OP_K,		/* rotated halves to pairs, in each head */
	OP_TRANSPOSE,		/* Conv1D: [in, out] to [out, in] */
	OP_V_QKV, OP_V_CONV,	/* value heads regrouped: the last part's rows */
	OP_V_HEADS, OP_V_ONES, OP_V_COLUMNS,	/* all rows; a row each; columns */
	OP_PAIRS,		/* [experts, gate and up] to two stacks */
	OP_CUT,			/* rows beyond the vocabulary go */
	OP_COLUMNS,		/* (into .apr) columns in three parts */
};

/* How long the parts are into which .apr takes GGUF's fused tensor apart. */
enum arch_parts { PARTS_QKV, PARTS_HALVES };

/*
 * A tensor's names: '#' is the layer, '@' the expert, '*' "weight" or "bias".
 * Several names are divided by '|'.
 */
struct arch_tensor {
	const char	*gguf, *hf;	/* gguf NULL: it stays out of GGUF */
	const char	*apr;		/* NULL: as hf */
	enum arch_op	 op;		/* hf to gguf, apr to gguf */
	enum arch_op	 apr_op;	/* hf to apr */
	enum arch_value	 value;		/* hf to gguf */
	enum arch_parts	 parts;
};

#define SAME(g, h)		{ .gguf = g, .hf = h }
#define BLOCK(g, h)		SAME("blk.#." g, "model.layers.#." h)
#define BLOCK_OP(g, h, o)	{ .gguf = "blk.#." g, .hf = "model.layers.#." h, .op = o }
#define BLOCK_NORM(g, h)	{ .gguf = "blk.#." g, .hf = "model.layers.#." h, \
				  .value = VALUE_PLUS_1 }

/* What most have. */
#define EDGES \
	SAME("token_embd.weight", "model.embed_tokens.weight"), \
	SAME("output.*", "lm_head.*"), \
	SAME("output_norm.*", "model.norm.*")
#define ATTENTION(q, k) \
	BLOCK_OP("attn_q.*", "self_attn.q_proj.*", q), \
	BLOCK_OP("attn_k.*", "self_attn.k_proj.*", k), \
	BLOCK("attn_v.*", "self_attn.v_proj.*"), \
	BLOCK("attn_output.*", "self_attn.o_proj.*")
#define MLP \
	BLOCK("ffn_gate.*", "mlp.gate_proj.*"), \
	BLOCK("ffn_up.*", "mlp.up_proj.*"), \
	BLOCK("ffn_down.*", "mlp.down_proj.*")
#define EXPERTS \
	BLOCK("ffn_gate_inp.*", "mlp.gate.*"), \
	BLOCK("ffn_gate_exps.*", "mlp.experts.@.gate_proj.*"), \
	BLOCK("ffn_up_exps.*", "mlp.experts.@.up_proj.*"), \
	BLOCK("ffn_down_exps.*", "mlp.experts.@.down_proj.*"), \
	{ .gguf = "blk.#.ffn_gate_exps.weight|blk.#.ffn_up_exps.weight", \
	  .hf = "model.layers.#.mlp.experts.gate_up_proj", .op = OP_PAIRS }, \
	BLOCK("ffn_down_exps.weight", "mlp.experts.down_proj")

/* How a key's value comes from config.json, and goes back. */
enum arch_how {
	KEY_PLAIN,		/* the member called hf */
	KEY_NONZERO,		/* unless it is 0 */
	KEY_OR_ZERO,		/* 0 if it is not there */
	KEY_FILE_TYPE,
	KEY_ROPE_SCALING,	/* several, by the kind of scaling */
	KEY_MROPE,		/* sections, if the config has them */
	KEY_SECTIONS,		/* the same, or the usual ones */
	KEY_HEAD_DIM,		/* of a head, given or computed */
	KEY_ROTARY_DIM,		/* the part of it that rotates */
	KEY_PHI_DIM,		/* the same, as phi3 computes it */
	KEY_FOUR,		/* 4 * hf */
	KEY_SSM_INNER,
	KEY_RECURRENT,		/* one flag a layer */
};

struct arch_key {
	const char	*gguf;		/* behind the architecture's name and a dot */
	const char	*type;		/* as manifests spell it */
	const char	*hf;
	enum arch_how	 how;
};

#define KEYS_SIZES \
	{ .gguf = "block_count", .type = "u32", .hf = "num_hidden_layers" }, \
	{ .gguf = "context_length", .type = "u32", .hf = "max_position_embeddings" }, \
	{ .gguf = "embedding_length", .type = "u32", .hf = "hidden_size" }, \
	{ .gguf = "feed_forward_length", .type = "u32", .hf = "intermediate_size" }, \
	{ .gguf = "attention.head_count", .type = "u32", .hf = "num_attention_heads" }, \
	{ .gguf = "attention.head_count_kv", .type = "u32", .hf = "num_key_value_heads" }
#define KEYS_ROPE \
	{ .gguf = "rope.scaling.", .how = KEY_ROPE_SCALING }, \
	{ .gguf = "rope.dimension_sections", .type = "[i32]", .hf = "rope_parameters.mrope_section", \
	  .how = KEY_MROPE }, \
	{ .gguf = "rope.freq_base", .type = "f32", .hf = "rope_parameters.rope_theta" }, \
	{ .gguf = "rope.freq_base_swa", .type = "f32", .hf = "rope_local_base_freq" }
#define KEYS_EPS \
	{ .gguf = "attention.layer_norm_rms_epsilon", .type = "f32", .hf = "rms_norm_eps" }, \
	{ .gguf = "attention.layer_norm_epsilon", .type = "f32", .hf = "layer_norm_epsilon" }
#define KEYS_EXPERTS \
	{ .gguf = "expert_count", .type = "u32", .hf = "num_local_experts" }, \
	{ .gguf = "expert_used_count", .type = "u32", .hf = "num_experts_per_tok" }
#define KEYS_HEAD \
	{ .gguf = "attention.key_length", .type = "u32", .hf = "head_dim" }, \
	{ .gguf = "attention.value_length", .type = "u32", .hf = "head_dim" }
#define KEY_TYPE	{ .gguf = "", .how = KEY_FILE_TYPE }
#define KEYS_BASE	KEYS_SIZES, KEYS_ROPE, KEYS_EPS, KEYS_EXPERTS, KEYS_HEAD, KEY_TYPE

/* A class of transformers, and what it has where config.json is silent. */
struct arch_class {
	const char	*name, *type;	/* LlamaForCausalLM, llama */
	const char	*title;		/* for people */
	/* Paths and JSON texts in turn; "=PATH": as that, "/": hidden by heads. */
	const char	*const *defaults;
	/* Of several, GGUF means the first one whose key (behind the
	 * architecture's name) is there; NULL: always. */
	const char	*if_key;
	/* Members that config.json needs and GGUF does not say, in turn with
	 * their JSON texts; NULL: none. */
	const char	*const *extra;
};

enum {
	ARCH_NO_HEAD_DIM = 1,	/* config.json's head_dim means nothing */
	ARCH_TWO_ROPES = 2,	/* one for layers with a window, one for others */
	ARCH_ROPE_FREQS = 4,	/* llama3's scaling is a tensor */
	ARCH_ROPE_FACTORS = 8,	/* longrope's are two */
	ARCH_BIAS = 16,		/* config.json says whether attention has biases, */
	ARCH_MLP_BIAS = 32,	/* and whether the MLP has */
	ARCH_QUERY_SCALE = 64,	/* it needs query_pre_attn_scalar */
};

struct arch {
	const char			*name;		/* general.architecture */
	const struct arch_class		*class;		/* ends with a NULL name */
	const struct arch_tensor	*tensor;	/* ends with a NULL hf */
	const struct arch_key		*key;		/* ends with a NULL gguf */
	const char *const		*rename;	/* ours, config.json's, in turn */
	const char			*prefix;	/* of all HF names; may be absent */
	enum vocab_family		 family;
	unsigned			 flags;
	uint64_t			 odd_layers;	/* with so many, queries are
							 * scaled by hidden / heads */
};

extern const struct arch arch_llama, arch_qwen2, arch_qwen3, arch_qwen3moe,
    arch_qwen35, arch_gpt2, arch_gemma, arch_gemma2, arch_gemma3, arch_phi3,
    arch_olmo2, arch_granite;
extern const struct arch *const archs[];	/* NULL at the end */

struct arch_model {
	const struct arch	*arch;
	const struct arch_class	*class;
	/* config.json in words of its newest version, defaults filled in; from
	 * GGUF and .apr what they say, in the same words. */
	struct doc		 doc;
	/* What layouts go by; 0: does not say. */
	uint64_t		 layers, hidden, heads, kv_heads, head_dim, vocab, experts;
	uint64_t		 k_heads, k_dim, v_heads, v_dim;	/* linear attention */
	bool			 partial;	/* the source's words are not all */
	const char		*presumed[32];	/* words that it did not say */
	size_t			 npresumed;
};

/* Into doc: config.c, */
int	arch_read_hf(struct arch_model *, const void *, size_t, bool *unknown,
	    struct err *);
/* config_gguf.c, and */
int	arch_read_gguf(struct arch_model *, const void *, size_t, bool *unknown,
	    struct err *);
/* config_apr.c; by what they share. */
int	arch_read_apr(struct arch_model *, const void *, size_t, bool *unknown,
	    struct err *);
/* By class, else by model_type. */
bool	arch_find_class(struct arch_model *, const char *class, const char *type);
const char *arch_or_nothing(const char *);
/* A member under another name, unless it has that already. */
int	arch_rename(struct doc *, const char *from, const char *to, struct err *);
/* 0: it does not say. */
uint64_t arch_count(const struct arch_model *, const char *path);
/* Old words, then defaults, then the numbers that layouts go by. */
int	arch_complete(struct arch_model *, struct err *);

/* names.c.  A tensor found in a table. */
struct arch_hit {
	const struct arch_tensor *row;
	long		 layer, expert;	/* -1: none */
	unsigned	 part;		/* which of several names */
	bool		 bias;		/* what '*' stood for */
};
bool	arch_match(const struct arch_model *, enum arch_conv, const char *name,
	    struct arch_hit *);
const char *arch_pattern(const struct arch_tensor *, enum arch_conv);
unsigned arch_parts_of(const char *pattern);
/* The hit's name in a convention; part and expert of the hit count. */
void	arch_spell(const struct arch_model *, enum arch_conv, const struct arch_hit *,
	    char name[TENSOR_NAME + 1]);
/* Buffers and towers that converters pass over. */
bool	arch_passed_over(const struct arch_model *, const char *name);
/* Does llama.cpp's converter write it as F32 in any case? */
bool	arch_keeps_f32(const char *gguf, unsigned ndim);

/* rope.c.  Tensors that are made from the config: name, n floats in arena. */
int	arch_rope_freqs(const struct arch_model *, struct arena *, float **, size_t *,
	    struct err *);
int	arch_rope_factors(const struct arch_model *, bool is_long, struct arena *,
	    float **, size_t *, struct err *);

/* general.c: general.* and the sampler's, from what people wrote. */
int	arch_put_general(const struct arch_model *, const struct arch_about *,
	    arch_put_key *, void *ctx, struct err *);

/* value.c.  The same digits on every machine, unlike libm's. */
double	arch_exp(double);
double	arch_log(double);

#endif
