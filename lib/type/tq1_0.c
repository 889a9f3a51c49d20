/* SPDX-License-Identifier: MIT */
/*
 * tq1_0.c -- TQ1_0 and TQ2_0: 256 trits and an f16 scale, in 5 trits a byte
 * or 4 codes of two bits.
 */
#include "block.h"
#include "search.h"

enum { N = 256 };

/* 0, 1, 2 for -d, 0, d. */
static int
trit(float v)
{
	float r = roundf(v);

	/* what is no number counts as 0, the middle */
	return (r >= -1 && r <= 1 ? (int)r : 0) + 1;
}

static float
largest(const float *x)
{
	return fabsf(signed_max(N, x));
}

/*
 * Where the bytes of TQ1_0 take their trits: count bytes, the trits of one
 * count elements apart.
 */
static const struct run {
	uint8_t	first, count, trits, element;
} runs[] = {
	{ 0, 32, 5, 0 },
	{ 32, 16, 5, 160 },
	{ 48, 4, 4, 240 },
};

static void
tq1_0_decode(float *dst, const void *src, size_t n)
{
	static const uint8_t pow3[] = { 1, 3, 9, 27, 81 };
	const uint8_t *p = src;
	const struct run *r;
	int j, t, v;
	float d;

	for (; n >= N; n -= N, p += 54, dst += N) {
		d = f16_get(p + 52);
		for (r = runs; r < runs + 3; r++)
			for (t = 0; t < r->trits; t++)
				for (j = 0; j < r->count; j++) {
					v = p[r->first + j] * pow3[t] & 255;
					v = v * 3 >> 8;
					dst[r->element + t * r->count + j] =
					    (float)(v - 1) * d;
				}
	}
}

static void
tq1_0_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	const struct run *r;
	int j, t, v;
	float d, id;

	(void)qw;
	for (; n >= N; n -= N, p += 54, x += N) {
		d = largest(x);
		id = inverse(d);
		f16_put(p + 52, d);
		for (r = runs; r < runs + 3; r++)
			for (j = 0; j < r->count; j++) {
				v = 0;
				for (t = 0; t < r->trits; t++)
					v = v * 3 + trit(x[r->element +
					    t * r->count + j] * id);
				if (r->trits == 4)
					v *= 3;
				p[r->first + j] = (uint8_t)((v * 256 + 242) /
				    243);
			}
	}
}

const struct type type_tq1_0 = {
	.name = "TQ1_0", .ggml = 34, .block = N, .bytes = 54,
	.to_f32 = tq1_0_decode, .from_f32 = tq1_0_encode,
};

static void
tq2_0_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	float d;
	int j;

	for (; n >= N; n -= N, p += 66, dst += N) {
		d = f16_get(p + 64);
		for (j = 0; j < N; j++)
			dst[j] = (float)((p[j / 128 * 32 + j % 32] >>
			    j % 128 / 32 * 2 & 3) - 1) * d;
	}
}

static void
tq2_0_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	float d, id;
	int j;

	(void)qw;
	for (; n >= N; n -= N, p += 66, x += N) {
		d = largest(x);
		id = inverse(d);
		f16_put(p + 64, d);
		memset(p, 0, 64);
		for (j = 0; j < N; j++)
			p[j / 128 * 32 + j % 32] |= (uint8_t)(trit(x[j] * id)
			    << j % 128 / 32 * 2);
	}
}

const struct type type_tq2_0 = {
	.name = "TQ2_0", .ggml = 35, .block = N, .bytes = 66,
	.to_f32 = tq2_0_decode, .from_f32 = tq2_0_encode,
};
