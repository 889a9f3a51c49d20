/* SPDX-License-Identifier: MIT */
/* cuda_floats.c -- which kernel makes a product of floats, by its columns. */
#include "cuda_tiles.h"

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
	    a[F_COLS].v.u32 % 16 != 0 || !gpu_at_multiple(a + F_WEIGHTS, 16) || a[F_AT].v.u64 % of != 0 ||
	    a[F_ROW_STEP].v.u64 % of != 0 || !gpu_at_multiple(a + F_X, 16) || a[F_LDX].v.u64 % 4 != 0 ||
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
