/* SPDX-License-Identifier: MIT */
/* pattern.c -- from ECMAScript's regular expressions to POSIX's. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include <apr/buf.h>

#include "pattern.h"

struct pattern {
	regex_t	re;
};

/* \d and its like, for inside brackets; NULL: another character. */
static const char *
class_of(char c)
{
	return c == 'd' ? "0-9" : c == 'w' ? "A-Za-z0-9_" : c == 's' ? " \t\n\v\f\r" : NULL;
}

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (unsigned char)c >= 0x80;
}

/* One character, whatever it means elsewhere. */
static void
literal(struct buf *b, char c)
{
	if (strchr(".[]{}()*+?|^$\\", c))
		buf_str(b, "\\");
	buf_put(b, &c, 1);
}

/* A backslash and what follows it, outside brackets; its length or -1. */
static int
escape(struct buf *b, const char *p, struct err *e)
{
	char low = (char)(p[1] >= 'A' && p[1] <= 'Z' ? p[1] - 'A' + 'a' : p[1]);
	const char *set = class_of(low);

	if (set) {
		buf_str(b, p[1] == low ? "[" : "[^");
		buf_str(b, set);
		buf_str(b, "]");
	} else if (p[1] == 'b' || p[1] == 'B') {
		buf_put(b, p, 2);
	} else if (p[1] == 't' || p[1] == 'n') {
		buf_str(b, p[1] == 't' ? "\t" : "\n");
	} else if (p[1] == '\0' || is_word(p[1])) {
		return err_set(e, "\\%.1s is not understood", p + 1);
	} else {
		literal(b, p[1]);
	}
	return 2;
}

/* A character of a set: POSIX has no escapes in brackets, so what is special
 * there is brought by its place or its name. */
static void
in_set(struct buf *b, char c, bool *hat, bool *minus)
{
	if (c == '^')
		*hat = true;
	else if (c == '-')
		*minus = true;
	else if (c == '[' || c == ']')
		buf_printf(b, "[.%c.]", c);
	else
		buf_put(b, &c, 1);
}

/* From "[" on; the length of the set or -1. */
static int
set(struct buf *b, const char *p, struct err *e)
{
	const char *q = p + 1;
	bool hat = false, minus = false, no = *q == '^';
	size_t empty;

	buf_str(b, no ? "[^" : "[");
	q += no;
	empty = b->len;
	while (*q && *q != ']') {
		const char *cls = *q == '\\' ? class_of(q[1]) : NULL;

		if (*q == '[' && q[1] == ':' && strstr(q, ":]")) {
			size_t n = (size_t)(strstr(q, ":]") + 2 - q);

			buf_put(b, q, n);
			q += n;
		} else if (*q == '[' && (q[1] == '.' || q[1] == '=')) {
			return err_set(e, "[%c in brackets is not understood", q[1]);
		} else if (cls) {
			buf_str(b, cls);
			q += 2;
		} else if (*q == '\\' && (q[1] == '\0' || is_word(q[1]))) {
			return err_set(e, "\\%.1s in brackets is not understood", q + 1);
		} else if (*q != '\\' && q[1] == '-' && q[2] && q[2] != ']' && q[2] != '\\' &&
		    *q != '[' && q[2] != '[') {
			buf_put(b, q, 3);
			q += 3;
		} else {
			q += *q == '\\';
			in_set(b, *q++, &hat, &minus);
		}
	}
	if (!*q)
		return err_set(e, "brackets without an end");
	if (hat && b->len == empty && !minus && !no) {
		/* "^" alone: first in brackets it would mean "not". */
		b->len--;
		buf_str(b, "\\^");
		return (int)(q + 1 - p);
	}
	if (b->len == empty && !minus && !hat)
		return err_set(e, "empty brackets");
	if (hat && b->len == empty && !no) {
		buf_str(b, "-^]");
		return (int)(q + 1 - p);
	}
	buf_str(b, hat ? "^" : "");
	buf_str(b, minus ? "-]" : "]");
	return (int)(q + 1 - p);
}

enum { NESTED = 32, PARTS = 1 << 14 };

/*
 * How large the pattern becomes: regcomp() copies what is repeated, so a few
 * bytes of nested repetitions take all memory.
 */
struct extent {
	size_t	parts[NESTED + 1], last;	/* of each open group; of what may be repeated */
	int	depth;
};

static void
part(struct extent *x, size_t n)
{
	x->last = n;
	x->parts[x->depth] += n;
}

static int
open_group(struct extent *x, struct err *e)
{
	if (x->depth == NESTED)
		return err_set(e, "more than %d groups in each other", NESTED);
	x->parts[++x->depth] = 0;
	x->last = 0;
	return 0;
}

static void
close_group(struct extent *x)
{
	if (x->depth > 0) {
		x->depth--;
		part(x, x->parts[x->depth + 1] + 1);
	}
}

static int
repeat(struct extent *x, const char *what, size_t times, struct err *e)
{
	if (x->last == 0)
		return err_set(e, "%.1s has nothing to repeat", what);
	if (times > 1)
		part(x, x->last * (times - 1));
	if (x->parts[x->depth] > PARTS)
		return err_set(e, "more than %d parts, repeated ones counted each time", PARTS);
	x->last = 0;
	return 0;
}

/* "{m}", "{m,}" or "{m,n}"; its length or -1. */
static int
interval(struct extent *x, const char *p, struct err *e)
{
	char *end;
	unsigned long m = 0, n = 0;
	bool ok = p[1] >= '0' && p[1] <= '9';

	if (ok) {
		n = m = strtoul(p + 1, &end, 10);
		if (*end == ',' && end[1] == '}')
			n = m + 1, end++;
		else if (*end == ',' && (ok = end[1] >= '0' && end[1] <= '9'))
			n = strtoul(end + 1, &end, 10);
	}
	if (!ok || *end != '}' || m > n || n > 255)
		return err_set(e, "%.12s: no repetition of 0 to 255", p);
	if (repeat(x, p, n, e) < 0)
		return -1;
	return (int)(end + 1 - p);
}

/* A character that is neither escaped nor in brackets; its length or -1. */
static int
plain(struct buf *b, struct extent *x, const char *p, struct err *e)
{
	int n = 1;

	switch (*p) {
	case '(':
		if (p[1] == '?' && p[2] != ':')
			return err_set(e, "(?%.1s is not understood", p + 2);
		n = p[1] == '?' ? 3 : 1;
		buf_str(b, "(");
		return open_group(x, e) < 0 ? -1 : n;
	case ')': close_group(x); break;
	case '|': case '^': case '$': x->last = 0; break;
	case '*':
	case '?': n = repeat(x, p, 1, e) < 0 ? -1 : 1; break;
	case '+': n = repeat(x, p, 2, e) < 0 ? -1 : 1; break;
	case '{': n = interval(x, p, e); break;
	default: part(x, 1); break;
	}
	if (n > 0)
		buf_put(b, p, (size_t)n);
	return n;
}

static int
translate(struct buf *b, const char *regex, struct err *e)
{
	struct extent x = { .depth = 0 };
	const char *p = regex;
	bool many = false;	/* the last one was a quantifier */
	int n = 1;

	for (; *p; p += n) {
		bool was = many;

		many = false;
		if (*p == '\\') {
			part(&x, 1);
			n = escape(b, p, e);
		} else if (*p == '[') {
			part(&x, 1);
			n = set(b, p, e);
		} else if (*p == '?' && was) {
			n = 1;	/* one that ends early finds the same names */
		} else {
			many = strchr("*+?{", *p) != NULL;
			n = plain(b, &x, p, e);
		}
		if (n < 0)
			return -1;
	}
	buf_put(b, "", 1);
	return buf_check(b, e);
}

struct pattern *
pattern_new(const char *regex, struct err *e)
{
	struct pattern *p = calloc(1, sizeof *p);
	struct buf b = { 0 };
	char why[128];
	int r;

	if (!p) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (translate(&b, regex, e) < 0)
		goto fail;
	if ((r = regcomp(&p->re, (char *)b.p, REG_EXTENDED | REG_NOSUB)) != 0) {
		regerror(r, &p->re, why, sizeof why);
		err_set(e, "%s", why);
		goto fail;
	}
	buf_release(&b);
	return p;
fail:
	err_prefix(e, "regular expression %s", regex);
	buf_release(&b);
	free(p);
	return NULL;
}

bool
pattern_match(const struct pattern *p, const char *name)
{
	return regexec(&p->re, name, 0, NULL, 0) == 0;
}

void
pattern_free(struct pattern *p)
{
	if (p)
		regfree(&p->re);
	free(p);
}
