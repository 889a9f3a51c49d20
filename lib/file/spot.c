/* SPDX-License-Identifier: MIT */
/* spot.c -- bytes of tensors that lie anywhere, packed, or as views. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libdeflate.h>
#include <zlib.h>

#include <apr/size.h>

#include "spot.h"

#define CHUNK	((size_t)1 << 18)
#define TILE	((size_t)1 << 22)	/* bytes of a view gathered at once */

struct spots *
spots_new(struct err *e)
{
	struct spots *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(e, "out of memory");
		return NULL;
	}
	s->spill = s->fd = -1;
	return s;
}

void
spots_free(struct spots *s)
{
	if (!s)
		return;
	if (s->spill >= 0)
		close(s->spill);
	if (s->fd >= 0)
		close(s->fd);
	free(s->p);
	free(s->sum);
	free(s);
}

struct spot *
spots_add(struct spots *s, struct err *e)
{
	if (array_room(&s->p, s->n, sizeof *s->p, e) < 0)
		return NULL;
	s->p[s->n] = (struct spot){ .sum = NO_SUM };
	return &s->p[s->n++];
}

size_t
spots_sum(struct spots *s, uint64_t from, uint64_t bytes, uint32_t crc, struct err *e)
{
	if (array_room(&s->sum, s->nsum, sizeof *s->sum, e) < 0)
		return NO_SUM;
	s->sum[s->nsum] = (struct sum){ from, bytes, crc, false };
	return s->nsum++;
}

/* Where bytes go, judged and counted on the way. */
struct flow {
	spot_put	*put;
	void		*ctx;
	const struct tensor *t;
	const struct spot *p;
	uint64_t	 at;
};

static int
flow(struct flow *f, const void *b, size_t n, struct err *e)
{
	if (f->p->judge && f->p->judge(f->t, b, n, f->at, e) < 0)
		return -1;
	f->at += n;
	return f->put(f->ctx, b, n, e);
}

static int
wrong_sum(const struct sum *s, uint32_t crc, struct err *e)
{
	return err_set(e, "CRC-32 %08x, its bytes give %08x", s->crc, crc);
}

/* An entry's sum by itself, where a tensor is not all of it. */
static int
verify(struct sum *s, int fd, struct err *e)
{
	unsigned char *b = malloc(CHUNK);
	uint64_t at = s->from, left = s->bytes;
	uint32_t crc = 0;
	int r = b ? 0 : err_set(e, "out of memory");

	while (r == 0 && left > 0) {
		size_t k = left < CHUNK ? (size_t)left : CHUNK;

		if ((r = io_pread(fd, b, k, at, e)) == 0)
			crc = libdeflate_crc32(crc, b, k);
		at += k;
		left -= k;
	}
	free(b);
	if (r == 0 && crc != s->crc)
		return wrong_sum(s, crc, e);
	s->done = true;
	return r;
}

/* From the file as they are.  What stands before the tensor in its entry
 * counts in the entry's sum. */
static int
pass_stored(struct sum *s, int fd, struct flow *f, struct err *e)
{
	uint64_t left = f->t->bytes, at = f->p->from;
	bool whole = s && !s->done && f->p->from + left == s->from + s->bytes;
	size_t most = CHUNK / f->t->type->bytes * f->t->type->bytes;
	unsigned char *b = malloc(CHUNK);
	uint32_t crc = 0;
	size_t k;
	int r = b ? 0 : err_set(e, "out of memory");

	if (r == 0 && whole)
		for (uint64_t i = s->from; r == 0 && i < at; i += k) {
			k = at - i < CHUNK ? (size_t)(at - i) : CHUNK;
			if ((r = io_pread(fd, b, k, i, e)) == 0)
				crc = libdeflate_crc32(crc, b, k);
		}
	else if (r == 0 && s && !s->done)
		r = verify(s, fd, e);
	for (; r == 0 && left > 0; at += k, left -= k) {
		k = left < most ? (size_t)left : most;
		if ((r = io_pread(fd, b, k, at, e)) < 0)
			break;
		if (whole)
			crc = libdeflate_crc32(crc, b, k);
		r = flow(f, b, k, e);
	}
	free(b);
	if (r == 0 && whole && crc != s->crc)
		return wrong_sum(s, crc, e);
	if (r == 0 && whole)
		s->done = true;
	return r;
}

/* What came out of the packer: before the tensor, or of it. */
static int
unpacked(struct flow *f, const unsigned char *b, size_t n, uint64_t *skip, struct err *e)
{
	size_t k = *skip < n ? (size_t)*skip : n;
	uint64_t left = f->t->bytes - f->at;

	*skip -= k;
	if (n - k > left)
		return err_set(e, "its entry holds more than its %" PRIu64 " bytes", f->t->bytes);
	return n > k ? flow(f, b + k, n - k, e) : 0;
}

static int
pass_deflated(struct sum *s, int fd, struct flow *f, struct err *e)
{
	unsigned char *in = malloc(CHUNK), *out = malloc(CHUNK);
	uint64_t at = f->p->from, left = f->p->packed, skip = f->p->skip;
	z_stream z = { 0 };
	uint32_t crc = 0;
	int r = -1, end = Z_OK;

	if (!in || !out || inflateInit2(&z, -MAX_WBITS) != Z_OK) {
		err_set(e, "out of memory");
		goto out;
	}
	while (end != Z_STREAM_END) {
		size_t n;

		if (z.avail_in == 0 && left > 0) {
			n = left < CHUNK ? (size_t)left : CHUNK;
			if (io_pread(fd, in, n, at, e) < 0)
				goto done;
			z.next_in = in;
			z.avail_in = (uInt)n;
			at += n;
			left -= n;
		}
		z.next_out = out;
		z.avail_out = (uInt)CHUNK;
		end = inflate(&z, Z_NO_FLUSH);
		n = CHUNK - z.avail_out;
		if (end != Z_OK && end != Z_STREAM_END) {
			err_set(e, "its packed bytes are damaged: %s", z.msg ? z.msg :
			    "they end too early");
			goto done;
		}
		crc = libdeflate_crc32(crc, out, n);
		if (unpacked(f, out, n, &skip, e) < 0)
			goto done;
	}
	if (left + z.avail_in > 0)
		err_set(e, "%" PRIu64 " bytes behind its packed ones", left + z.avail_in);
	else if (f->at != f->t->bytes)
		err_set(e, "its entry holds %" PRIu64 " bytes of %" PRIu64, f->at, f->t->bytes);
	else if (s && crc != s->crc)
		wrong_sum(s, crc, e);
	else
		r = 0;
done:
	inflateEnd(&z);
out:
	free(in);
	free(out);
	return r;
}

/* A view: dimensions before the `fast` one, which lies closest together in
 * the file, are gone through one by one; a tile is some of the fast one and
 * all behind it. */
struct view_of {
	const struct tensor *t;
	const struct spot *p;
	unsigned	 fast;
	uint64_t	 outer, inner;	/* elements before and behind fast */
	size_t		 size;		/* of an element */
};

/* Where element i of dimensions [from, to) is: added strides. */
static uint64_t
offset(const struct view_of *v, unsigned from, unsigned to, uint64_t i)
{
	uint64_t at = 0;

	for (unsigned d = to; d > from; d--) {
		at += i % v->t->dim[d - 1] * v->p->stride[d - 1];
		i /= v->t->dim[d - 1];
	}
	return at;
}

/* n elements, `stride` apart, to every `step`-th place of dst. */
static int
pick(int fd, const struct view_of *v, uint64_t at, uint64_t stride, size_t n,
    unsigned char *dst, size_t step, unsigned char *tmp, struct err *e)
{
	size_t most = CHUNK / v->size;

	while (n > 0) {
		/* A span that is worth reading whole. */
		size_t k = stride <= 64 ? (most - 1) / (size_t)stride + 1 : 1;

		k = k < n ? k : n;
		if (io_pread(fd, tmp, ((k - 1) * (size_t)stride + 1) * v->size,
		    v->p->from + at * v->size, e) < 0)
			return -1;
		for (size_t i = 0; i < k; i++)
			memcpy(dst + i * step * v->size, tmp + i * (size_t)stride * v->size,
			    v->size);
		dst += k * step * v->size;
		at += k * stride;
		n -= k;
	}
	return 0;
}

/* Rows of the fast dimension, and in each the inner elements [from, to). */
static int
tile(int fd, const struct view_of *v, uint64_t base, size_t rows, uint64_t from,
    uint64_t to, unsigned char *out, unsigned char *tmp, struct err *e)
{
	unsigned f = v->fast;

	/* Rows that lie as they are wanted. */
	if (f + 1 == v->t->ndim && v->p->stride[f] == 1)
		return io_pread(fd, out, rows * v->size, v->p->from + base * v->size, e);
	for (uint64_t i = from; i < to; i++)
		if (pick(fd, v, base + offset(v, f + 1, v->t->ndim, i), v->p->stride[f], rows,
		    out + (i - from) * v->size, (size_t)(to - from), tmp, e) < 0)
			return -1;
	return 0;
}

static void
look(struct view_of *v)
{
	const struct tensor *t = v->t;

	for (unsigned d = 1; d < t->ndim; d++)
		if (t->dim[d] > 1 && (t->dim[v->fast] <= 1 ||
		    v->p->stride[d] <= v->p->stride[v->fast]))
			v->fast = d;
	v->outer = v->inner = 1;
	for (unsigned d = 0; d < t->ndim; d++)
		if (d != v->fast)
			*(d < v->fast ? &v->outer : &v->inner) *= t->dim[d];
}

static int
pass_strided(struct sum *s, int fd, struct flow *f, struct err *e)
{
	const struct tensor *t = f->t;
	struct view_of v = { .t = t, .p = f->p, .size = t->type->bytes };
	unsigned char *out, *tmp;
	uint64_t rows, cols, k, c;
	int r = 0;

	if (t->n == 0)
		return 0;
	if (s && !s->done && verify(s, fd, e) < 0)
		return -1;
	look(&v);
	/* Whole rows, or, where they are long, parts of one. */
	cols = v.inner < TILE / v.size ? v.inner : TILE / v.size;
	rows = cols < v.inner ? 1 : TILE / v.size / cols;
	out = malloc(TILE);
	tmp = malloc(CHUNK);
	if (!out || !tmp)
		r = err_set(e, "out of memory");
	for (uint64_t o = 0; r == 0 && o < v.outer; o++)
		for (uint64_t i = 0; r == 0 && i < t->dim[v.fast]; i += k) {
			uint64_t at = offset(&v, 0, v.fast, o) + i * f->p->stride[v.fast];

			k = t->dim[v.fast] - i < rows ? t->dim[v.fast] - i : rows;
			for (uint64_t j = 0; r == 0 && j < v.inner; j += c) {
				c = v.inner - j < cols ? v.inner - j : cols;
				r = tile(fd, &v, at, (size_t)k, j, j + c, out, tmp, e);
				if (r == 0)
					r = flow(f, out, (size_t)(k * c) * v.size, e);
			}
		}
	free(out);
	free(tmp);
	return r;
}

/* The file that a spot is in. */
static int
file_of(struct spots *s, const struct spot *p, int fd, struct err *e)
{
	if (!p->path)
		return fd;
	if (s->path == p->path)
		return s->fd;
	if (s->fd >= 0)
		close(s->fd);
	s->path = NULL;
	if ((s->fd = open(p->path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_sys(e, "%s", p->path);
	s->path = p->path;
	return s->fd;
}

struct spilling {
	int		 fd;
	uint64_t	 at;
};

static int
put_spill(void *ctx, const void *b, size_t n, struct err *e)
{
	struct spilling *s = ctx;

	if (io_temp_put(s->fd, b, n, s->at, e) < 0)
		return -1;
	s->at += n;
	return 0;
}

static int
run(struct sum *sum, int fd, struct flow *f, struct err *e)
{
	return f->p->packed ? pass_deflated(sum, fd, f, e) :
	    f->p->strided ? pass_strided(sum, fd, f, e) : pass_stored(sum, fd, f, e);
}

/* A tensor's bytes to the end of the temporary file; *at is where. */
static int
spill(struct spots *s, int fd, const struct tensor *t, const struct spot *p,
    struct sum *sum, uint64_t *at, struct err *e)
{
	struct spilling sp;
	struct flow f = { put_spill, &sp, t, p, 0 };
	int r;

	if (s->spill < 0 && (s->spill = io_temp(e)) < 0)
		return -1;
	sp = (struct spilling){ s->spill, s->end };
	r = run(sum, fd, &f, e);
	*at = s->end;
	s->end = sp.at;
	return r;
}

/* Where to read t: packed views are unpacked to the temporary file first. */
static int
settle(struct spots *s, int *fd, const struct tensor *t, struct spot *p, struct sum **sum,
    struct err *e)
{
	struct spot raw;

	*p = s->p[t->offset];
	*sum = p->sum != NO_SUM ? &s->sum[p->sum] : NULL;
	if ((*fd = file_of(s, p, *fd, e)) < 0)
		return -1;
	if (!p->packed || !p->strided)
		return 0;
	raw = *p;
	raw.strided = false;
	if (spill(s, *fd, t, &raw, *sum, &p->from, e) < 0)
		return -1;
	p->packed = 0;
	*sum = NULL;
	*fd = s->spill;
	return 0;
}

int
spot_pass(struct spots *s, int fd, const struct tensor *t, spot_put *put, void *ctx,
    struct err *e)
{
	struct spot p;
	struct sum *sum;
	struct flow f = { put, ctx, t, &p, 0 };

	if (settle(s, &fd, t, &p, &sum, e) < 0 || run(sum, fd, &f, e) < 0)
		return err_prefix(e, "%s", t->name);
	return 0;
}

static int
nowhere(void *ctx, const void *b, size_t n, struct err *e)
{
	(void)ctx;
	(void)b;
	(void)n;
	(void)e;
	return 0;
}

int
spot_get(struct spots *s, int fd, const struct tensor *t, uint64_t off, void *dst,
    size_t n, struct err *e)
{
	struct spot *p = &s->p[t->offset], now;
	struct sum *sum;
	uint64_t at;

	if (!p->packed && !p->strided) {
		/* Judged as a whole, before the first piece. */
		if (p->judge && !p->judged && spot_pass(s, fd, t, nowhere, NULL, e) < 0)
			return -1;
		p->judged = true;
		if ((fd = file_of(s, p, fd, e)) < 0)
			return -1;
		return io_pread(fd, dst, n, p->from + off, e);
	}
	if (!p->spilled) {
		if (settle(s, &fd, t, &now, &sum, e) < 0 ||
		    spill(s, fd, t, &now, sum, &at, e) < 0)
			return err_prefix(e, "%s", t->name);
		p->spilled = 1 + at;
	}
	return io_pread(s->spill, dst, n, p->spilled - 1 + off, e);
}
