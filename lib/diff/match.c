/* SPDX-License-Identifier: MIT */
/* match.c -- which tensor of one model is which of the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff.h"

static struct pair *
add_pair(struct diff *d, struct err *e)
{
	/* Grown by doubling: where the count is a power of two it is full. */
	if ((d->npair & (d->npair - 1)) == 0) {
		struct pair *v = realloc(d->pair, (d->npair ? 2 * d->npair : 1) * sizeof *v);

		if (!v) {
			err_set(e, "out of memory");
			return NULL;
		}
		d->pair = v;
	}
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

static int
find_scaled(struct side *s, struct err *e)
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

		v->strips = view_strips(v, p->cols);
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
static struct pair *
make_pair(struct diff *d, struct out *a, struct out *b, const char *name, struct err *e)
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

/* The table that knows most of a side's names: of equals its own, but that an
 * .apr's numbers may be made up where another side's are not. */
static void
choose_model(struct diff *d, unsigned side)
{
	struct side *s = &d->side[side];
	struct arch_model *try[2] = { s->own, d->side[!side].own };
	char gguf[TENSOR_NAME + 1];
	struct arch_place p;
	size_t best = 0;

	if (s->m->source && !strcmp(s->m->source, "apr") && d->side[!side].m->source &&
	    strcmp(d->side[!side].m->source, "apr")) {
		try[1] = s->own;
		try[0] = d->side[!side].own;
	}
	for (int k = 0; k < 2 && s->conv >= 0; k++) {
		size_t known = 0;

		for (size_t i = 0; try[k] && i < s->m->ntensor; i++)
			known += arch_role(try[k], (enum arch_conv)s->conv, s->m->tensor[i].name,
			    gguf, &p) && *gguf;
		if (known > best) {
			best = known;
			s->model = try[k];
		}
	}
}

/* One convention: by name, ties looked up. */
static int
match_names(struct diff *d, bool *taken[2], struct err *e)
{
	struct side *a = &d->side[0], *b = &d->side[1];
	struct names *names = names_new(b->m->ntensor + 1, e), *own = names_new(a->m->ntensor + 1, e);
	struct out *o[2];
	struct pair *p;
	size_t old, i;
	int r = -1;

	if (!names || !own)
		goto out;
	for (i = 0; i < b->m->ntensor; i++)
		if (names_add(names, b->m->tensor[i].name, i, &old, e) < 0)
			goto out;
	for (i = 0; i < a->m->ntensor; i++)
		if (names_add(own, a->m->tensor[i].name, i, &old, e) < 0)
			goto out;
	for (i = 0; i < a->m->ntensor; i++) {
		const struct tensor *t = &a->m->tensor[i];
		size_t k = names_find(names, t->name), at[2] = { i, k };
		bool tied[2] = { t->tied_to, k != SIZE_MAX && b->m->tensor[k].tied_to };

		if (k == SIZE_MAX)
			continue;
		taken[0][i] = taken[1][k] = true;
		if (tied[0] && tied[1])
			continue;
		if (tied[0])
			at[0] = names_find(own, t->tied_to);
		if (tied[1])
			at[1] = names_find(names, b->m->tensor[k].tied_to);
		if (!(o[0] = diff_offer_one(d, 0, at[0], e)) ||
		    !(o[1] = diff_offer_one(d, 1, at[1], e)) ||
		    !(p = make_pair(d, o[0], o[1], t->name, e)))
			goto out;
		p->e.renamed = false;
		p->e.tied[0] = tied[0];
		p->e.tied[1] = tied[1];
	}
	r = 0;
out:
	names_free(names);
	names_free(own);
	return r;
}

/* A side's embedding: offered as such, or under its own name. */
static struct out *
embedding(struct diff *d, unsigned side, struct err *e)
{
	struct side *s = &d->side[side];
	char gguf[TENSOR_NAME + 1];
	struct arch_place p;

	for (size_t i = 0; i < s->nout; i++)
		if (!strcmp(s->out[i]->name, "token_embd.weight") && !s->out[i]->why)
			return s->out[i];
	for (size_t i = 0; i < s->m->ntensor; i++)
		if (arch_role(s->model, (enum arch_conv)s->conv, s->m->tensor[i].name, gguf, &p) &&
		    !strcmp(gguf, "token_embd.weight"))
			return diff_offer_one(d, side, i, e);
	return NULL;
}

/* An output that one side has is the other's embedding, if that is tied. */
static int
match_tied(struct diff *d, struct out *o, unsigned has, bool *done, struct err *e)
{
	struct side *s = &d->side[!has];
	struct out *copy, *embd;
	struct pair *p;

	*done = false;
	if (strcmp(o->name, "output.weight") || o->why || !s->model || s->conv < 0 ||
	    !arch_is_tied(s->model, s->m, (enum arch_conv)s->conv) ||
	    !(embd = embedding(d, !has, e)))
		return 0;
	if (!(copy = arena_alloc(&d->arena, sizeof *copy)))
		return err_set(e, "out of memory");
	*copy = *embd;
	copy->source = NULL;
	*done = true;
	if (!(p = make_pair(d, has ? copy : o, has ? o : copy, o->name, e)))
		return -1;
	p->e.tied[!has] = true;
	return 0;
}

/* Without a table two names are one if one is the other behind a prefix:
 * base_model.x and x. */
static int
match_prefix(struct diff *d, unsigned longer, size_t first, size_t end,
    const struct names *other, struct err *e)
{
	for (size_t i = first; i < end; i++) {
		struct out *o = d->side[longer].out[i], *x;
		const char *tail = o->name;

		while (!o->taken && !o->why && (tail = strchr(tail, '.'))) {
			size_t k = names_find(other, ++tail);
			struct pair *p;

			if (k == SIZE_MAX || (x = d->side[!longer].out[k])->taken || x->why)
				continue;
			if (!(p = make_pair(d, longer ? x : o, longer ? o : x, x->name, e)))
				return -1;
			p->e.renamed = true;
			p->e.why = "one name is the other behind a prefix";
		}
	}
	return 0;
}

/* By role, whatever conventions the two have. */
static int
match_roles(struct diff *d, bool *taken[2], bool all, struct err *e)
{
	size_t first[2] = { d->side[0].nout, d->side[1].nout }, end[2], *which, n, old;
	struct names *names[2] = { NULL, NULL };
	bool done;
	int r = -1;

	for (unsigned k = 0; k < 2; k++) {
		struct side *s = &d->side[k];

		if (!(which = calloc(s->m->ntensor + 1, sizeof *which)))
			return err_set(e, "out of memory");
		n = 0;
		for (size_t i = 0; i < s->m->ntensor; i++)
			if (!taken[k][i])
				which[n++] = i;
		r = diff_offer(d, k, which, n, all, e);
		free(which);
		if (r < 0)
			return -1;
	}
	r = -1;
	/* Embeddings may still be offered behind these. */
	for (unsigned k = 0; k < 2; k++) {
		end[k] = d->side[k].nout;
		if (!(names[k] = names_new(end[k] - first[k] + 1, e)))
			goto out;
		for (size_t i = first[k]; i < end[k]; i++)
			if (names_add(names[k], d->side[k].out[i]->name, i, &old, e) < 0)
				goto out;
	}
	for (size_t i = first[0]; i < end[0]; i++) {
		struct out *o = d->side[0].out[i];
		size_t k = names_find(names[1], o->name);

		if (k != SIZE_MAX && !d->side[1].out[k]->taken &&
		    !make_pair(d, o, d->side[1].out[k], o->name, e))
			goto out;
	}
	if (match_prefix(d, 0, first[0], end[0], names[1], e) < 0 ||
	    match_prefix(d, 1, first[1], end[1], names[0], e) < 0)
		goto out;
	for (size_t i = first[0]; i < end[0]; i++) {
		struct out *o = d->side[0].out[i];

		if (o->taken)
			continue;
		if (match_tied(d, o, 0, &done, e) < 0 ||
		    (!done && !make_pair(d, o, NULL, o->name, e))) {
			goto out;
		}
	}
	for (size_t i = first[1]; i < end[1]; i++) {
		struct out *o = d->side[1].out[i];

		if (!o->taken && (match_tied(d, o, 1, &done, e) < 0 ||
		    (!done && !make_pair(d, NULL, o, o->name, e))))
			goto out;
	}
	r = 0;
out:
	names_free(names[0]);
	names_free(names[1]);
	return r;
}

static int
open_side(struct diff *d, unsigned k, struct source *s, struct err *e)
{
	struct side *x = &d->side[k];
	struct err ignored;
	bool unknown;

	x->s = s;
	x->m = source_manifest(s);
	x->stream = source_stream(s);
	x->conv = arch_conv_by_name(x->m->convention);
	if (x->m->plan)
		return err_set(e, "a plan has no values to compare");
	if (!x->stream && !source_seekable(s))
		return err_set(e, "comes from a pipe and is no stream: apr-cat makes it one");
	if (find_scaled(x, e) < 0)
		return -1;
	x->own = arch_of(x->m, &unknown, &ignored);
	if (x->stream) {
		if (!(x->spill = malloc((x->m->ntensor + 1) * sizeof *x->spill)))
			return err_set(e, "out of memory");
		for (size_t i = 0; i < x->m->ntensor; i++)
			x->spill[i] = -1;
	}
	return 0;
}

struct diff *
diff_new(struct source *a, struct source *b, bool bytes, struct err *e)
{
	struct diff *d = calloc(1, sizeof *d);
	bool *taken[2] = { NULL, NULL };
	int r = -1;

	if (!d) {
		err_set(e, "out of memory");
		return NULL;
	}
	d->bytes = bytes;
	if (open_side(d, 0, a, e) < 0) {
		err_prefix(e, "the first model");
		goto out;
	}
	if (open_side(d, 1, b, e) < 0) {
		err_prefix(e, "the second model");
		goto out;
	}
	for (unsigned k = 0; k < 2; k++) {
		choose_model(d, k);
		if (!(taken[k] = calloc(d->side[k].m->ntensor + 1, sizeof **taken))) {
			err_set(e, "out of memory");
			goto out;
		}
	}
	if (d->side[0].conv == d->side[1].conv && match_names(d, taken, e) < 0)
		goto out;
	if (match_roles(d, taken, d->side[0].conv != d->side[1].conv, e) < 0)
		goto out;
	r = 0;
out:
	free(taken[0]);
	free(taken[1]);
	if (r == 0)
		return d;
	diff_free(d);
	return NULL;
}

void
diff_free(struct diff *d)
{
	if (!d)
		return;
	for (unsigned k = 0; k < 2; k++) {
		struct side *s = &d->side[k];

		for (size_t i = 0; s->spill && i < s->m->ntensor; i++)
			if (s->spill[i] >= 0)
				close(s->spill[i]);
		names_free(s->names);
		free(s->spill);
		free(s->out);
		arch_close(s->own);
	}
	for (size_t i = 0; i < d->npair; i++)
		free(d->pair[i].sums);
	free(d->pair);
	arena_release(&d->arena);
	free(d);
}

size_t
diff_count(const struct diff *d)
{
	return d->npair;
}

const struct diff_entry *
diff_entry(const struct diff *d, size_t i)
{
	return &d->pair[i].e;
}

size_t
diff_left(const struct diff *d, unsigned side)
{
	return d->side[side].left;
}
