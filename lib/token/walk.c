/* SPDX-License-Identifier: MIT */
/* walk.c -- JSON events to the elements that somebody wants. */
#include <stdlib.h>
#include <string.h>

#include "walk.h"

#define INTO_MAX	4	/* levels of WALK_INTO */
#define NODES		16384	/* of one tree */
#define RULES		64

/* Memory of one tree, used again for the next. */
struct block {
	struct block	*next;
	size_t		 used, size;
	_Alignas(16) unsigned char data[];
};

struct level {
	char		 path[128];
	enum { OBJECT, ARRAY, INTO } kind;
	size_t		 rule;		/* of OBJECT and ARRAY, whose elements go there */
};

struct walk {
	const char		*what;
	struct walk_rule	 rule[RULES + 1];
	size_t			 nrule;
	walk_fn			 fn;
	void			*ctx;
	uint64_t		 seen;		/* a bit a rule */

	struct level		 level[INTO_MAX + 1];	/* [0]: the text */
	size_t			 depth;
	size_t			 skip;		/* depth in something unwanted */
	size_t			 next;		/* rule of the value to come; nrule: none */
	char			*key;		/* of an object's element */
	size_t			 nkey;

	/* The tree under way: open[] are its containers from the root. */
	struct block		*block;
	struct node		*open[JSON_DEPTH + 1], *last[JSON_DEPTH + 1];
	size_t			 nopen, nodes;
};

/* Keeps one block of ordinary size. */
static void
reset(struct walk *w)
{
	struct block *b, *keep = NULL;

	while ((b = w->block)) {
		w->block = b->next;
		if (!keep && b->size <= 65536) {
			keep = b;
			keep->next = NULL;
			keep->used = 0;
		} else
			free(b);
	}
	w->block = keep;
	w->key = NULL;
	w->nodes = 0;
}

static void *
take(struct walk *w, size_t n, struct err *e)
{
	struct block *b = w->block;
	size_t need = (n + 15) & ~(size_t)15, size = need > 65536 ? need : 65536;

	if (!b || b->size - b->used < need) {
		if (need < n || !(b = malloc(sizeof *b + size))) {
			err_set(e, "out of memory");
			return NULL;
		}
		b->used = 0;
		b->size = size;
		b->next = w->block;
		w->block = b;
	}
	b->used += need;
	return b->data + b->used - need;
}

static char *
text(struct walk *w, const char *s, size_t n, struct err *e)
{
	char *p = take(w, n + 1, e);

	if (p) {
		if (n > 0)
			memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

/* A value of the tree under way; its root if nothing is open. */
static int
add(struct walk *w, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct node *d;

	if (++w->nodes > NODES)
		return err_set(e, "%s: more than %d values in one element", w->what, NODES);
	if (!(d = take(w, sizeof *d, e)))
		return -1;
	*d = (struct node){ .type = ev, .key = w->key, .nkey = w->nkey };
	w->key = NULL;
	w->nkey = 0;
	if ((ev == JSON_STRING || ev == JSON_NUMBER) && !(d->s = text(w, s, n, e)))
		return -1;
	d->n = n;
	if (w->nopen > 0) {
		if (w->last[w->nopen])
			w->last[w->nopen]->next = d;
		else
			w->open[w->nopen]->child = d;
		w->last[w->nopen] = d;
	} else
		w->open[0] = d;
	if (ev == JSON_OBJECT || ev == JSON_ARRAY) {
		w->open[++w->nopen] = d;
		w->last[w->nopen] = NULL;
		return 0;
	}
	return 0;
}

/* The tree is whole. */
static int
deliver(struct walk *w, struct err *e)
{
	int r = w->fn(w->ctx, w->next, w->open[0], e);

	reset(w);
	return r < 0 ? err_prefix(e, "%s", w->what) : 0;
}

/* Within the tree under way. */
static int
grow(struct walk *w, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	if (ev == JSON_KEY) {
		w->nkey = n;
		return (w->key = text(w, s, n, e)) ? 0 : -1;
	}
	if (ev != JSON_OBJECT_END && ev != JSON_ARRAY_END) {
		if (add(w, ev, s, n, e) < 0)
			return -1;
	} else
		w->nopen--;
	return w->nopen > 0 ? 0 : deliver(w, e);
}

/* The rule for a member of the object that we are in. */
static size_t
find(const struct walk *w, const char *key, size_t n)
{
	const char *at = w->level[w->depth].path;
	size_t k = strlen(at);

	if (memchr(key, '/', n) || memchr(key, 0, n))
		return w->nrule;
	for (size_t i = 0; i < w->nrule; i++) {
		const char *p = w->rule[i].path;

		if (!strncmp(p, at, k) && strlen(p) == k + n && n > 0 &&
		    !memcmp(p + k, key, n))
			return i;
	}
	return w->nrule;
}

static int
enter(struct walk *w, enum json_ev ev, struct err *e)
{
	const struct walk_rule *r = &w->rule[w->next];
	struct level *l = &w->level[w->depth + 1];

	if (r->how == WALK_INTO && ev != JSON_OBJECT)
		return err_set(e, "%s: %s is no object", w->what, r->path);
	if (w->depth == INTO_MAX || strlen(r->path) + 2 > sizeof l->path)
		return err_set(e, "%s: %s is too deep", w->what, r->path);
	w->depth++;
	l->kind = r->how == WALK_INTO ? INTO : ev == JSON_OBJECT ? OBJECT : ARRAY;
	l->rule = w->next;
	strcpy(l->path, r->path);
	if (l->path[0])
		strcat(l->path, "/");
	return 0;
}

/* A value where no tree is open. */
static int
value(struct walk *w, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	const struct level *l = &w->level[w->depth];
	bool box = ev == JSON_OBJECT || ev == JSON_ARRAY;
	const struct walk_rule *r;

	if (w->depth > 0 && l->kind != INTO) {
		w->next = l->rule;	/* an element */
		return grow(w, ev, s, n, e);
	}
	if (w->next == w->nrule) {
		w->skip += box;
		return 0;
	}
	r = &w->rule[w->next];
	if (w->seen & (uint64_t)1 << w->next)
		return err_set(e, "%s: %s is there twice", w->what, r->path);
	w->seen |= (uint64_t)1 << w->next;
	if (r->how == WALK_TREE)
		return grow(w, ev, s, n, e);
	if (ev == JSON_NULL)
		return 0;
	if (!box)
		return err_set(e, "%s: %s is neither an array nor an object",
		    w->what, r->path);
	return enter(w, ev, e);
}

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct walk *w = ctx;
	bool end = ev == JSON_OBJECT_END || ev == JSON_ARRAY_END;

	if (w->nopen > 0)
		return grow(w, ev, s, n, e);
	if (w->skip > 0) {
		if (ev == JSON_OBJECT || ev == JSON_ARRAY)
			w->skip++;
		w->skip -= end;
		return 0;
	}
	if (end) {
		w->depth--;
		return 0;
	}
	if (ev == JSON_KEY) {
		if (w->level[w->depth].kind == INTO)
			w->next = find(w, s, n);
		else
			return grow(w, ev, s, n, e);
		return 0;
	}
	return value(w, ev, s, n, e);
}

int
walk(const char *what, const void *p, size_t n, const struct walk_rule *rule,
    size_t nrule, walk_fn fn, void *ctx, struct err *e)
{
	struct walk *w;
	int r;

	if (nrule > RULES)
		return err_set(e, "%s: more than %d rules", what, RULES);
	if (!(w = calloc(1, sizeof *w)))
		return err_set(e, "out of memory");
	w->what = what;
	w->fn = fn;
	w->ctx = ctx;
	w->level[0].kind = INTO;
	memcpy(w->rule, rule, nrule * sizeof *rule);
	/* Without a rule for it, the text's own value must be an object. */
	for (w->next = 0; w->next < nrule && rule[w->next].path[0]; w->next++)
		;
	w->nrule = nrule + (w->next == nrule);
	if (w->next == nrule)
		w->rule[nrule] = (struct walk_rule){ "", WALK_INTO };
	r = json_text(what, p, n, event, w, e);
	while (w->block) {
		struct block *b = w->block;

		w->block = b->next;
		free(b);
	}
	free(w);
	return r;
}

const struct node *
node_get(const struct node *o, const char *key)
{
	size_t n = strlen(key);

	if (!o || o->type != JSON_OBJECT)
		return NULL;
	for (o = o->child; o; o = o->next)
		if (o->nkey == n && !memcmp(o->key, key, n))
			return o->type != JSON_NULL ? o : NULL;
	return NULL;
}

const char *
node_str(const struct node *d)
{
	return d && d->type == JSON_STRING ? d->s : NULL;
}

bool
node_is(const struct node *d, const char *s)
{
	return d && d->type == JSON_STRING && d->n == strlen(s) && !memcmp(d->s, s, d->n);
}

int
node_bool(const struct node *d, int absent)
{
	return !d ? absent : d->type == JSON_TRUE ? 1 : d->type == JSON_FALSE ? 0 : absent;
}
