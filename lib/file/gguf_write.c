/* SPDX-License-Identifier: MIT */
/*
 * gguf_write.c -- a GGUF v3 header for a manifest.
 *
 * Key-values of a source GGUF are copied as bytes; what `set` and `unset`
 * say is applied on the way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "gguf.h"

struct writer {
	const struct layout_in *in;
	struct buf	*out;
	struct names	*set, *unset;
	bool		*done;		/* one a set: it was written */
	uint64_t	 nkv;
	uint32_t	 align;
};

bool
gguf_has_key(const char *key)
{
	return strchr(key, '.') != NULL && (strncmp(key, "apr_tools.", 10) != 0 ||
	    !strcmp(key, HISTORY_KEY));
}

int
gguf_holds(const struct tensor *t, struct err *e)
{
	const char *type = t->type->name;
	size_t len = strlen(t->name);
	char shape[192];

	if (t->type->ggml < 0 && (t->type->flags & TYPE_INTEGER))
		return err_set(e, "tensor %s: GGUF has no type %s, and integers "
		    "are not converted: leave it out", t->name, type);
	if (t->type->ggml < 0)
		return err_set(e, "tensor %s: GGUF has no type %s: apr-dequant "
		    "or apr-quant it first", t->name, type);
	if (t->row_bytes != 0)
		return err_set(e, "tensor %s: GGUF cannot hold %s with rows "
		    "padded to %" PRIu64 " bytes: apr-dequant or apr-quant it "
		    "first", t->name, type, t->row_bytes);
	if (t->flat)
		return err_set(e, "tensor %s: GGUF cannot hold %s with blocks "
		    "that run over row ends: apr-dequant or apr-quant it first",
		    t->name, type);
	if (len > GGUF_NAME_OUT)
		return err_set(e, "tensor %s (%s): the name has %zu bytes, GGUF "
		    "has room for %d: rename it", t->name, type, len,
		    GGUF_NAME_OUT);
	if (t->ndim > GGUF_DIMS)
		return err_set(e, "tensor %s (%s): %u dimensions, %s, GGUF has "
		    "at most %d: reshape it", t->name, type, t->ndim,
		    tensor_shape(t, shape, sizeof shape), GGUF_DIMS);
	return 0;
}

static int
put_set(struct writer *w, size_t i, struct err *e)
{
	const struct mset *set = &w->in->m->set[i];
	size_t val;

	if (gguf_put_set(w->out, set, &val, e) != 0)
		return -1;
	if (strcmp(set->key, "general.alignment") == 0)
		w->align = le32_get(w->out->p + val);
	w->done[i] = true;
	w->nkv++;
	return 0;
}

static bool
is_split(const char *key)
{
	return strcmp(key, "split.no") == 0 ||
	    strcmp(key, "split.count") == 0 ||
	    strcmp(key, "split.tensors.count") == 0;
}

/* The source's keys; those of `set` in place, or, after apr-quant, where
 * llama-quantize has them: behind all others. */
static int
put_source(struct writer *w, const struct header *h, struct err *e)
{
	const struct gguf *g = h->priv;
	bool behind = names_find(w->set, "general.quantization_version") != SIZE_MAX &&
	    (!w->in->opts || w->in->opts->order != ORDER_CONVERT);
	size_t i, k;

	for (i = 0; i < g->nkv; i++) {
		const struct gguf_kv *kv = &g->kv[i];

		if (is_split(kv->key) ||
		    names_find(w->unset, kv->key) != SIZE_MAX)
			continue;
		if ((k = names_find(w->set, kv->key)) != SIZE_MAX) {
			if (!behind && put_set(w, k, e) != 0)
				return -1;
			continue;
		}
		buf_put(w->out, h->raw.p + kv->from, kv->len);
		if (strcmp(kv->key, "general.alignment") == 0)
			w->align = g->align;
		w->nkv++;
	}
	return 0;
}

/* What general.architecture can be found in another format's metadata. */
struct arch {
	int	 depth;
	bool	 next;
	char	 name[64];
};

static int
find_arch(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct arch *a = ctx;
	bool key = a->next;

	(void)e;
	a->next = false;
	if (ev == JSON_OBJECT || ev == JSON_ARRAY)
		a->depth++;
	else if (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END)
		a->depth--;
	else if (ev == JSON_KEY && a->depth == 1)
		a->next = (n == 12 && memcmp(s, "architecture", 12) == 0) ||
		    (n == 10 && memcmp(s, "model_type", 10) == 0);
	else if (key && ev == JSON_STRING && n > 0 && n < sizeof a->name &&
	    a->name[0] == '\0' && memchr(s, 0, n) == NULL)
		memcpy(a->name, s, n);
	return 0;
}

static int
put_arch(struct writer *w, struct err *e)
{
	const char *json = w->in->m->metadata, *name;
	struct arch a = { 0 };

	if (names_find(w->set, "general.architecture") != SIZE_MAX)
		return 0;
	if (json != NULL && json_text("metadata", json, strlen(json),
	    find_arch, &a, e) != 0)
		return -1;
	name = a.name[0] != '\0' ? a.name : "unknown";
	gguf_put_string(w->out, "general.architecture", 20);
	gguf_put_u32(w->out, GGUF_STRING);
	gguf_put_string(w->out, name, strlen(name));
	w->nkv++;
	return 0;
}

/* What llama-gguf-split writes behind the keys of the first part, and alone
 * into the others; readers count tensors of all parts. */
static int
put_split(struct writer *w, struct err *e)
{
	const struct layout_in *in = w->in;
	const char *const key[] = { "split.no", "split.tensors.count", "split.count" };
	const char *const type[] = { "u16", "i32", "u16" };
	size_t n[] = { in->part, 0, in->parts }, val;

	for (size_t i = 0; i < in->m->ntensor; i++)
		n[1] += !in->m->tensor[i].tied_to;
	for (size_t i = 0; i < 3; i++) {
		char text[24];
		struct mset set = { key[i], type[i], text };

		snprintf(text, sizeof text, "%zu", n[i]);
		if (gguf_put_set(w->out, &set, &val, e) != 0)
			return -1;
		w->nkv++;
	}
	return 0;
}

/* Parts behind the first one have no other keys, but lie as it does. */
static int
put_later_part(struct writer *w, struct err *e)
{
	const struct manifest *m = w->in->m;
	const struct gguf *g = w->in->source ? w->in->source->priv : NULL;
	char text[16];
	struct mset set = { "general.alignment", "u32", text };
	size_t val;

	w->align = g ? g->align : GGUF_ALIGN;
	for (size_t i = 0; i < m->nunset; i++)
		if (!strcmp(m->unset[i], set.key))
			w->align = GGUF_ALIGN;
	for (size_t i = 0; i < m->nset; i++)
		if (!strcmp(m->set[i].key, set.key))
			w->align = (uint32_t)strtoul(m->set[i].value, NULL, 10);
	snprintf(text, sizeof text, "%u", w->align);
	if (w->align != GGUF_ALIGN) {
		if (gguf_put_set(w->out, &set, &val, e) != 0)
			return -1;
		w->nkv++;
	}
	return put_split(w, e);
}

/* All key-values. */
static int
put_kvs(struct writer *w, struct err *e)
{
	const struct manifest *m = w->in->m;
	size_t i;

	w->align = GGUF_ALIGN;
	if (w->in->part > 0)
		return put_later_part(w, e);
	if ((w->set = names_new(m->nset, e)) == NULL ||
	    (w->unset = names_new(m->nunset, e)) == NULL)
		return -1;
	if ((w->done = calloc(m->nset + 1, sizeof *w->done)) == NULL)
		return err_set(e, "out of memory");
	for (i = 0; i < m->nset; i++)
		if (gguf_has_key(m->set[i].key) &&
		    names_add(w->set, m->set[i].key, i, NULL, e) < 0)
			return -1;
	for (i = 0; i < m->nunset; i++)
		if (names_add(w->unset, m->unset[i], i, NULL, e) < 0)
			return -1;
	if ((w->in->source != NULL ? put_source(w, w->in->source, e) :
	    put_arch(w, e)) != 0)
		return -1;
	for (i = 0; i < m->nset; i++)
		if (!w->done[i] && gguf_has_key(m->set[i].key) &&
		    put_set(w, i, e) != 0)
			return -1;
	return w->in->parts > 0 ? put_split(w, e) : 0;
}

/* Infos; offsets count from the data's beginning until its place is known. */
static int
put_infos(struct writer *w, struct layout *l, struct err *e)
{
	uint64_t at = 0;
	size_t i;
	unsigned k;

	for (i = 0; i < w->in->n; i++) {
		const struct tensor *t = &w->in->m->tensor[w->in->which[i]];

		if (gguf_holds(t, e) != 0)
			return -1;
		gguf_put_string(w->out, t->name, strlen(t->name));
		gguf_put_u32(w->out, t->ndim);
		for (k = t->ndim; k > 0; k--)
			gguf_put_u64(w->out, t->dim[k - 1]);
		gguf_put_u32(w->out, (uint32_t)t->type->ggml);
		gguf_put_u64(w->out, at);
		l->offset[i] = at;
		if (u64_add(&at, at, t->bytes) ||
		    u64_align(&at, at, w->align) || at > INT64_MAX)
			return err_set(e, "tensor %s: with its %" PRIu64
			    " bytes the file is too long", t->name, t->bytes);
	}
	l->end = at;
	return 0;
}

static int
layout(struct writer *w, struct layout *l, struct err *e)
{
	static const unsigned char zero[GGUF_ALIGN_MAX];
	uint64_t data;
	size_t i;

	buf_str(&l->head, "GGUF");
	gguf_put_u32(&l->head, GGUF_VERSION);
	gguf_put_u64(&l->head, w->in->n);
	gguf_put_u64(&l->head, 0);
	if (put_kvs(w, e) != 0 || put_infos(w, l, e) != 0 ||
	    buf_check(&l->head, e) != 0)
		return -1;
	le64_put(l->head.p + 16, w->nkv);
	data = l->head.len;
	if (w->in->n > 0 && u64_align(&data, data, w->align))
		return err_set(e, "the header is too long");
	buf_put(&l->head, zero, (size_t)(data - l->head.len));
	if (data > HEADER_MAX)
		return err_set(e, "a header of %" PRIu64 " bytes: more than %"
		    PRIu64 " are refused", data, HEADER_MAX);
	for (i = 0; i < w->in->n; i++)
		l->offset[i] += data;
	l->end += data;		/* both far below 2^63 */
	l->footer = false;
	return buf_check(&l->head, e);
}

/* l->offset is indexed like which[]: offset[i] is tensor[which[i]]'s. */
int
gguf_layout(const struct layout_in *in, struct layout *l, struct err *e)
{
	struct writer w = { .in = in, .out = &l->head };
	int ret;

	l->offset = calloc(in->n + 1, sizeof *l->offset);
	if (l->offset == NULL)
		return err_set(e, "out of memory");
	ret = layout(&w, l, e);
	names_free(w.set);
	names_free(w.unset);
	free(w.done);
	return ret;
}
