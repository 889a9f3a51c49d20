/* SPDX-License-Identifier: MIT */
/* edit_meta.c -- keys that a program changed, to where a sink finds them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "edit.h"

/* Something of which only the length was shown? */
static bool
is_cut(jv v)
{
	bool cut = false;

	if (jv_get_kind(v) == JV_KIND_OBJECT) {
		cut = jv_object_length(jv_copy(v)) == 1 &&
		    jv_object_has(jv_copy(v), jv_string("count"));
		jv_object_foreach(v, key, value) {
			jv_free(key);
			cut |= is_cut(value);
		}
	} else if (jv_get_kind(v) == JV_KIND_ARRAY) {
		jv_array_foreach(v, i, value)
			cut |= is_cut(value);
	}
	jv_free(v);
	return cut;
}

/* A new GGUF key's type. */
static const char *
guess(jv v)
{
	double d;

	switch (jv_get_kind(v)) {
	case JV_KIND_TRUE:
	case JV_KIND_FALSE:
		return "bool";
	case JV_KIND_STRING:
		return "string";
	case JV_KIND_NUMBER:
		d = jv_number_value(v);
		return d != floor(d) ? "f32" : d >= 0 && d <= 4294967295.0 ? "u32" :
		    d >= -2147483648.0 && d < 0 ? "i32" : d < 0 ? "i64" : "u64";
	default:
		return NULL;
	}
}

static bool
all_digits(const char *s)
{
	s += *s == '-';
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* A value as text; one that jq has as digits is a number where it was one. */
static int
dump(jv v, bool number, struct buf *b, struct err *e)
{
	if (number && jv_get_kind(v) == JV_KIND_STRING && all_digits(jv_string_value(v))) {
		buf_str(b, jv_string_value(v));
		jv_free(v);
	} else {
		v = jv_dump_string(v, 0);
		buf_str(b, jv_string_value(v));
		jv_free(v);
	}
	buf_put(b, "", 1);
	return buf_check(b, e);
}

static int
gguf_type(const struct edit *x, const char *key, jv v, char type[16], struct err *e)
{
	const char *known;

	if (jv_get_kind(v) == JV_KIND_OBJECT || jv_get_kind(v) == JV_KIND_NULL)
		return err_set(e, "metadata.%s: GGUF holds no such value", key);
	if (header_key_type(x->gguf, key, type))
		return 0;
	if (jv_get_kind(v) == JV_KIND_ARRAY) {
		jv first = jv_array_get(jv_copy(v), 0);

		known = jv_is_valid(first) ? guess(first) : "string";
		jv_free(first);
		if (known)
			snprintf(type, 16, "[%s]", known);
	} else if ((known = guess(v))) {
		snprintf(type, 16, "%s", known);
	}
	return known ? 0 : err_set(e, "metadata.%s: GGUF holds no such value", key);
}

/* The key's new value (invalid: none) to where a sink finds it. */
static int
change(struct edit *x, const char *key, jv v, struct err *e)
{
	bool gone = !jv_is_valid(v), number = false;
	struct buf text = { 0 }, view = { 0 };
	char type[16] = JSON_SET;
	const char *meta = x->m->metadata ? x->m->metadata : "{}";
	jv old = jv_object_get(jv_copy(x->raw), jv_string(key));
	int r = 0;

	number = jv_get_kind(old) == JV_KIND_NUMBER;
	jv_free(old);
	if (!gone && is_cut(jv_copy(v)))
		r = err_set(e, "metadata.%s: is too long to be changed in part", key);
	if (r == 0 && x->gguf && !gone && (r = gguf_type(x, key, v, type, e)) == 0)
		number |= *type == 'u' || *type == 'i';
	if (r == 0 && !gone && x->m->source && !strcmp(x->m->source, "safetensors") &&
	    jv_get_kind(v) != JV_KIND_STRING)
		r = err_set(e, "metadata.%s: __metadata__ holds nothing but strings", key);
	if (r < 0 || (!gone && (r = dump(jv_copy(v), number, &text, e)) < 0))
		goto out;
	if (gone)
		json_without(&view, meta, strlen(meta), key);
	else
		json_put(&view, meta, strlen(meta), key, (char *)text.p);
	buf_put(&view, "", 1);
	if ((r = buf_check(&view, e)) < 0)
		goto out;
	if (!(x->m->metadata = arena_strn(&x->m->arena, view.p, view.len - 1))) {
		r = err_set(e, "out of memory");
	} else if (x->conf) {
		struct buf new = { 0 };

		if (gone)
			json_without(&new, x->conf->p, x->conf->len, key);
		else
			json_put(&new, x->conf->p, x->conf->len, key, (char *)text.p);
		buf_release(x->conf);
		*x->conf = new;
		r = buf_check(&new, e);
	} else {
		for (size_t i = 0; gone && i < x->m->nset; i++)
			if (!strcmp(x->m->set[i].key, key))
				x->m->set[i--] = x->m->set[--x->m->nset];
		r = manifest_set(x->m, key, gone ? NULL : type, (char *)text.p, e);
	}
out:
	buf_release(&text);
	buf_release(&view);
	jv_free(v);
	return r;
}

int
edit_metadata(struct edit *x, jv was, jv is, struct err *e)
{
	int r = 0;

	if (jv_get_kind(was) != JV_KIND_OBJECT || jv_get_kind(is) != JV_KIND_OBJECT)
		r = err_set(e, "the program's metadata are no object");
	if (r == 0)
		jv_object_foreach(was, key, value) {
			if (r == 0 && !jv_object_has(jv_copy(is), jv_copy(key)))
				r = change(x, jv_string_value(key), jv_invalid(), e);
			jv_free(key);
			jv_free(value);
		}
	if (r == 0)
		jv_object_foreach(is, key, value) {
			jv old = jv_object_get(jv_copy(was), jv_copy(key));

			if (r == 0 && (!jv_is_valid(old) || !jv_equal(jv_copy(old), jv_copy(value))))
				r = change(x, jv_string_value(key), jv_copy(value), e);
			jv_free(old);
			jv_free(key);
			jv_free(value);
		}
	jv_free(was);
	jv_free(is);
	return r;
}
