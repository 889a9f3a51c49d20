/* SPDX-License-Identifier: MIT */
/*
 * kernel.h -- inner loops that the CPU at hand does faster than plain C, and
 * with the same bytes.
 *
 * A kernel is one file of lib/kernel/simd, built once for each instruction
 * set (vec.h says what it may use).  lib/kernel/simd/table.c fills the slots;
 * an empty one means that the type's own scalar code is what there is.
 */
#ifndef APR_KERNEL_H
#define APR_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* Slots by type: ggml's numbers, then those of types that have none. */
enum {
	KERNEL_APR_Q4 = 60, KERNEL_F8_E4M3, KERNEL_F8_E5M2, KERNEL_APR_Q8,
	KERNEL_TYPES = 64
};

/* As struct type's: whole blocks, one row, qw its columns' importance. */
typedef void kernel_decode(float *dst, const void *src, size_t n);
typedef void kernel_encode(void *dst, const float *src, size_t n, const float *qw);

/* apr_q8's, n at a time under the tensor's scale. */
typedef void kernel_q8_from(int8_t *dst, const float *src, size_t n, float scale);
typedef void kernel_q8_to(float *dst, const int8_t *src, size_t n, float scale);
/* The largest |x|; a NaN counts as larger than anything. */
typedef float kernel_absmax(const float *x, size_t n);
/* Of n values before and after: value i counts in lane i % 8. */
enum { KERNEL_ERROR_LANES = 8 };
struct kernel_errors {
	double	xx[KERNEL_ERROR_LANES], yy[KERNEL_ERROR_LANES];	/* squares */
	double	dd[KERNEL_ERROR_LANES];	/* squared differences */
	double	max[KERNEL_ERROR_LANES];	/* largest |difference|, NaN apart */
};
typedef void kernel_error_fn(const float *x, const float *y, size_t n, struct kernel_errors *);

/*
 * How well scales and minima fit a group, a number of them at once: levels
 * are the integers low..high, or rising table[low..high].
 */
enum { KERNEL_TRIALS = 16 };
struct levels {
	int		 low, high;
	const float	*table;		/* or NULL */
};
struct trials {
	float	scale[KERNEL_TRIALS], min[KERNEL_TRIALS];	/* given */
	/* Sums over elements: w * (x - (scale * level - min))^2, and for what
	 * fits these levels best, w * level, w * level^2, w * x * level. */
	float	err[KERNEL_TRIALS], l[KERNEL_TRIALS], ll[KERNEL_TRIALS], xl[KERNEL_TRIALS];
};
typedef void kernel_try(const struct levels *, int n, const float *x, const float *w,
	    struct trials *);

/*
 * Float products in dot.h's order of sums, and the functions of fmath.h, over
 * vectors.  Every set has all of them.
 */
enum kernel_curve { KERNEL_SILU, KERNEL_GELU };
struct kernel_floats {
	/* Onto the 16 sums from p[(c * rows + r) * 16] on: n products of row r
	 * of w and column c of x. */
	void	(*partial)(float *p, const float *w, size_t ldw, size_t rows,
		    const float *x, size_t ldx, size_t cols, size_t n);
	/* y[i]: the 16 sums from p[16 * i] on as one. */
	void	(*finish)(float *y, const float *p, size_t n);
	/* y[c * ldy + r]: both at once, from 0. */
	void	(*dots)(float *y, size_t ldy, const float *w, size_t ldw, size_t rows,
		    const float *x, size_t ldx, size_t cols, size_t n);
	/* The same for w transposed, row r's weights from w[r] on and ldw apart:
	 * the sums lie at p[(c * 16 + k % 16) * rows + r]. */
	void	(*partial_across)(float *p, const float *w, size_t ldw, size_t rows,
		    const float *x, size_t ldx, size_t cols, size_t n);
	void	(*finish_across)(float *y, size_t ldy, const float *p, size_t rows, size_t cols);
	float	(*sum)(const float *x, size_t n);
	/*
	 * Scores s[from .. to) to e^(s - their maximum), which is returned;
	 * first s = s * scale, and cap * tanh(s / cap) unless cap is 0.  The
	 * weights' sum as sum_f32 makes it of all up to a multiple of 16, of
	 * which those below `from` are 0.  s has whole groups of 16.
	 */
	float	(*weigh)(float *s, size_t from, size_t to, float scale, float cap, float *sum);
	/* y[c * ldy + k] += w[c * ldw + j] * v[j * ldv + k], k < n, for j from
	 * `from` up to `to`, each step one fmaf. */
	void	(*blend)(float *y, size_t ldy, const float *w, size_t ldw, size_t cols,
		    const float *v, size_t ldv, size_t from, size_t to, size_t n);
	/* y = act(gate) * y, or act(y) without gate. */
	void	(*activate)(float *y, const float *gate, size_t n, enum kernel_curve);
	/* y = x * by * w + bias; w and bias may be NULL. */
	void	(*scale)(float *y, const float *x, float by, const float *w, const float *bias,
		    size_t n);
	/* y += x * by; with 1 just the sum. */
	void	(*add)(float *y, const float *x, float by, size_t n);
	/* Pairs (a[i], b[i]) turned by an angle. */
	void	(*turn)(float *a, float *b, const float *cos, const float *sin, size_t n);
};

/*
 * Products of packed weights with int8 activations; dot.h has what they are
 * and in which order they are summed.  Groups of weights, side by side: n of
 * each (q: 32 n; k, mk: 2 n).
 */
enum { DOT_GROUP = 32, DOT_SEGMENT = 4096 };
enum { DOT_MIN = 1, DOT_MIN_HALVES = 2, DOT_HALF_SCALES = 4, DOT_HALVES = 8 };
struct dot_groups {
	int8_t	*q;
	float	*s, *m;			/* m: minimum, or s2 */
	int16_t	*k, *mk;		/* only with DOT_HALVES / DOT_MIN_HALVES */
};
typedef void kernel_groups(struct dot_groups *, const void *src, size_t n);

/*
 * Columns of activations as int8: records of 32, in blocks of up to eight
 * columns, in a block group by group.
 */
enum { DOT_BLOCK = 8 };
struct dot_act {
	int8_t	q[DOT_GROUP];
	int32_t	zero[2];		/* -128 times the sums of the halves */
	float	s;			/* scale */
	float	ms, hs[2];		/* s times the sum, and those of the halves */
	float	unused[2];
};
struct dot_acts {
	size_t		 n, groups;
	struct dot_act	*g;		/* n x groups */
};
static inline struct dot_act *
dot_act(const struct dot_acts *a, size_t column, size_t group)
{
	size_t first = column / DOT_BLOCK * DOT_BLOCK;
	size_t n = a->n - first < DOT_BLOCK ? a->n - first : DOT_BLOCK;

	return a->g + first * a->groups + group * n + (column - first);
}
/* Quantize columns [from, to), each of cols values, ld from one to the next. */
typedef void kernel_act(const struct dot_acts *, const float *x, size_t cols, size_t ld,
	    size_t from, size_t to);

/* y[c * ldy + r] = row r times column c. */
struct kernel_dot {
	const unsigned char *w;
	size_t		 rows, cols, stride;
	size_t		 block, bytes;	/* the type's */
	unsigned	 flags;
	kernel_groups	*unpack;	/* any row's, if need be */
	float		 scale;		/* of apr_q8 */
	struct dot_acts	 a;
	float		*y;
	size_t		 ldy;
	void		*tmp;		/* KERNEL_DOT_TMP bytes, 64-aligned */
};
enum { KERNEL_DOT_TMP = 1 << 20 };
typedef void kernel_dot_fn(const struct kernel_dot *);

struct kernels {
	const char	*name;		/* "scalar" "avx2" "avx512" "neon" */
	kernel_decode	*to_f32[KERNEL_TYPES];
	kernel_encode	*from_f32[KERNEL_TYPES];
	kernel_q8_from	*q8_from_f32;
	kernel_q8_to	*q8_to_f32;
	kernel_absmax	*absmax;
	kernel_error_fn	*errors;
	kernel_try	*try;
	struct kernel_floats f;
	kernel_act	*act;
	kernel_dot_fn	*dot[KERNEL_TYPES];	/* rows of any number */
	kernel_dot_fn	*dot_any;		/* of any type */
};

/* The best set that this CPU has and APR_CPU (a set's name) allows. */
const struct kernels *kernels(void);
/* By name; NULL: not built in, or not for this CPU. */
const struct kernels *kernels_named(const char *);

#endif
