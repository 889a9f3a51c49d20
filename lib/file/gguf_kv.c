/* SPDX-License-Identifier: MIT */
/* gguf_kv.c -- reading GGUF's key-values, and showing them as JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "gguf.h"

#define SHOWN	4096	/* no view shows longer arrays: their elements are
			 * counted, not formatted */

const unsigned char gguf_size[GGUF_TYPES] = {
	[GGUF_U8] = 1, [GGUF_I8] = 1, [GGUF_U16] = 2, [GGUF_I16] = 2,
	[GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
	[GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

const char *const gguf_type_name[GGUF_TYPES] = {
	"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string",
	"array", "u64", "i64", "f64",
};

bool
gguf_align_ok(uint32_t a)
{
	return a >= GGUF_ALIGN_MIN && a <= GGUF_ALIGN_MAX && (a & (a - 1)) == 0;
}

/* Is there room for n more bytes? */
static int
room(const struct gguf_reader *r, uint64_t n, struct err *e)
{
	if (n <= HEADER_MAX - in_pos(r->in))
		return 0;
	return err_set(e, "%" PRIu64 " bytes at byte %" PRIu64 " would end beyond the %"
	    PRIu64 " bytes that a header may have", n, in_pos(r->in),
	    HEADER_MAX);
}

const unsigned char *
gguf_take(struct gguf_reader *r, uint64_t n, struct err *e)
{
	struct buf *raw = &r->h->raw;
	const unsigned char *p;
	size_t from = in_pos(r->in), got, end;
	int some;

	if (room(r, n, e) != 0)
		return NULL;
	for (end = from + (size_t)n; in_pos(r->in) < end; ) {
		some = in_some(r->in, end - in_pos(r->in), &p, &got, e);
		if (some < 0 || buf_check(raw, e) != 0)
			return NULL;
		if (some == 0) {
			err_set(e, "the file ends at byte %" PRIu64 ", inside its "
			    "header", in_pos(r->in));
			return NULL;
		}
	}
	return raw->p + from;
}

int
gguf_take_u32(struct gguf_reader *r, uint32_t *v, struct err *e)
{
	const unsigned char *p = gguf_take(r, 4, e);

	if (p == NULL)
		return -1;
	*v = le32_get(p);
	return 0;
}

int
gguf_take_u64(struct gguf_reader *r, uint64_t *v, struct err *e)
{
	const unsigned char *p = gguf_take(r, 8, e);

	if (p == NULL)
		return -1;
	*v = le64_get(p);
	return 0;
}

static int
emit(struct gguf_reader *r, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	return r->view != NULL ? view_event(r->view, ev, s, n, e) : 0;
}

static int
emit_real(struct gguf_reader *r, double v, bool single, struct err *e)
{
	if (!isfinite(v))
		return emit(r, JSON_NULL, NULL, 0, e);
	r->text.len = 0;
	if (single)
		buf_real32(&r->text, (float)v);
	else
		buf_real(&r->text, v);
	if (buf_check(&r->text, e) != 0)
		return -1;
	return emit(r, JSON_NUMBER, (const char *)r->text.p, r->text.len, e);
}

/* A string, odd bytes replaced; longer than a view shows, by as many bytes,
 * since it will be counted. */
static int
emit_string(struct gguf_reader *r, const unsigned char *p, size_t n, struct err *e)
{
	const char *odd = n <= 4096 ? "\xef\xbf\xbd" : "?";
	size_t i = 0, k;

	if (r->view == NULL || utf8_valid(p, n))
		return emit(r, JSON_STRING, (const char *)p, n, e);
	r->text.len = 0;
	while (i < n) {
		for (k = 1; k <= 4 && k <= n - i; k++)
			if (utf8_valid(p + i, k))
				break;
		if (k <= 4 && k <= n - i) {
			buf_put(&r->text, p + i, k);
			i += k;
		} else {
			buf_str(&r->text, odd);
			i++;
		}
	}
	if (buf_check(&r->text, e) != 0)
		return -1;
	return emit(r, JSON_STRING, (const char *)r->text.p, r->text.len, e);
}

static int
emit_number(struct gguf_reader *r, enum gguf_type type, const unsigned char *p,
    struct err *e)
{
	char s[24];
	uint32_t u;
	uint64_t v;
	float f;
	double d;
	int n;

	switch (type) {
	case GGUF_BOOL:
		return emit(r, p[0] ? JSON_TRUE : JSON_FALSE, NULL, 0, e);
	case GGUF_F32:
		u = le32_get(p);
		memcpy(&f, &u, sizeof f);
		return emit_real(r, (double)f, true, e);
	case GGUF_F64:
		v = le64_get(p);
		memcpy(&d, &v, sizeof d);
		return emit_real(r, d, false, e);
	case GGUF_I8:
		n = snprintf(s, sizeof s, "%d", (int)(int8_t)p[0]);
		break;
	case GGUF_I16:
		n = snprintf(s, sizeof s, "%d", (int)(int16_t)le16_get(p));
		break;
	case GGUF_I32:
		n = snprintf(s, sizeof s, "%" PRId32, (int32_t)le32_get(p));
		break;
	case GGUF_I64:
		n = snprintf(s, sizeof s, "%" PRId64, (int64_t)le64_get(p));
		break;
	default:
		v = gguf_size[type] == 1 ? p[0] :
		    gguf_size[type] == 2 ? le16_get(p) :
		    gguf_size[type] == 4 ? le32_get(p) : le64_get(p);
		n = snprintf(s, sizeof s, "%" PRIu64, v);
	}
	return emit(r, JSON_NUMBER, s, (size_t)n, e);
}

/* n values of a type; shown or merely counted. */
static int
read_values(struct gguf_reader *r, enum gguf_type type, uint64_t n, struct err *e)
{
	size_t size = gguf_size[type];
	const unsigned char *p = NULL;
	uint64_t all, i, len = 0;
	int ret = 0;

	/* a string has its length at least */
	if (u64_mul(&all, n, type == GGUF_STRING ? 8 : size))
		all = UINT64_MAX;
	if (type == GGUF_STRING ? room(r, all, e) != 0 :
	    (p = gguf_take(r, all, e)) == NULL)
		return -1;
	for (i = 0; i < n && ret == 0; i++) {
		if (type == GGUF_STRING) {
			if (gguf_take_u64(r, &len, e) != 0 ||
			    (p = gguf_take(r, len, e)) == NULL)
				return -1;
			ret = n > SHOWN ? emit(r, JSON_STRING, "", 0, e) :
			    emit_string(r, p, (size_t)len, e);
			continue;
		}
		if (type == GGUF_BOOL && p[i] > 1)
			return err_set(e, "%d is not a boolean (0 or 1)", p[i]);
		ret = n > SHOWN ? emit(r, JSON_NUMBER, "0", 1, e) :
		    emit_number(r, type, p + i * size, e);
	}
	return ret;
}

static int
read_array(struct gguf_reader *r, struct err *e)
{
	uint32_t type;
	uint64_t n;

	if (gguf_take_u32(r, &type, e) != 0 || gguf_take_u64(r, &n, e) != 0)
		return -1;
	if (type == GGUF_ARRAY)
		return err_set(e, "arrays of arrays are not supported");
	if (type >= GGUF_TYPES)
		return err_set(e, "array elements of unknown type %" PRIu32,
		    type);
	if (emit(r, JSON_ARRAY, NULL, 0, e) != 0)
		return -1;
	if (read_values(r, (enum gguf_type)type, n, e) != 0)
		return err_prefix(e, "array of %" PRIu64 " %s", n,
		    gguf_type_name[type]);
	return emit(r, JSON_ARRAY_END, NULL, 0, e);
}

/* The keys that say how to read the rest; val is good until the next take. */
static int
heed(struct gguf_reader *r, const char *key, uint32_t type,
    const unsigned char *val, struct err *e)
{
	if (strcmp(key, "general.alignment") == 0) {
		if (type != GGUF_U32)
			return err_set(e, "must be a u32, not %s",
			    gguf_type_name[type]);
		r->g->align = le32_get(val);
		if (!gguf_align_ok(r->g->align))
			return err_set(e, "%" PRIu32 " is not a power of two "
			    "from %d to %d", r->g->align, GGUF_ALIGN_MIN,
			    GGUF_ALIGN_MAX);
	} else if (strcmp(key, "split.count") == 0) {
		if (type != GGUF_U16)
			return err_set(e, "must be a u16, not %s",
			    gguf_type_name[type]);
		if (le16_get(val) > 1)
			r->h->split = le16_get(val);
	}
	return 0;
}

const char *
gguf_take_name(struct gguf_reader *r, uint64_t max, uint64_t *len, struct err *e)
{
	const unsigned char *p;

	if (gguf_take_u64(r, len, e) != 0)
		return NULL;
	if (*len == 0)
		err_set(e, "an empty name");
	else if (room(r, *len, e) != 0)
		err_prefix(e, "its name");
	else if (*len > max)
		err_set(e, "a name of %" PRIu64 " bytes is too long: at most %"
		    PRIu64 " are allowed", *len, max);
	else if ((p = gguf_take(r, *len, e)) == NULL)
		return NULL;
	else if (memchr(p, 0, (size_t)*len) != NULL)
		err_set(e, "the name has a NUL in it");
	else if (!utf8_valid(p, (size_t)*len))
		err_set(e, "the name is not UTF-8");
	else
		return (const char *)p;
	return NULL;
}

static struct gguf_kv *
add_kv(struct gguf *g, struct err *e)
{
	if (array_room(&g->kv, g->nkv, sizeof *g->kv, e) < 0)
		return NULL;
	return &g->kv[g->nkv++];
}

static int
read_kv(struct gguf_reader *r, struct err *e)
{
	struct buf *raw = &r->h->raw;
	size_t from = in_pos(r->in), val;
	struct gguf_kv *kv;
	uint64_t len;
	uint32_t type;
	const char *s;

	if ((s = gguf_take_name(r, GGUF_KEY, &len, e)) == NULL)
		return err_prefix(e, "key %zu of %" PRIu64, r->g->nkv + 1,
		    r->nkv);
	if ((kv = add_kv(r->g, e)) == NULL)
		return -1;
	kv->key = arena_strn(&r->g->arena, s, (size_t)len);
	if (kv->key == NULL)
		return err_set(e, "out of memory");
	if (emit(r, JSON_KEY, kv->key, (size_t)len, e) != 0 ||
	    gguf_take_u32(r, &type, e) != 0)
		return err_prefix(e, "key %s", kv->key);
	val = in_pos(r->in);
	if (type >= GGUF_TYPES)
		return err_set(e, "key %s: unknown type %" PRIu32, kv->key,
		    type);
	if ((type == GGUF_ARRAY ? read_array(r, e) :
	    read_values(r, (enum gguf_type)type, 1, e)) != 0 ||
	    heed(r, kv->key, type, raw->p + val, e) != 0)
		return err_prefix(e, "key %s", kv->key);
	kv->from = from;
	kv->len = in_pos(r->in) - from;
	return 0;
}

int
gguf_read_kvs(struct gguf_reader *r, struct err *e)
{
	struct manifest *m = r->h->m;
	struct names *names;
	const char *text;
	size_t i, old;
	int new = 1;

	if (m->metadata == NULL && ((r->view = view_new(e)) == NULL ||
	    emit(r, JSON_OBJECT, NULL, 0, e) != 0))
		return -1;
	while (r->g->nkv < r->nkv)
		if (read_kv(r, e) != 0)
			return -1;
	if ((names = names_new(r->g->nkv, e)) == NULL)
		return -1;
	for (i = 0; i < r->g->nkv && new > 0; i++)
		new = names_add(names, r->g->kv[i].key, i, &old, e);
	names_free(names);
	if (new == 0)
		err_set(e, "key %s: is there twice", r->g->kv[i - 1].key);
	if (new <= 0)
		return -1;
	if (r->view == NULL)
		return 0;
	if (emit(r, JSON_OBJECT_END, NULL, 0, e) != 0 ||
	    (text = view_text(r->view, e)) == NULL)
		return -1;
	m->metadata = arena_strn(&m->arena, text, strlen(text));
	return m->metadata != NULL ? 0 : err_set(e, "out of memory");
}
