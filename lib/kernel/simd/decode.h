/* SPDX-License-Identifier: MIT */
/* decode.h -- from 32 codes, signed bytes, to floats. */
#ifndef KERNEL_DECODE_H
#define KERNEL_DECODE_H

#include "vec.h"

/* The kth W of 16 codes. */
static inline vf
half_floats(b16 codes, int k)
{
	return vi_float(vi_bytes(codes, k));
}

/* 16 of them: d * code. */
static inline void
put16(float *dst, b16 codes, float d)
{
	UNROLL
	for (int k = 0; k < 16 / W; k++)
		vf_store(dst + W * k, vf_set1(d) * half_floats(codes, k));
}

/* d * code + m */
static inline void
put16_above(float *dst, b16 codes, float d, float m)
{
	UNROLL
	for (int k = 0; k < 16 / W; k++)
		vf_store(dst + W * k, vf_set1(d) * half_floats(codes, k) + vf_set1(m));
}

/* d * code - m */
static inline void
put16_below(float *dst, b16 codes, float d, float m)
{
	UNROLL
	for (int k = 0; k < 16 / W; k++)
		vf_store(dst + W * k, vf_set1(d) * half_floats(codes, k) - vf_set1(m));
}

/* Low nibbles, then high ones. */
static inline vb
nibbles_get(const uint8_t *p)
{
	b16 v = b16_load(p);

	return vb_join(v & 15, v >> 4);
}

/* Bit i as the byte i, 0 or 255. */
static inline vb
bits_get(const uint8_t *p)
{
	static const vb byte_of = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
		2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3 };
	static const vb bit_of = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
		1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
	uint32_t bits;

	memcpy(&bits, p, sizeof bits);
	return (vb)((vb_lookup(b16_words(bits), byte_of) & bit_of) == bit_of);
}

#endif
