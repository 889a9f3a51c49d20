/* SPDX-License-Identifier: MIT */
/*
 * zip.c -- the directory at the end of a zip archive.  (An archive library
 * reads entries one after the other; tensors are wanted where they lie, and
 * before their bytes.)
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <zlib.h>

#include <apr/size.h>

#include "zip.h"

#define END		22		/* bytes of the record at the end */
#define END_MAX		(END + 65535)	/* with its comment */
#define END64		56
#define LOCATOR		20
#define CENTRAL		46		/* of an entry in the directory */
#define LOCAL		30
#define DIRECTORY_MAX	((uint64_t)256 << 20)
#define ENTRIES_MAX	(1u << 20)
#define NAME_LIMIT	1100		/* a tensor's, and its folders' */

struct end {
	uint64_t entries, size, from;
};

static int
sig(const unsigned char *p, unsigned a, unsigned b)
{
	return p[0] == 'P' && p[1] == 'K' && p[2] == a && p[3] == b;
}

/* The record at the end, behind which only its comment may be. */
static int
find_end(struct in *in, struct end *end, struct err *e)
{
	uint64_t size = in_size(in), at, where;
	size_t n = size < END_MAX ? (size_t)size : END_MAX, i;
	unsigned char *b = malloc(n + 1), r[END64];
	int ret = -1;

	if (!b)
		return err_set(e, "out of memory");
	if (in_pread(in, b, n, size - n, e) < 0)
		goto out;
	for (i = n < END ? 0 : n - END + 1; i > 0; i--)
		if (sig(b + i - 1, 5, 6) && le16_get(b + i - 1 + 20) == n - (i - 1) - END)
			break;
	if (i == 0) {
		err_set(e, "no zip directory at its end: it is cut off, or damaged");
		goto out;
	}
	at = size - n + (i - 1);
	if (le16_get(b + i - 1 + 4) || le16_get(b + i - 1 + 6)) {
		err_set(e, "one of several parts of a zip archive");
		goto out;
	}
	*end = (struct end){ le16_get(b + i - 1 + 10), le32_get(b + i - 1 + 12),
	    le32_get(b + i - 1 + 16) };
	where = at;
	if (at >= LOCATOR && in_pread(in, r, LOCATOR, at - LOCATOR, e) == 0 && sig(r, 6, 7)) {
		where = le64_get(r + 8);
		if (in_pread(in, r, END64, where, e) < 0 || !sig(r, 6, 6)) {
			err_set(e, "no large zip directory where byte %" PRIu64 " says", at);
			goto out;
		}
		*end = (struct end){ le64_get(r + 32), le64_get(r + 40), le64_get(r + 48) };
	}
	if (end->size > DIRECTORY_MAX || end->entries > ENTRIES_MAX) {
		err_set(e, "a zip directory of %" PRIu64 " bytes and %" PRIu64 " entries: at"
		    " most %" PRIu64 " and %u are read", end->size, end->entries,
		    DIRECTORY_MAX, ENTRIES_MAX);
		goto out;
	}
	if (end->from > where || end->size > where - end->from) {
		err_set(e, "a zip directory of %" PRIu64 " bytes at %" PRIu64 " does not lie"
		    " before its end at %" PRIu64, end->size, end->from, where);
		goto out;
	}
	ret = 0;
out:
	free(b);
	return ret;
}

/* Numbers that did not fit, in the order in which they are wanted. */
static int
large(const unsigned char *x, size_t n, uint64_t **want, size_t nwant)
{
	size_t at = 0, k;

	while (n - at >= 4) {
		k = le16_get(x + at + 2);
		if (k > n - at - 4)
			return -1;
		if (le16_get(x + at) != 1) {
			at += 4 + k;
			continue;
		}
		if (k < nwant * 8)
			return -1;
		for (size_t i = 0; i < nwant; i++)
			*want[i] = le64_get(x + at + 4 + 8 * i);
		return 0;
	}
	return nwant ? -1 : 0;
}

/* The bytes begin behind a second header, whose name must be the same. */
static int
locate(struct in *in, struct zip_entry *en, uint64_t at, uint64_t limit, struct err *e)
{
	unsigned char b[LOCAL], name[NAME_LIMIT];
	size_t n = strlen(en->name);

	if (in_pread(in, b, LOCAL, at, e) < 0)
		return -1;
	if (!sig(b, 3, 4) || le16_get(b + 26) != n ||
	    in_pread(in, name, n, at + LOCAL, e) < 0 || memcmp(name, en->name, n))
		return err_set(e, "no header of its own at byte %" PRIu64, at);
	en->from = at + LOCAL + n + le16_get(b + 28);
	if (en->from > limit || en->packed > limit - en->from)
		return err_set(e, "its %" PRIu64 " bytes at %" PRIu64 " run into the directory"
		    " at %" PRIu64, en->packed, en->from, limit);
	return 0;
}

/* An entry's lengths, as they are kept where 32 bits are too few. */
static int
lengths(struct zip_entry *en, const unsigned char *p, uint64_t *at, struct err *e)
{
	size_t name = le16_get(p + 28), extra = le16_get(p + 30), k = 0;
	unsigned flags = le16_get(p + 8), method = le16_get(p + 10);
	uint64_t *want[3];

	en->crc = le32_get(p + 16);
	en->packed = le32_get(p + 20);
	en->bytes = le32_get(p + 24);
	*at = le32_get(p + 42);
	en->deflated = method == 8;
	if (en->bytes == UINT32_MAX)
		want[k++] = &en->bytes;
	if (en->packed == UINT32_MAX)
		want[k++] = &en->packed;
	if (*at == UINT32_MAX)
		want[k++] = at;
	if (large(p + CENTRAL + name, extra, want, k) < 0)
		return err_set(e, "its lengths are missing");
	if (flags & 1)
		return err_set(e, "is encrypted");
	if (method != 0 && method != 8)
		return err_set(e, "is packed by method %u: only stored and deflated ones are"
		    " read", method);
	if (method == 0 && en->packed != en->bytes)
		return err_set(e, "is stored, but %" PRIu64 " bytes are not %" PRIu64,
		    en->packed, en->bytes);
	return en->bytes <= INT64_MAX ? 0 : err_set(e, "has %" PRIu64 " bytes", en->bytes);
}

/* One entry of the directory, at p, of which n bytes are left; *all of them
 * are its own. */
static int
entry(struct zip *z, struct in *in, const unsigned char *p, size_t n, uint64_t limit,
    size_t *all, struct err *e)
{
	struct zip_entry *en = &z->entry[z->n];
	size_t name;
	uint64_t at;

	if (n < CENTRAL || !sig(p, 1, 2))
		return err_set(e, "entry %zu of the zip directory is damaged", z->n);
	name = le16_get(p + 28);
	*all = CENTRAL + name + le16_get(p + 30) + le16_get(p + 32);
	if (*all > n || name == 0 || name >= NAME_LIMIT || memchr(p + CENTRAL, 0, name) ||
	    !utf8_valid(p + CENTRAL, name))
		return err_set(e, "entry %zu of the zip directory has no name of %zu bytes", z->n,
		    name);
	if (!(en->name = arena_strn(&z->arena, p + CENTRAL, name)))
		return err_set(e, "out of memory");
	if (lengths(en, p, &at, e) < 0 || locate(in, en, at, limit, e) < 0)
		return err_prefix(e, "%s", en->name);
	return 0;
}

static int
by_place(const void *a, const void *b)
{
	const struct zip_entry *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct zip_entry *const *)a)->name,
	    (*(const struct zip_entry *const *)b)->name);
}

/* Nothing twice. */
static int
check(const struct zip *z, struct err *e)
{
	const struct zip_entry **v = calloc(z->n + 1, sizeof *v);
	int r = v ? 0 : err_set(e, "out of memory");

	for (size_t i = 1; i < z->n && r == 0; i++)
		if (z->entry[i].from < z->entry[i - 1].from + z->entry[i - 1].packed)
			r = err_set(e, "%s lies in %s", z->entry[i].name, z->entry[i - 1].name);
	for (size_t i = 0; i < z->n && r == 0; i++)
		v[i] = &z->entry[i];
	if (r == 0)
		qsort(v, z->n, sizeof *v, by_name);
	for (size_t i = 1; i < z->n && r == 0; i++)
		if (!strcmp(v[i]->name, v[i - 1]->name))
			r = err_set(e, "%s is there twice", v[i]->name);
	free(v);
	return r;
}

int
zip_read(struct zip *z, struct in *in, struct err *e)
{
	unsigned char *b = NULL;
	struct end end = { 0, 0, 0 };
	size_t at = 0, n = 0;
	int r = -1;

	if (!in_can_pread(in))
		return err_set(e, "a zip archive has its directory at the end: it must be a"
		    " file, not a pipe, nor compressed");
	if (find_end(in, &end, e) < 0)
		return -1;
	/* Each takes its bytes, so counts are no reason for memory. */
	if (end.entries > end.size / CENTRAL)
		return err_set(e, "%" PRIu64 " entries in a zip directory of %" PRIu64 " bytes",
		    end.entries, end.size);
	if (!(b = malloc((size_t)end.size + 1)) ||
	    !(z->entry = calloc((size_t)end.entries + 1, sizeof *z->entry))) {
		err_set(e, "out of memory");
		goto out;
	}
	if (in_pread(in, b, (size_t)end.size, end.from, e) < 0)
		goto out;
	while (z->n < end.entries) {
		if (entry(z, in, b + at, (size_t)end.size - at, end.from, &n, e) < 0)
			goto out;
		at += n;
		z->n++;
	}
	qsort(z->entry, z->n, sizeof *z->entry, by_place);
	r = check(z, e);
out:
	free(b);
	return r;
}

void
zip_release(struct zip *z)
{
	free(z->entry);
	arena_release(&z->arena);
	memset(z, 0, sizeof *z);
}

const struct zip_entry *
zip_find(const struct zip *z, const char *name)
{
	for (size_t i = 0; i < z->n; i++)
		if (!strcmp(z->entry[i].name, name))
			return &z->entry[i];
	return NULL;
}

static int
inflated(struct in *in, const struct zip_entry *en, uint64_t max, struct buf *b, struct err *e)
{
	unsigned char src[16384], dst[16384];
	uint64_t at = en->from, left = en->packed;
	z_stream z = { 0 };
	int r = Z_OK, ret = 0;

	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return err_set(e, "out of memory");
	while (ret == 0 && r == Z_OK && b->len < max) {
		if (z.avail_in == 0) {
			size_t n = left < sizeof src ? (size_t)left : sizeof src;

			if ((ret = in_pread(in, src, n, at, e)) < 0)
				break;
			z.next_in = src;
			z.avail_in = (uInt)n;
			at += n;
			left -= n;
		}
		z.next_out = dst;
		z.avail_out = sizeof dst;
		r = inflate(&z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END)
			ret = err_set(e, "its packed bytes are damaged");
		else
			buf_put(b, dst, sizeof dst - z.avail_out);
	}
	inflateEnd(&z);
	return ret < 0 ? -1 : buf_check(b, e);
}

int
zip_get(struct in *in, const struct zip_entry *en, uint64_t max, struct buf *b,
    struct err *e)
{
	unsigned char *p;
	size_t n;
	uint32_t crc;

	if (en->deflated) {
		if (inflated(in, en, max, b, e) < 0)
			return -1;
		if (b->len > max)
			b->len = (size_t)max;
	} else {
		n = en->bytes < max ? (size_t)en->bytes : (size_t)max;
		if (!(p = malloc(n + 1)))
			return err_set(e, "out of memory");
		if (in_pread(in, p, n, en->from, e) < 0) {
			free(p);
			return -1;
		}
		buf_put(b, p, n);
		free(p);
		if (buf_check(b, e) < 0)
			return -1;
	}
	if (b->len > en->bytes)
		return err_set(e, "more than its %" PRIu64 " bytes", en->bytes);
	if (b->len < en->bytes)
		return max < en->bytes ? 0 : err_set(e, "%zu bytes of %" PRIu64, b->len,
		    en->bytes);
	crc = libdeflate_crc32(0, b->p, b->len);
	if (crc != en->crc)
		return err_set(e, "CRC-32 %08x, its bytes give %08x", en->crc, crc);
	return 0;
}
