/* SPDX-License-Identifier: MIT */
/*
 * dot.h -- products of stored weights with activations, and the one order in
 * which they are summed.  Every kernel, on every device, gives these bits.
 *
 * Float weights (F32 F16 BF16 F64 F8, and any type when `precise`): the
 * activation stays f32; 16 partial sums, p[i] over the columns k with
 * k mod 16 = i, each p = fmaf(w, x, p) in order of k, then
 * p[i] += p[i + 8], p[i] += p[i + 4], p[i] += p[i + 2], p[0] + p[1].
 *
 * Packed weights: the activation becomes int8 in groups of 32 columns:
 * max = the largest |x|; sa = max / 127; a = x * (127 / max), half to even
 * (max 0: all 0).  A group of weights is 32 codes q (int8), a scale s, two
 * integers k for its halves, and with DOT_MIN a minimum m:
 *	w = s * k[h] * q - m * mk[h]
 * and it adds to the row's sum, in this order,
 *	dot = k[0] * sum(q a, first half) + k[1] * sum(q a, second half)  exact
 *	acc = fmaf(s * sa, (float)dot, acc)
 *	acc = fmaf(-m, sa * (float)(sum a), acc)		DOT_MIN
 *	acc = fmaf(-(m * mk[0]), sa * (float)(sum a of the first half), acc),
 *	    then the second half likewise			DOT_MIN_HALVES
 * With DOT_HALF_SCALES the halves are two steps, the second with s2:
 *	acc = fmaf(s * sa, (float)sum(q a, first half), acc); then s2.
 * dot is below 2^24 in all types, so floats can make it too.
 * Groups run in order of columns; acc starts at 0 anew every 4096 columns,
 * and those segments' sums are added in order.
 *
 * Fine activations are two such columns, together of 15 bits: the activation
 * as above, and in the same way what that leaves of it, x - sa * a (two
 * roundings).  The row's sum is that of the first plus that of the second.
 */
#ifndef APR_DOT_H
#define APR_DOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/kernel.h>
#include <apr/type.h>

/* How a packed type is taken apart. */
struct dot_type {
	int		 ggml;		/* the type's number; -1: see dot_type() */
	unsigned	 flags;
	/* n elements, whole blocks, into n / 32 groups. */
	kernel_groups	*unpack;
};
/* NULL: its products are float products. */
const struct dot_type *dot_type(const struct type *);

/* A matrix of rows x cols weights in its stored type; nothing is owned. */
struct mat {
	const struct type	*type;
	const void		*data;
	size_t			 rows, cols;
	size_t			 stride;	/* bytes from row to row */
	size_t			 skip;		/* TYPE_FLAT, transposed: elements before row 0 */
	float			 scale;		/* TYPE_WHOLE: the tensor's */
	bool			 fine;		/* wants fine activations, if packed */
	/* Stored as [cols, rows] (Conv1D): stride is then from column to
	 * column, in elements with TYPE_FLAT, and blocks run along columns. */
	bool			 transposed;
};

/* Columns of activations: n vectors of `cols`. */
struct act {
	size_t	 cols, n, ld;		/* x: ld floats from one to the next */
	const float *x;
	bool	 fine;
	struct dot_acts p;		/* made by act_quantize() */
};
/* Bytes of scratch for n columns (a fine one is two), and its use: p points
 * into it. */
size_t	act_scratch(size_t cols, size_t n);
void	act_quantize(struct act *, size_t from, size_t to, void *scratch);

/* Are products with this matrix made from quantized activations? */
bool	mat_packed(const struct mat *, bool precise);
/*
 * y[c * ldy + r] = row r times column c, for rows [from, to).  tmp is
 * mat_scratch() bytes of the caller's, one a thread.
 */
void	mat_mul(const struct mat *, size_t from, size_t to, const struct act *,
	    bool precise, float *y, size_t ldy, void *tmp);
size_t	mat_scratch(const struct mat *);
/* The same two by another set of kernels than this CPU's best: for tests. */
void	mat_mul_with(const struct kernels *, const struct mat *, size_t from, size_t to,
	    const struct act *, bool precise, float *y, size_t ldy, void *tmp);
void	act_quantize_with(const struct kernels *, struct act *, size_t from, size_t to,
	    void *scratch);
/* Rows [from, from + rows) of a matrix as one of their own. */
struct mat mat_slice(const struct mat *, size_t from, size_t rows);
/* One row as f32. */
void	mat_row(const struct mat *, size_t row, float *dst);

/* The float order, for whoever else sums products. */
float	dot_f32(const float *a, const float *b, size_t n);
float	sum_f32(const float *a, size_t n);

#endif
