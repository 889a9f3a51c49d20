/* SPDX-License-Identifier: MIT */
/*
 * block.h -- what the number types share: unaligned little-endian loads,
 * half floats, and the roundings of the reference.  Private to lib/type.
 */
#ifndef TYPE_BLOCK_H
#define TYPE_BLOCK_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "apr/type.h"

static inline uint32_t
f32_bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return u;
}

static inline float
bits_f32(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

static inline uint16_t
le16_get(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline void
le16_put(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline uint32_t
le32_get(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static inline void
le32_put(uint8_t *p, uint32_t v)
{
	le16_put(p, (uint16_t)v);
	le16_put(p + 2, (uint16_t)(v >> 16));
}

static inline float
f16_to(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16;
	uint32_t rest = h & 0x7fff;

	if (rest < 0x0400)	/* a multiple of 2^-24, exact in f32 */
		return bits_f32(sign | f32_bits((float)rest * 0x1p-24f));
	if (rest < 0x7c00)
		return bits_f32(sign | ((rest << 13) + (112u << 23)));
	return bits_f32(sign | 0x7f800000 | rest << 13);
}

static inline uint16_t
f16_from(float f)
{
	uint32_t u = f32_bits(f), a = u & 0x7fffffff;
	uint32_t sign = u >> 16 & 0x8000;

	if (a > 0x7f800000)
		return 0x7e00;
	if (a >= 0x47800000)	/* 65536; from 65520 on the carry does it */
		return (uint16_t)(sign | 0x7c00);
	if (a < 0x38800000)	/* the unit in the last place of 0.5 is 2^-24 */
		return (uint16_t)(sign |
		    (f32_bits(bits_f32(a) + 0.5f) - 0x3f000000));
	a += 0xfff + (a >> 13 & 1);
	return (uint16_t)(sign | (a - (112u << 23)) >> 13);
}

static inline float
f16_get(const uint8_t *p)
{
	return f16_to(le16_get(p));
}

static inline void
f16_put(uint8_t *p, float f)
{
	le16_put(p, f16_from(f));
}

static inline int
clamp(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

/*
 * Half to even for |v| <= 4194303.  Beyond that the reference lets the bits
 * fall as they may, and files depend on it.
 */
static inline int
near(float v)
{
	return (int)(f32_bits(v + 12582912.0f) & 0x7fffff) - 0x400000;
}

/* Toward zero; what does not fit becomes INT32_MIN, as on x86. */
static inline int32_t
trunc_i32(float v)
{
	if (v >= -0x1p31f && v < 0x1p31f)
		return (int32_t)v;
	return INT32_MIN;
}

/* 1/d, and 0 for 0. */
static inline float
inverse(float d)
{
	return d != 0 ? 1 / d : 0;
}

/* Sum of squares, in order. */
static inline float
sum_squares(const float *x, size_t n)
{
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sum;
}

/* Two nibbles a byte: codes 0-15 of 32 low, 16-31 high. */
static inline void
nibbles_put(uint8_t *qs, const uint8_t *code, int half)
{
	int j;

	for (j = 0; j < half; j++)
		qs[j] = (uint8_t)((code[j] & 15) | code[j + half] << 4);
}

/* plain.c */
extern const struct type type_i8, type_i16, type_i32, type_i64, type_u8,
    type_u16, type_u32, type_u64, type_bool, type_f8_e4m3, type_f8_e5m2,
    type_f8_e8m0, type_f8_e4m3fnuz, type_f8_e5m2fnuz, type_c64;
/* the blocks, by file */
extern const struct type type_q4_0, type_q4_1, type_q5_0, type_q5_1;
extern const struct type type_q8_0, type_q1_0, type_q2_0;
extern const struct type type_q2_k, type_q3_k, type_q4_k, type_q5_k, type_q6_k;
extern const struct type type_iq4_nl, type_iq4_xs;
extern const struct type type_mxfp4, type_nvfp4;
extern const struct type type_tq1_0, type_tq2_0;
extern const struct type type_iq1_s, type_iq1_m, type_iq2_xxs, type_iq2_xs,
    type_iq2_s, type_iq3_xxs, type_iq3_s;

#endif
