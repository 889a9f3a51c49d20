/* SPDX-License-Identifier: MIT */
/*
 * multiply_float.cl -- weights that are floats times activations as they are:
 * 16 sums over the columns k with the same k mod 16.
 *
 * A work-group has 4 rows with 16 lanes each, and up to 8 columns.  `first`
 * and the steps from row to row and from column to column are elements, as is
 * `apart`; tiles are as multiply.cl has them.
 */
#define FLOATS(NAME, VALUE) \
KERNEL \
NAME(BUF(const uchar, w), BUF(const ushort, grid), ulong at, ulong row_step, ulong col_step, \
    float scale, uint rows, uint cols, BUF(const float, x), ulong ldx, uint n, \
    BUF(const float, bias), BUF(float, y), ulong ldy, BUF(const uint, tile), \
    BUF(const uint, column), ulong apart) \
{ \
	enum { SUMS = 16, FROWS = 4, FCOLS = 8 }; \
	LOCAL float p[FROWS * FCOLS * SUMS]; \
	uint lane = LANE() % SUMS, r = LANE() / SUMS, row = GROUP(0) * FROWS + r; \
	GLOBAL const uint *which = CAT(uint, tile) + 3 * GROUP(1); \
	uint begin = HAS(tile) ? GROUP(2) * FCOLS : GROUP(1) * FCOLS; \
	uint first = HAS(tile) ? which[1] + begin : begin, all = HAS(tile) ? which[2] : n; \
	uint nc = all < begin ? 0 : all - begin < FCOLS ? all - begin : FCOLS; \
	ulong from = at + (HAS(tile) && nc > 0 ? which[0] * apart : 0) + \
	    (row < rows ? row : 0) * row_step; \
	ulong v[FCOLS]; \
	float t[FCOLS], d; \
\
	for (uint c = 0; c < FCOLS; c++) { \
		v[c] = c < nc ? (HAS(column) ? CAT(uint, column)[first + c] : first + c) * ldx : 0; \
		t[c] = 0; \
	} \
	for (uint k = lane; nc > 0 && k < cols; k += SUMS) { \
		float weight = VALUE(CAT(uchar, w), from + k * col_step, scale, CAT(ushort, grid)); \
\
		for (uint c = 0; c < FCOLS; c++) \
			if (c < nc) \
				t[c] = fma(weight, CAT(float, x)[v[c] + k], t[c]); \
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
