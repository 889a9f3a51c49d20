/* SPDX-License-Identifier: MIT */
/*
 * convert.h -- what the files of convert_run() share: a chunk on its way
 * through the workers, and where source bytes come from.
 */
#ifndef QUANT_CONVERT_H
#define QUANT_CONVERT_H

#include <apr/quant.h>

#include "scale.h"

enum {
	TILE = 4096,		/* elements at a time: whole blocks of any type */
	HEAD = 4,		/* bytes of apr_q8's scale */
	PAD = 256,		/* the longest block */
};

/*
 * weights.c -- a tensor's importance weights, shared by its chunks.  Users
 * are counted by the thread that puts and gets them, never by workers.
 */
struct weights {
	unsigned	 users;
	uint64_t	 rows;		/* of a slice, which have the same ones */
	size_t		 stride;	/* cols and zeros, for each slice */
	float		 v[];
};

/* One user more, one less (the last one frees); *w may be NULL. */
struct weights *weights_use(struct weights *w);
void	weights_drop(struct weights **w);
/* A tensor's, instead of *w: NULL where it has none, or its type heeds none.
 * Each slice has zeros behind it, as padded rows want some there. */
int	weights_read(struct weights **w, struct imatrix *, const struct tensor *,
	    const struct quant_from *, struct err *) APR_MUSTCHECK;

/*
 * cut.c -- how a tensor is cut: into `rows` of `cols` elements, where a row's
 * blocks are its own on both sides; else all of it is one row.
 */
struct cut {
	const struct type	*from, *to;
	uint64_t		 rows, cols;
	bool			 packed;	/* no row is padded */
	bool			 loose;		/* from is F32 now, see feed.c */
	size_t			 tile;		/* elements that go at once */
};
/* to NULL: it is only looked at.  weighed: there are weights. */
int	cut_plan(struct cut *, const struct tensor *, const struct quant_from *,
	    const struct type *to, bool weighed, struct err *) APR_MUSTCHECK;

/*
 * Some whole rows of a tensor, or a piece of one that begins at a multiple
 * of TILE.  A tensor whose blocks run over row ends is one long row.
 */
struct job {
	const struct tensor	*t;
	/* to NULL: only look; from NULL: src is what is written. */
	const struct type	*from, *to;
	type_encode		*encode;
	unsigned char		*src, *dst;
	size_t			 src_cap, dst_cap, head, dst_len;
	uint64_t		 row, col, cols;	/* where, in rows of cols */
	size_t			 rows, len;	/* len elements of each */
	size_t			 src_row, dst_row;	/* their bytes */
	bool			 packed;	/* no row is padded */
	bool			 same;		/* see same.c */
	bool			 first, last;	/* of the tensor */
	float			 scale_in, scale_out;
	struct weights		*qw;		/* or NULL */
	struct scale_values	*sc;		/* or NULL */
	size_t			 tile;		/* elements at a time */
	float			*x;		/* tile and PAD of them */
	size_t			 x_cap;

	/* What came of it. */
	float			 max;		/* |x| */
	uint64_t		 tiny, misread;	/* blocks */
	bool			 failed;
	struct err		 err;
	bool			 measure;
	struct quant_error	*unit;		/* in order, see quant.h */
	size_t			 nunit, unit_cap;	/* cap in bytes */
	float			 y[TILE];
};

/* same.c: is a block of one the other's, its nibbles in another order?  Then it
 * is moved, whatever an encoder would make of its values; n: whole blocks. */
bool	same_numbers(const struct type *from, const struct type *to, uint64_t cols);
void	same_move(const struct type *to, unsigned char *dst, const unsigned char *src,
	    size_t n);

/* work.c: do it (a pool's work function). */
void	job_work(void *job);

/* check.c.  NaN and Inf, where they cannot be kept, and what `to` cannot
 * hold; j->max grows.  x[0] is element `at`. */
int	check_values(struct job *, const float *x, size_t n, uint64_t at);
/* Blocks of values whose scale is no normal f16: their digits are lost. */
uint64_t check_tiny(const struct type *, const unsigned char *, const float *x,
	    size_t n);
/* Blocks of IQ3_S with a run of zeros before other values, which as ggml writes
 * it then have the codes of those behind them. */
uint64_t check_misread(const struct job *, const float *x, size_t n);
/* y is what became of x: the values' scale must have fitted its f16. */
int	check_fit(struct job *, const float *x, const float *y, size_t n,
	    uint64_t at);

/* Bytes of a type's blocks for n elements, the last block whole. */
static inline uint64_t
bytes_of(const struct type *t, uint64_t n)
{
	return (n / t->block + (n % t->block != 0)) * t->bytes;
}

static inline size_t
whole(const struct type *t, size_t n)
{
	return (n + t->block - 1) / t->block * t->block;
}

static inline void
decode(const struct type *t, float *dst, const unsigned char *src, size_t n, float scale)
{
	if (t->flags & TYPE_WHOLE)
		type_q8_decoder()(dst, (const int8_t *)src, n, scale);
	else
		type_decoder(t)(dst, src, whole(t, n));
}

/*
 * feed.c -- a tensor's source bytes: from the stream, with a copy spilled
 * for a second pass, or from that copy; or decoded to F32 where the source's
 * blocks do not end where the target's chunks do.
 */
struct feed {
	struct stream_in	*in;
	void			(*progress)(uint64_t);
	const struct tensor	*t;
	const struct quant_from	*from;
	float			 scale;		/* of an apr_q8 */
	int			 spill;		/* fd, or -1 */
	bool			 spilling;	/* into it, else from it */
	uint64_t		 at;		/* there */

	bool			 loose;		/* decoded while reading */
	uint64_t		 row_left;
	size_t			 have, used;	/* of held */
	unsigned char		 block[TILE * 8];
	float			 held[TILE];
};

/* Before a pass over the tensor. */
int	feed_begin(struct feed *, bool loose, struct err *) APR_MUSTCHECK;
int	feed_read(struct feed *, unsigned char *, size_t, struct err *) APR_MUSTCHECK;
/* What is read from now on is spilled; then comes from there; then is gone. */
int	feed_spill(struct feed *, struct err *) APR_MUSTCHECK;
void	feed_rewind(struct feed *);
void	feed_end(struct feed *);

#endif
