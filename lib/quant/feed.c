/* SPDX-License-Identifier: MIT */
/* feed.c -- where a tensor's source bytes come from. */
#include <unistd.h>

#include "convert.h"

int
feed_spill(struct feed *f, struct err *e)
{
	if ((f->spill = io_temp(e)) < 0)
		return -1;
	f->spilling = true;
	f->at = 0;
	return 0;
}

void
feed_rewind(struct feed *f)
{
	f->spilling = false;
	f->at = 0;
}

void
feed_end(struct feed *f)
{
	if (f->spill >= 0)
		(void)close(f->spill);
	f->spill = -1;
}

/* Source bytes as they are: from the stream, or from what was spilled. */
static int
raw(struct feed *f, void *dst, size_t n, struct err *e)
{
	if (f->spill < 0 || f->spilling) {
		if (stream_read(f->in, dst, n, e) < 0)
			return -1;
		if (f->progress)
			f->progress(n);
		if (f->spill >= 0 && io_temp_put(f->spill, dst, n, f->at, e) < 0)
			return -1;
	} else if (io_pread(f->spill, dst, n, f->at, e) < 0) {
		return err_prefix(e, "%s: its spilled copy", f->t->name);
	}
	f->at += n;
	return 0;
}

int
feed_begin(struct feed *f, bool loose, struct err *e)
{
	unsigned char b[HEAD];

	f->loose = loose;
	f->row_left = 0;
	f->have = f->used = 0;
	f->scale = 0;
	if (f->from->type->flags & TYPE_WHOLE) {
		if (raw(f, b, sizeof b, e) < 0)
			return -1;
		type_f32.to_f32(&f->scale, b, 1);
	}
	return 0;
}

/* The next elements of a loose source into held: a tile, or a row's end. */
static int
hold(struct feed *f, struct err *e)
{
	const struct type *t = f->from->type;
	uint64_t cols = f->from->row_bytes ? f->t->dim[f->t->ndim - 1] : f->t->n;
	size_t n;

	if (f->row_left == 0)
		f->row_left = cols;
	n = f->row_left < TILE ? (size_t)f->row_left : TILE;
	if (raw(f, f->block, (size_t)bytes_of(t, n), e) < 0)
		return -1;
	decode(t, f->held, f->block, n, f->scale);
	f->row_left -= n;
	f->have = n;
	f->used = 0;
	return 0;
}

int
feed_read(struct feed *f, unsigned char *dst, size_t n, struct err *e)
{
	if (!f->loose)
		return raw(f, dst, n, e);
	for (size_t k; n > 0; dst += k * 4, n -= k * 4) {
		if (f->used == f->have && hold(f, e) < 0)
			return -1;
		k = n / 4 < f->have - f->used ? n / 4 : f->have - f->used;
		type_f32.from_f32(dst, f->held + f->used, k, NULL);
		f->used += k;
	}
	return 0;
}
