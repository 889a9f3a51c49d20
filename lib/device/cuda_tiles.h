/* SPDX-License-Identifier: MIT */
/*
 * cuda_tiles.h -- CUDA's own kernels for products, those of lib/device/gpu/cuda.
 * Private to lib/device.
 */
#ifndef DEVICE_CUDA_TILES_H
#define DEVICE_CUDA_TILES_H

#include "gpu.h"

enum { CUDA_TILES = 8 };

/* A work-group's rows, columns and threads. */
struct cuda_tile {
	const char	*kernel;
	uint32_t	 rows, columns, group;
};
extern const struct cuda_tile cuda_tiles[CUDA_TILES];

/* The one for a call of multiply.cl's, and its type's module into n bytes; -1:
 * there is none, so that it is multiply.cl that is called. */
int	cuda_tile_of(const struct gpu_call *, char *module, size_t n);
/* Whether that is for a later call to make: fine activations' first codes are
 * multiplied together with the second. */
bool	cuda_tile_waits(const struct gpu_call *);
/* The call, dealt out to it. */
struct gpu_call cuda_tile_call(const struct gpu_call *, int tile);
/* A struct gpu_driver's. */
size_t	cuda_tile_columns(size_t n, size_t choices, size_t experts, bool fine);

/* cuda_floats.c: the same for products of floats, in the module of what has no type; -1: it is
 * multiply_float.cl's. */
enum { CUDA_FLOATS = 12 };
extern const struct cuda_tile cuda_floats[CUDA_FLOATS];
int	cuda_float_of(const struct gpu_call *);
struct gpu_call cuda_float_call(const struct gpu_call *, int);

#endif
