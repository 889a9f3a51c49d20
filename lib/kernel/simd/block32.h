/* SPDX-License-Identifier: MIT */
/*
 * block32.h -- types whose blocks are 32 elements.
 *
 * Some blocks at a time: first what there is one of in a block, for all of
 * them, then the codes.  So neither waits for the other.
 */
#ifndef KERNEL_BLOCK32_H
#define KERNEL_BLOCK32_H

#include <math.h>
#include <stdbool.h>

#include "vec.h"

enum {
	V = 32 / W,		/* vectors in a block: even */
	BLOCKS = 128,		/* at a time */
};

typedef void blocks_encode(uint8_t *dst, const float *x, size_t blocks);

static inline void
each_blocks(void *dst, const float *x, size_t n, size_t bytes, blocks_encode *encode)
{
	uint8_t *p = dst;
	size_t k;

	for (n /= 32; n > 0; n -= k, p += k * bytes, x += k * 32) {
		k = n < BLOCKS ? n : BLOCKS;
		encode(p, x, k);
	}
}

static inline vf
block_absmax(const float *x)
{
	vf m = vf_absmax(vf_load(x), vf_load(x + W));

	UNROLL
	for (int k = 2; k < V; k++)
		m = vf_absmax(m, vf_load(x + W * k));
	return m;
}

/* The largest |x| of each block, and zeros up to a whole vector. */
static inline void
blocks_absmax(float *max, const float *x, size_t blocks)
{
	vf m[W];

	for (; blocks >= W; blocks -= W, max += W, x += W * 32) {
		UNROLL
		for (int b = 0; b < W; b++)
			m[b] = block_absmax(x + 32 * b);
		vf_store(max, vf_max_each(m));
	}
	if (blocks > 0)
		vf_store(max, vf_set1(0));
	for (; blocks > 0; blocks--, x += 32)
		*max++ = vf_hmax(block_absmax(x));
}

/* 1/d, and 0 for 0. */
static inline vf
vf_inverse(vf d)
{
	vf zero = vf_set1(0);

	return vf_select(vf_eq(d, zero), zero, vf_set1(1) / d);
}

/* Where 1/d is too large, codes come from what C leaves open and x86 does. */
static inline bool
overflows(vf inverse)
{
	return vm_any(vf_eq(vf_abs(inverse), vf_set1(INFINITY)));
}

#endif
