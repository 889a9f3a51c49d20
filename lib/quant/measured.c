/* SPDX-License-Identifier: MIT */
/* measured.c -- what earlier passes say that types do to tensors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr/json.h>

#include "fit.h"

enum { F_NAME = 1, F_TYPE = 2, F_N = 4, F_NMSE = 8 };

struct entry {
	const char	*name;
	const struct type *type;
	uint64_t	 n;
	double		 nmse;
	size_t		 next;		/* of the same name, or SIZE_MAX */
};

struct measured {
	struct arena	 arena;
	struct names	*names;		/* to the first of its entries */
	struct entry	*v;
	size_t		 n;
};

/* A line under way. */
struct line {
	struct measured	*m;
	int		 depth;
	unsigned	 key, seen;
	struct entry	 e;
};

struct measured *
measured_new(struct err *e)
{
	struct measured *m = calloc(1, sizeof *m);

	if (!m) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (!(m->names = names_new(64, e))) {
		free(m);
		return NULL;
	}
	return m;
}

void
measured_free(struct measured *m)
{
	if (!m)
		return;
	names_free(m->names);
	arena_release(&m->arena);
	free(m->v);
	free(m);
}

static unsigned
key_of(const char *s, size_t n)
{
	static const struct { const char *key; unsigned bit; } keys[] = {
		{ "name", F_NAME }, { "type", F_TYPE }, { "n", F_N }, { "nmse", F_NMSE },
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strlen(keys[i].key) == n && !memcmp(keys[i].key, s, n))
			return keys[i].bit;
	return 0;
}

/* Text of a number or a type, with a NUL behind it. */
static const char *
copy(char *b, size_t size, const char *s, size_t n)
{
	n = n < size ? n : size - 1;
	memcpy(b, s, n);
	b[n] = '\0';
	return b;
}

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct line *l = ctx;
	unsigned key = l->key;
	char b[64], *end;

	if (ev == JSON_OBJECT || ev == JSON_ARRAY)
		l->depth++;
	if (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END)
		l->depth--;
	l->key = ev == JSON_KEY && l->depth == 1 ? key_of(s, n) : 0;
	if (!key)
		return 0;
	l->seen |= key;
	if (key == F_NAME && ev == JSON_STRING && !memchr(s, 0, n)) {
		l->e.name = arena_strn(&l->m->arena, s, n);
		return l->e.name ? 0 : err_set(e, "out of memory");
	}
	if (key == F_TYPE && ev == JSON_STRING)
		return (l->e.type = type_by_name(copy(b, sizeof b, s, n))) ? 0 :
		    err_set(e, "%s is no type", b);
	if (key == F_N && ev == JSON_NUMBER && json_u64(s, n, &l->e.n))
		return 0;
	if (key == F_NMSE && ev == JSON_NUMBER) {
		l->e.nmse = strtod(copy(b, sizeof b, s, n), &end);
		if (!*end && l->e.nmse >= 0 && l->e.nmse < INFINITY)
			return 0;
	}
	/* A tensor of zeros has no relative error. */
	if (key == F_NMSE && ev == JSON_NULL)
		return 0;
	return err_set(e, "a value of the wrong kind");
}

static int
add(struct measured *m, const struct entry *new, struct err *e)
{
	size_t first = SIZE_MAX;

	if (array_room(&m->v, m->n, sizeof *m->v, e) < 0)
		return -1;
	m->v[m->n] = *new;
	m->v[m->n].next = SIZE_MAX;
	switch (names_add(m->names, new->name, m->n, &first, e)) {
	case -1:
		return -1;
	case 0:
		m->v[m->n].next = m->v[first].next;
		m->v[first].next = m->n;
	}
	m->n++;
	return 0;
}

int
measured_add(struct measured *m, const char *what, const void *text, size_t n,
    struct err *e)
{
	const char *p = text;

	for (size_t number = 1; n > 0; number++) {
		const char *nl = memchr(p, '\n', n);
		size_t len = nl ? (size_t)(nl - p) : n;
		struct line l = { .m = m };

		if (len > 0 && json_text(what, p, len, event, &l, e) < 0)
			return err_prefix(e, "%s: line %zu", what, number);
		/* Of lines about something else nothing is wanted. */
		if (l.seen & F_NAME && l.seen & F_NMSE) {
			if (l.seen != (F_NAME | F_TYPE | F_N | F_NMSE) || !l.e.name)
				return err_set(e, "%s: line %zu: name, type, n and nmse"
				    " are wanted", what, number);
			if (add(m, &l.e, e) < 0)
				return -1;
		}
		len += nl != NULL;
		p += len;
		n -= len;
	}
	return 0;
}

int
measured_look(const struct measured *m, const struct tensor *t,
    void (*each)(void *ctx, const struct type *, double nmse), void *ctx, struct err *e)
{
	size_t i = names_find(m->names, t->name);

	for (; i != SIZE_MAX; i = m->v[i].next) {
		if (m->v[i].n != t->n)
			return err_set(e, "%s: its errors were measured on %llu values, it has"
			    " %llu: another model's", t->name, (unsigned long long)m->v[i].n,
			    (unsigned long long)t->n);
		each(ctx, m->v[i].type, m->v[i].nmse);
	}
	return 0;
}
