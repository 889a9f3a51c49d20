/* SPDX-License-Identifier: MIT */
/* gpu_multiply.c -- products, one after the other. */
#include "gpu.h"

static int
float_kernel(const struct type *t)
{
	return t == &type_f32 ? K_F32 : t == &type_f16 ? K_F16 : t == &type_bf16 ? K_BF16 : -1;
}

const char *
gpu_lacks(const struct device *d, const struct mat *m, bool precise)
{
	(void)d;
	if (float_kernel(m->type) >= 0)
		return NULL;
	if (precise)
		return "packed weights as floats";
	if (m->transposed)
		return "packed weights that lie transposed";
	if (!mat_packed(m, false) || !gpu_type_name(m->type))
		return m->type->name;
	return NULL;
}

/* From one expert's matrix to the next, in bytes; 0: it is no mixture. */
static size_t
apart(struct gpu *g, const struct mat *w, const struct gpu_tiles *t)
{
	size_t n;

	if (!t || t->n_expert < 2)
		return 0;
	n = gpu_apart(g, w[0].data, w[1].data);
	if (gpu_apart(g, w[0].data, w[t->n_expert - 1].data) != n * (t->n_expert - 1))
		gpu_fail(g, "experts", "they are not equally far from one another");
	return n + (w[1].skip - w[0].skip) / w->type->block * w->type->bytes;
}

static size_t
column_groups(const struct device_product *p, const struct gpu_tiles *t)
{
	return t ? t->n : (p->n + 7) / 8;
}

static void
floats(struct gpu *g, const struct device_product *p, const struct gpu_tiles *t)
{
	const struct mat *w = p->w;
	size_t size = w->type->bytes;
	size_t row = w->transposed ? size : w->stride, col = w->transposed ? w->stride : size;
	const unsigned char *from = (const unsigned char *)w->data + w->skip * size;

	gpu_run(g, (enum gpu_kernel)float_kernel(w->type), NULL,
	    (size_t[]){ (w->rows + 3) / 4 * 64, column_groups(p, t), 1 }, 64, "pzzuupzuppzppz",
	    (const void *)from, row, col, (unsigned)w->rows, (unsigned)w->cols,
	    (const void *)p->x, p->ldx, (unsigned)p->n, (const void *)p->bias,
	    (const void *)p->y, p->ldy, t ? t->tile : NULL, t ? t->column : NULL, apart(g, w, t));
}

/* And what that leaves, where that is wanted too. */
static void
quantize(struct gpu *g, const struct device_product *p, size_t groups)
{
	size_t items[3] = { groups, p->n, 1 };

	for (int left = 0; left <= p->w->fine; left++)
		gpu_run(g, K_QUANTIZE, NULL, items, 16, "pppppzuu", (const void *)p->x,
		    left ? g->codes : NULL, left ? g->scales : NULL,
		    left ? g->codes2 : g->codes, left ? g->scales2 : g->scales, p->ldx,
		    (unsigned)p->w->cols, (unsigned)groups);
}

static void
packed(struct gpu *g, const struct device_product *p, bool again, const struct gpu_tiles *t)
{
	const struct mat *w = p->w;
	size_t groups = (w->cols + DOT_GROUP - 1) / DOT_GROUP, stride = w->stride, points;
	size_t items[3] = { (w->rows + 7) / 8 * 64, column_groups(p, t), 1 }, next = apart(g, w, t);
	const uint16_t *grid = gpu_type_grid(w->type, &points);
	const unsigned char *data = w->data;
	struct err e;

	/* There once, however often it is placed. */
	if (grid && gpu_place(&g->d, grid, points * sizeof *grid, &e) < 0) {
		gpu_fail(g, w->type->name, e.msg);
		return;
	}
	/* Blocks that run over row ends are whole ones, as mat_packed() says. */
	if (w->type->flags & TYPE_FLAT) {
		stride = w->cols / w->type->block * w->type->bytes;
		data += w->skip / w->type->block * w->type->bytes;
	}
	if (!again)
		quantize(g, p, groups);
	for (unsigned second = 0; second <= w->fine; second++)
		gpu_run(g, K_PACKED, w->type, items, 64, "ppzufppuuppzuppz", (const void *)data,
		    (const void *)grid, stride, (unsigned)w->rows, (double)w->scale,
		    second ? g->codes2 : g->codes, second ? g->scales2 : g->scales,
		    (unsigned)groups, (unsigned)p->n,
		    second == w->fine ? (const void *)p->bias : NULL, (const void *)p->y, p->ldy,
		    second, t ? t->tile : NULL, t ? t->column : NULL, next);
}

void
gpu_multiply_tiles(struct gpu *g, const struct device_product *p, size_t n, bool precise,
    const struct gpu_tiles *t)
{
	const float *x = NULL;	/* that is quantized, */
	bool fine = false;	/* and how */

	for (size_t i = 0; i < n; i++) {
		if (mat_packed(p[i].w, precise)) {
			packed(g, &p[i], p[i].x == x && p[i].w->fine <= fine, t);
			x = p[i].x;
			fine = p[i].w->fine;
		} else {
			floats(g, &p[i], t);
		}
	}
}

void
gpu_multiply(struct device *d, const struct device_product *p, size_t n, bool precise)
{
	gpu_multiply_tiles((struct gpu *)d, p, n, precise, NULL);
}
