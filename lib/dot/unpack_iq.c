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

/* Eight codes as the bytes of a word: those of 2 bits in `entry`, of 3 bits. */
static uint64_t
spread2(uint64_t x)
{
	x = (x | x << 24) & 0x000000ff000000ff;
	x = (x | x << 12) & 0x000f000f000f000f;
	return (x | x << 6) & 0x0303030303030303;
}

static uint64_t
spread3(uint64_t a, uint64_t b)
{
	uint64_t x = (a & 0xfff) | (b & 0xfff) << 32;

	x = (x | x << 10) & 0x003f003f003f003f;
	return (x | x << 5) & 0x0707070707070707;
}

/* Bytes, none of them 0, negative where there is a sign. */
static void
signs_put(int8_t *q, uint64_t x, unsigned signs)
{
	uint64_t bit = (uint64_t)signs * 0x0101010101010101 & 0x8040201008040201;
	uint64_t one = (bit + 0x00406070787c7e7f) >> 7 & 0x0101010101010101;

	le64_put(q, (x ^ one * 0xff) + one);
}

/* Levels 8, 25, 43. */
static void
codes2(int8_t *q, unsigned entry, unsigned signs)
{
	uint64_t c = spread2(entry);

	signs_put(q, 0x0808080808080808 + c * 17 + (c >> 1 & 0x0101010101010101), signs);
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
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 98, *q = b + 2 + i % 8 * 8;
		uint32_t word = le32_get(b + 66 + i % 8 * 4);

		g->s[i] = half_at(b) * (0.5f + (float)(word >> 28)) * 0.5f;
		/* Levels 4, 12 .. 52, and 62 for the last. */
		for (size_t l = 0; l < 4; l++) {
			uint64_t c = spread3(grid_iq3_xxs[q[2 * l]], grid_iq3_xxs[q[2 * l + 1]]);
			uint64_t last = c & c >> 1 & c >> 2 & 0x0101010101010101;

			signs_put(g->q + 32 * i + 8 * l, 0x0404040404040404 + c * 8 + last * 2,
			    even_signs(word >> 7 * l & 127));
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
		for (size_t l = 0; l < 4; l++) {
			const uint8_t *at = b + 2 + 8 * run + 2 * l;
			unsigned high = b[66 + run] >> 2 * l;
			uint64_t c = spread3(grid_iq3_s[at[0] | (high & 1) << 8],
			    grid_iq3_s[at[1] | (high & 2) << 7]);

			signs_put(g->q + 32 * i + 8 * l, 0x0101010101010101 + c * 2,
			    b[74 + 4 * run + l]);
		}
	}
}

/* Eighths: 8 (code - 1) and one more or less. */
static void
codes1(int8_t *q, unsigned entry, bool down)
{
	uint64_t less = down ? 0x0909090909090909 : 0x0707070707070707;

	/* 128 more keeps bytes from borrowing. */
	le64_put(q, (spread2(entry) * 8 + 0x8080808080808080 - less) ^ 0x8080808080808080);
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
