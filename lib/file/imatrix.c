/* SPDX-License-Identifier: MIT */
/*
 * imatrix.c -- importance matrices: an index of names and places, made in one
 * pass over the file; values are read when a tensor wants them.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/file.h>

#include "imatrix.h"

struct entry *
imatrix_add(struct imatrix *m, const void *name, size_t len, struct err *e)
{
	struct entry *p;

	if (m->n == TENSOR_COUNT) {
		err_set(e, "more than %u entries", TENSOR_COUNT);
		return NULL;
	}
	if (array_room(&m->entry, m->n, sizeof *p, e) < 0)
		return NULL;
	p = &m->entry[m->n];
	memset(p, 0, sizeof *p);
	if (!(p->e.name = arena_strn(&m->arena, name, len)))
		goto memory;
	switch (names_add(m->names, p->e.name, m->n, NULL, e)) {
	case 0:
		err_set(e, "%s: comes twice", p->e.name);
		return NULL;
	case 1:
		m->n++;
		return p;
	default:
		return NULL;
	}
memory:
	err_set(e, "out of memory");
	return NULL;
}

int
imatrix_look(struct in *in, uint64_t n, const char *name, uint64_t *zeros, struct err *e)
{
	unsigned char b[4096];
	float x[sizeof b / 4];
	uint64_t i = 0;

	while (i < n) {
		size_t k = n - i < sizeof b / 4 ? (size_t)(n - i) : sizeof b / 4;

		if (in_read(in, b, k * 4, e) < 0)
			return err_prefix(e, "%s", name);
		type_f32.to_f32(x, b, k);
		for (size_t j = 0; j < k; j++) {
			if (!isfinite(x[j]))
				return err_set(e, "%s: value %" PRIu64 " is %s", name, i + j,
				    isnan(x[j]) ? "NaN" : "infinite");
			*zeros += !(x[j] > 0);
		}
		i += k;
	}
	return 0;
}

/* What cannot seek is read from a copy. */
static int
spill(struct in *in, struct err *e)
{
	const unsigned char *p;
	uint64_t at = 0;
	int fd = io_temp(e), r;
	size_t n;

	if (fd < 0)
		return -1;
	for (; (r = in_some(in, IO_CHUNK, &p, &n, e)) > 0; at += n)
		if ((r = io_temp_put(fd, p, n, at, e)) < 0)
			break;
	if (r == 0)
		return fd;
	(void)close(fd);
	return -1;
}

struct imatrix *
imatrix_open(int fd, struct err *e)
{
	struct imatrix *m = calloc(1, sizeof *m);
	struct in *in = NULL;
	const unsigned char *p;
	size_t n;

	if (!m) {
		err_set(e, "out of memory");
		return NULL;
	}
	m->fd = fd;
	m->spill = -1;
	m->dataset = "";
	if (!(m->names = names_new(64, e)) || !(in = in_open(fd, e)))
		goto fail;
	if (!in_seekable(in)) {
		if ((m->spill = spill(in, e)) < 0)
			goto fail;
		m->fd = m->spill;
		in_close(in);
		if (!(in = in_open(m->fd, e)))
			goto fail;
	}
	if (in_peek(in, 4, &p, &n, e) < 0 ||
	    (format_gguf.probe(p, n) > 0 ? imatrix_read_gguf(m, in, e) : imatrix_read_dat(m, in, e)) < 0)
		goto fail;
	in_close(in);
	return m;
fail:
	in_close(in);
	imatrix_close(m);
	return NULL;
}

void
imatrix_close(struct imatrix *m)
{
	if (!m)
		return;
	if (m->spill >= 0)
		(void)close(m->spill);
	names_free(m->names);
	arena_release(&m->arena);
	free(m->entry);
	free(m);
}

int
imatrix_select(struct imatrix *m, const char *const *part, size_t n, bool include,
    struct err *e)
{
	size_t kept = 0;

	names_free(m->names);
	if (!(m->names = names_new(m->n + 1, e)))
		return -1;
	for (size_t i = 0; i < m->n; i++) {
		bool hit = false;

		for (size_t k = 0; k < n && !hit; k++)
			hit = strstr(m->entry[i].e.name, part[k]) != NULL;
		if (hit != include)
			continue;
		m->entry[kept] = m->entry[i];
		if (names_add(m->names, m->entry[kept].e.name, kept, NULL, e) < 0)
			return -1;
		kept++;
	}
	m->n = kept;
	return 0;
}

size_t
imatrix_count(const struct imatrix *m)
{
	return m->n;
}

const char *
imatrix_dataset(const struct imatrix *m)
{
	return m->dataset;
}

uint32_t
imatrix_chunks(const struct imatrix *m)
{
	return m->chunks;
}

size_t
imatrix_find(const struct imatrix *m, const char *name)
{
	return names_find(m->names, name);
}

const struct imatrix_entry *
imatrix_entry(const struct imatrix *m, size_t i)
{
	return &m->entry[i].e;
}

/* n f32 at a place. */
static int
values(struct imatrix *m, float *dst, uint64_t n, uint64_t at, struct err *e)
{
	unsigned char b[4096];

	while (n > 0) {
		size_t k = n < sizeof b / 4 ? (size_t)n : sizeof b / 4;
		ssize_t r = pread(m->fd, b, k * 4, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "read");
		if ((size_t)r != k * 4)
			return err_set(e, "became shorter while it was used");
		type_f32.to_f32(dst, b, k);
		for (size_t i = 0; i < k; i++)
			if (!isfinite(dst[i]))
				return err_set(e, "changed while it was used");
		dst += k;
		at += k * 4;
		n -= k;
	}
	return 0;
}

int
imatrix_read(struct imatrix *m, size_t i, uint64_t at, uint64_t n, float *dst, struct err *e)
{
	const struct entry *x = &m->entry[i];
	uint64_t cols = m->gguf ? x->e.n / x->e.experts : x->e.n, k;
	float count = (float)x->calls;

	for (; n > 0; dst += k, at += k, n -= k) {
		k = cols - at % cols < n ? cols - at % cols : n;
		if (values(m, dst, k, x->at + at * 4, e) < 0 ||
		    (m->gguf && values(m, &count, 1, x->counts + at / cols * 4, e) < 0))
			return err_prefix(e, "imatrix: %s", x->e.name);
		if (m->gguf)
			count = roundf(count);
		/* Without calls a .dat's value is what it is. */
		for (uint64_t c = 0; c < k; c++)
			dst[c] = count > 0 ? dst[c] / count : m->gguf ? 1 : dst[c];
	}
	return 0;
}
