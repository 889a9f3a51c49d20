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

static int
translate(struct buf *b, const char *regex, struct err *e)
{
	bool many = false;	/* the last one was a quantifier */
	const char *p = regex;
	int n = 1;

	for (; *p; p += n) {
		bool was = many;

		many = false;
		n = 1;
		if (*p == '\\') {
			n = escape(b, p, e);
		} else if (*p == '[') {
			n = set(b, p, e);
		} else if (p[0] == '(' && p[1] == '?') {
			if (p[2] != ':')
				return err_set(e, "(?%.1s is not understood", p + 2);
			buf_str(b, "(");
			n = 3;
		} else if (*p == '?' && was) {
			/* One that ends early finds the same names. */
		} else {
			many = strchr("*+?}", *p) != NULL;
			buf_put(b, p, 1);
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
