/* SPDX-License-Identifier: MIT */
/*
 * pick.h -- the best of a list of grid points (codebook.h), W at a time.
 *
 * The error of a point is the sum of a term for each of its codes, from the
 * first on; terms are looked up.  term[k << bits | code], 32 in all.
 */
#ifndef KERNEL_PICK_H
#define KERNEL_PICK_H

#include <float.h>

#include "vec.h"

static inline vi
lanes(void)
{
	static const int32_t number[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

	return vi_load(number);
}

/* The number of the first of the least, numbers being `at`, or for n <= W the
 * lanes. */
static inline uint32_t
first_least(uint32_t n, vf err, vi at)
{
	unsigned least = vm_bits(vf_eq(err, vf_set1(vf_hmin(err))));
	int32_t number[W];

	if (n <= W)
		return (uint32_t)__builtin_ctz(least);
	if (least & (least - 1)) {
		for (int i = 0; i < W; i++)
			at[i] = least >> i & 1 ? at[i] : INT32_MAX;
		return (uint32_t)vi_hmin(at);
	}
	vi_store(number, at);
	return (uint32_t)number[__builtin_ctz(least)];
}

/* Of points with eight codes of two bits.  List can be read over (GRID_PAD). */
static inline uint16_t
pick2(const uint16_t *list, uint32_t n, const float *term)
{
	vf best = vf_set1(FLT_MAX), err;
	vi at = vi_set1(0), number = lanes(), p;
	vf4 t[8];
	vm better;

	UNROLL
	for (int k = 0; k < 8; k++)
		t[k] = vf4_load(term + 4 * k);
	for (uint32_t i = 0; i < n; i += W, number += vi_set1(W)) {
		p = vi_load_u16(list + i);
		err = vf4_lookup(t[0], p);
		UNROLL
		for (int k = 1; k < 8; k++)
			err += vf4_lookup(t[k], p >> 2 * k);
		better = vm_and(vf_lt(err, best), vi_lt(number, vi_set1((int32_t)n)));
		best = vf_select(better, err, best);
		at = vi_select(better, number, at);
	}
	return list[first_least(n, best, at)];
}

/* Of points with four codes of three bits. */
static inline uint16_t
pick3(const uint16_t *list, uint32_t n, const float *term)
{
	vf best = vf_set1(FLT_MAX), err;
	vi at = vi_set1(0), number = lanes(), p;
	vf8 t[4];
	vm better;

	UNROLL
	for (int k = 0; k < 4; k++)
		t[k] = vf8_load(term + 8 * k);
	for (uint32_t i = 0; i < n; i += W, number += vi_set1(W)) {
		p = vi_load_u16(list + i);
		err = vf8_lookup(t[0], p);
		UNROLL
		for (int k = 1; k < 4; k++)
			err += vf8_lookup(t[k], p >> 3 * k);
		better = vm_and(vf_lt(err, best), vi_lt(number, vi_set1((int32_t)n)));
		best = vf_select(better, err, best);
		at = vi_select(better, number, at);
	}
	return list[first_least(n, best, at)];
}

#endif
