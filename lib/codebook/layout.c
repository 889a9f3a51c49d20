/* SPDX-License-Identifier: MIT */
/*
 * layout.c -- the bytes of the codebook types' blocks, and what sets one type
 * apart from the next.
 *
 * A block of 256 is 8 runs of 32, a run 4 groups of 8.
 */
#include "apr/codebook.h"
#include "apr/float.h"

/* Seven sign bits and their parity: minus signs come in even number. */
static uint8_t
even_signs(unsigned s)
{
	unsigned p = s ^ s >> 4;

	p ^= p >> 2;
	p ^= p >> 1;
	return (uint8_t)(s | (p & 1) << 7);
}

/* Four fields of seven bits, and one of four. */
static void
signs_put(uint8_t *p, const uint8_t *sign, unsigned scale)
{
	uint32_t word = (uint32_t)scale << 28;
	int l;

	for (l = 0; l < 4; l++)
		word |= (uint32_t)(sign[l] & 127) << 7 * l;
	le32_put(p, word);
}

static uint8_t
signs_get(uint8_t *sign, const uint8_t *p)
{
	uint32_t word = le32_get(p);
	int l;

	for (l = 0; l < 4; l++)
		sign[l] = even_signs(word >> 7 * l & 127);
	return (uint8_t)(word >> 28);
}

static void
nibbles_put(uint8_t *p, const uint8_t *code, int n)
{
	int i;

	for (i = 0; i < n; i += 2)
		p[i / 2] = (uint8_t)(code[i] | code[i + 1] << 4);
}

static void
nibbles_get(uint8_t *code, const uint8_t *p, int n)
{
	int i;

	for (i = 0; i < n; i++)
		code[i] = p[i / 2] >> i % 2 * 4 & 15;
}

/* d, then for each run four indices, and signs and scale in a word */
static void
iq2_xxs_put(uint8_t *p, const struct codebook_block *b)
{
	int i, run;

	le16_put(p, b->d);
	for (run = 0, p += 2; run < 8; run++, p += 8) {
		for (i = 0; i < 4; i++)
			p[i] = (uint8_t)b->index[4 * run + i];
		signs_put(p + 4, b->sign + 4 * run, b->scale[run]);
	}
}

static void
iq2_xxs_get(struct codebook_block *b, const uint8_t *p)
{
	int i, run;

	b->d = le16_get(p);
	for (run = 0, p += 2; run < 8; run++, p += 8) {
		for (i = 0; i < 4; i++)
			b->index[4 * run + i] = p[i];
		b->scale[run] = signs_get(b->sign + 4 * run, p + 4);
	}
}

/* d, then for each group index and signs in a word, scales[8] */
static void
iq2_xs_put(uint8_t *p, const struct codebook_block *b)
{
	int i;

	le16_put(p, b->d);
	for (i = 0; i < 32; i++)
		le16_put(p + 2 + 2 * i, (uint16_t)(b->index[i] | (b->sign[i] & 127) << 9));
	nibbles_put(p + 66, b->scale, 16);
}

static void
iq2_xs_get(struct codebook_block *b, const uint8_t *p)
{
	int i;

	b->d = le16_get(p);
	for (i = 0; i < 32; i++) {
		b->index[i] = le16_get(p + 2 + 2 * i) & 511;
		b->sign[i] = even_signs(le16_get(p + 2 + 2 * i) >> 9);
	}
	nibbles_get(b->scale, p + 66, 16);
}

/* d, indices[32], signs[32], two more bits of four indices [8], scales[8] */
static void
iq2_s_put(uint8_t *p, const struct codebook_block *b)
{
	int i;

	le16_put(p, b->d);
	memset(p + 66, 0, 8);
	for (i = 0; i < 32; i++) {
		p[2 + i] = (uint8_t)b->index[i];
		p[34 + i] = b->sign[i];
		p[66 + i / 4] |= (uint8_t)(b->index[i] >> 8 << i % 4 * 2);
	}
	nibbles_put(p + 74, b->scale, 16);
}

static void
iq2_s_get(struct codebook_block *b, const uint8_t *p)
{
	int i;

	b->d = le16_get(p);
	for (i = 0; i < 32; i++) {
		b->index[i] = (uint16_t)(p[2 + i] | (p[66 + i / 4] >> i % 4 * 2 & 3) << 8);
		b->sign[i] = p[34 + i];
	}
	nibbles_get(b->scale, p + 74, 16);
}

/* d, indices[64], then for each run signs and scale in a word */
static void
iq3_xxs_put(uint8_t *p, const struct codebook_block *b)
{
	int i;

	le16_put(p, b->d);
	for (i = 0; i < 64; i++)
		p[2 + i] = (uint8_t)b->index[i];
	for (i = 0; i < 8; i++)
		signs_put(p + 66 + 4 * i, b->sign + 4 * i, b->scale[i]);
}

static void
iq3_xxs_get(struct codebook_block *b, const uint8_t *p)
{
	int i;

	b->d = le16_get(p);
	for (i = 0; i < 64; i++)
		b->index[i] = p[2 + i];
	for (i = 0; i < 8; i++)
		b->scale[i] = signs_get(b->sign + 4 * i, p + 66 + 4 * i);
}

/* d, indices[64], a bit more of eight [8], signs[32], scales[4] */
static void
iq3_s_put(uint8_t *p, const struct codebook_block *b)
{
	int i;

	le16_put(p, b->d);
	memset(p + 66, 0, 8);
	for (i = 0; i < 64; i++) {
		p[2 + i] = (uint8_t)b->index[i];
		p[66 + i / 8] |= (uint8_t)(b->index[i] >> 8 << i % 8);
	}
	memcpy(p + 74, b->sign, 32);
	nibbles_put(p + 106, b->scale, 8);
}

static void
iq3_s_get(struct codebook_block *b, const uint8_t *p)
{
	int i;

	b->d = le16_get(p);
	for (i = 0; i < 64; i++)
		b->index[i] = (uint16_t)(p[2 + i] | (p[66 + i / 8] >> i % 8 & 1) << 8);
	memcpy(b->sign, p + 74, 32);
	nibbles_get(b->scale, p + 106, 8);
}

/* d, indices[32], for each run a word: three more bits of four indices, scale,
 * shift */
static void
iq1_s_put(uint8_t *p, const struct codebook_block *b)
{
	unsigned high;
	int i, run;

	le16_put(p, b->d);
	for (run = 0; run < 8; run++) {
		high = (unsigned)b->scale[run] << 12 | (unsigned)b->sign[4 * run] << 15;
		for (i = 0; i < 4; i++) {
			p[2 + 4 * run + i] = (uint8_t)b->index[4 * run + i];
			high |= (unsigned)b->index[4 * run + i] >> 8 << 3 * i;
		}
		le16_put(p + 34 + 2 * run, (uint16_t)high);
	}
}

static void
iq1_s_get(struct codebook_block *b, const uint8_t *p)
{
	unsigned high;
	int i, run;

	b->d = le16_get(p);
	for (run = 0; run < 8; run++) {
		high = le16_get(p + 34 + 2 * run);
		for (i = 0; i < 4; i++) {
			b->index[4 * run + i] = (uint16_t)(p[2 + 4 * run + i] |
			    (high >> 3 * i & 7) << 8);
			b->sign[4 * run + i] = high >> 15 != 0;
		}
		b->scale[run] = high >> 12 & 7;
	}
}

/* indices[32], for each group a nibble: three more bits and the shift [16],
 * four words of four scales and a nibble of d */
static void
iq1_m_put(uint8_t *p, const struct codebook_block *b)
{
	unsigned word;
	int i, j;

	for (i = 0; i < 32; i++)
		p[i] = (uint8_t)b->index[i];
	for (i = 0; i < 16; i++)
		p[32 + i] = (uint8_t)(b->index[2 * i] >> 8 | b->sign[2 * i] << 3 |
		    b->index[2 * i + 1] >> 8 << 4 | b->sign[2 * i + 1] << 7);
	for (i = 0; i < 4; i++) {
		word = (unsigned)(b->d >> 4 * i & 15) << 12;
		for (j = 0; j < 4; j++)
			word |= (unsigned)b->scale[4 * i + j] << 3 * j;
		le16_put(p + 48 + 2 * i, (uint16_t)word);
	}
}

static void
iq1_m_get(struct codebook_block *b, const uint8_t *p)
{
	unsigned word, nibble;
	int i, j;

	for (i = 0; i < 32; i++) {
		nibble = p[32 + i / 2] >> i % 2 * 4 & 15;
		b->index[i] = (uint16_t)(p[i] | (nibble & 7) << 8);
		b->sign[i] = nibble >> 3 & 1;
	}
	b->d = 0;
	for (i = 0; i < 4; i++) {
		word = le16_get(p + 48 + 2 * i);
		b->d = (uint16_t)(b->d | word >> 12 << 4 * i);
		for (j = 0; j < 4; j++)
			b->scale[4 * i + j] = word >> 3 * j & 7;
	}
}

const struct codebook codebook_iq1_s = {
	.name = "IQ1_S", .demands = true, .grid = GRID_IQ1, .bytes = 50, .len = 32, .empty = 1e-12f,
	.energy = 2, .stored = 1.125f, .put = iq1_s_put, .get = iq1_s_get,
};
const struct codebook codebook_iq1_m = {
	.name = "IQ1_M", .grid = GRID_IQ1, .bytes = 56, .len = 16, .empty = 1e-7f,
	.energy = 2, .stored = 1.1125f, .put = iq1_m_put, .get = iq1_m_get,
};
const struct codebook codebook_iq2_xxs = {
	.name = "IQ2_XXS", .demands = true, .grid = GRID_IQ2_XXS, .bytes = 66, .len = 32, .tries = 6,
	.step = 0.1f, .empty = 1e-15f, .energy = 1, .stored = 1, .even = true,
	.put = iq2_xxs_put, .get = iq2_xxs_get,
};
const struct codebook codebook_iq2_xs = {
	.name = "IQ2_XS", .demands = true, .grid = GRID_IQ2_XS, .bytes = 74, .len = 16, .tries = 9,
	.step = 0.1f, .empty = 1e-15f, .energy = 1, .stored = 1, .even = true,
	.put = iq2_xs_put, .get = iq2_xs_get,
};
const struct codebook codebook_iq2_s = {
	.name = "IQ2_S", .grid = GRID_IQ2_S, .bytes = 82, .len = 16, .tries = 9,
	.step = 0.1f, .empty = 1e-8f, .energy = 2, .stored = 0.9875f,
	.put = iq2_s_put, .get = iq2_s_get,
};
const struct codebook codebook_iq3_xxs = {
	.name = "IQ3_XXS", .grid = GRID_IQ3_XXS, .bytes = 98, .len = 32, .tries = 15,
	.step = 0.2f, .empty = 1e-8f, .energy = 2, .stored = 1.0125f, .even = true,
	.put = iq3_xxs_put, .get = iq3_xxs_get,
};
const struct codebook codebook_iq3_s = {
	.name = "IQ3_S", .grid = GRID_IQ3_S, .bytes = 110, .len = 32, .tries = 9,
	.step = 0.2f, .empty = 0, .energy = 2, .stored = 1.033f,
	.put = iq3_s_put, .get = iq3_s_get,
};
