/* SPDX-License-Identifier: MIT */
/*
 * gguf_json.c -- all keys of a GGUF as one JSON object and back: how an .apr
 * keeps what it has no words for.  {"KEY": {"type": "u32", "value": 2}}, or,
 * where JSON cannot hold a value, {"type": "f32", "hex": its bytes}.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <apr/size.h>

#include "gguf.h"

/* One value at p, which moves on; false: JSON cannot hold it. */
static bool
put_value(struct buf *b, enum gguf_type type, const unsigned char **p)
{
	const unsigned char *at = *p;
	uint64_t u = 0;
	uint32_t w;
	double d;
	float f;

	*p += gguf_size[type];
	switch (type) {
	case GGUF_STRING:
		u = le64_get(at);
		*p = at + 8 + u;
		if (!utf8_valid(at + 8, (size_t)u))
			return false;
		buf_json(b, at + 8, (size_t)u);
		return true;
	case GGUF_BOOL:
		buf_str(b, *at ? "true" : "false");
		return true;
	case GGUF_F32:
		w = le32_get(at);
		memcpy(&f, &w, sizeof f);
		buf_real32(b, f);
		return isfinite(f);
	case GGUF_F64:
		u = le64_get(at);
		memcpy(&d, &u, sizeof d);
		buf_real(b, d);
		return isfinite(d);
	case GGUF_I8:
		buf_printf(b, "%d", (int)(int8_t)*at);
		return true;
	case GGUF_I16:
		buf_printf(b, "%d", (int)(int16_t)le16_get(at));
		return true;
	case GGUF_I32:
		buf_printf(b, "%" PRId32, (int32_t)le32_get(at));
		return true;
	case GGUF_I64:
		buf_printf(b, "%" PRId64, (int64_t)le64_get(at));
		return true;
	default:
		u = gguf_size[type] == 1 ? *at : gguf_size[type] == 2 ? le16_get(at) :
		    gguf_size[type] == 4 ? le32_get(at) : le64_get(at);
		buf_printf(b, "%" PRIu64, u);
		return true;
	}
}

static void
put_kv(struct buf *b, const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n, *at;
	enum gguf_type type = (enum gguf_type)le32_get(p), elements = type;
	uint64_t count = 1;
	bool array = type == GGUF_ARRAY, held = true;
	size_t begin;

	p += 4;
	at = p;
	if (array) {
		elements = (enum gguf_type)le32_get(p);
		count = le64_get(p + 4);
		at = p + 12;
	}
	buf_printf(b, "{\"type\":\"%s%s%s\",\"value\":", array ? "[" : "",
	    gguf_type_name[elements], array ? "]" : "");
	begin = b->len;
	buf_str(b, array ? "[" : "");
	for (uint64_t i = 0; held && i < count; i++) {
		buf_str(b, i ? "," : "");
		held = put_value(b, elements, &at);
	}
	buf_str(b, array ? "]" : "");
	if (!held && !b->bad) {
		b->len = begin - strlen("\"value\":");
		buf_str(b, "\"hex\":\"");
		for (; p < end; p++)
			buf_printf(b, "%02x", *p);
		buf_str(b, "\"");
	}
	buf_str(b, "}");
}

const unsigned char *
gguf_kv_value(const struct header *h, size_t i, size_t *n)
{
	const struct gguf *g = h->priv;
	size_t skip = 8 + strlen(g->kv[i].key);

	*n = g->kv[i].len - skip;
	return h->raw.p + g->kv[i].from + skip;
}

int
gguf_put_json(const struct header *h, bool (*elsewhere)(void *, const char *key), void *ctx,
    struct buf *b, struct err *e)
{
	const struct gguf *g = h->priv;
	const unsigned char *p;
	bool any = false;
	size_t n;

	buf_str(b, "{");
	for (size_t i = 0; i < g->nkv; i++) {
		const char *key = g->kv[i].key;

		if (!strncmp(key, "split.", 6))
			continue;
		buf_str(b, any ? "," : "");
		any = true;
		buf_json(b, key, strlen(key));
		buf_str(b, ":");
		p = gguf_kv_value(h, i, &n);
		if (elsewhere && elsewhere(ctx, key))
			buf_str(b, "{\"in\":\"tokenizer\"}");
		else
			put_kv(b, p, n);
		if (b->len > HEADER_MAX)
			return err_set(e, "metadata of more than %" PRIu64 " bytes", HEADER_MAX);
	}
	buf_str(b, "}");
	return buf_check(b, e);
}

/* And back: the events of an .apr's whole metadata. */
struct back {
	struct buf	*out, value;
	uint64_t	 nkv;
	int		 depth;
	bool		 ours, next;	/* inside the object; it comes now */
	struct buf	 key, type, hex;
	enum { NO, TYPE, VALUE, HEX, IN } field;
	bool		 has_value, has_hex, in;
	struct json_writer w;
	int		 inner;		/* levels of the value */
	int		(*fill)(void *, const char *key, struct buf *, uint64_t *, struct err *);
	void		*ctx;
};

static int
digit(unsigned char c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static int
put_hex(struct back *k, struct err *e)
{
	const char *type = (const char *)k->type.p;
	size_t n = strlen(type);
	bool array = type[0] == '[';
	unsigned t;

	for (t = 0; t < GGUF_TYPES; t++)
		if (!strncmp(type + array, gguf_type_name[t], n - 2 * array) &&
		    strlen(gguf_type_name[t]) == n - 2 * array)
			break;
	if (t == GGUF_TYPES || k->hex.len % 2 ||
	    strspn((const char *)k->hex.p, "0123456789abcdef") != k->hex.len)
		return err_set(e, "apr_tools.gguf: %s: no bytes of a %s", (char *)k->key.p, type);
	gguf_put_string(k->out, (const char *)k->key.p, k->key.len);
	gguf_put_u32(k->out, array ? GGUF_ARRAY : t);
	for (size_t i = 0; i < k->hex.len; i += 2) {
		unsigned char c = (unsigned char)(digit(k->hex.p[i]) << 4 | digit(k->hex.p[i + 1]));

		buf_put(k->out, &c, 1);
	}
	k->nkv++;
	return buf_check(k->out, e);
}

static int
entry_end(struct back *k, struct err *e)
{
	struct mset set;
	size_t at;

	buf_put(&k->key, "", 1);
	buf_put(&k->type, "", 1);
	buf_put(&k->value, "", 1);
	buf_put(&k->hex, "", 1);
	if (k->key.bad | k->type.bad | k->value.bad | k->hex.bad)
		return err_set(e, "out of memory");
	k->key.len--;
	k->hex.len--;
	if (k->in)
		return k->fill ? k->fill(k->ctx, (const char *)k->key.p, k->out, &k->nkv, e) : 0;
	if (k->has_hex)
		return put_hex(k, e);
	if (!k->has_value || k->type.len == 1)
		return err_set(e, "apr_tools.gguf: %s has no type or no value", (char *)k->key.p);
	set = (struct mset){ (char *)k->key.p, (char *)k->type.p, (char *)k->value.p };
	k->nkv++;
	return gguf_put_set(k->out, &set, &at, e) < 0 ? err_prefix(e, "apr_tools.gguf") : 0;
}

static int
back_event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct back *k = ctx;
	int change = (ev == JSON_OBJECT || ev == JSON_ARRAY) -
	    (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END);

	if (k->ours && k->depth == 3 && k->field == VALUE && (ev != JSON_KEY || k->inner > 0)) {
		/* The value, of any kind, as text. */
		k->inner += change;
		if (json_write(&k->w, ev, s, n, e) < 0)
			return -1;
		if (k->inner == 0) {
			k->has_value = true;
			k->field = NO;
		}
		return buf_check(&k->value, e);
	}
	if (k->next) {
		k->ours = ev == JSON_OBJECT;
		k->next = false;
	}
	k->depth += change;
	if (k->depth == 1 && change < 0)
		k->ours = false;
	if (k->depth == 1 && ev == JSON_KEY)
		k->next = n == 14 && !memcmp(s, "apr_tools.gguf", 14);
	if (!k->ours)
		return 0;
	if (k->depth == 2 && ev == JSON_KEY) {
		k->key.len = k->type.len = k->value.len = k->hex.len = 0;
		k->has_value = k->has_hex = k->in = false;
		if (n == 0 || memchr(s, 0, n))
			return err_set(e, "apr_tools.gguf: a key that is none");
		buf_put(&k->key, s, n);
		k->w = (struct json_writer){ .out = &k->value };
	} else if (k->depth == 2 && change < 0) {
		return entry_end(k, e);
	} else if (k->depth == 3 && ev == JSON_KEY) {
		k->field = n == 4 && !memcmp(s, "type", 4) ? TYPE :
		    n == 5 && !memcmp(s, "value", 5) ? VALUE :
		    n == 3 && !memcmp(s, "hex", 3) ? HEX :
		    n == 2 && !memcmp(s, "in", 2) ? IN : NO;
	} else if (k->depth == 3 && ev == JSON_STRING && !memchr(s, 0, n)) {
		if (k->field == TYPE)
			buf_put(&k->type, s, n);
		k->has_hex |= k->field == HEX;
		if (k->field == HEX)
			buf_put(&k->hex, s, n);
		k->in |= k->field == IN;
	}
	return 0;
}

int
gguf_from_json(const void *text, size_t n, int (*fill)(void *, const char *, struct buf *,
    uint64_t *, struct err *), void *ctx, struct buf *out, uint64_t *nkv, struct err *e)
{
	struct back k = { .out = out, .fill = fill, .ctx = ctx };
	int r = json_text("metadata", text, n, back_event, &k, e);

	*nkv += k.nkv;
	buf_release(&k.key);
	buf_release(&k.type);
	buf_release(&k.value);
	buf_release(&k.hex);
	return r;
}
