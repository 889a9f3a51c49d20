/* SPDX-License-Identifier: MIT */
/* dot_k.c -- products of the types with blocks of 256. */
#include "dot.h"

INLINE vf
byte_float(vi v, int i)
{
	return vi_float((i ? vi_shr(v, 8 * i) : v) & vi_set1(255));
}

/* Four rows of 16 bytes: d, min, and twelve of six-bit fields. */
HEAD(q45_head)
{
	vi w[4], sc[2], mn[2];
	vf d, m;

	vi_rows(w, p, stride);
	d = vf_half(w[0]);
	m = vf_half(vi_shr(w[0], 16));
	sc[0] = w[1] & vi_each(63);
	mn[0] = w[2] & vi_each(63);
	sc[1] = (w[3] & vi_each(15)) | (vi_shr(w[1], 2) & vi_each(0x30));
	mn[1] = (vi_shr(w[3], 4) & vi_each(15)) | (vi_shr(w[2], 2) & vi_each(0x30));
	UNROLL
	for (int i = 0; i < 8; i++) {
		h->s[i] = d * byte_float(sc[i / 4], i % 4);
		h->m[i] = m * byte_float(mn[i / 4], i % 4);
	}
}

/* 32 bytes: two groups. */
INLINE void
two(vi (*q)[8], const uint8_t *p, size_t stride)
{
	vi_rows(q[0], p, stride);
	vi_rows(q[0] + 4, p + 16, stride);
	UNROLL
	for (int j = 0; j < 8; j++) {
		q[1][j] = q[0][j] >> 4 & vi_each(15);
		q[0][j] &= vi_each(15);
	}
}

CODES(q4_k_codes)
{
	two(q, p + 16 + 32 * run, stride);
}

CODES(q5_k_codes)
{
	vi high[8];

	two(q, p + 48 + 32 * run, stride);
	vi_rows(high, p + 16, stride);
	vi_rows(high + 4, p + 32, stride);
	UNROLL
	for (int j = 0; j < 8; j++) {
		vi h = run ? vi_shr(high[j], 2 * run) : high[j];

		q[0][j] |= (h & vi_each(1)) << 4;
		q[1][j] |= (h & vi_each(2)) << 3;
	}
}

/* Integer factors of halves: 16 signed bytes. */
HEAD(q6_k_head)
{
	vf d = vf_rows_f16(p + 208, stride);
	vi w[4];

	vi_rows(w, p + 192, stride);
	UNROLL
	for (int i = 0; i < 8; i++) {
		h->s[i] = d;
		h->k[i][0] = vi_float(w[i / 2] << (24 - 16 * (i % 2)) >> 24);
		h->k[i][1] = vi_float(w[i / 2] << (16 - 16 * (i % 2)) >> 24);
	}
}

/* Half a block: groups 0 and 2 share bytes, as do 1 and 3. */
CODES(q6_k_codes)
{
	const uint8_t *low = p + 64 * run, *high = p + 128 + 32 * run;
	vi h[8];

	vi_rows(h, high, stride);
	vi_rows(h + 4, high + 16, stride);
	UNROLL
	for (int i = 0; i < 2; i++) {
		vi_rows(q[i], low + 32 * i, stride);
		vi_rows(q[i] + 4, low + 32 * i + 16, stride);
		UNROLL
		for (int j = 0; j < 8; j++) {
			vi two_low = i ? vi_shr(h[j], 2) : h[j], two_high = vi_shr(h[j], 4 + 2 * i);

			q[i + 2][j] = (vi_shr(q[i][j], 4) & vi_each(15)) | (two_high & vi_each(3)) << 4;
			q[i][j] = (q[i][j] & vi_each(15)) | (two_low & vi_each(3)) << 4;
		}
	}
}

HEAD(q2_k_head)
{
	vf d = vf_rows_f16(p + 80, stride), m = vf_rows_f16(p + 82, stride);
	vi w[4];

	vi_rows(w, p, stride);
	UNROLL
	for (int i = 0; i < 16; i++) {
		vi b = i % 4 ? vi_shr(w[i / 4], 8 * (i % 4)) : w[i / 4];

		h->s[i / 2] = d;
		h->k[i / 2][i % 2] = vi_float(b & vi_set1(15));
		h->mk[i / 2][i % 2] = m * vi_float(b >> 4 & vi_set1(15));
	}
}

/* 32 bytes: four groups. */
INLINE void
four(vi (*q)[8], const uint8_t *p, size_t stride)
{
	vi raw[8];

	vi_rows(raw, p, stride);
	vi_rows(raw + 4, p + 16, stride);
	UNROLL
	for (int j = 0; j < 8; j++)
		UNROLL
		for (int i = 0; i < 4; i++)
			q[i][j] = (i ? vi_shr(raw[j], 2 * i) : raw[j]) & vi_each(3);
}

CODES(q2_k_codes)
{
	four(q, p + 16 + 32 * run, stride);
}

HEAD(q3_k_head)
{
	vf d = vf_rows_f16(p + 108, stride);
	vi w[4], sc[4];

	/* The twelve bytes are the middle of these; 2 before and d behind. */
	vi_rows(w, p + 94, stride);
	UNROLL
	for (int i = 0; i < 3; i++)
		w[i] = vi_shr(w[i], 16) | w[i + 1] << 16;
	UNROLL
	for (int i = 0; i < 4; i++)
		sc[i] = ((i < 2 ? w[i] : vi_shr(w[i - 2], 4)) & vi_each(15)) |
		    ((i ? vi_shr(w[2], 2 * i) : w[2]) & vi_each(3)) << 4;
	UNROLL
	for (int i = 0; i < 16; i++) {
		h->s[i / 2] = d;
		h->k[i / 2][i % 2] = byte_float(sc[i / 4], i % 4) - vf_set1(32);
	}
}

CODES(q3_k_codes)
{
	vi high[8];

	four(q, p + 32 + 32 * run, stride);
	vi_rows(high, p, stride);
	vi_rows(high + 4, p + 16, stride);
	UNROLL
	for (int j = 0; j < 8; j++)
		UNROLL
		for (int i = 0; i < 4; i++) {
			int bit = 4 * run + i;

			q[i][j] |= ((bit ? vi_shr(high[j], bit) : high[j]) & vi_each(1)) << 2;
		}
}

static const b16 iq4 = {
	(uint8_t)-127, (uint8_t)-104, (uint8_t)-83, (uint8_t)-65, (uint8_t)-49, (uint8_t)-35,
	(uint8_t)-22, (uint8_t)-10, 1, 13, 25, 38, 53, 69, 89, 113,
};

/* f16, 16 bits of high parts, four bytes of low ones. */
HEAD(iq4_xs_head)
{
	vi w[4];
	vf d;

	vi_rows(w, p, stride);
	d = vf_half(w[0]);
	UNROLL
	for (int i = 0; i < 8; i++) {
		vi low = (i ? vi_shr(w[1], 4 * i) : w[1]) & vi_set1(15);
		vi high = vi_shr(w[0], 16 + 2 * i) & vi_set1(3);

		h->s[i] = d * vi_float((low | high << 4) - vi_set1(32));
	}
}

CODES(iq4_xs_codes)
{
	vi_rows(q[0], p + 8 + 16 * run, stride);
	UNROLL
	for (int j = 0; j < 4; j++) {
		q[0][j + 4] = vi_lut(iq4, q[0][j] >> 4 & vi_each(15));
		q[0][j] = vi_lut(iq4, q[0][j] & vi_each(15));
	}
}

PRODUCT(q2_k, DOT_HALVES | DOT_MIN_HALVES, 0, 8, 4, 84, q2_k_head, q2_k_codes)
PRODUCT(q3_k, DOT_HALVES, 4, 8, 4, 110, q3_k_head, q3_k_codes)
PRODUCT(q4_k, DOT_MIN, 0, 8, 2, 144, q45_head, q4_k_codes)
PRODUCT(q5_k, DOT_MIN, 0, 8, 2, 176, q45_head, q5_k_codes)
PRODUCT(q6_k, DOT_HALVES, 32, 8, 4, 210, q6_k_head, q6_k_codes)
PRODUCT(iq4_xs, 0, SIGNED, 8, 1, 136, iq4_xs_head, iq4_xs_codes)
