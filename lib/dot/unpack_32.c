/* SPDX-License-Identifier: MIT */
/* unpack_32.c -- groups of the types with small blocks and one scale each. */
#include "unpack.h"

/* Elements 0-15 in the low nibbles, 16-31 in the high ones, less `zero`. */
static void
nibbles(int8_t *q, const uint8_t *p, int zero)
{
	for (int j = 0; j < 16; j++) {
		q[j] = (int8_t)((p[j] & 15) - zero);
		q[j + 16] = (int8_t)((p[j] >> 4) - zero);
	}
}

static void
fifth_bits(int8_t *q, const uint8_t *p)
{
	uint32_t high = le32_get(p);

	for (int j = 0; j < 32; j++)
		q[j] = (int8_t)(q[j] + (int)((high >> j & 1) << 4));
}

static void
q4_0(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++, p += 18) {
		g->s[i] = half_at(p);
		nibbles(g->q + 32 * i, p + 2, 8);
	}
}

static void
q4_1(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++, p += 20) {
		g->s[i] = half_at(p);
		g->m[i] = -half_at(p + 2);
		nibbles(g->q + 32 * i, p + 4, 0);
	}
}

static void
q5_0(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++, p += 22) {
		g->s[i] = half_at(p);
		nibbles(g->q + 32 * i, p + 6, 16);
		fifth_bits(g->q + 32 * i, p + 2);
	}
}

static void
q5_1(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++, p += 24) {
		g->s[i] = half_at(p);
		g->m[i] = -half_at(p + 2);
		nibbles(g->q + 32 * i, p + 8, 0);
		fifth_bits(g->q + 32 * i, p + 4);
	}
}

static void
q8_0(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++, p += 34) {
		g->s[i] = half_at(p);
		memcpy(g->q + 32 * i, p + 2, 32);
	}
}

static void
q1_0(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 4 * 18;

		g->s[i] = half_at(b);
		for (size_t j = 0; j < 32; j++)
			g->q[32 * i + j] = b[2 + i % 4 * 4 + j / 8] >> j % 8 & 1 ? 1 : -1;
	}
}

static void
q2_0(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 2 * 18;

		g->s[i] = half_at(b);
		for (size_t j = 0; j < 32; j++)
			g->q[32 * i + j] = (int8_t)((b[2 + i % 2 * 8 + j / 4] >> j % 4 * 2 & 3) - 1);
	}
}

static const int8_t e2m1[16] = {	/* doubled */
	0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
};

static float
bits(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

static void
mxfp4(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++, p += 17) {
		g->s[i] = p[0] < 2 ? bits((uint32_t)0x00200000 << p[0]) :
		    bits((uint32_t)(p[0] - 1) << 23);
		for (int j = 0; j < 16; j++) {
			g->q[32 * i + (size_t)j] = e2m1[p[1 + j] & 15];
			g->q[32 * i + 16 + (size_t)j] = e2m1[p[1 + j] >> 4];
		}
	}
}

static float
ue4m3_half(uint8_t c)
{
	uint32_t rest = c & 0x7f;

	if (c == 0x7f)
		return 0;
	return rest < 8 ? (float)rest * 0x1p-10f : bits((rest << 20) + (119u << 23));
}

static void
nvfp4(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++) {
		const uint8_t *b = p + i / 2 * 36, *qs = b + 4 + i % 2 * 16;

		g->s[i] = ue4m3_half(b[i % 2 * 2]);
		g->m[i] = ue4m3_half(b[i % 2 * 2 + 1]);
		for (int h = 0; h < 2; h++)
			for (int j = 0; j < 8; j++) {
				g->q[32 * i + (size_t)(16 * h + j)] = e2m1[qs[8 * h + j] & 15];
				g->q[32 * i + (size_t)(16 * h + 8 + j)] = e2m1[qs[8 * h + j] >> 4];
			}
	}
}

/* Adjacent elements share a byte. */
static void
apr_q4(struct dot_groups *g, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n / 32; i++, p += 18) {
		g->s[i] = half_at(p);
		for (size_t j = 0; j < 32; j++)
			g->q[32 * i + j] = (int8_t)((p[2 + j / 2] >> j % 2 * 4 & 15) - 8);
	}
}

/* The one scale is the caller's: s is left alone. */
static void
apr_q8(struct dot_groups *g, const void *src, size_t n)
{
	memcpy(g->q, src, n);
}

const struct dot_type dot_q4_0 = { 2, 0, q4_0 };
const struct dot_type dot_q4_1 = { 3, DOT_MIN, q4_1 };
const struct dot_type dot_q5_0 = { 6, 0, q5_0 };
const struct dot_type dot_q5_1 = { 7, DOT_MIN, q5_1 };
const struct dot_type dot_q8_0 = { 8, 0, q8_0 };
const struct dot_type dot_q1_0 = { 41, 0, q1_0 };
const struct dot_type dot_q2_0 = { 42, 0, q2_0 };
const struct dot_type dot_mxfp4 = { 39, 0, mxfp4 };
const struct dot_type dot_nvfp4 = { 40, DOT_HALF_SCALES, nvfp4 };
const struct dot_type dot_apr_q4 = { -1, 0, apr_q4 };
const struct dot_type dot_apr_q8 = { -1, 0, apr_q8 };
