/* SPDX-License-Identifier: MIT */
/*
 * apr.c -- aprender's own types: apr_q4, blocks of 32 that run on over row
 * ends, and apr_q8, one scale for the tensor.
 */
#include "block.h"

enum { N = 32 };

/* Half away from zero, saturating; NaN is 0. */
static int
quantize(float v, int low, int high)
{
	if (isnan(v))
		return 0;
	return (int)fminf(fmaxf(roundf(v), (float)low), (float)high);
}

static void
q4_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	size_t i, len;
	float d;

	for (; n; n -= len, p += 18, dst += len) {
		len = n < N ? n : N;
		d = f16_get(p);
		for (i = 0; i < len; i++)
			dst[i] = (float)((p[2 + i / 2] >> i % 2 * 4 & 15) -
			    8) * d;
	}
}

static void
q4_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	size_t i, len;
	float max, d;
	int q;

	(void)qw;
	for (; n; n -= len, p += 18, x += len) {
		len = n < N ? n : N;
		max = 0;
		for (i = 0; i < len; i++)
			if (fabsf(x[i]) > max)
				max = fabsf(x[i]);
		d = max > 0 ? max / 7 : 1;
		f16_put(p, d);
		memset(p + 2, 0, 16);
		for (i = 0; i < len; i++) {
			q = quantize(x[i] / d, -8, 7) + 8;
			p[2 + i / 2] |= (uint8_t)(q << i % 2 * 4);
		}
	}
}

const struct type type_apr_q4 = {
	.name = "apr_q4", .ggml = -1, .block = N, .bytes = 18,
	.flags = TYPE_FLAT, .to_f32 = q4_decode, .from_f32 = q4_encode,
};

const struct type type_apr_q8 = {
	.name = "apr_q8", .ggml = -1, .block = 1, .bytes = 1,
	.flags = TYPE_WHOLE,
};

float
type_q8_scale(float absmax)
{
	return absmax > 0 ? absmax / 127 : 1;
}

void
type_q8_from_f32(int8_t *dst, const float *src, size_t n, float scale)
{
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = (int8_t)quantize(src[i] / scale, -127, 127);
}

void
type_q8_to_f32(float *dst, const int8_t *src, size_t n, float scale)
{
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = (float)src[i] * scale;
}
