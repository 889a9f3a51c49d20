/* SPDX-License-Identifier: MIT */
/*
 * q6_k.c -- Q6_K: 256 elements, 16 groups with a signed byte of scale each:
 * ql[128] qh[64] scales[16] d.
 */
#include "block.h"
#include "efforts.h"
#include "parts.h"
#include "search.h"

enum { N = 256, GROUPS = 16, LEN = 16, QH = 128, SCALES = 192, D = 208 };

static void
decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src, *ql, *qh;
	float d, scale;
	int g, half, i, l, q;

	for (; n >= N; n -= N, p += 210) {
		d = f16_get(p + D);
		for (g = 0; g < GROUPS; g++, dst += LEN) {
			half = g / 8;
			i = g % 8 * LEN;	/* in the half */
			ql = p + half * 64 + i % 64;
			qh = p + QH + half * 32 + i % 32;
			scale = d * (int8_t)p[SCALES + g];
			for (l = 0; l < LEN; l++) {
				q = (ql[l] >> i / 64 * 4 & 15) |
				    (qh[l] >> i / 32 * 2 & 3) << 4;
				dst[l] = scale * (float)(q - 32);
			}
		}
	}
}

static void
pack(uint8_t *p, const uint8_t *code)
{
	uint8_t *ql, *qh;
	int half, i;

	memset(p + QH, 0, 64);
	for (half = 0; half < 2; half++, code += 128) {
		ql = p + half * 64;
		qh = p + QH + half * 32;
		nibbles_put(ql, code, 64);
		for (i = 0; i < 128; i++)
			qh[i % 32] |= (uint8_t)(code[i] >> 4 << i / 32 * 2);
	}
}

void
q6_k_get(struct parts *b, const uint8_t *p)
{
	int g;

	b->d = le16_get(p + D);
	for (g = 0; g < GROUPS; g++)
		b->scale[g] = (int8_t)p[SCALES + g];
}

void
q6_k_put(uint8_t *p, const struct parts *b)
{
	int g;

	pack(p, b->code);
	for (g = 0; g < GROUPS; g++)
		p[SCALES + g] = (uint8_t)b->scale[g];
	le16_put(p + D, b->d);
}

static void
encode_block(uint8_t *p, const float *x, const float *qw)
{
	float scale[GROUPS], w[LEN], max, is, d;
	uint8_t code[N], *c;
	const float *v;
	int g, l, q;

	for (g = 0; g < GROUPS; g++) {
		v = x + g * LEN;
		for (l = 0; l < LEN; l++)
			w[l] = qw ? qw[g * LEN + l] : v[l] * v[l];
		scale[g] = fit_signed(32, LEN, v, w, code + g * LEN);
	}
	max = signed_max(GROUPS, scale);
	if (fabsf(max) < GROUP_EPS) {
		memset(p, 0, 210);
		return;
	}
	is = -128 / max;
	f16_put(p + D, 1 / is);
	for (g = 0; g < GROUPS; g++) {
		q = near(is * scale[g]);
		p[SCALES + g] = (uint8_t)(q > 127 ? 127 : q);
		d = f16_get(p + D) * (int8_t)p[SCALES + g];
		if (d == 0)
			continue;
		v = x + g * LEN;
		c = code + g * LEN;
		for (l = 0; l < LEN; l++)
			c[l] = (uint8_t)(clamp(near(v[l] / d), -32, 31) + 32);
	}
	pack(p, code);
}

static void
encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;

	for (; n >= N; n -= N, p += 210, x += N) {
		encode_block(p, x, qw);
		if (qw)
			qw += N;
	}
}

const struct type type_q6_k = {
	.name = "Q6_K", .ggml = 14, .block = N, .bytes = 210,
	.to_f32 = decode, .from_f32 = encode,
	.effort = { [EFFORT_HIGH] = high_q6_k },
};
