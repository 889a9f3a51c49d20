/* SPDX-License-Identifier: MIT */
/* q2_k.c -- Q2_K from floats: see lib/type/q2_k.c. */
#include "scales.h"
#include "simd.h"

enum { GROUPS = 16, LEN = 16, BYTES = 84 };

INLINE void
encode(uint8_t *p, const float *x, size_t n, const float *qw, const struct walk *k)
{
	while (n > 0) {
		int blocks = n / N < BLOCKS ? (int)(n / N) : BLOCKS;
		struct ranges found;
		struct scales s;

		range_search(k, LEN, x, qw, 1, blocks, &found);
		fit_scales(15, GROUPS, qw != NULL, &found, blocks, &s);
		for (int b = 0; b < blocks; b++, p += BYTES, x += N) {
			struct lines line;
			vb c[N / 32];

			for (int g = 0; g < GROUPS; g++) {
				p[g] = (uint8_t)(s.code[g][b] | s.code[g][BLOCKS + b] << 4);
				line.scale[g] = s.whole[b] * (float)(p[g] & 15);
				line.min[g] = s.whole[BLOCKS + b] * (float)(p[g] >> 4);
			}
			memcpy(p + 80, &s.half[b], 2);
			memcpy(p + 82, &s.half[BLOCKS + b], 2);
			block_codes(&line, LEN, 3, x, &found, b * GROUPS, c);
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
