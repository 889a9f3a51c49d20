/* SPDX-License-Identifier: MIT */
/*
 * exact.h -- sums of doubles without rounding, so that they depend on neither
 * order nor grouping: a fixed-point number as long as a double's range.
 */
#ifndef APR_EXACT_H
#define APR_EXACT_H

#include <stdint.h>

#define EXACT_LIMBS	69	/* of 32 bits, from 2^-1074 up, and room */

/* Zero-initialise. */
struct exact {
	int64_t		 limb[EXACT_LIMBS];
	uint32_t	 pending;	/* additions since carries were passed on */
};

/* A finite value. */
void	exact_add(struct exact *, double);
void	exact_merge(struct exact *, const struct exact *);
/* The double next to the sum (ties to even). */
double	exact_value(const struct exact *);

#endif
