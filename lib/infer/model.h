/* SPDX-License-Identifier: MIT */
/*
 * model.h -- a model as forward() sees it: numbers, and weights by role.
 * Private to lib/infer.  Shapes stand beside pointers; d = n_embd, hd =
 * head_dim, and everything in Hugging Face's order unless `adjacent`.
 */
#ifndef INFER_MODEL_H
#define INFER_MODEL_H

#include <apr/buf.h>
#include <apr/dot.h>
#include <apr/manifest.h>

/* One way of turning positions into angles. */
struct rope {
	unsigned	 n_rot;		/* elements of a head that turn; 0: none */
	float		*inv;		/* n_rot / 2: angle = position x inv */
	float		 mscale;	/* times cos and sin */
};

enum mixer { MIX_ATTENTION, MIX_DELTANET };

struct experts {			/* n_expert each */
	struct mat	*gate, *up;	/* n_ff_exp x d */
	struct mat	*down;		/* d x n_ff_exp */
};

struct layer {
	enum mixer	 mixer;
	unsigned	 window;	/* keys that a query sees; 0: all before it */
	unsigned	 rope;		/* index in model.rope */

	const float	*attn_norm, *attn_norm_b;	/* d; NULL: none */
	const float	*post_attn_norm;		/* d */
	const float	*ffn_norm, *ffn_norm_b;		/* d */
	const float	*post_ffn_norm;			/* d */

	/* Attention. */
	struct mat	 q, k, v, o;	/* n_head hd x d, n_kv hd x d, .., d x n_head hd */
	const float	*q_b, *k_b, *v_b, *o_b;
	const float	*q_norm, *k_norm;	/* hd, or the whole vector */

	/* Gated DeltaNet: C = 2 nk dk + nv dv channels. */
	struct mat	 qkv, z;	/* C x d, nv dv x d */
	struct mat	 alpha, beta;	/* nv x d */
	struct mat	 out;		/* d x nv dv */
	const float	*conv;		/* C x n_conv, the oldest first */
	const float	*a, *dt_b;	/* nv: -exp(A_log); the bias */
	const float	*ssm_norm;	/* dv */

	/* Dense, or a mixture. */
	struct mat	 gate, up, down;	/* n_ff x d, .., d x n_ff */
	const float	*up_b, *down_b;
	struct mat	 router;	/* n_expert x d */
	struct experts	 exp;
};

struct hparams {
	const char	*arch;		/* "llama", GGUF's name */
	unsigned	 n_layer, n_embd, n_vocab, n_ctx;
	unsigned	 n_head, n_kv, head_dim;
	unsigned	 n_ff, n_ff_exp, n_expert, n_used;
	bool		 norm_topk;	/* the used experts' weights sum to 1 */
	bool		 layer_norm;	/* LayerNorm with bias, not RMSNorm */
	bool		 gelu;		/* tanh form, else silu */
	bool		 gated;		/* act(gate) * up, else act(up) */
	bool		 adjacent;	/* RoPE pairs 2j and 2j + 1, else halves */
	bool		 q_gate;	/* q has hd of query, hd of gate a head */
	bool		 qk_whole;	/* q_norm, k_norm over all heads at once */
	bool		 v_mod;		/* value head p uses key head p mod nk, else p div r */
	float		 eps;
	float		 attn_scale, attn_cap, logit_cap;	/* 0: no cap */
	float		 embd_scale, residual_scale, logit_scale;
	unsigned	 n_conv, nk, nv, dk, dv;
};

struct arch_model;

/* A tensor that mats point into. */
struct part {
	const struct tensor *t;
	const void	*data;
	float		 scale;		/* TYPE_WHOLE: its own, once it was read */
	bool		 placed;	/* a device has its bytes */
};

/* A tensor as floats, n of them: x + add, and what becomes of that. */
enum vector_use { VECTOR_AS_IS, VECTOR_MINUS_EXP, VECTOR_DIVIDES };
struct vector {
	const char	*name;
	size_t		 tensor;	/* in the manifest */
	float		*v;
	size_t		 n;
	float		 add;
	enum vector_use	 use;
	float		*by;		/* VECTOR_DIVIDES: these, by it */
};

struct model {
	struct arena	 arena;		/* vectors, layers */
	struct arch_model *source;
	uint64_t	 bytes, embd_bytes, token_bytes, token_weights;
	struct part	*part;		/* in order of data */
	size_t		 nparts;
	struct vector	*vector;	/* by tensor */
	size_t		 nvectors;
	struct hparams	 h;
	struct rope	 rope[2];
	struct layer	*layer;		/* n_layer */
	bool		 floats;	/* all weights, of 16 bits and more */
	size_t		 fine;		/* columns of the widest that wants fine activations */
	struct mat	 embd, output;	/* n_vocab x d */
	struct mat	 pos_embd;	/* n_ctx x d, if data */
	const float	*out_norm, *out_norm_b;
};

/* The part that an address is in. */
struct part *model_part(const struct model *, const void *);
/* Calls it for each matrix that a token is multiplied with, until it returns -1. */
typedef int model_matrix(void *ctx, const struct mat *, struct err *);
int	model_walk(const struct model *, model_matrix *, void *ctx, struct err *) APR_MUSTCHECK;

struct weights;

/* vectors.c: what a model has of a tensor besides matrices, from its bytes:
 * vectors, and a scale. */
void	model_sort_vectors(struct model *);
bool	model_wants_bytes(const struct model *, size_t tensor);
/* Has it a role at all? */
bool	model_uses(const struct model *, const struct weights *, size_t tensor);
int	model_take(struct model *, const struct weights *, size_t tensor, const void *, struct err *)
	    APR_MUSTCHECK;
/* All that is there. */
int	model_take_all(struct model *, const struct weights *, struct err *) APR_MUSTCHECK;
/* Once all scales are known. */
int	model_set_scales(struct model *, struct err *) APR_MUSTCHECK;

#endif
