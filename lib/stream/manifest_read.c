/* SPDX-License-Identifier: MIT */
/*
 * manifest_read.c -- a manifest from JSON events, in pieces.  Keys that are
 * not known are kept as text and written again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/json.h>
#include <apr/manifest.h>

enum where {
	START, TOP, SHARDS, FILES, FILE_ENTRY, HISTORY, SET, SET_ENTRY, UNSET,
	TENSORS, TENSOR, SHAPE, DONE,
};

/* Keys of a tensor entry, of a file and of the top level, as bits seen. */
enum {
	E_NAME = 1, E_DTYPE = 2, E_SHAPE = 4, E_BYTES = 8, E_TIED = 16,
	E_ROW = 32, E_BLOCKS = 64, E_SHARD = 128, E_SOURCE = 256, E_ABSMAX = 512,
};

static const struct { const char *key; unsigned bit; } entry_keys[] = {
	{ "name", E_NAME }, { "dtype", E_DTYPE }, { "shape", E_SHAPE },
	{ "bytes", E_BYTES }, { "tied_to", E_TIED }, { "row_bytes", E_ROW },
	{ "blocks", E_BLOCKS }, { "shard", E_SHARD },
	{ "source_dtype", E_SOURCE }, { "absmax", E_ABSMAX },
};

static const char *const top_keys[] = {
	"apr_stream", "source", "convention", "name", "plan", "shards", "files",
	"history", "metadata", "set", "unset", "tensors",
};
enum { T_STREAM, T_SOURCE, T_CONVENTION, T_NAME, T_PLAN, T_SHARDS, T_FILES, T_HISTORY,
	T_METADATA, T_SET, T_UNSET, T_TENSORS, T_OTHER };

struct manifest_reader {
	struct manifest	*m;
	struct json	*json;
	enum where	 at;
	int		 key;		/* T_*, or a bit of E_* */
	unsigned	 top_seen, seen;
	/* The entry being read. */
	struct tensor	*t;
	uint64_t	 bytes, row_bytes;
	const struct type *type;
	bool		 blocks_flat;
	char		*name;		/* of a file or of a set key */
	char		*set_type;
	/* A value kept as text. */
	bool		 capturing;
	struct buf	 text;
	struct json_writer w;
	int		 depth;		/* of the captured value */
	struct buf	 extra, entry_extra;
	char		*other;		/* an unknown key */
};

static int
wrong(const struct manifest_reader *r, const char *what, struct err *e)
{
	if (r->t)
		return err_set(e, "manifest.json: tensor %s: %s", r->t->name, what);
	return err_set(e, "manifest.json: %s", what);
}

static char *
dup(const char *s, size_t n, struct err *e)
{
	char *p = malloc(n + 1);

	if (!p) {
		err_set(e, "out of memory");
		return NULL;
	}
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

static int
start_capture(struct manifest_reader *r)
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
			return wrong(r, "set: two values for one key", e);
		r->seen |= 2;
		free(r->other);
		return (r->other = dup(s, r->text.len - 1, e)) ? 0 : -1;
	}
	if (r->at == TENSOR || r->at == TOP) {
		struct buf *b = r->at == TENSOR ? &r->entry_extra : &r->extra;

		if (r->at == TOP && r->key == T_METADATA) {
			if (*s != '{')
				return wrong(r, "metadata is no object", e);
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
	} else {
		free(r->other);
		if (!(r->other = dup(s, n, e)))
			return -1;
	}
	return r->key == T_METADATA || r->key == T_OTHER ? start_capture(r) : 0;
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
			return wrong(r, "apr_stream is not 1: another version", e);
		return 0;
	case T_SOURCE:
	case T_CONVENTION:
	case T_NAME:
		if (ev != JSON_STRING || memchr(s, 0, n))
			return wrong(r, "source, convention or name is no string", e);
		*str = arena_strn(&r->m->arena, s, n);
		return *str ? 0 : err_set(e, "out of memory");
	case T_PLAN:
		if (ev != JSON_TRUE && ev != JSON_FALSE)
			return wrong(r, "plan is neither true nor false", e);
		r->m->plan = ev == JSON_TRUE;
		return 0;
	case T_SET:
		if (ev != JSON_OBJECT)
			return wrong(r, "set is no object", e);
		r->at = SET;
		return 0;
	default:
		if (ev != JSON_ARRAY)
			return err_set(e, "manifest.json: %s is no array", top_keys[r->key]);
		r->at = arrays[r->key];
		return r->at == HISTORY ? start_capture(r) : 0;
	}
}

static int
entry_begin(struct manifest_reader *r, struct err *e)
{
	/* The name is put in when it comes; until then the entry has a number. */
	r->seen = 0;
	r->bytes = r->row_bytes = 0;
	r->type = NULL;
	r->blocks_flat = false;
	r->entry_extra.len = 0;
	if (!(r->t = manifest_add_tensor(r->m, "?", 1, e)))
		return -1;
	r->at = TENSOR;
	return 0;
}

static int
entry_key(struct manifest_reader *r, const char *s, size_t n, struct err *e)
{
	r->key = 0;
	for (size_t i = 0; i < sizeof entry_keys / sizeof *entry_keys; i++)
		if (strlen(entry_keys[i].key) == n && !memcmp(entry_keys[i].key, s, n))
			r->key = (int)entry_keys[i].bit;
	if (r->key == 0) {
		free(r->other);
		return (r->other = dup(s, n, e)) ? start_capture(r) : -1;
	}
	if (r->seen & (unsigned)r->key)
		return wrong(r, "a key stands there twice", e);
	r->seen |= (unsigned)r->key;
	return 0;
}

static int
entry_string(struct manifest_reader *r, const char *s, size_t n, struct err *e)
{
	struct arena *a = &r->m->arena;
	char type[32];

	switch (r->key) {
	case E_NAME:
		if (n == 0 || n > TENSOR_NAME || memchr(s, 0, n) || !utf8_valid(s, n))
			return wrong(r, n == 0 ? "a tensor's name is empty" :
			    n > TENSOR_NAME ? "a tensor's name is too long" :
			    memchr(s, 0, n) ? "a tensor's name has a NUL in it" :
			    "a tensor's name is not UTF-8", e);
		r->t->name = arena_strn(a, s, n);
		return r->t->name ? 0 : err_set(e, "out of memory");
	case E_DTYPE:
	case E_SOURCE:
		memcpy(type, s, n < sizeof type ? n : sizeof type - 1);
		type[n < sizeof type ? n : sizeof type - 1] = '\0';
		if (!type_by_name(type) || strlen(type) != n)
			return err_set(e, "manifest.json: tensor %s: unknown dtype %s",
			    r->t->name, type);
		*(r->key == E_DTYPE ? &r->type : &r->t->source) = type_by_name(type);
		return 0;
	case E_TIED:
		if (n == 0 || memchr(s, 0, n))
			return wrong(r, "tied_to is no name", e);
		r->t->tied_to = arena_strn(a, s, n);
		return r->t->tied_to ? 0 : err_set(e, "out of memory");
	case E_BLOCKS:
		r->blocks_flat = n == 4 && !memcmp(s, "flat", 4);
		return r->blocks_flat ? 0 : wrong(r, "blocks is not \"flat\"", e);
	default:
		return wrong(r, "a string where a number should be", e);
	}
}

static int
entry_value(struct manifest_reader *r, enum json_ev ev, const char *s, size_t n,
    struct err *e)
{
	uint64_t v = 0;

	if (ev == JSON_STRING)
		return entry_string(r, s, n, e);
	if (ev == JSON_ARRAY && r->key == E_SHAPE) {
		r->at = SHAPE;
		return 0;
	}
	if (ev == JSON_NUMBER && r->key == E_ABSMAX) {
		r->t->absmax = arena_strn(&r->m->arena, s, n);
		return r->t->absmax ? 0 : err_set(e, "out of memory");
	}
	if (ev != JSON_NUMBER || !(r->key & (E_BYTES | E_ROW | E_SHARD)))
		return wrong(r, "a value of the wrong kind", e);
	if (!json_u64(s, n, &v) || (r->key == E_SHARD && v > UINT32_MAX))
		return wrong(r, "a length is not a whole number below 2^64", e);
	if (r->key == E_BYTES)
		r->bytes = v;
	else if (r->key == E_ROW)
		r->row_bytes = v;
	else
		r->t->shard = (unsigned)v;
	return 0;
}

static int
entry_end(struct manifest_reader *r, struct err *e)
{
	struct tensor *t = r->t;
	const char *tied = t->tied_to;
	enum tensor_layout how = r->seen & E_ROW ? TENSOR_PADDED :
	    r->blocks_flat ? TENSOR_FLAT : TENSOR_ROWS;

	if ((~r->seen & (E_NAME | E_DTYPE | E_SHAPE | E_BYTES)) != 0)
		return wrong(r, "name, dtype, shape or bytes is missing", e);
	if (!!tied + !!(r->seen & E_ROW) + r->blocks_flat > 1)
		return wrong(r, "more than one of tied_to, row_bytes, blocks", e);
	if (tensor_set(t, r->type, how, e) < 0)
		return err_prefix(e, "manifest.json");
	if (tied) {
		t->tied_to = tied;
		t->bytes = 0;
	}
	if (how == TENSOR_ROWS && tensor_has_flat_mark(t))
		return wrong(r, "blocks run over row ends, but \"blocks\" does not say so", e);
	if (r->blocks_flat && !tensor_has_flat_mark(t))
		return wrong(r, "blocks is \"flat\", but its rows are whole blocks", e);
	if ((r->seen & E_ROW) && t->row_bytes != r->row_bytes)
		return err_set(e, "manifest.json: tensor %s: row_bytes %" PRIu64
		    ", its shape and type say %" PRIu64, t->name, r->row_bytes, t->row_bytes);
	if (t->bytes != r->bytes)
		return err_set(e, "manifest.json: tensor %s: %" PRIu64 " bytes, its"
		    " shape and type say %" PRIu64, t->name, r->bytes, t->bytes);
	if (r->entry_extra.len > 0 &&
	    !(t->extra = arena_strn(&r->m->arena, r->entry_extra.p, r->entry_extra.len)))
		return err_set(e, "out of memory");
	r->t = NULL;
	r->at = TENSORS;
	return 0;
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
			return wrong(r, file ? "a file lacks name or bytes" :
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
			return r->key || file ? start_capture(r) :
			    wrong(r, "set: a key besides type and value", e);
		return r->seen & (unsigned)r->key ? wrong(r, "a key stands there twice", e) : 0;
	}
	r->seen |= (unsigned)r->key;
	if (r->key == 2)
		return ev == JSON_NUMBER && json_u64(s, n, &r->bytes) ? 0 :
		    wrong(r, "a file's bytes are no whole number below 2^64", e);
	if (ev != JSON_STRING || memchr(s, 0, n) || n > TENSOR_NAME)
		return wrong(r, "a name or type is no string", e);
	free(file ? r->name : r->set_type);
	*(file ? &r->name : &r->set_type) = dup(s, n, e);
	return (file ? r->name : r->set_type) ? 0 : -1;
}

static int
list_item(struct manifest_reader *r, enum json_ev ev, const char *s, size_t n,
    struct err *e)
{
	char *p;
	int rc;

	if (ev == JSON_ARRAY_END) {
		r->at = TOP;
		return 0;
	}
	if (ev != JSON_STRING || memchr(s, 0, n))
		return wrong(r, "shards and unset are lists of strings", e);
	if (!(p = dup(s, n, e)))
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
		start_capture(r);
	}
	if (r->capturing)
		return capture(r, ev, s, n, e);
	switch (r->at) {
	case START:
		if (ev != JSON_OBJECT)
			return wrong(r, "is no object", e);
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
			return wrong(r, "files and tensors are lists of objects", e);
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
				return wrong(r, "set: a key is empty or has a NUL in it", e);
			free(r->name);
			return (r->name = dup(s, n, e)) ? 0 : -1;
		}
		if (ev != JSON_OBJECT)
			return wrong(r, "set: a value is no object", e);
		r->at = SET_ENTRY;
		r->seen = 0;
		return 0;
	case FILE_ENTRY:
	case SET_ENTRY:
		return small_entry(r, ev, s, n, e);
	case TENSOR:
		if (ev == JSON_OBJECT_END)
			return entry_end(r, e);
		return ev == JSON_KEY ? entry_key(r, s, n, e) : entry_value(r, ev, s, n, e);
	case SHAPE:
		if (ev == JSON_ARRAY_END) {
			r->at = TENSOR;
			return 0;
		}
		if (r->t->ndim == TENSOR_DIMS)
			return wrong(r, "too many dimensions", e);
		if (ev != JSON_NUMBER || !json_u64(s, n, &r->t->dim[r->t->ndim]))
			return wrong(r, "a dimension is not a whole number below 2^64", e);
		r->t->ndim++;
		return 0;
	default:
		return wrong(r, "something behind its end", e);
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
