/* SPDX-License-Identifier: MIT */
/*
 * q4_k.c -- Q4_K and Q5_K: 256 elements, 8 groups with six bits of scale and
 * of minimum each: d dmin scales[12], for Q5 qh[32], qs[128].
 */
#include "block.h"
#include "efforts.h"
#include "parts.h"
#include "search.h"

enum { N = 256, GROUPS = 8, LEN = 32, HEAD = 16 };

/* Scale and minimum of group g from the twelve bytes. */
static void
fields_get(const uint8_t *s, int g, int *scale, int *min)
{
	if (g < 4) {
		*scale = s[g] & 63;
		*min = s[g + 4] & 63;
	} else {
		*scale = (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
		*min = s[g + 4] >> 4 | s[g] >> 6 << 4;
	}
}

/* In the order of groups; what is over six bits spills as it always did. */
static void
fields_put(uint8_t *s, int g, uint8_t scale, uint8_t min)
{
	if (g < 4) {
		s[g] = scale;
		s[g + 4] = min;
	} else {
		s[g + 4] = (uint8_t)((scale & 15) | (min & 15) << 4);
		s[g - 4] |= (uint8_t)(scale >> 4 << 6);
		s[g] |= (uint8_t)(min >> 4 << 6);
	}
}

/* One of scales and minima without an imatrix: 63 for the largest. */
static float
fit_fields(const float *x, uint8_t *code)
{
	float max = 0, is;
	int g;

	for (g = 0; g < GROUPS; g++)
		if (x[g] > max)
			max = x[g];
	is = max > 0 ? 63 / max : 0;
	for (g = 0; g < GROUPS; g++)
		code[g] = (uint8_t)near(is * x[g]);
	return max / 63;
}

/* The 16 bytes at the block's head, and the codes. */
static void
search(uint8_t *p, uint8_t *code, const float *x, const float *qw, int top)
{
	struct walk k = { top, -0.9f, 0.05f, 36, false };
	float scale[GROUPS], min[GROUPS], sw[GROUPS], w[LEN];
	float d, m, sigma2, rms;
	uint8_t ls[GROUPS], lm[GROUPS], *c;
	const float *v;
	int g, l, qs, qm;

	if (!qw) {
		k.first = top == 15 ? -1.0f : -0.5f;
		k.step = 0.1f;
		k.steps = top == 15 ? 20 : 15;
	}
	sigma2 = qw ? 2 * sum_squares(x, N) / N : 0;
	for (g = 0; g < GROUPS; g++) {
		v = x + g * LEN;
		rms = qw ? 0 : sqrtf(sum_squares(v, LEN) / LEN);
		sw[g] = 0;
		for (l = 0; l < LEN; l++) {
			w[l] = rms + fabsf(v[l]);
			if (qw)
				w[l] = qw[g * LEN + l] *
				    sqrtf(sigma2 + v[l] * v[l]);
			sw[g] += w[l];
		}
		scale[g] = fit_range(&k, LEN, v, w, code + g * LEN, &min[g]);
	}
	if (qw) {
		d = fit_positive(63, GROUPS, scale, sw, ls);
		m = fit_positive(63, GROUPS, min, sw, lm);
	} else {
		d = fit_fields(scale, ls);
		m = fit_fields(min, lm);
	}
	f16_put(p, d);
	f16_put(p + 2, m);

	for (g = 0; g < GROUPS; g++) {
		/* Q4_K with an imatrix does without the cap */
		if (!qw || top == 31) {
			ls[g] = ls[g] > 63 ? 63 : ls[g];
			lm[g] = lm[g] > 63 ? 63 : lm[g];
		}
		fields_put(p + 4, g, ls[g], lm[g]);
	}
	for (g = 0; g < GROUPS; g++) {
		fields_get(p + 4, g, &qs, &qm);
		d = f16_get(p) * (float)qs;
		if (d == 0)
			continue;
		m = f16_get(p + 2) * (float)qm;
		v = x + g * LEN;
		c = code + g * LEN;
		for (l = 0; l < LEN; l++)
			c[l] = (uint8_t)clamp(near((v[l] + m) / d), 0, top);
	}
}

/* Scale and minimum of group g as floats. */
static void
group_get(const uint8_t *p, int g, float *d, float *m)
{
	int qs, qm;

	fields_get(p + 4, g, &qs, &qm);
	*d = f16_get(p) * (float)qs;
	*m = f16_get(p + 2) * (float)qm;
}

static void
q4_k_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src, *qs;
	float d, m;
	int g, l;

	for (; n >= N; n -= N, p += 144)
		for (g = 0; g < GROUPS; g++, dst += LEN) {
			group_get(p, g, &d, &m);
			qs = p + HEAD + g / 2 * LEN;
			for (l = 0; l < LEN; l++)
				dst[l] = d * (float)(qs[l] >> g % 2 * 4 & 15) -
				    m;
		}
}

static void
codes4_put(uint8_t *p, const uint8_t *code)
{
	int g;

	for (g = 0; g < 4; g++)
		nibbles_put(p + HEAD + g * LEN, code + g * 64, LEN);
}

void
q4_k_get(struct parts *b, const uint8_t *p)
{
	int g, scale, min;

	b->d = le16_get(p);
	b->m = le16_get(p + 2);
	for (g = 0; g < GROUPS; g++) {
		fields_get(p + 4, g, &scale, &min);
		b->scale[g] = (int16_t)scale;
		b->min[g] = (uint8_t)min;
	}
}

static void
head_put(uint8_t *p, const struct parts *b)
{
	int g;

	le16_put(p, b->d);
	le16_put(p + 2, b->m);
	for (g = 0; g < GROUPS; g++)
		fields_put(p + 4, g, (uint8_t)b->scale[g], b->min[g]);
}

void
q4_k_put(uint8_t *p, const struct parts *b)
{
	head_put(p, b);
	codes4_put(p, b->code);
}

static void
q4_k_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t code[N], *p = dst;

	for (; n >= N; n -= N, p += 144, x += N) {
		search(p, code, x, qw, 15);
		codes4_put(p, code);
		if (qw)
			qw += N;
	}
}

const struct type type_q4_k = {
	.name = "Q4_K", .ggml = 12, .block = N, .bytes = 144,
	.to_f32 = q4_k_decode, .from_f32 = q4_k_encode,
	.effort = { [EFFORT_HIGH] = high_q4_k, [EFFORT_APR] = apr_q4_k },
};

static void
q5_k_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src, *qh, *qs;
	float d, m;
	int g, l, q;

	for (; n >= N; n -= N, p += 176)
		for (g = 0; g < GROUPS; g++, dst += LEN) {
			group_get(p, g, &d, &m);
			qh = p + HEAD;
			qs = p + HEAD + 32 + g / 2 * LEN;
			for (l = 0; l < LEN; l++) {
				q = (qs[l] >> g % 2 * 4 & 15) |
				    (qh[l] >> g & 1) << 4;
				dst[l] = d * (float)q - m;
			}
		}
}

static void
codes5_put(uint8_t *p, const uint8_t *code)
{
	int g, l;

	memset(p + HEAD, 0, 32);
	for (g = 0; g < GROUPS; g++)
		for (l = 0; l < LEN; l++)
			p[HEAD + l] |= (uint8_t)(code[g * LEN + l] >> 4 << g);
	for (g = 0; g < 4; g++)
		nibbles_put(p + HEAD + 32 + g * LEN, code + g * 64, LEN);
}

void
q5_k_put(uint8_t *p, const struct parts *b)
{
	head_put(p, b);
	codes5_put(p, b->code);
}

static void
q5_k_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t code[N], *p = dst;

	for (; n >= N; n -= N, p += 176, x += N) {
		search(p, code, x, qw, 31);
		codes5_put(p, code);
		if (qw)
			qw += N;
	}
}

const struct type type_q5_k = {
	.name = "Q5_K", .ggml = 13, .block = N, .bytes = 176,
	.to_f32 = q5_k_decode, .from_f32 = q5_k_encode,
	.effort = { [EFFORT_HIGH] = high_q5_k },
};
