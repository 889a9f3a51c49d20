/* SPDX-License-Identifier: MIT */
/*
 * held.c -- files inside an .apr's metadata (apr_tools.files).  They may be
 * as large as a tokenizer, so they are found as places in the text that
 * the JSON parser has passed, and decoded in pieces.
 */
#include <stdlib.h>
#include <string.h>

#include <apr/file.h>

struct scan {
	const unsigned char *p, *end, *base;
};

static void
blanks(struct scan *s)
{
	while (s->p < s->end && strchr(" \t\r\n,:", *s->p))
		s->p++;
}

/* At a quote: the string's inside as a span; behind it afterwards. */
static void
string(struct scan *s, size_t *from, size_t *to)
{
	const unsigned char *q = s->p + 1;

	while (q < s->end && *q != '"')
		q += *q == '\\' ? 2 : 1;
	*from = (size_t)(s->p + 1 - s->base);
	*to = (size_t)((q < s->end ? q : s->end) - s->base);
	s->p = q < s->end ? q + 1 : s->end;
}

/* Over one value of any kind. */
static void
skip(struct scan *s)
{
	size_t a, b, depth = 0;

	do {
		blanks(s);
		if (s->p >= s->end)
			return;
		if (*s->p == '"') {
			string(s, &a, &b);
			continue;
		}
		if (*s->p == '{' || *s->p == '[')
			depth++;
		else if (*s->p == '}' || *s->p == ']')
			depth--;
		else {
			while (s->p < s->end && !strchr(" \t\r\n,:]}", *s->p))
				s->p++;
			continue;
		}
		s->p++;
	} while (depth > 0);
}

static bool
is(const struct scan *s, size_t from, size_t to, const char *word)
{
	return to - from == strlen(word) && !memcmp(s->base + from, word, to - from);
}

static int
hex(const unsigned char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
	return v;
}

static size_t
utf8(unsigned char *d, unsigned long c)
{
	if (c < 0x80) {
		d[0] = (unsigned char)c;
		return 1;
	}
	if (c < 0x800) {
		d[0] = (unsigned char)(0xc0 | c >> 6);
		d[1] = (unsigned char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		d[0] = (unsigned char)(0xe0 | c >> 12);
		d[1] = (unsigned char)(0x80 | (c >> 6 & 63));
		d[2] = (unsigned char)(0x80 | (c & 63));
		return 3;
	}
	d[0] = (unsigned char)(0xf0 | c >> 18);
	d[1] = (unsigned char)(0x80 | (c >> 12 & 63));
	d[2] = (unsigned char)(0x80 | (c >> 6 & 63));
	d[3] = (unsigned char)(0x80 | (c & 63));
	return 4;
}

/* One escape at p (a backslash) into d: bytes written; *used in the text. */
static size_t
escape(const unsigned char *p, const unsigned char *end, unsigned char *d, size_t *used)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *k;
	unsigned long c;

	*used = 2;
	if (p[1] != 'u' && (k = strchr(from, p[1]))) {
		*d = (unsigned char)to[k - from];
		return 1;
	}
	*used = 6;
	c = (unsigned long)hex(p + 2);
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
		c = 0x10000 + ((c - 0xd800) << 10) + ((unsigned long)hex(p + 8) - 0xdc00);
		*used = 12;
	}
	return utf8(d, c);
}

static int
base64_digit(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 :
	    c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

typedef int put_fn(void *ctx, const void *, size_t, struct err *);

static int
decode(const unsigned char *p, const unsigned char *end, bool base64, put_fn *put,
    void *ctx, struct err *e)
{
	unsigned char out[4096 + 8];
	size_t n = 0, used;
	unsigned acc = 0, bits = 0;

	while (p < end) {
		if (base64) {
			int d = base64_digit(*p++);

			if (d < 0)
				continue;	/* padding, or escaped slashes */
			acc = acc << 6 | (unsigned)d;
			if ((bits += 6) >= 8)
				out[n++] = (unsigned char)(acc >> (bits -= 8));
		} else if (*p == '\\') {
			n += escape(p, end, out + n, &used);
			p += used;
		} else {
			out[n++] = *p++;
		}
		if (n >= 4096) {
			if (put(ctx, out, n, e) < 0)
				return -1;
			n = 0;
		}
	}
	return n > 0 ? put(ctx, out, n, e) : 0;
}

static int
count(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)p;
	(void)e;
	*(uint64_t *)ctx += n;
	return 0;
}

int
held_read(const struct header *h, size_t i, put_fn *put, void *ctx, struct err *e)
{
	const struct held *f = &h->held[i];

	return decode(h->raw.p + f->from, h->raw.p + f->to, f->base64, put, ctx, e);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct held *)a)->name, ((const struct held *)b)->name);
}

static int
gather(void *ctx, const void *p, size_t n, struct err *e)
{
	buf_put(ctx, p, n);
	return buf_check(ctx, e);
}

/* One "name": "text" or "name": {"base64": "text"}. */
static int
add(struct header *h, struct scan *s, struct err *e)
{
	struct held f = { 0 };
	struct buf name = { 0 };
	size_t a, b;
	int r;

	string(s, &a, &b);
	r = decode(s->base + a, s->base + b, false, gather, &name, e);
	if (r == 0 && (name.len == 0 || memchr(name.p, 0, name.len) ||
	    memchr(name.p, '/', name.len) || name.p[0] == '.'))
		r = err_set(e, "apr_tools.files: \"%.*s\" is no file's name",
		    (int)(name.len < 100 ? name.len : 100), name.p ? (char *)name.p : "");
	if (r == 0 && !(f.name = arena_strn(&h->m->arena, name.p, name.len)))
		r = err_set(e, "out of memory");
	buf_release(&name);
	if (r < 0)
		return -1;
	blanks(s);
	if (s->p < s->end && *s->p == '{') {
		s->p++;
		blanks(s);
		if (s->p >= s->end || *s->p != '"')
			goto bad;
		string(s, &a, &b);
		if (!is(s, a, b, "base64"))
			goto bad;
		f.base64 = true;
		blanks(s);
	}
	if (s->p >= s->end || *s->p != '"')
		goto bad;
	string(s, &f.from, &f.to);
	if (f.base64) {
		blanks(s);
		if (s->p >= s->end || *s->p != '}')
			goto bad;
		s->p++;
	}
	if (decode(s->base + f.from, s->base + f.to, f.base64, count, &f.bytes, e) < 0)
		return -1;
	if (array_room(&h->held, h->nheld, sizeof *h->held, e) < 0)
		return -1;
	h->held[h->nheld++] = f;
	return 0;
bad:
	return err_set(e, "apr_tools.files: %s is neither text nor {\"base64\": text}", f.name);
}

void
json_with(struct buf *b, const void *text, size_t n, const char *key, const char *value)
{
	struct scan s = { text, (const unsigned char *)text + n, text };
	size_t from = n, to = n, a, k, end = n;
	bool any = false;

	blanks(&s);
	s.p += s.p < s.end;
	for (blanks(&s); s.p < s.end && *s.p == '"'; blanks(&s)) {
		const unsigned char *at = s.p;

		string(&s, &a, &k);
		if (is(&s, a, k, key)) {
			/* With the comma on one side of it. */
			skip(&s);
			from = (size_t)(at - s.base);
			while (s.p < s.end && strchr(" \t\r\n", *s.p))
				s.p++;
			s.p += s.p < s.end && *s.p == ',';
			to = (size_t)(s.p - s.base);
			continue;
		}
		any = true;
		skip(&s);
	}
	while (end > 0 && s.base[--end] != '}')
		;
	buf_put(b, text, from < end ? from : end);
	if (to < end)
		buf_put(b, s.base + to, end - to);
	while (b->len > 0 && strchr(" \t\r\n,", b->p[b->len - 1]))
		b->len--;
	buf_printf(b, "%s\"%s\":%s}", any ? "," : "", key, value);
}

void
json_put(struct buf *b, const void *text, size_t n, const char *key, const char *value)
{
	struct scan s = { text, (const unsigned char *)text + n, text };
	size_t a, k;

	blanks(&s);
	s.p += s.p < s.end;
	for (blanks(&s); s.p < s.end && *s.p == '"'; blanks(&s)) {
		string(&s, &a, &k);
		blanks(&s);
		if (is(&s, a, k, key)) {
			size_t from = (size_t)(s.p - s.base);

			skip(&s);
			buf_put(b, text, from);
			buf_str(b, value);
			buf_put(b, s.p, n - (size_t)(s.p - s.base));
			return;
		}
		skip(&s);
	}
	json_with(b, text, n, key, value);
}

bool
json_is_edited(const struct manifest *m)
{
	for (size_t i = 0; i < m->nset; i++)
		if (!strcmp(m->set[i].type, JSON_SET))
			return true;
	return m->nunset > 0;
}

void
json_edited(struct buf *b, const void *text, size_t n, const struct manifest *m)
{
	struct buf now = { 0 }, next = { 0 };

	buf_put(&now, n ? text : "{}", n ? n : 2);
	for (size_t i = 0; i < m->nunset + m->nset; i++) {
		const struct mset *s = i < m->nunset ? NULL : &m->set[i - m->nunset];

		if (s && strcmp(s->type, JSON_SET))
			continue;
		if (s)
			json_put(&next, now.p, now.len, s->key, s->value);
		else
			json_without(&next, now.p, now.len, m->unset[i]);
		buf_release(&now);
		now = next;
		next = (struct buf){ 0 };
	}
	buf_put(b, now.p, now.len);
	b->bad |= now.bad;
	buf_release(&now);
}

void
json_without(struct buf *b, const void *text, size_t n, const char *key)
{
	struct scan s = { text, (const unsigned char *)text + n, text };
	size_t from = n, to = n, a, k, before = 0;

	blanks(&s);
	s.p += s.p < s.end;
	before = (size_t)(s.p - s.base);	/* the brace, then each member's end */
	for (blanks(&s); s.p < s.end && *s.p == '"'; blanks(&s)) {
		bool first = before == 0 || s.base[before - 1] == '{';

		string(&s, &a, &k);
		if (!is(&s, a, k, key)) {
			skip(&s);
			before = (size_t)(s.p - s.base);
			continue;
		}
		skip(&s);
		from = before;
		to = (size_t)(s.p - s.base);
		/* The first one takes the comma behind it, the others that before. */
		while (first && s.p < s.end && strchr(" \t\r\n", *s.p))
			s.p++;
		if (first && s.p < s.end && *s.p == ',')
			to = (size_t)(s.p - s.base) + 1;
		break;
	}
	buf_put(b, text, from);
	buf_put(b, s.base + to, n - to);
}

void
json_short(struct buf *b, const void *text, size_t n, size_t most)
{
	struct scan s = { text, (const unsigned char *)text + n, text };
	bool any = false;
	size_t a, k;

	blanks(&s);
	s.p += s.p < s.end;
	buf_str(b, "{");
	for (blanks(&s); s.p < s.end && *s.p == '"'; blanks(&s)) {
		const unsigned char *at = s.p;
		size_t len;

		string(&s, &a, &k);
		skip(&s);
		len = (size_t)(s.p - at);
		while (len > 0 && strchr(" \t\r\n,", at[len - 1]))
			len--;
		if (len > most)
			continue;
		buf_str(b, any ? "," : "");
		buf_put(b, at, len);
		any = true;
	}
	buf_str(b, "}");
}

const char *
history_of(const struct manifest *m)
{
	for (size_t i = 0; i < m->nset; i++)
		if (!strcmp(m->set[i].key, HISTORY_KEY))
			return m->set[i].value;
	return NULL;
}

int
held_find(struct header *h, size_t from, size_t to, struct err *e)
{
	struct scan s = { h->raw.p + from, h->raw.p + to, h->raw.p };

	blanks(&s);
	if (s.p >= s.end || *s.p++ != '{')
		return 0;
	for (;;) {
		size_t a, b;

		blanks(&s);
		if (s.p >= s.end || *s.p != '"')
			break;
		string(&s, &a, &b);
		if (!is(&s, a, b, "apr_tools.files")) {
			skip(&s);
			continue;
		}
		blanks(&s);
		if (s.p >= s.end || *s.p != '{')
			return err_set(e, "apr_tools.files is no object");
		s.p++;
		for (blanks(&s); s.p < s.end && *s.p == '"'; blanks(&s))
			if (add(h, &s, e) < 0)
				return -1;
		if (s.p < s.end)
			s.p++;
	}
	if (h->nheld > 1)
		qsort(h->held, h->nheld, sizeof *h->held, by_name);
	for (size_t i = 1; i < h->nheld; i++)
		if (!strcmp(h->held[i].name, h->held[i - 1].name))
			return err_set(e, "apr_tools.files: %s is there twice", h->held[i].name);
	return 0;
}
