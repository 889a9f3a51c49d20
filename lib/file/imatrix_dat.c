/* SPDX-License-Identifier: MIT */
/*
 * imatrix_dat.c -- the older file, little-endian: i32 entries; each i32
 * length, name, i32 calls, i32 n, n f32; then perhaps i32 chunks, i32 length,
 * name of the data set.
 */
#include <inttypes.h>
#include <string.h>

#include <apr/size.h>

#include "imatrix.h"

#define DATASET	65535	/* bytes of its name */

/* A length, or a count, in a .dat. */
static int
take(struct in *in, int32_t *v, const char *what, struct err *e)
{
	unsigned char b[4];

	if (in_read(in, b, 4, e) < 0)
		return err_prefix(e, "%s", what);
	*v = (int32_t)le32_get(b);
	return 0;
}

static int
take_text(struct in *in, char *text, size_t max, const char *what, size_t *len,
    struct err *e)
{
	int32_t n = 0;

	if (take(in, &n, what, e) < 0)
		return -1;
	if (n < 1 || (size_t)n > max)
		return err_set(e, "%s has %" PRId32 " bytes: 1 to %zu are allowed", what, n, max);
	*len = (size_t)n;
	if (in_read(in, text, *len, e) < 0)
		return err_prefix(e, "%s", what);
	if (memchr(text, 0, *len) || !utf8_valid(text, *len))
		return err_set(e, "%s is not UTF-8", what);
	return 0;
}

int
imatrix_read_dat(struct imatrix *m, struct in *in, struct err *e)
{
	int32_t entries = 0, calls = 0, n = 0, chunks = 0;
	const unsigned char *p;
	char text[DATASET];
	struct entry *x;
	size_t len;

	if (take(in, &entries, "its count of entries", e) < 0)
		return -1;
	if (entries < 1)
		return err_set(e, "neither a GGUF nor an old imatrix: %" PRId32 " entries",
		    entries);
	for (int32_t i = 0; i < entries; i++) {
		uint64_t zeros = 0;

		if (take_text(in, text, TENSOR_NAME, "a name", &len, e) < 0 ||
		    take(in, &calls, "its calls", e) < 0 ||
		    take(in, &n, "its length", e) < 0)
			return err_prefix(e, "entry %" PRId32 " of %" PRId32, i + 1, entries);
		if (!(x = imatrix_add(m, text, len, e)))
			return -1;
		if (n < 1)
			return err_set(e, "%s: %" PRId32 " values", x->e.name, n);
		x->e.n = (uint64_t)n;
		x->calls = calls;
		x->at = in_pos(in);
		if (imatrix_look(in, x->e.n, x->e.name, &zeros, e) < 0)
			return -1;
	}
	if (in_peek(in, 1, &p, &len, e) < 0)
		return -1;
	if (len == 0)
		return 0;
	if (take(in, &chunks, "its count of chunks", e) < 0 ||
	    take_text(in, text, sizeof text, "the data set's name", &len, e) < 0)
		return -1;
	m->chunks = chunks > 0 ? (uint32_t)chunks : 0;
	if (!(m->dataset = arena_strn(&m->arena, text, len)))
		return err_set(e, "out of memory");
	if (in_peek(in, 1, &p, &len, e) < 0)
		return -1;
	return len > 0 ? err_set(e, "something follows the data set's name") : 0;
}
