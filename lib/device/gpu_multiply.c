/* SPDX-License-Identifier: MIT */
/* gpu_multiply.c -- products, of like matrices in one launch, and rows. */
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

enum { COLUMNS = 8 };		/* of a work-group */

/* Groups of row blocks times columns, which are tiles and parts of tiles. */
struct extent { size_t items[3]; };

static struct extent
extent(size_t blocks, const struct device_product *p, const struct gpu_tiles *t)
{
	return (struct extent){ { blocks * 64, t ? t->n : (p->n + COLUMNS - 1) / COLUMNS,
	    t ? (t->size + COLUMNS - 1) / COLUMNS : 1 } };
}

int
gpu_grid(struct gpu *g, const struct type *t, struct err *e)
{
	size_t points;
	const uint16_t *grid = gpu_type_grid(t, &points);
	uint64_t before = g->taken;

	if (!grid)
		return 0;
	if (gpu_place(&g->d, grid, points * sizeof *grid, e) < 0)
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
	    extent((w->rows + 3) / 4, p, t).items, 64, "ppzzzfuupzuppzppz",
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
	gpu_run(g, K_QUANTIZE, NULL, (size_t[]){ groups_of(p->w) * 8 * p->n, 1, 1 }, 64, "pzuppppuu",
	    (const void *)p->x, p->ldx, (unsigned)p->w->cols, g->codes, g->scales,
	    c.fine ? g->codes2 : NULL, c.fine ? g->scales2 : NULL, (unsigned)groups_of(p->w),
	    (unsigned)p->n);
	*had = c;
}

/* Where the rows begin, and bytes from one to the next. */
static const unsigned char *
rows_at(const struct mat *w, size_t *stride)
{
	const unsigned char *data = w->data;

	*stride = w->stride;
	if (!(w->type->flags & TYPE_FLAT))
		return data;
	/* Blocks that run over row ends are whole ones, as mat_packed() says. */
	*stride = w->cols / w->type->block * w->type->bytes;
	return data + w->skip / w->type->block * w->type->bytes;
}

enum { TOGETHER = 3 };		/* matrices of a launch, see matrices.cl */

/* How many of the first n products differ in rows and results alone. */
static size_t
together(struct gpu *g, const struct device_product *p, size_t n, bool precise,
    const struct gpu_tiles *t)
{
	size_t same = 1, stride, other;

	rows_at(p->w, &stride);
	for (; same < n && same < TOGETHER; same++) {
		const struct device_product *q = p + same;

		rows_at(q->w, &other);
		if (!mat_packed(q->w, precise) || q->w->type != p->w->type ||
		    q->w->cols != p->w->cols || q->w->fine != p->w->fine || other != stride ||
		    apart(g, q->w, t) != apart(g, p->w, t) ||
		    q->x != p->x || q->ldx != p->ldx || q->n != p->n || q->ldy != p->ldy)
			break;
	}
	return same;
}

static void
packed(struct gpu *g, const struct device_product *p, size_t many, const struct gpu_tiles *t)
{
	const struct mat *w = p->w;
	const void *grid = grid_of(g, w->type);
	size_t blocks = 0, stride = 0, next = apart(g, w, t) / w->type->block * w->type->bytes;
	struct { const void *w, *bias, *y; unsigned rows; double scale; } m[TOGETHER] = { { 0 } };

	quantize(g, p);
	for (size_t i = 0; i < many; i++) {
		m[i].w = rows_at(p[i].w, &stride);
		m[i].rows = (unsigned)p[i].w->rows;
		m[i].scale = (double)p[i].w->scale;
		m[i].y = p[i].y;
		blocks += (p[i].w->rows + 7) / 8;
	}
	for (unsigned second = 0; second <= w->fine; second++) {
		for (size_t i = 0; i < many; i++)
			m[i].bias = second == w->fine ? p[i].bias : NULL;
		gpu_run(g, K_PACKED, w->type, extent(blocks, p, t).items, 64,
		    w->fine && g->driver->both ? "ppzufppuuppzupufpppufppppzpp" :
		    "ppzufppuuppzupufpppufppppz", m[0].w, grid, stride, m[0].rows, m[0].scale,
		    second ? g->codes2 : g->codes, second ? g->scales2 : g->scales,
		    (unsigned)groups_of(w), (unsigned)(t ? t->size : p->n), m[0].bias, m[0].y, p->ldy, second,
		    m[1].w, m[1].rows, m[1].scale, m[1].bias, m[1].y,
		    m[2].w, m[2].rows, m[2].scale, m[2].bias, m[2].y,
		    t ? t->tile : NULL, t ? t->column : NULL, next,
		    second ? g->codes : g->codes2, second ? g->scales : g->scales2);
	}
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
	for (size_t i = 0, many = 1; i < n; i += many) {
		many = mat_packed(p[i].w, precise) ? together(g, p + i, n - i, precise, t) : 1;
		if (mat_packed(p[i].w, precise))
			packed(g, p + i, many, t);
		else
			floats(g, p + i, t);
		for (size_t k = 0; k < many; k++)
			if (within(&g->coded, p[i + k].y))
				g->coded.x = NULL;
	}
}

void
gpu_multiply(struct device *d, const struct device_product *p, size_t n, bool precise)
{
	gpu_multiply_tiles((struct gpu *)d, p, n, precise, NULL);
}
