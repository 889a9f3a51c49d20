/* SPDX-License-Identifier: MIT */
/* dot_few.c -- products of the types with few bits, and of whole bytes. */
#include "dot.h"

HEAD(one)
{
	h->s[0] = vf_set1(whole);
}

CODES(apr_q8_codes)
{
	vi_rows(q[0], p, stride);
	vi_rows(q[0] + 4, p + 16, stride);
}

/* The same scale for all groups. */
INLINE void
all(struct head *h, vf s, int groups)
{
	UNROLL
	for (int i = 0; i < groups; i++)
		h->s[i] = s;
}

HEAD(q1_0_head)
{
	all(h, vf_rows_f16(p, stride), 4);
}

/* 0 or 2, less 1. */
CODES(q1_0_codes)
{
	vi bits[4];

	vi_rows(bits, p + 2, stride);
	UNROLL
	for (int i = 0; i < 4; i++)
		UNROLL
		for (int j = 0; j < 8; j++) {
			vi four = (j ? vi_shr(bits[i], 4 * j) : bits[i]) & vi_set1(15);

			/* Copies 7 bits apart: bit k comes to lie at 8 k. */
			q[i][j] = (four * vi_set1(0x00204081) & vi_each(1)) << 1;
		}
}

HEAD(q2_0_head)
{
	all(h, vf_rows_f16(p, stride), 2);
}

/* Four adjacent elements share a byte. */
CODES(q2_0_codes)
{
	vi raw[4];

	vi_rows(raw, p + 2, stride);
	UNROLL
	for (int i = 0; i < 16; i++) {
		vi b = (i % 4 ? vi_shr(raw[i / 4], 8 * (i % 4)) : raw[i / 4]) & vi_set1(255);

		q[i / 8][i % 8] = (b | b << 6 | b << 12 | b << 18) & vi_each(3);
	}
}

HEAD(tq2_0_head)
{
	all(h, vf_rows_f16(p + 64, stride), 8);
}

CODES(tq2_0_codes)
{
	vi raw[8];

	vi_rows(raw, p + 32 * run, stride);
	vi_rows(raw + 4, p + 32 * run + 16, stride);
	UNROLL
	for (int j = 0; j < 8; j++)
		UNROLL
		for (int i = 0; i < 4; i++)
			q[i][j] = (i ? vi_shr(raw[j], 2 * i) : raw[j]) & vi_each(3);
}

HEAD(tq1_0_head)
{
	all(h, vf_rows_f16(p + 52, stride), 8);
}

/* A byte is five trits, the first that which times 3 carries out of it. */
INLINE vi
trit(vi b, int t)
{
	static const int pow3[] = { 1, 3, 9, 27, 81 };
	vi even = b & vi_set1(0x00ff00ff), odd = vi_shr(b, 8) & vi_set1(0x00ff00ff);

	even = (even * vi_set1(pow3[t]) & vi_set1(0x00ff00ff)) * vi_set1(3);
	odd = (odd * vi_set1(pow3[t]) & vi_set1(0x00ff00ff)) * vi_set1(3);
	return (vi_shr(even, 8) & vi_set1(0x00ff00ff)) | (odd & vi_set1((int32_t)0xff00ff00));
}

/* 32 bytes of five trits, then 16, then 4 of four. */
CODES(tq1_0_codes)
{
	vi raw[8];

	if (run < 5) {
		vi_rows(raw, p, stride);
		vi_rows(raw + 4, p + 16, stride);
		UNROLL
		for (int j = 0; j < 8; j++)
			q[0][j] = trit(raw[j], run);
		return;
	}
	vi_rows(raw, p + 32, stride);
	vi_rows(raw + 4, p + 38, stride);	/* its bytes 10 to 13 */
	raw[4] = vi_shr(raw[6], 16) | raw[7] << 16;
	UNROLL
	for (int j = 0; j < 4; j++) {
		q[0][j] = trit(raw[j], 2 * (run - 5));
		q[0][j + 4] = run < 7 ? trit(raw[j], 2 * (run - 5) + 1) : trit(raw[4], j);
	}
}

/* Half of what ue4m3 says; its sign is not looked at. */
INLINE vf
ue4m3(vi c)
{
	vi rest = c & vi_set1(0x7f);
	vf small = vi_float(rest) * vf_set1(0x1p-10f);
	vf s = vf_select(vi_lt(rest, vi_set1(8)), small, vi_bits((rest << 20) + vi_set1(119 << 23)));

	return vf_select(vi_eq(c, vi_set1(0x7f)), vf_set1(0), s);
}

HEAD(nvfp4_head)
{
	vi w[4];

	vi_rows(w, p, stride);
	UNROLL
	for (int i = 0; i < 2; i++) {
		h->s[i] = ue4m3((i ? vi_shr(w[0], 16) : w[0]) & vi_set1(255));
		h->m[i] = ue4m3(vi_shr(w[0], 16 * i + 8) & vi_set1(255));
	}
}

/* Halves of 8 low and 8 high nibbles. */
CODES(nvfp4_codes)
{
	static const b16 e2m1 = {	/* doubled, 16 more */
		16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4,
	};
	vi raw[4];

	vi_rows(raw, p + 4 + 16 * run, stride);
	UNROLL
	for (int j = 0; j < 4; j++) {
		q[0][j / 2 * 4 + j % 2] = vi_lut(e2m1, raw[j] & vi_each(15));
		q[0][j / 2 * 4 + j % 2 + 2] = vi_lut(e2m1, raw[j] >> 4 & vi_each(15));
	}
}

PRODUCT(apr_q8, 0, SIGNED, 1, 1, 32, one, apr_q8_codes)
PRODUCT(q1_0, 0, 1, 4, 4, 18, q1_0_head, q1_0_codes)
PRODUCT(q2_0, 0, 1, 2, 2, 18, q2_0_head, q2_0_codes)
PRODUCT(tq1_0, 0, 1, 8, 1, 54, tq1_0_head, tq1_0_codes)
PRODUCT(tq2_0, 0, 1, 8, 4, 66, tq2_0_head, tq2_0_codes)
PRODUCT(nvfp4, DOT_HALF_SCALES, 16, 2, 1, 36, nvfp4_head, nvfp4_codes)
