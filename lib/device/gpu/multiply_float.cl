/* SPDX-License-Identifier: MIT */
/*
 * multiply_float.cl -- weights that are floats times activations as they are:
 * 16 sums over the columns k with the same k mod 16.
 *
 * A work-group has 4 rows with 16 lanes each, and up to 8 columns.  `first`
 * and the steps from row to row and from column to column are elements.
 */
#define FLOATS(NAME, VALUE) \
KERNEL \
NAME(BUF(const uchar, w), BUF(const ushort, grid), ulong at, ulong row_step, ulong col_step, \
    float scale, uint rows, uint cols, BUF(const float, x), ulong ldx, uint n, \
    BUF(const float, bias), BUF(float, y), ulong ldy) \
{ \
	enum { SUMS = 16, FROWS = 4, FCOLS = 8 }; \
	LOCAL float p[FROWS * FCOLS * SUMS]; \
	uint lane = LANE() % SUMS, r = LANE() / SUMS, row = GROUP(0) * FROWS + r; \
	uint first = GROUP(1) * FCOLS, nc = n - first < FCOLS ? n - first : FCOLS; \
	ulong from = at + (row < rows ? row : 0) * row_step; \
	GLOBAL const float *v = CAT(float, x) + first * ldx; \
	float t[FCOLS], d; \
\
	for (uint c = 0; c < FCOLS; c++) \
		t[c] = 0; \
	for (uint k = lane; k < cols; k += SUMS) { \
		float weight = VALUE(CAT(uchar, w), from + k * col_step, scale, CAT(ushort, grid)); \
\
		for (uint c = 0; c < FCOLS; c++) \
			if (c < nc) \
				t[c] = fma(weight, v[c * ldx + k], t[c]); \
	} \
	for (uint c = 0; c < FCOLS; c++) \
		p[(r * FCOLS + c) * SUMS + lane] = t[c]; \
	BARRIER(); \
	if (lane < nc && row < rows) { \
		d = finish(p + (r * FCOLS + lane) * SUMS); \
		AT(float, y)[(first + lane) * ldy + row] = \
		    HAS(bias) ? d + CAT(float, bias)[row] : d; \
	} \
}

#ifdef TYPE
FLOATS(multiply_value, PASTE(TYPE, value))
#else
FLOATS(multiply_f32, f32_value)
FLOATS(multiply_f16, f16_value)
FLOATS(multiply_bf16, bf16_value)
FLOATS(multiply_f64, f64_value)
FLOATS(multiply_f8_e4m3, f8_e4m3_value)
FLOATS(multiply_f8_e5m2, f8_e5m2_value)
#endif
