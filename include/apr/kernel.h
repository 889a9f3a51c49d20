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
enum { KERNEL_APR_Q4 = 60, KERNEL_F8_E4M3, KERNEL_F8_E5M2, KERNEL_TYPES = 64 };

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

struct kernels {
	const char	*name;		/* "scalar" "avx2" "avx512" "neon" */
	kernel_decode	*to_f32[KERNEL_TYPES];
	kernel_encode	*from_f32[KERNEL_TYPES];
	kernel_q8_from	*q8_from_f32;
	kernel_q8_to	*q8_to_f32;
	kernel_absmax	*absmax;
	kernel_error_fn	*errors;
	kernel_try	*try;
};

/* The best set that this CPU has and APR_CPU (a set's name) allows. */
const struct kernels *kernels(void);
/* By name; NULL: not built in, or not for this CPU. */
const struct kernels *kernels_named(const char *);

#endif
