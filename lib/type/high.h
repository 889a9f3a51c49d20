/* SPDX-License-Identifier: MIT */
/*
 * high.h -- what the encoders of EFFORT_HIGH share.  Private to lib/type.
 *
 * They take the reference's block, look for a better one, and keep that if its
 * error, the sum of w * (x - decoded)^2, is smaller with the weights that the
 * reference has (see high_weigh), and not larger with those of the columns
 * alone (the imatrix's, or all the same).
 */
#ifndef TYPE_HIGH_H
#define TYPE_HIGH_H

#include "apr/codebook.h"
#include "apr/kernel.h"
#include "apr/type.h"
#include "parts.h"

/* The weights that the reference gives the elements of a block. */
enum high_plain { PLAIN_ONE, PLAIN_ABS, PLAIN_SQUARE, PLAIN_RMS };
struct high_weights {
	enum high_plain	 plain;		/* without an imatrix */
	bool		 root;		/* with: qw * sqrt(sigma^2 + x^2), or qw */
	bool		 row;		/* sigma^2 is the row's */
	uint8_t		 energy;	/* times the mean of x^2 */
	uint8_t		 len;		/* of the groups of PLAIN_RMS */
};

/* A type as the searches see it. */
struct high {
	const struct type *type;
	struct levels	 levels;
	const uint8_t	*code;		/* of level low + i; NULL: code0 + i */
	uint8_t		 code0;
	uint8_t		 groups, len;
	int16_t		 scale_low, scale_high;	/* of the groups' scales */
	uint8_t		 min_high;	/* of their minima; 0: there are none */
	float		(*scale_of)(uint8_t);	/* FP4: what a scale's code means */
	struct high_weights weights;
	parts_get	*get;
	parts_put	*put;
	/* From the reference's parts to better ones, codes and all. */
	void		(*improve)(const struct high *, struct parts *, const float *x,
			    const float *w);
};

void	high_encode(const struct high *, void *dst, const float *x, size_t n, const float *qw);
/* The reference's encoder, the fastest there is. */
type_encode *high_reference(const struct type *);
/* n weights, of blocks in a row; sigma2 is the row's. */
void	high_weigh(const struct high_weights *, float sigma2, float *w, const float *x,
	    const float *qw, size_t n);
/* Weights to search with: the reference's alone would let small values go
 * where they please, so those of the columns have as large a share. */
void	high_mix(float *u, const float *w, const float *qw, size_t n);
/* Put the block to p if that is better by w, and no worse by the columns'
 * weights alone. */
bool	high_better(const struct type *, uint8_t *p, const uint8_t *block, const float *x,
	    const float *w, const float *qw);
/* Sum of w * (x - y)^2; w NULL: all 1. */
double	high_error(const float *x, const float *y, const float *w, size_t n);

/* kernel.h's, the fastest there is. */
kernel_try	high_try;
/* The lane with the least error, the first of them; -1: none is finite. */
int	high_best(const struct trials *);
/* What fits the levels of a lane best, and is not below 0; sw, swx are the
 * sums of w and w * x.  False: nothing does. */
bool	high_refit(const struct trials *, int lane, float sw, float swx, float *scale, float *min);
/* The codes that high_try() had its levels from. */
void	high_codes(const struct high *, float scale, float min, int n, const float *x,
	    uint8_t *code);
/* h moved k steps, its sign kept, no further than the largest f16. */
uint16_t high_step(uint16_t h, int k);
/*
 * The number of the grid's point with the least sum of a term for each code,
 * and with odd (or NULL) the least of its codes' odd ones: [k << bits | code],
 * 32 in all.  *err is what it comes to.
 */
unsigned high_point(const struct grid *, const float *term, const float *odd, float *err);

/* A group by itself. */
struct high_group {
	float	sw, swx;	/* sums of w, w * x */
	float	scale, min;	/* any floats that fit it best */
};
void	high_range(const struct high *, struct high_group *, const float *x, const float *w);
void	high_signed(const struct high *, struct high_group *, const float *x, const float *w);

/* To the kernels, from who knows them. */
void	high_use(const struct kernels *);

#endif
