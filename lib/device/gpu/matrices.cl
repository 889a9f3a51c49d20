/* SPDX-License-Identifier: MIT */
/*
 * matrices.cl -- up to three matrices of one type and width in one launch,
 * whose rows the first dimension's work-groups go through one matrix after the
 * other.  The first's arguments are where they are wanted, the others' behind
 * the rest; one of no rows is none.
 */
struct matrix {
	GLOBAL const uchar *w;
	GLOBAL const float *bias;	/* or none */
	GLOBAL float	*y;
	uint		 rows, block;	/* the work-group's number in it */
	float		 scale;
};

#define MATRIX(i)	BUF(const uchar, w##i), uint rows##i, float scale##i, \
			BUF(const float, bias##i), BUF(float, y##i)
#define OTHERS		MATRIX(2), MATRIX(3)

#define BLOCKS(rows, size)	(((rows) + (size) - 1) / (size))
#define NEXT_MATRIX(m, size, i) \
	if (m.block >= BLOCKS(m.rows, size)) { \
		m.block -= BLOCKS(m.rows, size); \
		m.w = CAT(uchar, w##i); \
		m.bias = HAS(bias##i) ? CAT(float, bias##i) : 0; \
		m.y = AT(float, y##i); \
		m.rows = rows##i; \
		m.scale = scale##i; \
	}
/* The one that this work-group, of `size` rows, is in. */
#define MATRIX_HERE(m, size) \
	struct matrix m = { CAT(uchar, w), HAS(bias) ? CAT(float, bias) : 0, AT(float, y), rows, \
	    GROUP(0), scale }; \
	NEXT_MATRIX(m, size, 2) \
	NEXT_MATRIX(m, size, 3)
