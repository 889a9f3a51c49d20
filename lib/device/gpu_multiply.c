/* SPDX-License-Identifier: MIT */
/* gpu_multiply.c -- products, one after the other. */
#include <string.h>

#include "gpu.h"

/* Of a plain type; -1: it is none. */
static int
float_kernel(const struct type *t)
{
	static const char *const names[] = { "F32", "F16", "BF16", "F64", "F8_E4M3", "F8_E5M2" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(t->name, names[i]))
			return K_F32 + (int)i;
	return -1;
}

const char *
gpu_lacks(const struct device *d, const struct mat *m, bool precise)
{
	(void)d;
	(void)precise;
	return float_kernel(m->type) >= 0 || gpu_type_name(m->type) ? NULL : m->type->name;
}

int
gpu_grid(struct gpu *g, const struct type *t, struct err *e)
{
	size_t points;
	const uint16_t *grid = gpu_type_grid(t, &points);
	uint64_t before = g->taken;

	if (!grid)
		return 0;
	if (gpu_place(&g->d, grid, points * sizeof *grid, NULL, e) < 0)
		return -1;
	if (g->taken != before)
		gpu_write(&g->d, (void *)(uintptr_t)grid, grid, points * sizeof *grid);
	return 0;
}

static const void *
grid_of(struct gpu *g, const struct type *t)
{
	size_t points;
	struct err e;

	if (gpu_grid(g, t, &e) < 0)
		gpu_fail(g, t->name, e.msg);
	return gpu_type_grid(t, &points);
}

/* Steps are elements: a row's begin, and with it each row, is a whole block's. */
static void
floats(struct gpu *g, const struct device_product *p)
{
	const struct mat *w = p->w;
	const struct type *t = w->type;
	int plain = float_kernel(t);
	size_t next = w->stride / t->bytes * t->block, side = 1, first = w->skip;

	if (t->flags & TYPE_FLAT)
		next = w->transposed ? w->stride : w->cols;
	if (w->transposed) {
		side = next;
		next = 1;
	} else if (!(t->flags & TYPE_FLAT)) {
		first = 0;
	}
	gpu_run(g, plain < 0 ? K_VALUE : (enum gpu_kernel)plain, plain < 0 ? t : NULL,
	    (size_t[]){ (w->rows + 3) / 4 * 64, (p->n + 7) / 8, 1 }, 64, "ppzzzfuupzuppz",
	    w->data, plain < 0 ? grid_of(g, t) : NULL, first, next, side, (double)w->scale,
	    (unsigned)w->rows, (unsigned)w->cols, (const void *)p->x, p->ldx, (unsigned)p->n,
	    (const void *)p->bias, (const void *)p->y, p->ldy);
}

static size_t
groups_of(const struct mat *w)
{
	return (w->cols + DOT_GROUP - 1) / DOT_GROUP;
}

bool
gpu_coded(const struct mat *w, size_t *groups)
{
	*groups = w && w->data && mat_packed(w, false) ? groups_of(w) : 0;
	return *groups > 0;
}

/* Unless that was the last thing that was done. */
static void
quantize(struct gpu *g, const struct device_product *p)
{
	struct gpu_coded *had = &g->coded;
	struct gpu_coded c = { p->x, p->ldx, p->n, p->w->cols, p->w->fine };

	if (had->x == c.x && had->ld == c.ld && had->n == c.n && had->cols == c.cols &&
	    had->fine >= c.fine)
		return;
	gpu_run(g, K_QUANTIZE, NULL, (size_t[]){ groups_of(p->w) * 8, p->n, 1 }, 64, "pzuppppu",
	    (const void *)p->x, p->ldx, (unsigned)p->w->cols, g->codes, g->scales,
	    c.fine ? g->codes2 : NULL, c.fine ? g->scales2 : NULL, (unsigned)groups_of(p->w));
	*had = c;
}

static void
packed(struct gpu *g, const struct device_product *p)
{
	const struct mat *w = p->w;
	size_t groups = groups_of(w), stride = w->stride;
	size_t items[3] = { (w->rows + 7) / 8 * 64, (p->n + 7) / 8, 1 };
	const void *grid = grid_of(g, w->type);
	const unsigned char *data = w->data;

	/* Blocks that run over row ends are whole ones, as mat_packed() says. */
	if (w->type->flags & TYPE_FLAT) {
		stride = w->cols / w->type->block * w->type->bytes;
		data += w->skip / w->type->block * w->type->bytes;
	}
	quantize(g, p);
	gpu_run(g, K_PACKED, w->type, items, 64, "ppzufppuuppzu", (const void *)data,
	    grid, stride, (unsigned)w->rows, (double)w->scale, g->codes, g->scales,
	    (unsigned)groups, (unsigned)p->n, w->fine ? NULL : (const void *)p->bias,
	    (const void *)p->y, p->ldy, 0u);
	if (w->fine)
		gpu_run(g, K_PACKED, w->type, items, 64, "ppzufppuuppzu", (const void *)data,
		    grid, stride, (unsigned)w->rows, (double)w->scale, g->codes2,
		    g->scales2, (unsigned)groups, (unsigned)p->n, (const void *)p->bias,
		    (const void *)p->y, p->ldy, 1u);
}

static bool
within(const struct gpu_coded *c, const float *y)
{
	return c->x && y >= c->x && y < c->x + (c->n - 1) * c->ld + c->cols;
}

void
gpu_multiply(struct device *d, const struct device_product *p, size_t n, bool precise)
{
	struct gpu *g = (struct gpu *)d;

	for (size_t i = 0; i < n; i++) {
		if (mat_packed(p[i].w, precise))
			packed(g, &p[i]);
		else
			floats(g, &p[i]);
		if (within(&g->coded, p[i].y))
			g->coded.x = NULL;
	}
}
