/* SPDX-License-Identifier: MIT */
/* infer.h -- what the parts of a forward pass share.  Private to lib/infer. */
#ifndef INFER_INFER_H
#define INFER_INFER_H

#include <apr/infer.h>

#include "model.h"

/* One layer's memory of all sequences. */
struct cache {
	unsigned char	*k, *v;		/* nseq x n_kv x n_ctx of hd */
	float		*conv;		/* nseq x (n_conv - 1) x C */
	float		*state;		/* nseq x nv x dk x dv */
};

struct infer {
	const struct model	*m;
	struct infer_opts	 o;
	struct device		*d;		/* whose memory this is, but for what
						 * is said to be the host's */
	struct cache		*cache;		/* n_layer */
	uint32_t		*len;		/* positions in each sequence */
	const struct type	*kv;
	size_t			 head_bytes;	/* of a key or value of one head */
	infer_trace		 trace;
	void			*trace_ctx;
	int			 layer;		/* that is being computed */

	/* The batch: n tokens, columns of everything below. */
	const struct infer_token *tok;
	struct device_at	*at;		/* the host's */
	int32_t			*id;		/* the host's */
	size_t			 n;
	float			*x, *h;		/* n x n_embd */
	float			*rows;		/* of logits that a token comes of */
	size_t			 nrows;
	float			*a, *b, *c;	/* n x `wide` each */
	size_t			 wide;
	float			*cos, *sin;	/* n x n_rot / 2, for each rope */
	size_t			 rope_ld;
	float			*angles;	/* the host's: cos and sin of one rope */
	float			*seen;		/* the host's: for a trace, n x wide */
	/* Mixtures. */
	float			*route, *route_host;	/* n x n_expert */
	uint32_t		*pick;		/* the host's: n columns by number */
	float			*weight;	/* the host's, n */
	float			*gather;	/* columns of some experts */
	uint32_t		*users;		/* of each expert: columns */
	struct device_product	*product;	/* 2 x n_expert */
};

static inline size_t
infer_cache_at(const struct infer *f, size_t seq, size_t head, size_t pos)
{
	return ((seq * f->m->h.n_kv + head) * f->o.n_ctx + pos) * f->head_bytes;
}

static inline struct device_product
times(const struct mat *w, const float *bias, const float *x, size_t ldx, size_t n, float *y,
    size_t ldy)
{
	return (struct device_product){ .w = w, .bias = bias, .x = x, .ldx = ldx, .n = n, .y = y,
	    .ldy = ldy };
}
/* Many at once; what is one x stands together, and the columns of all x are
 * n_batch at most. */
void	infer_mul_all(struct infer *, const struct device_product *, size_t n);
void	infer_mul(struct infer *, const struct mat *, const float *b, const float *x,
	    size_t ldx, size_t n, float *y, size_t ldy);
/* A norm in place, of `wide` columns' first `width`. */
void	infer_norm(struct infer *, const float *w, float *x, size_t width, size_t len);
/* x's to h, for `next`; before that x += residual_scale * a, if that is asked for. */
void	infer_norm_to_h(struct infer *, const float *w, const float *bias, bool add,
	    const struct mat *next);
int	infer_traced(struct infer *, const char *what, const float *x, size_t width,
	    size_t ld, struct err *);

void	infer_rope_tables(struct infer *);
struct device_rope infer_rope(const struct infer *, unsigned rope);
/* place.c: room for what a model is multiplied with, where the device finds it;
 * or what that would take, and the packed types among it, as device_need. */
int	infer_place(const struct model *, struct device *, bool precise, uint64_t *packed,
	    struct err *) APR_MUSTCHECK;
int	infer_place_plan(const struct model *, struct device *, bool precise,
	    struct device_plan *, uint64_t *packed, struct err *) APR_MUSTCHECK;

/* Each reads f->h and leaves n x n_embd in f->a. */
int	infer_attention(struct infer *, const struct layer *, struct cache *, struct err *);
int	infer_deltanet(struct infer *, const struct layer *, struct cache *, struct err *);
int	infer_ffn(struct infer *, const struct layer *, struct err *);
int	infer_moe(struct infer *, const struct layer *, struct err *);

#endif
