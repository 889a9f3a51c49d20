/* SPDX-License-Identifier: MIT */
/*
 * fp4.c -- MXFP4 and NVFP4: codes of the four-bit float E2M1 under a scale
 * that is a power of two (a 32) or an unsigned E4M3 (a 16).
 */
#include "block.h"
#include "efforts.h"
#include "parts.h"
#include "search.h"

/* Doubled, so the scales below are halved. */
static const float e2m1[16] = {
	0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
};

/* The first of the nearest. */
static uint8_t
nearest(float x, float scale)
{
	float err, best = fabsf(e2m1[0] * scale - x);
	int i, found = 0;

	for (i = 1; i < 16; i++) {
		err = fabsf(e2m1[i] * scale - x);
		if (err < best) {
			best = err;
			found = i;
		}
	}
	return (uint8_t)found;
}

/* 2^(e - 128); 0 and 1 are subnormal. */
float
mxfp4_scale(uint8_t e)
{
	if (e < 2)
		return bits_f32((uint32_t)0x00200000 << e);
	return bits_f32((uint32_t)(e - 1) << 23);
}

static void
mxfp4_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	float d;
	int j;

	for (; n >= 32; n -= 32, p += 17, dst += 32) {
		d = mxfp4_scale(p[0]);
		for (j = 0; j < 16; j++) {
			dst[j] = e2m1[p[1 + j] & 15] * d;
			dst[j + 16] = e2m1[p[1 + j] >> 4] * d;
		}
	}
}

void
mxfp4_get(struct parts *b, const uint8_t *p)
{
	b->scale[0] = p[0];
}

void
mxfp4_put(uint8_t *p, const struct parts *b)
{
	p[0] = (uint8_t)b->scale[0];
	nibbles_put(p + 1, b->code, 16);
}

static void
mxfp4_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t code[32], *p = dst;
	float amax, d;
	int j;

	(void)qw;
	for (; n >= 32; n -= 32, p += 17, x += 32) {
		amax = fabsf(signed_max(32, x));
		/* log2f, not the exponent: it rounds up just under a power */
		p[0] = amax > 0 ? (uint8_t)trunc_i32(floorf(log2f(amax)) -
		    2 + 127) : 0;
		d = mxfp4_scale(p[0]);
		for (j = 0; j < 32; j++)
			code[j] = nearest(x[j], d);
		nibbles_put(p + 1, code, 16);
	}
}

const struct type type_mxfp4 = {
	.name = "MXFP4", .ggml = 39, .block = 32, .bytes = 17,
	.to_f32 = mxfp4_decode, .from_f32 = mxfp4_encode,
	.effort = { [EFFORT_HIGH] = high_mxfp4 },
};

/* Half of the value; bit 7 counts only in telling 0x7f from 0xff. */
float
nvfp4_scale(uint8_t c)
{
	uint32_t rest = c & 0x7f;

	if (c == 0x7f)
		return 0;
	if (rest < 8)
		return (float)rest * 0x1p-10f;
	return bits_f32((rest << 20) + (119u << 23));
}

static uint8_t
ue4m3_from(float v)
{
	uint32_t c, u = f32_bits(v);
	int32_t q;

	if (!(v > 0))
		return 0;
	if (v < 0x1p-6f) {
		q = trunc_i32(v * 512 + 0.5f);
		return (uint8_t)(q > 7 ? 7 : q);
	}
	if (v >= 248)
		return 0x7e;
	/* one bit decides the rounding; its carry may reach the exponent */
	c = (u >> 20) - (120u << 3) + (u >> 19 & 1);
	return (uint8_t)c;
}

static void
nvfp4_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src, *qs;
	float d;
	int j, s;

	for (; n >= 64; n -= 64, p += 36)
		for (s = 0; s < 4; s++, dst += 16) {
			d = nvfp4_scale(p[s]);
			qs = p + 4 + 8 * s;
			for (j = 0; j < 8; j++) {
				dst[j] = e2m1[qs[j] & 15] * d;
				dst[j + 8] = e2m1[qs[j] >> 4] * d;
			}
		}
}

void
nvfp4_get(struct parts *b, const uint8_t *p)
{
	int s;

	for (s = 0; s < 4; s++)
		b->scale[s] = p[s];
}

void
nvfp4_put(uint8_t *p, const struct parts *b)
{
	int s;

	for (s = 0; s < 4; s++) {
		p[s] = (uint8_t)b->scale[s];
		nibbles_put(p + 4 + 8 * s, b->code + 16 * s, 8);
	}
}

static void
nvfp4_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t code[16], *p = dst;
	float d;
	int j, s;

	(void)qw;
	for (; n >= 64; n -= 64, p += 36)
		for (s = 0; s < 4; s++, x += 16) {
			p[s] = ue4m3_from(fabsf(signed_max(16, x)) / 6);
			d = nvfp4_scale(p[s]);
			for (j = 0; j < 16; j++)
				code[j] = nearest(x[j], d);
			nibbles_put(p + 4 + 8 * s, code, 8);
		}
}

const struct type type_nvfp4 = {
	.name = "NVFP4", .ggml = 40, .block = 64, .bytes = 36,
	.to_f32 = nvfp4_decode, .from_f32 = nvfp4_encode,
	.effort = { [EFFORT_HIGH] = high_nvfp4 },
};
