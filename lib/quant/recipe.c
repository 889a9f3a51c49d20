/* SPDX-License-Identifier: MIT */
/* recipe.c -- recipes and where they come from. */
#include <stdlib.h>
#include <string.h>

#include <apr/quant.h>

#include "recipe.h"

static bool
same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if ((*a >= 'A' && *a <= 'Z' ? *a - 'A' + 'a' : *a) != *b)
			return false;
		if (*a == '\0')
			return true;
	}
}

const struct preset *
preset_by_name(const char *name)
{
	const struct preset *p = presets;

	while (p->name && !same_name(name, p->name))
		p++;
	return p->name ? p : NULL;
}

static struct recipe *
new(const char *name, const struct recipe_jq *jq, struct err *e)
{
	struct recipe *r = calloc(1, sizeof *r);

	if (!r) {
		err_set(e, "out of memory");
		return NULL;
	}
	r->jq = jq;
	r->file_type = FILE_TYPE_COMMON;
	r->fallback = r->effort = -1;
	if (!(r->name = arena_strn(&r->arena, name, strlen(name)))) {
		err_set(e, "out of memory");
		recipe_free(r);
		return NULL;
	}
	return r;
}

static struct recipe *
load(const char *what, const char *path, const void *text, size_t n,
    const struct recipe_jq *jq, struct err *e)
{
	struct recipe *r = new(what, jq, e);

	if (r && recipe_load(r, what, path, text, n, e) < 0) {
		recipe_free(r);
		return NULL;
	}
	return r;
}

struct recipe *
recipe_text(const char *what, const void *text, size_t n, const struct recipe_jq *jq,
    struct err *e)
{
	return load(what, what, text, n, jq, e);
}

struct recipe *
recipe_open(const char *path, const struct recipe_jq *jq, struct err *e)
{
	struct recipe *r = NULL;
	struct buf b = { 0 };

	if (recipe_slurp(path, &b, e) == 0)
		r = load(path_base(path), path, b.p, b.len, jq, e);
	buf_release(&b);
	return r;
}

struct recipe *
recipe_preset(const struct preset *p, struct err *e)
{
	return load(p->name, NULL, p->text, p->len, NULL, e);
}

struct recipe *
recipe_type(const struct type *type, struct err *e)
{
	struct recipe *r = new(type->name, NULL, e);

	if (r) {
		r->base = type;
		r->file_type = type_file_type(type);
		if (r->file_type < 0)
			r->file_type = FILE_TYPE_NONE;
		r->bare = true;
	}
	return r;
}

struct recipe *
recipe_empty(const char *name, struct err *e)
{
	return new(name, NULL, e);
}

static void
free_rules(struct rule *v, size_t n, const struct recipe_jq *jq)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < v[i].nregex; k++)
			pattern_free(v[i].regex[k]);
		free(v[i].regex);
		free(v[i].glob);
		if (v[i].jq)
			jq->free(v[i].jq);
	}
	free(v);
}

void
recipe_free(struct recipe *r)
{
	if (!r)
		return;
	free_rules(r->rule, r->nrule, r->jq);
	free_rules(r->override, r->noverride, r->jq);
	free(r->let);
	free(r->set);
	free(r->pick);
	names_free(r->names);
	arena_release(&r->arena);
	free(r);
}

const char *
recipe_name(const struct recipe *r)
{
	return r->name;
}

const struct type *
recipe_base(const struct recipe *r)
{
	return r->base;
}

int
recipe_fallback(const struct recipe *r)
{
	return r->fallback;
}

int
recipe_effort(const struct recipe *r)
{
	return r->effort;
}

bool
recipe_wants_imatrix(const struct recipe *r)
{
	for (size_t i = 0; i < r->nset; i++)
		if (!strcmp(r->set[i].key, "quantize.imatrix.file"))
			return true;
	return false;
}

int
recipe_pick(struct recipe *r, const char *name, const struct type *type, struct err *e)
{
	struct pick *p;
	int got;

	if (array_room(&r->pick, r->npick, sizeof *p, e) < 0)
		return -1;
	p = &r->pick[r->npick];
	if (!(p->name = arena_strn(&r->arena, name, strlen(name))))
		return err_set(e, "out of memory");
	p->type = type;
	if ((!r->names && !(r->names = names_new(64, e))) ||
	    (got = names_add(r->names, p->name, r->npick, NULL, e)) < 0)
		return -1;
	if (got == 0)
		return err_set(e, "%s: tensor %s twice", r->name, name);
	r->npick++;
	return 0;
}

int
recipe_override(struct recipe *r, const char *regex, const struct type *type, struct err *e)
{
	struct rule *q;
	size_t n = strlen(regex);
	char *low, *where;

	if (array_room(&r->override, r->noverride, sizeof *q, e) < 0)
		return -1;
	q = &r->override[r->noverride];
	*q = (struct rule){ .action = TO_TYPE, .type = type, .own = true, .by_name = true };
	if (!(low = arena_strn(&r->arena, regex, n)) ||
	    !(where = arena_alloc(&r->arena, n + 16)) ||
	    !(q->regex = calloc(1, sizeof *q->regex)))
		return err_set(e, "out of memory");
	strcat(strcpy(where, "--tensor-type "), regex);
	q->where = where;
	for (char *p = low; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	if (!(q->regex[0] = pattern_new(low, e))) {
		free(q->regex);
		return -1;
	}
	q->nregex = 1;
	r->noverride++;
	return 0;
}
