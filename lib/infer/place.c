/* SPDX-License-Identifier: MIT */
/* place.c -- room for weights where a device finds them, and what it lacks. */
#include <stdlib.h>

#include "infer.h"

struct placing {
	const struct model *m;
	struct device	*d;
	struct device_plan *plan;	/* instead of room: what it would take */
	uint64_t	 types;		/* of weights */
	bool		 precise;
	bool		*seen;		/* of each part */
};

/* Of several matrices in one tensor the first is for all of it. */
static int
matrix(void *ctx, const struct mat *w, struct err *e)
{
	struct placing *p = ctx;
	struct part *at = model_part(p->m, w->data);
	const char *lacks = p->d->op->lacks(p->d, w, p->precise);

	if (lacks)
		return err_set(e, "%s: %s cannot multiply %s", at->t->name, p->d->name, lacks);
	if (p->seen[at - p->m->part])
		return 0;
	p->seen[at - p->m->part] = true;
	if (w->type->ggml >= 0 && w->type->ggml < 64)
		p->types |= (uint64_t)1 << w->type->ggml;
	if (p->plan)
		device_plan_add(p->plan, DEVICE_WEIGHTS, at->t->name, at->t->bytes);
	else if (p->d->op->place(p->d, at->data, (size_t)at->t->bytes, w->type, e) < 0)
		return err_prefix(e, "%s", at->t->name);
	return 0;
}

static int
vectors(struct placing *p, struct err *e)
{
	for (size_t i = 0; i < p->m->nvectors; i++) {
		const struct vector *v = &p->m->vector[i];

		if (v->use == VECTOR_DIVIDES || v->n == 0)
			continue;	/* the host's own */
		if (p->plan)
			device_plan_add(p->plan, DEVICE_WEIGHTS, v->name, v->n * sizeof *v->v);
		else if (p->d->op->place(p->d, v->v, v->n * sizeof *v->v, NULL, e) < 0)
			return err_prefix(e, "%s", v->name);
	}
	return 0;
}

static int
walk(struct placing *p, struct err *e)
{
	int r;

	if (!(p->seen = calloc(p->m->nparts + 1, sizeof *p->seen)))
		return err_set(e, "out of memory");
	r = model_walk(p->m, matrix, p, e) < 0 ? -1 : vectors(p, e);
	free(p->seen);
	return r;
}

int
infer_place(const struct model *m, struct device *d, bool precise, uint64_t *packed,
    struct err *e)
{
	return infer_place_plan(m, d, precise, NULL, packed, e);
}

int
infer_place_plan(const struct model *m, struct device *d, bool precise, struct device_plan *plan,
    uint64_t *packed, struct err *e)
{
	struct placing p = { .m = m, .d = d, .precise = precise, .plan = plan };
	int r = walk(&p, e);

	*packed = p.types;
	return r;
}
