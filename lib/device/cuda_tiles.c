/* SPDX-License-Identifier: MIT */
/* cuda_tiles.c -- which kernel makes a product, by its columns. */
#include <stdio.h>

#include "cuda_tiles.h"

/* In order of columns: bytes by dp4a, then tensor cores. */
const struct cuda_tile cuda_tiles[CUDA_TILES] = {
	{ "gemv_1", 16, 1, 128 }, { "gemv_2", 16, 2, 128 }, { "gemv_4", 8, 4, 64 },
	{ "gemv_8", 8, 8, 64 },
	{ "mma_16", 64, 16, 128 }, { "mma_32", 64, 32, 128 }, { "mma_64", 64, 64, 128 },
	/* The same of fine columns with more than a segment. */
	{ "mma_long", 64, 64, 128 },
};
enum { MMA_16 = 4, MMA_64 = 6, MMA_LONG = 7 };

/* multiply.cl's arguments, an address being two. */
enum {
	WEIGHTS = 0, STRIDE = 4, ROWS = 5, CODES = 7, SCALES = 9, GROUPS = 11, COLUMNS = 12,
	SECOND = 18,
	OTHERS = 19, MATRIX = 8, OTHER_ROWS = 2,	/* two of 8 arguments each */
	TILES = OTHERS + 2 * MATRIX, APART = TILES + 4,
	CODES1 = APART + 1, SCALES1 = CODES1 + 2,	/* of fine columns: both */
};

static bool
has_tiles(const struct gpu_call *c)
{
	return c->arg[TILES + 1].v.u64 != UINT64_MAX;
}

static bool
is_fine(const struct gpu_call *c)
{
	return c->nargs > CODES1;
}

bool
cuda_tile_waits(const struct gpu_call *c)
{
	return is_fine(c) && !c->arg[SECOND].v.u32;
}

/* Of int8, those of a tile at most. */
static uint32_t
columns(const struct gpu_call *c)
{
	return c->arg[COLUMNS].v.u32 << is_fine(c);
}

int
cuda_tile_of(const struct gpu_call *c, char *module, size_t n)
{
	const struct gpu_arg *a = c->arg;
	/* Blocks of Q4_K and Q5_K are read by 16 bytes, others' by 2. */
	size_t of = c->type->bytes % 16 == 0 ? 16 : 2;
	int tile = 0;

	if (!gpu_at_multiple(a + WEIGHTS, of) || a[STRIDE].v.u64 % of != 0 ||
	    !gpu_at_multiple(a + CODES, 16) || !gpu_at_multiple(a + SCALES, 16))
		return -1;
	for (int i = OTHERS; i < TILES; i += MATRIX)
		if (a[i + OTHER_ROWS].v.u32 && !gpu_at_multiple(a + i, of))
			return -1;
	if (is_fine(c) && (!gpu_at_multiple(a + CODES1, 16) || !gpu_at_multiple(a + SCALES1, 16)))
		return -1;
	if (has_tiles(c) && a[APART].v.u64 % of != 0)
		return -1;
	while (tile < MMA_64 && cuda_tiles[tile].columns < columns(c))
		tile++;
	if (tile >= MMA_16 && is_fine(c) && a[GROUPS].v.u32 * (uint64_t)DOT_GROUP > DOT_SEGMENT)
		tile = MMA_LONG;
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
	to.groups[has_tiles(c) ? 2 : 1] = (columns(c) - 1) / t->columns + 1;
	to.group = t->group;
	for (int i = 0; i < 2 && !is_fine(c); i++) {
		to.arg[to.nargs++] = (struct gpu_arg){ .base = true };
		to.arg[to.nargs++] = (struct gpu_arg){ .bytes = 8, .v.u64 = UINT64_MAX };
	}
	return to;
}

/*
 * An expert has choices / experts columns when all have as many, and no more
 * than n.  Dots of bytes: twice that, since the others' weights are read once
 * more.  Tensor cores: no more than that, since columns that are not there cost
 * as much as others.  Fine ones are two each.
 */
size_t
cuda_tile_columns(size_t n, size_t choices, size_t experts, bool fine)
{
	size_t size = 1;

	choices <<= fine;
	while (size < 8 && size * experts < 2 * choices)
		size *= 2;
	if (choices >= 4 * experts)
		size = 16;
	while (size >= 16 && size < 64 && 2 * size * experts <= choices)
		size *= 2;
	size = size > 1 ? size >> fine : 1;
	while (size > 1 && size / 2 >= n)
		size /= 2;
	return size;
}
