/* SPDX-License-Identifier: MIT */
/* chat_value.c -- what templates compute with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/json.h>

#include "chat.h"

struct value
chat_str(struct chat *c, const char *s, size_t n)
{
	struct value v = { .type = CHAT_STR, .s = "" };
	const char *copy;

	c->memory += n + 1;
	if (c->memory <= CHAT_MEMORY && (copy = arena_strn(&c->arena, s, n))) {
		v.s = copy;
		v.n = n;
	} else
		c->memory = CHAT_MEMORY + 1;
	return v;
}

struct value
chat_take(struct chat *c, struct buf *b)
{
	struct value v;

	if (b->bad || b->len > CHAT_OUT) {
		c->memory = CHAT_MEMORY + 1;
		b->len = 0;
	}
	v = chat_str(c, b->len ? (char *)b->p : "", b->len);
	buf_release(b);
	return v;
}

struct value
chat_int(long long i)
{
	return (struct value){ .type = CHAT_INT, .i = i };
}

struct value
chat_bool(bool b)
{
	return (struct value){ .type = CHAT_BOOL, .i = b };
}

bool
chat_true(const struct value *v)
{
	switch (v->type) {
	case CHAT_BOOL:
	case CHAT_INT: return v->i != 0;
	case CHAT_STR:
	case CHAT_LIST: return v->n > 0;
	case CHAT_MAP: return v->box || v->n > 0;
	default: return false;
	}
}

static bool
equal(struct chat *c, const struct value *a, const struct value *b, int level)
{
	bool na = a->type == CHAT_BOOL || a->type == CHAT_INT;

	if (na && (b->type == CHAT_BOOL || b->type == CHAT_INT))
		return a->i == b->i;
	if (a->type != b->type)
		return false;
	if (a->type == CHAT_STR) {
		c->steps += (long)(a->n / CHAT_BYTES);
		return a->n == b->n && !memcmp(a->s, b->s, a->n);
	}
	if (a->type != CHAT_LIST && a->type != CHAT_MAP)
		return true;
	if (level > CHAT_DEPTH)
		c->steps = CHAT_STEPS + 1;
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (++c->steps > CHAT_STEPS ||
		    !equal(c, &a->item[i].key, &b->item[i].key, level + 1) ||
		    !equal(c, &a->item[i].v, &b->item[i].v, level + 1))
			return false;
	return true;
}

bool
chat_equal(struct chat *c, const struct value *a, const struct value *b)
{
	return equal(c, a, b, 0);
}

const struct value *
chat_get(const struct value *map, const char *s, size_t n)
{
	if (map->type == CHAT_MAP && map->box)
		map = map->box;
	for (size_t i = 0; map->type == CHAT_MAP && i < map->n; i++)
		if (map->item[i].key.n == n && !memcmp(map->item[i].key.s, s, n))
			return &map->item[i].v;
	return NULL;
}

/* Room doubles; what was there is left to the arena. */
static int
grow(struct chat *c, struct value *v)
{
	size_t size = (v->n ? 2 * v->n : 1) * sizeof *v->item;
	struct item *p;

	if ((v->n & (v->n - 1)) != 0)
		return 0;
	if ((c->memory += size) > CHAT_MEMORY)
		return chat_bounds(c);
	p = arena_alloc(&c->arena, size);
	if (!p)
		return err_set(c->e, "out of memory");
	if (v->n)
		memcpy(p, v->item, v->n * sizeof *p);
	v->item = p;
	return 0;
}

int
chat_push(struct chat *c, struct value *list, struct value v)
{
	if (grow(c, list) < 0)
		return -1;
	list->item[list->n++] = (struct item){ .v = v };
	return 0;
}

int
chat_put(struct chat *c, struct value *map, struct value key, struct value v)
{
	struct value *old = (struct value *)(uintptr_t)chat_get(map, key.s, key.n);

	c->steps += (long)(map->n / 32);
	if (old) {
		*old = v;
		return 0;
	}
	if (grow(c, map) < 0)
		return -1;
	map->item[map->n++] = (struct item){ key, v };
	return 0;
}

void
chat_print(const struct value *v, struct buf *b)
{
	switch (v->type) {
	case CHAT_NOTHING: break;
	case CHAT_NONE: buf_str(b, "None"); break;
	case CHAT_BOOL: buf_str(b, v->i ? "True" : "False"); break;
	case CHAT_INT: buf_printf(b, "%lld", v->i); break;
	case CHAT_STR: buf_put(b, v->s, v->n); break;
	default: chat_json(v, b, -1, 0);
	}
}

static void
line(struct buf *b, int indent, int level)
{
	if (indent >= 0)
		buf_printf(b, "\n%*s", indent * level, "");
}

void
chat_json(const struct value *v, struct buf *b, int indent, int level)
{
	const struct value *m = v->box ? v->box : v;
	bool map = v->type == CHAT_MAP;

	if (level > CHAT_DEPTH || b->len > CHAT_OUT)
		b->bad = 1;
	if (b->bad)
		return;
	switch (v->type) {
	case CHAT_NOTHING:
	case CHAT_NONE: buf_str(b, "null"); return;
	case CHAT_BOOL: buf_str(b, v->i ? "true" : "false"); return;
	case CHAT_INT: buf_printf(b, "%lld", v->i); return;
	case CHAT_STR: buf_json(b, v->s, v->n); return;
	default: break;
	}
	if (m->n == 0) {
		buf_str(b, map ? "{}" : "[]");
		return;
	}
	buf_str(b, map ? "{" : "[");
	for (size_t i = 0; i < m->n && !b->bad; i++) {
		if (i)
			buf_str(b, indent >= 0 ? "," : ", ");
		line(b, indent, level + 1);
		if (map) {
			buf_json(b, m->item[i].key.s, m->item[i].key.n);
			buf_str(b, ": ");
		}
		chat_json(&m->item[i].v, b, indent, level + 1);
	}
	line(b, indent, level);
	buf_str(b, map ? "}" : "]");
}

struct reader {
	struct chat	*c;
	struct value	 open[CHAT_DEPTH], key[CHAT_DEPTH];
	int		 depth;
	struct value	 top;
};

static int
take(struct reader *r, struct value v)
{
	struct value *in = r->depth ? &r->open[r->depth - 1] : NULL;

	if (!in) {
		r->top = v;
		return 0;
	}
	return in->type == CHAT_LIST ? chat_push(r->c, in, v) :
	    chat_put(r->c, in, r->key[r->depth - 1], v);
}

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct reader *r = ctx;

	switch (ev) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		if (r->depth == CHAT_DEPTH)
			return err_set(e, "messages nested deeper than %d", CHAT_DEPTH);
		r->open[r->depth++] = (struct value){ .type = ev == JSON_OBJECT ? CHAT_MAP : CHAT_LIST };
		return 0;
	case JSON_KEY: r->key[r->depth - 1] = chat_str(r->c, s, n); return 0;
	case JSON_OBJECT_END:
	case JSON_ARRAY_END:
		r->depth--;
		return take(r, r->open[r->depth]);
	case JSON_NULL: return take(r, (struct value){ .type = CHAT_NONE });
	case JSON_TRUE: return take(r, chat_bool(true));
	case JSON_FALSE: return take(r, chat_bool(false));
	case JSON_STRING: return take(r, chat_str(r->c, s, n));
	default: {
		char text[20], *end;
		long long i;

		snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text), s);
		i = strtoll(text, &end, 10);
		/* Templates print numbers that are no integers, or long ones, as they
		 * came. */
		return take(r, *end || n >= sizeof text - 1 ? chat_str(r->c, s, n) : chat_int(i));
	}
	}
}

int
chat_read(struct chat *c, const char *json, size_t n, struct value *v)
{
	struct reader r = { .c = c };

	if (json_text("messages", json, n, event, &r, c->e) < 0)
		return -1;
	*v = r.top;
	return 0;
}

struct scope *
chat_find(struct chat *c, const char *s, size_t n)
{
	for (size_t i = c->nvar; i-- > 0; )
		if (c->var[i].n == n && !memcmp(c->var[i].name, s, n))
			return &c->var[i];
	return NULL;
}

int
chat_set(struct chat *c, const char *s, size_t n, struct value v)
{
	struct scope *old = chat_find(c, s, n);

	/* What a loop sets is gone behind it. */
	if (old && old >= c->var + c->base) {
		old->v = v;
		return 0;
	}
	if (c->nvar == CHAT_NAMES)
		return chat_bad(c, "more than %d names", CHAT_NAMES);
	c->var[c->nvar++] = (struct scope){ s, n, v };
	return 0;
}
