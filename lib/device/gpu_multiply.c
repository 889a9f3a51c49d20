/* SPDX-License-Identifier: MIT */
/* gpu_multiply.c -- products, one after the other, and rows. */
#include <stddef.h>
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

/* From one expert's matrix to the next, in elements; 0: it is no mixture. */
static size_t
apart(struct gpu *g, const struct mat *w, const struct gpu_tiles *t)
{
	size_t n;

	if (!t || t->n_expert < 2)
		return 0;
	n = gpu_apart(g, w[0].data, w[1].data);
	if (gpu_apart(g, w[0].data, w[t->n_expert - 1].data) != n * (t->n_expert - 1))
		gpu_fail(g, "experts", "they are not equally far from one another");
	return n / w->type->bytes * w->type->block + (w[1].skip - w[0].skip);
}

static size_t
column_groups(const struct device_product *p, const struct gpu_tiles *t)
{
	return t ? t->n : (p->n + 7) / 8;
}

/* A codebook type's points, there once, however often they are placed. */
static const void *
grid_of(struct gpu *g, const struct type *t)
{
	size_t points;
	const uint16_t *grid = gpu_type_grid(t, &points);
	struct err e;

	if (grid && gpu_place(&g->d, grid, points * sizeof *grid, &e) < 0)
		gpu_fail(g, t->name, e.msg);
	return grid;
}

/* A matrix by elements: a row's begin, and with it each row, is a whole block's. */
struct elements {
	size_t	 first, next, side;
};

static struct elements
elements(const struct mat *w)
{
	const struct type *t = w->type;
	struct elements e = { w->skip, w->stride / t->bytes * t->block, 1 };

	if (t->flags & TYPE_FLAT)
		e.next = w->transposed ? w->stride : w->cols;
	if (w->transposed)
		e = (struct elements){ w->skip, 1, e.next };
	else if (!(t->flags & TYPE_FLAT))
		e.first = 0;
	return e;
}

static void
floats(struct gpu *g, const struct device_product *p, const struct gpu_tiles *t)
{
	const struct mat *w = p->w;
	const struct type *type = w->type;
	int plain = float_kernel(type);
	struct elements at = elements(w);

	gpu_run(g, plain < 0 ? K_VALUE : (enum gpu_kernel)plain, plain < 0 ? type : NULL,
	    (size_t[]){ (w->rows + 3) / 4 * 64, column_groups(p, t), 1 }, 64, "ppzzzfuupzuppzppz",
	    w->data, plain < 0 ? grid_of(g, type) : NULL, at.first, at.next, at.side,
	    (double)w->scale, (unsigned)w->rows, (unsigned)w->cols, (const void *)p->x, p->ldx, (unsigned)p->n,
	    (const void *)p->bias, (const void *)p->y, p->ldy, t ? t->tile : NULL,
	    t ? t->column : NULL, apart(g, w, t));
}

static void
rows(struct gpu *g, const struct mat *w, const void *id, unsigned every, float by, bool more,
    float *x)
{
	int plain = float_kernel(w->type);
	struct elements at = elements(w);

	gpu_run(g, plain < 0 ? K_ROW : (enum gpu_kernel)(plain - K_F32 + K_ROW_F32),
	    plain < 0 ? w->type : NULL, (size_t[]){ w->cols, g->columns, 1 }, 64, "ppzzzfupufup",
	    w->data, plain < 0 ? grid_of(g, w->type) : NULL, at.first, at.next, at.side,
	    (double)w->scale, (unsigned)w->cols, id, every, (double)by, (unsigned)more,
	    (const void *)x);
}

void
gpu_embed(struct device *d, const struct device_embed *o)
{
	struct gpu *g = (struct gpu *)d;
	const struct device_at *at = g->at;

	rows(g, o->w, o->id, 1, o->scale, false, o->x);
	/* A place is its sequence, then its position. */
	if (o->pos->data)
		rows(g, o->pos, (const unsigned char *)at + offsetof(struct device_at, pos),
		    sizeof *at / sizeof(uint32_t), 1, true, o->x);
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
packed(struct gpu *g, const struct device_product *p, const struct gpu_tiles *t)
{
	const struct mat *w = p->w;
	size_t groups = groups_of(w), stride = w->stride;
	size_t items[3] = { (w->rows + 7) / 8 * 64, column_groups(p, t), 1 };
	size_t next = apart(g, w, t) / w->type->block * w->type->bytes;
	const void *grid = grid_of(g, w->type);
	const unsigned char *data = w->data;

	/* Blocks that run over row ends are whole ones, as mat_packed() says. */
	if (w->type->flags & TYPE_FLAT) {
		stride = w->cols / w->type->block * w->type->bytes;
		data += w->skip / w->type->block * w->type->bytes;
	}
	quantize(g, p);
	for (unsigned second = 0; second <= w->fine; second++)
		gpu_run(g, K_PACKED, w->type, items, 64, "ppzufppuuppzuppz", (const void *)data,
		    grid, stride, (unsigned)w->rows, (double)w->scale,
		    second ? g->codes2 : g->codes, second ? g->scales2 : g->scales,
		    (unsigned)groups, (unsigned)p->n,
		    second == w->fine ? (const void *)p->bias : NULL, (const void *)p->y, p->ldy,
		    second, t ? t->tile : NULL, t ? t->column : NULL, next);
}

static bool
within(const struct gpu_coded *c, const float *y)
{
	return c->x && y >= c->x && y < c->x + (c->n - 1) * c->ld + c->cols;
}

void
gpu_multiply_tiles(struct gpu *g, const struct device_product *p, size_t n, bool precise,
    const struct gpu_tiles *t)
{
	for (size_t i = 0; i < n; i++) {
		if (mat_packed(p[i].w, precise))
			packed(g, &p[i], t);
		else
			floats(g, &p[i], t);
		if (within(&g->coded, p[i].y))
			g->coded.x = NULL;
	}
}

void
gpu_multiply(struct device *d, const struct device_product *p, size_t n, bool precise)
{
	gpu_multiply_tiles((struct gpu *)d, p, n, precise, NULL);
}
