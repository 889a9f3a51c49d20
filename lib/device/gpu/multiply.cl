/* SPDX-License-Identifier: MIT */
/*
 * multiply.cl -- packed weights of TYPE times int8 activations, in dot.h's
 * order.
 *
 * A work-group has 8 rows with 8 lanes each, and up to 8 columns.  A lane
 * takes a group of its row apart and makes its integer sums for all columns;
 * then it adds, for one column, the groups of all lanes in order.  Of fine
 * activations what the `second` gives is added to what the first gave.
 *
 * With tiles, see experts.cl, the matrix is the tile's expert's, of those that
 * are `apart` bytes from each other; its columns are those of `column`, if any.
 * The third dimension goes through a tile that has more than 8.
 */
enum { LANES = 8, ROWS = 8, SEGMENT = 4096 / 32 };

#define WORD(p, g, i)	WORD_OF(p, g, i, CAT(ushort, grid))

/* Four products of signed bytes. */
FM_FN int
dot4(uint a, uint b, int sum)
{
	sum += (int)(schar)a * (schar)b;
	sum += (int)(schar)(a >> 8) * (schar)(b >> 8);
	sum += (int)(schar)(a >> 16) * (schar)(b >> 16);
	return sum + (int)(schar)(a >> 24) * (schar)(b >> 24);
}

/* Bytes of weights are `stride` from row to row. */
#define OF_X(c)	(HAS(column) ? CAT(uint, column)[c] : (c))

KERNEL
multiply(BUF(const uchar, w), BUF(const ushort, grid), ulong stride, uint rows, float scale,
    BUF(const uint, q), BUF(const float, a), uint groups, uint n, BUF(const float, bias),
    BUF(float, y), ulong ldy, uint second, OTHERS, BUF(const uint, tile), BUF(const uint, column),
    ulong apart)
{
	MATRIX_HERE(mat, ROWS)
	LOCAL float s[ROWS][LANES], m[ROWS][LANES], m1[ROWS][LANES];
	LOCAL float dot[ROWS][LANES][LANES], dot1[ROWS][LANES][LANES];
	uint lane = LANE() % LANES, r = LANE() / LANES, row = mat.block * ROWS + r;
	GLOBAL const uint *t = CAT(uint, tile) + 3 * GROUP(1);
	uint begin = HAS(tile) ? GROUP(2) * LANES : GROUP(1) * LANES;
	uint first = HAS(tile) ? t[1] + begin : begin, all = HAS(tile) ? t[2] : n;
	uint cols = all < begin ? 0 : all - begin < LANES ? all - begin : LANES;
	GLOBAL const uchar *p = mat.w + (HAS(tile) && cols > 0 ? t[0] * apart : 0) +
	    (row < mat.rows ? row : 0) * stride;
	float acc = 0, sum = 0;

	for (uint base = 0; base < groups; base += LANES) {
		uint g = base + lane;

		if (cols > 0 && row < mat.rows && g < groups) {
			struct scales k = { mat.scale, 0, 0, 0, 0, 0 };
			uint codes[8];

			PASTE(TYPE, scales)(p, g, &k);
			UNROLL
			for (uint i = 0; i < 8; i++)
				codes[i] = WORD(p, g, i);
			s[r][lane] = k.s;
			m[r][lane] = FLAGS & MIN_HALVES ? k.m * (float)k.mk0 : k.m;
			if (FLAGS & MIN_HALVES)
				m1[r][lane] = k.m * (float)k.mk1;
			for (uint c = 0; c < cols; c++) {
				GLOBAL const uint *b = CAT(uint, q) +
				    ((ulong)OF_X(first + c) * groups + g) * 8;
				int d0 = 0, d1 = 0;

				for (uint i = 0; i < 4; i++) {
					d0 = dot4(codes[i], b[i], d0);
					d1 = dot4(codes[i + 4], b[i + 4], d1);
				}
				if (FLAGS & HALF_SCALES)
					dot1[r][lane][c] = (float)d1;
				else
					d0 = FLAGS & HALVES ? k.k0 * d0 + k.k1 * d1 : d0 + d1;
				dot[r][lane][c] = (float)d0;
			}
		}
		BARRIER();
		for (uint j = 0; lane < cols && row < mat.rows && j < LANES && base + j < groups; j++) {
			GLOBAL const float *f = CAT(float, a) +
			    ((ulong)OF_X(first + lane) * groups + base + j) * 4;

			if ((base + j) % SEGMENT == 0 && base + j > 0) {
				sum = base + j == SEGMENT ? acc : sum + acc;
				acc = 0;
			}
			acc = fma(s[r][j] * f[0], dot[r][j][lane], acc);
			if (FLAGS & HALF_SCALES)
				acc = fma(m[r][j] * f[0], dot1[r][j][lane], acc);
			else if (FLAGS & MIN)
				acc = fma(-m[r][j], f[1], acc);
			if (FLAGS & MIN_HALVES) {
				acc = fma(-m[r][j], f[2], acc);
				acc = fma(-m1[r][j], f[3], acc);
			}
		}
		BARRIER();
	}
	if (lane < cols && row < mat.rows) {
		GLOBAL float *to = mat.y + (first + lane) * ldy + row;

		acc = groups > SEGMENT ? sum + acc : acc;
		acc = second ? *to + acc : acc;
		*to = mat.bias ? acc + mat.bias[row] : acc;
	}
}
