/* SPDX-License-Identifier: MIT */
/* match.c -- which tensor of one model is which of the other. */
#include <stdlib.h>
#include <string.h>

#include "diff.h"

/* One convention: by name, ties looked up. */
int
diff_match_names(struct diff *d, bool *taken[2], struct err *e)
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
		    !(p = diff_pair(d, o[0], o[1], t->name, e)))
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
	if (!(p = diff_pair(d, has ? copy : o, has ? o : copy, o->name, e)))
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
			if (!(p = diff_pair(d, longer ? x : o, longer ? o : x, x->name, e)))
				return -1;
			p->e.renamed = true;
			p->e.why = "one name is the other behind a prefix";
		}
	}
	return 0;
}

/* By role, whatever conventions the two have. */
int
diff_match_roles(struct diff *d, bool *taken[2], bool all, struct err *e)
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
		    !diff_pair(d, o, d->side[1].out[k], o->name, e))
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
		    (!done && !diff_pair(d, o, NULL, o->name, e))) {
			goto out;
		}
	}
	for (size_t i = first[1]; i < end[1]; i++) {
		struct out *o = d->side[1].out[i];

		if (!o->taken && (match_tied(d, o, 1, &done, e) < 0 ||
		    (!done && !diff_pair(d, NULL, o, o->name, e))))
			goto out;
	}
	r = 0;
out:
	names_free(names[0]);
	names_free(names[1]);
	return r;
}
