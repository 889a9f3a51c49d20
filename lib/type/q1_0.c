/* SPDX-License-Identifier: MIT */
/* q1_0.c -- Q1_0 and Q2_0: f16 scale, then 128 signs or 64 codes of 2 bits. */
#include "block.h"
#include "search.h"

static void
q1_0_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	float d;
	int j;

	for (; n >= 128; n -= 128, p += 18, dst += 128) {
		d = f16_get(p);
		for (j = 0; j < 128; j++)
			dst[j] = p[2 + j / 8] >> j % 8 & 1 ? d : -d;
	}
}

static void
q1_0_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	float sum;
	int j;

	(void)qw;
	for (; n >= 128; n -= 128, p += 18, x += 128) {
		memset(p + 2, 0, 16);
		sum = 0;
		for (j = 0; j < 128; j++) {
			sum += fabsf(x[j]);
			if (x[j] >= 0)
				p[2 + j / 8] |= (uint8_t)(1 << j % 8);
		}
		f16_put(p, sum / 128);
	}
}

const struct type type_q1_0 = {
	.name = "Q1_0", .ggml = 41, .block = 128, .bytes = 18,
	.to_f32 = q1_0_decode, .from_f32 = q1_0_encode,
};

static void
q2_0_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	float d;
	int j;

	for (; n >= 64; n -= 64, p += 18, dst += 64) {
		d = f16_get(p);
		for (j = 0; j < 64; j++)
			dst[j] = d *
			    (float)((p[2 + j / 4] >> j % 4 * 2 & 3) - 1);
	}
}

static void
q2_0_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	float d, id;
	int j, q;

	(void)qw;
	for (; n >= 64; n -= 64, p += 18, x += 64) {
		d = fabsf(signed_max(64, x));
		id = inverse(d);
		f16_put(p, d);
		memset(p + 2, 0, 16);
		for (j = 0; j < 64; j++) {
			q = clamp(trunc_i32(roundf(x[j] * id)), -1, 2) + 1;
			p[2 + j / 4] |= (uint8_t)(q << j % 4 * 2);
		}
	}
}

const struct type type_q2_0 = {
	.name = "Q2_0", .ggml = 42, .block = 64, .bytes = 18,
	.to_f32 = q2_0_decode, .from_f32 = q2_0_encode,
};
