/* SPDX-License-Identifier: MIT */
/*
 * roles.c -- what a side has, under GGUF's names and in GGUF's layout: the
 * one that all conventions can be led to.  A role at a time, so that a part
 * that is missing spoils nothing but its own role.
 */
#include <stdlib.h>
#include <string.h>

#include "diff.h"

static struct out *
add_out(struct diff *d, unsigned side, struct err *e)
{
	struct side *s = &d->side[side];
	struct out *o = arena_alloc(&d->arena, sizeof *o);

	if (!o) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (array_room(&s->out, s->nout, sizeof *s->out, e) < 0)
		return NULL;
	o->v.side = side;
	return s->out[s->nout++] = o;
}

static const char *
keep(struct diff *d, const char *s, struct err *e)
{
	const char *copy = arena_strn(&d->arena, s, strlen(s));

	if (!copy)
		err_set(e, "out of memory");
	return copy;
}

struct out *
diff_offer_one(struct diff *d, unsigned side, size_t tensor, struct err *e)
{
	const struct tensor *t = &d->side[side].m->tensor[tensor];
	struct out *o = add_out(d, side, e);

	if (!o)
		return NULL;
	if (!(o->v.piece = arena_alloc(&d->arena, sizeof *o->v.piece))) {
		err_set(e, "out of memory");
		return NULL;
	}
	o->t = t;
	o->type = t->type;
	o->name = o->source = t->name;
	o->v.npiece = 1;
	o->v.piece[0] = (struct piece){ tensor, 0 };
	return o;
}

/* With a tensor of its own, under a name of the map's. */
static int
set_tensor(struct diff *d, struct out *o, const struct tensor *t, struct err *e)
{
	struct tensor *copy = arena_alloc(&d->arena, sizeof *copy);

	if (!copy)
		return err_set(e, "out of memory");
	*copy = *t;
	o->t = copy;
	o->name = copy->name = keep(d, t->name, e);
	return o->name ? 0 : -1;
}

/* Tensors of one role, as if they were F32: no block is in the way. */
struct group {
	struct manifest	 m;
	size_t		*index;		/* in the source */
};

static int
by_at(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static int
add_outs(struct diff *d, unsigned side, const struct group *g, const struct arch_map *map,
    struct err *e)
{
	struct side *s = &d->side[side];

	for (size_t i = 0; i < map->nout; i++) {
		uint32_t k = map->of[i].group;
		const struct tensor *first;
		struct out *o;

		if (map->group[k].data)
			continue;
		if (!(o = add_out(d, side, e)) || set_tensor(d, o, &map->out[i], e) < 0)
			return -1;
		if (!(o->v.piece = arena_alloc(&d->arena, g->m.ntensor * sizeof *o->v.piece)))
			return err_set(e, "out of memory");
		o->v.sh = map->group[k].sh;
		o->v.value = map->group[k].value;
		o->v.at = map->of[i].at / 4;
		for (size_t j = 0; j < g->m.ntensor; j++)
			if (map->in[j].group == k)
				o->v.piece[o->v.npiece++] = (struct piece){ g->index[j],
				    map->in[j].at / 4 };
		qsort(o->v.piece, o->v.npiece, sizeof *o->v.piece, by_at);
		first = &s->m->tensor[o->v.piece[0].tensor];
		o->source = first->name;
		o->several = o->v.npiece > 1;
		o->type = first->type;
	}
	return 0;
}

static int
offer_group(struct diff *d, unsigned side, struct group *g, const char *role, bool all,
    struct err *e)
{
	struct side *s = &d->side[side];
	const struct arch_model *other = d->side[!side].own;
	struct arch_map *map;
	struct err why;
	struct out *o;
	int r;

	map = arch_map_new(s->model, &g->m, (enum arch_conv)s->conv, ARCH_GGUF, &why);
	/* Its own numbers may be wrong where its names are right. */
	if (!map && other && other != s->model) {
		struct err again;

		map = arch_map_new(other, &g->m, (enum arch_conv)s->conv, ARCH_GGUF, &again);
	}
	if (map) {
		r = add_outs(d, side, g, map, e);
		arch_map_free(map);
		return r;
	}
	/* Where only some were looked for, the others have found theirs. */
	for (size_t i = 0; !all && i < g->m.ntensor; i++)
		if (!diff_offer_one(d, side, g->index[i], e))
			return -1;
	if (!all)
		return 0;
	/* Somebody has to say it once. */
	if (!(o = diff_offer_one(d, side, g->index[0], e)))
		return -1;
	o->several = g->m.ntensor > 1;
	o->name = keep(d, role, e);
	o->why = keep(d, why.msg, e);
	return o->name && o->why ? 0 : -1;
}

/* What the config implies, as GGUF has it: factors of positions. */
static int
offer_made(struct diff *d, unsigned side, struct err *e)
{
	struct side *s = &d->side[side];
	struct manifest none = { 0 };
	struct arch_map *map;
	struct err ignored;
	int r = 0;

	if (!(map = arch_map_new(s->model, &none, (enum arch_conv)s->conv, ARCH_GGUF, &ignored)))
		return 0;
	for (size_t i = 0; r == 0 && i < map->nout; i++) {
		const unsigned char *data = map->group[map->of[i].group].data;
		bool there = false;
		struct out *o;

		for (size_t k = 0; k < s->nout; k++)
			there |= !strcmp(s->out[k]->name, map->out[i].name);
		if (!data || there)
			continue;
		if (!(o = add_out(d, side, e)) || set_tensor(d, o, &map->out[i], e) < 0) {
			r = -1;
			break;
		}
		o->type = o->t->type;
		o->v.data = (unsigned char *)arena_strn(&d->arena, data, (size_t)o->t->bytes);
		if (!o->v.data)
			r = err_set(e, "out of memory");
	}
	arch_map_free(map);
	return r;
}

static int
add_to(struct group *g, const struct tensor *t, size_t index, struct err *e)
{
	struct tensor *x;

	if (array_room(&g->m.tensor, g->m.ntensor, sizeof *g->m.tensor, e) < 0 ||
	    array_room(&g->index, g->m.ntensor, sizeof *g->index, e) < 0)
		return -1;
	g->index[g->m.ntensor] = index;
	x = &g->m.tensor[g->m.ntensor++];
	*x = *t;
	x->source = NULL;
	x->role = NULL;
	return tensor_set(x, &type_f32, TENSOR_ROWS, e);
}

int
diff_offer(struct diff *d, unsigned side, const size_t *which, size_t n, bool all,
    struct err *e)
{
	struct side *s = &d->side[side];
	struct names *names = names_new(n + 1, e);
	struct group *g = calloc(n + 1, sizeof *g);
	const char **role = calloc(n + 1, sizeof *role);
	char gguf[TENSOR_NAME + 1];
	struct arch_place p;
	size_t ng = 0, at;
	int r = -1;

	if (!names || !g || !role) {
		err_set(e, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		const struct tensor *t = &s->m->tensor[which[i]];
		const char *kept;
		int k;

		if (t->tied_to)
			continue;
		if (!s->model || s->conv < 0 ||
		    !arch_role(s->model, (enum arch_conv)s->conv, t->name, gguf, &p)) {
			if (!diff_offer_one(d, side, which[i], e))
				goto out;
			continue;
		}
		if (!*gguf) {
			s->left++;
			continue;
		}
		if (!(kept = keep(d, gguf, e)) || (k = names_add(names, kept, ng, &at, e)) < 0)
			goto out;
		if (k > 0) {
			at = ng;
			role[ng++] = kept;
		}
		if (add_to(&g[at], t, which[i], e) < 0)
			goto out;
	}
	for (size_t i = 0; i < ng; i++)
		if (offer_group(d, side, &g[i], role[i], all, e) < 0)
			goto out;
	r = all && s->model && s->conv >= 0 && s->conv != ARCH_GGUF ? offer_made(d, side, e) : 0;
out:
	for (size_t i = 0; g && i < ng; i++) {
		free(g[i].m.tensor);
		free(g[i].index);
	}
	names_free(names);
	free(role);
	free(g);
	return r;
}
