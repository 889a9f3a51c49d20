/* SPDX-License-Identifier: MIT */
/*
 * iq.c -- the codebook types IQ1, IQ2, IQ3, which are only decoded.
 *
 * In all of them a block of 256 is 8 runs of 32, a run 4 groups of 8.
 */
#include "block.h"
#include "iq_grids.h"

/* Seven sign bits and their parity: minus signs come in even number. */
static unsigned
even_signs(unsigned s)
{
	unsigned p = s ^ s >> 4;

	p ^= p >> 2;
	p ^= p >> 1;
	return s | (p & 1) << 7;
}

/* Eight values of an IQ2 entry. */
static void
group2(float *dst, float d, unsigned entry, unsigned signs)
{
	static const float level[] = { 8, 25, 43, 0 };
	float v;
	int j;

	for (j = 0; j < 8; j++) {
		v = d * level[entry >> 2 * j & 3];
		dst[j] = signs >> j & 1 ? -v : v;
	}
}

static void
iq2_xxs_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src, *q;
	uint32_t word;
	float d;
	int l, run;

	for (; n >= 256; n -= 256, p += 66)
		for (run = 0; run < 8; run++) {
			q = p + 2 + 8 * run;
			word = le32_get(q + 4);
			d = f16_get(p) * (0.5f + (float)(word >> 28)) * 0.25f;
			for (l = 0; l < 4; l++, dst += 8)
				group2(dst, d, grid_iq2_xxs[q[l]],
				    even_signs(word >> 7 * l & 127));
		}
}

const struct type type_iq2_xxs = {
	.name = "IQ2_XXS", .ggml = 16, .block = 256, .bytes = 66,
	.to_f32 = iq2_xxs_decode,
};

/* Scale of a pair of groups: the nibbles of a run's byte. */
static float
scale2(float d, uint8_t nibbles, int l)
{
	return d * (0.5f + (float)(nibbles >> l / 2 * 4 & 15)) * 0.25f;
}

static void
iq2_xs_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	unsigned word;
	int l, run;

	for (; n >= 256; n -= 256, p += 74)
		for (run = 0; run < 8; run++)
			for (l = 0; l < 4; l++, dst += 8) {
				word = le16_get(p + 2 + 8 * run + 2 * l);
				group2(dst, scale2(f16_get(p), p[66 + run], l),
				    grid_iq2_xs[word & 511],
				    even_signs(word >> 9));
			}
}

const struct type type_iq2_xs = {
	.name = "IQ2_XS", .ggml = 17, .block = 256, .bytes = 74,
	.to_f32 = iq2_xs_decode,
};

/* d, indices[32], signs[32], qh[8], scales[8] */
static void
iq2_s_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	int index, l, run;

	for (; n >= 256; n -= 256, p += 82)
		for (run = 0; run < 8; run++)
			for (l = 0; l < 4; l++, dst += 8) {
				index = p[2 + 4 * run + l] |
				    (p[66 + run] >> 2 * l & 3) << 8;
				group2(dst, scale2(f16_get(p), p[74 + run], l),
				    grid_iq2_s[index], p[34 + 4 * run + l]);
			}
}

const struct type type_iq2_s = {
	.name = "IQ2_S", .ggml = 22, .block = 256, .bytes = 82,
	.to_f32 = iq2_s_decode,
};

static void
iq3_xxs_decode(float *dst, const void *src, size_t n)
{
	static const float level[] = { 4, 12, 20, 28, 36, 44, 52, 62 };
	const uint8_t *p = src, *q;
	unsigned entry, signs;
	uint32_t word;
	float d, v;
	int j, l, run;

	for (; n >= 256; n -= 256, p += 98)
		for (run = 0; run < 8; run++) {
			q = p + 2 + 8 * run;
			word = le32_get(p + 66 + 4 * run);
			d = f16_get(p) * (0.5f + (float)(word >> 28)) * 0.5f;
			for (l = 0; l < 4; l++, dst += 8) {
				signs = even_signs(word >> 7 * l & 127);
				for (j = 0; j < 8; j++) {
					entry = grid_iq3_xxs[q[2 * l + j / 4]];
					v = d * level[entry >> j % 4 * 3 & 7];
					dst[j] = signs >> j & 1 ? -v : v;
				}
			}
		}
}

const struct type type_iq3_xxs = {
	.name = "IQ3_XXS", .ggml = 18, .block = 256, .bytes = 98,
	.to_f32 = iq3_xxs_decode,
};

/* d, qs[64], qh[8], signs[32], scales[4] */
static void
iq3_s_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	unsigned entry, signs;
	int i, j, l, run, scale;
	float d, v;

	for (; n >= 256; n -= 256, p += 110)
		for (run = 0; run < 8; run++) {
			scale = p[106 + run / 2] >> run % 2 * 4 & 15;
			d = f16_get(p) * (float)(1 + 2 * scale);
			for (l = 0; l < 4; l++, dst += 8) {
				signs = p[74 + 4 * run + l];
				for (j = 0; j < 8; j++) {
					i = 2 * l + j / 4;
					entry = grid_iq3_s[p[2 + 8 * run + i] |
					    (p[66 + run] >> i & 1) << 8];
					entry = entry >> j % 4 * 3 & 7;
					v = d * (float)(2 * entry + 1);
					dst[j] = signs >> j & 1 ? -v : v;
				}
			}
		}
}

const struct type type_iq3_s = {
	.name = "IQ3_S", .ggml = 21, .block = 256, .bytes = 110,
	.to_f32 = iq3_s_decode,
};

/* Eight values of an IQ1 entry, moved off their places by an eighth. */
static void
group1(float *dst, float d, unsigned entry, bool down)
{
	float delta = down ? -0.125f : 0.125f;
	int j;

	for (j = 0; j < 8; j++)
		dst[j] = d * ((float)(entry >> 2 * j & 3) - 1 + delta);
}

/* d, qs[32], u16 qh[8] */
static void
iq1_s_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	unsigned high, index;
	int l, run;
	float d;

	for (; n >= 256; n -= 256, p += 50)
		for (run = 0; run < 8; run++) {
			high = le16_get(p + 34 + 2 * run);
			d = f16_get(p) * (float)(2 * (high >> 12 & 7) + 1);
			for (l = 0; l < 4; l++, dst += 8) {
				index = p[2 + 4 * run + l] |
				    (high >> 3 * l & 7) << 8;
				group1(dst, d, grid_iq1_s[index],
				    high >> 15 != 0);
			}
		}
}

const struct type type_iq1_s = {
	.name = "IQ1_S", .ggml = 19, .block = 256, .bytes = 50,
	.to_f32 = iq1_s_decode,
};

/* qs[32], qh[16], u16 scales[4] whose top nibbles make up d */
static void
iq1_m_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	unsigned bits, high, sc, scale;
	int l, run;
	float d;

	for (; n >= 256; n -= 256, p += 56) {
		bits = 0;
		for (l = 0; l < 4; l++)
			bits |= (unsigned)(le16_get(p + 48 + 2 * l) >> 12) <<
			    4 * l;
		d = f16_to((uint16_t)bits);
		for (run = 0; run < 8; run++) {
			sc = le16_get(p + 48 + run / 2 * 2);
			for (l = 0; l < 4; l++, dst += 8) {
				scale = sc >> (run % 2 * 6 + l / 2 * 3) & 7;
				high = (unsigned)p[32 + 2 * run + l / 2] >>
				    l % 2 * 4;
				group1(dst, d * (float)(2 * scale + 1),
				    grid_iq1_s[p[4 * run + l] |
				    (high & 7) << 8], (high & 8) != 0);
			}
		}
	}
}

const struct type type_iq1_m = {
	.name = "IQ1_M", .ggml = 29, .block = 256, .bytes = 56,
	.to_f32 = iq1_m_decode,
};
