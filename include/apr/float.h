/* SPDX-License-Identifier: MIT */
/*
 * float.h -- floats as bits, half floats, and the roundings of ggml's
 * reference quantizers, for the code below and around the number types.
 */
#ifndef APR_FLOAT_H
#define APR_FLOAT_H

#include <string.h>

#include <apr/size.h>

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

#endif
