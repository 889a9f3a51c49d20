/* SPDX-License-Identifier: MIT */
/*
 * cuda_attend.h -- CUDA's own kernels for attention, those of
 * lib/device/gpu/cuda/attend.cu.  Private to lib/device.
 */
#ifndef DEVICE_CUDA_ATTEND_H
#define DEVICE_CUDA_ATTEND_H

#include "gpu.h"

enum { CUDA_ATTENDS = 4 };
extern const char *const cuda_attends[CUDA_ATTENDS];

/* What parts of attention want of reserve(); 0: nothing. */
size_t	cuda_attend_bytes(const struct device_need *);

/* A call of attend.cl's as calls of these. */
struct cuda_attend {
	const struct gpu_call *call;
	struct gpu_arg	 parts[2];	/* where they lie */
	uint32_t	 heads, cols;	/* of a work-group */
	uint32_t	 blocks;	/* with a work-group each; 0: they have none */
	uint32_t	 most;		/* columns of one call */
	uint32_t	 done;		/* columns */
	bool		 join;		/* what was called last is to be joined */
};
/* False: it is attend.cl that is called. */
bool	cuda_attend_begin(struct cuda_attend *, struct gpu *, const struct gpu_call *);
/* The number of the kernel that is next, and its call; -1: that was all. */
int	cuda_attend_next(struct cuda_attend *, struct gpu_call *);

#endif
