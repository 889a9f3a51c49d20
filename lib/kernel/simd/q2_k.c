/* SPDX-License-Identifier: MIT */
/* q2_k.c -- Q2_K from floats: see lib/type/q2_k.c. */
#include "scales.h"
#include "simd.h"

enum { GROUPS = 16, LEN = 16, SIZE = 84 };

INLINE void
encode(uint8_t *p, const float *x, size_t n, const float *qw, const struct walk *k)
{
	while (n > 0) {
		int blocks = n / N < BLOCKS ? (int)(n / N) : BLOCKS;
		struct ranges found;
		struct scales s;
		struct lines lines;
		uint32_t word[GROUPS / 4][W];

		range_search(k, LEN, x, qw, 1, blocks, &found);
		fit_scales(15, 255, GROUPS, qw != NULL, &found, blocks, &s);
		for (int i = 0; i < GROUPS / 4; i++)
			vi_store(word[i], s.word[i]);
		for (int b = 0; b < blocks; b++)
			for (int i = 0; i < GROUPS / 4; i++) {
				/* A scale that spills does it into its minimum. */
				word[i][b] |= (word[i][BLOCKS + b] & 0x0f0f0f0f) << 4;
				word[i][BLOCKS + b] = word[i][b] >> 4;
			}
		for (int i = 0; i < GROUPS / 4; i++)
			s.word[i] = vi_load(word[i]) & BYTES(15);
		lines_init(&lines, GROUPS, &s, s.word);
		for (int b = 0; b < blocks; b++, p += SIZE, x += N) {
			vb c[N / 32];

			for (int i = 0; i < GROUPS / 4; i++)
				memcpy(p + 4 * i, &word[i][b], 4);
			memcpy(p + 80, &s.half[b], 2);
			memcpy(p + 82, &s.half[BLOCKS + b], 2);
			block_codes(&lines, b, LEN, 3, x, &found, b * GROUPS, c);
			UNROLL
			for (int i = 0; i < 8; i += 4)
				vb_store(p + 16 + i * 8, c[i] | c[i + 1] << 2 | c[i + 2] << 4 | c[i + 3] << 6);
		}
		n -= (size_t)blocks * N;
		if (qw)
			qw += blocks * N;
	}
}

void
KERNEL(q2_k_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	static const struct walk plain = { 3, -0.5f, 0.1f, 15, BY_SIZE, true };
	static const struct walk weighted = { 3, -0.9f, 0.05f, 36, BY_IMATRIX, false };

	if (qw)
		encode(dst, x, n, qw, &weighted);
	else
		encode(dst, x, n, NULL, &plain);
}
