/* SPDX-License-Identifier: MIT */
/* vectors.c -- what a model keeps as numbers, from the bytes of tensors. */
#include <math.h>
#include <stdlib.h>

#include <apr/weights.h>

#include "model.h"

static int
by_tensor(const void *a, const void *b)
{
	const struct vector *x = a, *y = b;

	return (x->tensor > y->tensor) - (x->tensor < y->tensor);
}

void
model_sort_vectors(struct model *m)
{
	if (m->nvectors > 0)
		qsort(m->vector, m->nvectors, sizeof *m->vector, by_tensor);
}

/* The first one of the tensor, or behind all. */
static size_t
find(const struct model *m, size_t tensor)
{
	size_t low = 0, high = m->nvectors;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->vector[mid].tensor < tensor)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool
model_wants_bytes(const struct model *m, size_t tensor)
{
	size_t i = find(m, tensor);

	return i < m->nvectors && m->vector[i].tensor == tensor;
}

bool
model_uses(const struct model *m, const struct weights *w, size_t tensor)
{
	return m->nparts > 0 && w->data[tensor] &&
	    model_part(m, w->data[tensor])->t == &w->m->tensor[tensor];
}

static int
fill(const struct vector *x, const struct tensor *t, const void *bytes, struct err *e)
{
	float *v = x->v;

	type_decoder(t->type)(v, bytes, x->n);
	for (size_t i = 0; i < x->n; i++) {
		if (!isfinite(v[i]))
			return err_set(e, "%s: element %zu is %g", t->name, i, (double)v[i]);
		v[i] += x->add;
		if (x->use == VECTOR_MINUS_EXP)
			v[i] = (float)-exp((double)v[i]);
		else if (x->use == VECTOR_DIVIDES)
			x->by[i] /= v[i];
	}
	return 0;
}

int
model_take(struct model *m, const struct weights *w, size_t tensor, const void *bytes,
    struct err *e)
{
	const struct tensor *t = &w->m->tensor[tensor];
	struct part *p = w->data[tensor] ? model_part(m, w->data[tensor]) : NULL;

	for (size_t i = find(m, tensor); i < m->nvectors && m->vector[i].tensor == tensor; i++)
		if (fill(&m->vector[i], t, bytes, e) < 0)
			return -1;
	if (p && p->t == t && t->type->flags & TYPE_WHOLE && t->bytes >= 4)
		type_f32.to_f32(&p->scale, bytes, 1);
	return 0;
}

int
model_take_all(struct model *m, const struct weights *w, struct err *e)
{
	for (size_t i = 0; i < w->m->ntensor; i++)
		if ((model_wants_bytes(m, i) || w->m->tensor[i].type->flags & TYPE_WHOLE) &&
		    model_take(m, w, i, w->data[i], e) < 0)
			return -1;
	return model_set_scales(m, e);
}

static int
scale(void *ctx, const struct mat *w, struct err *e)
{
	struct part *p;

	if (!w->data || !(w->type->flags & TYPE_WHOLE))
		return 0;
	p = model_part(ctx, w->data);
	((struct mat *)(uintptr_t)w)->scale = p->scale;		/* of the model, which is ours */
	return isfinite(p->scale) ? 0 :
	    err_set(e, "%s: its scale is %g", p->t->name, (double)w->scale);
}

int
model_set_scales(struct model *m, struct err *e)
{
	return scale(m, &m->embd, e) < 0 || scale(m, &m->pos_embd, e) < 0 ||
	    model_walk(m, scale, m, e) < 0 ? -1 : 0;
}
