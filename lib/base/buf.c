/* SPDX-License-Identifier: MIT */
/* buf.c -- bytes that grow, and strings that live together. */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/buf.h>
#include <apr/size.h>

static int
grow(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	void *p;

	if (b->bad)
		return -1;
	if (n <= b->cap - b->len)
		return 0;
	/* By a quarter: large headers must not cost twice their size. */
	while (cap - b->len < n) {
		if (cap > SIZE_MAX / 2) {
			b->bad = 1;
			return -1;
		}
		cap += cap < 1u << 20 ? cap : cap / 4;
	}
	if (!(p = realloc(b->p, cap))) {
		b->bad = 1;
		return -1;
	}
	b->p = p;
	b->cap = cap;
	return 0;
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	if (n > 0 && grow(b, n) == 0) {
		memcpy(b->p + b->len, p, n);
		b->len += n;
	}
}

void
buf_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || grow(b, (size_t)n + 1) < 0) {
		b->bad = 1;
		return;
	}
	va_start(ap, fmt);
	vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* Length of the UTF-8 character at p, 0 if there is none. */
static size_t
utf8_len(const unsigned char *p, size_t n)
{
	size_t k;
	uint32_t c;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	k = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (k > n)
		return 0;
	c = p[0] & (0x7fu >> k);
	for (size_t i = 1; i < k; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if ((k == 3 && c < 0x800) || (k == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	return k;
}

int
utf8_valid(const void *s, size_t n)
{
	const unsigned char *p = s;

	while (n > 0) {
		size_t k = utf8_len(p, n);

		if (k == 0)
			return 0;
		p += k;
		n -= k;
	}
	return 1;
}

void
buf_json(struct buf *b, const void *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = s;

	buf_put(b, "\"", 1);
	while (n > 0) {
		size_t k = 0;

		/* The plain run first: most of every string. */
		while (k < n && p[k] >= 0x20 && p[k] < 0x7f && p[k] != '"' && p[k] != '\\')
			k++;
		buf_put(b, p, k);
		p += k;
		n -= k;
		if (n == 0)
			break;
		if (*p == '"' || *p == '\\') {
			char esc[2] = { '\\', (char)*p };

			buf_put(b, esc, 2);
			k = 1;
		} else if (*p < 0x20 || *p == 0x7f) {
			char esc[7] = { '\\', 'u', '0', '0', hex[*p >> 4], hex[*p & 15], 0 };

			if (*p == '\n')
				buf_str(b, "\\n");
			else if (*p == '\t')
				buf_str(b, "\\t");
			else if (*p == '\r')
				buf_str(b, "\\r");
			else
				buf_str(b, esc);
			k = 1;
		} else if ((k = utf8_len(p, n)) > 0) {
			buf_put(b, p, k);
		} else {
			buf_str(b, "\xef\xbf\xbd");
			k = 1;
		}
		p += k;
		n -= k;
	}
	buf_put(b, "\"", 1);
}

static void
put_real(struct buf *b, double v, bool single)
{
	static const char number[] = "0123456789+-e";
	int digits = single ? 6 : 15, most = single ? 9 : 17;
	char s[40];

	if (!isfinite(v)) {
		buf_str(b, "null");
		return;
	}
	do
		snprintf(s, sizeof s, "%.*g", digits, v);
	while (digits++ < most && (single ? (double)strtof(s, NULL) : strtod(s, NULL)) != v);
	/* What stands between digits is the locale's point. */
	for (size_t i = 0, k; s[i]; i += k) {
		if ((k = strspn(s + i, number)) > 0) {
			buf_put(b, s + i, k);
		} else {
			buf_put(b, ".", 1);
			k = strcspn(s + i, number);
		}
	}
}

void
buf_real(struct buf *b, double v)
{
	put_real(b, v, false);
}

void
buf_real32(struct buf *b, float v)
{
	put_real(b, (double)v, true);
}

void
buf_release(struct buf *b)
{
	free(b->p);
	memset(b, 0, sizeof *b);
}

int
buf_check(const struct buf *b, struct err *e)
{
	return b->bad ? err_set(e, "out of memory after %zu bytes", b->len) : 0;
}

struct arena_block {
	struct arena_block	*next;
	size_t			 used, size;
	_Alignas(16) unsigned char data[];
};

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->head;
	size_t need;

	if (n > SIZE_MAX / 4)
		return NULL;
	need = (n + 15) & ~(size_t)15;
	if (b)
		b->used = (b->used + 15) & ~(size_t)15;
	if (!b || b->used > b->size || b->size - b->used < need) {
		size_t size = need > 16384 ? need : 65536 - sizeof *b;

		if (!(b = calloc(1, sizeof *b + size)))
			return NULL;
		b->size = size;
		/* A big one goes behind, so that the head keeps its room. */
		if (a->head && need > 16384) {
			b->next = a->head->next;
			a->head->next = b;
		} else {
			b->next = a->head;
			a->head = b;
		}
	}
	b->used += need;
	return b->data + b->used - need;
}

char *
arena_strn(struct arena *a, const void *s, size_t n)
{
	struct arena_block *b = a->head;
	char *p;

	/* Strings need no alignment, and there are many. */
	if (b && n < b->size - b->used) {
		p = (char *)b->data + b->used;
		b->used += n + 1;
	} else {
		p = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;
	}

	if (p && n > 0)
		memcpy(p, s, n);
	return p;
}

void
arena_release(struct arena *a)
{
	while (a->head) {
		struct arena_block *next = a->head->next;

		free(a->head);
		a->head = next;
	}
}
