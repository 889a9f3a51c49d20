/* SPDX-License-Identifier: MIT */
/*
 * edit.c -- what a jq program makes of a manifest.
 *
 * jq's numbers are doubles, so a value that it did not change is never taken
 * from what it gives back: only what is not equal to what it got.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jv.h>
#include <jq.h>

#include <apr/file.h>

#include "edit.h"

static jq_state *jq;
static char said[256];

static void
on_error(void *ctx, jv msg)
{
	(void)ctx;
	msg = jq_format_error(msg);
	if (jv_get_kind(msg) == JV_KIND_STRING && !said[0])
		snprintf(said, sizeof said, "%.*s", (int)strcspn(jv_string_value(msg), "\n"),
		    jv_string_value(msg));
	jv_free(msg);
}

int
edit_compile(const char *program, struct err *e)
{
	if (!(jq = jq_init()))
		return err_set(e, "out of memory");
	jq_set_error_cb(jq, on_error, NULL);
	return jq_compile(jq, program) ? 0 :
	    err_set(e, "%s", said[0] ? said : "the program does not compile");
}

/* Larger than what a double holds exactly? */
static bool
is_big(const char *s, size_t n)
{
	char text[32];
	bool digits = n > 15 && n < sizeof text;

	for (size_t i = 0; i < n; i++)
		digits &= (s[i] >= '0' && s[i] <= '9') || (i == 0 && s[i] == '-');
	if (!digits)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	errno = 0;
	return llabs(strtoll(text, NULL, 10)) > (long long)1 << 53 || errno;
}

static int
copy(void *w, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	return json_write(w, ev == JSON_NUMBER && is_big(s, n) ? JSON_STRING : ev, s, n, e);
}

static jv
parse(const void *text, size_t n, struct err *e)
{
	jv v = jv_parse_sized(text, n < INT32_MAX ? (int)n : 0);

	if (!jv_is_valid(v)) {
		jv_free(v);
		err_set(e, "the manifest is more than jq takes");
		return jv_invalid();
	}
	return v;
}

/* Where the metadata are as text: config.json whole, or the view. */
static const struct buf *
config(const struct manifest *m, struct buf *file)
{
	for (size_t i = 0; m->source && !strcmp(m->source, "hf") && i < m->nfile; i++)
		if (!strcmp(m->file[i].name, "config.json"))
			return &file[i];
	return NULL;
}

static jv
input(const struct manifest *m, const struct buf *conf, struct err *e)
{
	struct buf b = { 0 };
	struct json_writer w = { .out = &b };
	const char *text = m->metadata ? m->metadata : "{}";
	jv v = jv_invalid();
	int r;

	buf_str(&b, "{\"metadata\":");
	r = conf ? json_text("config.json", conf->p, conf->len, copy, &w, e) :
	    json_text("metadata", text, strlen(text), copy, &w, e);
	buf_str(&b, ",\"tensors\":[");
	for (size_t i = 0; i < m->ntensor; i++) {
		size_t at;

		buf_printf(&b, "%s{\"id\":%zu,", i ? "," : "", i);
		at = b.len;
		tensor_write(&m->tensor[i], &b);
		if (!b.bad) {
			/* Its brace stands already. */
			memmove(b.p + at, b.p + at + 1, b.len - at - 1);
			b.len--;
		}
	}
	buf_str(&b, "]}");
	if (r == 0 && buf_check(&b, e) == 0)
		v = parse(b.p, b.len, e);
	buf_release(&b);
	return v;
}

/* Its one result. */
static jv
run(jv in, struct err *e)
{
	jv v, more, msg;

	said[0] = '\0';
	jq_start(jq, in, 0);
	v = jq_next(jq);
	if (!jv_is_valid(v)) {
		msg = jv_invalid_get_msg(v);
		err_set(e, "the program %s%s", jv_get_kind(msg) == JV_KIND_STRING ? "fails: " :
		    "gives nothing", jv_get_kind(msg) == JV_KIND_STRING ? jv_string_value(msg) : "");
		jv_free(msg);
		return jv_invalid();
	}
	more = jq_next(jq);
	if (jv_is_valid(more) || jv_invalid_has_msg(jv_copy(more))) {
		err_set(e, "the program gives more than one result");
		jv_free(more);
		jv_free(v);
		return jv_invalid();
	}
	jv_free(more);
	return v;
}

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

struct edit {
	struct manifest	*m;
	struct buf	*conf;		/* config.json, or NULL */
	struct header	*gguf;		/* or NULL */
	jv		 raw;		/* the metadata, numbers as numbers */
};

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

static int
metadata(struct edit *x, jv was, jv is, struct err *e)
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

/* One entry that the program gave back. */
static int
entry(struct manifest *m, jv was, jv is, double *last, const char **name, struct err *e)
{
	jv id = jv_get_kind(is) == JV_KIND_OBJECT ?
	    jv_object_get(jv_copy(is), jv_string("id")) : jv_invalid();
	jv call, old;
	double at = jv_get_kind(id) == JV_KIND_NUMBER ? jv_number_value(id) : -1;
	const char *s;
	size_t i;
	int r = -1;

	jv_free(id);
	if (!(at >= 0 && at < (double)m->ntensor && at == floor(at))) {
		jv_free(is);
		return err_set(e, "an entry of tensors has an id that no tensor has");
	}
	i = (size_t)at;
	call = jv_object_get(jv_copy(is), jv_string("name"));
	old = jv_array_get(jv_copy(was), (int)i);
	s = jv_get_kind(call) == JV_KIND_STRING ? jv_string_value(call) : NULL;
	is = jv_object_set(is, jv_string("name"), jv_string(m->tensor[i].name));
	if (at <= *last)
		err_set(e, "%s: the order of tensors cannot be changed here, and none can be"
		    " there twice", m->tensor[i].name);
	else if (!s || !*s || strlen(s) > TENSOR_NAME ||
	    strlen(s) != (size_t)jv_string_length_bytes(jv_copy(call)))
		err_set(e, "%s: its new name is no name", m->tensor[i].name);
	else if (!jv_equal(jv_copy(is), jv_copy(old)))
		err_set(e, "%s: only its name can be changed", m->tensor[i].name);
	else if (!(name[i] = arena_strn(&m->arena, s, strlen(s))))
		err_set(e, "out of memory");
	else
		r = 0;
	*last = at;
	jv_free(is);
	jv_free(call);
	jv_free(old);
	return r;
}

static int
tensors(struct manifest *m, jv was, jv is, const char **name, struct err *e)
{
	double last = -1;
	size_t n = 0;
	int r = jv_get_kind(is) == JV_KIND_ARRAY ? 0 :
	    err_set(e, "the program's tensors are no array");

	if (r == 0)
		jv_array_foreach(is, i, value) {
			if (r == 0)
				r = entry(m, was, jv_copy(value), &last, name, e);
			jv_free(value);
		}
	jv_free(was);
	jv_free(is);
	/* What is tied follows the name. */
	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const char *to = m->tensor[i].tied_to;

		for (size_t k = 0; to && k < m->ntensor; k++)
			if (name[k] && !strcmp(m->tensor[k].name, to)) {
				m->tensor[i].tied_to = name[k];
				break;
			}
	}
	for (size_t i = 0; r == 0 && i < m->ntensor; i++)
		if (name[i]) {
			struct tensor t = m->tensor[i];

			t.name = name[i];
			m->tensor[n++] = t;
		}
	if (r == 0)
		m->ntensor = n;
	return r;
}

/* A GGUF's types are in its header alone. */
static int
open_header(struct edit *x, struct buf *file, struct header *h, struct manifest **hm,
    struct err *e)
{
	if (!x->m->source || strcmp(x->m->source, "gguf"))
		return 0;
	for (size_t i = 0; i < x->m->nfile; i++) {
		struct buf copied = { 0 };

		if (strcmp(x->m->file[i].name, ".source/header") &&
		    strcmp(x->m->file[i].name, ".source/header.00001"))
			continue;
		buf_put(&copied, file[i].p, file[i].len);
		if (buf_check(&copied, e) < 0 || !(*hm = manifest_new(e)))
			return -1;
		(*hm)->metadata = "{}";		/* nobody looks */
		x->gguf = h;
		return header_parse_mem(h, &format_gguf, &copied, *hm, 0, e);
	}
	return 0;
}

int
edit_run(struct manifest *m, struct buf *file, const char **name, struct err *e)
{
	struct edit x = { .m = m, .raw = jv_invalid() };
	struct manifest *hm = NULL;
	struct header h = { 0 };
	jv in, out = jv_invalid();
	int r = -1;

	for (size_t i = 0; i < m->nfile; i++)
		if (config(m, file) == &file[i])
			x.conf = &file[i];
	in = input(m, x.conf, e);
	if (!jv_is_valid(in) || open_header(&x, file, &h, &hm, e) < 0)
		goto done;
	x.raw = x.conf ? parse(x.conf->p, x.conf->len, e) : parse(m->metadata ? m->metadata : "{}",
	    m->metadata ? strlen(m->metadata) : 2, e);
	if (!jv_is_valid(x.raw) || !jv_is_valid(out = run(jv_copy(in), e)))
		goto done;
	if (jv_get_kind(out) != JV_KIND_OBJECT) {
		err_set(e, "the program gives no object");
		goto done;
	}
	if (metadata(&x, jv_object_get(jv_copy(in), jv_string("metadata")),
	    jv_object_get(jv_copy(out), jv_string("metadata")), e) == 0)
		r = tensors(m, jv_object_get(jv_copy(in), jv_string("tensors")),
		    jv_object_get(jv_copy(out), jv_string("tensors")), name, e);
	for (size_t i = 0; r == 0 && x.conf && i < m->nfile; i++)
		if (x.conf == &file[i])
			m->file[i].bytes = x.conf->len;
done:
	jv_free(in);
	jv_free(out);
	jv_free(x.raw);
	if (x.gguf)
		header_release(&h);
	manifest_free(hm);
	jq_teardown(&jq);
	return r;
}
