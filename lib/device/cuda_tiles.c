/* SPDX-License-Identifier: MIT */
/* cuda_tiles.c -- which kernel makes a product, by its columns. */
#include <stdio.h>

#include "cuda_tiles.h"

/* In order of columns: bytes by dp4a, then tensor cores. */
const struct cuda_tile cuda_tiles[CUDA_TILES] = {
	{ "gemv_1", 16, 1, 128 }, { "gemv_2", 16, 2, 128 }, { "gemv_4", 8, 4, 64 },
	{ "gemv_8", 8, 8, 64 },
	{ "mma_16", 64, 16, 128 }, { "mma_32", 64, 32, 128 }, { "mma_64", 64, 64, 128 },
};
enum { LAST_GEMV = 3 };

/* multiply.cl's arguments, an address being two. */
enum {
	WEIGHTS = 0, STRIDE = 4, ROWS = 5, CODES = 7, SCALES = 9, GROUPS = 11, COLUMNS = 12,
	SECOND = 18,
	OTHERS = 19, MATRIX = 8, OTHER_ROWS = 2,	/* two of 8 arguments each */
	TILES = OTHERS + 2 * MATRIX,
};

static bool
at_multiple(const struct gpu_arg *a, size_t of)
{
	return ((uintptr_t)a[0].mem + a[1].v.u64) % of == 0;
}

int
cuda_tile_of(const struct gpu_call *c, char *module, size_t n)
{
	const struct gpu_arg *a = c->arg;
	/* Blocks of Q4_K and Q5_K are read by 16 bytes, others' by 2. */
	size_t of = c->type->bytes % 16 == 0 ? 16 : 2;
	int tile = 0;

	if (!at_multiple(a + WEIGHTS, of) || a[STRIDE].v.u64 % of != 0 ||
	    !at_multiple(a + CODES, 16) || !at_multiple(a + SCALES, 16))
		return -1;
	for (int i = OTHERS; i < TILES; i += MATRIX)
		if (a[i + OTHER_ROWS].v.u32 && !at_multiple(a + i, of))
			return -1;
	/* Columns that go to several matrices are multiply.cl's. */
	if (c->nargs > TILES && a[TILES + 1].v.u64 != UINT64_MAX)
		return -1;
	while (tile < CUDA_TILES - 1 && cuda_tiles[tile].columns < a[COLUMNS].v.u32)
		tile++;
	/* A segment's sums lie where what they are added to would. */
	if (a[SECOND].v.u32 && a[GROUPS].v.u32 * (uint64_t)DOT_GROUP > DOT_SEGMENT && tile > LAST_GEMV)
		tile = LAST_GEMV;
	snprintf(module, n, "%s_tiles", gpu_type_name(c->type));
	return tile;
}

struct gpu_call
cuda_tile_call(const struct gpu_call *c, int tile)
{
	const struct cuda_tile *t = &cuda_tiles[tile];
	struct gpu_call to = *c;

	to.groups[0] = (c->arg[ROWS].v.u32 - 1) / t->rows + 1;
	for (int i = OTHERS; i < TILES; i += MATRIX)
		to.groups[0] += (uint32_t)(((uint64_t)c->arg[i + OTHER_ROWS].v.u32 + t->rows - 1) / t->rows);
	to.groups[1] = (c->arg[COLUMNS].v.u32 - 1) / t->columns + 1;
	to.group = t->group;
	return to;
}

/* By type, then by columns. */
#define FLOATS(name) { name "_1", 16, 1, 64 }, { name "_2", 16, 2, 64 }, \
	{ name "_4", 16, 4, 64 }, { name "_8", 16, 8, 64 }
const struct cuda_tile cuda_floats[CUDA_FLOATS] = {
	FLOATS("gemv_f32"), FLOATS("gemv_f16"), FLOATS("gemv_bf16"),
};

/* multiply_float.cl's arguments. */
enum {
	F_WEIGHTS = 0, F_AT = 4, F_ROW_STEP = 5, F_COL_STEP = 6, F_ROWS = 8, F_COLS = 9, F_X = 10,
	F_LDX = 12, F_N = 13, F_TILE = 19,
};

int
cuda_float_of(const struct gpu_call *c)
{
	const struct gpu_arg *a = c->arg;
	/* 16 bytes of weights are so many. */
	size_t of = c->kernel == K_F32 ? 4 : 8;
	int i = 0;

	if (c->kernel < K_F32 || c->kernel > K_BF16 || a[F_COL_STEP].v.u64 != 1 ||
	    a[F_COLS].v.u32 % 16 != 0 || !at_multiple(a + F_WEIGHTS, 16) || a[F_AT].v.u64 % of != 0 ||
	    a[F_ROW_STEP].v.u64 % of != 0 || !at_multiple(a + F_X, 16) || a[F_LDX].v.u64 % 4 != 0 ||
	    a[F_TILE + 1].v.u64 != UINT64_MAX)
		return -1;
	while (i < 3 && cuda_floats[i].columns < a[F_N].v.u32)
		i++;
	return ((int)c->kernel - K_F32) * 4 + i;
}

struct gpu_call
cuda_float_call(const struct gpu_call *c, int i)
{
	const struct cuda_tile *t = &cuda_floats[i];
	struct gpu_call to = *c;

	to.groups[0] = (c->arg[F_ROWS].v.u32 - 1) / t->rows + 1;
	to.groups[1] = (c->arg[F_N].v.u32 - 1) / t->columns + 1;
	to.group = t->group;
	to.nargs = F_TILE;
	return to;
}
