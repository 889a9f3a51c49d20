/* SPDX-License-Identifier: MIT */
/* load.c -- a recipe from JSON, and the recipes that it includes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/io.h>
#include <apr/quant.h>

#include "load.h"

#define RECIPE_MAX	((size_t)256 << 20)
enum { INCLUDES = 8 };			/* deep */

enum top { T_VERSION, T_ABOUT, T_FILE_TYPE, T_BASE, T_FALLBACK, T_EFFORT,
	T_NEED, T_LET, T_SET, T_TENSORS, T_RULES, TOPS };
static const char *const top_keys[TOPS + 1] = {
	"apr_recipe", "about", "file_type", "base", "fallback", "effort",
	"need_imatrix", "let", "set", "tensors", "rules", NULL
};

static const char *const set_keys[] = { "type", "value", NULL };

int
load_wrong(const struct load *l, const char *what, struct err *e)
{
	if (l->at == RULE || l->at == LIST)
		return err_set(e, "%s: rule %zu: %s", l->what, l->nrule, what);
	return err_set(e, "%s: %s", l->what, what);
}

const char *
load_keep(struct load *l, const char *s, size_t n, struct err *e)
{
	char *p = arena_strn(&l->r->arena, s, n);

	if (!p)
		err_set(e, "out of memory");
	return p;
}

int
load_lookup(const char *const *list, const char *s, size_t n)
{
	for (int i = 0; list[i]; i++)
		if (strlen(list[i]) == n && !memcmp(list[i], s, n))
			return i;
	return -1;
}

int
load_type(const struct load *l, const char *s, size_t n, const struct type **t, struct err *e)
{
	char name[32];

	if (n < sizeof name) {
		memcpy(name, s, n);
		name[n] = '\0';
		if ((*t = type_by_name(name)) && !((*t)->flags & TYPE_INTEGER))
			return 0;
	}
	err_set(e, "%.*s is no number type", (int)(n < 64 ? n : 64), s);
	return l->at == RULE ? err_prefix(e, "%s: rule %zu", l->what, l->nrule) :
	    err_prefix(e, "%s", l->what);
}

/* Is what stands there from a file further in? */
static bool
first(const struct load *l, unsigned *depth, bool unsaid)
{
	if (!unsaid && *depth <= l->depth)
		return false;
	*depth = l->depth;
	return true;
}

static int
top_value(struct load *l, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct recipe *r = l->r;
	const struct type *t;
	uint64_t v;
	int i;

	switch (l->key) {
	case T_VERSION:
		if (ev != JSON_NUMBER || !json_u64(s, n, &v) || v != 1)
			return load_wrong(l, "apr_recipe is not 1: another version", e);
		return 0;
	case T_ABOUT:
		return ev == JSON_STRING ? 0 : load_wrong(l, "about is no string", e);
	case T_FILE_TYPE:
		if (ev == JSON_NULL) {
			if (first(l, &l->said->file_type, r->file_type == FILE_TYPE_COMMON))
				r->file_type = FILE_TYPE_NONE;
			return 0;
		}
		if (ev != JSON_NUMBER || !json_u64(s, n, &v) || v > 9999)
			return load_wrong(l, "file_type is no number of a mix", e);
		if (first(l, &l->said->file_type, r->file_type == FILE_TYPE_COMMON))
			r->file_type = (int)v;
		return 0;
	case T_BASE:
		if (ev != JSON_STRING)
			return load_wrong(l, "base is no string", e);
		if (load_type(l, s, n, &t, e) < 0)
			return -1;
		if (first(l, &l->said->base, !r->base))
			r->base = t;
		return 0;
	case T_FALLBACK:
		if (ev != JSON_STRING || (i = load_lookup(quant_fallbacks, s, n)) < 0)
			return load_wrong(l, "fallback is none of table, error, f16, pad", e);
		if (first(l, &l->said->fallback, r->fallback < 0))
			r->fallback = i;
		return 0;
	case T_EFFORT:
		if (ev != JSON_STRING || (i = load_lookup(quant_efforts, s, n)) < 0)
			return load_wrong(l, "effort is none of reference, high, apr", e);
		if (first(l, &l->said->effort, r->effort < 0))
			r->effort = i;
		return 0;
	case T_NEED:
	case T_RULES:
		if (ev != JSON_ARRAY)
			return load_wrong(l, l->key == T_NEED ? "need_imatrix is no list" :
			    "rules is no list", e);
		l->at = l->key == T_NEED ? NEED : RULES;
		return 0;
	default:
		if (ev != JSON_OBJECT)
			return load_wrong(l, "let, set and tensors are objects", e);
		l->at = l->key == T_LET ? LETS : l->key == T_SET ? SETS : TENSORS;
		return 0;
	}
}

static int
need(struct load *l, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct recipe *r = l->r;

	if (ev == JSON_ARRAY_END) {
		l->at = TOP;
		return 0;
	}
	if (ev != JSON_STRING || r->nneed == sizeof r->need / sizeof *r->need)
		return load_wrong(l, "need_imatrix is a short list of types", e);
	return load_type(l, s, n, &r->need[r->nneed], e) < 0 ? -1 : (r->nneed++, 0);
}

/* One word, and none that the language has. */
static bool
good_name(const char *s, size_t n)
{
	static const char *const reserved[] = { "and", "or", "not", NULL };

	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
		    s[i] == '_' || (i > 0 && s[i] >= '0' && s[i] <= '9')))
			return false;
	for (unsigned i = 0; i < W_WORDS; i++)
		if (strlen(expr_words[i]) == n && !memcmp(expr_words[i], s, n))
			return false;
	return n > 0 && load_lookup(reserved, s, n) < 0;
}

static int
let(struct load *l, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct recipe *r = l->r;
	const char *text;
	size_t i = 0;

	if (ev == JSON_OBJECT_END) {
		l->at = TOP;
		return 0;
	}
	if (ev == JSON_KEY) {
		if (!good_name(s, n))
			return err_set(e, "%s: let: %.*s is no name, or has a meaning"
			    " already", l->what, (int)(n < 64 ? n : 64), s);
		return (l->name = load_keep(l, s, n, e)) ? 0 : -1;
	}
	if (ev != JSON_STRING)
		return load_wrong(l, "let gives names to strings", e);
	if (!(text = load_keep(l, s, n, e)))
		return -1;
	while (i < r->nlet && strcmp(r->let[i].name, l->name))
		i++;
	if (i < r->nlet) {
		if (r->let[i].depth > l->depth)
			r->let[i] = (struct let){ l->name, text, l->depth };
		return 0;
	}
	if (array_room(&r->let, r->nlet, sizeof *r->let, e) < 0)
		return -1;
	r->let[r->nlet++] = (struct let){ l->name, text, l->depth };
	return 0;
}

static int
set_done(struct load *l, struct err *e)
{
	struct recipe *r = l->r;
	struct mset *v;

	l->at = SETS;
	if (l->set_seen != 3)
		return load_wrong(l, "set: a key lacks type or value", e);
	for (size_t i = 0; i < r->nset; i++)
		if (!strcmp(r->set[i].key, l->name))
			return l->depth ? 0 : load_wrong(l, "set: a key stands there twice", e);
	if (array_room(&r->set, r->nset, sizeof *v, e) < 0)
		return -1;
	v = &r->set[r->nset];
	v->key = l->name;
	v->type = l->set_type;
	if (!(v->value = load_keep(l, (char *)l->text.p, l->text.len, e)))
		return -1;
	r->nset++;
	return 0;
}

static int
set(struct load *l, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	if (l->capturing) {
		if (ev == JSON_OBJECT || ev == JSON_ARRAY)
			l->text_depth++;
		if (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END)
			l->text_depth--;
		if (json_write(&l->w, ev, s, n, e) < 0)
			return -1;
		l->capturing = l->text_depth > 0;
		return buf_check(&l->text, e);
	}
	if (ev == JSON_OBJECT_END)
		return set_done(l, e);
	if (ev == JSON_KEY) {
		if ((l->key = load_lookup(set_keys, s, n)) < 0 || l->set_seen & 1u << l->key)
			return load_wrong(l, "set: keys are type and value, each once", e);
		l->set_seen |= 1u << l->key;
		if (l->key == 1) {
			l->capturing = true;
			l->text.len = 0;
			l->w = (struct json_writer){ .out = &l->text };
			l->text_depth = 0;
		}
		return 0;
	}
	if (ev != JSON_STRING || memchr(s, 0, n))
		return load_wrong(l, "set: a type is no string", e);
	return (l->set_type = load_keep(l, s, n, e)) ? 0 : -1;
}

static int
tensor(struct load *l, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	const struct type *t = NULL;

	if (ev == JSON_OBJECT_END) {
		l->at = TOP;
		return 0;
	}
	if (ev == JSON_KEY) {
		if (n == 0 || memchr(s, 0, n))
			return load_wrong(l, "a tensor's name is empty or has a NUL in it", e);
		return (l->name = load_keep(l, s, n, e)) ? 0 : -1;
	}
	if (ev != JSON_STRING)
		return load_wrong(l, "tensors have names of types", e);
	if (!(n == 4 && !memcmp(s, "keep", 4)) && load_type(l, s, n, &t, e) < 0)
		return -1;
	return recipe_pick(l->r, l->name, t, e);
}

static int load(struct recipe *, struct depths *, const char *what, const char *path,
    unsigned depth, const void *, size_t, struct err *);

/* A preset by its name; a file by its path, seen from the file that says it. */
int
load_include(struct load *l, struct err *e)
{
	const struct preset *p = preset_by_name(l->include);
	size_t dir = l->path && *l->include != '/' ? (size_t)(path_base(l->path) - l->path) : 0;
	struct buf b = { 0 };
	char *path;
	int r = -1;

	if (l->depth == INCLUDES)
		return load_wrong(l, "recipes include each other too deep, or in circles", e);
	if (p)
		return load(l->r, l->said, p->name, NULL, l->depth + 1, p->text, p->len, e);
	if (!l->path)
		return load_wrong(l, "there is no such recipe to include", e);
	if (!(path = arena_alloc(&l->r->arena, dir + strlen(l->include) + 1)))
		return err_set(e, "out of memory");
	memcpy(path, l->path, dir);
	strcpy(path + dir, l->include);
	if (recipe_slurp(path, &b, e) == 0)
		r = load(l->r, l->said, path, path, l->depth + 1, b.p, b.len, e);
	else
		err_prefix(e, "%s: rule %zu", l->what, l->nrule);
	buf_release(&b);
	return r;
}

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct load *l = ctx;

	switch (l->at) {
	case START:
		if (ev != JSON_OBJECT)
			return load_wrong(l, "is no object", e);
		l->at = TOP;
		return 0;
	case TOP:
		if (ev == JSON_OBJECT_END) {
			l->at = DONE;
			return 0;
		}
		if (ev != JSON_KEY)
			return top_value(l, ev, s, n, e);
		if ((l->key = load_lookup(top_keys, s, n)) < 0)
			return err_set(e, "%s: a recipe has no key %.*s", l->what,
			    (int)(n < 64 ? n : 64), s);
		if (l->seen & 1u << l->key)
			return err_set(e, "%s: %s stands there twice", l->what,
			    top_keys[l->key]);
		l->seen |= 1u << l->key;
		return 0;
	case NEED:
		return need(l, ev, s, n, e);
	case LETS:
		return let(l, ev, s, n, e);
	case SETS:
		if (ev == JSON_OBJECT_END) {
			l->at = TOP;
			return 0;
		}
		if (ev == JSON_KEY)
			return n == 0 || memchr(s, 0, n) ? load_wrong(l, "set: a bad key", e) :
			    (l->name = load_keep(l, s, n, e)) ? 0 : -1;
		if (ev != JSON_OBJECT)
			return load_wrong(l, "set: a value is no object", e);
		l->at = SET;
		l->set_seen = 0;
		return 0;
	case SET:
		return set(l, ev, s, n, e);
	case TENSORS:
		return tensor(l, ev, s, n, e);
	case RULES:
		if (ev == JSON_ARRAY_END) {
			l->at = TOP;
			return 0;
		}
		load_rule_begin(l);
		return ev == JSON_OBJECT ? 0 : load_wrong(l, "is no object", e);
	case RULE:
	case LIST:
		return load_rule(l, ev, s, n, e);
	default:
		return load_wrong(l, "something behind its end", e);
	}
}

static int
load(struct recipe *r, struct depths *said, const char *what, const char *path,
    unsigned depth, const void *text, size_t n, struct err *e)
{
	struct load l = { .r = r, .said = said, .what = what, .path = path, .depth = depth };
	int rc = json_text(what, text, n, event, &l, e);

	if (rc == 0 && !(l.seen & 1u << T_VERSION))
		rc = load_wrong(&l, "no \"apr_recipe\": 1, so no recipe", e);
	load_rule_drop(&l);
	buf_release(&l.text);
	return rc;
}

int
recipe_load(struct recipe *r, const char *what, const char *path, const void *text,
    size_t n, struct err *e)
{
	struct depths said = { 0 };
	struct expr_env env;

	if (load(r, &said, what, path, 0, text, n, e) < 0)
		return -1;
	env = (struct expr_env){ .let = r->let, .nlet = r->nlet };
	for (size_t i = 0; i < r->nlet; i++)
		if (expr_check(r->let[i].text, &env, e) < 0)
			return err_prefix(e, "%s: let: %s", what, r->let[i].name);
	for (size_t i = 0; i < r->nrule; i++) {
		if (r->rule[i].cond && expr_check(r->rule[i].cond, &env, e) < 0)
			return err_prefix(e, "%s", r->rule[i].where);
		if (r->rule[i].action == TO_BASE && !r->base)
			return err_set(e, "%s: there is no base", r->rule[i].where);
	}
	return 0;
}

int
recipe_slurp(const char *path, struct buf *b, struct err *e)
{
	const unsigned char *p;
	struct in *in;
	int fd, r;
	size_t n;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_sys(e, "%s", path);
	if (!(in = in_open(fd, e))) {
		close(fd);
		return err_prefix(e, "%s", path);
	}
	while ((r = in_some(in, IO_CHUNK, &p, &n, e)) > 0) {
		buf_put(b, p, n);
		if (b->len > RECIPE_MAX) {
			r = err_set(e, "more than %zu bytes are no recipe", RECIPE_MAX);
			break;
		}
	}
	if (r == 0)
		r = buf_check(b, e);
	in_close(in);
	close(fd);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}
