/* SPDX-License-Identifier: MIT */
/* q8_0.c -- Q8_0: f16 scale, 32 signed bytes. */
#include "block.h"
#include "efforts.h"
#include "parts.h"
#include "search.h"

enum { N = 32 };

static void
decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	float d;
	int j;

	for (; n >= N; n -= N, p += 34, dst += N) {
		d = f16_get(p);
		for (j = 0; j < N; j++)
			dst[j] = (int8_t)p[2 + j] * d;
	}
}

/* As parts, codes begin at -128. */
void
q8_0_get(struct parts *b, const uint8_t *p)
{
	b->d = le16_get(p);
	b->scale[0] = 1;
}

void
q8_0_put(uint8_t *p, const struct parts *b)
{
	int j;

	le16_put(p, b->d);
	for (j = 0; j < N; j++)
		p[2 + j] = (uint8_t)(b->code[j] - 128);
}

static void
encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	float d, id;
	int j;

	(void)qw;
	for (; n >= N; n -= N, p += 34, x += N) {
		d = fabsf(signed_max(N, x)) / 127;
		id = inverse(d);
		f16_put(p, d);
		for (j = 0; j < N; j++)
			p[2 + j] = (uint8_t)trunc_i32(roundf(x[j] * id));
	}
}

const struct type type_q8_0 = {
	.name = "Q8_0", .ggml = 8, .block = N, .bytes = 34,
	.to_f32 = decode, .from_f32 = encode,
	.effort = { [EFFORT_HIGH] = high_q8_0 },
};
