/* SPDX-License-Identifier: MIT */
/*
 * apr_q4_k.c -- Q4_K as aprender fills it: from the least and the largest of
 * each group, without a search.
 */
#include "block.h"
#include "efforts.h"
#include "parts.h"

enum { N = 256, GROUPS = 8, LEN = 32 };

/* Its least scale, about the least normal half. */
static const float floor16 = 6.1e-5f;

/* Half away from 0, into 0..top; NaN is 0. */
static uint8_t
quantize(float v, int top)
{
	v = roundf(v);
	return !(v > 0) ? 0 : v > (float)top ? (uint8_t)top : (uint8_t)v;
}

static void
encode_block(uint8_t *p, const float *x)
{
	float scale[GROUPS], min[GROUPS], low, high, d = 0, dmin = 0, s, m;
	struct parts b;
	int g, l;

	for (g = 0; g < GROUPS; g++) {
		low = high = x[g * LEN];
		for (l = 1; l < LEN; l++) {
			low = fminf(low, x[g * LEN + l]);
			high = fmaxf(high, x[g * LEN + l]);
		}
		scale[g] = high - low > floor16 ? (high - low) / 15 : floor16;
		min[g] = low < 0 ? -low : 0;
		d = scale[g] > d ? scale[g] : d;
		dmin = min[g] > dmin ? min[g] : dmin;
	}
	d = d > floor16 ? d / 63 : floor16;
	dmin = dmin > floor16 ? dmin / 63 : floor16;
	for (g = 0; g < GROUPS; g++) {
		b.scale[g] = quantize(scale[g] / d, 63);
		b.min[g] = quantize(min[g] / dmin, 63);
		s = d * b.scale[g];	/* not as stored */
		m = dmin * b.min[g];
		for (l = 0; l < LEN; l++)
			b.code[g * LEN + l] = s > 1e-10f ?
			    quantize((x[g * LEN + l] + m) / s, 15) : 0;
	}
	b.d = f16_from(d);
	b.m = f16_from(dmin);
	q4_k_put(p, &b);
}

void
apr_q4_k(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;

	(void)qw;
	for (; n >= N; n -= N, p += 144, x += N)
		encode_block(p, x);
}
