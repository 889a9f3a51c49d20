/* SPDX-License-Identifier: MIT */
/* opencl.h -- an OpenCL device: its memory by addresses, and its kernels.
 * Private to lib/device. */
#ifndef DEVICE_OPENCL_H
#define DEVICE_OPENCL_H

#include <apr/device.h>
#include <apr/kernel.h>

#include "opencl_api.h"

/* In the order of opencl_kernels.c's names. */
enum opencl_kernel {
	K_ZERO, K_NORM, K_ROPE, K_GATE, K_ACTIVATE, K_ADD, K_GATHER, K_SCATTER, K_REMEMBER,
	K_ATTEND, K_CONVOLVE, K_UNIT, K_RECUR, K_QUANTIZE, K_F32, K_F16, K_BF16, KERNELS
};

/* Bytes at an address, and where they are. */
struct range {
	uintptr_t	 at;
	size_t		 bytes;
	cl_mem		 mem;
	bool		 ours;		/* the address is ours, and no host's */
};

/* Products of a packed type. */
struct opencl_packed {
	cl_program	 program;
	cl_kernel	 kernel;
	const void	*grid;		/* its points, placed; NULL: none */
};

struct opencl {
	struct device	 d;
	const struct opencl_api *a;
	struct opencl_choice choice;
	cl_context	 context;
	cl_queue	 queue;
	cl_program	 program;
	cl_kernel	 kernel[KERNELS];
	struct opencl_packed packed[KERNEL_TYPES];	/* by slot, once they are wanted */
	struct range	*range;		size_t n, cap;	/* in order of `at` */
	struct err	 first;		/* of the errors */
	bool		 failed;
	size_t		 columns;	/* of the batch */
	/* reserve()'s: the batch's places, lists, activations. */
	struct device_need need;
	void		*at, *list, *weight, *codes, *scales;
	void		*result;	size_t result_bytes;
	float		*row;		/* the host's: a column's, twice */
};

/* The first error stays. */
void	opencl_fail(struct opencl *, const char *what, cl_status);

/* opencl_memory.c */
void	*opencl_alloc(struct device *, size_t bytes, struct err *);
void	opencl_free(struct device *, void *);
int	opencl_place(struct device *, const void *, size_t bytes, struct err *);
void	opencl_write(struct device *, void *to, const void *from, size_t bytes);
int	opencl_read(struct device *, void *to, const void *from, size_t bytes, struct err *);
void	opencl_copy(struct device *, void *to, const void *from, size_t bytes);
void	opencl_memory_release(struct opencl *);
/* The bytes that p is among; NULL: none, which is an error of the device's. */
const struct range *opencl_range(struct opencl *, const void *p);

/* opencl_kernels.c */
int	opencl_build(struct opencl *, struct err *);
void	opencl_kernels_release(struct opencl *);
/*
 * Items and those of a work-group, in up to three dimensions; then arguments,
 * as `form` says: p address or NULL, u unsigned, z size_t, f double for float.
 */
void	opencl_run(struct opencl *, cl_kernel, const size_t items[3], size_t group,
	    const char *form, ...);
/* Its kernel may be NULL, which is an error of the device's then. */
const struct opencl_packed *opencl_packed(struct opencl *, const struct type *);
/* Has it a kernel? */
bool	opencl_has(const struct type *);

/* opencl_multiply.c */
void	opencl_multiply(struct device *, const struct device_product *, size_t n, bool precise);
const char *opencl_lacks(const struct device *, const struct mat *, bool precise);

#endif
