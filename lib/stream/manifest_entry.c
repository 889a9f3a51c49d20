/* SPDX-License-Identifier: MIT */
/* manifest_entry.c -- a tensor's entry in the manifest. */
#include <inttypes.h>
#include <string.h>

#include "manifest_reader.h"

/* Keys, as bits seen. */
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

int
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
	if (r->key == 0)
		return manifest_keep(&r->other, s, n, e) < 0 ? -1 : manifest_capture(r);
	if (r->seen & (unsigned)r->key)
		return manifest_wrong(r, "a key stands there twice", e);
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
			return manifest_wrong(r, n == 0 ? "a tensor's name is empty" :
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
			return manifest_wrong(r, "tied_to is no name", e);
		r->t->tied_to = arena_strn(a, s, n);
		return r->t->tied_to ? 0 : err_set(e, "out of memory");
	case E_BLOCKS:
		r->blocks_flat = n == 4 && !memcmp(s, "flat", 4);
		return r->blocks_flat ? 0 : manifest_wrong(r, "blocks is not \"flat\"", e);
	default:
		return manifest_wrong(r, "a string where a number should be", e);
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
		return manifest_wrong(r, "a value of the wrong kind", e);
	if (!json_u64(s, n, &v) || (r->key == E_SHARD && v > UINT32_MAX))
		return manifest_wrong(r, "a length is not a whole number below 2^64", e);
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
		return manifest_wrong(r, "name, dtype, shape or bytes is missing", e);
	if (!!tied + !!(r->seen & E_ROW) + r->blocks_flat > 1)
		return manifest_wrong(r, "more than one of tied_to, row_bytes, blocks", e);
	if (tensor_set(t, r->type, how, e) < 0)
		return err_prefix(e, "manifest.json");
	if (tied) {
		t->tied_to = tied;
		t->bytes = 0;
	}
	if (how == TENSOR_ROWS && tensor_has_flat_mark(t))
		return manifest_wrong(r, "blocks run over row ends, but \"blocks\" does not say so", e);
	if (r->blocks_flat && !tensor_has_flat_mark(t))
		return manifest_wrong(r, "blocks is \"flat\", but its rows are whole blocks", e);
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

int
entry_event(struct manifest_reader *r, enum json_ev ev, const char *s, size_t n,
    struct err *e)
{
	return ev == JSON_OBJECT_END ? entry_end(r, e) :
	    ev == JSON_KEY ? entry_key(r, s, n, e) : entry_value(r, ev, s, n, e);
}

int
entry_shape(struct manifest_reader *r, enum json_ev ev, const char *s, size_t n,
    struct err *e)
{
	if (ev == JSON_ARRAY_END) {
		r->at = TENSOR;
		return 0;
	}
	if (r->t->ndim == TENSOR_DIMS)
		return manifest_wrong(r, "too many dimensions", e);
	if (ev != JSON_NUMBER || !json_u64(s, n, &r->t->dim[r->t->ndim]))
		return manifest_wrong(r, "a dimension is not a whole number below 2^64", e);
	r->t->ndim++;
	return 0;
}
