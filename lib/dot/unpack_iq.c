/* SPDX-License-Identifier: MIT */
/* unpack_iq.c -- groups of the codebook types. */
#include <apr/codebook.h>

#include "unpack.h"

static unsigned
even_signs(unsigned s)
{
	unsigned p = s ^ s >> 4;

	p ^= p >> 2;
	p ^= p >> 1;
	return s | (p & 1) << 7;
}

static void
codes2(int8_t *q, unsigned entry, unsigned signs)
{
	static const int8_t level[] = { 8, 25, 43, 0 };

	for (int j = 0; j < 8; j++) {
		int v = level[entry >> 2 * j & 3];

		q[j] = (int8_t)(signs >> j & 1 ? -v : v);
	}
}

/* Scales are odd eighths. */
static void
odd(int16_t *k, size_t i, unsigned a, unsigned b)
{
	halves(k, i, (int)(2 * a + 1), (int)(2 * b + 1));
}

static void
iq2_xxs(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 66, *q = b + 2 + i % 8 * 8;
		uint32_t word = le32_get(q + 4);

		g->s[i] = half_at(b) * (0.5f + (float)(word >> 28)) * 0.25f;
		for (size_t l = 0; l < 4; l++)
			codes2(g->q + 32 * i + 8 * l, grid_iq2_xxs[q[l]],
			    even_signs(word >> 7 * l & 127));
	}
}

static void
iq2_xs(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 74, *q = b + 2 + i % 8 * 8;
		unsigned scale = b[66 + i % 8];

		g->s[i] = half_at(b) * 0.125f;
		odd(g->k, i, scale & 15, scale >> 4);
		for (size_t l = 0; l < 4; l++) {
			unsigned word = le16_get(q + 2 * l);

			codes2(g->q + 32 * i + 8 * l, grid_iq2_xs[word & 511],
			    even_signs(word >> 9));
		}
	}
}

static void
iq2_s(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 82;
		size_t run = i % 8;
		unsigned scale = b[74 + run];

		g->s[i] = half_at(b) * 0.125f;
		odd(g->k, i, scale & 15, scale >> 4);
		for (size_t l = 0; l < 4; l++)
			codes2(g->q + 32 * i + 8 * l, grid_iq2_s[b[2 + 4 * run + l] |
			    (b[66 + run] >> 2 * l & 3) << 8], b[34 + 4 * run + l]);
	}
}

static void
iq3_xxs(struct dot_groups *g, const void *src, size_t n)
{
	static const int8_t level[] = { 4, 12, 20, 28, 36, 44, 52, 62 };
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 98, *q = b + 2 + i % 8 * 8;
		uint32_t word = le32_get(b + 66 + i % 8 * 4);

		g->s[i] = half_at(b) * (0.5f + (float)(word >> 28)) * 0.5f;
		for (size_t j = 0; j < 32; j++) {
			unsigned signs = even_signs(word >> 7 * (j / 8) & 127);
			int v = level[grid_iq3_xxs[q[j / 4]] >> j % 4 * 3 & 7];

			g->q[32 * i + j] = (int8_t)(signs >> j % 8 & 1 ? -v : v);
		}
	}
}

static void
iq3_s(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 110;
		size_t run = i % 8;

		g->s[i] = half_at(b) *
		    (float)(1 + 2 * (b[106 + run / 2] >> run % 2 * 4 & 15));
		for (size_t j = 0; j < 32; j++) {
			unsigned entry = grid_iq3_s[b[2 + 8 * run + j / 4] |
			    (b[66 + run] >> j / 4 & 1) << 8];
			int v = (int)(2 * (entry >> j % 4 * 3 & 7) + 1);

			g->q[32 * i + j] = (int8_t)(b[74 + 4 * run + j / 8] >> j % 8 & 1 ? -v : v);
		}
	}
}

/* Eighths: 8 (code - 1) and one more or less. */
static void
codes1(int8_t *q, unsigned entry, bool down)
{
	for (int j = 0; j < 8; j++)
		q[j] = (int8_t)(8 * ((int)(entry >> 2 * j & 3) - 1) + (down ? -1 : 1));
}

static void
iq1_s(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 50;
		size_t run = i % 8;
		unsigned high = le16_get(b + 34 + 2 * run);

		g->s[i] = half_at(b) * (float)(2 * (high >> 12 & 7) + 1) * 0.125f;
		for (size_t l = 0; l < 4; l++)
			codes1(g->q + 32 * i + 8 * l, grid_iq1_s[b[2 + 4 * run + l] |
			    (high >> 3 * l & 7) << 8], high >> 15 != 0);
	}
}

static void
iq1_m(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 56;
		size_t run = i % 8;
		unsigned sc = (unsigned)le16_get(b + 48 + run / 2 * 2) >> run % 2 * 6, d = 0;

		for (unsigned l = 0; l < 4; l++)
			d |= (unsigned)(le16_get(b + 48 + 2 * l) >> 12) << 4 * l;
		g->s[i] = type_f16_to((uint16_t)d) * 0.125f;
		odd(g->k, i, sc & 7, sc >> 3 & 7);
		for (size_t l = 0; l < 4; l++) {
			unsigned high = (unsigned)b[32 + 2 * run + l / 2] >> l % 2 * 4;

			codes1(g->q + 32 * i + 8 * l, grid_iq1_s[b[4 * run + l] |
			    (high & 7) << 8], (high & 8) != 0);
		}
	}
}

const struct dot_type dot_iq1_s = { 19, 0, iq1_s };
const struct dot_type dot_iq1_m = { 29, DOT_HALVES, iq1_m };
const struct dot_type dot_iq2_xxs = { 16, 0, iq2_xxs };
const struct dot_type dot_iq2_xs = { 17, DOT_HALVES, iq2_xs };
const struct dot_type dot_iq2_s = { 22, DOT_HALVES, iq2_s };
const struct dot_type dot_iq3_xxs = { 18, 0, iq3_xxs };
const struct dot_type dot_iq3_s = { 21, 0, iq3_s };
