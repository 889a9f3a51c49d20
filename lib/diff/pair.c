/* SPDX-License-Identifier: MIT */
/* pair.c -- what one or both sides have, and how it is compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

static struct pair *
add_pair(struct diff *d, struct err *e)
{
	if (array_room(&d->pair, d->npair, sizeof *d->pair, e) < 0)
		return NULL;
	memset(&d->pair[d->npair], 0, sizeof *d->pair);
	return &d->pair[d->npair++];
}

/* Shapes but for dimensions of 1. */
static bool
same_shape(const struct tensor *a, const struct tensor *b)
{
	unsigned i = 0, k = 0;

	for (;; i++, k++) {
		while (i < a->ndim && a->dim[i] == 1)
			i++;
		while (k < b->ndim && b->dim[k] == 1)
			k++;
		if (i == a->ndim || k == b->ndim)
			return i == a->ndim && k == b->ndim;
		if (a->dim[i] != b->dim[k])
			return false;
	}
}

/* The last dimension that is not 1: rows on both sides. */
static uint64_t
row_of(const struct tensor *t)
{
	for (unsigned i = t->ndim; i-- > 0; )
		if (t->dim[i] != 1)
			return t->dim[i];
	return 1;
}

static bool
same_way(const struct view *a, const struct view *b)
{
	return a->npiece == 1 && b->npiece == 1 && a->value == b->value &&
	    a->at == 0 && b->at == 0 && !memcmp(&a->sh, &b->sh, sizeof a->sh);
}

static bool
decodes(const struct type *t)
{
	return t->to_f32 || t->flags & (TYPE_WHOLE | TYPE_INTEGER);
}

/* 8-bit floats that are nothing without their scales. */
static bool
is_scaled(const struct side *s, const struct tensor *t)
{
	char name[TENSOR_NAME + 16];

	if (!s->names || strncmp(t->type->name, "F8_", 3))
		return false;
	snprintf(name, sizeof name, "%s_scale_inv", t->name);
	if (names_find(s->names, name) != SIZE_MAX)
		return true;
	snprintf(name, sizeof name, "%s_scale", t->name);
	return names_find(s->names, name) != SIZE_MAX;
}

int
diff_find_scaled(struct side *s, struct err *e)
{
	size_t n = 0, old;

	for (size_t i = 0; i < s->m->ntensor; i++)
		n += !strncmp(s->m->tensor[i].type->name, "F8_", 3);
	if (n == 0)
		return 0;
	if (!(s->names = names_new(s->m->ntensor + 1, e)))
		return -1;
	for (size_t i = 0; i < s->m->ntensor; i++)
		if (names_add(s->names, s->m->tensor[i].name, i, &old, e) < 0)
			return -1;
	return 0;
}

static const struct tensor *
first_of(const struct diff *d, const struct view *v)
{
	return v->npiece ? &d->side[v->side].m->tensor[v->piece[0].tensor] : NULL;
}

/* Both have it: how are they compared? */
static void
judge(struct diff *d, struct pair *p)
{
	const struct tensor *t[2] = { first_of(d, p->v[0]), first_of(d, p->v[1]) };
	const struct type *const *type = p->e.type;
	bool plain = true;

	/* What is turned on both sides in the same way need not be turned. */
	if (t[0] && t[1] && same_way(p->v[0], p->v[1]) && same_shape(t[0], t[1]))
		for (int k = 0; k < 2; k++) {
			memset(&p->v[k]->sh, 0, sizeof p->v[k]->sh);
			p->v[k]->value = VALUE_SAME;
			p->e.t[k] = t[k];
		}
	if (!same_shape(p->e.t[0], p->e.t[1])) {
		p->e.kind = DIFF_SHAPE;
		return;
	}
	p->cols = row_of(p->e.t[0]);
	p->n = p->e.t[0]->n;
	for (int k = 0; k < 2; k++) {
		struct view *v = p->v[k];

		v->strips = diff_view_strips(v, p->cols);
		plain &= !v->data && shuffle_none(&v->sh) && v->npiece == 1 &&
		    v->value == VALUE_SAME && v->at == 0;
		for (size_t i = 0; i < v->npiece; i++) {
			const struct type *x = d->side[k].m->tensor[v->piece[i].tensor].type;

			p->e.raw |= !decodes(x);
			p->wide |= x == &type_f64 || x->flags & TYPE_INTEGER;
		}
	}
	for (unsigned k = 0; k < 2 && !d->bytes; k++)
		if (type[0] != type[1] && t[k] && is_scaled(&d->side[k], t[k])) {
			p->e.kind = DIFF_UNMEASURED;
			p->e.why = "8-bit floats with scales: apr-dequant applies them";
			return;
		}
	p->e.raw |= d->bytes || (type[0] == type[1] && type[0]->flags & TYPE_INTEGER);
	if (!p->e.raw)
		return;
	if (plain && type[0] == type[1] && t[0]->bytes == t[1]->bytes) {
		p->n = t[0]->bytes;
		return;
	}
	/* Integers that are stacked or turned go as numbers. */
	if (!d->bytes && decodes(type[0]) && decodes(type[1])) {
		p->e.raw = false;
		return;
	}
	p->e.kind = DIFF_UNMEASURED;
	p->e.why = !d->bytes ? "a number type that cannot be read" :
	    type[0] != type[1] ? "types differ" : "layouts differ";
}

/* An entry of what one or both sides have. */
struct pair *
diff_pair(struct diff *d, struct out *a, struct out *b, const char *name, struct err *e)
{
	struct pair *p = add_pair(d, e);
	struct out *o[2] = { a, b };

	if (!p)
		return NULL;
	p->e.name = name;
	p->e.kind = !a ? DIFF_ONLY_B : !b ? DIFF_ONLY_A : DIFF_BOTH;
	for (int k = 0; k < 2; k++) {
		if (!o[k])
			continue;
		o[k]->taken = true;
		p->e.t[k] = o[k]->t;
		p->e.type[k] = o[k]->type;
		p->v[k] = &o[k]->v;
		p->e.source[k] = o[k]->source;
		p->e.several[k] = o[k]->several;
		if (o[k]->why && !p->e.why) {
			p->e.why = o[k]->why;
			p->e.kind = DIFF_INCOMPLETE;
		}
	}
	if (a && b)
		p->e.renamed = d->side[0].conv == d->side[1].conv && a->source && b->source &&
		    !a->several && !b->several && strcmp(a->source, b->source);
	if (p->e.kind == DIFF_BOTH)
		judge(d, p);
	else if ((!a || !b) && arch_in_config(name) && d->side[!!a].m->source &&
	    !strcmp(d->side[!!a].m->source, "apr"))
		p->e.kind = DIFF_UNSAID;
	return p;
}
