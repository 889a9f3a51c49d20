/* SPDX-License-Identifier: MIT */
/* values.c -- number types, and random values of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "synth.h"

uint64_t
mix(uint64_t *s)				/* splitmix64 */
{
	uint64_t z = *s += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* To the nearest half, and *back its value; |x| < 60000. */
static uint16_t
half(float x, float *back)
{
	float a = fabsf(x);
	int e;
	long q;

	frexpf(a, &e);
	if (e < -13)
		e = -13;
	q = lrintf(ldexpf(a, 11 - e));
	*back = copysignf(ldexpf((float)q, e - 11), x);
	return (uint16_t)((signbit(x) ? 0x8000 : 0) + ((e + 14) << 10) +
	    (int)q - 1024);
}

static void
enc_f32(void *dst, const float *src, size_t n, const float *qw)
{
	(void)qw;
	memcpy(dst, src, n * sizeof *src);
}

static void
enc_f16(void *dst, const float *src, size_t n, const float *qw)
{
	uint16_t *d = dst;
	float back;

	(void)qw;
	for (size_t i = 0; i < n; i++)
		d[i] = half(src[i], &back);
}

static void
enc_bf16(void *dst, const float *src, size_t n, const float *qw)
{
	uint16_t *d = dst;
	uint32_t u;

	(void)qw;
	for (size_t i = 0; i < n; i++) {
		memcpy(&u, &src[i], sizeof u);
		d[i] = (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
	}
}

const struct type plain[] = {
	{ "F32", 0, "F32", 1, 4, TYPE_PLAIN, NULL, enc_f32 },
	{ "F16", 1, "F16", 1, 2, TYPE_PLAIN, NULL, enc_f16 },
	{ "BF16", 30, "BF16", 1, 2, TYPE_PLAIN, NULL, enc_bf16 },
};

/* A type's number in .apr, -1: none.  Q8_0 shares 8 with the old Q4. */
int
apr_code(const struct type *t)
{
	static const char codes[][8] = { [0] = "F32", [1] = "F16", [8] = "Q8_0",
	    [10] = "Q2_K", [11] = "Q3_K", [12] = "Q4_K", [13] = "Q5_K",
	    [14] = "Q6_K", [16] = "IQ2_XXS", [17] = "IQ2_XS", [30] = "BF16" };

	if (t->flags & (TYPE_FLAT | TYPE_WHOLE))
		return t->flags & TYPE_FLAT ? 128 : 129;
	for (int i = 0; i < (int)(sizeof codes / sizeof *codes); i++)
		if (strcmp(codes[i], t->name) == 0)
			return i;
	return -1;
}

const struct type *
type_named(const char *s)
{
	const struct type *t = NULL;

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (strcasecmp(s, plain[i].name) == 0)
			return &plain[i];
#ifdef HAVE_TYPES
	t = type_by_name(s);
	if (t != NULL && t->from_f32 == NULL && !(t->flags & TYPE_WHOLE))
		t = NULL;
#endif
	return t;
}

const struct pool *
pool_of(const struct type *t, bool norm)
{
	static struct pool pools[8];
	static float gauss[POOL], ones[POOL], x[POOL];
	struct pool *p = pools;

	for (; p->type != NULL; p++)
		if (p->type == t && p->norm == norm)
			return p;
	if (gauss[0] == 0) {
		uint64_t s = opt.seed ^ 0x6d6b2d73796e7468;
		for (size_t i = 0; i < POOL; i++) {
			double u = ((double)(mix(&s) >> 11) + 1) * 0x1p-53;
			double v = (double)(mix(&s) >> 11) * 0x1p-53;
			gauss[i] = (float)(0.02 * sqrt(-2 * log(u)) *
			    cos(6.283185307179586 * v));
			ones[i] = 1;
		}
	}
	*p = (struct pool){ t, norm, POOL / t->block - 1U, 0,
	    check_alloc(malloc((size_t)POOL / t->block * t->bytes)) };
	for (size_t i = 0; i < POOL; i++)
		half(norm ? 1 + gauss[i] : gauss[i], &x[i]);
#ifdef HAVE_TYPES
	if (t->flags & TYPE_WHOLE) {
		float max = 0;
		for (size_t i = 0; i < POOL; i++)
			max = fmaxf(max, fabsf(x[i]));
		p->scale = type_q8_scale(max);
		type_q8_from_f32((int8_t *)p->data, x, POOL, p->scale);
		return p;
	}
#endif
	t->from_f32(p->data, x, POOL, t->block > 1 ? ones : NULL);
	return p;
}

/* n blocks, a multiple of 4. */
void
deal(uint8_t *dst, size_t n, const struct pool *p, uint64_t *state)
{
	size_t b = p->type->bytes;
	const uint16_t *h = (const void *)p->data;
	const uint32_t *w = (const void *)p->data;

	for (size_t i = 0; i < n; i += 4) {
		uint64_t z = mix(state);
		uint16_t k[4];

		memcpy(k, &z, sizeof k);
		if (b == 2) {
			uint16_t v[4] = { h[k[0]], h[k[1]], h[k[2]], h[k[3]] };
			memcpy(dst + i * 2, v, sizeof v);
		} else if (b == 4) {
			uint32_t v[4] = { w[k[0]], w[k[1]], w[k[2]], w[k[3]] };
			memcpy(dst + i * 4, v, sizeof v);
		} else {
			for (size_t j = 0; j < 4; j++)
				memcpy(dst + (i + j) * b,
				    p->data + (k[j] & p->mask) * b, b);
		}
	}
}
