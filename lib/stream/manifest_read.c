/* SPDX-License-Identifier: MIT */
/*
 * manifest_read.c -- a manifest from JSON events, in pieces.  Keys that are
 * not known are kept as text and written again.
 */
#include <stdlib.h>
#include <string.h>

#include "manifest_reader.h"

static const char *const top_keys[] = {
	"apr_stream", "source", "convention", "name", "plan", "shards", "files",
	"history", "metadata", "set", "unset", "tensors",
};
enum { T_STREAM, T_SOURCE, T_CONVENTION, T_NAME, T_PLAN, T_SHARDS, T_FILES, T_HISTORY,
	T_METADATA, T_SET, T_UNSET, T_TENSORS, T_OTHER };

int
manifest_wrong(const struct manifest_reader *r, const char *what, struct err *e)
{
	if (r->t)
		return err_set(e, "manifest.json: tensor %s: %s", r->t->name, what);
	return err_set(e, "manifest.json: %s", what);
}

int
manifest_keep(char **to, const char *s, size_t n, struct err *e)
{
	free(*to);
	if (!(*to = malloc(n + 1)))
		return err_set(e, "out of memory");
	memcpy(*to, s, n);
	(*to)[n] = '\0';
	return 0;
}

int
manifest_capture(struct manifest_reader *r)
{
	r->capturing = true;
	r->text.len = 0;
	r->w = (struct json_writer){ .out = &r->text };
	r->depth = 0;
	return 0;
}

/* A captured value is complete: where does it belong? */
static int
captured(struct manifest_reader *r, struct err *e)
{
	struct manifest *m = r->m;
	const char *s;

	r->capturing = false;
	buf_put(&r->text, "", 1);
	if (buf_check(&r->text, e) < 0)
		return -1;
	s = (const char *)r->text.p;
	if (r->at == HISTORY)
		return manifest_add_history(m, s, e);
	if (r->at == SET_ENTRY) {
		if (r->seen & 2)
			return manifest_wrong(r, "set: two values for one key", e);
		r->seen |= 2;
		return manifest_keep(&r->other, s, r->text.len - 1, e);
	}
	if (r->at == TENSOR || r->at == TOP) {
		struct buf *b = r->at == TENSOR ? &r->entry_extra : &r->extra;

		if (r->at == TOP && r->key == T_METADATA) {
			if (*s != '{')
				return manifest_wrong(r, "metadata is no object", e);
			m->metadata = arena_strn(&m->arena, s, r->text.len - 1);
			return m->metadata ? 0 : err_set(e, "out of memory");
		}
		buf_str(b, ",");
		buf_json(b, r->other, strlen(r->other));
		buf_str(b, ":");
		buf_str(b, s);
		return buf_check(b, e);
	}
	return 0;	/* unknown keys of files: nothing to keep them for */
}

static int
capture(struct manifest_reader *r, enum json_ev ev, const char *s, size_t n,
    struct err *e)
{
	if (ev == JSON_OBJECT || ev == JSON_ARRAY)
		r->depth++;
	if (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END)
		r->depth--;
	if (json_write(&r->w, ev, s, n, e) < 0)
		return -1;
	return r->depth == 0 && ev != JSON_KEY ? captured(r, e) : 0;
}

static int
top_key(struct manifest_reader *r, const char *s, size_t n, struct err *e)
{
	r->key = T_OTHER;
	for (int i = 0; i < T_OTHER; i++)
		if (strlen(top_keys[i]) == n && !memcmp(top_keys[i], s, n))
			r->key = i;
	if (r->key != T_OTHER) {
		if (r->top_seen & 1u << r->key)
			return err_set(e, "manifest.json: key %s twice", top_keys[r->key]);
		r->top_seen |= 1u << r->key;
	} else if (manifest_keep(&r->other, s, n, e) < 0) {
		return -1;
	}
	return r->key == T_METADATA || r->key == T_OTHER ? manifest_capture(r) : 0;
}

static int
top_value(struct manifest_reader *r, enum json_ev ev, const char *s, size_t n,
    struct err *e)
{
	static const enum where arrays[] = {
		[T_SHARDS] = SHARDS, [T_FILES] = FILES, [T_HISTORY] = HISTORY,
		[T_UNSET] = UNSET, [T_TENSORS] = TENSORS,
	};
	const char **str = r->key == T_SOURCE ? &r->m->source :
	    r->key == T_NAME ? &r->m->name : &r->m->convention;
	uint64_t v;

	switch (r->key) {
	case T_STREAM:
		if (ev != JSON_NUMBER || !json_u64(s, n, &v) || v != 1)
			return manifest_wrong(r, "apr_stream is not 1: another version", e);
		return 0;
	case T_SOURCE:
	case T_CONVENTION:
	case T_NAME:
		if (ev != JSON_STRING || memchr(s, 0, n))
			return manifest_wrong(r, "source, convention or name is no string", e);
		*str = arena_strn(&r->m->arena, s, n);
		return *str ? 0 : err_set(e, "out of memory");
	case T_PLAN:
		if (ev != JSON_TRUE && ev != JSON_FALSE)
			return manifest_wrong(r, "plan is neither true nor false", e);
		r->m->plan = ev == JSON_TRUE;
		return 0;
	case T_SET:
		if (ev != JSON_OBJECT)
			return manifest_wrong(r, "set is no object", e);
		r->at = SET;
		return 0;
	default:
		if (ev != JSON_ARRAY)
			return err_set(e, "manifest.json: %s is no array", top_keys[r->key]);
		r->at = arrays[r->key];
		return r->at == HISTORY ? manifest_capture(r) : 0;
	}
}

/* {"name": ..., "bytes": ...} of a file; {"type": ..., "value": ...} of a set. */
static int
small_entry(struct manifest_reader *r, enum json_ev ev, const char *s, size_t n,
    struct err *e)
{
	bool file = r->at == FILE_ENTRY;
	int rc;

	if (ev == JSON_OBJECT_END) {
		if (r->seen != 3)
			return manifest_wrong(r, file ? "a file lacks name or bytes" :
			    "set: a key lacks type or value", e);
		r->at = file ? FILES : SET;
		rc = file ? manifest_add_file(r->m, r->name, r->bytes, e) :
		    manifest_set(r->m, r->name, r->set_type, r->other, e);
		return rc;
	}
	if (ev == JSON_KEY) {
		r->key = n == 4 && !memcmp(s, file ? "name" : "type", 4) ? 1 :
		    n == 5 && !memcmp(s, file ? "bytes" : "value", 5) ? 2 : 0;
		if (r->key == 0 || (!file && r->key == 2))
			return r->key || file ? manifest_capture(r) :
			    manifest_wrong(r, "set: a key besides type and value", e);
		return r->seen & (unsigned)r->key ? manifest_wrong(r, "a key stands there twice", e) : 0;
	}
	r->seen |= (unsigned)r->key;
	if (r->key == 2)
		return ev == JSON_NUMBER && json_u64(s, n, &r->bytes) ? 0 :
		    manifest_wrong(r, "a file's bytes are no whole number below 2^64", e);
	if (ev != JSON_STRING || memchr(s, 0, n) || n > TENSOR_NAME)
		return manifest_wrong(r, "a name or type is no string", e);
	return manifest_keep(file ? &r->name : &r->set_type, s, n, e);
}

static int
list_item(struct manifest_reader *r, enum json_ev ev, const char *s, size_t n,
    struct err *e)
{
	char *p = NULL;
	int rc;

	if (ev == JSON_ARRAY_END) {
		r->at = TOP;
		return 0;
	}
	if (ev != JSON_STRING || memchr(s, 0, n))
		return manifest_wrong(r, "shards and unset are lists of strings", e);
	if (manifest_keep(&p, s, n, e) < 0)
		return -1;
	rc = r->at == SHARDS ? manifest_add_shard(r->m, p, e) :
	    manifest_set(r->m, p, NULL, NULL, e);
	free(p);
	return rc;
}

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct manifest_reader *r = ctx;

	/* The value of history's next item, or the list's end. */
	if (r->at == HISTORY && !(r->capturing && r->depth > 0)) {
		if (ev == JSON_ARRAY_END) {
			r->capturing = false;
			r->at = TOP;
			return 0;
		}
		manifest_capture(r);
	}
	if (r->capturing)
		return capture(r, ev, s, n, e);
	switch (r->at) {
	case START:
		if (ev != JSON_OBJECT)
			return manifest_wrong(r, "is no object", e);
		r->at = TOP;
		return 0;
	case TOP:
		if (ev == JSON_OBJECT_END) {
			r->at = DONE;
			return 0;
		}
		return ev == JSON_KEY ? top_key(r, s, n, e) : top_value(r, ev, s, n, e);
	case SHARDS:
	case UNSET:
		return list_item(r, ev, s, n, e);
	case FILES:
	case TENSORS:
		if (ev == JSON_ARRAY_END) {
			r->at = TOP;
			return 0;
		}
		if (ev != JSON_OBJECT)
			return manifest_wrong(r, "files and tensors are lists of objects", e);
		if (r->at == TENSORS)
			return entry_begin(r, e);
		r->at = FILE_ENTRY;
		r->seen = 0;
		return 0;
	case SET:
		if (ev == JSON_OBJECT_END) {
			r->at = TOP;
			return 0;
		}
		if (ev == JSON_KEY) {
			if (n == 0 || memchr(s, 0, n))
				return manifest_wrong(r, "set: a key is empty or has a NUL in it", e);
			return manifest_keep(&r->name, s, n, e);
		}
		if (ev != JSON_OBJECT)
			return manifest_wrong(r, "set: a value is no object", e);
		r->at = SET_ENTRY;
		r->seen = 0;
		return 0;
	case FILE_ENTRY:
	case SET_ENTRY:
		return small_entry(r, ev, s, n, e);
	case TENSOR:
		return entry_event(r, ev, s, n, e);
	case SHAPE:
		return entry_shape(r, ev, s, n, e);
	default:
		return manifest_wrong(r, "something behind its end", e);
	}
}

struct manifest_reader *
manifest_reader_new(struct err *e)
{
	struct manifest_reader *r = calloc(1, sizeof *r);

	if (!r) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (!(r->m = manifest_new(e)) ||
	    !(r->json = json_new("manifest.json", event, r, e))) {
		manifest_reader_free(r);
		return NULL;
	}
	return r;
}

int
manifest_feed(struct manifest_reader *r, const void *p, size_t n, struct err *e)
{
	return json_feed(r->json, p, n, e);
}

struct manifest *
manifest_finish(struct manifest_reader *r, struct err *e)
{
	struct manifest *m = NULL;

	if (json_end(r->json, e) < 0)
		goto out;
	if (r->at != DONE || !(r->top_seen & 1u << T_STREAM)) {
		err_set(e, "manifest.json: no \"apr_stream\": 1, so no stream of ours");
		goto out;
	}
	if (r->extra.len > 0 &&
	    !(r->m->extra = arena_strn(&r->m->arena, r->extra.p, r->extra.len))) {
		err_set(e, "out of memory");
		goto out;
	}
	if (manifest_check(r->m, e) < 0)
		goto out;
	m = r->m;
	r->m = NULL;
out:
	manifest_reader_free(r);
	return m;
}

void
manifest_reader_free(struct manifest_reader *r)
{
	if (!r)
		return;
	json_free(r->json);
	manifest_free(r->m);
	buf_release(&r->text);
	buf_release(&r->extra);
	buf_release(&r->entry_extra);
	free(r->name);
	free(r->set_type);
	free(r->other);
	free(r);
}
