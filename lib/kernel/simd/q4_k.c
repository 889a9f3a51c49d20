/* SPDX-License-Identifier: MIT */
/* q4_k.c -- Q4_K and Q5_K from floats: see lib/type/q4_k.c. */
#include "scales.h"
#include "simd.h"

enum { GROUPS = 8, LEN = 32, HEAD = 16 };

/* The same in each byte of a word. */
#define BYTES(v)	((uint32_t)(v) * 0x01010101)

/* Eight scales and eight minima to twelve bytes, and as they read back. */
static inline void
fields_pack(uint8_t *p, const uint8_t *code, uint8_t *back)
{
	uint32_t c[4], s[3], r[4];	/* scales 0-3 4-7, minima 0-3 4-7 */

	memcpy(c, code, sizeof c);
	s[0] = c[0] | (c[1] >> 4 & BYTES(3)) << 6;
	s[1] = c[2] | (c[3] >> 4 & BYTES(3)) << 6;
	s[2] = (c[1] & BYTES(15)) | (c[3] & BYTES(15)) << 4;
	memcpy(p, s, sizeof s);
	r[0] = s[0] & BYTES(63);
	r[1] = (s[2] & BYTES(15)) | (s[0] >> 6 & BYTES(3)) << 4;
	r[2] = s[1] & BYTES(63);
	r[3] = (s[2] >> 4 & BYTES(15)) | (s[1] >> 6 & BYTES(3)) << 4;
	memcpy(back, r, sizeof r);
}

INLINE void
encode(uint8_t *p, const float *x, size_t n, const float *qw, const struct walk *k)
{
	const int top = k->top, bytes = top == 15 ? 144 : 176;

	while (n > 0) {
		int blocks = n / N < BLOCKS ? (int)(n / N) : BLOCKS;
		struct ranges found;
		struct scales s;

		range_search(k, LEN, x, qw, 2, blocks, &found);
		fit_scales(63, GROUPS, qw != NULL, &found, blocks, &s);
		for (int b = 0; b < blocks; b++, p += bytes, x += N) {
			uint8_t fields[2 * GROUPS], back[2 * GROUPS];
			struct lines line;
			vb c[N / LEN];

			memcpy(p, &s.half[b], 2);
			memcpy(p + 2, &s.half[BLOCKS + b], 2);
			for (int g = 0; g < GROUPS; g++) {
				fields[g] = s.code[g][b];
				fields[GROUPS + g] = s.code[g][BLOCKS + b];
				/* Q4_K with an imatrix does without the cap. */
				if (!qw || top == 31) {
					fields[g] = fields[g] > 63 ? 63 : fields[g];
					fields[GROUPS + g] = fields[GROUPS + g] > 63 ? 63 : fields[GROUPS + g];
				}
			}
			fields_pack(p + 4, fields, back);
			for (int g = 0; g < GROUPS; g++) {
				line.scale[g] = s.whole[b] * (float)back[g];
				line.min[g] = s.whole[BLOCKS + b] * (float)back[GROUPS + g];
			}
			block_codes(&line, LEN, top, x, &found, b * GROUPS, c);
			if (top == 31) {
				vb high = c[0] >> 4;

				UNROLL
				for (int g = 1; g < GROUPS; g++)
					high |= c[g] >> 4 << g;
				vb_store(p + HEAD, high);
			}
			UNROLL
			for (int g = 0; g < GROUPS; g += 2)
				vb_store(p + bytes - N / 2 + g / 2 * LEN, (c[g] & 15) | c[g + 1] << 4);
		}
		n -= (size_t)blocks * N;
		if (qw)
			qw += blocks * N;
	}
}

void
KERNEL(q4_k_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	static const struct walk plain = { 15, -1.0f, 0.1f, 20, BY_SPREAD, false };
	static const struct walk weighted = { 15, -0.9f, 0.05f, 36, BY_IMATRIX, false };

	if (qw)
		encode(dst, x, n, qw, &weighted);
	else
		encode(dst, x, n, NULL, &plain);
}

void
KERNEL(q5_k_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	static const struct walk plain = { 31, -0.5f, 0.1f, 15, BY_SPREAD, false };
	static const struct walk weighted = { 31, -0.9f, 0.05f, 36, BY_IMATRIX, false };

	if (qw)
		encode(dst, x, n, qw, &weighted);
	else
		encode(dst, x, n, NULL, &plain);
}
