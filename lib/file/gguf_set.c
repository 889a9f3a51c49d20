/* SPDX-License-Identifier: MIT */
/* gguf_set.c -- from the manifest's `set` to a key-value's bytes. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "gguf.h"

/* A set's JSON text on its way to bytes. */
struct value {
	struct buf	*out;
	enum gguf_type	 type;
	bool		 array, open;	/* wanted; inside one */
	uint64_t	 count;
};

void
gguf_put_u32(struct buf *b, uint32_t v)
{
	unsigned char p[4];

	le32_put(p, v);
	buf_put(b, p, 4);
}

void
gguf_put_u64(struct buf *b, uint64_t v)
{
	unsigned char p[8];

	le64_put(p, v);
	buf_put(b, p, 8);
}

void
gguf_put_string(struct buf *b, const char *s, size_t n)
{
	gguf_put_u64(b, n);
	buf_put(b, s, n);
}

/* An integer's text (a NUL behind it), from -2^(bits-1) or 0 on. */
static int
put_integer(struct value *v, const char *s, struct err *e)
{
	bool sign = v->type == GGUF_I8 || v->type == GGUF_I16 ||
	    v->type == GGUF_I32 || v->type == GGUF_I64;
	unsigned bits = 8u * gguf_size[v->type];
	unsigned char p[8];
	uint64_t u = 0;
	int64_t i;
	char *end;
	bool fits;

	errno = 0;
	if (sign) {
		i = strtoll(s, &end, 10);
		fits = i >= -(INT64_MAX >> (64 - bits)) - 1 &&
		    i <= INT64_MAX >> (64 - bits);
		u = (uint64_t)i;
	} else {
		if (*s == '-' && strcmp(s, "-0") != 0)
			return err_set(e, "%s is not a %s", s,
			    gguf_type_name[v->type]);
		u = strtoull(s, &end, 10);
		fits = u <= UINT64_MAX >> (64 - bits);
	}
	if (*end != '\0' || errno != 0 || !fits)
		return err_set(e, "%s is not a %s", s, gguf_type_name[v->type]);
	le64_put(p, u);
	buf_put(v->out, p, gguf_size[v->type]);
	return 0;
}

static int
put_float(struct value *v, const char *s, struct err *e)
{
	bool single = v->type == GGUF_F32;
	/* By way of a double, as Python packs a float. */
	double d = strtod(s, NULL);
	float f = (float)d;
	uint32_t u;
	uint64_t w;

	if (!isfinite(d) || (single && !isfinite(f)))
		return err_set(e, "%s is too large for %s", s,
		    gguf_type_name[v->type]);
	memcpy(&u, &f, sizeof u);
	memcpy(&w, &d, sizeof w);
	if (single)
		gguf_put_u32(v->out, u);
	else
		gguf_put_u64(v->out, w);
	return 0;
}

static int
put_number(struct value *v, const char *s, size_t n, struct err *e)
{
	char text[400];

	if (n >= sizeof text)
		return err_set(e, "a number of %zu digits", n);
	memcpy(text, s, n);
	text[n] = '\0';
	return v->type == GGUF_F32 || v->type == GGUF_F64 ?
	    put_float(v, text, e) : put_integer(v, text, e);
}

static int
put_value(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct value *v = ctx;
	unsigned char b;

	if (ev == JSON_ARRAY && v->array && !v->open) {
		v->open = true;
		return 0;
	}
	if (ev == JSON_ARRAY_END)
		return 0;
	if (v->open == v->array && v->type == GGUF_STRING &&
	    ev == JSON_STRING) {
		gguf_put_string(v->out, s, n);
	} else if (v->open == v->array && v->type == GGUF_BOOL &&
	    (ev == JSON_TRUE || ev == JSON_FALSE)) {
		b = ev == JSON_TRUE;
		buf_put(v->out, &b, 1);
	} else if (v->open == v->array && v->type != GGUF_STRING &&
	    v->type != GGUF_BOOL && ev == JSON_NUMBER) {
		if (put_number(v, s, n, e) != 0)
			return -1;
	} else
		return err_set(e, "the value is not %s %s",
		    v->array ? "an array of" : "a", gguf_type_name[v->type]);
	v->count++;
	return 0;
}

/* "u32", "[u32]": false if it is none. */
static bool
parse_type(struct value *v, const char *s)
{
	size_t n = strlen(s), i;

	v->array = n > 2 && s[0] == '[' && s[n - 1] == ']';
	if (v->array) {
		s++;
		n -= 2;
	}
	for (i = 0; i < GGUF_TYPES; i++)
		if (i != GGUF_ARRAY && strlen(gguf_type_name[i]) == n &&
		    memcmp(s, gguf_type_name[i], n) == 0) {
			v->type = (enum gguf_type)i;
			return true;
		}
	return false;
}

int
gguf_put_set(struct buf *out, const struct mset *set, size_t *val,
    struct err *e)
{
	struct value v = { .out = out };
	size_t at;

	if (!parse_type(&v, set->type))
		return err_set(e, "set %s: GGUF has no type %s", set->key,
		    set->type);
	gguf_put_string(out, set->key, strlen(set->key));
	if (v.array) {
		gguf_put_u32(out, GGUF_ARRAY);
		gguf_put_u32(out, v.type);
		gguf_put_u64(out, 0);
	} else
		gguf_put_u32(out, v.type);
	at = out->len;
	if (json_text("value", set->value, strlen(set->value), put_value, &v,
	    e) != 0)
		return err_prefix(e, "set %s", set->key);
	if (buf_check(out, e) != 0)
		return -1;
	if (v.array ? !v.open : v.count != 1)
		return err_set(e, "set %s: no value", set->key);
	if (v.array)
		le64_put(out->p + at - 8, v.count);
	if (strcmp(set->key, "general.alignment") == 0 &&
	    (v.type != GGUF_U32 || v.array ||
	    !gguf_align_ok(le32_get(out->p + at))))
		return err_set(e, "set %s: %s %s is not a u32 that is a power "
		    "of two from %d to %d", set->key, set->type, set->value,
		    GGUF_ALIGN_MIN, GGUF_ALIGN_MAX);
	*val = at;
	return 0;
}
