/* SPDX-License-Identifier: MIT */
/*
 * safetensors.c -- reading: a length, that much JSON, the data.  Stricter
 * than the reference where that lets two readers differ: no duplicates, no
 * leading blanks, no lone surrogates, no unknown members.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "safetensors.h"

enum state {
	MEMBERS, ENTRY, FIELDS, DTYPE, SHAPE, DIMS, OFFSETS, RANGE,
	METADATA, META_KEYS, META_VALUE, TOP, END,
};

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4 };

struct parser {
	struct header		*h;
	struct safetensors	*s;
	enum state		 state;
	uint64_t		 base;		/* where the data begins */
	size_t			 members;
	struct tensor		*t;		/* the entry being read */
	unsigned		 seen;		/* HAS_... */
	const struct type	*type;
	uint64_t		 range[2];
	unsigned		 nrange;
	struct view		*view;		/* of __metadata__, if wanted */
	struct names		*names;		/* of tensors */
	struct names		*keys;		/* of __metadata__ */
	struct arena		 arena;		/* holds those */
	const char		*key;		/* the last one */
};

static int
member(struct parser *p, const char *s, size_t n, struct err *e)
{
	struct manifest *m = p->h->m;
	size_t i = m->ntensor - p->h->first;
	int r;

	p->members++;
	if (n == strlen(SAFETENSORS_METADATA) &&
	    memcmp(s, SAFETENSORS_METADATA, n) == 0) {
		if (p->s->metadata)
			return err_set(e, "header: __metadata__ is there twice");
		p->s->metadata = p->members;
		p->state = METADATA;
		return 0;
	}
	if (n == 0)
		return err_set(e, "header: tensor %zu has an empty name", i);
	if (n > TENSOR_NAME)
		return err_set(e, "header: tensor %zu has a name of %zu bytes, at "
		    "most %d are allowed: %.40s...", i, n, TENSOR_NAME, s);
	if (memchr(s, 0, n))
		return err_set(e, "header: tensor %zu has a NUL in its name", i);
	if (!(p->t = manifest_add_tensor(m, s, n, e)))
		return -1;
	if ((r = names_add(p->names, p->t->name, 0, NULL, e)) < 0)
		return -1;
	if (r == 0)
		return err_set(e, "%s: this name is there twice", p->t->name);
	p->t->shard = p->h->shard;
	p->seen = p->nrange = 0;
	p->state = ENTRY;
	return 0;
}

static int
field(struct parser *p, const char *s, size_t n, struct err *e)
{
	static const struct {
		const char	*key;
		unsigned	 bit;
		enum state	 state;
	} fields[] = {
		{ "dtype", HAS_DTYPE, DTYPE },
		{ "shape", HAS_SHAPE, SHAPE },
		{ "data_offsets", HAS_OFFSETS, OFFSETS },
	};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (strlen(fields[i].key) != n || memcmp(fields[i].key, s, n) != 0)
			continue;
		if (p->seen & fields[i].bit)
			return err_set(e, "%s: %s is there twice", p->t->name,
			    fields[i].key);
		p->seen |= fields[i].bit;
		p->state = fields[i].state;
		return 0;
	}
	return err_set(e, "%s: unknown member \"%.*s\"", p->t->name,
	    n < 64 ? (int)n : 64, s);
}

static int
dtype(struct parser *p, const char *s, size_t n, struct err *e)
{
	char name[64];

	if (n >= sizeof name || memchr(s, 0, n))
		return err_set(e, "%s: dtype of %zu bytes is no dtype",
		    p->t->name, n);
	memcpy(name, s, n);
	name[n] = '\0';
	if (strcmp(name, "F4") == 0 || strncmp(name, "F6_", 3) == 0)
		return err_set(e, "%s: dtype %s has elements of less than 8 bits: "
		    "not supported", p->t->name, name);
	if (!(p->type = type_by_safetensors(name)))
		return err_set(e, "%s: unknown dtype \"%s\"", p->t->name, name);
	p->state = FIELDS;
	return 0;
}

static bool
nests(enum json_ev ev)
{
	return ev == JSON_OBJECT || ev == JSON_ARRAY;
}

static int
integer(struct parser *p, const char *what, enum json_ev ev, const char *s,
    size_t n, uint64_t *v, struct err *e)
{
	bool plain;

	if (ev != JSON_NUMBER)
		return err_set(e, "%s: %s %s", p->t->name, what, nests(ev) ?
		    "is nested too deep" : "holds something that is no number");
	if (json_u64(s, n, v))
		return 0;
	plain = s[0] != '-' && !memchr(s, '.', n) && !memchr(s, 'e', n) &&
	    !memchr(s, 'E', n);
	return err_set(e, "%s: %s: %.*s %s", p->t->name, what,
	    n < 40 ? (int)n : 40, s, plain ? "overflows 64 bits" :
	    "is not a plain integer from 0 on");
}

static int
dims(struct parser *p, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct tensor *t = p->t;

	if (ev == JSON_ARRAY_END) {
		p->state = FIELDS;
		return 0;
	}
	if (t->ndim == TENSOR_DIMS)
		return err_set(e, "%s: more than %d dimensions", t->name, TENSOR_DIMS);
	return integer(p, "shape", ev, s, n, &t->dim[t->ndim++], e);
}

static int
range(struct parser *p, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	uint64_t v;

	if (ev == JSON_ARRAY_END) {
		if (p->nrange != 2)
			return err_set(e, "%s: data_offsets holds %u numbers, not 2",
			    p->t->name, p->nrange);
		p->state = FIELDS;
		return 0;
	}
	if (integer(p, "data_offsets", ev, s, n, &v, e) < 0)
		return -1;
	if (p->nrange < 2)
		p->range[p->nrange] = v;
	p->nrange++;
	return 0;
}

/* An entry is complete: the one place where its numbers are checked. */
static int
entry_end(struct parser *p, struct err *e)
{
	struct tensor *t = p->t;
	uint64_t begin = p->range[0], end = p->range[1], file_end;
	char shape[256];

	if (!(p->seen & HAS_DTYPE))
		return err_set(e, "%s: no dtype", t->name);
	if (!(p->seen & HAS_SHAPE))
		return err_set(e, "%s: no shape", t->name);
	if (!(p->seen & HAS_OFFSETS))
		return err_set(e, "%s: no data_offsets", t->name);
	if (tensor_set(t, p->type, TENSOR_ROWS, e) < 0)
		return -1;
	if (end < begin)
		return err_set(e, "%s: data_offsets end at %" PRIu64
		    ", before they begin at %" PRIu64, t->name, end, begin);
	if (end - begin != t->bytes)
		return err_set(e, "%s: data_offsets span %" PRIu64 " bytes, but %s "
		    "%s takes %" PRIu64, t->name, end - begin, t->type->name,
		    tensor_shape(t, shape, sizeof shape), t->bytes);
	if (u64_add(&file_end, p->base, end))
		return err_set(e, "%s: data_offsets end at %" PRIu64
		    ", beyond any file", t->name, end);
	t->offset = p->base + begin;
	if (strncmp(t->name, "blk.", 4) == 0 ||
	    strcmp(t->name, "token_embd.weight") == 0)
		p->h->m->convention = "gguf";
	p->state = MEMBERS;
	return 0;
}

static int
meta_key(struct parser *p, const char *s, size_t n, struct err *e)
{
	int r;

	if (memchr(s, 0, n))
		return err_set(e, "header: a key of __metadata__ has a NUL in it");
	if (!(p->key = arena_strn(&p->arena, s, n)))
		return err_set(e, "out of memory");
	if ((r = names_add(p->keys, p->key, 0, NULL, e)) == 0)
		return err_set(e, "header: __metadata__ has the key \"%.64s\" twice",
		    p->key);
	return r < 0 ? -1 : 0;
}

static int
meta(struct parser *p, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	if (p->state == METADATA && ev != JSON_OBJECT)
		return err_set(e, "header: __metadata__ is not an object");
	if (p->state == META_VALUE && ev != JSON_STRING)
		return err_set(e, "header: __metadata__ %s \"%.64s\"", nests(ev) ?
		    "is nested too deep at" : "has no string for", p->key);
	if (ev == JSON_KEY && meta_key(p, s, n, e) < 0)
		return -1;
	p->state = ev == JSON_KEY ? META_VALUE :
	    ev == JSON_OBJECT_END ? MEMBERS : META_KEYS;
	return p->view ? view_event(p->view, ev, s, n, e) : 0;
}

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct parser *p = ctx;

	switch (p->state) {
	case TOP:	/* the first byte was '{' */
		p->state = MEMBERS;
		return 0;
	case MEMBERS:
		if (ev == JSON_KEY)
			return member(p, s, n, e);
		p->state = END;
		return 0;
	case ENTRY:
		if (ev != JSON_OBJECT)
			return err_set(e, "%s: its entry is not an object", p->t->name);
		p->state = FIELDS;
		return 0;
	case FIELDS:
		return ev == JSON_KEY ? field(p, s, n, e) : entry_end(p, e);
	case DTYPE:
		if (ev != JSON_STRING)
			return err_set(e, "%s: dtype is not a string", p->t->name);
		return dtype(p, s, n, e);
	case SHAPE:
	case OFFSETS:
		if (ev != JSON_ARRAY)
			return err_set(e, "%s: %s is not an array", p->t->name,
			    p->state == SHAPE ? "shape" : "data_offsets");
		p->state = p->state == SHAPE ? DIMS : RANGE;
		return 0;
	case DIMS:
		return dims(p, ev, s, n, e);
	case RANGE:
		return range(p, ev, s, n, e);
	case METADATA:
	case META_KEYS:
	case META_VALUE:
		return meta(p, ev, s, n, e);
	case END:	/* the JSON parser has refused it */
		break;
	}
	return err_set(e, "header: something behind its object");
}

/* The JSON of n bytes, piece by piece. */
static int
text(struct in *in, uint64_t n, struct parser *p, struct err *e)
{
	struct safetensors_text u = { .pos = in_pos(in) };
	struct json *j = json_new("header", event, p, e);
	const unsigned char *b;
	size_t got = 0;
	int r = j ? 0 : -1;

	for (uint64_t left = n; r == 0 && left > 0; left -= got) {
		r = in_some(in, (size_t)(left < IO_CHUNK ? left : IO_CHUNK), &b, &got, e);
		if (r == 0)
			r = err_set(e, "header: %" PRIu64 " bytes, the input ends "
			    "%" PRIu64 " bytes too early", n, left);
		else if (r > 0 && left == n && b[0] != '{')
			r = err_set(e, "header: no JSON object: byte 0x%02x, "
			    "not '{'", b[0]);
		else if (r > 0 && (r = safetensors_text(&u, b, got, e)) == 0)
			r = json_feed(j, b, got, e);
	}
	if (r == 0)
		r = json_end(j, e);
	json_free(j);
	return r;
}

static int
view(struct parser *p, struct err *e)
{
	const char *s = p->s->metadata ? view_text(p->view, e) : "{}";

	if (!s)
		return -1;
	p->h->m->metadata = arena_strn(&p->h->m->arena, s, strlen(s));
	return p->h->m->metadata ? 0 : err_set(e, "out of memory");
}

static int
parse(struct in *in, struct header *h, struct err *e)
{
	struct parser p = { .h = h, .state = TOP };
	unsigned char len[8];
	uint64_t n;
	int r = -1;

	if (in_read(in, len, sizeof len, e) < 0)
		return -1;
	n = le64_get(len);
	if (n < 2)
		return err_set(e, "header: %" PRIu64 " bytes hold no JSON object", n);
	if (n > SAFETENSORS_HEADER)
		return err_set(e, "header: %" PRIu64 " bytes, at most %" PRIu64
		    " are allowed", n, SAFETENSORS_HEADER);
	if (in_size(in) != UINT64_MAX && n > in_size(in) - sizeof len)
		return err_set(e, "header: %" PRIu64 " bytes, the file ends at "
		    "byte %" PRIu64, n, in_size(in));
	if (!(h->priv = p.s = calloc(1, sizeof *p.s)))
		return err_set(e, "out of memory");
	h->align = 1;
	p.base = sizeof len + n;
	if ((p.names = names_new(0, e)) && (p.keys = names_new(0, e)) &&
	    (h->m->metadata || (p.view = view_new(e))) &&
	    text(in, n, &p, e) == 0 && safetensors_tiles(h, p.base, e) == 0 &&
	    (!p.view || view(&p, e) == 0))
		r = 0;
	if (!h->m->source)
		h->m->source = "safetensors";
	if (!h->m->convention)
		h->m->convention = "hf";
	view_free(p.view);
	names_free(p.names);
	names_free(p.keys);
	arena_release(&p.arena);
	return r;
}

static void
release(struct header *h)
{
	free(h->priv);
	h->priv = NULL;
}

/* No magic number: a length that can be, and how JSON begins.  What only
 * looks a little like it is refused with a better reason by parse(). */
static int
probe(const unsigned char *p, size_t n)
{
	if (n < 10)
		return 0;
	if (le64_get(p) >> 32 == 0)
		return p[8] == '{' ? 40 : memchr(" \t\r\n[\xef", p[8], 6) ? 32 : 0;
	return p[8] == '{' && p[9] == '"' && (p[7] < 0x20 || p[7] > 0x7e) ? 16 : 0;
}

static bool
has_key(const char *key)
{
	return !strcmp(key, HISTORY_KEY);
}

const struct format format_safetensors = {
	.name = "safetensors", .suffix = ".safetensors",
	.probe = probe, .parse = parse, .free = release,
	.holds = safetensors_holds, .layout = safetensors_layout,
	.has_key = has_key,
};
