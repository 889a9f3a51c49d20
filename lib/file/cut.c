/* SPDX-License-Identifier: MIT */
/* cut.c -- where a model that becomes many files is cut, and their names. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "pack.h"

/* The first part of a name that is a number: layers come before experts. */
static int64_t
layer_of(const char *name)
{
	for (const char *p = name; p; p = strchr(p, '.')) {
		int64_t v = 0;
		size_t n = 0;

		p += *p == '.';
		for (; n < 9 && p[n] >= '0' && p[n] <= '9'; n++)
			v = v * 10 + (p[n] - '0');
		if (n > 0 && (p[n] == '.' || p[n] == '\0'))
			return v;
	}
	return -1;
}

bool
cut_here(struct cut *c, const struct tensor *t)
{
	int64_t layer = layer_of(t->name);
	bool cut = false;
	uint64_t n;

	if (u64_align(&n, t->bytes, c->align ? c->align : 1))
		n = t->bytes;
	switch (c->how) {
	case CUT_NONE:
		break;
	case CUT_SIZE:
		cut = c->count > 0 && (c->bytes > c->most || n > c->most - c->bytes);
		break;
	case CUT_COUNT:
		cut = c->count == c->most;
		break;
	case CUT_LAYER:
		cut = c->count > 0 && layer != c->layer;
		break;
	case CUT_EACH:
		cut = c->count > 0;
		break;
	}
	if (cut) {
		c->count = 0;
		c->bytes = 0;
	}
	c->count++;
	c->bytes += n;
	c->layer = layer;
	return cut;
}

char *
cut_prefix(const char *path, struct err *e)
{
	size_t n = strlen(path);
	char *s = malloc(n + sizeof "model-");

	if (!s) {
		err_set(e, "out of memory");
		return NULL;
	}
	sprintf(s, "%s%s", path, n > 0 && path[n - 1] == '/' ? "model-" :
	    n > 0 && path[n - 1] == '-' ? "" : "-");
	return s;
}

char *
cut_name(const char *prefix, size_t k, size_t n, const char *tensor, const char *suffix,
    struct err *e)
{
	char member[MEMBER_NAME], *s;
	size_t room;

	if (tensor)
		member_name(MEMBER_TENSOR, tensor, member);
	room = strlen(prefix) + strlen(suffix) + (tensor ? strlen(member) : 0) + 32;
	if (!(s = malloc(room))) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (tensor)
		snprintf(s, room, "%s%05zu-%s%s", prefix, k + 1, member + sizeof "tensors",
		    suffix);
	else
		snprintf(s, room, "%s%05zu-of-%05zu%s", prefix, k + 1, n, suffix);
	return s;
}

/* A tied tensor stays with the one that it equals. */
static int
add_tied(struct pack *p, const size_t *all, size_t n, struct err *e)
{
	const struct manifest *m = p->m;
	struct names *part = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct tensor *t = &m->tensor[all[i]];
		struct output *o;
		size_t *more, k;

		if (!t->tied_to)
			continue;
		if (!part && !(part = names_new(m->ntensor, e)))
			return -1;
		if (names_find(part, t->tied_to) == SIZE_MAX)
			for (k = 0; k < p->nout; k++)
				for (size_t j = 0; j < p->out[k].n; j++)
					if (names_add(part, m->tensor[p->out[k].which[j]].name,
					    k, NULL, e) < 0)
						r = -1;
		if (r < 0 || (k = names_find(part, t->tied_to)) == SIZE_MAX)
			continue;
		o = &p->out[k];
		if (!(more = realloc(o->which, (o->n + 1) * sizeof *more))) {
			r = err_set(e, "out of memory");
			break;
		}
		o->which = more;
		more[o->n++] = all[i];
	}
	names_free(part);
	return r;
}

static int
cut_all(struct pack *p, const size_t *all, size_t n, struct err *e)
{
	/* As llama-gguf-split counts: with what stands behind each tensor. */
	struct cut c = { .how = p->t.cut, .most = p->t.most,
		.align = p->t.format == &format_gguf ? 32 : 1 };
	struct output *o = NULL;

	for (size_t i = 0; i < n || !o; i++) {
		const struct tensor *t = i < n ? &p->m->tensor[all[i]] : NULL;
		size_t *less;

		if (t && t->tied_to)
			continue;
		if ((t && cut_here(&c, t)) || !o) {
			/* Room for all that is left, until it is known. */
			if (o && (less = realloc(o->which, (o->n + 1) * sizeof *less)))
				o->which = less;
			if (p->nout == CUT_MAX)
				return err_set(e, "more than %u parts", CUT_MAX);
			if (!(o = pack_add_output(p, i < n ? n - i : 0, e)))
				return -1;
		}
		if (t)
			o->which[o->n++] = all[i];
	}
	return 0;
}

int
pack_cut(struct pack *p, struct err *e)
{
	size_t *all = p->out[0].which, n = p->out[0].n;
	char *prefix;
	int r;

	p->nout = 0;
	r = cut_all(p, all, n, e);
	if (r == 0)
		r = add_tied(p, all, n, e);
	free(all);
	if (r < 0 || !(prefix = cut_prefix(p->t.path, e)))
		return -1;
	for (size_t k = 0; r == 0 && k < p->nout; k++) {
		struct output *o = &p->out[k];

		o->name = cut_name(prefix, k, p->nout, p->t.cut == CUT_EACH && o->n ?
		    p->m->tensor[o->which[0]].name : NULL, p->t.format->suffix, e);
		r = o->name ? 0 : -1;
	}
	free(prefix);
	return r;
}
