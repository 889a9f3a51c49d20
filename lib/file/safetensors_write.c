/* SPDX-License-Identifier: MIT */
/*
 * safetensors_write.c -- where the data lies: checked on the way in, made
 * on the way out; what is done to the header's text as text; and the index
 * of several files.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "safetensors.h"

static int
lone(const struct safetensors_text *u, struct err *e)
{
	return err_set(e, "header: lone surrogate escape before byte %" PRIu64,
	    u->pos);
}

/* One byte of a character that is not ASCII. */
static int
wide(struct safetensors_text *u, unsigned c)
{
	if (u->more > 0) {
		if (c < u->lo || c > u->hi)
			return -1;
		u->more--;
	} else {
		if (c < 0xc2 || c > 0xf4)
			return -1;
		u->more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	}
	/* Nothing overlong, no surrogates, not beyond U+10FFFF. */
	u->lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	u->hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return 0;
}

/* Text that is not JSON is left to the parser, which gets it next. */
int
safetensors_text(struct safetensors_text *u, const unsigned char *p, size_t n,
    struct err *e)
{
	for (size_t i = 0; i < n; i++, u->pos++) {
		unsigned c = p[i];

		if ((u->more > 0 || c >= 0x80) && wide(u, c) < 0)
			return err_set(e, "header: not UTF-8 at byte %" PRIu64, u->pos);
		if (u->left > 0) {
			unsigned d = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

			u->value = u->value << 4 | (d & 15);
			if (--u->left > 0)
				continue;
			if (u->high != ((u->value & 0xfc00) == 0xdc00))
				return lone(u, e);
			u->high = (u->value & 0xfc00) == 0xd800;
		} else if (u->backslash) {
			u->backslash = false;
			if (c == 'u')
				u->left = 4;
			else if (u->high)
				return lone(u, e);
			u->value = 0;
		} else if (c == '\\') {
			u->backslash = true;
		} else if (u->high) {
			return lone(u, e);
		}
	}
	return 0;
}

static int
by_offset(const void *pa, const void *pb)
{
	const struct tensor *a = *(const struct tensor *const *)pa;
	const struct tensor *b = *(const struct tensor *const *)pb;

	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* Sorted by offset, each must begin where the one before ended. */
int
safetensors_tiles(const struct header *h, uint64_t base, struct err *e)
{
	size_t first = h->first, n = h->m->ntensor - first;
	const struct tensor **t, *last = NULL;
	uint64_t end = base;
	int r = 0;

	if (!(t = calloc(n + 1, sizeof *t)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < n; i++)
		t[i] = &h->m->tensor[first + i];
	qsort(t, n, sizeof *t, by_offset);
	for (size_t i = 0; i < n && r == 0; i++) {
		uint64_t at = t[i]->offset - base;

		if (t[i]->offset > end)
			r = err_set(e, "%s: data begins at %" PRIu64 ", a hole of %"
			    PRIu64 " bytes behind %s", t[i]->name, at,
			    t[i]->offset - end, last ? last->name : "the header");
		else if (t[i]->offset < end && last)
			r = err_set(e, "%s: data begins at %" PRIu64 " and overlaps "
			    "that of %s, which ends at %" PRIu64, t[i]->name, at,
			    last->name, end - base);
		last = t[i];
		end = t[i]->offset + t[i]->bytes;	/* checked by entry_end() */
	}
	free(t);
	return r;
}

int
safetensors_holds(const struct tensor *t, struct err *e)
{
	if (strcmp(t->name, SAFETENSORS_METADATA) == 0)
		return err_set(e, "%s: safetensors has no tensor of this name",
		    t->name);
	if (!t->type->safetensors)
		return err_set(e, "%s: safetensors has no %s; apr-dequant makes it "
		    "F32, F16 or BF16", t->name, t->type->name);
	if (t->row_bytes || t->flat)
		return err_set(e, "%s: safetensors cannot hold %s in %s; apr-dequant "
		    "unpacks it", t->name, t->type->name,
		    t->flat ? "blocks that run over row ends" : "padded rows");
	return 0;
}

/* The text of member `which` (from 1) of the object at p, an object too;
 * parse() has read it, so that braces and quotes are all there is to see. */
static const unsigned char *
span(const unsigned char *p, size_t n, size_t which, size_t *len)
{
	size_t begin = 0, members = 0;
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		if (quoted && p[i] == '\\') {
			i++;
		} else if (p[i] == '"') {
			quoted = !quoted;
		} else if (quoted) {
			continue;
		} else if (p[i] == '{') {
			if (++depth == 2 && ++members == which)
				begin = i;
		} else if (p[i] == '}' && --depth == 1 && members == which) {
			*len = i + 1 - begin;
			return p + begin;
		}
	}
	return NULL;
}

/* A safetensors source keeps its own, or has none as before. */
static int
put_metadata(struct buf *b, const struct layout_in *in, struct err *e)
{
	static const char usual[] = "{\"format\":\"pt\"}";
	const struct header *h = in->source;
	const char *history = history_of(in->m);
	const struct safetensors *s = h ? h->priv : NULL;
	const unsigned char *p = (const unsigned char *)usual;
	size_t n = sizeof usual - 1;
	bool edited = s && json_is_edited(in->m) && in->m->source &&
	    !strcmp(in->m->source, "safetensors");
	struct buf text = { 0 };

	if (s && s->metadata == 0) {
		if (!history && !edited)
			return 0;
		p = (const unsigned char *)"{}";
		n = 2;
	} else if (s && (h->raw.len < 8 ||
	    !(p = span(h->raw.p + 8, h->raw.len - 8, s->metadata, &n))))
		return err_set(e, "header: the source's __metadata__ is not there");
	buf_str(b, "\"" SAFETENSORS_METADATA "\":");
	if (edited) {
		json_edited(&text, p, n, in->m);
		p = text.p;
		n = text.len;
	}
	if (history)
		json_with(b, p, n, HISTORY_KEY, history);
	else
		buf_put(b, p, n);
	b->bad |= text.bad;
	buf_release(&text);
	return 0;
}

static void
put_entry(struct buf *b, const struct tensor *t, uint64_t begin)
{
	if (b->len > 0 && b->p[b->len - 1] != '{')
		buf_str(b, ",");
	buf_json(b, t->name, strlen(t->name));
	buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", t->type->safetensors);
	for (unsigned i = 0; i < t->ndim; i++)
		buf_printf(b, "%s%" PRIu64, i ? "," : "", t->dim[i]);
	buf_printf(b, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin,
	    begin + t->bytes);
}

int
safetensors_layout(const struct layout_in *in, struct layout *l, struct err *e)
{
	static const unsigned char zero[8];
	struct buf *b = &l->head;
	uint64_t end = 0, next;
	size_t bytes;

	if (size_mul(&bytes, in->n, sizeof *l->offset) ||
	    !(l->offset = calloc(1, bytes + 1)))
		return err_set(e, "out of memory");
	buf_put(b, zero, sizeof zero);
	buf_str(b, "{");
	if (put_metadata(b, in, e) < 0)
		return -1;
	for (size_t i = 0; i < in->n; i++) {
		const struct tensor *t = &in->m->tensor[in->which[i]];

		if (t->tied_to)		/* a copy: this format says nothing */
			continue;
		if (safetensors_holds(t, e) < 0)
			return -1;
		if (u64_add(&next, end, t->bytes))
			return err_set(e, "%s: %" PRIu64 " bytes are too many "
			    "behind %" PRIu64, t->name, t->bytes, end);
		put_entry(b, t, end);
		l->offset[i] = end;
		end = next;
		if (b->len > SAFETENSORS_HEADER)
			break;
	}
	buf_str(b, "}");
	while (b->len % 8 != 0 && !b->bad)
		buf_str(b, " ");
	if (buf_check(b, e) < 0)
		return -1;
	if (b->len - 8 > SAFETENSORS_HEADER)
		return err_set(e, "header: %zu tensors need more than the %" PRIu64
		    " bytes that safetensors allows", in->n, SAFETENSORS_HEADER);
	le64_put(b->p, b->len - 8);
	for (size_t i = 0; i < in->n; i++)
		if (!in->m->tensor[in->which[i]].tied_to)
			l->offset[i] += b->len;
	if (u64_add(&l->end, end, b->len))
		return err_set(e, "the file would be larger than 2^64 bytes");
	l->footer = false;
	return 0;
}

/* As Python's json.dumps does: nothing but ASCII. */
static void
put_string(struct buf *b, const char *name)
{
	static const char plain[] = "\"\\\n\t\r\b\f", escaped[] = "\"\\ntrbf";
	const unsigned char *p = (const unsigned char *)name;

	buf_str(b, "\"");
	while (*p) {
		unsigned k = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
		unsigned c = k ? *p & (0x3fu >> k) : *p;
		const char *at;

		for (p++; k > 0 && *p; k--)
			c = c << 6 | (*p++ & 0x3fu);
		if (c < 0x80 && (at = strchr(plain, (int)c)))
			buf_printf(b, "\\%c", escaped[at - plain]);
		else if (c >= 0x10000)
			buf_printf(b, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
			    0xdc00 | (c & 0x3ff));
		else if (c < 0x20 || c >= 0x7f)
			buf_printf(b, "\\u%04x", c);
		else
			buf_printf(b, "%c", (int)c);
	}
	buf_str(b, "\"");
}

static int
by_tensor(const void *pa, const void *pb)
{
	const struct tensor *a = *(const struct tensor *const *)pa;
	const struct tensor *b = *(const struct tensor *const *)pb;

	return strcmp(a->name, b->name);
}

int
hfdir_index(const struct manifest *m, const char *const *shard, struct buf *b,
    struct err *e)
{
	const struct tensor **t = calloc(m->ntensor + 1, sizeof *t);
	uint64_t n = 0, bytes = 0;
	size_t k = 0;

	if (!t)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < m->ntensor; i++) {
		if (!shard[i])
			continue;
		t[k++] = &m->tensor[i];
		if (u64_add(&n, n, m->tensor[i].n) ||
		    u64_add(&bytes, bytes, m->tensor[i].bytes)) {
			free(t);
			return err_set(e, "%s: all tensors together are larger than "
			    "2^64 bytes", m->tensor[i].name);
		}
	}
	qsort(t, k, sizeof *t, by_tensor);
	buf_printf(b, "{\n  \"metadata\": {\n    \"total_parameters\": %" PRIu64
	    ",\n    \"total_size\": %" PRIu64 "\n  },\n  \"weight_map\": {", n, bytes);
	for (size_t i = 0; i < k; i++) {
		buf_str(b, i ? ",\n    " : "\n    ");
		put_string(b, t[i]->name);
		buf_str(b, ": ");
		put_string(b, shard[t[i] - m->tensor]);
	}
	buf_str(b, k ? "\n  }\n}\n" : "}\n}\n");
	free(t);
	return buf_check(b, e);
}
