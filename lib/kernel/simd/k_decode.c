/* SPDX-License-Identifier: MIT */
/*
 * k_decode.c -- from Q2_K Q3_K Q4_K Q5_K Q6_K to floats; lib/type has their
 * layouts.  32 elements at a time, which share a byte's place.
 */
#include "decode.h"
#include "simd.h"

enum { N = 256 };

void
KERNEL(q2_k_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= N; n -= N, p += 84) {
		float d = f16_get(p + 80), dmin = f16_get(p + 82);

		for (int g = 0; g < 16; g += 2, dst += 32) {
			vb c = vb_load(p + 16 + g / 8 * 32) >> g % 8 & 3;

			put16_below(dst, vb_low(c), d * (float)(p[g] & 15), dmin * (float)(p[g] >> 4));
			put16_below(dst + 16, vb_high(c), d * (float)(p[g + 1] & 15),
			    dmin * (float)(p[g + 1] >> 4));
		}
	}
}

/* The signed scale of group g, from four bits and two. */
static inline float
q3_k_scale(const uint8_t *s, int g)
{
	int low = s[g % 8] >> g / 8 * 4 & 15, high = s[8 + g % 4] >> g / 4 * 2 & 3;

	return (float)((low | high << 4) - 32);
}

void
KERNEL(q3_k_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= N; n -= N, p += 110) {
		float d = f16_get(p + 108);

		for (int g = 0; g < 16; g += 2, dst += 32) {
			vb high = vb_load(p) >> g / 2 & 1;
			vb c = (vb_load(p + 32 + g / 8 * 32) >> g % 8 & 3) + (high << 2) - 4;

			put16(dst, vb_low(c), d * q3_k_scale(p + 96, g));
			put16(dst + 16, vb_high(c), d * q3_k_scale(p + 96, g + 1));
		}
	}
}

/* Scale and minimum of group g, six bits each, from the twelve bytes. */
static inline void
fields_get(const uint8_t *s, int g, float *scale, float *min)
{
	if (g < 4) {
		*scale = (float)(s[g] & 63);
		*min = (float)(s[g + 4] & 63);
	} else {
		*scale = (float)((s[g + 4] & 15) | s[g - 4] >> 6 << 4);
		*min = (float)(s[g + 4] >> 4 | s[g] >> 6 << 4);
	}
}

static inline void
put_group(float *dst, const uint8_t *p, int g, vb c)
{
	float scale, min;

	fields_get(p + 4, g, &scale, &min);
	scale *= f16_get(p);
	min *= f16_get(p + 2);
	put16_below(dst, vb_low(c), scale, min);
	put16_below(dst + 16, vb_high(c), scale, min);
}

void
KERNEL(q4_k_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= N; n -= N, p += 144)
		for (int g = 0; g < 8; g++, dst += 32)
			put_group(dst, p, g, vb_load(p + 16 + g / 2 * 32) >> g % 2 * 4 & 15);
}

void
KERNEL(q5_k_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= N; n -= N, p += 176)
		for (int g = 0; g < 8; g++, dst += 32)
			put_group(dst, p, g, (vb_load(p + 48 + g / 2 * 32) >> g % 2 * 4 & 15) |
			    (vb_load(p + 16) >> g & 1) << 4);
}

void
KERNEL(q6_k_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= N; n -= N, p += 210) {
		float d = f16_get(p + 208);

		for (int g = 0; g < 16; g += 2, dst += 32) {
			int quarter = g / 2 % 4;
			vb low = vb_load(p + g / 8 * 64 + quarter % 2 * 32) >> quarter / 2 * 4 & 15;
			vb high = vb_load(p + 128 + g / 8 * 32) >> quarter * 2 & 3;
			vb c = (low | high << 4) - 32;

			put16(dst, vb_low(c), d * (float)(int8_t)p[192 + g]);
			put16(dst + 16, vb_high(c), d * (float)(int8_t)p[193 + g]);
		}
	}
}
