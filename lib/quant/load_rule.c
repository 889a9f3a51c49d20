/* SPDX-License-Identifier: MIT */
/* load_rule.c -- one rule of a recipe, from JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum key { K_ABOUT, K_CLASS, K_GLOB, K_REGEX, K_JQ, K_IF, K_TYPE, K_ERROR,
	K_INCLUDE, KEYS };
static const char *const rule_keys[KEYS + 1] = {
	"about", "class", "glob", "regex", "jq", "if", "type", "error", "include", NULL
};

/* One of a rule's strings. */
static int
item(struct load *l, const char *s, size_t n, struct err *e)
{
	struct rule *u = &l->rule;
	const char *p = load_keep(l, s, n, e);

	if (!p)
		return -1;
	if (n == 0 || memchr(s, 0, n))
		return load_wrong(l, "a string is empty or has a NUL in it", e);
	if (l->key == K_CLASS) {
		for (unsigned i = 0; i < CLASSES; i++)
			if (!strcmp(class_names[i], p)) {
				u->classes |= 1u << i;
				return 0;
			}
		return err_set(e, "%s: rule %zu: there is no class %s", l->what, l->nrule, p);
	}
	u->by_name = true;
	if (l->key == K_GLOB) {
		if (array_room(&u->glob, u->nglob, sizeof *u->glob, e) < 0)
			return -1;
		u->glob[u->nglob++] = p;
		return 0;
	}
	if (array_room(&u->regex, u->nregex, sizeof *u->regex, e) < 0)
		return -1;
	if (!(u->regex[u->nregex] = pattern_new(p, e)))
		return err_prefix(e, "%s: rule %zu", l->what, l->nrule);
	u->nregex++;
	return 0;
}

static int
rule_value(struct load *l, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct rule *u = &l->rule;
	bool list = l->key == K_CLASS || l->key == K_GLOB || l->key == K_REGEX;
	const char *p;

	if (ev == JSON_ARRAY && list) {
		l->at = LIST;
		l->items = 0;
		return 0;
	}
	if (ev != JSON_STRING)
		return load_wrong(l, "a value is no string", e);
	if (list)
		return item(l, s, n, e);
	if (!(p = load_keep(l, s, n, e)))
		return -1;
	switch (l->key) {
	case K_JQ:
		if (!l->r->jq)
			return load_wrong(l, "jq expressions are not possible here", e);
		u->by_name = true;
		if (!(u->jq = l->r->jq->compile(p, e)))
			return err_prefix(e, "%s: rule %zu: jq", l->what, l->nrule);
		return 0;
	case K_IF:
		u->cond = p;
		return 0;
	case K_TYPE:
		if (!strcmp(p, "base") || !strcmp(p, "keep"))
			u->action = *p == 'b' ? TO_BASE : TO_KEEP;
		else if (load_type(l, s, n, &u->type, e) < 0)
			return -1;
		return 0;
	case K_ERROR:
		u->action = TO_ERROR;
		u->error = p;
		return 0;
	case K_INCLUDE:
		l->include = p;
		return 0;
	default:
		return 0;	/* about */
	}
}

void
load_rule_drop(struct load *l)
{
	for (size_t i = 0; i < l->rule.nregex; i++)
		pattern_free(l->rule.regex[i]);
	free(l->rule.regex);
	free(l->rule.glob);
	if (l->rule.jq)
		l->r->jq->free(l->rule.jq);
	l->rule = (struct rule){ 0 };
}

static int
rule_done(struct load *l, struct err *e)
{
	unsigned does = l->rule_seen & (1u << K_TYPE | 1u << K_ERROR | 1u << K_INCLUDE);
	struct recipe *r = l->r;
	size_t n = strlen(l->what) + 32;
	char *where;

	if (does == 0 || (does & (does - 1)))
		return load_wrong(l, "says not one of type, error, include", e);
	if (l->include) {
		if (l->rule_seen & ~(1u << K_INCLUDE | 1u << K_ABOUT))
			return load_wrong(l, "include stands alone", e);
		l->at = RULES;
		return load_include(l, e);
	}
	if (array_room(&r->rule, r->nrule, sizeof *r->rule, e) < 0)
		return -1;
	if (!(where = arena_alloc(&r->arena, n)))
		return err_set(e, "out of memory");
	snprintf(where, n, "%s: rule %zu", l->what, l->nrule);
	l->rule.where = where;
	l->rule.own = l->depth == 0 && l->path;
	r->rule[r->nrule++] = l->rule;
	l->rule = (struct rule){ 0 };
	l->at = RULES;
	return 0;
}

void
load_rule_begin(struct load *l)
{
	l->nrule++;
	l->at = RULE;
	l->rule_seen = 0;
	l->include = NULL;
}

int
load_rule(struct load *l, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	if (l->at == LIST) {
		if (ev == JSON_ARRAY_END) {
			l->at = RULE;
			return l->items ? 0 : load_wrong(l, "an empty list", e);
		}
		l->items++;
		return ev == JSON_STRING ? item(l, s, n, e) :
		    load_wrong(l, "a list of something else than strings", e);
	}
	if (ev == JSON_OBJECT_END)
		return rule_done(l, e);
	if (ev != JSON_KEY)
		return rule_value(l, ev, s, n, e);
	if ((l->key = load_lookup(rule_keys, s, n)) < 0)
		return err_set(e, "%s: rule %zu: a rule has no key %.*s", l->what,
		    l->nrule, (int)(n < 64 ? n : 64), s);
	if (l->rule_seen & 1u << l->key)
		return load_wrong(l, "a key stands there twice", e);
	l->rule_seen |= 1u << l->key;
	return 0;
}
