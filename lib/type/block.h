/* SPDX-License-Identifier: MIT */
/* block.h -- what the number types share.  Private to lib/type. */
#ifndef TYPE_BLOCK_H
#define TYPE_BLOCK_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "apr/float.h"
#include "apr/type.h"

/* Sum of squares, in order. */
static inline float
sum_squares(const float *x, size_t n)
{
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sum;
}

/* Two nibbles a byte: codes 0-15 of 32 low, 16-31 high. */
static inline void
nibbles_put(uint8_t *qs, const uint8_t *code, int half)
{
	int j;

	for (j = 0; j < half; j++)
		qs[j] = (uint8_t)((code[j] & 15) | code[j + half] << 4);
}

/* plain.c */
extern const struct type type_i8, type_i16, type_i32, type_i64, type_u8,
    type_u16, type_u32, type_u64, type_bool, type_f8_e4m3, type_f8_e5m2,
    type_f8_e8m0, type_f8_e4m3fnuz, type_f8_e5m2fnuz, type_c64;
/* the blocks, by file */
extern const struct type type_q4_0, type_q4_1, type_q5_0, type_q5_1;
extern const struct type type_q8_0, type_q1_0, type_q2_0;
extern const struct type type_q2_k, type_q3_k, type_q4_k, type_q5_k, type_q6_k;
extern const struct type type_iq4_nl, type_iq4_xs;
extern const struct type type_mxfp4, type_nvfp4;
extern const struct type type_tq1_0, type_tq2_0;
extern const struct type type_iq1_s, type_iq1_m, type_iq2_xxs, type_iq2_xs,
    type_iq2_s, type_iq3_xxs, type_iq3_s;

#endif
