/* SPDX-License-Identifier: MIT */
/* walk.c -- every matrix that a token is multiplied with. */
#include "model.h"

struct part *
model_part(const struct model *m, const void *data)
{
	size_t low = 0, high = m->nparts;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if ((uintptr_t)m->part[mid].data <= (uintptr_t)data)
			low = mid;
		else
			high = mid;
	}
	return &m->part[low];
}

static int
layer(const struct model *m, const struct layer *l, model_matrix *each, void *ctx, struct err *e)
{
	const struct mat *all[] = { &l->q, &l->k, &l->v, &l->o, &l->qkv, &l->z, &l->alpha, &l->beta,
	    &l->out, &l->gate, &l->up, &l->down, &l->router };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i]->data && each(ctx, all[i], e) < 0)
			return -1;
	for (unsigned i = 0; l->router.data && i < m->h.n_expert; i++)
		if (each(ctx, &l->exp.gate[i], e) < 0 || each(ctx, &l->exp.up[i], e) < 0 ||
		    each(ctx, &l->exp.down[i], e) < 0)
			return -1;
	return 0;
}

int
model_walk(const struct model *m, model_matrix *each, void *ctx, struct err *e)
{
	if (each(ctx, &m->output, e) < 0)
		return -1;
	for (unsigned i = 0; i < m->h.n_layer; i++)
		if (layer(m, &m->layer[i], each, ctx, e) < 0)
			return -1;
	return 0;
}
