/* SPDX-License-Identifier: MIT */
/* named.c -- a source's tensors by GGUF's names, as vectors and matrices. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static int
compare(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	if (r == 0)
		r = (x->at.expert > y->at.expert) - (x->at.expert < y->at.expert);
	return r ? r : (x->at.part > y->at.part) - (x->at.part < y->at.part);
}

struct named *
load_find(const struct load *l, const char *name, long expert, unsigned part)
{
	struct named key = { .name = name, .at = { .expert = expert, .part = part } };

	return bsearch(&key, l->named, l->n, sizeof key, compare);
}

bool
load_has(const struct load *l, const char *name)
{
	return load_find(l, name, -1, 0) != NULL;
}

int
load_names(struct load *l, struct err *e)
{
	const struct manifest *mf = l->w->m;
	char gguf[TENSOR_NAME + 1];
	struct arch_place at;

	if (!(l->named = calloc(mf->ntensor + 1, sizeof *l->named)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < mf->ntensor; i++) {
		const struct tensor *t = &mf->tensor[i];
		const char *name = t->name;

		if (t->tied_to)
			continue;
		if (!arch_role(l->arch, l->conv, t->name, gguf, &at))
			return err_set(e, "%s: no tensor of %s has this name", t->name,
			    arch_gguf(l->arch));
		if (!*gguf)
			continue;	/* known, and not needed */
		if (!(name = arena_strn(l->arena, gguf, strlen(gguf))))
			return err_set(e, "out of memory");
		l->named[l->n++] = (struct named){ name, at, i, false };
	}
	qsort(l->named, l->n, sizeof *l->named, compare);
	for (size_t i = 1; i < l->n; i++)
		if (!compare(&l->named[i - 1], &l->named[i]))
			return err_set(e, "%s and %s are both %s", mf->tensor[l->named[i - 1].tensor].name,
			    mf->tensor[l->named[i].tensor].name, l->named[i].name);
	return 0;
}

const float *
load_part(const struct load *l, const char *name, unsigned part, size_t n, float add, struct err *e)
{
	struct named *x = load_find(l, name, -1, part);
	const struct tensor *t;
	float *v;

	if (!x) {
		err_set(e, "%s is missing", name);
		return NULL;
	}
	t = &l->w->m->tensor[x->tensor];
	if (t->n != n || !t->type->to_f32 || t->type->block != 1 || (t->type->flags & TYPE_INTEGER)) {
		err_set(e, "%s: %" PRIu64 " elements in %s, not %zu floats", t->name, t->n,
		    t->type->name, n);
		return NULL;
	}
	if (!(v = arena_alloc(l->arena, n * sizeof *v + 1))) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (array_room(&l->model->vector, l->model->nvectors, sizeof *l->model->vector, e) < 0)
		return NULL;
	l->model->vector[l->model->nvectors++] = (struct vector){ .name = t->name,
	    .tensor = x->tensor, .v = v, .n = n, .add = add };
	x->used = true;
	return v;
}

void
load_use(const struct load *l, enum vector_use use, float *by)
{
	struct vector *v = &l->model->vector[l->model->nvectors - 1];

	v->use = use;
	v->by = by;
}

const float *
load_vector(const struct load *l, const char *name, size_t n, float add, struct err *e)
{
	return load_part(l, name, 0, n, add, e);
}

int
load_maybe(const struct load *l, const char *name, size_t n, float add, const float **v,
    struct err *e)
{
	if (!load_has(l, name))
		return 0;
	*v = load_vector(l, name, n, add, e);
	return *v ? 0 : -1;
}

int
load_as_matrix(const struct load *l, struct named *x, size_t rows, size_t cols, bool transposed,
    struct mat *m, struct err *e)
{
	const struct tensor *t = &l->w->m->tensor[x->tensor];
	uint64_t last = t->ndim ? t->dim[t->ndim - 1] : 0;
	char shape[128];

	if (t->n != (uint64_t)rows * cols || last != (transposed ? rows : cols))
		return err_set(e, "%s: shape %s, not %zu x %zu%s", t->name,
		    tensor_shape(t, shape, sizeof shape), rows, cols,
		    transposed ? " (transposed)" : "");
	if ((t->type->flags & TYPE_INTEGER) || (!t->type->to_f32 && !(t->type->flags & TYPE_WHOLE)))
		return err_set(e, "%s: %s cannot be multiplied", t->name, t->type->name);
	*m = (struct mat){ .type = t->type, .data = l->w->data[x->tensor], .rows = rows,
	    .cols = cols, .stride = (size_t)tensor_row_bytes(t), .transposed = transposed };
	if (t->type->flags & TYPE_WHOLE) {
		m->data = (const unsigned char *)m->data + 4;
		m->stride = cols;
	}
	/* Nor do these two have rows of bytes. */
	if (transposed && (t->type->flags & (TYPE_WHOLE | TYPE_FLAT)))
		m->stride = rows;
	x->used = true;
	return 0;
}

int
load_matrix(const struct load *l, const char *name, size_t rows, size_t cols, bool transposed,
    struct mat *m, struct err *e)
{
	struct named *x = load_find(l, name, -1, 0);

	return x ? load_as_matrix(l, x, rows, cols, transposed, m, e) :
	    err_set(e, "%s is missing", name);
}
