/* SPDX-License-Identifier: MIT */
/*
 * block32.h -- types whose blocks are 32 elements.  W blocks are a group:
 * elements lie side by side while a block is looked at, then what there is
 * one of in a block does.
 */
#ifndef KERNEL_BLOCK32_H
#define KERNEL_BLOCK32_H

#include "vec.h"

enum { V = 32 / W };		/* vectors in a block */

typedef void group_encode(uint8_t *dst, const float *x);

/* n elements, whole blocks; what is no whole group is made one with zeros. */
static inline void
each_group(void *dst, const float *x, size_t n, size_t bytes, group_encode *encode)
{
	uint8_t *p = dst, end[W * 32];
	float last[W * 32];

	for (; n >= W * 32; n -= W * 32, p += W * bytes, x += W * 32)
		encode(p, x);
	if (n > 0) {
		memcpy(last, x, n * sizeof *x);
		memset(last + n, 0, (W * 32 - n) * sizeof *x);
		encode(end, last);
		memcpy(p, end, n / 32 * bytes);
	}
}

/* The largest |x| of each block. */
static inline vf
group_absmax(const float *x)
{
	vf m[W];

	UNROLL
	for (int b = 0; b < W; b++) {
		m[b] = vf_abs(vf_load(x + 32 * b));
		UNROLL
		for (int k = 1; k < V; k++)
			m[b] = vf_max(m[b], vf_abs(vf_load(x + 32 * b + W * k)));
	}
	return vf_max_each(m);
}

/* 1/d, and 0 for 0. */
static inline vf
vf_inverse(vf d)
{
	vf zero = vf_set1(0);

	return vf_select(vf_eq(d, zero), zero, vf_set1(1) / d);
}

#endif
