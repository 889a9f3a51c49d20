/* SPDX-License-Identifier: MIT */
/* chat_apply.c -- methods and filters of chat templates' values. */
#include <stdlib.h>
#include <string.h>

#include "chat.h"

static bool
strip_char(char ch, const struct value *set)
{
	if (set)
		return memchr(set->s, ch, set->n) != NULL;
	return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

static struct value
strip(const struct value *v, const struct value *set, bool left, bool right)
{
	struct value r = *v;

	while (left && r.n && strip_char(*r.s, set)) {
		r.s++;
		r.n--;
	}
	while (right && r.n && strip_char(r.s[r.n - 1], set))
		r.n--;
	return r;
}

static struct value
change_case(struct chat *c, const struct value *v, int how)
{
	struct value r = chat_str(c, v->s, v->n);
	char *s = (char *)(uintptr_t)r.s;

	for (size_t i = 0; i < r.n; i++) {
		bool first = how == 2 && i == 0;

		if ((how == 1 || first) && s[i] >= 'a' && s[i] <= 'z')
			s[i] = (char)(s[i] - 32);
		else if (how != 1 && !first && s[i] >= 'A' && s[i] <= 'Z')
			s[i] = (char)(s[i] + 32);
	}
	return r;
}

static struct value
replace(struct chat *c, const struct value *v, const struct value *from, const struct value *to)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < v->n && b.len <= CHAT_OUT; )
		if (from->n && v->n - i >= from->n && !memcmp(v->s + i, from->s, from->n)) {
			buf_put(&b, to->s, to->n);
			i += from->n;
		} else {
			buf_put(&b, v->s + i++, 1);
		}
	return chat_take(c, &b);
}

static int
split(struct chat *c, const struct value *v, const struct value *by, struct value *r)
{
	size_t from = 0, i = 0;

	*r = (struct value){ .type = CHAT_LIST };
	if (!by || by->n == 0) {
		for (; i < v->n; i = from) {
			while (i < v->n && strip_char(v->s[i], NULL))
				i++;
			for (from = i; from < v->n && !strip_char(v->s[from], NULL); from++)
				;
			if (from > i && chat_push(c, r, chat_str(c, v->s + i, from - i)) < 0)
				return -1;
		}
		return 0;
	}
	while (i + by->n <= v->n)
		if (!memcmp(v->s + i, by->s, by->n)) {
			if (chat_push(c, r, chat_str(c, v->s + from, i - from)) < 0)
				return -1;
			from = i += by->n;
		} else {
			i++;
		}
	return chat_push(c, r, chat_str(c, v->s + from, v->n - from));
}

/* The first argument, if it is a text. */
static const struct value *
first_text(const struct chat_args *a)
{
	return a->n > 0 && a->v[0].type == CHAT_STR ? &a->v[0] : NULL;
}

/* Each of these: 1, 0 it is not known, -1. */
static int
of_text(struct chat *c, const char *s, size_t n, struct value *v,
    const struct chat_args *a)
{
	const struct value *set = first_text(a);
	struct value r;

	c->steps += (long)(v->n / CHAT_BYTES);
	if (chat_is(s, n, "trim") || chat_is(s, n, "strip")) { *v = strip(v, set, true, true); return 1; }
	if (chat_is(s, n, "lstrip")) { *v = strip(v, set, true, false); return 1; }
	if (chat_is(s, n, "rstrip")) { *v = strip(v, set, false, true); return 1; }
	if (chat_is(s, n, "upper")) { *v = change_case(c, v, 1); return 1; }
	if (chat_is(s, n, "lower")) { *v = change_case(c, v, 0); return 1; }
	if (chat_is(s, n, "capitalize")) { *v = change_case(c, v, 2); return 1; }
	if (chat_is(s, n, "replace") && a->n >= 2 && set && a->v[1].type == CHAT_STR) {
		*v = replace(c, v, set, &a->v[1]);
		return 1;
	}
	if (chat_is(s, n, "startswith") && set) {
		*v = chat_bool(v->n >= set->n && !memcmp(v->s, set->s, set->n));
		return 1;
	}
	if (chat_is(s, n, "endswith") && set) {
		*v = chat_bool(v->n >= set->n && !memcmp(v->s + v->n - set->n, set->s, set->n));
		return 1;
	}
	if (chat_is(s, n, "split")) {
		if (split(c, v, set, &r) < 0)
			return -1;
		*v = r;
		return 1;
	}
	if (chat_is(s, n, "safe") || chat_is(s, n, "string"))
		return 1;
	return 0;
}

static int
of_list(struct chat *c, const char *s, size_t n, struct value *v,
    const struct chat_args *a)
{
	const struct value *set = first_text(a);
	struct buf b = { 0 };

	if ((chat_is(s, n, "first") || chat_is(s, n, "last"))) {
		*v = v->n ? v->item[*s == 'f' ? 0 : v->n - 1].v : (struct value){ 0 };
		return 1;
	}
	if (chat_is(s, n, "list"))
		return 1;
	if (chat_is(s, n, "join")) {
		for (size_t i = 0; i < v->n && b.len <= CHAT_OUT; i++) {
			if (i && set)
				buf_put(&b, set->s, set->n);
			chat_print(&v->item[i].v, &b);
		}
		*v = chat_take(c, &b);
		return 1;
	}
	return 0;
}

static int
of_map(struct chat *c, const char *s, size_t n, struct value *v,
    const struct chat_args *a)
{
	const struct value *set = first_text(a);
	struct value r;

	if (chat_is(s, n, "get") && set) {
		const struct value *got = chat_get(v, set->s, set->n);

		*v = got ? *got : a->n > 1 ? a->v[1] : (struct value){ .type = CHAT_NONE };
		return 1;
	}
	if (chat_is(s, n, "items") || chat_is(s, n, "keys") || chat_is(s, n, "values")) {
		r = (struct value){ .type = CHAT_LIST };
		for (size_t i = 0; i < v->n; i++) {
			struct value pair = { .type = CHAT_LIST };

			if (chat_is(s, n, "keys"))
				pair = v->item[i].key;
			else if (chat_is(s, n, "values"))
				pair = v->item[i].v;
			else if (chat_push(c, &pair, v->item[i].key) < 0 ||
			    chat_push(c, &pair, v->item[i].v) < 0)
				return -1;
			if (chat_push(c, &r, pair) < 0)
				return -1;
		}
		*v = r;
		return 1;
	}
	return 0;
}

static void
as_text(struct chat *c, const char *s, size_t n, struct value *v,
    const struct chat_args *a)
{
	struct buf b = { 0 };
	long long indent = -1;

	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].type == CHAT_INT && (!a->name[i] || chat_is(a->name[i], a->len[i], "indent")))
			indent = a->v[i].i;
	if (chat_is(s, n, "tojson"))
		chat_json(v, &b, (int)(indent > 16 ? 16 : indent), 0);
	else
		chat_print(v, &b);
	*v = chat_take(c, &b);
}

int
chat_apply(struct chat *c, const char *s, size_t n, struct value *v,
    const struct chat_args *a)
{
	int r = 0;

	if (!c->live) {
		*v = (struct value){ 0 };
		return 0;
	}
	if (chat_is(s, n, "default") || chat_is(s, n, "d")) {
		if (a->n && (v->type == CHAT_NOTHING ||
		    (a->n > 1 && chat_true(&a->v[1]) && !chat_true(v))))
			*v = a->v[0];
		return 0;
	}
	if (v->type == CHAT_STR && (r = of_text(c, s, n, v, a)) != 0)
		return r < 0 ? -1 : 0;
	if ((chat_is(s, n, "length") || chat_is(s, n, "count")) && v->type >= CHAT_STR) {
		*v = chat_int((long long)v->n);
		return 0;
	}
	if (chat_is(s, n, "string") || chat_is(s, n, "tojson")) {
		as_text(c, s, n, v, a);
		return 0;
	}
	if (v->type == CHAT_LIST)
		r = of_list(c, s, n, v, a);
	else if (v->type == CHAT_MAP)
		r = of_map(c, s, n, v, a);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (chat_is(s, n, "int") && v->type == CHAT_STR) {
		struct value text = chat_str(c, v->s, v->n);	/* which ends where it ends */

		*v = chat_int(strtoll(text.s, NULL, 10));
		return 0;
	}
	return chat_bad(c, "%.*s is not known here", (int)n, s);
}
