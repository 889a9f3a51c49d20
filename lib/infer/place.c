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
	else if (p->d->op->place(p->d, at->data, (size_t)at->t->bytes, e) < 0)
		return err_prefix(e, "%s", at->t->name);
	return 0;
}

/* Those of one tensor follow one another as it is; those of many are to. */
static int
experts(struct placing *p, const struct mat *w, struct err *e)
{
	unsigned n = p->m->h.n_expert;
	struct part *first = model_part(p->m, w->data);
	const char *lacks = p->d->op->lacks_experts(p->d, w, n);
	size_t bytes = (size_t)first->t->bytes;
	const void **data;
	int r = 0;

	if (lacks)
		return err_set(e, "%s: %s cannot take %s", first->t->name, p->d->name, lacks);
	if (n < 2 || model_part(p->m, w[1].data) == first)
		return 0;
	if (w->type->ggml >= 0 && w->type->ggml < 64)
		p->types |= (uint64_t)1 << w->type->ggml;
	if (!(data = malloc(n * sizeof *data)))
		return err_set(e, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		struct part *at = model_part(p->m, w[i].data);

		data[i] = at->data;
		p->seen[at - p->m->part] = true;
	}
	if (p->plan)
		device_plan_add(p->plan, DEVICE_WEIGHTS, first->t->name, (uint64_t)n * bytes);
	else if (p->d->op->place_all(p->d, data, n, bytes, e) < 0)
		r = err_prefix(e, "%s", first->t->name);
	free(data);
	return r;
}

static int
mixtures(struct placing *p, struct err *e)
{
	for (unsigned i = 0; i < p->m->h.n_layer; i++) {
		const struct layer *l = &p->m->layer[i];

		if (l->router.data && (experts(p, l->exp.gate, e) < 0 ||
		    experts(p, l->exp.up, e) < 0 || experts(p, l->exp.down, e) < 0))
			return -1;
	}
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
		else if (p->d->op->place(p->d, v->v, v->n * sizeof *v->v, e) < 0)
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
	r = mixtures(p, e) < 0 || model_walk(p->m, matrix, p, e) < 0 ? -1 : vectors(p, e);
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
