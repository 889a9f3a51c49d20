/* SPDX-License-Identifier: MIT */
/* file.c -- the formats, and what all headers have in common. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr/file.h>
#include <apr/size.h>

#include "spot.h"

const struct format *const formats[] = {
	&format_apr, &format_gguf, &format_safetensors, &format_lattice, &format_npz,
	&format_torch, NULL
};

const struct format *
format_by_name(const char *name)
{
	for (size_t i = 0; formats[i]; i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}

const struct format *
format_by_suffix(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; formats[i]; i++) {
		size_t k = strlen(formats[i]->suffix);

		if (n > k && !strcasecmp(path + n - k, formats[i]->suffix))
			return formats[i];
	}
	return NULL;
}

const struct format *
format_probe(const unsigned char *p, size_t n)
{
	const struct format *best = NULL;
	int sure = 0;

	for (size_t i = 0; formats[i]; i++) {
		int bits = formats[i]->probe(p, n);

		if (bits > sure) {
			sure = bits;
			best = formats[i];
		}
	}
	return best;
}

static int
parse(struct header *h, struct in *in, unsigned shard, struct err *e)
{
	h->shard = shard;
	h->first = h->m->ntensor;
	if (h->format->parse(in, h, e) < 0)
		return -1;
	for (size_t i = h->first; i < h->m->ntensor; i++)
		h->m->tensor[i].shard = shard;
	return 0;
}

int
header_parse(struct header *h, const struct format *f, struct in *in,
    struct manifest *m, unsigned shard, struct err *e)
{
	int r;

	memset(h, 0, sizeof *h);
	h->format = f;
	h->m = m;
	in_tee(in, &h->raw);
	r = parse(h, in, shard, e);
	in_tee(in, NULL);
	if (r == 0)
		r = buf_check(&h->raw, e);
	return r;
}

int
header_parse_mem(struct header *h, const struct format *f, struct buf *b,
    struct manifest *m, unsigned shard, struct err *e)
{
	struct in *in;
	int r;

	memset(h, 0, sizeof *h);
	h->format = f;
	h->m = m;
	h->raw = *b;
	memset(b, 0, sizeof *b);
	if (!(in = in_mem(h->raw.p, h->raw.len, e)))
		return -1;
	r = parse(h, in, shard, e);
	if (r == 0 && in_pos(in) != h->raw.len)
		r = err_set(e, "header: %zu bytes, but it ends at %" PRIu64,
		    h->raw.len, in_pos(in));
	in_close(in);
	return r;
}

void
header_release(struct header *h)
{
	if (h->format && h->format->free)
		h->format->free(h);
	free(h->held);
	spots_free(h->spots);
	buf_release(&h->raw);
	memset(h, 0, sizeof *h);
}

static int
by_data(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return x->code < y->code ? -1 : x->code > y->code;
}

void
header_sort(struct manifest *m, size_t first)
{
	if (m->ntensor - first < 2)
		return;
	/* The place in the index decides last: borrowed room in `code`. */
	unsigned *code = malloc((m->ntensor - first) * sizeof *code);

	for (size_t i = first; i < m->ntensor; i++) {
		if (code)
			code[i - first] = m->tensor[i].code;
		m->tensor[i].code = (unsigned)(i - first);
	}
	qsort(m->tensor + first, m->ntensor - first, sizeof *m->tensor, by_data);
	for (size_t i = first; code && i < m->ntensor; i++)
		m->tensor[i].code = code[m->tensor[i].code];
	free(code);
}

int
header_check(const struct manifest *m, size_t first, uint64_t data,
    uint64_t size, struct err *e)
{
	uint64_t end = data;
	const char *before = NULL;

	for (size_t i = first; i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];
		uint64_t to;

		if (t->tied_to)
			continue;
		if (u64_add(&to, t->offset, t->bytes) || to > INT64_MAX)
			return err_set(e, "%s: offset %" PRIu64 " plus %" PRIu64
			    " bytes overflows", t->name, t->offset, t->bytes);
		if (t->bytes > 0 && t->offset < end)
			return err_set(e, "%s: at %" PRIu64 ", inside %s, which ends"
			    " at %" PRIu64, t->name, t->offset,
			    before ? before : "the header", end);
		if (to > size)
			return err_set(e, "%s: ends at byte %" PRIu64 ", the file at %"
			    PRIu64, t->name, to, size);
		if (to > end) {
			end = to;
			before = t->name;
		}
	}
	return 0;
}
