/* SPDX-License-Identifier: MIT */
/*
 * logits.h -- what two models predict at one position, and what many such
 * positions say.  A is the reference.
 */
#ifndef APR_LOGITS_H
#define APR_LOGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>
#include <apr/exact.h>

enum logits_class {
	LOGITS_IDENTICAL,	/* one token is the largest of both (of equals the first) */
	LOGITS_TIE_BREAK,	/* the reference prefers its own by `tie` at most */
	LOGITS_DIVERGED,
	LOGITS_UNMEASURED,	/* a logit is not finite, or a side has no such position */
	LOGITS_CLASSES
};
extern const char *const logits_classes[];	/* "IDENTICAL", ... */

struct logits_pair {
	enum logits_class class;
	int32_t		 top[2];
	double		 margin[2];	/* from the largest to the second */
	double		 gap;		/* in a: from its own choice to b's */
	double		 cosine, max;	/* of the logits; |a-b| */
	double		 kl;		/* sum of p_a (ln p_a - ln p_b), p = softmax, F64 */
	double		 loss[2];	/* -ln p of `next` */
};
/* n logits of each.  next: the token that follows, or -1. */
void	logits_compare(const float *a, const float *b, size_t n, int32_t next, double tie,
	    struct logits_pair *);

struct logits_sums {
	uint64_t	 n[LOGITS_CLASSES];
	uint64_t	 predicted;		/* positions with a `next` */
	double		 loss[2], square[2];	/* sums of the loss, and of its square */
	double		 cosine, min_cosine, max;
	struct exact	 kl_sum;
	double		*kl;			/* one a measured position */
	size_t		 nkl;
	bool		 sorted;
};
int	logits_add(struct logits_sums *, const struct logits_pair *, bool predicted,
	    struct err *) APR_MUSTCHECK;
void	logits_release(struct logits_sums *);
double	logits_kl_mean(const struct logits_sums *);
/* The q-th quantile, 0 to 1, linear between neighbours; NaN: none. */
double	logits_kl_quantile(struct logits_sums *, double q);
/* Share of positions with the same largest logit: of all, measured or not. */
double	logits_agreement(const struct logits_sums *);

#endif
