/* SPDX-License-Identifier: MIT */
/*
 * embed.cl -- rows of a matrix by numbers that lie here: column c is `by` times
 * row id[c * every], or that more.  An item an element; at, next and side count
 * elements, as multiply_float.cl's do.
 */
#define ROWS_OF(NAME, VALUE) \
KERNEL \
NAME(BUF(const uchar, w), BUF(const ushort, grid), ulong at, ulong next, ulong side, float scale, \
    uint cols, BUF(const uint, id), uint every, float by, uint more, BUF(float, x)) \
{ \
	uint i = ITEM(0); \
	GLOBAL float *to = AT(float, x) + (ulong)GROUP(1) * cols + i; \
	float v; \
\
	if (i >= cols) \
		return; \
	v = VALUE(CAT(uchar, w), at + CAT(uint, id)[GROUP(1) * every] * next + i * side, scale, \
	    CAT(ushort, grid)); \
	v = by != 1 ? v * by : v; \
	*to = more ? *to + v : v; \
}

#ifdef TYPE
ROWS_OF(row_value, PASTE(TYPE, value))
#else
ROWS_OF(row_f32, f32_value)
ROWS_OF(row_f16, f16_value)
ROWS_OF(row_bf16, bf16_value)
ROWS_OF(row_f64, f64_value)
ROWS_OF(row_f8_e4m3, f8_e4m3_value)
ROWS_OF(row_f8_e5m2, f8_e5m2_value)
#endif
