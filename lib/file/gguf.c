/* SPDX-License-Identifier: MIT */
/*
 * gguf.c -- reading GGUF: key-values, then infos of tensors, then their data.
 *
 * Every length in it is the writer's word, and the input may be a pipe: so
 * bytes are taken one item at a time, no more than HEADER_MAX in all, and
 * memory grows with what arrived.  All bytes go into h->raw (the caller's
 * tee), which is also where they are looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "gguf.h"

static int
gguf_probe(const unsigned char *p, size_t n)
{
	return n >= 4 && memcmp(p, "GGUF", 4) == 0 ? 32 : 0;
}

/* Numbers that only ik_llama.cpp gives out. */
static bool
is_ik(uint32_t t)
{
	static const struct { uint16_t first, last; } own[] = {
		{ 97, 99 }, { 133, 158 }, { 202, 230 }, { 233, 233 },
		{ 335, 353 }, { 397, 399 },
	};

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (t >= own[i].first && t <= own[i].last)
			return true;
	return false;
}

static const struct type *
find_type(const char *name, uint32_t t, struct err *e)
{
	const struct type *type;

	switch (t) {
	case 4: case 5: case 37: case 38:
		err_set(e, "tensor %s: number type %" PRIu32 " was removed "
		    "from ggml", name, t);
		return NULL;
	case 31: case 32: case 33: case 36:
		err_set(e, "tensor %s: number type %" PRIu32 " was removed "
		    "from ggml; ik_llama.cpp's own types, of which it is one "
		    "now, are not supported", name, t);
		return NULL;
	default:
		break;
	}
	if (is_ik(t))
		err_set(e, "tensor %s: number type %" PRIu32 " is one of "
		    "ik_llama.cpp's own, which are not supported", name, t);
	else if ((type = type_by_ggml(t)) == NULL)
		err_set(e, "tensor %s: unknown number type %" PRIu32, name, t);
	else
		return type;
	return NULL;
}

/* An info; its offset stays relative to the data, which is not found yet. */
static int
read_info(struct gguf_reader *r, struct err *e)
{
	struct manifest *m = r->h->m;
	const struct type *type;
	const unsigned char *p;
	const char *name;
	struct tensor *t;
	uint64_t len, end;
	uint32_t ndim;
	unsigned i;

	if ((name = gguf_take_name(r, GGUF_NAME, &len, e)) == NULL)
		return err_prefix(e, "tensor %zu of %" PRIu64,
		    m->ntensor - r->h->first + 1, r->ntensor);
	if ((t = manifest_add_tensor(m, name, (size_t)len, e)) == NULL)
		return -1;
	t->shard = r->h->shard;
	if (gguf_take_u32(r, &ndim, e) != 0)
		return err_prefix(e, "tensor %s", t->name);
	if (ndim > GGUF_DIMS)
		return err_set(e, "tensor %s: %" PRIu32 " dimensions: at most "
		    "%d are allowed", t->name, ndim, GGUF_DIMS);
	if ((p = gguf_take(r, 8 * ndim + 12, e)) == NULL)
		return err_prefix(e, "tensor %s", t->name);
	t->ndim = ndim;
	for (i = 0; i < ndim; i++) {	/* theirs are fastest first */
		t->dim[ndim - 1 - i] = le64_get(p + 8 * i);
		if (t->dim[ndim - 1 - i] > INT64_MAX)
			return err_set(e, "tensor %s: dimension %u, %" PRIu64
			    ", overflows 2^63-1", t->name, i,
			    t->dim[ndim - 1 - i]);
	}
	p += 8 * ndim;
	t->code = le32_get(p);
	t->offset = le64_get(p + 4);
	if ((type = find_type(t->name, t->code, e)) == NULL ||
	    tensor_set(t, type, TENSOR_ROWS, e) != 0)
		return -1;
	if (t->offset % r->g->align != 0)
		return err_set(e, "tensor %s: offset %" PRIu64 " is not a "
		    "multiple of the alignment, %" PRIu32, t->name, t->offset,
		    r->g->align);
	if (u64_add(&end, t->offset, t->bytes) ||
	    u64_add(&end, end, HEADER_MAX + GGUF_ALIGN_MAX) || end > INT64_MAX)
		return err_set(e, "tensor %s: the end of %" PRIu64 " bytes at "
		    "offset %" PRIu64 " overflows 2^63", t->name, t->bytes,
		    t->offset);
	return 0;
}

static int
read_counts(struct gguf_reader *r, struct err *e)
{
	const unsigned char *p = gguf_take(r, 8, e);

	if (p == NULL)
		return -1;
	if (memcmp(p, "GGUF", 4) != 0)
		return err_set(e, "not a GGUF file");
	r->g->version = le32_get(p + 4);
	if (r->g->version != 0 && (r->g->version & 0xffff) == 0)
		return err_set(e, "a big-endian GGUF file: not supported");
	if (r->g->version < 2 || r->g->version > 3)
		return err_set(e, "GGUF version %" PRIu32 " is not supported, "
		    "only 2 and 3", r->g->version);
	if (gguf_take_u64(r, &r->ntensor, e) != 0 ||
	    gguf_take_u64(r, &r->nkv, e) != 0)
		return -1;
	if (r->ntensor > TENSOR_COUNT)
		return err_set(e, "%" PRIu64 " tensors: more than %u are "
		    "refused", r->ntensor, TENSOR_COUNT);
	if (r->nkv > GGUF_KEYS)
		return err_set(e, "%" PRIu64 " keys: more than %" PRIu64
		    " are refused", r->nkv, GGUF_KEYS);
	return 0;
}

static int
read_header(struct gguf_reader *r, struct err *e)
{
	struct header *h = r->h;
	struct manifest *m = h->m;
	uint64_t i, data;

	if (read_counts(r, e) != 0 || gguf_read_kvs(r, e) != 0)
		return -1;
	for (i = 0; i < r->ntensor; i++)
		if (read_info(r, e) != 0)
			return -1;
	h->align = r->g->align;
	if (r->ntensor > 0) {
		if (u64_align(&data, in_pos(r->in), h->align))
			return err_set(e, "the header is too long");
		if (in_zeros(r->in, data - in_pos(r->in), "padding before the "
		    "data", e) != 0 || buf_check(&h->raw, e) != 0)
			return -1;
		for (i = h->first; i < m->ntensor; i++)
			m->tensor[i].offset += data; /* fits: read_info() */
	}
	if (m->source == NULL)
		m->source = "gguf";
	if (m->convention == NULL)
		m->convention = "gguf";
	return 0;
}

static void
gguf_free(struct header *h)
{
	struct gguf *g = h->priv;

	if (g == NULL)
		return;
	arena_release(&g->arena);
	free(g->kv);
	free(g);
	h->priv = NULL;
}

static int
gguf_parse(struct in *in, struct header *h, struct err *e)
{
	struct gguf_reader r = { .in = in, .h = h };
	int ret;

	if ((r.g = calloc(1, sizeof *r.g)) == NULL)
		return err_set(e, "out of memory");
	r.g->align = GGUF_ALIGN;
	h->priv = r.g;
	ret = read_header(&r, e);
	if (r.view != NULL)
		view_free(r.view);
	buf_release(&r.text);
	if (ret != 0)
		gguf_free(h);
	return ret;
}

const char *
header_key_type(const struct header *h, const char *key, char type[16])
{
	const struct gguf *g = h->format == &format_gguf ? h->priv : NULL;

	for (size_t i = 0; g && i < g->nkv; i++) {
		const unsigned char *p = h->raw.p + g->kv[i].from;
		uint32_t t, of;

		if (strcmp(g->kv[i].key, key))
			continue;
		p += 8 + strlen(key);
		t = le32_get(p);
		of = t == GGUF_ARRAY ? le32_get(p + 4) : t;
		if (of >= GGUF_TYPES)
			return NULL;
		snprintf(type, 16, t == GGUF_ARRAY ? "[%s]" : "%s", gguf_type_name[of]);
		return type;
	}
	return NULL;
}

const struct format format_gguf = {
	.name = "gguf",
	.suffix = ".gguf",
	.probe = gguf_probe,
	.parse = gguf_parse,
	.free = gguf_free,
	.holds = gguf_holds,
	.layout = gguf_layout,
	.has_key = gguf_has_key,
};
