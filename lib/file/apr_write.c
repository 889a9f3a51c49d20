/* SPDX-License-Identifier: MIT */
/* apr_write.c -- header, metadata and index of an .apr, ahead of its data. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "apr.h"

struct entry {
	const struct tensor *t;
	unsigned	 code, at;	/* at: its place among the data, or GHOST */
};
#define GHOST	UINT_MAX

static const char *
name_of(const struct entry *en)
{
	return en->at == GHOST && !en->t->tied_to ? "lm_head.weight" : en->t->name;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(name_of(a), name_of(b));
}

/* The source's own entry of that name, if its type did not change. */
static const struct tensor *
unchanged(const struct header *h, const struct names *names, const struct tensor *t)
{
	size_t i = names ? names_find(names, t->name) : SIZE_MAX;
	const struct tensor *o = i == SIZE_MAX ? NULL : &h->m->tensor[i];

	return o && o->type == t->type && o->bytes == t->bytes &&
	    tensor_same_shape(o, t) ? o : NULL;
}

/* Does the tied checkpoint need the ghost that aprender would write? */
static const struct tensor *
needs_ghost(const struct layout_in *in)
{
	const struct manifest *m = in->m;
	const struct tensor *embed = NULL;

	if (in->source || (in->members && !in->tied))
		return NULL;
	if (!in->members && (!m->source || strcmp(m->source, "hf") || !m->metadata ||
	    !strstr(m->metadata, "\"tie_word_embeddings\":true")))
		return NULL;
	for (size_t i = 0; i < m->ntensor; i++)
		if (!strcmp(m->tensor[i].name, "lm_head.weight"))
			return NULL;
	for (size_t i = 0; i < in->n; i++)
		if (name_is_embedding(m->tensor[in->which[i]].name))
			embed = &m->tensor[in->which[i]];
	return embed;
}

static void
put_u64(struct buf *b, uint64_t v)
{
	unsigned char p[8];

	le64_put(p, v);
	buf_put(b, p, 8);
}

static void
put_entry(struct buf *b, const struct entry *en, const uint64_t *offset)
{
	const char *name = name_of(en);
	size_t n = strlen(name);
	unsigned char p[2];

	le16_put(p, (uint16_t)n);
	buf_put(b, p, 2);
	buf_put(b, name, n);
	p[0] = (unsigned char)en->code;
	p[1] = (unsigned char)en->t->ndim;
	buf_put(b, p, 2);
	for (unsigned i = 0; i < en->t->ndim; i++)
		put_u64(b, en->t->dim[i]);
	put_u64(b, en->at == GHOST ? 0 : offset[en->at]);
	put_u64(b, en->at == GHOST ? 0 : en->t->bytes);
}

static void
pad(struct buf *b)
{
	static const char zero[APR_ALIGN];

	buf_put(b, zero, (APR_ALIGN - b->len % APR_ALIGN) % APR_ALIGN);
}

/* Codes, and offsets relative to the data. */
static int
place(const struct layout_in *in, struct entry *en, size_t n, uint64_t *offset,
    uint64_t *total, struct err *e)
{
	const struct header *h = in->source;
	struct names *names = NULL;
	uint64_t at = 0;
	int r = -1;

	if (h) {
		if (!(names = names_new(h->m->ntensor, e)))
			return -1;
		for (size_t i = h->first; i < h->m->ntensor; i++)
			if (names_add(names, h->m->tensor[i].name, i, NULL, e) < 0)
				goto out;
	}
	for (size_t i = 0; i < n; i++) {
		const struct tensor *t = &in->m->tensor[in->which[i]], *o;

		o = h ? unchanged(h, names, t) : NULL;
		if (!o && t->flat && !(t->type->flags & TYPE_FLAT)) {
			err_set(e, "%s: blocks that run over row ends are aprender's old"
			    " way and not written: apr-dequant it first", t->name);
			goto out;
		}
		if (!o && format_apr.holds(t, e) < 0)
			goto out;
		if (strlen(t->name) > 256) {
			err_set(e, "%s: an .apr's names have at most 256 bytes", t->name);
			goto out;
		}
		en[i] = (struct entry){ t, o ? o->code : t->tied_to ? 0 :
		    (unsigned)apr_code(t->type, in->opts && in->opts->legacy),
		    t->tied_to ? GHOST : (unsigned)i };
		offset[i] = at;
		if (t->tied_to)
			continue;
		if (u64_add(&at, at, t->bytes) || u64_align(&at, at, APR_ALIGN)) {
			err_set(e, "%s: the file would be too large", t->name);
			goto out;
		}
	}
	*total = at;
	r = 0;
out:
	names_free(names);
	return r;
}

/* Does the output say that it is one of several? */
static bool
sharded(const struct layout_in *in)
{
	const struct apr *a = in->source ? in->source->priv : NULL;

	return in->parts > 1 || (a && a->sharded && in->m->nshard < 2);
}

/* Older files have the key, and nothing in it: they keep it so, as the way
 * back could not tell. */
static bool
null_sharding(const void *text, size_t n)
{
	static const char word[] = "\"sharding\":null";

	return n > 0 && memmem(text, n, word, sizeof word - 1) != NULL;
}

/* What is known before parts are: the source's text, or a made one. */
static int
whole_metadata(const struct layout_in *in, bool ghost, struct buf *b, struct err *e)
{
	const char *history = history_of(in->m);
	const struct apr *a = in->source ? in->source->priv : NULL;
	struct buf text = { 0 }, next = { 0 };

	if (!a && apr_metadata(in, ghost, &text, e) < 0) {
		buf_release(&text);
		return -1;
	}
	if (a && a->sharded && !sharded(in) &&
	    !null_sharding(in->source->raw.p + a->meta, a->meta_len))
		json_without(&text, in->source->raw.p + a->meta, a->meta_len, "sharding");
	else if (a)
		buf_put(&text, in->source->raw.p + a->meta, a->meta_len);
	if (a && json_is_edited(in->m)) {
		json_edited(&next, text.p, text.len, in->m);
		buf_release(&text);
		text = next;
		next = (struct buf){ 0 };
	}
	if (history) {
		json_with(&next, text.len ? (const void *)text.p : "{}", text.len ? text.len : 2,
		    HISTORY_KEY, history);
		buf_release(&text);
		text = next;
	}
	if (b->len == 0) {
		*b = text;
		return 0;
	}
	buf_put(b, text.p, text.len);
	buf_release(&text);
	return 0;
}

enum { PART_MEMBER = 1024 };	/* longer ones are in the first part alone */

/* A part's own: all of it in the first one, what is short in the others. */
static int
put_metadata(const struct layout_in *in, bool ghost, struct buf *b, struct err *e)
{
	struct buf value = { 0 }, *text = in->cache;
	bool empty;

	if (in->parts < 2)
		return whole_metadata(in, ghost, b, e);
	if (in->part == 0 && whole_metadata(in, ghost, text, e) < 0)
		return -1;
	if (in->part == 1) {
		struct buf less = { 0 };

		json_short(&less, text->p, text->len, PART_MEMBER);
		buf_release(text);
		*text = less;
	}
	buf_printf(&value, "{\"shard_count\":%zu,\"shard_index\":%zu,\"total_size\":%" PRIu64
	    ",\"pattern\":", in->parts, in->part, in->bytes);
	if (in->pattern)
		buf_json(&value, in->pattern, strlen(in->pattern));
	else
		buf_str(&value, "null");
	buf_put(&value, "}", 2);
	if (null_sharding(text->p, text->len)) {
		buf_release(&value);
		buf_put(b, text->p, text->len);
		return 0;
	}
	empty = text->len == 0;
	if (buf_check(&value, e) < 0 || buf_check(text, e) < 0) {
		buf_release(&value);
		return -1;
	}
	json_with(b, empty ? (const void *)"{}" : text->p, empty ? 2 : text->len, "sharding",
	    (char *)value.p);
	buf_release(&value);
	return 0;
}

/* It has been read; the new one needs the room. */
static void
forget_index(struct header *h)
{
	const struct apr *a = h->priv;
	size_t n = a->meta + a->meta_len;
	void *less = realloc(h->raw.p, n + 1);

	if (less) {
		h->raw.p = less;
		h->raw.len = h->raw.cap = n;
	}
}

int
apr_layout(const struct layout_in *in, struct layout *l, struct err *e)
{
	const struct tensor *embed = needs_ghost(in);
	struct buf *b = &l->head;
	unsigned char h[APR_HEADER] = "APR";
	struct entry *en;
	uint64_t total = 0;
	size_t n = in->n, meta, index;
	int r = -1;

	if (!(en = calloc(n + 1, sizeof *en)) ||
	    !(l->offset = calloc(n + 1, sizeof *l->offset))) {
		free(en);
		return err_set(e, "out of memory");
	}
	if (in->source)
		forget_index(in->source);
	if (place(in, en, n, l->offset, &total, e) < 0)
		goto out;
	/* What was found there is in en; another part would look again. */
	if (in->source && in->source->m != in->m && in->parts < 2)
		manifest_no_tensors(in->source->m);
	if (put_metadata(in, embed != NULL, b, e) < 0)
		goto out;
	/* The header before it, without a second copy of what may be large. */
	meta = b->len;
	buf_put(b, h, sizeof h);
	if (buf_check(b, e) < 0)
		goto out;
	memmove(b->p + APR_HEADER, b->p, meta);
	pad(b);
	index = b->len;
	if (embed)
		en[n] = (struct entry){ embed, 0, GHOST };
	qsort(en, n + (embed != NULL), sizeof *en, by_name);
	for (size_t i = 0; i < n + (embed != NULL); i++)
		put_entry(b, &en[i], l->offset);
	pad(b);
	if (buf_check(b, e) < 0)
		goto out;
	if (b->len > HEADER_MAX || meta > UINT32_MAX) {
		err_set(e, "metadata and index of %zu bytes, at most %" PRIu64,
		    b->len, HEADER_MAX);
		goto out;
	}
	h[4] = 2;
	le16_put(h + 6, sharded(in) ? APR_ROW_MAJOR | APR_SHARDED : APR_ROW_MAJOR);
	le32_put(h + 8, (uint32_t)(n + (embed != NULL)));
	le64_put(h + 12, APR_HEADER);
	le32_put(h + 20, (uint32_t)meta);
	le64_put(h + 24, index);
	le64_put(h + 32, b->len);
	le32_put(h + 40, apr_header_crc(h));
	memcpy(b->p, h, sizeof h);
	for (size_t i = 0; i < n; i++)
		l->offset[i] += b->len;
	if (u64_add(&total, total, b->len) || total > INT64_MAX) {
		err_set(e, "the file would be too large");
		goto out;
	}
	l->end = total;
	l->footer = true;
	r = 0;
out:
	free(en);
	return r;
}
