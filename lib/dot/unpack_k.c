/* SPDX-License-Identifier: MIT */
/* unpack_k.c -- groups of the types with blocks of 256: K, IQ4, TQ. */
#include "unpack.h"

/* Byte and bit of element i of Q2_K's and Q3_K's codes. */
#define BYTE(i)	((i) / 128 * 32 + (i) % 32)
#define SHIFT(i) ((i) % 128 / 32 * 2)

static void
q2_k(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 84, *sc = b + i % 8 * 2;

		g->s[i] = half_at(b + 80);
		g->m[i] = half_at(b + 82);
		halves(g->k, i, sc[0] & 15, sc[1] & 15);
		halves(g->mk, i, sc[0] >> 4, sc[1] >> 4);
		for (size_t j = 0, e = i % 8 * 32; j < 32; j++, e++)
			g->q[32 * i + j] = b[16 + BYTE(e)] >> SHIFT(e) & 3;
	}
}

static int
q3_k_scale(const uint8_t *s, size_t h)
{
	return ((s[h % 8] >> h / 8 * 4 & 15) | (s[8 + h % 4] >> h / 4 * 2 & 3) << 4) - 32;
}

static void
q3_k(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 110;
		size_t h = i % 8 * 2;

		g->s[i] = half_at(b + 108);
		halves(g->k, i, q3_k_scale(b + 96, h), q3_k_scale(b + 96, h + 1));
		for (size_t j = 0, e = i % 8 * 32; j < 32; j++, e++)
			g->q[32 * i + j] = (int8_t)((b[32 + BYTE(e)] >> SHIFT(e) & 3) +
			    (b[e % 32] >> e / 32 & 1) * 4 - 4);
	}
}

/* Six bits of scale and of minimum from Q4_K's and Q5_K's twelve bytes. */
static void
fields(const uint8_t *s, size_t g, int *scale, int *min)
{
	if (g < 4) {
		*scale = s[g] & 63;
		*min = s[g + 4] & 63;
	} else {
		*scale = (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
		*min = s[g + 4] >> 4 | s[g] >> 6 << 4;
	}
}

static void
q45_k(struct dot_groups *g, const uint8_t *p, size_t n, bool five)
{
	int scale, min;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * (five ? 176 : 144);
		const uint8_t *qs = b + (five ? 48 : 16) + i % 8 / 2 * 32;

		fields(b + 4, i % 8, &scale, &min);
		g->s[i] = half_at(b) * (float)scale;
		g->m[i] = half_at(b + 2) * (float)min;
		for (size_t j = 0; j < 32; j++)
			g->q[32 * i + j] = (int8_t)((qs[j] >> i % 2 * 4 & 15) |
			    (five ? (b[16 + j] >> i % 8 & 1) << 4 : 0));
	}
}

static void
q4_k(struct dot_groups *g, const void *src, size_t n)
{
	q45_k(g, src, n, false);
}

static void
q5_k(struct dot_groups *g, const void *src, size_t n)
{
	q45_k(g, src, n, true);
}

static void
q6_k(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 210, *sc = b + 192 + i % 8 * 2;
		size_t half = i % 8 / 4, at = i % 4;
		const uint8_t *ql = b + half * 64 + at % 2 * 32, *qh = b + 128 + half * 32;

		g->s[i] = half_at(b + 208);
		halves(g->k, i, (int8_t)sc[0], (int8_t)sc[1]);
		for (size_t j = 0; j < 32; j++)
			g->q[32 * i + j] = (int8_t)(((ql[j] >> at / 2 * 4 & 15) |
			    (qh[j] >> at * 2 & 3) << 4) - 32);
	}
}

static const int8_t iq4[16] = {
	-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

static void
codes4(int8_t *q, const uint8_t *p)
{
	for (int j = 0; j < 16; j++) {
		q[j] = iq4[p[j] & 15];
		q[j + 16] = iq4[p[j] >> 4];
	}
}

static void
iq4_nl(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++, p += 18) {
		g->s[i] = half_at(p);
		codes4(g->q + 32 * i, p + 2);
	}
}

static void
iq4_xs(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 136;
		size_t h = i % 8;
		int scale = (b[4 + h / 2] >> h % 2 * 4 & 15) |
		    (le16_get(b + 2) >> 2 * h & 3) << 4;

		g->s[i] = half_at(b) * (float)(scale - 32);
		codes4(g->q + 32 * i, b + 8 + 16 * h);
	}
}

/* Where 5 trits a byte stand: 32 bytes, 16 bytes, then 4 of 4 trits. */
static void
tq1_0(struct dot_groups *g, const void *src, size_t n)
{
	static const uint8_t pow3[] = { 1, 3, 9, 27, 81 };
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 54;

		g->s[i] = half_at(b + 52);
		for (size_t j = 0, e = i % 8 * 32; j < 32; j++, e++) {
			size_t at = e < 160 ? e % 32 : e < 240 ? 32 + (e - 160) % 16 :
			    48 + (e - 240) % 4;
			size_t t = e < 160 ? e / 32 : e < 240 ? (e - 160) / 16 : (e - 240) / 4;
			int v = b[at] * pow3[t] & 255;

			g->q[32 * i + j] = (int8_t)((v * 3 >> 8) - 1);
		}
	}
}

static void
tq2_0(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 8 * 66;

		g->s[i] = half_at(b + 64);
		for (size_t j = 0, e = i % 8 * 32; j < 32; j++, e++)
			g->q[32 * i + j] = (int8_t)((b[BYTE(e)] >> SHIFT(e) & 3) - 1);
	}
}

const struct dot_type dot_q2_k = { 10, DOT_HALVES | DOT_MIN_HALVES, q2_k };
const struct dot_type dot_q3_k = { 11, DOT_HALVES, q3_k };
const struct dot_type dot_q4_k = { 12, DOT_MIN, q4_k };
const struct dot_type dot_q5_k = { 13, DOT_MIN, q5_k };
const struct dot_type dot_q6_k = { 14, DOT_HALVES, q6_k };
const struct dot_type dot_iq4_nl = { 20, 0, iq4_nl };
const struct dot_type dot_iq4_xs = { 23, 0, iq4_xs };
const struct dot_type dot_tq1_0 = { 34, 0, tq1_0 };
const struct dot_type dot_tq2_0 = { 35, 0, tq2_0 };
