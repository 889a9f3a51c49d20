/* SPDX-License-Identifier: MIT */
/* chat_operand.c -- what stands between the operators of chat templates, with
 * what follows it: members, subscripts, calls, filters. */
#include <string.h>

#include "chat.h"

/* Arguments, with or without names, behind an open bracket. */
static int
arguments(struct chat *c, struct chat_args *a)
{
	for (a->n = 0; !chat_mark(c, ")"); ) {
		const char *at = c->p, *s;
		size_t k;

		if (a->n == CHAT_ARGS || (a->n > 0 && !chat_mark(c, ",")))
			return chat_bad(c, "arguments that are not understood");
		if (chat_mark(c, ")"))
			break;
		at = c->p;
		a->name[a->n] = NULL;
		if (chat_name(c, &s, &k) && chat_mark(c, "=") && !chat_mark(c, "=")) {
			a->name[a->n] = s;
			a->len[a->n] = k;
		} else {
			c->p = at;
		}
		if (chat_expr(c, &a->v[a->n++]) < 0)
			return -1;
	}
	return 0;
}

static int
call(struct chat *c, const char *s, size_t n, struct value *v)
{
	struct chat_args a;

	if (arguments(c, &a) < 0)
		return -1;
	*v = (struct value){ 0 };
	if (!c->live)
		return 0;
	if (chat_is(s, n, "namespace") || chat_is(s, n, "dict")) {
		*v = (struct value){ .type = CHAT_MAP };
		if (!(v->box = arena_alloc(&c->arena, sizeof *v->box)))
			return err_set(c->e, "out of memory");
		v->box->type = CHAT_MAP;
		for (size_t i = 0; i < a.n; i++)
			if (a.name[i] && chat_put(c, v->box, chat_str(c, a.name[i], a.len[i]), a.v[i]) < 0)
				return -1;
		return 0;
	}
	if (chat_is(s, n, "raise_exception"))
		return chat_bad(c, "the template refuses: %.*s", a.n && a.v[0].type == CHAT_STR ?
		    (int)a.v[0].n : 0, a.n && a.v[0].type == CHAT_STR ? a.v[0].s : "");
	if (chat_is(s, n, "range") && a.n >= 1 && a.n <= 2) {
		long long i = a.n > 1 ? a.v[0].i : 0, end = a.v[a.n - 1].i;

		*v = (struct value){ .type = CHAT_LIST };
		for (; i < end; i++)
			if (++c->steps > CHAT_STEPS || chat_push(c, v, chat_int(i)) < 0)
				return chat_bad(c, "a range too long");
		return 0;
	}
	return chat_bad(c, "%.*s() is not known", (int)n, s);
}

static int
list(struct chat *c, const char *end, struct value *v)
{
	struct value one;

	*v = (struct value){ .type = CHAT_LIST };
	while (!chat_mark(c, end)) {
		if (v->n && !chat_mark(c, ","))
			return chat_bad(c, "a list without a comma");
		if (chat_mark(c, end))
			break;
		if (chat_expr(c, &one) < 0 || chat_push(c, v, one) < 0)
			return -1;
	}
	return 0;
}

static int
map(struct chat *c, struct value *v)
{
	struct value key, one;

	*v = (struct value){ .type = CHAT_MAP };
	while (!chat_mark(c, "}")) {
		if (v->n && !chat_mark(c, ","))
			return chat_bad(c, "a map without a comma");
		if (chat_expr(c, &key) < 0)
			return -1;
		if (!chat_mark(c, ":"))
			return chat_bad(c, "a map without a colon");
		if (chat_expr(c, &one) < 0 || (key.type == CHAT_STR && chat_put(c, v, key, one) < 0))
			return -1;
	}
	return 0;
}

static int
primary(struct chat *c, struct value *v)
{
	const char *s;
	size_t n;

	*v = (struct value){ 0 };
	c->steps++;
	if (chat_bounds(c) < 0)
		return -1;
	if (chat_mark(c, "'"))
		return chat_text(c, '\'', v);
	if (chat_mark(c, "\""))
		return chat_text(c, '"', v);
	if (chat_mark(c, "(")) {
		if (chat_expr(c, v) < 0)
			return -1;
		return chat_mark(c, ")") ? 0 : chat_bad(c, "a bracket does not close");
	}
	if (chat_mark(c, "["))
		return list(c, "]", v);
	if (chat_mark(c, "{"))
		return map(c, v);
	if (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		long long i = 0;

		while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && i < 1000000000000)
			i = i * 10 + (*c->p++ - '0');
		*v = chat_int(i);
		return 0;
	}
	if (!chat_name(c, &s, &n))
		return chat_bad(c, "an expression is missing");
	if (chat_is(s, n, "true") || chat_is(s, n, "True"))
		*v = chat_bool(true);
	else if (chat_is(s, n, "false") || chat_is(s, n, "False"))
		*v = chat_bool(false);
	else if (chat_is(s, n, "none") || chat_is(s, n, "None"))
		v->type = CHAT_NONE;
	else if (chat_mark(c, "("))
		return call(c, s, n, v);
	else if (chat_find(c, s, n))
		*v = chat_find(c, s, n)->v;
	return 0;
}

/* [i], [a:b:c], by name. */
static int
subscript(struct chat *c, struct value *v)
{
	struct value at[3] = { { 0 }, { 0 }, { 0 } };
	bool slice = false, given[3] = { false, false, false };
	long long n = (long long)v->n, from, to, step;
	struct value r = { .type = v->type };
	int k = 0;

	for (;; k++) {
		chat_blanks(c);
		if (c->p < c->end && *c->p != ':' && *c->p != ']') {
			if (chat_expr(c, &at[k]) < 0)
				return -1;
			given[k] = true;
		}
		if (k == 2 || !chat_mark(c, ":"))
			break;
		slice = true;
	}
	if (!chat_mark(c, "]"))
		return chat_bad(c, "a subscript does not close");
	if (!c->live)
		return 0;
	if (!slice && v->type == CHAT_MAP) {
		const struct value *got = at[0].type == CHAT_STR ? chat_get(v, at[0].s, at[0].n) : NULL;

		*v = got ? *got : (struct value){ 0 };
		return 0;
	}
	if (v->type != CHAT_LIST && v->type != CHAT_STR) {
		*v = (struct value){ 0 };
		return 0;
	}
	if (!slice) {
		from = at[0].i < 0 ? at[0].i + n : at[0].i;
		*v = at[0].type != CHAT_INT || from < 0 || from >= n ? (struct value){ 0 } :
		    v->type == CHAT_LIST ? v->item[from].v : chat_str(c, v->s + from, 1);
		return 0;
	}
	step = given[2] ? at[2].i : 1;
	if (step != 1 && step != -1)
		return chat_bad(c, "a slice by %lld", step);
	from = !given[0] ? step > 0 ? 0 : n - 1 : at[0].i < 0 ? at[0].i + n : at[0].i;
	to = !given[1] ? step > 0 ? n : -1 : at[1].i < 0 ? at[1].i + n : at[1].i;
	from = from < 0 ? step > 0 ? 0 : -1 : from > n ? n : from;
	to = to > n ? n : to;
	if (v->type == CHAT_STR && step > 0) {
		*v = chat_str(c, v->s + from, to > from ? (size_t)(to - from) : 0);
		return 0;
	}
	if (v->type == CHAT_STR)
		return chat_bad(c, "a text backwards");
	for (; step > 0 ? from < to : from > to; from += step)
		if (from >= 0 && from < n && chat_push(c, &r, v->item[from].v) < 0)
			return -1;
	*v = r;
	return 0;
}

int
chat_operand(struct chat *c, struct value *v)
{
	struct chat_args a;
	const char *s;
	size_t n;

	if (primary(c, v) < 0)
		return -1;
	for (;;) {
		if (chat_mark(c, "[")) {
			if (subscript(c, v) < 0)
				return -1;
		} else if (chat_mark(c, ".")) {
			if (!chat_name(c, &s, &n))
				return chat_bad(c, "a name is missing behind the point");
			if (chat_mark(c, "(")) {
				if (arguments(c, &a) < 0 || chat_apply(c, s, n, v, &a) < 0)
					return -1;
			} else {
				const struct value *got = chat_get(v, s, n);

				*v = got ? *got : (struct value){ 0 };
			}
		} else if (c->p + 1 < c->end && *c->p == '|' && chat_mark(c, "|")) {
			a.n = 0;
			if (!chat_name(c, &s, &n))
				return chat_bad(c, "a filter is missing");
			if (chat_mark(c, "(") && arguments(c, &a) < 0)
				return -1;
			if (chat_apply(c, s, n, v, &a) < 0)
				return -1;
		} else {
			return 0;
		}
	}
}
