/* SPDX-License-Identifier: MIT */
/*
 * edit.c -- what a jq program makes of a manifest.
 *
 * jq's numbers are doubles, so a value that it did not change is never taken
 * from what it gives back: only what is not equal to what it got.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr/edit.h>

#include "edit.h"

struct program *
edit_new(const char *program, struct err *e)
{
	return program_new(program, e);
}

void
edit_free(struct program *p)
{
	program_free(p);
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
	jv v = program_parse(text, n, e);

	if (!jv_is_valid(v))
		err_prefix(e, "the manifest");
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
run(struct program *p, jv in, struct err *e)
{
	jv v, more;
	int r;

	program_start(p, in);
	if ((r = program_next(p, &v, e)) <= 0) {
		if (r < 0)
			err_prefix(e, "the program fails");
		else
			err_set(e, "the program gives nothing");
		return v;
	}
	if (program_next(p, &more, e) == 0)
		return v;
	err_set(e, "the program gives more than one result");
	jv_free(more);
	jv_free(v);
	return jv_invalid();
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
edit_run(struct program *p, struct manifest *m, struct buf *file, const char **name,
    struct err *e)
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
	if (!jv_is_valid(x.raw) || !jv_is_valid(out = run(p, jv_copy(in), e)))
		goto done;
	if (jv_get_kind(out) != JV_KIND_OBJECT) {
		err_set(e, "the program gives no object");
		goto done;
	}
	if (edit_metadata(&x, jv_object_get(jv_copy(in), jv_string("metadata")),
	    jv_object_get(jv_copy(out), jv_string("metadata")), e) == 0)
		r = edit_names(m, jv_object_get(jv_copy(in), jv_string("tensors")),
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
	return r;
}
