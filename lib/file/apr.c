/* SPDX-License-Identifier: MIT */
/*
 * apr.c -- reading .apr v2, all eras: header, metadata (JSON), index, data.
 * The layout is aprender's: 64 bytes of header, sections aligned to 64, an
 * index sorted by name, a CRC-32 footer that some writers leave out.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include <apr/size.h>

#include "apr.h"

#define APR_NAME	65535u

/* Codes of all eras; one code may have two meanings, told by the length. */
static const struct { unsigned code; const char *type; } codes[] = {
	{ 0, "F32" }, { 1, "F16" }, { 2, "BF16" }, { 2, "Q4_0" }, { 3, "F64" },
	{ 3, "Q4_1" }, { 4, "I32" }, { 5, "I64" }, { 6, "I8" }, { 6, "Q5_0" },
	{ 7, "U8" }, { 7, "Q5_1" }, { 8, "apr_q4" }, { 8, "Q8_0" },
	{ 9, "apr_q8" }, { 10, "Q2_K" }, { 11, "Q3_K" }, { 12, "Q4_K" },
	{ 13, "Q5_K" }, { 14, "Q6_K" }, { 16, "IQ2_XXS" }, { 17, "IQ2_XS" },
	{ 30, "BF16" }, { 128, "apr_q4" }, { 129, "apr_q8" },
};

uint32_t
apr_header_crc(const unsigned char *h)
{
	return libdeflate_crc32(libdeflate_crc32(0, h, 40), h + 44, 20);
}

static int
probe(const unsigned char *p, size_t n)
{
	if (n >= 4 && !memcmp(p, "APR", 3) && (p[3] == 0 || p[3] == '2' ||
	    p[3] == '1' || p[3] == 'N'))
		return 32;
	return 0;
}

/* Type and layout of an entry from its code and its length. */
static int
set_type(struct tensor *t, unsigned code, uint64_t size, struct err *e)
{
	static const enum tensor_layout how[] = { TENSOR_ROWS, TENSOR_PADDED, TENSOR_FLAT };
	const struct type *only = NULL;
	struct err ignored;
	char shape[192];
	size_t known = 0;

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		const struct type *type = type_by_name(codes[i].type);

		if (codes[i].code != code || !type)
			continue;
		known++;
		only = type;
		for (size_t k = 0; k < 3; k++)
			if (tensor_set(t, type, how[k], &ignored) == 0 && t->bytes == size)
				return 0;
	}
	if (known == 0)
		return err_set(e, "%s: unknown dtype code %u", t->name, code);
	if (known == 1 && tensor_set(t, only, TENSOR_PADDED, e) < 0)
		return -1;
	return err_set(e, "%s: %" PRIu64 " bytes do not fit shape %s of dtype code %u",
	    t->name, size, tensor_shape(t, shape, sizeof shape), code);
}

static int
read_entry(struct in *in, struct header *h, uint64_t data, struct err *e)
{
	unsigned char b[16];
	char name[APR_NAME];
	struct tensor *t;
	uint64_t size;
	unsigned code;
	size_t len;

	if (in_read(in, b, 2, e) < 0)
		return -1;
	len = le16_get(b);
	if (in_read(in, name, len, e) < 0 || in_read(in, b, 2, e) < 0)
		return -1;
	if (!(t = manifest_add_tensor(h->m, name, len, e)))
		return -1;
	code = b[0];
	if (b[1] > TENSOR_DIMS)
		return err_set(e, "%s: %u dimensions, at most %d are known", t->name,
		    b[1], TENSOR_DIMS);
	t->ndim = b[1];
	for (unsigned i = 0; i < t->ndim; i++) {
		if (in_read(in, b, 8, e) < 0)
			return -1;
		t->dim[i] = le64_get(b);
	}
	if (in_read(in, b, 16, e) < 0)
		return -1;
	size = le64_get(b + 8);
	if (u64_add(&t->offset, data, le64_get(b)))
		return err_set(e, "%s: offset %" PRIu64 " overflows", t->name, le64_get(b));
	t->code = code;
	if (size > INT64_MAX)
		return err_set(e, "%s: %" PRIu64 " bytes are too many", t->name, size);
	if (size == 0 && code == 0) {
		/* An F32 without bytes: a ghost, unless its shape is empty too. */
		if (tensor_set(t, &type_f32, TENSOR_ROWS, e) < 0)
			return -1;
		if (t->bytes > 0)
			t->tied_to = "";
		return 0;
	}
	return set_type(t, code, size, e);
}

#define EMBEDDINGS	16	/* that ghosts may choose from */

/* A ghost is tied to the one embedding of its shape that has bytes. */
static int
tie(struct header *h, struct err *e)
{
	const struct apr *a = h->priv;
	struct manifest *m = h->m;
	const struct tensor *o, *with[EMBEDDINGS];
	size_t n = 0;

	/* So few that a million of ghosts is no work. */
	for (size_t i = h->first; i < m->ntensor && n < EMBEDDINGS; i++) {
		o = &m->tensor[i];
		if (!o->tied_to && o->bytes > 0 && name_is_embedding(o->name))
			with[n++] = o;
	}
	for (size_t i = h->first; i < m->ntensor; i++) {
		struct tensor *t = &m->tensor[i];
		size_t found = 0;

		if (!t->tied_to)
			continue;
		if (!a->tied)
			return err_set(e, "%s: has no bytes, and tied_embeddings is not true",
			    t->name);
		if (n == EMBEDDINGS)
			return err_set(e, "%s: has no bytes, and there are %d embeddings"
			    " or more to which it could be tied", t->name, EMBEDDINGS);
		for (size_t k = 0; k < n; k++)
			if (tensor_same_shape(with[k], t)) {
				t->tied_to = with[k]->name;
				found++;
			}
		if (found != 1)
			return err_set(e, "%s: has no bytes, and %zu of %zu embeddings"
			    " have its shape, so it is tied to none", t->name, found, n);
		t->bytes = 0;
		t->offset = 0;
	}
	return 0;
}

struct meta {
	struct view	*view;
	struct apr	*a;
	struct manifest	*m;
	int		 depth;
	bool		 tied_next, name_next, object;
};

static int
meta_event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct meta *m = ctx;

	if (m->depth == 0 && ev == JSON_OBJECT)
		m->object = true;
	if (m->tied_next && ev == JSON_TRUE)
		m->a->tied = true;
	if (m->name_next && ev == JSON_STRING && n > 0 && n < 256 && !memchr(s, 0, n) &&
	    !m->m->name && !(m->m->name = arena_strn(&m->m->arena, s, n)))
		return err_set(e, "out of memory");
	m->tied_next = ev == JSON_KEY && m->depth == 1 && n == 15 &&
	    !memcmp(s, "tied_embeddings", 15);
	m->name_next = ev == JSON_KEY && m->depth == 1 && n == 4 && !memcmp(s, "name", 4);
	m->depth += (ev == JSON_OBJECT || ev == JSON_ARRAY) -
	    (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END);
	return view_event(m->view, ev, s, n, e);
}

/*
 * Text as it arrives, given on up to the mark before a string that is open:
 * yajl copies what is cut, and the first word of a piece; so it keeps no copy
 * of a string that is as long as a tokenizer.
 */
struct strings {
	size_t	 given, seen;		/* bytes */
	size_t	 mark;			/* of , : [ { outside of strings, the last */
	bool	 open, escaped, bad;
};

static size_t
strings_until(struct strings *s, const unsigned char *text, size_t n)
{
	for (; s->seen < n && !s->bad; s->seen++) {
		unsigned char c = text[s->seen];

		if (s->open) {
			s->bad = c < ' ';
			s->open = s->escaped || c != '"';
			s->escaped = !s->escaped && c == '\\';
		} else if (c == '"') {
			s->open = true;
		} else if (c == ',' || c == ':' || c == '[' || c == '{') {
			s->mark = s->seen;
		}
	}
	if (!s->open || s->bad)
		return n;
	return s->mark > s->given ? s->mark : s->given;
}

static int
read_metadata(struct in *in, struct header *h, uint64_t size, struct err *e)
{
	struct apr *a = h->priv;
	struct meta m = { .a = a, .m = h->m };
	struct strings strings = { 0 };
	struct json *j = NULL;
	const char *text;
	uint64_t left = size;
	int r = -1;

	a->meta = (size_t)in_pos(in);
	a->meta_len = (size_t)size;
	if (size == 0) {
		if (!h->m->metadata)
			h->m->metadata = "{}";
		return 0;
	}
	if (!(m.view = view_new(e)) || !(j = json_new("metadata", meta_event, &m, e)))
		goto out;
	while (left > 0) {
		const unsigned char *p;
		size_t n;
		int k = in_some(in, left < 65536 ? (size_t)left : 65536, &p, &n, e);

		if (k < 0)
			goto out;
		if (k == 0) {
			err_set(e, "metadata of %" PRIu64 " bytes: the file ends %" PRIu64
			    " bytes early", size, left);
			goto out;
		}
		left -= n;
		/* The raw text is in the tee, or in memory: both begin at the file's. */
		p = h->raw.p + a->meta;
		n = left == 0 ? (size_t)size : strings_until(&strings, p, (size_t)(size - left));
		if (json_feed(j, p + strings.given, n - strings.given, e) < 0)
			goto out;
		strings.given = n;
	}
	if (json_end(j, e) < 0)
		goto out;
	if (!m.object) {
		err_set(e, "metadata is no JSON object");
		goto out;
	}
	if (!h->m->metadata) {
		if (!(text = view_text(m.view, e)))
			goto out;
		if (!(h->m->metadata = arena_strn(&h->m->arena, text, strlen(text)))) {
			err_set(e, "out of memory");
			goto out;
		}
	}
	r = held_find(h, a->meta, a->meta + a->meta_len, e);
out:
	json_free(j);
	view_free(m.view);
	return r;
}

static int
check_flags(unsigned flags, struct err *e)
{
	if (flags & APR_COLUMN_MAJOR)
		return err_set(e, "flags 0x%04x: column-major files are not read", flags);
	if (flags & (APR_LZ4 | APR_ZSTD))
		return err_set(e, "flags 0x%04x: compressed files are not read", flags);
	if (flags & APR_ENCRYPTED)
		return err_set(e, "flags 0x%04x: encrypted files are not read", flags);
	return 0;
}

static int
read_header(struct in *in, unsigned char *b, struct err *e)
{
	/* An older file may be shorter than this header. */
	if (in_read(in, b, 6, e) < 0)
		return -1;
	if (!memcmp(b, "APRN", 4) || !memcmp(b, "APR1", 4))
		return err_set(e, "an APR v1 file (%.4s): only version 2 is read", b);
	if (memcmp(b, "APR", 4))
		return err_set(e, "magic APR%c: only APR\\0 is read", b[3]);
	if (b[4] != 2)
		return err_set(e, "version %u.%u: only version 2 is read", b[4], b[5]);
	if (in_read(in, b + 6, APR_HEADER - 6, e) < 0)
		return -1;
	if (apr_header_crc(b) != le32_get(b + 40))
		return err_set(e, "header checksum %08x, its bytes give %08x",
		    le32_get(b + 40), apr_header_crc(b));
	return check_flags(le16_get(b + 6), e);
}

static int
parse(struct in *in, struct header *h, struct err *e)
{
	unsigned char b[APR_HEADER];
	uint64_t meta, meta_size, index, data, end;
	uint32_t n;
	bool gguf = false;

	if (!(h->priv = calloc(1, sizeof(struct apr))))
		return err_set(e, "out of memory");
	if (read_header(in, b, e) < 0)
		return -1;
	((struct apr *)h->priv)->sharded = le16_get(b + 6) & APR_SHARDED;
	n = le32_get(b + 8);
	meta = le64_get(b + 12);
	meta_size = le32_get(b + 20);
	index = le64_get(b + 24);
	data = le64_get(b + 32);
	if (n > TENSOR_COUNT)
		return err_set(e, "%u tensors, at most %u are read", n, TENSOR_COUNT);
	if (meta < APR_HEADER || u64_add(&end, meta, meta_size) || index < end || data < index)
		return err_set(e, "sections out of order: metadata at %" PRIu64 " of %"
		    PRIu64 " bytes, index at %" PRIu64 ", data at %" PRIu64,
		    meta, meta_size, index, data);
	if (data > HEADER_MAX)
		return err_set(e, "a header of %" PRIu64 " bytes, at most %" PRIu64
		    " are read", data, HEADER_MAX);
	if (in_zeros(in, meta - in_pos(in), "gap before the metadata", e) < 0 ||
	    read_metadata(in, h, meta_size, e) < 0 ||
	    in_zeros(in, index - in_pos(in), "gap before the index", e) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		if (read_entry(in, h, data, e) < 0)
			return -1;
		if (in_pos(in) > data)
			return err_set(e, "index entry %u ends at %" PRIu64 ", behind the"
			    " data's start at %" PRIu64, i, in_pos(in), data);
		gguf |= !strncmp(h->m->tensor[h->m->ntensor - 1].name, "blk.", 4);
	}
	if (in_zeros(in, data - in_pos(in), "gap before the data", e) < 0 || tie(h, e) < 0)
		return -1;
	if (!h->m->source)
		h->m->source = "apr";
	if (!h->m->convention)
		h->m->convention = gguf ? "gguf" : "apr";
	h->align = APR_ALIGN;
	h->footer = true;
	return 0;
}

static void
release(struct header *h)
{
	free(h->priv);
	h->priv = NULL;
}

int
apr_code(const struct type *type, bool legacy)
{
	static const struct { const char *type; int code; } out[] = {
		{ "F32", 0 }, { "F16", 1 }, { "BF16", 30 }, { "F64", 3 }, { "I32", 4 },
		{ "I64", 5 }, { "I8", 6 }, { "U8", 7 }, { "Q2_K", 10 }, { "Q3_K", 11 },
		{ "Q4_K", 12 }, { "Q5_K", 13 }, { "Q6_K", 14 },
	};

	if (type == &type_apr_q4)
		return legacy ? 8 : 128;
	if (type == &type_apr_q8)
		return legacy ? 9 : 129;
	for (size_t i = 0; i < sizeof out / sizeof *out; i++)
		if (!strcmp(out[i].type, type->name))
			return out[i].code;
	return -1;
}

static int
holds(const struct tensor *t, struct err *e)
{
	if (apr_code(t->type, false) >= 0)
		return 0;
	return err_set(e, "%s: an .apr cannot hold %s (it holds F32 F16 BF16 F64,"
	    " I8 I32 I64 U8, apr_q4 apr_q8, Q2_K to Q6_K): apr-quant or apr-dequant"
	    " it first", t->name, t->type->name);
}

static bool
has_key(const char *key)
{
	return !strcmp(key, HISTORY_KEY);
}

const struct format format_apr = {
	.name = "apr", .suffix = ".apr",
	.probe = probe, .parse = parse, .free = release,
	.holds = holds, .layout = apr_layout, .has_key = has_key,
};
