/* SPDX-License-Identifier: MIT */
/* gpu_experts.c -- a mixture, whose columns only the device knows. */
#include "gpu.h"

enum { TILE = 8, MOST = 65535 };	/* columns; of a grid's second dimension */

const char *
gpu_lacks_experts(const struct device *d, const struct mat *m, size_t n)
{
	(void)d;
	for (size_t i = 1; i < n; i++)
		if (m[i].type != m->type || m[i].rows != m->rows || m[i].cols != m->cols ||
		    m[i].stride != m->stride || m[i].transposed != m->transposed ||
		    m[i].fine != m->fine || (m->type->flags & TYPE_WHOLE && m[i].scale != m->scale))
			return "experts that are not of one type and scale";
	return NULL;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* However n choices fall, they are no more than this. */
static size_t
tiles(size_t n, size_t experts, size_t size)
{
	return (n + (size - 1) * smaller(n, experts)) / size;
}

/* Columns of each: what kernels like, or what a grid has room for. */
static size_t
tile_size(const struct gpu *g, const struct device_experts *o)
{
	size_t n = o->n * o->n_used, size = TILE;

	if (g->driver->tile && (mat_packed(o->up, o->precise) || mat_packed(o->down, o->precise)))
		size = g->driver->tile(o->n, n, o->n_expert, o->up->fine);
	while (tiles(n, o->n_expert, size) > MOST)
		size *= 2;
	return size;
}

static struct device_product
times(const struct mat *w, const float *x, size_t ldx, size_t n, float *y, size_t ldy)
{
	return (struct device_product){ .w = w, .x = x, .ldx = ldx, .n = n, .y = y, .ldy = ldy };
}

void
gpu_experts_pieces(const struct device_need *n, size_t bytes[GPU_MIXTURE])
{
	size_t all = n->n * n->used;

	bytes[GPU_PLACE] = bytes[GPU_COLUMN] = all * 4;
	bytes[GPU_TILE] = all * 12;	/* of whatever size */
	bytes[GPU_UP] = bytes[GPU_GATE] = all * n->inner * sizeof(float);
	bytes[GPU_DOWN] = all * n->outer * sizeof(float);
}

void
gpu_route(struct device *d, const struct device_route *o)
{
	gpu_run((struct gpu *)d, K_ROUTE, NULL, (size_t[]){ o->n * 64, 1, 1 }, 64, "puuupp",
	    (const void *)o->p, (unsigned)o->n_expert, (unsigned)o->n_used, (unsigned)o->norm,
	    (const void *)o->expert, (const void *)o->weight);
}

void
gpu_experts(struct device *d, const struct device_experts *o)
{
	struct gpu *g = (struct gpu *)d;
	size_t n = o->n * o->n_used, wide = o->up->rows, out = o->down->rows;
	size_t size = tile_size(g, o), n_tiles = tiles(n, o->n_expert, size);
	float *up = g->mixture[GPU_UP], *gate = g->mixture[GPU_GATE], *down = g->mixture[GPU_DOWN];
	struct device_product p[2] = { times(o->up, o->x, o->ldx, o->n, up, wide),
	    times(o->gate, o->x, o->ldx, o->n, gate, wide) };
	struct device_product q = times(o->down, up, wide, n, down, out);
	struct gpu_tiles t = { .tile = g->mixture[GPU_TILE], .column = g->mixture[GPU_COLUMN],
	    .n = n_tiles, .size = size, .n_expert = o->n_expert };

	gpu_run(g, K_DEAL, NULL, (size_t[]){ 64, 1, 1 }, 64, "ppuuupppuu", (const void *)o->expert,
	    (const void *)o->weight, (unsigned)n, (unsigned)o->n_used, (unsigned)o->n_expert,
	    g->mixture[GPU_PLACE], g->mixture[GPU_COLUMN], g->mixture[GPU_TILE],
	    (unsigned)n_tiles, (unsigned)size);
	gpu_multiply_tiles(g, p, 2, o->precise, &t);
	d->op->activate(d, &(struct device_activate){ .y = up, .gate = gate, .ld = wide, .n = n,
	    .width = wide, .curve = o->curve, .next = o->precise ? NULL : o->down });
	t.column = NULL;
	gpu_multiply_tiles(g, &q, 1, o->precise, &t);
	gpu_run(g, K_COMBINE, NULL, (size_t[]){ out * o->n, 1, 1 }, 64, "ppppuuuuu",
	    (const void *)o->weight, g->mixture[GPU_PLACE], (const void *)down,
	    (const void *)o->y, (unsigned)o->n_used, (unsigned)out, (unsigned)o->ldy,
	    (unsigned)out, (unsigned)o->n);
}
