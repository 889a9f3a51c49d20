/* SPDX-License-Identifier: MIT */
/* readme.c -- YAML between two lines of ---, the little that cards use. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "readme.h"

#define CARD_ITEMS	4096

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks, quotes and a comment around it. */
static void
trim(const char **s, size_t *n)
{
	while (*n > 0 && is_blank(**s)) {
		++*s;
		--*n;
	}
	if (*n > 0 && **s != '"' && **s != '\'')
		for (size_t i = 1; i < *n; i++)
			if ((*s)[i] == '#' && is_blank((*s)[i - 1]))
				*n = i;
	while (*n > 0 && is_blank((*s)[*n - 1]))
		--*n;
	if (*n >= 2 && (**s == '"' || **s == '\'') && (*s)[*n - 1] == **s) {
		++*s;
		*n -= 2;
	}
}

static int
add(struct card *c, const char *key, const char *s, size_t n, struct err *e)
{
	struct card_item *v;

	trim(&s, &n);
	if (n == 0 || c->n == CARD_ITEMS)
		return 0;
	if (array_room(&c->item, c->n, sizeof *v, e) < 0)
		return -1;
	v = &c->item[c->n];
	v->key = key;
	if (!(v->value = arena_strn(&c->arena, s, n)))
		return err_set(e, "out of memory");
	c->n++;
	return 0;
}

/* "[a, b]", or one value. */
static int
values(struct card *c, const char *key, const char *s, size_t n, struct err *e)
{
	trim(&s, &n);
	if (n < 2 || s[0] != '[' || s[n - 1] != ']')
		return add(c, key, s, n, e);
	s++;
	n -= 2;
	while (n > 0) {
		const char *comma = memchr(s, ',', n);
		size_t k = comma ? (size_t)(comma - s) : n;

		if (add(c, key, s, k, e) < 0)
			return -1;
		s += k + (comma != NULL);
		n -= k + (comma != NULL);
	}
	return 0;
}

int
card_read(struct card *c, const char *p, size_t n, struct err *e)
{
	const char *end = p + n, *key = NULL, *colon, *line, *stop;
	bool open = false;

	for (; p < end; p = stop < end ? stop + 1 : end) {
		size_t len;

		line = p;
		if (!(stop = memchr(p, '\n', (size_t)(end - p))))
			stop = end;
		len = (size_t)(stop - line);
		while (len > 0 && is_blank(line[len - 1]))
			len--;
		if (len == 3 && !memcmp(line, "---", 3)) {
			if (open)
				return 0;
			open = true;
			continue;
		}
		if (!open) {
			if (len > 0)
				return 0;
			continue;
		}
		if (key && len > 1 && (line[0] == '-' || is_blank(line[0]))) {
			/* An element, unless it is itself a mapping. */
			const char *s = line;

			while (s < line + len && is_blank(*s))
				s++;
			if (*s == '-' && add(c, key, s + 1, (size_t)(line + len - s - 1), e) < 0)
				return -1;
			continue;
		}
		key = NULL;
		if (len == 0 || line[0] == '#' || is_blank(line[0]) ||
		    !(colon = memchr(line, ':', len)))
			continue;
		if (!(key = arena_strn(&c->arena, line, (size_t)(colon - line))))
			return err_set(e, "out of memory");
		if (values(c, key, colon + 1, (size_t)(line + len - colon - 1), e) < 0)
			return -1;
	}
	return 0;
}

const char *
card_find(const struct card *c, const char *key, size_t k)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->item[i].key, key) && k-- == 0)
			return c->item[i].value;
	return NULL;
}

void
card_release(struct card *c)
{
	arena_release(&c->arena);
	free(c->item);
	memset(c, 0, sizeof *c);
}
