/* SPDX-License-Identifier: MIT */
/* npz.c -- NumPy's .npz: a zip archive of .npy files.  Read only. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "spot.h"
#include "zip.h"

#define HEADER_LIMIT	65536	/* bytes of a .npy's header, at most */

/* What NumPy calls a number. */
static const struct { const char *descr, *type; } types_of[] = {
	{ "<f4", "F32" }, { "<f8", "F64" }, { "<f2", "F16" },
	{ "|i1", "I8" }, { "<i2", "I16" }, { "<i4", "I32" }, { "<i8", "I64" },
	{ "|u1", "U8" }, { "<u2", "U16" }, { "<u4", "U32" }, { "<u8", "U64" },
	{ "|b1", "BOOL" },
};

/* A header's text: Python's way to write a dict. */
struct text {
	const char	*p, *end;
};

static bool
next(struct text *t, const char *s)
{
	size_t n = strlen(s);

	while (t->p < t->end && (*t->p == ' ' || *t->p == '\n'))
		t->p++;
	if ((size_t)(t->end - t->p) < n || memcmp(t->p, s, n))
		return false;
	t->p += n;
	return true;
}

/* 'text': its length, or 0. */
static size_t
quoted(struct text *t, const char **s)
{
	const char *q;

	if (!next(t, "'") || !(q = memchr(t->p, '\'', (size_t)(t->end - t->p))))
		return 0;
	*s = t->p;
	t->p = q + 1;
	return (size_t)(q - *s);
}

static int
shape(struct text *t, struct tensor *out, struct err *e)
{
	const char *p;

	if (!next(t, "("))
		return err_set(e, "its shape is no tuple");
	while (!next(t, ")")) {
		for (p = t->p; p < t->end && *p >= '0' && *p <= '9'; p++)
			;
		if (out->ndim == TENSOR_DIMS)
			return err_set(e, "more than %d dimensions", TENSOR_DIMS);
		if (!json_u64(t->p, (size_t)(p - t->p), &out->dim[out->ndim]))
			return err_set(e, "its shape is no tuple of numbers");
		out->ndim++;
		t->p = p;
		if (!next(t, ",") && (t->p == t->end || *t->p != ')'))
			return err_set(e, "its shape is no tuple of numbers");
	}
	return 0;
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
static int
dict(struct text *t, struct tensor *out, const struct type **type, bool *fortran,
    struct err *e)
{
	unsigned seen = 0;
	const char *key, *s;
	size_t n, k;

	if (!next(t, "{"))
		return err_set(e, "its header is no dict");
	while (!next(t, "}")) {
		n = quoted(t, &key);
		if (n == 0 || !next(t, ":"))
			return err_set(e, "its header is no dict");
		if (n == 5 && !memcmp(key, "descr", 5)) {
			if ((k = quoted(t, &s)) == 0)
				return err_set(e, "is made of records, not of numbers");
			for (size_t i = 0; i < sizeof types_of / sizeof *types_of; i++)
				if (strlen(types_of[i].descr) == k &&
				    !memcmp(types_of[i].descr, s, k))
					*type = type_by_name(types_of[i].type);
			if (!*type)
				return err_set(e, "is made of %.*s: no number that is known,"
				    " little-endian", (int)(k > 40 ? 40 : k), s);
			seen |= 1;
		} else if (n == 13 && !memcmp(key, "fortran_order", 13)) {
			*fortran = next(t, "True");
			if (!*fortran && !next(t, "False"))
				return err_set(e, "fortran_order is neither True nor False");
			seen |= 2;
		} else if (n == 5 && !memcmp(key, "shape", 5)) {
			out->ndim = 0;
			if (shape(t, out, e) < 0)
				return -1;
			seen |= 4;
		} else
			return err_set(e, "its header has a key %.*s", (int)(n > 40 ? 40 : n), key);
		if (!next(t, ",") && (t->p == t->end || *t->p != '}'))
			return err_set(e, "its header is no dict");
	}
	return seen == 7 ? 0 : err_set(e, "its header lacks descr, fortran_order or shape");
}

/* The bytes before the numbers. */
static int
npy(const struct buf *b, struct tensor *out, const struct type **type, bool *fortran,
    uint64_t *skip, struct err *e)
{
	size_t head, n;
	struct text t;

	if (b->len < 10 || memcmp(b->p, "\x93NUMPY", 6))
		return err_set(e, "is no .npy file");
	if (b->p[6] < 1 || b->p[6] > 3)
		return err_set(e, "is a .npy file of version %d", b->p[6]);
	head = b->p[6] == 1 ? 10 : 12;
	if (b->len < head)
		return err_set(e, "its header is cut off");
	n = b->p[6] == 1 ? le16_get(b->p + 8) : le32_get(b->p + 8);
	if (n > b->len - head)
		return err_set(e, "its header is cut off, or longer than %d bytes", HEADER_LIMIT);
	t = (struct text){ (const char *)b->p + head, (const char *)b->p + head + n };
	*skip = head + n;
	return dict(&t, out, type, fortran, e);
}

static int
add(struct header *h, struct in *in, const struct zip_entry *en, struct err *e)
{
	struct tensor shape_of = { .ndim = 0 }, *t;
	const struct type *type = NULL;
	struct buf b = { 0 };
	bool fortran = false;
	uint64_t skip = 0, n = 1;
	struct spot *p;
	size_t len = strlen(en->name);
	int r;

	if (len < 5 || strcmp(en->name + len - 4, ".npy"))
		return err_set(e, "is no .npy file");
	r = zip_get(in, en, HEADER_LIMIT, &b, e);
	if (r == 0)
		r = npy(&b, &shape_of, &type, &fortran, &skip, e);
	buf_release(&b);
	if (r < 0 || !(t = manifest_add_tensor(h->m, en->name, len - 4, e)))
		return -1;
	t->ndim = shape_of.ndim;
	memcpy(t->dim, shape_of.dim, sizeof t->dim);
	if (tensor_set(t, type, TENSOR_ROWS, e) < 0)
		return -1;	/* which names it */
	if (en->bytes - skip != t->bytes)
		return err_set(e, "%" PRIu64 " bytes of numbers, its shape and type take %" PRIu64,
		    en->bytes - skip, t->bytes);
	t->offset = h->spots->n;
	if (!(p = spots_add(h->spots, e)))
		return -1;
	p->from = en->from + (en->deflated ? 0 : skip);
	p->packed = en->deflated ? en->packed : 0;
	p->skip = skip;
	p->sum = spots_sum(h->spots, en->from, en->bytes, en->crc, e);
	if (p->sum == NO_SUM)
		return -1;
	for (unsigned d = 0; fortran && d < t->ndim; d++) {
		p->stride[d] = n;
		n *= t->dim[d];
	}
	p->strided = fortran && t->ndim > 1;
	return 0;
}

static int
parse(struct in *in, struct header *h, struct err *e)
{
	struct zip z = { 0 };
	int r;

	in_tee(in, NULL);
	if (!h->m->convention)
		h->m->convention = "hf";
	if (!h->m->source)
		h->m->source = "npz";
	if (!(h->spots = spots_new(e)))
		return -1;
	r = zip_read(&z, in, e);
	if (r == 0 && z.n == 0)
		r = err_set(e, "no arrays");
	for (size_t i = 0; i < z.n && r == 0; i++)
		if ((r = add(h, in, &z.entry[i], e)) < 0)
			err_prefix(e, "%s", z.entry[i].name);
	zip_release(&z);
	return r;
}

/* A zip archive whose first entry is an array. */
static int
probe(const unsigned char *p, size_t n)
{
	size_t name = n >= 30 ? le16_get(p + 26) : 0;

	return n >= 30 + name && name > 4 && !memcmp(p, "PK\3\4", 4) &&
	    !memcmp(p + 30 + name - 4, ".npy", 4) ? 64 : 0;
}

static bool
has_key(const char *key)
{
	(void)key;
	return false;
}

const struct format format_npz = {
	.name = "npz", .suffix = ".npz", .probe = probe, .parse = parse,
	.has_key = has_key,
};
