/* SPDX-License-Identifier: MIT */
/* dot_32.c -- products of the types with blocks of 32. */
#include "dot.h"

static const b16 iq4 = {	/* 128 more than they are would not fit _u */
	(uint8_t)-127, (uint8_t)-104, (uint8_t)-83, (uint8_t)-65, (uint8_t)-49, (uint8_t)-35,
	(uint8_t)-22, (uint8_t)-10, 1, 13, 25, 38, 53, 69, 89, 113,
};
static const b16 e2m1 = {	/* doubled, 16 more */
	16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4,
};

INLINE void
nibbles(vi *q, const uint8_t *p, size_t stride)
{
	vi_rows(q, p, stride);
	UNROLL
	for (int j = 0; j < 4; j++) {
		q[j + 4] = q[j] >> 4 & vi_each(15);
		q[j] &= vi_each(15);
	}
}

HEAD(scale)
{
	h->s[0] = vf_rows_f16(p, stride);
}

HEAD(scale_and_min)
{
	h->s[0] = vf_rows_f16(p, stride);
	h->m[0] = -vf_rows_f16(p + 2, stride);
}

/* Four bytes of each row, which may be read to the 16th. */
INLINE vi
row_words(const uint8_t *p, size_t stride)
{
	vi w[4];

	vi_rows(w, p, stride);
	return w[0];
}

/* Bit 4 j + i of a word becomes bit 4 of byte i of vector j. */
INLINE void
fifth_bits(vi *q, vi word)
{
	UNROLL
	for (int j = 0; j < 8; j++) {
		vi four = (j ? vi_shr(word, 4 * j) : word) & vi_set1(15);

		/* 4 copies, 7 bits apart, each with the bit that it is for. */
		q[j] |= (four * vi_set1(0x00204081) & vi_each(1)) << 4;
	}
}

CODES(q4_0_codes)
{
	nibbles(q[0], p + 2, stride);
}

CODES(q4_1_codes)
{
	nibbles(q[0], p + 4, stride);
}

CODES(q5_0_codes)
{
	nibbles(q[0], p + 6, stride);
	fifth_bits(q[0], row_words(p + 2, stride));
}

CODES(q5_1_codes)
{
	nibbles(q[0], p + 8, stride);
	fifth_bits(q[0], row_words(p + 4, stride));
}

CODES(q8_0_codes)
{
	vi_rows(q[0], p + 2, stride);
	vi_rows(q[0] + 4, p + 18, stride);
}

CODES(iq4_nl_codes)
{
	nibbles(q[0], p + 2, stride);
	UNROLL
	for (int j = 0; j < 8; j++)
		q[0][j] = vi_lut(iq4, q[0][j]);
}

CODES(mxfp4_codes)
{
	nibbles(q[0], p + 1, stride);
	UNROLL
	for (int j = 0; j < 8; j++)
		q[0][j] = vi_lut(e2m1, q[0][j]);
}

/* Half of what e8m0 says. */
HEAD(mxfp4_scale)
{
	vi e = row_words(p, stride) & vi_set1(255);

	h->s[0] = vi_bits(vi_select(vi_lt(e, vi_set1(2)), (e + vi_set1(1)) << 21, (e - vi_set1(1)) << 23));
}

/* Adjacent elements share a byte. */
CODES(apr_q4_codes)
{
	vi raw[4];

	vi_rows(raw, p + 2, stride);
	UNROLL
	for (int j = 0; j < 8; j++) {
		vi t = j % 2 ? vi_shr(raw[j / 2], 16) : raw[j / 2];

		t = (t & vi_set1(0xff)) | (t & vi_set1(0xff00)) << 8;
		q[0][j] = (t | t << 4) & vi_each(15);
	}
}

PRODUCT(q4_0, 0, 8, 1, 1, 18, scale, q4_0_codes)
PRODUCT(q4_1, DOT_MIN, 0, 1, 1, 20, scale_and_min, q4_1_codes)
PRODUCT(q5_0, 0, 16, 1, 1, 22, scale, q5_0_codes)
PRODUCT(q5_1, DOT_MIN, 0, 1, 1, 24, scale_and_min, q5_1_codes)
PRODUCT(q8_0, 0, SIGNED, 1, 1, 34, scale, q8_0_codes)
PRODUCT(iq4_nl, 0, SIGNED, 1, 1, 18, scale, iq4_nl_codes)
PRODUCT(mxfp4, 0, 16, 1, 1, 17, mxfp4_scale, mxfp4_codes)
PRODUCT(apr_q4, 0, 8, 1, 1, 18, scale, apr_q4_codes)
