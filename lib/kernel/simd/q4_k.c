/* SPDX-License-Identifier: MIT */
/* q4_k.c -- Q4_K and Q5_K from floats: see lib/type/q4_k.c. */
#include "scales.h"
#include "simd.h"

enum { GROUPS = 8, LEN = 32, HEAD = 16 };

INLINE void
encode(uint8_t *p, const float *x, size_t n, const float *qw, const struct walk *k)
{
	const int top = k->top, bytes = top == 15 ? 144 : 176;

	while (n > 0) {
		int blocks = n / N < BLOCKS ? (int)(n / N) : BLOCKS;
		struct ranges found;
		struct scales s;
		struct lines lines;
		uint32_t six[W], four[W];
		vi back[2];

		range_search(k, LEN, x, qw, 2, blocks, &found);
		/* Q4_K with an imatrix does without the cap, and spills. */
		fit_scales(63, !qw || top == 31 ? 63 : 255, GROUPS, qw != NULL, &found, blocks, &s);
		/* Groups 0-3 have six bits and two of 4-7; those have four. */
		s.word[0] |= (vi_shr(s.word[1], 4) & BYTES(3)) << 6;
		s.word[1] &= BYTES(15);
		back[0] = s.word[0] & BYTES(63);
		back[1] = s.word[1] | (vi_shr(s.word[0], 6) & BYTES(3)) << 4;
		lines_init(&lines, GROUPS, &s, back);
		vi_store(six, s.word[0]);
		vi_store(four, s.word[1]);
		for (int b = 0; b < blocks; b++, p += bytes, x += N) {
			uint32_t fields[3] = { six[b], six[BLOCKS + b], four[b] | four[BLOCKS + b] << 4 };
			vb c[N / LEN];

			memcpy(p, &s.half[b], 2);
			memcpy(p + 2, &s.half[BLOCKS + b], 2);
			memcpy(p + 4, fields, sizeof fields);
			block_codes(&lines, b, LEN, top, x, &found, b * GROUPS, c);
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
