/* SPDX-License-Identifier: MIT */
/*
 * convert.c -- tensors from one type to another, in pieces.
 *
 * One thread reads chunks and writes results, in the stream's order; workers
 * turn one into the other.  A chunk is whole rows, or a piece of a long one,
 * cut where both types' blocks end: so what a worker sees never changes a
 * block's bytes.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/json.h>
#include <apr/pool.h>
#include <apr/size.h>

#include "convert.h"

struct convert {
	const struct convert_opts *o;
	struct stream_out	*out;
	struct pool		*pool;
	struct job		**job;
	size_t			 njob, next;
	size_t			 budget;	/* bytes of a chunk, either side */
	uint64_t		 chunk_rows;	/* for tests; 0 */

	/* The tensor being read, and what is known of it. */
	struct feed		 feed;
	const struct tensor	*t;
	const struct quant_from	*from;
	type_encode		*encode;	/* NULL: not by one */
	float			 scale_out;
	struct weights		*qw;
	struct scale_values	*sc;
	float			 max, want_max;	/* measured; to be met, or < 0 */
	struct quant_error	 sum;		/* of the one being written */

	/* Of 8-bit floats: scales that have come before their values, and
	 * values that wait for their scales, in files; by the scales' index. */
	struct scale_values	**early;
	int			*waiting;	/* -1: none */
	size_t			 nscale;
};

/* A tensor is complete, and in the stream. */
static int
told(struct convert *c, const struct tensor *t, const struct quant_error *q, struct err *e)
{
	const struct manifest *m = stream_manifest(c->feed.in);

	return c->o->done ? c->o->done(c->o->ctx, (size_t)(t - m->tensor), q, e) : 0;
}

/* The oldest job's result to its place; 1, 0 if there was none, -1. */
static int
drain_one(struct convert *c, struct err *e)
{
	struct job *j = pool_get(c->pool);

	if (!j)
		return 0;
	if (!j->from) {
		if (stream_member(c->out, MEMBER_TENSOR, j->t->name, j->t->bytes, e) < 0 ||
		    stream_write(c->out, j->src, (size_t)j->t->bytes, e) < 0)
			return -1;
		return told(c, j->t, NULL, e) < 0 ? -1 : 1;
	}
	weights_drop(&j->qw);
	scale_drop(&j->sc);
	if (j->failed) {
		*e = j->err;
		return -1;
	}
	c->max = j->first || j->max > c->max ? j->max : c->max;
	if (!j->to)
		return 1;
	if (j->first) {
		c->sum = (struct quant_error){ 0 };
		if (stream_member(c->out, MEMBER_TENSOR, j->t->name, j->t->bytes, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < j->nunit; i++)
		quant_error_add(&c->sum, &j->unit[i]);
	c->sum.tiny += j->tiny;
	c->sum.misread += j->misread;
	if (stream_write(c->out, j->dst, j->dst_len, e) < 0)
		return -1;
	if (!j->last)
		return 1;
	if (c->want_max >= 0 && c->max != c->want_max)
		return err_set(e, "%s: the largest |x| is %.9g, the manifest's absmax says %.9g",
		    j->t->name, (double)c->max, (double)c->want_max);
	return told(c, j->t, &c->sum, e) < 0 ? -1 : 1;
}

static int
drain(struct convert *c, struct err *e)
{
	int r;

	while ((r = drain_one(c, e)) > 0)
		;
	return r;
}

/* The next job, free to be filled. */
static struct job *
take(struct convert *c, struct err *e)
{
	struct job *j = c->job[c->next];

	if (pool_full(c->pool) && drain_one(c, e) < 0)
		return NULL;
	c->next = (c->next + 1) % c->njob;
	j->max = 0;
	j->tiny = j->misread = 0;
	j->nunit = 0;
	return j;
}

/* Read a chunk, rows of len elements, and hand it to the workers. */
static int
put(struct convert *c, const struct cut *k, uint64_t row, uint64_t col, uint64_t rows,
    uint64_t len, struct err *e)
{
	struct job *j = take(c, e);
	uint64_t src_row = bytes_of(k->from, len), dst_row = k->to ? bytes_of(k->to, len) : 0;
	uint64_t units = c->o->measure && k->to ? rows * (len / TILE + 1) : 0;

	if (!j)
		return -1;
	j->t = c->t;
	j->from = k->from;
	j->to = k->to;
	j->encode = c->encode;
	j->row = row;
	j->col = col;
	j->cols = k->cols;
	j->rows = (size_t)rows;
	j->len = (size_t)len;
	j->packed = k->packed;
	j->same = k->packed && k->to && same_numbers(k->from, k->to, k->cols);
	j->first = row == 0 && col == 0;
	j->last = row + rows == k->rows && col + len == k->cols;
	j->head = j->first && k->to && (k->to->flags & TYPE_WHOLE) ? HEAD : 0;
	j->scale_in = c->feed.scale;
	j->scale_out = c->scale_out;
	j->tile = k->tile;
	j->measure = units > 0;
	if (bytes_room(&j->src, &j->src_cap, rows * src_row, e) < 0 ||
	    bytes_room(&j->dst, &j->dst_cap, j->head + rows * dst_row, e) < 0 ||
	    bytes_room(&j->x, &j->x_cap, (k->tile + PAD) * sizeof *j->x, e) < 0 ||
	    bytes_room(&j->unit, &j->unit_cap, units * sizeof *j->unit, e) < 0)
		return -1;
	j->src_row = (size_t)src_row;
	j->dst_row = (size_t)dst_row;
	j->dst_len = j->head + j->rows * j->dst_row;
	if (j->head)
		type_f32.from_f32(j->dst, &j->scale_out, 1, NULL);
	if (feed_read(&c->feed, j->src, j->rows * j->src_row, e) < 0)
		return -1;
	j->qw = k->to ? weights_use(c->qw) : NULL;
	if ((j->sc = c->sc))
		j->sc->users++;
	pool_put(c->pool, j);
	return 0;
}

/* One pass over the source. */
static int
pass(struct convert *c, const struct type *to, struct err *e)
{
	uint64_t row, col, n, bytes, most;
	struct cut k;

	if (cut_plan(&k, c->t, c->from, to, c->qw != NULL, e) < 0 || feed_begin(&c->feed, k.loose, e) < 0)
		return -1;
	bytes = bytes_of(k.from, k.cols);
	if (to && bytes_of(to, k.cols) > bytes)
		bytes = bytes_of(to, k.cols);
	if (bytes <= c->budget || k.tile > TILE || (c->chunk_rows && k.rows > 1)) {
		most = c->chunk_rows ? c->chunk_rows : c->budget / bytes;
		most = most ? most : 1;
		for (row = 0; row < k.rows; row += n) {
			n = k.rows - row < most ? k.rows - row : most;
			if (put(c, &k, row, 0, n, k.cols, e) < 0)
				return -1;
		}
		return 0;
	}
	/* Pieces of a row, of whole tiles. */
	most = c->budget * TILE / bytes_of(k.from, TILE);
	if (to && c->budget * TILE / bytes_of(to, TILE) < most)
		most = c->budget * TILE / bytes_of(to, TILE);
	if (c->chunk_rows && c->chunk_rows < most / TILE)
		most = c->chunk_rows * TILE;
	most = most / TILE * TILE;
	for (row = 0; row < k.rows; row++)
		for (col = 0; col < k.cols; col += n) {
			n = k.cols - col < most ? k.cols - col : most;
			if (put(c, &k, row, col, 1, n, e) < 0)
				return -1;
		}
	return 0;
}

/* apr_q8 has one scale, in front: the largest |x| is wanted before the first
 * value.  The manifest knows it, or the tensor is read twice. */
static int
find_scale(struct convert *c, struct err *e)
{
	char *end;

	if (drain(c, e) < 0)
		return -1;
	if (c->from->absmax) {
		c->want_max = strtof(c->from->absmax, &end);
		if (*end || !(c->want_max >= 0 && c->want_max < INFINITY))
			return err_set(e, "%s: absmax %s is no largest |x|", c->t->name,
			    c->from->absmax);
		c->scale_out = type_q8_scale(c->want_max);
		return 0;
	}
	/* (Values that waited for their scales are in a file already.) */
	if ((c->feed.spill < 0 && feed_spill(&c->feed, e) < 0) || pass(c, NULL, e) < 0 || drain(c, e) < 0)
		return -1;
	feed_rewind(&c->feed);
	c->want_max = c->max;
	c->scale_out = type_q8_scale(c->max);
	return 0;
}

static int
convert(struct convert *c, const struct tensor *t, const struct quant_from *from,
    struct err *e)
{
	bool two = t->type->flags & TYPE_WHOLE;
	int r = 0;

	c->t = c->feed.t = t;
	c->from = c->feed.from = from;
	if (t->n == 0) {
		if (drain(c, e) < 0 ||
		    stream_member(c->out, MEMBER_TENSOR, t->name, t->bytes, e) < 0)
			return -1;
		return told(c, t, &(struct quant_error){ 0 }, e);
	}
	c->encode = type_encoder(t->type, c->o->effort);
	if (!two && !c->encode)
		return err_set(e, "%s: %s is not made with this effort", t->name,
		    t->type->name);
	if (two)
		r = find_scale(c, e);
	if (r == 0)
		r = weights_read(&c->qw, c->o->imatrix, t, from, e);
	if (r == 0)
		r = pass(c, t->type, e);
	if (two && r == 0)
		r = drain(c, e);
	feed_end(&c->feed);
	c->want_max = -1;
	return r;
}

/* A small tensor waits its turn among the chunks, so that the workers need
 * not wait for it. */
static int
put_copy(struct convert *c, const struct tensor *t, size_t n, struct err *e)
{
	struct job *j = take(c, e);

	if (!j)
		return -1;
	j->t = t;
	j->from = NULL;
	if (bytes_room(&j->src, &j->src_cap, n, e) < 0 || stream_read(c->feed.in, j->src, n, e) < 0)
		return -1;
	if (c->o->progress)
		c->o->progress(n);
	pool_put(c->pool, j);
	return 0;
}

static int
copy(struct convert *c, const struct member *m, struct err *e)
{
	if (m->kind == MEMBER_TENSOR && m->bytes <= c->budget)
		return put_copy(c, &stream_manifest(c->feed.in)->tensor[m->index],
		    (size_t)m->bytes, e);
	if (drain(c, e) < 0 || stream_copy(c->out, c->feed.in, m, e) < 0)
		return -1;
	if (m->kind != MEMBER_TENSOR)
		return 0;
	if (c->o->progress)
		c->o->progress(m->bytes);
	return told(c, &stream_manifest(c->feed.in)->tensor[m->index], NULL, e);
}

static void
stop(struct convert *c)
{
	if (!c)
		return;
	pool_free(c->pool);
	weights_drop(&c->qw);
	scale_drop(&c->sc);
	for (size_t i = 0; i < c->nscale; i++) {
		scale_drop(&c->early[i]);
		if (c->waiting[i] >= 0)
			close(c->waiting[i]);
	}
	free(c->early);
	free(c->waiting);
	for (size_t i = 0; c->job && i < c->njob; i++) {
		struct job *j = c->job[i];

		if (!j)
			continue;
		weights_drop(&j->qw);
		scale_drop(&j->sc);
		free(j->src);
		free(j->dst);
		free(j->x);
		free(j->unit);
		free(j);
	}
	free(c->job);
	free(c);
}

static struct convert *
start(const struct convert_opts *o, struct err *e)
{
	struct convert *c = calloc(1, sizeof *c);
	const char *rows = getenv("APR_CHUNK_ROWS");

	if (!c)
		goto memory;
	c->o = o;
	c->feed.progress = o->progress;
	c->feed.spill = -1;
	c->want_max = -1;
	/* One job more than the workers have is read, one is written. */
	c->njob = (size_t)o->jobs + 2;
	c->budget = ((size_t)10 << 20) / c->njob / 2;
	if (c->budget > (size_t)512 << 10)
		c->budget = (size_t)512 << 10;
	if (c->budget < (size_t)32 << 10)
		c->budget = (size_t)32 << 10;
	if (rows && !json_u64(rows, strlen(rows), &c->chunk_rows)) {
		err_set(e, "APR_CHUNK_ROWS: %s is no number", rows);
		goto fail;
	}
	if (!(c->job = calloc(c->njob, sizeof(*c->job))))
		goto memory;
	for (size_t i = 0; i < c->njob; i++)
		if (!(c->job[i] = calloc(1, sizeof(*c->job[i]))))
			goto memory;
	if ((c->pool = pool_new(o->jobs, (unsigned)c->njob, job_work, e)))
		return c;
	goto fail;
memory:
	err_set(e, "out of memory");
fail:
	stop(c);
	return NULL;
}

/* Room for what has to wait, when the first of it comes. */
static int
make_room(struct convert *c, size_t n, struct err *e)
{
	if (c->nscale)
		return 0;
	c->early = calloc(n + 1, sizeof(*c->early));
	c->waiting = malloc((n + 1) * sizeof *c->waiting);
	if (!c->early || !c->waiting)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < n; i++)
		c->waiting[i] = -1;
	c->nscale = n;
	return 0;
}

/* Values whose scales are still to come: to a file. */
static int
set_aside(struct convert *c, size_t scale, struct err *e)
{
	const void *p;
	uint64_t at = 0;
	size_t n;
	int fd = io_temp(e), r;

	if (fd < 0)
		return -1;
	c->waiting[scale] = fd;
	for (; (r = stream_some(c->feed.in, &p, &n, e)) > 0; at += n) {
		if (io_temp_put(fd, p, n, at, e) < 0)
			return -1;
		if (c->o->progress)
			c->o->progress(n);
	}
	return r;
}

/* A tensor of 8-bit floats that has scales, or these. */
static int
scaled(struct convert *c, const struct manifest *mf, const struct quant_from *from,
    const struct member *m, struct err *e)
{
	size_t i = m->index, k = from[i].used_up ? i : from[i].scale - 1;
	int r;

	if (make_room(c, mf->ntensor, e) < 0)
		return -1;
	if (from[i].used_up) {
		if (!(c->early[k] = scale_read(c->feed.in, mf->tensor[k].name, from[k].type,
		    m->bytes, e)))
			return -1;
		if (c->o->progress)
			c->o->progress(m->bytes);
		if (c->waiting[k] < 0)
			return 0;	/* they are the first to come */
		i = from[k].scale - 1;
		c->feed.t = &mf->tensor[i];
		c->feed.spill = c->waiting[k];
		c->waiting[k] = -1;
		feed_rewind(&c->feed);
	} else if (!c->early[k])
		return set_aside(c, k, e);
	c->sc = c->early[k];
	c->early[k] = NULL;
	r = convert(c, &mf->tensor[i], &from[i], e);
	scale_drop(&c->sc);
	return r;
}

int
convert_run(struct stream_in *in, struct stream_out *out, const struct quant_from *from,
    const struct convert_opts *o, struct err *e)
{
	const struct manifest *mf = stream_manifest(in);
	struct convert *c = start(o, e);
	struct member m;
	int r;

	if (!c)
		return -1;
	c->feed.in = in;
	c->out = out;
	while ((r = stream_next(in, &m, e)) > 0) {
		if (m.kind == MEMBER_TENSOR && from[m.index].scale)
			r = scaled(c, mf, from, &m, e);
		else if (m.kind == MEMBER_TENSOR && from[m.index].type)
			r = convert(c, &mf->tensor[m.index], &from[m.index], e);
		else
			r = copy(c, &m, e);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = drain(c, e);
	stop(c);
	return r;
}
