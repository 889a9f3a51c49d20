/* SPDX-License-Identifier: MIT */
/*
 * stat.h -- what the numbers in a stream's tensors are like.
 *
 * Every sum is one of tiles (at most 4096 elements of a row, in F64, value i
 * in lane i % 8, lanes added as a tree), and tiles are added without rounding.
 * So results depend on neither threads nor chunks, and the sums of parts are
 * those of the whole.
 */
#ifndef APR_STAT_H
#define APR_STAT_H

#include <apr/exact.h>
#include <apr/stream.h>

#define STAT_BINS	65536u	/* of a histogram: the upper half of an F32 */

/* Of n values; those that are not finite are in none of the sums. */
struct stat_sums {
	uint64_t	 n, nan, inf, zero, rows;
	double		 pivot;			/* deviations are from it */
	struct exact	 d, dd, xx;		/* of (x - pivot), its square, x^2 */
	struct exact	 row;			/* of |a row's mean| */
	float		 min, max;		/* if any is finite */
};

struct stat_values {
	double		 mean, std;		/* of the population */
	double		 min, max, l2;		/* NAN: nothing is finite */
	double		 row_mean;		/* mean of |row mean| / max |x| */
	double		 zeros;			/* share of n */
};
struct stat_values stat_values(const struct stat_sums *);
void	stat_merge(struct stat_sums *, const struct stat_sums *);

enum { STAT_FIRST = 8, STAT_PARTS = 3 };

/* A tensor, when all of it was seen. */
struct stat_tensor {
	struct stat_sums all;
	/* Rows of a fused one ("q", "k", "v"), if parts > 0. */
	unsigned	 parts;
	const char	*part_name[STAT_PARTS];
	struct stat_sums part[STAT_PARTS];
	float		 first[STAT_FIRST];
	unsigned	 nfirst;
	/* STAT_BINS counts by the upper 16 bits, if it was asked for. */
	const uint64_t	*hist;
};

struct stat_opts {
	unsigned	 jobs;
	void		(*progress)(uint64_t more);
	bool		(*wants_hist)(void *ctx, size_t tensor);
	/* Told of every tensor, in the stream's order; NULL: it has no values
	 * (integers), or is tied to another one. */
	int		(*done)(void *ctx, size_t tensor, const struct stat_tensor *,
			    struct err *);
	void		*ctx;
};

/* The whole stream, to its end. */
int	stat_run(struct stream_in *, const struct stat_opts *, struct err *) APR_MUSTCHECK;

/* Counts in `bins` equal steps from lo to hi; the steps' edges are values with
 * 8 significant bits, and in edge[bins + 1]. */
void	stat_bins(const uint64_t *hist, double lo, double hi, unsigned bins,
	    double *edge, uint64_t *count);

/*
 * What is wrong with a tensor, as aprender's contracts have it: NaN, Inf, more
 * zeros than 80 % (embeddings and outputs: 50 %), constant (but norms and
 * biases), no length (L2 < 1e-6).  And a shape that the model's own numbers
 * contradict.  Calls bad() for each, with what there is and what should be.
 */
struct arch_model;
typedef int stat_bad(void *ctx, const struct tensor *, const char *contract,
    const char *got, const char *expected);
int	stat_check(const struct tensor *, const struct stat_tensor *, stat_bad *, void *ctx);
int	stat_check_shape(const struct arch_model *, const struct manifest *,
	    const struct tensor *, stat_bad *, void *ctx);

#endif
