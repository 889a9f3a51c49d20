/* SPDX-License-Identifier: MIT */
/*
 * cuda_graph.h -- calls and copies that wait in a list, and lists that came
 * before as graphs of the driver's.  Private to lib/device.
 */
#ifndef DEVICE_CUDA_GRAPH_H
#define DEVICE_CUDA_GRAPH_H

#include "cuda_api.h"
#include "gpu.h"

struct cuda_graphs;

/* keep: false launches every call by itself.  NULL: out of memory. */
struct cuda_graphs *cuda_graphs_new(const struct cuda_api *, cu_stream, bool keep);
/* What waits is forgotten, what runs must have ended.  NULL is nothing. */
void	cuda_graphs_free(struct cuda_graphs *);

/* These wait; as with the rest a const char * is what went wrong, good until
 * the next.  name: the kernel's, for messages, a constant. */
const char *cuda_graphs_call(struct cuda_graphs *, cu_function, const char *name,
	    const struct gpu_call *);
const char *cuda_graphs_copy(struct cuda_graphs *, cu_address to, cu_address from, size_t bytes);
/* To the stream with all that waits. */
const char *cuda_graphs_flush(struct cuda_graphs *);

#endif
