/* SPDX-License-Identifier: MIT */
/*
 * iq4.c -- IQ4_NL and IQ4_XS: nibbles into a table of 16 values that lie
 * closer around 0, a scale a 32; XS gives 8 of them six bits each.
 */
#include "block.h"
#include "efforts.h"
#include "parts.h"
#include "search.h"

enum { LEN = 32 };

const float iq4_levels[16] = {
	-127, -104, -83, -65, -49, -35, -22, -10,
	1, 13, 25, 38, 53, 69, 89, 113,
};
/* Halfway between neighbours; what lies there goes up. */
static const float middle[15] = {
	-115.5f, -93.5f, -74, -57, -42, -28.5f, -16, -4.5f,
	7, 19, 31.5f, 45.5f, 61, 79, 101,
};

static int
nearest(float x)
{
	int i, n = 0;

	for (i = 0; i < 15; i++)
		n += !(x < middle[i]);	/* NaN: the last */
	return n;
}

/* Scale for the entries that x times is comes to. */
static float
sums(const float *x, const float *w, float is, float *a, float *b)
{
	float sa = 0, sb = 0, q;
	int j;

	for (j = 0; j < LEN; j++) {
		q = iq4_levels[nearest(x[j] * is)];
		sa += w[j] * q * x[j];
		sb += w[j] * q * q;
	}
	*a = sa;
	*b = sb;
	return sb > 0 ? sa / sb : 0;
}

static float
fit(const float *x, const float *qw, float sigma2)
{
	float max = signed_max(LEN, x), w[LEN], a, b, d, best;
	int j, t;

	if (fabsf(max) < GROUP_EPS)
		return 0;
	for (j = 0; j < LEN; j++) {
		w[j] = x[j] * x[j];
		if (qw)
			w[j] = qw[j] * sqrtf(sigma2 + w[j]);
	}
	d = sums(x, w, 1 / (-max / iq4_levels[0]), &a, &b);
	best = d * a;
	for (t = -7; t <= 7; t++) {
		sums(x, w, ((float)t + iq4_levels[0]) / max, &a, &b);
		if (b > 0 && a * a > best * b) {
			d = a / b;
			best = d * a;
		}
	}
	return d;
}

static void
codes_put(uint8_t *qs, const float *x, float is)
{
	uint8_t code[LEN];
	int j;

	for (j = 0; j < LEN; j++)
		code[j] = (uint8_t)nearest(x[j] * is);
	nibbles_put(qs, code, 16);
}

static void
codes_get(float *dst, const uint8_t *qs, float d)
{
	int j;

	for (j = 0; j < 16; j++) {
		dst[j] = d * iq4_levels[qs[j] & 15];
		dst[j + 16] = d * iq4_levels[qs[j] >> 4];
	}
}

static void
iq4_nl_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= LEN; n -= LEN, p += 18, dst += LEN)
		codes_get(dst, p + 2, f16_get(p));
}

void
iq4_nl_get(struct parts *b, const uint8_t *p)
{
	b->d = le16_get(p);
	b->scale[0] = 1;
}

void
iq4_nl_put(uint8_t *p, const struct parts *b)
{
	le16_put(p, b->d);
	nibbles_put(p + 2, b->code, 16);
}

static void
iq4_nl_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	float d;

	for (; n >= LEN; n -= LEN, p += 18, x += LEN) {
		d = fit(x, qw, 2 * sum_squares(x, LEN) / LEN);
		f16_put(p, d);
		codes_put(p + 2, x, inverse(d));
		if (qw)
			qw += LEN;
	}
}

const struct type type_iq4_nl = {
	.name = "IQ4_NL", .ggml = 20, .block = LEN, .bytes = 18,
	.to_f32 = iq4_nl_decode, .from_f32 = iq4_nl_encode,
	.effort = { [EFFORT_HIGH] = high_iq4_nl },
};

/* d, scales_h (two bits a group), scales_l[4] (a nibble), qs[128]. */
static void
iq4_xs_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	unsigned high, scale;
	int g;

	for (; n >= 256; n -= 256, p += 136) {
		high = le16_get(p + 2);
		for (g = 0; g < 8; g++, dst += LEN) {
			scale = (p[4 + g / 2] >> g % 2 * 4 & 15) |
			    (high >> 2 * g & 3) << 4;
			codes_get(dst, p + 8 + 16 * g,
			    f16_get(p) * (float)((int)scale - 32));
		}
	}
}

void
iq4_xs_get(struct parts *b, const uint8_t *p)
{
	unsigned high = le16_get(p + 2);
	int g;

	b->d = le16_get(p);
	for (g = 0; g < 8; g++)
		b->scale[g] = (int16_t)((p[4 + g / 2] >> g % 2 * 4 & 15) +
		    (int)(high >> 2 * g & 3) * 16 - 32);
}

void
iq4_xs_put(uint8_t *p, const struct parts *b)
{
	unsigned high = 0, scale;
	int g;

	memset(p + 4, 0, 4);
	for (g = 0; g < 8; g++) {
		scale = (unsigned)(b->scale[g] + 32);
		p[4 + g / 2] |= (uint8_t)((scale & 15) << g % 2 * 4);
		high |= scale >> 4 << 2 * g;
		nibbles_put(p + 8 + 16 * g, b->code + g * LEN, 16);
	}
	le16_put(p, b->d);
	le16_put(p + 2, (uint16_t)high);
}

static void
iq4_xs_encode(void *dst, const float *x, size_t n, const float *qw)
{
	float scale[8], d, sigma2;
	uint8_t *p = dst;
	unsigned high;
	int g, l;

	for (; n >= 256; n -= 256, p += 136, x += 256) {
		sigma2 = 2 * sum_squares(x, 256) / 256;
		for (g = 0; g < 8; g++)
			scale[g] = fit(x + g * LEN, qw ? qw + g * LEN : NULL,
			    sigma2);
		d = -signed_max(8, scale) / 32;
		f16_put(p, d);
		high = 0;
		memset(p + 4, 0, 4);
		for (g = 0; g < 8; g++) {
			l = clamp(near(inverse(d) * scale[g]), -32, 31);
			/* with the scale as found, not as stored */
			codes_put(p + 8 + 16 * g, x + g * LEN,
			    inverse(d * (float)l));
			l += 32;
			p[4 + g / 2] |= (uint8_t)((l & 15) << g % 2 * 4);
			high |= (unsigned)l >> 4 << 2 * g;
		}
		le16_put(p + 2, (uint16_t)high);
		if (qw)
			qw += 256;
	}
}

const struct type type_iq4_xs = {
	.name = "IQ4_XS", .ggml = 23, .block = 256, .bytes = 136,
	.to_f32 = iq4_xs_decode, .from_f32 = iq4_xs_encode,
	.effort = { [EFFORT_HIGH] = high_iq4_xs },
};
