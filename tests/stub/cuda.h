/* SPDX-License-Identifier: MIT */
/* cuda.h -- kernels that were made C. */
#ifndef STUB_CUDA_H
#define STUB_CUDA_H

enum { STUB_MIN = 1, STUB_MIN_HALVES = 2, STUB_HALF_SCALES = 4, STUB_HALVES = 8 };

struct stub_kernel {
	const char	*name;
	void		(*call)(void **arguments);
	const unsigned char *size;	/* of each argument; 0 at the end */
};
extern const struct stub_kernel stub_kernels[];
/* The packed type that multiply() is for, and what number a name has; -1: none. */
extern int stub_type;
int	stub_named(const char *);

#endif
