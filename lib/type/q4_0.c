/* SPDX-License-Identifier: MIT */
/*
 * q4_0.c -- Q4_0 Q4_1 Q5_0 Q5_1: 32 elements, a scale, for _1 a minimum, for
 * Q5 a word of fifth bits, then nibbles (element j low, j + 16 high).
 */
#include "block.h"
#include "efforts.h"
#include "parts.h"
#include "search.h"

enum { N = 32 };

static void
codes_get(uint8_t *code, const uint8_t *qs)
{
	int j;

	for (j = 0; j < 16; j++) {
		code[j] = qs[j] & 15;
		code[j + 16] = qs[j] >> 4;
	}
}

static void
codes5_get(uint8_t *code, const uint8_t *p)
{
	uint32_t qh = le32_get(p);
	int j;

	codes_get(code, p + 4);
	for (j = 0; j < N; j++)
		code[j] = (uint8_t)(code[j] | (qh >> j & 1) << 4);
}

static void
codes5_put(uint8_t *p, const uint8_t *code)
{
	uint32_t qh = 0;
	int j;

	for (j = 0; j < N; j++)
		qh |= (uint32_t)(code[j] >> 4 & 1) << j;
	le32_put(p, qh);
	nibbles_put(p + 4, code, 16);
}

/* Q5_0's too. */
void
q4_0_get(struct parts *b, const uint8_t *p)
{
	b->d = le16_get(p);
	b->scale[0] = 1;
}

/* Q5_1's too. */
void
q4_1_get(struct parts *b, const uint8_t *p)
{
	b->d = le16_get(p);
	b->m = le16_get(p + 2);
	b->scale[0] = 1;
}

void
q4_0_put(uint8_t *p, const struct parts *b)
{
	le16_put(p, b->d);
	nibbles_put(p + 2, b->code, 16);
}

void
q4_1_put(uint8_t *p, const struct parts *b)
{
	le16_put(p, b->d);
	le16_put(p + 2, b->m);
	nibbles_put(p + 4, b->code, 16);
}

void
q5_0_put(uint8_t *p, const struct parts *b)
{
	le16_put(p, b->d);
	codes5_put(p + 2, b->code);
}

void
q5_1_put(uint8_t *p, const struct parts *b)
{
	le16_put(p, b->d);
	le16_put(p + 2, b->m);
	codes5_put(p + 4, b->code);
}

/* The weights see the whole row's energy. */
static void
weigh(float *w, const float *x, const float *qw, float sigma2)
{
	int j;

	for (j = 0; j < N; j++)
		w[j] = qw[j] * sqrtf(sigma2 + x[j] * x[j]);
}

/* Symmetric codes 0..2 * half - 1; returns the scale to store. */
static float
fit0(uint8_t *code, const float *x, const float *qw, float sigma2, int half)
{
	float w[N], d, id, offset = (float)half + 0.5f;
	int j, q;

	if (qw) {
		weigh(w, x, qw, sigma2);
		return fit_signed(half, N, x, w, code);
	}
	d = signed_max(N, x) / -(float)half;
	id = inverse(d);
	for (j = 0; j < N; j++) {
		q = (int8_t)(uint8_t)trunc_i32(x[j] * id + offset);
		code[j] = (uint8_t)(q > 2 * half - 1 ? 2 * half - 1 : q);
	}
	return d;
}

/* Codes 0..top above a minimum. */
static float
fit1(uint8_t *code, const float *x, const float *qw, float sigma2, int top,
    float *min)
{
	struct walk k = { top, -0.9f, 0.05f, 36, false };
	float w[N], lo = 0x1.fffffep127f, hi = -0x1.fffffep127f, d, id;
	int j, q;

	if (qw) {
		weigh(w, x, qw, sigma2);
		d = fit_range(&k, N, x, w, code, min);
		*min = -*min;
		return d;
	}
	for (j = 0; j < N; j++) {
		if (x[j] < lo)
			lo = x[j];
		if (x[j] > hi)
			hi = x[j];
	}
	d = (hi - lo) / (float)top;
	id = inverse(d);
	for (j = 0; j < N; j++) {
		q = (int8_t)(uint8_t)trunc_i32((x[j] - lo) * id + 0.5f);
		/* the five bits of Q5_1 are cut off, not capped */
		code[j] = (uint8_t)(top == 15 && q > 15 ? 15 : q);
	}
	*min = lo;
	return d;
}

static float
row_sigma2(const float *x, size_t n, const float *qw)
{
	return qw ? sum_squares(x, n) / (float)n : 0;
}

static void
q4_0_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint8_t code[N];
	float d;
	int j;

	for (; n >= N; n -= N, p += 18, dst += N) {
		d = f16_get(p);
		codes_get(code, p + 2);
		for (j = 0; j < N; j++)
			dst[j] = d * (float)(code[j] - 8);
	}
}

static void
q4_0_encode(void *dst, const float *x, size_t n, const float *qw)
{
	float sigma2 = row_sigma2(x, n, qw);
	uint8_t code[N], *p = dst;

	for (; n >= N; n -= N, p += 18, x += N) {
		f16_put(p, fit0(code, x, qw, sigma2, 8));
		nibbles_put(p + 2, code, 16);
		if (qw)
			qw += N;
	}
}

const struct type type_q4_0 = {
	.name = "Q4_0", .ggml = 2, .block = N, .bytes = 18, .flags = TYPE_ROW,
	.to_f32 = q4_0_decode, .from_f32 = q4_0_encode,
	.effort = { [EFFORT_HIGH] = high_q4_0 },
};

static void
q4_1_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint8_t code[N];
	float d, m;
	int j;

	for (; n >= N; n -= N, p += 20, dst += N) {
		d = f16_get(p);
		m = f16_get(p + 2);
		codes_get(code, p + 4);
		for (j = 0; j < N; j++)
			dst[j] = d * code[j] + m;
	}
}

static void
q4_1_encode(void *dst, const float *x, size_t n, const float *qw)
{
	float sigma2 = row_sigma2(x, n, qw), min;
	uint8_t code[N], *p = dst;

	for (; n >= N; n -= N, p += 20, x += N) {
		f16_put(p, fit1(code, x, qw, sigma2, 15, &min));
		f16_put(p + 2, min);
		nibbles_put(p + 4, code, 16);
		if (qw)
			qw += N;
	}
}

const struct type type_q4_1 = {
	.name = "Q4_1", .ggml = 3, .block = N, .bytes = 20, .flags = TYPE_ROW,
	.to_f32 = q4_1_decode, .from_f32 = q4_1_encode,
	.effort = { [EFFORT_HIGH] = high_q4_1 },
};

static void
q5_0_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint8_t code[N];
	float d;
	int j;

	for (; n >= N; n -= N, p += 22, dst += N) {
		d = f16_get(p);
		codes5_get(code, p + 2);
		for (j = 0; j < N; j++)
			dst[j] = d * (float)(code[j] - 16);
	}
}

static void
q5_0_encode(void *dst, const float *x, size_t n, const float *qw)
{
	float sigma2 = row_sigma2(x, n, qw);
	uint8_t code[N], *p = dst;

	for (; n >= N; n -= N, p += 22, x += N) {
		f16_put(p, fit0(code, x, qw, sigma2, 16));
		codes5_put(p + 2, code);
		if (qw)
			qw += N;
	}
}

const struct type type_q5_0 = {
	.name = "Q5_0", .ggml = 6, .block = N, .bytes = 22, .flags = TYPE_ROW,
	.to_f32 = q5_0_decode, .from_f32 = q5_0_encode,
	.effort = { [EFFORT_HIGH] = high_q5_0 },
};

static void
q5_1_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint8_t code[N];
	float d, m;
	int j;

	for (; n >= N; n -= N, p += 24, dst += N) {
		d = f16_get(p);
		m = f16_get(p + 2);
		codes5_get(code, p + 4);
		for (j = 0; j < N; j++)
			dst[j] = d * code[j] + m;
	}
}

static void
q5_1_encode(void *dst, const float *x, size_t n, const float *qw)
{
	float sigma2 = row_sigma2(x, n, qw), min;
	uint8_t code[N], *p = dst;

	for (; n >= N; n -= N, p += 24, x += N) {
		f16_put(p, fit1(code, x, qw, sigma2, 31, &min));
		f16_put(p + 2, min);
		codes5_put(p + 4, code);
		if (qw)
			qw += N;
	}
}

const struct type type_q5_1 = {
	.name = "Q5_1", .ggml = 7, .block = N, .bytes = 24, .flags = TYPE_ROW,
	.to_f32 = q5_1_decode, .from_f32 = q5_1_encode,
	.effort = { [EFFORT_HIGH] = high_q5_1 },
};
