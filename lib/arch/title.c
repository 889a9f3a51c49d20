/* SPDX-License-Identifier: MIT */
/* title.c -- "Foo-7B-chat-v2": base name, size, finetune, version. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "title.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_letter(char c)
{
	return is_upper(c) || (c >= 'a' && c <= 'z');
}

static char
lower(char c)
{
	return is_upper(c) ? (char)(c + 32) : c;
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* Over digits with single dots between: how long; 0: none. */
static size_t
dotted(const char *s, size_t n)
{
	size_t k = 0;

	while (k < n && is_digit(s[k])) {
		while (k < n && is_digit(s[k]))
			k++;
		if (k + 1 >= n || s[k] != '.' || !is_digit(s[k + 1]))
			break;
		k++;
	}
	return k;
}

void
title_words(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0, k; i <= n; i += k + 1) {
		bool keep = false, after = false;

		for (k = 0; i + k < n && s[i + k] != '-'; k++)
			keep |= is_upper(s[i + k]);
		keep |= k > 0 && (is_digit(s[i]) || (s[i] == 'v' && k > 1 && is_digit(s[i + 1]) &&
		    dotted(s + i + 1, k - 1) == k - 1));
		if (i > 0)
			buf_str(b, " ");
		for (size_t j = 0; j < k; j++) {
			char c = s[i + j];

			if (!keep && !after)
				c = upper(c);
			after = is_letter(c);
			buf_put(b, &c, 1);
		}
	}
}

enum { VERSION = 1, TYPE = 2, SIZE = 4, FINETUNE = 8, BASE = 16 };

static bool
is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !strncasecmp(s, word, n);
}

/* (v|iter)?1.2 */
static bool
is_version(const char *s, size_t n)
{
	size_t k = n > 4 && !strncasecmp(s, "iter", 4) ? 4 : n > 1 && lower(*s) == 'v' ? 1 : 0;

	return n > k && dotted(s + k, n - k) == n - k;
}

/* i?q4..., b?fp?(16|32) */
static bool
is_type(const char *s, size_t n)
{
	size_t i = n > 0 && lower(s[0]) == 'i';

	if (n > i + 1 && lower(s[i]) == 'q' && is_digit(s[i + 1]))
		return true;
	i = n > 0 && lower(s[0]) == 'b';
	if (i >= n || lower(s[i++]) != 'f')
		return false;
	i += i < n && lower(s[i]) == 'p';
	return is(s + i, n - i, "16") || is(s + i, n - i, "32");
}

static bool
is_word_size(const char *s, size_t n)
{
	return is(s, n, "small") || is(s, n, "mini") || is(s, n, "medium") ||
	    is(s, n, "large") || is(s, n, "xl");
}

/* (A|8x)?7.5B, 7b1; unit: where the letter is. */
static bool
is_size(const char *s, size_t n, size_t *unit)
{
	size_t i = 0, k;

	if (n > 0 && lower(s[0]) == 'a') {
		i = 1;
	} else {
		while (i < n && is_digit(s[i]))
			i++;
		i = i > 0 && i < n && lower(s[i]) == 'x' ? i + 1 : 0;
	}
	for (k = i; i < n && is_digit(s[i]); i++)
		;
	if (i == k)
		return false;
	if (i + 1 < n && (s[i] == '.' || s[i] == '_') && is_digit(s[i + 1]))
		for (i++; i < n && is_digit(s[i]); i++)
			;
	if (i >= n || !strchr("kmbt", lower(s[i])))
		return false;
	*unit = i++;
	return i == n || (i + 1 == n && is_digit(s[i]));
}

/* 7b1 is 7.1B; false: not what so many weights are called. */
static bool
size_label(const char *s, size_t n, size_t unit, uint64_t weights, char out[64])
{
	static const char units[] = "kmbt";
	double v, scale = 1;
	size_t k = 0;
	char *end;

	for (size_t i = 0; i < n && k < 60; i++) {
		if (i == unit)
			break;
		out[k++] = s[i] == '_' ? '.' : s[i];
	}
	if (unit + 1 < n) {
		out[k++] = '.';
		out[k++] = s[unit + 1];
	}
	out[k] = '\0';
	v = strtod(out, &end);
	for (size_t i = 0; i <= (size_t)(strchr(units, lower(s[unit])) - units); i++)
		scale *= 1000;
	if (weights > 0 && end > out && *end == '\0' && is_digit(*out) &&
	    fabs(v * scale - (double)weights) > (double)(7 * (weights / 8)) +
	    (double)(7 * (weights % 8)) / 8) {
		out[k++] = lower(s[unit]);
		out[k] = '\0';
		return false;
	}
	out[k++] = upper(s[unit]);
	out[k] = '\0';
	return true;
}

#define PARTS	64

struct part {
	const char	*s;
	size_t		 n;
	unsigned	 is;
	char		 label[64];
};

static void
join(struct buf *b, const struct part *p, size_t n, unsigned with, unsigned without, bool once)
{
	for (size_t i = 0; i < n; i++) {
		bool again = false;

		if (!(p[i].is & with) || (p[i].is & without))
			continue;
		for (size_t k = 0; once && k < i; k++)
			again |= (p[k].is & with) && p[k].n == p[i].n &&
			    !memcmp(p[k].s, p[i].s, p[i].n);
		if (again)
			continue;
		if (b->len > 0)
			buf_str(b, "-");
		buf_put(b, p[i].s, p[i].n);
	}
}

static void
classify(struct part *p, size_t i, uint64_t weights)
{
	size_t unit = 0;

	if (is_version(p->s, p->n)) {
		p->is = VERSION;
	} else if (is_type(p->s, p->n)) {
		p->is = TYPE;
	} else if (i > 0 && is_word_size(p->s, p->n)) {
		p->is = SIZE;
	} else if (i > 0 && p->n < 60 && is_size(p->s, p->n, &unit)) {
		p->is = size_label(p->s, p->n, unit, weights, p->label) ? SIZE : FINETUNE;
		p->s = p->label;
		p->n = strlen(p->label);
	} else if (i > 0 && (is(p->s, p->n, "chat") || is(p->s, p->n, "instruct") ||
	    is(p->s, p->n, "vision"))) {
		p->is = FINETUNE;
	}
}

int
title_read(struct title *t, const char *id, uint64_t weights, struct err *e)
{
	const char *slash = strchr(id, '/'), *s = slash ? slash + 1 : id;
	struct part *p;
	size_t n = 0;
	bool start = true, sized = false;

	if (slash && *id != '.')
		buf_put(&t->org, id, (size_t)(slash - id));
	buf_str(&t->full, s);
	title_words(&t->name, s, strlen(s));
	if (strchr(id, ' '))
		return buf_check(&t->name, e);
	if (!(p = calloc(PARTS, sizeof *p)))
		return err_set(e, "out of memory");
	while (*s && n < PARTS) {
		size_t k = strcspn(s, "-");

		if (k > 0) {
			p[n].s = s;
			p[n].n = k;
			classify(&p[n], n, weights);
			n++;
		}
		s += k + (s[k] == '-');
	}
	for (size_t i = 0; i < n; i++)
		sized |= (p[i].is & SIZE) && !is_word_size(p[i].s, p[i].n);
	for (size_t i = 0; i < n; i++) {
		if (sized && (p[i].is & SIZE) && is_word_size(p[i].s, p[i].n))
			p[i].is = 0;
		if (start && ((p[i].is == 0 && is_letter(*p[i].s)) || p[i].is == VERSION)) {
			p[i].is |= BASE;
			continue;
		}
		start = false;
		if (p[i].is == 0)
			p[i].is = FINETUNE;
	}
	for (size_t i = n; i-- > 0 && p[i].is == (VERSION | BASE); )
		p[i].is = VERSION;
	join(&t->basename, p, n, BASE, 0, false);
	join(&t->size, p, n, SIZE, 0, true);
	join(&t->finetune, p, n, FINETUNE, 0, false);
	join(&t->version, p, n, VERSION, BASE, false);
	if (t->size.len + t->finetune.len + t->version.len == 0)
		t->basename.len = 0;
	free(p);
	return t->name.bad | t->basename.bad | t->size.bad | t->finetune.bad | t->version.bad |
	    t->full.bad | t->org.bad ? err_set(e, "out of memory") : 0;
}

void
title_release(struct title *t)
{
	buf_release(&t->org);
	buf_release(&t->full);
	buf_release(&t->name);
	buf_release(&t->basename);
	buf_release(&t->finetune);
	buf_release(&t->version);
	buf_release(&t->size);
}
