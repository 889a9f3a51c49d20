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

/* The largest |x| of each of W blocks of len; where there are less, the
 * last's. */
static inline vf
group_absmax(const float *x, size_t blocks, size_t len)
{
	vf m[W];

	UNROLL
	for (size_t b = 0; b < W; b++) {
		const float *p = x + len * (b < blocks ? b : blocks - 1);

		m[b] = len > W ? vf_absmax(vf_load(p), vf_load(p + W)) : vf_abs(vf_load(p));
		UNROLL
		for (size_t k = 2; k < len / W; k++)
			m[b] = vf_absmax(m[b], vf_load(p + W * k));
	}
	return vf_max_each(m);
}

/* For all blocks, and up to a whole vector of them. */
static inline void
blocks_absmax(float *max, const float *x, size_t blocks, size_t len)
{
	for (; blocks >= W; blocks -= W, x += len * W, max += W)
		vf_store(max, group_absmax(x, W, len));
	if (blocks > 0)
		vf_store(max, group_absmax(x, blocks, len));
}

/* The same of x, and of -x. */
static inline void
group_ends(float *high, float *low, const float *x, size_t blocks)
{
	vf h[W], l[W];

	UNROLL
	for (size_t b = 0; b < W; b++) {
		const float *p = x + 32 * (b < blocks ? b : blocks - 1);
		vf max = vf_load(p), min = max;

		UNROLL
		for (int k = 1; k < V; k++) {
			max = vf_max(max, vf_load(p + W * k));
			min = vf_min(min, vf_load(p + W * k));
		}
		h[b] = max;
		l[b] = -min;
	}
	vf_store(high, vf_max_each(h));
	vf_store(low, vf_max_each(l));
}

static inline void
blocks_ends(float *high, float *low, const float *x, size_t blocks)
{
	for (; blocks >= W; blocks -= W, x += 32 * W, high += W, low += W)
		group_ends(high, low, x, W);
	if (blocks > 0)
		group_ends(high, low, x, blocks);
}

/* Where 1/d is too large, codes come from what C leaves open and x86 does. */
static inline bool
overflows(vf inverse)
{
	return vm_any(vf_eq(vf_abs(inverse), vf_set1(INFINITY)));
}

#endif
