/* SPDX-License-Identifier: MIT */
/*
 * lattice.c -- lattice's Q4: blocks of 32 that run on over row ends, each
 * with a scale and a bias.
 */
#include "block.h"

enum { N = 32, BYTES = 20 };

static void
decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	float d, m;
	size_t len;

	for (; n; n -= len, p += BYTES, dst += len) {
		len = n < N ? n : N;
		d = f16_get(p);
		m = f16_get(p + 2);
		for (size_t i = 0; i < len; i++)
			dst[i] = (float)(p[4 + i / 2] >> i % 2 * 4 & 15) * d + m;
	}
}

static unsigned
code(float x, float low, float inverse)
{
	return (unsigned)fminf(fmaxf(roundf((x - low) * inverse), 0), 15);
}

/* The range is that of the real values; behind the last of them, zeros are
 * coded as well. */
static void
encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	float low, high, d;
	size_t len;

	(void)qw;
	for (; n; n -= len, p += BYTES, x += len) {
		len = n < N ? n : N;
		low = high = x[0];
		for (size_t i = 1; i < len; i++) {
			low = x[i] < low ? x[i] : low;
			high = x[i] > high ? x[i] : high;
		}
		d = (high - low) / 15;
		if (d < 1 && f16_from(d) == 0)
			d = 1;
		f16_put(p, d);
		f16_put(p + 2, low);
		memset(p + 4, 0, 16);
		for (size_t i = 0; i < N; i++)
			p[4 + i / 2] |= (uint8_t)(code(i < len ? x[i] : 0, low, 1 / d)
			    << i % 2 * 4);
	}
}

const struct type type_lattice_q4 = {
	.name = "lattice_q4", .ggml = -1, .block = N, .bytes = BYTES,
	.flags = TYPE_FLAT, .to_f32 = decode, .from_f32 = encode,
};
