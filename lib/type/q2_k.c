/* SPDX-License-Identifier: MIT */
/*
 * q2_k.c -- Q2_K: 256 elements, 16 groups with a nibble of scale and one of
 * minimum each: scales[16] qs[64] d dmin.
 */
#include "block.h"
#include "efforts.h"
#include "parts.h"
#include "search.h"

enum { N = 256, GROUPS = 16, LEN = 16 };

/* Byte and bit of element i: a byte holds elements 32 apart. */
#define BYTE(i)	((i) / 128 * 32 + (i) % 32)
#define SHIFT(i) ((i) % 128 / 32 * 2)

static void
decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src, *qs;
	float d, dmin, scale, min;
	int g, i, l, shift;

	for (; n >= N; n -= N, p += 84) {
		d = f16_get(p + 80);
		dmin = f16_get(p + 82);
		for (g = 0; g < GROUPS; g++, dst += LEN) {
			i = g * LEN;
			qs = p + 16 + BYTE(i);
			shift = SHIFT(i);
			scale = d * (float)(p[g] & 15);
			min = dmin * (float)(p[g] >> 4);
			for (l = 0; l < LEN; l++)
				dst[l] = scale * (float)(qs[l] >> shift & 3) -
				    min;
		}
	}
}

/* One of scales and minima without an imatrix: 15 for the largest. */
static float
fit_nibbles(const float *x, uint8_t *code)
{
	float max = 0;
	int g;

	for (g = 0; g < GROUPS; g++)
		if (x[g] > max)
			max = x[g];
	for (g = 0; g < GROUPS; g++)
		code[g] = max > 0 ? (uint8_t)near(15 / max * x[g]) : 0;
	return max > 0 ? max / 15 : 0;
}

static void
codes_put(uint8_t *p, const uint8_t *code)
{
	int i;

	memset(p + 16, 0, 64);
	for (i = 0; i < N; i++)
		p[16 + BYTE(i)] |= (uint8_t)(code[i] << SHIFT(i));
}

void
q2_k_get(struct parts *b, const uint8_t *p)
{
	int g;

	b->d = le16_get(p + 80);
	b->m = le16_get(p + 82);
	for (g = 0; g < GROUPS; g++) {
		b->scale[g] = p[g] & 15;
		b->min[g] = p[g] >> 4;
	}
}

void
q2_k_put(uint8_t *p, const struct parts *b)
{
	int g;

	for (g = 0; g < GROUPS; g++)
		p[g] = (uint8_t)(b->scale[g] | b->min[g] << 4);
	codes_put(p, b->code);
	le16_put(p + 80, b->d);
	le16_put(p + 82, b->m);
}

static void
encode_block(uint8_t *p, const float *x, const float *qw)
{
	static const struct walk plain = { 3, -0.5f, 0.1f, 15, true };
	static const struct walk weighted = { 3, -0.9f, 0.05f, 36, false };
	float scale[GROUPS], min[GROUPS], sw[GROUPS], w[LEN];
	float d, dmin, sigma2, m;
	uint8_t code[N], ls[GROUPS], lm[GROUPS], *c;
	const float *v;
	int g, l;

	sigma2 = qw ? sum_squares(x, N) / N : 0;
	for (g = 0; g < GROUPS; g++) {
		v = x + g * LEN;
		sw[g] = 0;
		for (l = 0; l < LEN; l++) {
			w[l] = fabsf(v[l]);
			if (qw)
				w[l] = qw[g * LEN + l] *
				    sqrtf(sigma2 + v[l] * v[l]);
			sw[g] += w[l];
		}
		scale[g] = fit_range(qw ? &weighted : &plain, LEN, v, w,
		    code + g * LEN, &min[g]);
	}
	if (qw) {
		d = fit_positive(15, GROUPS, scale, sw, ls);
		dmin = fit_positive(15, GROUPS, min, sw, lm);
	} else {
		d = fit_nibbles(scale, ls);
		dmin = fit_nibbles(min, lm);
	}
	f16_put(p + 80, d);
	f16_put(p + 82, dmin);

	for (g = 0; g < GROUPS; g++) {
		p[g] = (uint8_t)(ls[g] | lm[g] << 4);
		d = f16_get(p + 80) * (float)(p[g] & 15);
		if (d == 0)
			continue;
		m = f16_get(p + 82) * (float)(p[g] >> 4);
		v = x + g * LEN;
		c = code + g * LEN;
		for (l = 0; l < LEN; l++)
			c[l] = (uint8_t)clamp(near((v[l] + m) / d), 0, 3);
	}
	codes_put(p, code);
}

static void
encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;

	for (; n >= N; n -= N, p += 84, x += N) {
		encode_block(p, x, qw);
		if (qw)
			qw += N;
	}
}

const struct type type_q2_k = {
	.name = "Q2_K", .ggml = 10, .block = N, .bytes = 84,
	.to_f32 = decode, .from_f32 = encode,
	.effort = { [EFFORT_HIGH] = high_q2_k },
};
