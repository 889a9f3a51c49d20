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
	if (!mat_packed(m, false) || !gpu_type(m->type))
		return m->type->name;
	return NULL;
}

static void
floats(struct gpu *g, const struct device_product *p)
{
	const struct mat *w = p->w;
	size_t size = w->type->bytes;
	size_t row = w->transposed ? size : w->stride, col = w->transposed ? w->stride : size;
	const unsigned char *from = (const unsigned char *)w->data + w->skip * size;

	gpu_run(g, (enum gpu_kernel)float_kernel(w->type), NULL,
	    (size_t[]){ (w->rows + 3) / 4 * 64, (p->n + 7) / 8, 1 }, 64, "pzzuupzuppz",
	    (const void *)from, row, col, (unsigned)w->rows, (unsigned)w->cols,
	    (const void *)p->x, p->ldx, (unsigned)p->n, (const void *)p->bias,
	    (const void *)p->y, p->ldy);
}

static void
packed(struct gpu *g, const struct device_product *p, bool again)
{
	const struct mat *w = p->w;
	const struct gpu_type *t = gpu_type(w->type);
	size_t groups = (w->cols + DOT_GROUP - 1) / DOT_GROUP, stride = w->stride, skip = 0;

	if (!g->failed && t->grid &&
	    gpu_place(&g->d, t->grid, t->points * sizeof *t->grid, &g->first) < 0)
		g->failed = true;
	/* Blocks that run over row ends are whole ones, as mat_packed() says. */
	if (w->type->flags & TYPE_FLAT) {
		stride = w->cols / w->type->block * w->type->bytes;
		skip = w->skip / w->type->block * w->type->bytes;
	}
	if (!again)
		gpu_run(g, K_QUANTIZE, NULL, (size_t[]){ groups, p->n, 1 }, 16, "pppzuu",
		    (const void *)p->x, g->codes, g->scales, p->ldx, (unsigned)w->cols,
		    (unsigned)groups);
	gpu_run(g, K_PACKED, w->type, (size_t[]){ (w->rows + 7) / 8 * 64, (p->n + 7) / 8, 1 }, 64,
	    "ppzufppuuppz", (const void *)((const unsigned char *)w->data + skip),
	    (const void *)t->grid, stride, (unsigned)w->rows, (double)w->scale, g->codes,
	    g->scales, (unsigned)groups, (unsigned)p->n, (const void *)p->bias,
	    (const void *)p->y, p->ldy);
}

void
gpu_multiply(struct device *d, const struct device_product *p, size_t n, bool precise)
{
	struct gpu *g = (struct gpu *)d;
	const float *x = NULL;	/* that is quantized */

	for (size_t i = 0; i < n; i++) {
		if (mat_packed(p[i].w, precise)) {
			packed(g, &p[i], p[i].x == x);
			x = p[i].x;
		} else {
			floats(g, &p[i]);
		}
	}
}
