/* SPDX-License-Identifier: MIT */
/*
 * diff.h -- two models side by side: which tensor of one is which of the
 * other, whatever convention each has, and how far their values are apart.
 */
#ifndef APR_DIFF_H
#define APR_DIFF_H

#include <apr/exact.h>
#include <apr/source.h>

/*
 * Between values a and b, pair by pair.  Sums are over pairs in which both
 * are finite: products in F64, added in tiles (at most 4096 elements of a
 * row, in eight lanes), the tiles without rounding.  So they depend on
 * neither threads, chunks nor the order in which tensors come.
 */
struct diff_sums {
	struct exact	 aa, bb, ab, dd;	/* a^2, b^2, ab, (a-b)^2 */
	uint64_t	 n;
	uint64_t	 equal;		/* by value; two NaN, or the same infinity, are */
	uint64_t	 skipped;	/* pairs that are in no sum */
	uint64_t	 odd;		/* unequal, and one of them is not finite */
	uint64_t	 odd_at;	/* the first of those */
	uint64_t	 nan[2], inf[2];	/* on either side */
	double		 max;		/* |a-b| of finite ones; 0: all are equal */
	uint64_t	 max_at;	/* the first of them */
};

/* n pairs that begin at element `at`: a tile, but that its length is free. */
void	diff_add(struct diff_sums *, const float *a, const float *b, size_t n, uint64_t at);
void	diff_add_f64(struct diff_sums *, const double *a, const double *b, size_t n,
	    uint64_t at);
void	diff_merge(struct diff_sums *, const struct diff_sums *);

/* What people ask for. */
struct diff_error {
	uint64_t	 n;
	uint64_t	 skipped, odd, odd_at, nan[2], inf[2], max_at;	/* as above */
	double		 rmse;		/* sqrt(dd / (n - skipped)) */
	double		 nmse;		/* dd / aa; infinite if only aa is 0 */
	double		 max;
	double		 cosine;	/* 1 if all are equal, else 0 if a side is 0 */
	double		 sqnr;		/* 10 log10(aa / dd), infinite if dd is 0 */
	double		 equal;		/* share of n, 1 if n is 0 */
	bool		 same;		/* all of them */
};
struct diff_error diff_error_of(const struct diff_sums *);

#define DIFF_TILE	4096

enum diff_kind {
	DIFF_BOTH,		/* compared; sums say how far */
	DIFF_ONLY_A, DIFF_ONLY_B,
	DIFF_SHAPE,		/* shapes differ: not compared */
	DIFF_INCOMPLETE,	/* a part of it is missing, `why` says which */
	DIFF_UNSAID,		/* one side's config implies it, and the other, an
				 * .apr, does not say that part of its config */
	DIFF_UNMEASURED,	/* `why` says why nothing could be compared */
};

/* One tensor.  Strings are the diff's. */
struct diff_entry {
	const char		*name;		/* theirs if it is the same, else GGUF's */
	enum diff_kind		 kind;
	/* What each side has, NULL: nothing; shapes are those that are compared;
	 * types the sources' (of the first, if it is `several`). */
	const struct tensor	*t[2];
	const struct type	*type[2];
	const char		*source[2];	/* its first tensor's own name */
	bool			 several[2];
	bool			 renamed;	/* in one convention, by two names: `why`
						 * says so if no table knows both */
	bool			 tied[2];	/* that side's is its embedding */
	const char		*why;
	/* Of DIFF_BOTH, after diff_run(); raw: n and odd count bytes, and the
	 * rest says nothing. */
	struct diff_error	 error;
	bool			 raw;
};

struct diff;

/* Match the tensors of two sources, which are borrowed.  With bytes: as they
 * are stored, and only those that lie alike. */
struct diff *diff_new(struct source *a, struct source *b, bool bytes, struct err *);
void	diff_free(struct diff *);
size_t	diff_count(const struct diff *);
const struct diff_entry *diff_entry(const struct diff *, size_t);
/* Tensors of a side that no model needs (buffers), and are not compared. */
size_t	diff_left(const struct diff *, unsigned side);
/* Bytes that diff_run() will read, of both. */
uint64_t diff_bytes(const struct diff *);
/* Read and compare.  Streams are read to their end, and verified. */
int	diff_run(struct diff *, unsigned jobs, void (*progress)(uint64_t bytes),
	    struct err *) APR_MUSTCHECK;

/* A key of the metadata that only one side has (the other NULL), or that
 * they have differently; JSON texts. */
typedef int diff_key(void *ctx, const char *key, const char *a, const char *b,
    struct err *);
/*
 * Hyper-parameters, as GGUF calls them, whatever each side calls them; with
 * `all`, and both of one format, every key as it stands.  *n: how many were
 * compared; 0: a side does not say what model it is.
 */
int	diff_metadata(const struct manifest *a, const struct manifest *b, bool all,
	    diff_key *, void *ctx, size_t *n, struct err *) APR_MUSTCHECK;

#endif
