/* SPDX-License-Identifier: MIT */
/*
 * cuda_kernels.h -- CUDA's kernels: those of the shared text, and its own where
 * they take a call.  Private to lib/device.
 */
#ifndef DEVICE_CUDA_KERNELS_H
#define DEVICE_CUDA_KERNELS_H

#include "cuda_graph.h"
#include "gpu.h"

struct cuda_kernels;

/* For a card of that compute capability (10 x major + minor) and a driver of
 * that version; calls go to the graphs.  NULL: out of memory. */
struct cuda_kernels *cuda_kernels_new(const struct cuda_api *, cu_context, struct cuda_graphs *,
    unsigned arch, int driver);
/* These and the next return NULL, or what went wrong in words that stay until
 * another does.  Those that have no packed type, now; */
const char *cuda_kernels_load(struct cuda_kernels *);
/* the others, with their first call. */
const char *cuda_kernels_call(struct cuda_kernels *, struct gpu *, const struct gpu_call *);
/* In the context that they were loaded into. */
void	cuda_kernels_free(struct cuda_kernels *);

#endif
