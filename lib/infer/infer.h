/* SPDX-License-Identifier: MIT */
/* infer.h -- what the parts of a forward pass share.  Private to lib/infer. */
#ifndef INFER_INFER_H
#define INFER_INFER_H

#include <apr/infer.h>

#include "model.h"

enum { KEY_BLOCK = 256 };		/* keys that attention takes together, */
enum { ATTEND_QUERIES = 64 };		/* and queries at most */

/* One layer's memory of all sequences. */
struct cache {
	unsigned char	*k, *v;		/* nseq x n_kv x n_ctx of hd */
	float		*conv;		/* nseq x (n_conv - 1) x C */
	float		*state;		/* nseq x nv x dk x dv */
};

struct infer {
	const struct model	*m;
	struct infer_opts	 o;
	struct crew		*crew;
	struct cache		*cache;		/* n_layer */
	uint32_t		*len;		/* positions in each sequence */
	size_t			 head_bytes;	/* of a key or value of one head */
	infer_trace		 trace;
	void			*trace_ctx;
	int			 layer;		/* that is being computed */

	/* The batch: n tokens, columns of everything below. */
	const struct infer_token *tok;
	size_t			 n;
	float			*x, *h;		/* n x n_embd */
	float			*a, *b, *c;	/* n x `wide` each */
	size_t			 wide;
	float			*cos, *sin;	/* n x n_rot / 2, for each rope */
	size_t			 rope_ld;
	void			*act;		/* act_scratch() */
	void			*tmp;		/* mat_scratch() a thread */
	size_t			 tmp_bytes;
	float			*work;		/* attention's and others', a thread */
	size_t			 work_floats;
	/* Mixtures. */
	float			*route;		/* n x n_expert */
	uint32_t		*pick;		/* n + 1 */
	float			*gather;	/* columns of some experts */
	uint32_t		*users;		/* of each expert: columns */
	struct product		*product;	/* 2 x n_expert */
};

static inline size_t
infer_cache_at(const struct infer *f, size_t seq, size_t head, size_t pos)
{
	return ((seq * f->m->h.n_kv + head) * f->o.n_ctx + pos) * f->head_bytes;
}

/* y[n x ldy] = w x + b for the n columns of x; b may be NULL. */
struct product {
	const struct mat *w;
	const float	*bias, *x;
	size_t		 ldx, n;
	float		*y;
	size_t		 ldy;
	/* infer_mul_all()'s: */
	struct act	 act;
	void		*scratch;
	size_t		 step, pieces;	/* rows of a piece */
};
static inline struct product
times(const struct mat *w, const float *bias, const float *x, size_t ldx, size_t n, float *y,
    size_t ldy)
{
	return (struct product){ .w = w, .bias = bias, .x = x, .ldx = ldx, .n = n, .y = y,
	    .ldy = ldy };
}
/* Many at once, as one work of the crew; what is one x stands together, and
 * the columns of all x are n_batch at most. */
void	infer_mul_all(struct infer *, struct product *, size_t n);
void	infer_mul(struct infer *, const struct mat *, const float *b, const float *x,
	    size_t ldx, size_t n, float *y, size_t ldy);
/* Row by row: y = norm(x) of `width`, in groups of `len`; weight of len. */
void	infer_norm(struct infer *, const float *w, const float *bias, const float *x,
	    size_t ldx, float *y, size_t ldy, size_t n, size_t width, size_t len);
int	infer_traced(struct infer *, const char *what, const float *x, size_t width,
	    size_t ld, struct err *);

void	infer_rope_tables(struct infer *);
/* Turn `heads` heads of hd in each column. */
void	infer_rope(struct infer *, unsigned rope, float *x, size_t ld, unsigned heads);
/* Each reads f->h and leaves n x n_embd in f->a. */
size_t	infer_attention_work(size_t head_dim);
int	infer_attention(struct infer *, const struct layer *, struct cache *, struct err *);
int	infer_deltanet(struct infer *, const struct layer *, struct cache *, struct err *);
int	infer_ffn(struct infer *, const struct layer *, struct err *);
int	infer_moe(struct infer *, const struct layer *, struct err *);

#endif
