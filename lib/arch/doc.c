/* SPDX-License-Identifier: MIT */
/* doc.c -- a small JSON object as a flat list of paths and values. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "doc.h"

struct reader {
	struct doc	*d;
	struct buf	 path, text;	/* path: of the open objects */
	size_t		 mark[JSON_DEPTH + 1];	/* where each level's begins */
	size_t		 key;		/* length of path with the last key */
	size_t		 total;
	int		 depth, array;	/* array: levels inside one */
	struct json_writer w;
};

static int
add(struct doc *d, const char *path, size_t n, enum json_ev kind, const char *s,
    size_t len, struct err *e)
{
	struct doc_item *v;

	if (d->n == DOC_ITEMS)
		return err_set(e, "more than %d members", DOC_ITEMS);
	if (array_room(&d->item, d->n, sizeof *v, e) < 0)
		return -1;
	v = &d->item[d->n];
	v->kind = kind;
	v->path = arena_strn(&d->arena, path, n);
	v->text = arena_strn(&d->arena, s, len);
	if (!v->path || !v->text)
		return err_set(e, "out of memory");
	d->n++;
	return 0;
}

/* The last of a name counts, as in Python. */
static int
keep(struct reader *r, enum json_ev kind, const char *s, size_t n, struct err *e)
{
	struct doc *d = r->d;
	size_t at;

	if ((r->total += n) > DOC_TEXT)
		return err_set(e, "more than %zu bytes", DOC_TEXT);
	if (memchr(r->path.p, 0, r->key) || (kind == JSON_STRING && n && memchr(s, 0, n)))
		return 0;	/* nothing that is wanted has NULs */
	if (add(d, (const char *)r->path.p, r->key, kind, s, n, e) < 0)
		return -1;
	for (at = 0; strcmp(d->item[at].path, d->item[d->n - 1].path); at++)
		;
	if (at < d->n - 1)
		d->item[at] = d->item[--d->n];
	return 0;
}

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	static const char *const word[] = {
		[JSON_NULL] = "null", [JSON_TRUE] = "true", [JSON_FALSE] = "false",
	};
	struct reader *r = ctx;
	size_t members;

	if (r->array > 0 || (r->depth > 0 && ev == JSON_ARRAY)) {
		if (r->array == 0) {
			r->text.len = 0;
			r->w = (struct json_writer){ .out = &r->text };
		}
		r->array += (ev == JSON_ARRAY || ev == JSON_OBJECT) -
		    (ev == JSON_ARRAY_END || ev == JSON_OBJECT_END);
		if (json_write(&r->w, ev, s, n, e) < 0 || buf_check(&r->text, e) < 0)
			return -1;
		if (r->text.len > DOC_TEXT)
			return err_set(e, "an array of more than %zu bytes", DOC_TEXT);
		return r->array > 0 ? 0 :
		    keep(r, JSON_ARRAY, (const char *)r->text.p, r->text.len, e);
	}
	switch (ev) {
	case JSON_OBJECT:
		if (r->depth > 0) {
			r->path.len = r->key;
			buf_str(&r->path, ".");
		}
		r->mark[r->depth++] = r->path.len;
		r->key = r->path.len;
		return buf_check(&r->path, e);
	case JSON_OBJECT_END:
		r->depth--;
		members = r->path.len = r->mark[r->depth];
		if (r->depth > 0 && r->key == members) {
			/* An empty one. */
			r->key = members - 1;
			if (keep(r, JSON_OBJECT, "{}", 2, e) < 0)
				return -1;
		}
		r->path.len = r->depth > 0 ? r->mark[r->depth - 1] : 0;
		r->key = members;	/* no more an empty one */
		return 0;
	case JSON_KEY:
		r->path.len = r->mark[r->depth - 1];
		buf_put(&r->path, s, n);
		r->key = r->path.len;
		return buf_check(&r->path, e);
	case JSON_STRING:
	case JSON_NUMBER:
		break;
	case JSON_ARRAY:
		return err_set(e, "an array, no object");
	default:
		s = word[ev];
		n = strlen(s);
	}
	if (r->depth == 0)
		return err_set(e, "no JSON object");
	return keep(r, ev, s, n, e);
}

int
doc_read(struct doc *d, const char *what, const void *text, size_t n, struct err *e)
{
	struct reader r = { .d = d };
	int k = json_text(what, text, n, event, &r, e);

	buf_release(&r.path);
	buf_release(&r.text);
	return k < 0 ? err_prefix(e, "%s", what) : 0;
}

void
doc_release(struct doc *d)
{
	arena_release(&d->arena);
	free(d->item);
	memset(d, 0, sizeof *d);
}

static struct doc_item *
find(const struct doc *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->item[i].path, path))
			return &d->item[i];
	return NULL;
}

const struct doc_item *
doc_find(const struct doc *d, const char *path)
{
	const struct doc_item *i = find(d, path);

	return i && i->kind != JSON_NULL ? i : NULL;
}

int
doc_put(struct doc *d, const char *path, enum json_ev kind, const char *text, struct err *e)
{
	struct doc_item *i = find(d, path);

	if (kind == JSON_NULL) {
		if (i)
			*i = d->item[--d->n];
		return 0;
	}
	if (!i)
		return add(d, path, strlen(path), kind, text, strlen(text), e);
	i->kind = kind;
	i->text = arena_strn(&d->arena, text, strlen(text));
	return i->text ? 0 : err_set(e, "out of memory");
}

int
doc_put_u64(struct doc *d, const char *path, uint64_t v, struct err *e)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, v);
	return doc_put(d, path, JSON_NUMBER, text, e);
}

bool
doc_double(const struct doc *d, const char *path, double *v)
{
	const struct doc_item *i = doc_find(d, path);

	if (!i || i->kind != JSON_NUMBER)
		return false;
	*v = strtod(i->text, NULL);
	return true;
}

bool
doc_u64(const struct doc *d, const char *path, uint64_t *v)
{
	const struct doc_item *i = doc_find(d, path);
	double x;

	if (!i || i->kind != JSON_NUMBER)
		return false;
	if (json_u64(i->text, strlen(i->text), v))
		return true;
	x = strtod(i->text, NULL);
	if (!(x >= 0 && x < 0x1p53) || x != floor(x))
		return false;
	*v = (uint64_t)x;
	return true;
}

const char *
doc_string(const struct doc *d, const char *path)
{
	const struct doc_item *i = doc_find(d, path);

	return i && i->kind == JSON_STRING ? i->text : NULL;
}

bool
doc_true(const struct doc *d, const char *path)
{
	const struct doc_item *i = doc_find(d, path);

	return i && i->kind == JSON_TRUE;
}

/* Looking for one element, counting all. */
struct scan {
	size_t		 k, n;
	int		 depth;
	double		 number;
	const char	*string;
	struct arena	*arena;
	bool		 found;
};

static int
scan_event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct scan *c = ctx;
	char text[64];

	if (ev == JSON_ARRAY_END || ev == JSON_OBJECT_END) {
		c->depth--;
		return 0;
	}
	if (c->depth == 1 && ev != JSON_KEY) {
		if (c->n++ == c->k && ev == JSON_NUMBER && n < sizeof text) {
			memcpy(text, s, n);
			text[n] = '\0';
			c->number = strtod(text, NULL);
			c->found = true;
		} else if (c->n - 1 == c->k && (ev == JSON_TRUE || ev == JSON_FALSE)) {
			c->number = ev == JSON_TRUE;
			c->found = true;
		} else if (c->n - 1 == c->k && ev == JSON_STRING && c->arena) {
			if (!(c->string = arena_strn(c->arena, s, n)))
				return err_set(e, "out of memory");
		}
	}
	c->depth += ev == JSON_ARRAY || ev == JSON_OBJECT;
	return 0;
}

static bool
scan(const struct doc *d, const char *path, struct scan *c)
{
	const struct doc_item *i = doc_find(d, path);
	struct err ignored;

	return i && i->kind == JSON_ARRAY &&
	    json_text("array", i->text, strlen(i->text), scan_event, c, &ignored) == 0;
}

size_t
doc_array(const struct doc *d, const char *path)
{
	struct scan c = { .k = SIZE_MAX };

	return scan(d, path, &c) ? c.n : 0;
}

bool
doc_element(const struct doc *d, const char *path, size_t k, double *v)
{
	struct scan c = { .k = k };

	if (!scan(d, path, &c) || !c.found)
		return false;
	*v = c.number;
	return true;
}

const char *
doc_element_string(struct doc *d, const char *path, size_t k)
{
	struct scan c = { .k = k, .arena = &d->arena };

	return scan(d, path, &c) ? c.string : NULL;
}

int
doc_copy(struct doc *d, const char *from, const char *to, bool over, struct err *e)
{
	size_t n = strlen(from), all = d->n;
	struct buf path = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < all; i++) {
		struct doc_item it = d->item[i];

		if (strncmp(it.path, from, n) || it.kind == JSON_NULL)
			continue;
		path.len = 0;
		buf_printf(&path, "%s%s", to, it.path + n);
		buf_put(&path, "", 1);
		if ((r = buf_check(&path, e)) == 0 &&
		    (over || !doc_find(d, (const char *)path.p)))
			r = doc_put(d, (const char *)path.p, it.kind, it.text, e);
	}
	buf_release(&path);
	return r;
}

/* Where names end counts less than any letter. */
static int
by_path(const void *pa, const void *pb)
{
	const char *a = ((const struct doc_item *)pa)->path;
	const char *b = ((const struct doc_item *)pb)->path;

	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (*a == '.' ? 1 : (unsigned char)*a) - (*b == '.' ? 1 : (unsigned char)*b);
}

/* An array over several lines, or numbers and strings as they are. */
static void
put_array(struct buf *b, const char *s, int indent)
{
	bool quoted = false;
	int depth = 0;

	for (; *s; s++) {
		char c = *s;

		if (quoted) {
			buf_put(b, s, 1);
			if (c == '\\' && s[1])
				buf_put(b, ++s, 1);
			else if (c == '"')
				quoted = false;
			continue;
		}
		quoted = c == '"';
		if ((c == ']' || c == '}') && s[-1] != '[' && s[-1] != '{')
			buf_printf(b, "\n%*s", indent + 2 * (depth - 1), "");
		depth += (c == '[' || c == '{') - (c == ']' || c == '}');
		buf_put(b, s, 1);
		if (c == ':')
			buf_str(b, " ");
		if (c == ',' || ((c == '[' || c == '{') && s[1] != ']' && s[1] != '}'))
			buf_printf(b, "\n%*s", indent + 2 * depth, "");
	}
}

/* Items [i, n) whose paths go on at `skip`; returns where the level ends. */
static size_t
put_level(const struct doc_item *v, size_t i, size_t n, size_t skip, int indent,
    struct buf *b)
{
	size_t begin = i;
	bool comma = false;

	buf_str(b, "{");
	while (i < n && !strncmp(v[i].path, v[begin].path, skip)) {
		const char *key = v[i].path + skip, *dot = strchr(key, '.');
		size_t len = dot ? (size_t)(dot - key) : strlen(key);

		if (v[i].kind == JSON_NULL) {
			i++;
			continue;
		}
		buf_printf(b, "%s\n%*s", comma ? "," : "", indent + 2, "");
		comma = true;
		buf_json(b, key, len);
		buf_str(b, ": ");
		if (dot && indent < 2 * JSON_DEPTH) {
			i = put_level(v, i, n, skip + len + 1, indent + 2, b);
			continue;
		}
		if (v[i].kind == JSON_STRING)
			buf_json(b, v[i].text, strlen(v[i].text));
		else if (v[i].kind == JSON_ARRAY)
			put_array(b, v[i].text, indent + 2);
		else
			buf_str(b, v[i].text);
		i++;
	}
	buf_printf(b, "\n%*s}", indent, "");
	return i;
}

int
doc_write(const struct doc *d, struct buf *b, struct err *e)
{
	struct doc_item *v = calloc(d->n + 1, sizeof *v);

	if (!v)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < d->n; i++)
		v[i] = d->item[i];
	qsort(v, d->n, sizeof *v, by_path);
	(void)put_level(v, 0, d->n, 0, 0, b);
	buf_str(b, "\n");
	free(v);
	return buf_check(b, e);
}
