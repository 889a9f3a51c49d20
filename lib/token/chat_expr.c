/* SPDX-License-Identifier: MIT */
/* chat_expr.c -- expressions of chat templates, evaluated as they are read. */
#include <stdlib.h>
#include <string.h>

#include "chat.h"

static void
blanks(struct chat *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
		c->p++;
}

static bool
letter(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static bool
word_char(char ch)
{
	return letter(ch) || (ch >= '0' && ch <= '9');
}

bool
chat_word(struct chat *c, const char *word)
{
	size_t n = strlen(word);

	blanks(c);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) ||
	    (c->p + n < c->end && word_char(c->p[n])))
		return false;
	c->p += n;
	return true;
}

bool
chat_mark(struct chat *c, const char *mark)
{
	size_t n = strlen(mark);

	blanks(c);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, mark, n))
		return false;
	/* The end of a tag is no minus, no percent, no brace. */
	if (n == 1 && (*mark == '-' || *mark == '%') && c->p + 1 < c->end &&
	    (c->p[1] == '}' || (c->p[1] == '%' && c->p + 2 < c->end && c->p[2] == '}')))
		return false;
	c->p += n;
	return true;
}

bool
chat_name(struct chat *c, const char **s, size_t *n)
{
	blanks(c);
	*s = c->p;
	if (c->p == c->end || !letter(*c->p))
		return false;
	while (c->p < c->end && word_char(*c->p))
		c->p++;
	*n = (size_t)(c->p - *s);
	return true;
}

struct scope *
chat_find(struct chat *c, const char *s, size_t n)
{
	for (size_t i = c->nvar; i-- > 0; )
		if (c->var[i].n == n && !memcmp(c->var[i].name, s, n))
			return &c->var[i];
	return NULL;
}

static bool
is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(s, word, n);
}

static int
string(struct chat *c, char quote, struct value *v)
{
	struct buf b = { 0 };

	for (;; c->p++) {
		if (c->p == c->end) {
			buf_release(&b);
			return chat_bad(c, "a string does not end");
		}
		if (*c->p == quote)
			break;
		if (*c->p == '\\' && c->p + 1 < c->end) {
			static const char from[] = "ntr\\'\"", to[] = "\n\t\r\\'\"";
			const char *at = strchr(from, *++c->p);

			if (!at || !*at)
				buf_put(&b, "\\", 1);
			buf_put(&b, at && *at ? &to[at - from] : c->p, 1);
		} else {
			buf_put(&b, c->p, 1);
		}
	}
	c->p++;
	*v = chat_take(c, &b);
	return 0;
}

/* Up to 4 arguments, with or without names, behind an open bracket. */
static int
arguments(struct chat *c, struct value *arg, const char **name, size_t *len, size_t *n)
{
	for (*n = 0; !chat_mark(c, ")"); ) {
		const char *at = c->p, *s;
		size_t k;

		if (*n == 4 || (*n > 0 && !chat_mark(c, ",")))
			return chat_bad(c, "arguments that are not understood");
		if (chat_mark(c, ")"))
			break;
		at = c->p;
		name[*n] = NULL;
		if (chat_name(c, &s, &k) && chat_mark(c, "=") && !chat_mark(c, "=")) {
			name[*n] = s;
			len[*n] = k;
		} else {
			c->p = at;
		}
		if (chat_expr(c, &arg[(*n)++]) < 0)
			return -1;
	}
	return 0;
}

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

/* A string's or map's method, or a filter of the same name. */
static int
apply(struct chat *c, const char *s, size_t n, struct value *v, struct value *arg,
    const char **name, const size_t *len, size_t na)
{
	const struct value *set = na > 0 && arg[0].type == CHAT_STR ? &arg[0] : NULL;
	struct buf b = { 0 };
	struct value r;

	if (!c->live) {
		*v = (struct value){ 0 };
		return 0;
	}
	if (is(s, n, "default") || is(s, n, "d")) {
		if (na && (v->type == CHAT_NOTHING || (na > 1 && chat_true(&arg[1]) && !chat_true(v))))
			*v = arg[0];
		return 0;
	}
	if (v->type == CHAT_STR) {
		c->steps += (long)(v->n / CHAT_BYTES);
		if (is(s, n, "trim") || is(s, n, "strip")) { *v = strip(v, set, true, true); return 0; }
		if (is(s, n, "lstrip")) { *v = strip(v, set, true, false); return 0; }
		if (is(s, n, "rstrip")) { *v = strip(v, set, false, true); return 0; }
		if (is(s, n, "upper")) { *v = change_case(c, v, 1); return 0; }
		if (is(s, n, "lower")) { *v = change_case(c, v, 0); return 0; }
		if (is(s, n, "capitalize")) { *v = change_case(c, v, 2); return 0; }
		if (is(s, n, "replace") && na >= 2 && set && arg[1].type == CHAT_STR) {
			*v = replace(c, v, set, &arg[1]);
			return 0;
		}
		if (is(s, n, "startswith") && set) {
			*v = chat_bool(v->n >= set->n && !memcmp(v->s, set->s, set->n));
			return 0;
		}
		if (is(s, n, "endswith") && set) {
			*v = chat_bool(v->n >= set->n && !memcmp(v->s + v->n - set->n, set->s, set->n));
			return 0;
		}
		if (is(s, n, "split")) {
			if (split(c, v, set, &r) < 0)
				return -1;
			*v = r;
			return 0;
		}
		if (is(s, n, "safe") || is(s, n, "string"))
			return 0;
	}
	if ((is(s, n, "length") || is(s, n, "count")) && v->type >= CHAT_STR) {
		*v = chat_int((long long)v->n);
		return 0;
	}
	if (is(s, n, "string") || is(s, n, "tojson")) {
		long long indent = -1;

		for (size_t i = 0; i < na; i++)
			if (arg[i].type == CHAT_INT && (!name[i] || is(name[i], len[i], "indent")))
				indent = arg[i].i;
		if (is(s, n, "tojson"))
			chat_json(v, &b, (int)(indent > 16 ? 16 : indent), 0);
		else
			chat_print(v, &b);
		*v = chat_take(c, &b);
		return 0;
	}
	if (v->type == CHAT_LIST) {
		if ((is(s, n, "first") || is(s, n, "last"))) {
			*v = v->n ? v->item[*s == 'f' ? 0 : v->n - 1].v : (struct value){ 0 };
			return 0;
		}
		if (is(s, n, "list"))
			return 0;
		if (is(s, n, "join")) {
			for (size_t i = 0; i < v->n && b.len <= CHAT_OUT; i++) {
				if (i && set)
					buf_put(&b, set->s, set->n);
				chat_print(&v->item[i].v, &b);
			}
			*v = chat_take(c, &b);
			return 0;
		}
	}
	if (v->type == CHAT_MAP && is(s, n, "get") && set) {
		const struct value *got = chat_get(v, set->s, set->n);

		*v = got ? *got : na > 1 ? arg[1] : (struct value){ .type = CHAT_NONE };
		return 0;
	}
	if (v->type == CHAT_MAP && (is(s, n, "items") || is(s, n, "keys") || is(s, n, "values"))) {
		r = (struct value){ .type = CHAT_LIST };
		for (size_t i = 0; i < v->n; i++) {
			struct value pair = { .type = CHAT_LIST };

			if (is(s, n, "keys"))
				pair = v->item[i].key;
			else if (is(s, n, "values"))
				pair = v->item[i].v;
			else if (chat_push(c, &pair, v->item[i].key) < 0 ||
			    chat_push(c, &pair, v->item[i].v) < 0)
				return -1;
			if (chat_push(c, &r, pair) < 0)
				return -1;
		}
		*v = r;
		return 0;
	}
	if (is(s, n, "int") && v->type == CHAT_STR) {
		r = chat_str(c, v->s, v->n);	/* which ends where it ends */
		*v = chat_int(strtoll(r.s, NULL, 10));
		return 0;
	}
	return chat_bad(c, "%.*s is not known here", (int)n, s);
}

static int
call(struct chat *c, const char *s, size_t n, struct value *v)
{
	struct value arg[4];
	const char *name[4];
	size_t len[4], na;

	if (arguments(c, arg, name, len, &na) < 0)
		return -1;
	*v = (struct value){ 0 };
	if (!c->live)
		return 0;
	if (is(s, n, "namespace") || is(s, n, "dict")) {
		*v = (struct value){ .type = CHAT_MAP };
		if (!(v->box = arena_alloc(&c->arena, sizeof *v->box)))
			return err_set(c->e, "out of memory");
		v->box->type = CHAT_MAP;
		for (size_t i = 0; i < na; i++)
			if (name[i] && chat_put(c, v->box, chat_str(c, name[i], len[i]), arg[i]) < 0)
				return -1;
		return 0;
	}
	if (is(s, n, "raise_exception"))
		return chat_bad(c, "the template refuses: %.*s", na && arg[0].type == CHAT_STR ?
		    (int)arg[0].n : 0, na && arg[0].type == CHAT_STR ? arg[0].s : "");
	if (is(s, n, "range") && na >= 1 && na <= 2) {
		long long i = na > 1 ? arg[0].i : 0, end = arg[na - 1].i;

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
		return string(c, '\'', v);
	if (chat_mark(c, "\""))
		return string(c, '"', v);
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
	if (is(s, n, "true") || is(s, n, "True"))
		*v = chat_bool(true);
	else if (is(s, n, "false") || is(s, n, "False"))
		*v = chat_bool(false);
	else if (is(s, n, "none") || is(s, n, "None"))
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
		blanks(c);
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

static int
postfix(struct chat *c, struct value *v)
{
	struct value arg[4];
	const char *s, *name[4];
	size_t n, len[4], na;

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
				if (arguments(c, arg, name, len, &na) < 0 ||
				    apply(c, s, n, v, arg, name, len, na) < 0)
					return -1;
			} else {
				const struct value *got = chat_get(v, s, n);

				*v = got ? *got : (struct value){ 0 };
			}
		} else if (c->p + 1 < c->end && *c->p == '|' && chat_mark(c, "|")) {
			na = 0;
			if (!chat_name(c, &s, &n))
				return chat_bad(c, "a filter is missing");
			if (chat_mark(c, "(") && arguments(c, arg, name, len, &na) < 0)
				return -1;
			if (apply(c, s, n, v, arg, name, len, na) < 0)
				return -1;
		} else {
			return 0;
		}
	}
}

static int
unary(struct chat *c, struct value *v)
{
	if (chat_mark(c, "-")) {
		if (postfix(c, v) < 0)
			return -1;
		v->i = (long long)(0 - (unsigned long long)v->i);
		return 0;
	}
	return postfix(c, v);
}

static int
product(struct chat *c, struct value *v)
{
	struct value b;

	if (unary(c, v) < 0)
		return -1;
	for (;;) {
		char op = 0;

		if (chat_mark(c, "//"))
			op = '/';
		else if (chat_mark(c, "*"))
			op = '*';
		else if (chat_mark(c, "%"))
			op = '%';
		if (!op)
			return 0;
		if (unary(c, &b) < 0)
			return -1;
		if (!c->live)
			continue;
		if (v->type != CHAT_INT || b.type != CHAT_INT || (op != '*' && b.i <= 0) ||
		    v->i > 1 << 30 || v->i < -(1 << 30) || b.i > 1 << 30 || b.i < -(1 << 30))
			return chat_bad(c, "numbers that cannot be combined");
		*v = chat_int(op == '*' ? v->i * b.i : op == '/' ? v->i / b.i : v->i % b.i);
	}
}

static int
sum(struct chat *c, struct value *v)
{
	struct value b;

	if (product(c, v) < 0)
		return -1;
	for (;;) {
		bool join = chat_mark(c, "~"), minus = !join && chat_mark(c, "-");

		if (!join && !minus && !chat_mark(c, "+"))
			return 0;
		if (product(c, &b) < 0)
			return -1;
		if (!c->live)
			continue;
		if (v->type == CHAT_INT && b.type == CHAT_INT && !join) {
			if (minus ? __builtin_sub_overflow(v->i, b.i, &v->i) :
			    __builtin_add_overflow(v->i, b.i, &v->i))
				return chat_bad(c, "numbers that cannot be combined");
		} else if (v->type == CHAT_LIST && b.type == CHAT_LIST && !join && !minus) {
			struct value r = { .type = CHAT_LIST };

			for (size_t i = 0; i < v->n; i++)
				if (chat_push(c, &r, v->item[i].v) < 0)
					return -1;
			for (size_t i = 0; i < b.n; i++)
				if (chat_push(c, &r, b.item[i].v) < 0)
					return -1;
			*v = r;
		} else if (join || (v->type == CHAT_STR && b.type == CHAT_STR && !minus)) {
			struct buf t = { 0 };

			chat_print(v, &t);
			chat_print(&b, &t);
			*v = chat_take(c, &t);
		} else {
			return chat_bad(c, "values that cannot be added");
		}
	}
}

static bool
within(struct chat *c, const struct value *a, const struct value *b)
{
	if (b->type == CHAT_STR)
		c->steps += (long)(b->n / CHAT_BYTES);
	if (b->type == CHAT_STR && a->type == CHAT_STR)
		return a->n == 0 || memmem(b->s, b->n, a->s, a->n);
	if (b->type == CHAT_MAP)
		return a->type == CHAT_STR && chat_get(b, a->s, a->n);
	for (size_t i = 0; b->type == CHAT_LIST && i < b->n; i++)
		if (++c->steps > CHAT_STEPS || chat_equal(c, a, &b->item[i].v))
			return true;
	return false;
}

static int
test(struct chat *c, struct value *v)
{
	bool not = chat_word(c, "not"), yes;
	const char *s;
	size_t n;

	if (!chat_name(c, &s, &n))
		return chat_bad(c, "a test is missing");
	if (is(s, n, "defined")) yes = v->type != CHAT_NOTHING;
	else if (is(s, n, "undefined")) yes = v->type == CHAT_NOTHING;
	else if (is(s, n, "none")) yes = v->type == CHAT_NONE;
	else if (is(s, n, "string")) yes = v->type == CHAT_STR;
	else if (is(s, n, "mapping")) yes = v->type == CHAT_MAP;
	else if (is(s, n, "iterable") || is(s, n, "sequence")) yes = v->type >= CHAT_STR;
	else if (is(s, n, "boolean")) yes = v->type == CHAT_BOOL;
	else if (is(s, n, "number") || is(s, n, "integer")) yes = v->type == CHAT_INT;
	else if (is(s, n, "true")) yes = v->type == CHAT_BOOL && v->i;
	else if (is(s, n, "false")) yes = v->type == CHAT_BOOL && !v->i;
	else if (is(s, n, "odd")) yes = v->i % 2 != 0;
	else if (is(s, n, "even")) yes = v->i % 2 == 0;
	else return chat_bad(c, "the test %.*s is not known", (int)n, s);
	*v = chat_bool(yes != not);
	return 0;
}

static int
comparison(struct chat *c, struct value *v)
{
	static const char *const ops[] = { "==", "!=", "<=", ">=", "<", ">" };
	struct value b;

	if (sum(c, v) < 0)
		return -1;
	for (;;) {
		bool not = false;
		int op = -1, d;

		if (chat_word(c, "is")) {
			if (test(c, v) < 0)
				return -1;
			continue;
		}
		if (chat_word(c, "in") || (chat_word(c, "not") && (not = true) && chat_word(c, "in"))) {
			if (sum(c, &b) < 0)
				return -1;
			*v = chat_bool(within(c, v, &b) != not);
			continue;
		}
		for (int i = 0; i < 6 && op < 0; i++)
			if (chat_mark(c, ops[i]))
				op = i;
		if (op < 0)
			return 0;
		if (sum(c, &b) < 0)
			return -1;
		if (op < 2) {
			*v = chat_bool(chat_equal(c, v, &b) == (op == 0));
			continue;
		}
		d = (v->i > b.i) - (v->i < b.i);
		if (v->type == CHAT_STR && b.type == CHAT_STR &&
		    (d = memcmp(v->s, b.s, v->n < b.n ? v->n : b.n)) == 0)
			d = (v->n > b.n) - (v->n < b.n);
		*v = chat_bool(op == 2 ? d <= 0 : op == 3 ? d >= 0 : op == 4 ? d < 0 : d > 0);
	}
}

static int
negation(struct chat *c, struct value *v)
{
	size_t n = 0;

	while (chat_word(c, "not"))
		n++;
	if (comparison(c, v) < 0)
		return -1;
	if (n > 0)
		*v = chat_bool(chat_true(v) == (n % 2 == 0));
	return 0;
}

/* What need not be known is only read. */
static int
logic(struct chat *c, struct value *v, bool both)
{
	bool live = c->live, stop;
	struct value b;

	if ((both ? negation(c, v) : logic(c, v, true)) < 0)
		return -1;
	while (chat_word(c, both ? "and" : "or")) {
		stop = chat_true(v) != both;
		c->live = live && !stop;
		if ((both ? negation(c, &b) : logic(c, &b, true)) < 0)
			return -1;
		c->live = live;
		if (!stop)
			*v = b;
	}
	return 0;
}

int
chat_expr(struct chat *c, struct value *v)
{
	bool live = c->live, whole = !c->no_if, yes;
	struct value cond, other;

	c->no_if = false;
	if (++c->depth > CHAT_DEPTH)
		return chat_bad(c, "expressions nested deeper than %d", CHAT_DEPTH);
	if (logic(c, v, false) < 0)
		return -1;
	if (whole && chat_word(c, "if")) {
		if (logic(c, &cond, false) < 0)
			return -1;
		yes = chat_true(&cond);
		other = (struct value){ 0 };
		c->live = live && !yes;
		if (chat_word(c, "else") && chat_expr(c, &other) < 0)
			return -1;
		c->live = live;
		if (!yes)
			*v = other;
	}
	c->depth--;
	return 0;
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
