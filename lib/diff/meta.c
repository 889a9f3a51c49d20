/* SPDX-License-Identifier: MIT */
/* meta.c -- what two manifests say about their models. */
#include <stdlib.h>
#include <string.h>

#include "diff.h"

struct key {
	const char	*key, *value;	/* JSON text */
};

struct keys {
	struct arena	 arena;
	struct key	*v;
	size_t		 n;
};

static int
add(struct keys *k, const char *key, size_t nkey, const char *value, size_t nvalue,
    struct err *e)
{
	if (array_room(&k->v, k->n, sizeof *k->v, e) < 0)
		return -1;
	k->v[k->n].key = arena_strn(&k->arena, key, nkey);
	k->v[k->n].value = arena_strn(&k->arena, value, nvalue);
	if (!k->v[k->n].key || !k->v[k->n].value)
		return err_set(e, "out of memory");
	k->n++;
	return 0;
}

static void
release(struct keys *k)
{
	arena_release(&k->arena);
	free(k->v);
}

/* A member of the outer object at a time. */
struct members {
	struct keys		*keys;
	struct json_writer	 w;
	struct buf		 key, value;
};

static int
member(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct members *m = ctx;
	int r = 0;

	if (ev == JSON_OBJECT && m->w.depth == 0) {
		m->w.depth = 1;
		return 0;
	}
	if (ev == JSON_KEY && m->w.depth == 1) {
		m->key.len = m->value.len = 0;
		buf_put(&m->key, s, n);
		m->w.comma = false;
		m->w.key = false;
		return buf_check(&m->key, e);
	}
	if (ev == JSON_OBJECT_END && m->w.depth == 1)
		return 0;
	if (json_write(&m->w, ev, s, n, e) < 0 || buf_check(&m->value, e) < 0)
		return -1;
	if (m->w.depth == 1)
		r = add(m->keys, (char *)m->key.p, m->key.len, (char *)m->value.p, m->value.len, e);
	return r;
}

static int
read_all(const struct manifest *m, struct keys *k, struct err *e)
{
	struct members x = { .keys = k };
	int r;

	if (!m->metadata)
		return 0;
	x.w.out = &x.value;
	r = json_text("metadata", m->metadata, strlen(m->metadata), member, &x, e);
	buf_release(&x.key);
	buf_release(&x.value);
	return r;
}

struct words {
	struct keys		*keys;
	const struct arch_model	*model;
	bool			 partial;
};

static int
put_key(void *ctx, const char *key, const char *type, const char *value, struct err *e)
{
	const struct words *w = ctx;

	/* What a model is called, and how it is stored, are other questions. */
	if (!strncmp(key, "general.", 8) && strcmp(key, "general.architecture"))
		return 0;
	/* An .apr that is silent may have forgotten. */
	if (w->partial && arch_presumed(w->model, key))
		return 0;
	(void)type;
	return add(w->keys, key, strlen(key), value, strlen(value), e);
}

/* 1: they are there, 0: it does not say what model it is. */
static int
read_words(const struct manifest *m, struct keys *k, struct err *e)
{
	static const struct arch_about nothing;
	struct arch_model *model;
	struct err ignored;
	struct words w;
	bool unknown;
	int r;

	if (!(model = arch_of(m, &unknown, &ignored)))
		return 0;
	w = (struct words){ k, model, m->source && !strcmp(m->source, "apr") };
	r = arch_put_keys(model, &nothing, put_key, &w, e);
	arch_close(model);
	return r < 0 ? -1 : 1;
}

/* Numbers as the float that most keys are. */
static bool
same(const char *a, const char *b)
{
	char *x, *y;
	double v, w;

	if (!strcmp(a, b))
		return true;
	v = strtod(a, &x);
	w = strtod(b, &y);
	return x > a && y > b && !*x && !*y && (float)v == (float)w;
}

static const struct key *
find(const struct keys *k, const char *key)
{
	for (size_t i = 0; i < k->n; i++)
		if (!strcmp(k->v[i].key, key))
			return &k->v[i];
	return NULL;
}

int
diff_metadata(const struct manifest *a, const struct manifest *b, bool all, diff_key *fn,
    void *ctx, size_t *n, struct err *e)
{
	struct keys k[2] = { 0 };
	bool raw = all && a->source && b->source && !strcmp(a->source, b->source);
	int r = -1, s = 1, t = 1;

	*n = 0;
	if (raw ? read_all(a, &k[0], e) < 0 || read_all(b, &k[1], e) < 0 :
	    (s = read_words(a, &k[0], e)) < 0 || (t = read_words(b, &k[1], e)) < 0)
		goto out;
	r = 0;
	for (size_t i = 0; s && t && r == 0 && i < k[0].n; i++) {
		const struct key *x = &k[0].v[i], *y = find(&k[1], x->key);

		++*n;
		if (!y || !same(x->value, y->value))
			r = fn(ctx, x->key, x->value, y ? y->value : NULL, e);
	}
	for (size_t i = 0; s && t && r == 0 && i < k[1].n; i++)
		if (!find(&k[0], k[1].v[i].key)) {
			++*n;
			r = fn(ctx, k[1].v[i].key, NULL, k[1].v[i].value, e);
		}
out:
	release(&k[0]);
	release(&k[1]);
	return r;
}
