/* SPDX-License-Identifier: MIT */
/* copy.c -- a source's members into a stream, every byte accounted for. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include <libdeflate.h>

#include <apr/size.h>

#include "spot.h"
#include "source.h"

static int
put(void *out, const void *p, size_t n, struct err *e)
{
	return stream_write(out, p, n, e);
}

/* n bytes of in as they come, from its file where it is one. */
static int
pass(struct in *in, struct stream_out *out, uint64_t n,
    void (*progress)(uint64_t), struct err *e)
{
	int file = in_file(in);

	while (n > 0) {
		const unsigned char *p;
		size_t k;
		int r = in_some(in, n < IO_CHUNK ? (size_t)n : IO_CHUNK, &p, &k, e);

		if (r < 0)
			return -1;
		if (r == 0)
			return err_set(e, "the file ends %" PRIu64 " bytes early", n);
		if ((file >= 0 ? stream_write_file(out, p, k, file, in_pos(in) - k, e) :
		    stream_write(out, p, k, e)) < 0)
			return -1;
		n -= k;
		if (progress)
			progress(k);
	}
	return 0;
}

static int
copy_path(struct source *s, size_t i, uint64_t bytes, struct stream_out *out,
    struct err *e)
{
	struct buf path = { 0 };
	int fd = source_open_path(s, i, &path, e), r = -1;

	if (fd < 0)
		goto out;
	/* As bytes: a travelling .zst stays one. */
	while (bytes > 0) {
		char chunk[65536];
		ssize_t k = read(fd, chunk, bytes < sizeof chunk ? (size_t)bytes : sizeof chunk);

		if (k < 0) {
			err_sys(e, "%s", (char *)path.p);
			goto out;
		}
		if (k == 0) {
			err_set(e, "%s: became shorter while it was read", (char *)path.p);
			goto out;
		}
		if (stream_write(out, chunk, (size_t)k, e) < 0)
			goto out;
		bytes -= (uint64_t)k;
	}
	r = 0;
out:
	if (fd >= 0)
		close(fd);
	buf_release(&path);
	return r;
}

static int
copy_files(struct source *s, struct stream_out *out, struct err *e)
{
	for (size_t i = 0; i < s->m->nfile; i++) {
		const struct mfile *f = &s->m->file[i];
		const struct where_is *w = &s->file[i];
		const struct header *h = &s->part[w->where == FILE_HEADER ? w->index : 0].h;
		int r;

		if (stream_member(out, MEMBER_FILE, f->name, f->bytes, e) < 0)
			return -1;
		r = w->where == FILE_HEADER ? stream_write(out, h->raw.p, h->raw.len, e) :
		    w->where == FILE_HELD ? held_read(h, w->index, put, out, e) :
		    copy_path(s, w->index, f->bytes, out, e);
		if (r < 0)
			return -1;
	}
	return 0;
}

static void
tail_json(struct buf *b, const struct header *h, uint64_t end, uint64_t padding, bool footer)
{
	uint64_t natural;
	size_t at = b->len;

	if (u64_align(&natural, end, h->align ? h->align : 1))
		natural = end;
	natural -= end;
	buf_str(b, "{");
	if (padding != natural)
		buf_printf(b, "\"padding\":%" PRIu64, padding);
	if (h->footer && !footer)
		buf_str(b, b->len > at + 1 ? ",\"footer\":false" : "\"footer\":false");
	buf_str(b, "}");
}

/* What a plan can know of the end: from the length, and four bytes. */
static int
planned_tail(const struct part *p, uint64_t end, struct buf *b, struct err *e)
{
	uint64_t size = in_size(p->in), rest, natural;
	unsigned char last[4];
	bool footer = false;

	if (size == UINT64_MAX) {
		buf_str(b, "{}");
		return 0;
	}
	rest = size - end;
	if (u64_align(&natural, end, p->h.align ? p->h.align : 1))
		return err_set(e, "%s: too large", p->path);
	natural -= end;
	if (p->h.footer && rest >= 4) {
		footer = rest == natural + 4;
		if (!footer && rest != natural) {
			if (pread(p->fd, last, 4, (off_t)(size - 4)) != 4)
				return err_sys(e, "%s", p->path);
			footer = le32_get(last) != 0;
		}
	}
	tail_json(b, &p->h, end, rest - (footer ? 4 : 0), footer);
	return 0;
}

/* in stands behind the last tensor: read to the end and judge it. */
static int
read_tail(const struct part *p, uint64_t end, struct buf *b, struct err *e)
{
	uint64_t padding = 0, natural;
	const unsigned char *q;
	unsigned char last[4];
	size_t n, rest;
	uint32_t crc;

	if (u64_align(&natural, end, p->h.align ? p->h.align : 1))
		return err_set(e, "too large");
	natural -= end;
	/* All but the last few bytes can only be padding. */
	for (;;) {
		if (in_peek(p->in, IO_PEEK, &q, &n, e) < 0)
			return -1;
		if (n < IO_PEEK)
			break;
		if (in_zeros(p->in, n - 4, "padding behind the last tensor", e) < 0)
			return -1;
		padding += n - 4;
	}
	if (p->h.footer && n >= 4) {
		memcpy(last, q + n - 4, 4);
		crc = libdeflate_crc32(in_crc(p->in), q, n - 4);
		if (crc == le32_get(last) || padding + n == natural + 4) {
			if (crc != le32_get(last))
				return err_set(e, "footer CRC-32 %08x, the bytes give %08x",
				    le32_get(last), crc);
			if (in_zeros(p->in, n - 4, "padding behind the last tensor", e) < 0 ||
			    in_skip(p->in, 4, e) < 0)
				return -1;
			tail_json(b, &p->h, end, padding + n - 4, true);
			return 0;
		}
	}
	rest = n;
	if (p->h.align <= 1 && rest > 0)
		return err_set(e, "%zu bytes behind the last tensor", rest);
	if (in_zeros(p->in, rest, "bytes behind the last tensor", e) < 0)
		return -1;
	tail_json(b, &p->h, end, padding + rest, false);
	return 0;
}

struct passing {
	struct stream_out *out;
	void		(*progress)(uint64_t);
};

static int
pass_on(void *ctx, const void *b, size_t n, struct err *e)
{
	struct passing *p = ctx;

	if (p->progress)
		p->progress(n);
	return stream_write(p->out, b, n, e);
}

/* Tensors that lie anywhere. */
static int
copy_spots(struct source *s, size_t from, size_t to, struct part *p,
    struct stream_out *out, void (*progress)(uint64_t), struct err *e)
{
	struct passing way = { out, progress };

	for (size_t i = from; i < to; i++) {
		const struct tensor *t = &s->m->tensor[i];

		if (stream_member(out, MEMBER_TENSOR, t->name, t->bytes, e) < 0)
			return -1;
		if (t->bytes > 0 && spot_pass(p->h.spots, p->fd, t, pass_on, &way, e) < 0)
			return err_prefix(e, "%s", p->path);
	}
	return 0;
}

/* A part's tensors in the order of their data, and its end. */
static int
copy_part(struct source *s, size_t from, size_t to, struct part *p,
    struct stream_out *out, bool whole, struct buf *tail,
    void (*progress)(uint64_t), struct err *e)
{
	uint64_t end = p->data;

	/* A few tensors of a large file: then seek, and trust no footer. */
	if (!whole && in_seekable(p->in))
		in_crc_stop(p->in);
	for (size_t i = from; i < to; i++) {
		const struct tensor *t = &s->m->tensor[i];

		if (stream_member(out, MEMBER_TENSOR, t->name, t->bytes, e) < 0)
			return -1;
		if (t->bytes == 0)
			continue;
		if (whole ? in_zeros(p->in, t->offset - end, "gap before it", e) < 0 :
		    in_skip(p->in, t->offset - in_pos(p->in), e) < 0)
			return err_prefix(e, "%s", t->name);
		if (pass(p->in, out, t->bytes, progress, e) < 0)
			return err_prefix(e, "%s", t->name);
		end = t->offset + t->bytes;
	}
	if (!whole) {
		buf_str(tail, "{}");
		return 0;
	}
	return read_tail(p, end, tail, e) < 0 ? err_prefix(e, "%s", p->path) : 0;
}

struct extent {
	uint64_t from, to;
};

static int
by_from(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* A part again from the front: gaps, end, and all of it where a CRC is. */
static int
verify_part(struct source *s, size_t k, struct buf *tail, struct err *e)
{
	const struct tensor *all = s->from ? s->from : s->m->tensor;
	size_t count = s->from ? s->nfrom : s->m->ntensor, n = 0;
	struct part *p = &s->part[k];
	struct extent *x = calloc(count + 1, sizeof *x);
	uint64_t end = p->data;
	int r = -1;

	if (!x)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const struct tensor *t = &all[i];

		if (t->bytes > 0 && (t->shard ? t->shard - 1 : 0) == k)
			x[n++] = (struct extent){ t->offset, t->offset + t->bytes };
	}
	qsort(x, n, sizeof *x, by_from);
	if (in_seek(p->in, 0, e) < 0)
		goto out;
	if (p->h.footer)
		in_crc_start(p->in);
	else
		in_crc_stop(p->in);
	if (in_skip(p->in, p->data, e) < 0)
		goto out;
	for (size_t i = 0; i < n; i++) {
		if (in_zeros(p->in, x[i].from - end, "gap", e) < 0 ||
		    in_skip(p->in, x[i].to - x[i].from, e) < 0)
			goto out;
		end = x[i].to;
	}
	r = read_tail(p, end, tail, e);
out:
	free(x);
	return r < 0 ? err_prefix(e, "%s", p->path) : 0;
}

static uint64_t
data_end(const struct source *s, size_t k)
{
	const struct tensor *all = s->from ? s->from : s->m->tensor;
	size_t count = s->from ? s->nfrom : s->m->ntensor;
	uint64_t end = s->part[k].data;

	for (size_t i = 0; i < count; i++) {
		const struct tensor *t = &all[i];

		if ((t->shard ? t->shard - 1 : 0) == k && !t->tied_to &&
		    t->offset + t->bytes > end)
			end = t->offset + t->bytes;
	}
	return end;
}

static int
copy_stream(struct source *s, struct stream_out *out, void (*progress)(uint64_t),
    struct err *e)
{
	struct member m;
	int r = 0;

	for (size_t k = 0; r == 0 && k <= s->nmore; k++) {
		struct stream_in *in = k ? s->more[k - 1] : s->stream;

		while ((r = stream_next(in, &m, e)) > 0) {
			if (m.kind == MEMBER_TAIL && k < s->nmore)
				return err_set(e, "%s: tail.json in a part that is not the last",
				    s->part[k].path);
			if (stream_copy(out, in, &m, e) < 0)
				return -1;
			if (progress && m.kind == MEMBER_TENSOR)
				progress(m.bytes);
		}
		if (r < 0 && s->nmore > 0)
			err_prefix(e, "%s", s->part[k].path);
	}
	return r;
}

int
source_copy(struct source *s, struct stream_out *out, void (*progress)(uint64_t),
    struct err *e)
{
	struct buf tail = { 0 };
	size_t total = 0, at = 0;
	bool whole, usual = true;
	int r = 0;

	if (s->stream)
		return copy_stream(s, out, progress, e);
	for (size_t k = 0; k < s->npart; k++)
		total += s->part[k].count;
	whole = s->as || s->m->ntensor == total;
	if (copy_files(s, out, e) < 0)
		return -1;
	if (s->m->nshard)
		buf_str(&tail, "[");
	if (s->reordered && !s->m->plan)
		r = as_copy(s, out, progress, e);
	for (size_t k = 0; r == 0 && k < s->npart; k++) {
		size_t to = at, mark;

		while (!s->as && to < s->m->ntensor && (s->m->tensor[to].shard ?
		    s->m->tensor[to].shard - 1 : 0) == k)
			to++;
		buf_str(&tail, k ? "," : "");
		mark = tail.len;
		if (s->part[k].h.spots) {
			buf_str(&tail, "{}");
			if (!s->m->plan && !s->reordered)
				r = copy_spots(s, at, to, &s->part[k], out, progress, e);
		} else if (!whole)
			r = s->m->plan || s->reordered ? (buf_str(&tail, "{}"), 0) :
			    copy_part(s, at, to, &s->part[k], out, false, &tail, progress, e);
		else if (s->m->plan)
			r = planned_tail(&s->part[k], data_end(s, k), &tail, e);
		else if (s->reordered)
			r = source_seekable(s) ? verify_part(s, k, &tail, e) :
			    read_tail(&s->part[k], data_end(s, k), &tail, e);
		else
			r = copy_part(s, at, to, &s->part[k], out, true, &tail, progress, e);
		usual &= tail.len - mark == 2;
		at = to;
	}
	if (s->m->nshard)
		buf_str(&tail, "]");
	if (r == 0)
		r = buf_check(&tail, e);
	if (r == 0 && !usual && (r = stream_member(out, MEMBER_TAIL, "", tail.len, e)) == 0)
		r = stream_write(out, tail.p, tail.len, e);
	buf_release(&tail);
	return r;
}

/* max |x| of n bytes of whole blocks; -1: NaN or Inf stays for the quantizer. */
static float
block_max(const struct type *type, const unsigned char *p, size_t blocks, float max)
{
	float x[256];
	size_t step = sizeof x / sizeof *x / type->block;

	while (blocks > 0) {
		size_t k = blocks < step ? blocks : step;

		type->to_f32(x, p, k * type->block);
		for (size_t i = 0; i < k * type->block; i++)
			if (fabsf(x[i]) > max)
				max = fabsf(x[i]);
		p += k * type->bytes;
		blocks -= k;
	}
	return max;
}

int
source_absmax(struct source *s, struct err *e)
{
	if (!source_seekable(s))
		return err_set(e, "--absmax reads twice: it needs files, not a pipe");
	for (size_t i = 0; i < s->m->ntensor; i++) {
		struct tensor *t = &s->m->tensor[i];
		struct part *p = &s->part[t->shard ? t->shard - 1 : 0];
		unsigned char chunk[65536];
		uint64_t left = t->bytes;
		char text[32];
		float max = 0;
		size_t unit;

		if (!t->type->to_f32 || t->tied_to || t->flat || (t->type->flags & TYPE_WHOLE))
			continue;
		unit = sizeof chunk / t->type->bytes * t->type->bytes;
		if (!p->h.spots && in_seek(p->in, t->offset, e) < 0)
			return -1;
		while (left > 0) {
			size_t n = left < unit ? (size_t)left : unit;

			if ((p->h.spots ? spot_get(p->h.spots, p->fd, t, t->bytes - left, chunk,
			    n, e) : in_read(p->in, chunk, n, e)) < 0)
				return err_prefix(e, "%s", t->name);
			max = block_max(t->type, chunk, n / t->type->bytes, max);
			left -= n;
		}
		snprintf(text, sizeof text, "%.9g", (double)max);
		if (isfinite(max) && !(t->absmax = arena_strn(&s->m->arena, text, strlen(text))))
			return err_set(e, "out of memory");
	}
	/* Back to where copying begins. */
	for (size_t k = 0; k < s->npart; k++) {
		struct part *p = &s->part[k];

		if (p->h.spots)
			continue;
		if (in_seek(p->in, 0, e) < 0)
			return -1;
		in_crc_start(p->in);
		if (in_skip(p->in, p->data, e) < 0)
			return -1;
	}
	return 0;
}
