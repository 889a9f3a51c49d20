/* SPDX-License-Identifier: MIT */
/*
 * search.h -- the searches for a block's scale that the quantizers share.
 * Private to lib/type.  n <= 32 everywhere, w are the n weights.
 */
#ifndef TYPE_SEARCH_H
#define TYPE_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

/* Under this a group counts as zero. */
#define GROUP_EPS 1e-15f

/* How fit_range walks: inverse scales (first + step * s + top) / range. */
struct walk {
	int	top;		/* largest code */
	float	first, step;
	int	steps;
	bool	absolute;	/* error |diff| rather than its square */
};

/* x ~ scale * code - *min, codes 0..top; returns the scale. */
float fit_range(const struct walk *, int n, const float *x, const float *w,
    uint8_t *code, float *min);
/* x ~ scale * (code - half), codes 0..2 * half - 1; returns the scale. */
float fit_signed(int half, int n, const float *x, const float *w,
    uint8_t *code);
/* The same from coordinate descent, with w = x * x. */
float fit_descent(int half, int n, const float *x, uint8_t *code);
/* x ~ scale * code for x that are not negative, codes 0..top. */
float fit_positive(int top, int n, const float *x, const float *w,
    uint8_t *code);
/* The first element that is strictly the largest in magnitude, 0: none. */
float signed_max(int n, const float *x);

#endif
