/* SPDX-License-Identifier: MIT */
/* chat_expr.c -- operators of chat templates, evaluated as they are read. */
#include <string.h>

#include "chat.h"

static int
unary(struct chat *c, struct value *v)
{
	if (chat_mark(c, "-")) {
		if (chat_operand(c, v) < 0)
			return -1;
		v->i = (long long)(0 - (unsigned long long)v->i);
		return 0;
	}
	return chat_operand(c, v);
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
	if (chat_is(s, n, "defined")) yes = v->type != CHAT_NOTHING;
	else if (chat_is(s, n, "undefined")) yes = v->type == CHAT_NOTHING;
	else if (chat_is(s, n, "none")) yes = v->type == CHAT_NONE;
	else if (chat_is(s, n, "string")) yes = v->type == CHAT_STR;
	else if (chat_is(s, n, "mapping")) yes = v->type == CHAT_MAP;
	else if (chat_is(s, n, "iterable") || chat_is(s, n, "sequence")) yes = v->type >= CHAT_STR;
	else if (chat_is(s, n, "boolean")) yes = v->type == CHAT_BOOL;
	else if (chat_is(s, n, "number") || chat_is(s, n, "integer")) yes = v->type == CHAT_INT;
	else if (chat_is(s, n, "true")) yes = v->type == CHAT_BOOL && v->i;
	else if (chat_is(s, n, "false")) yes = v->type == CHAT_BOOL && !v->i;
	else if (chat_is(s, n, "odd")) yes = v->i % 2 != 0;
	else if (chat_is(s, n, "even")) yes = v->i % 2 == 0;
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
