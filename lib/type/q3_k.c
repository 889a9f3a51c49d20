/* SPDX-License-Identifier: MIT */
/*
 * q3_k.c -- Q3_K: 256 elements, 16 groups with six bits of signed scale each:
 * hmask[32] qs[64] scales[12] d.
 */
#include "block.h"
#include "efforts.h"
#include "parts.h"
#include "search.h"

enum { N = 256, GROUPS = 16, LEN = 16, QS = 32, SCALES = 96, D = 108 };

/* Byte and bit of element i: a byte holds elements 32 apart. */
#define BYTE(i)	((i) / 128 * 32 + (i) % 32)
#define SHIFT(i) ((i) % 128 / 32 * 2)

static int
field_get(const uint8_t *s, int g)
{
	return (s[g % 8] >> g / 8 * 4 & 15) |
	    (s[8 + g % 4] >> g / 4 * 2 & 3) << 4;
}

static void
field_put(uint8_t *s, int g, int field)
{
	s[g % 8] |= (uint8_t)((field & 15) << g / 8 * 4);
	s[8 + g % 4] |= (uint8_t)(field >> 4 << g / 4 * 2);
}

static void
decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src, *qs, *hm;
	float d, scale;
	int g, i, l, q;

	for (; n >= N; n -= N, p += 110) {
		d = f16_get(p + D);
		for (g = 0; g < GROUPS; g++, dst += LEN) {
			i = g * LEN;
			scale = d * (float)(field_get(p + SCALES, g) - 32);
			qs = p + QS + BYTE(i);
			hm = p + i % 32;
			for (l = 0; l < LEN; l++) {
				q = (qs[l] >> SHIFT(i) & 3) +
				    (hm[l] >> i / 32 & 1) * 4 - 4;
				dst[l] = scale * (float)q;
			}
		}
	}
}

/* Without an imatrix: -32 for the scale of largest magnitude. */
static float
fit_fields(const float *scale, uint8_t *field)
{
	float max = signed_max(GROUPS, scale), is;
	int g;

	if (max == 0) {
		memset(field, 0, GROUPS);
		return 0;
	}
	is = -32 / max;
	for (g = 0; g < GROUPS; g++)
		field[g] = (uint8_t)(clamp(near(is * scale[g]), -32, 31) + 32);
	return 1 / is;
}

/* Into bytes that are 0. */
static void
codes_put(uint8_t *p, const uint8_t *code)
{
	int i;

	for (i = 0; i < N; i++) {
		p[QS + BYTE(i)] |= (uint8_t)((code[i] & 3) << SHIFT(i));
		p[i % 32] |= (uint8_t)(code[i] >> 2 << i / 32);
	}
}

void
q3_k_get(struct parts *b, const uint8_t *p)
{
	int g;

	b->d = le16_get(p + D);
	for (g = 0; g < GROUPS; g++)
		b->scale[g] = (int16_t)(field_get(p + SCALES, g) - 32);
}

void
q3_k_put(uint8_t *p, const struct parts *b)
{
	int g;

	memset(p, 0, D);
	codes_put(p, b->code);
	for (g = 0; g < GROUPS; g++)
		field_put(p + SCALES, g, b->scale[g] + 32);
	le16_put(p + D, b->d);
}

static void
encode_block(uint8_t *p, const float *x, const float *qw)
{
	float scale[GROUPS], sw[GROUPS], w[LEN], d, sigma2;
	uint8_t code[N], field[GROUPS], *c;
	const float *v;
	int g, l;

	sigma2 = qw ? 2 * sum_squares(x, N) / N : 0;
	for (g = 0; g < GROUPS; g++) {
		v = x + g * LEN;
		c = code + g * LEN;
		if (!qw) {
			scale[g] = fit_descent(4, LEN, v, c);
			continue;
		}
		sw[g] = 0;
		for (l = 0; l < LEN; l++) {
			w[l] = qw[g * LEN + l] * sqrtf(sigma2 + v[l] * v[l]);
			sw[g] += w[l];
		}
		scale[g] = fit_signed(4, LEN, v, w, c);
	}
	if (qw)
		d = fit_signed(32, GROUPS, scale, sw, field);
	else
		d = fit_fields(scale, field);
	memset(p, 0, D);
	f16_put(p + D, d);

	for (g = 0; g < GROUPS; g++) {
		field_put(p + SCALES, g, field[g]);
		d = f16_get(p + D) * (float)(field[g] - 32);
		if (d == 0)
			continue;
		v = x + g * LEN;
		c = code + g * LEN;
		for (l = 0; l < LEN; l++)
			c[l] = (uint8_t)(clamp(near(v[l] / d), -4, 3) + 4);
	}
	codes_put(p, code);
}

static void
encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;

	for (; n >= N; n -= N, p += 110, x += N) {
		encode_block(p, x, qw);
		if (qw)
			qw += N;
	}
}

const struct type type_q3_k = {
	.name = "Q3_K", .ggml = 11, .block = N, .bytes = 110,
	.to_f32 = decode, .from_f32 = encode,
	.effort = { [EFFORT_HIGH] = high_q3_k },
};
