/* SPDX-License-Identifier: MIT */
/* expr.c -- conditions, read and computed in one go: they are short. */
#include <string.h>

#include "expr.h"

/* Of parentheses, and of names for conditions; words and numbers in all, for
 * names may double at every step. */
enum { DEPTH = 32, STEPS = 10000 };

const char *const expr_words[W_WORDS] = {
	[W_ARCH] = "arch", [W_BLOCK] = "block", [W_COLS] = "cols",
	[W_COUNT] = "count", [W_EXPERTS] = "experts", [W_GQA] = "gqa",
	[W_HEADS] = "heads", [W_I] = "i", [W_IMATRIX] = "imatrix",
	[W_KV_HEADS] = "kv_heads", [W_LAYER] = "layer", [W_LAYERS] = "layers",
	[W_N] = "n", [W_SLICES] = "slices", [W_TIED] = "tied",
};

struct expr {
	const struct expr_env *env;
	const char	*text, *p;
	bool		 live;		/* else only looked at */
	int		 depth;
	unsigned	*steps;
	struct err	*e;
};

static int parse_or(struct expr *, struct expr_value *);

static int
wrong(struct expr *x, const char *what)
{
	return err_set(x->e, "\"%s\": %s at \"%.20s\"", x->text, what, x->p);
}

static void
blanks(struct expr *x)
{
	while (*x->p == ' ')
		x->p++;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
word_len(const char *p)
{
	size_t n = 0;

	if (is_letter(*p))
		while (is_letter(p[n]) || is_digit(p[n]))
			n++;
	return n;
}

static bool
same(const char *word, const char *p, size_t n)
{
	return strlen(word) == n && !memcmp(word, p, n);
}

static bool
take_word(struct expr *x, const char *word)
{
	size_t n;

	blanks(x);
	n = word_len(x->p);
	if (!same(word, x->p, n))
		return false;
	x->p += n;
	return true;
}

static bool
take(struct expr *x, const char *sign)
{
	size_t n = strlen(sign);

	blanks(x);
	if (strncmp(x->p, sign, n))
		return false;
	x->p += n;
	return true;
}

static int
number(struct expr *x, struct expr_value *v)
{
	v->n = 0;
	for (; is_digit(*x->p); x->p++)
		if (__builtin_mul_overflow(v->n, 10, &v->n) ||
		    __builtin_add_overflow(v->n, *x->p - '0', &v->n))
			return wrong(x, "a number that is too large");
	return 0;
}

/* A name for a condition stands for it in parentheses. */
static int
named(struct expr *x, const struct let *l, struct expr_value *v)
{
	struct expr y = *x;

	if (++y.depth > DEPTH)
		return wrong(x, "names that go too deep, or round in circles,");
	y.text = y.p = l->text;
	if (parse_or(&y, v) < 0)
		return err_prefix(x->e, "%s", l->name);
	blanks(&y);
	return *y.p ? wrong(&y, "something unexpected") : 0;
}

static int
word(struct expr *x, size_t n, struct expr_value *v)
{
	const char *p = x->p;

	for (size_t i = 0; i < x->env->nlet; i++)
		if (same(x->env->let[i].name, p, n)) {
			x->p += n;
			return named(x, &x->env->let[i], v);
		}
	for (unsigned i = 0; i < W_WORDS; i++)
		if (same(expr_words[i], p, n)) {
			x->p += n;
			if (x->live)
				return x->env->get(x->env->ctx, (enum expr_word)i, v, x->e);
			v->s = i == W_ARCH ? "" : NULL;
			return 0;
		}
	return wrong(x, "a word that is not known");
}

static int
atom(struct expr *x, struct expr_value *v)
{
	size_t n;

	*v = (struct expr_value){ 0 };
	if (++*x->steps > STEPS)
		return wrong(x, "more than can be computed");
	if (take(x, "(")) {
		if (++x->depth > DEPTH)
			return wrong(x, "too many parentheses");
		if (parse_or(x, v) < 0)
			return -1;
		x->depth--;
		return take(x, ")") ? 0 : wrong(x, "no closing parenthesis");
	}
	if (*x->p == '\'') {
		const char *end = strchr(++x->p, '\'');

		if (!end)
			return wrong(x, "a string without an end");
		v->s = x->p;
		v->len = (size_t)(end - x->p);
		x->p = end + 1;
		return 0;
	}
	if (is_digit(*x->p))
		return number(x, v);
	if ((n = word_len(x->p)) > 0)
		return word(x, n, v);
	return wrong(x, *x->p ? "something unexpected" : "an early end");
}

/* Numbers in, a number out. */
static int
arithmetic(struct expr *x, char op, struct expr_value *a, const struct expr_value *b)
{
	bool over = false;

	if (a->s || b->s)
		return wrong(x, "arithmetic on a string");
	if (!x->live)
		return 0;
	switch (op) {
	case '+': over = __builtin_add_overflow(a->n, b->n, &a->n); break;
	case '-': over = __builtin_sub_overflow(a->n, b->n, &a->n); break;
	case '*': over = __builtin_mul_overflow(a->n, b->n, &a->n); break;
	default:
		if (b->n == 0)
			return wrong(x, "division by zero");
		/* The one quotient that does not fit. */
		if (b->n == -1)
			over = op == '/' && __builtin_sub_overflow(0, a->n, &a->n);
		else
			a->n = op == '/' ? a->n / b->n : a->n % b->n;
		if (b->n == -1 && op == '%')
			a->n = 0;
	}
	return over ? wrong(x, "a number that is too large") : 0;
}

static int
product(struct expr *x, struct expr_value *v)
{
	struct expr_value b;

	if (atom(x, v) < 0)
		return -1;
	for (;;) {
		char op;

		blanks(x);
		op = *x->p;
		if (op != '*' && op != '/' && op != '%')
			return 0;
		x->p++;
		if (atom(x, &b) < 0 || arithmetic(x, op, v, &b) < 0)
			return -1;
	}
}

static int
sum(struct expr *x, struct expr_value *v)
{
	struct expr_value b;

	if (product(x, v) < 0)
		return -1;
	for (;;) {
		char op;

		blanks(x);
		op = *x->p;
		if (op != '+' && op != '-')
			return 0;
		x->p++;
		if (product(x, &b) < 0 || arithmetic(x, op, v, &b) < 0)
			return -1;
	}
}

static int
comparison(struct expr *x, struct expr_value *v)
{
	static const char *const ops[] = { "==", "!=", "<=", ">=", "<", ">", NULL };
	struct expr_value b;
	int op = 0, c;

	if (sum(x, v) < 0)
		return -1;
	while (ops[op] && !take(x, ops[op]))
		op++;
	if (!ops[op])
		return 0;
	if (sum(x, &b) < 0)
		return -1;
	if (!v->s != !b.s)
		return wrong(x, "a string compared with a number");
	if (v->s && op > 1)
		return wrong(x, "strings are equal or not, no more,");
	if (v->s)
		c = v->len != b.len || memcmp(v->s, b.s, b.len) != 0;
	else
		c = v->n < b.n ? -1 : v->n > b.n;
	v->s = NULL;
	v->n = op == 0 ? c == 0 : op == 1 ? c != 0 : op == 2 ? c <= 0 :
	    op == 3 ? c >= 0 : op == 4 ? c < 0 : c > 0;
	return 0;
}

static int
negation(struct expr *x, struct expr_value *v)
{
	bool no = false;

	while (take_word(x, "not"))
		no = !no;
	if (comparison(x, v) < 0)
		return -1;
	if (v->s)
		return wrong(x, "a string is neither true nor false");
	if (no)
		v->n = v->n == 0;
	return 0;
}

static int
parse_and(struct expr *x, struct expr_value *v)
{
	bool live = x->live, all;
	struct expr_value b;

	if (negation(x, v) < 0)
		return -1;
	all = v->n != 0;
	while (take_word(x, "and")) {
		x->live = live && all;
		if (negation(x, &b) < 0)
			return -1;
		all = all && b.n != 0;
		v->n = all;
	}
	x->live = live;
	return 0;
}

static int
parse_or(struct expr *x, struct expr_value *v)
{
	bool live = x->live, any;
	struct expr_value b;

	if (parse_and(x, v) < 0)
		return -1;
	any = v->n != 0;
	while (take_word(x, "or")) {
		x->live = live && !any;
		if (parse_and(x, &b) < 0)
			return -1;
		any = any || b.n != 0;
		v->n = any;
	}
	x->live = live;
	return 0;
}

static int
run(const char *text, const struct expr_env *env, bool live, struct expr_value *v,
    struct err *e)
{
	unsigned steps = 0;
	struct expr x = { .env = env, .text = text, .p = text, .live = live,
	    .steps = &steps, .e = e };

	if (parse_or(&x, v) < 0)
		return -1;
	blanks(&x);
	return *x.p ? wrong(&x, "something unexpected") : 0;
}

int
expr_check(const char *text, const struct expr_env *env, struct err *e)
{
	struct expr_value v;

	return run(text, env, false, &v, e);
}

int
expr_true(const char *text, const struct expr_env *env, struct err *e)
{
	struct expr_value v;

	return run(text, env, true, &v, e) < 0 ? -1 : v.n != 0;
}
