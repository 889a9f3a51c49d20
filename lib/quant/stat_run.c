/* SPDX-License-Identifier: MIT */
/*
 * stat_run.c -- all tensors of a stream, in chunks, by workers.
 *
 * A chunk is some whole rows, or whole tiles of a long one; so a tile is the
 * same whatever the chunks are.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr/arch.h>
#include <apr/float.h>
#include <apr/pool.h>

#include "convert.h"
#include "stat.h"

enum { CHUNK = 65536 };		/* elements, about */
_Static_assert((int)STAT_TILE == (int)TILE, "a tile is a tile");

struct chunk {
	const struct type *type;
	size_t		 tensor;
	unsigned	 part;
	bool		 first, last, piece, hist;
	float		 scale;
	uint64_t	 cols;
	size_t		 rows, len;		/* len elements of each */
	bool		 row_end;		/* a piece: the row's last */
	unsigned char	*src;
	size_t		 src_cap;
	uint32_t	*bins;

	struct stat_sums sums;
	double		 d[CHUNK / TILE];	/* a piece's tiles */
	size_t		 nd;
	struct stat_tensor *begin;		/* first: what there is to say */
	float		 x[TILE + PAD];
};

struct run {
	const struct stat_opts *o;
	struct manifest	*m;
	struct arch_model *arch;
	struct feed	 feed;
	struct pool	*pool;
	struct chunk	**chunk;
	size_t		 nchunk, next;
	size_t		 rows_most;		/* of a chunk, for tests; 0 */
	struct stat_tensor now;			/* being put together */
	double		 row;
	uint64_t	*hist;
	/* Of the tensor being read. */
	struct stat_tensor head;
	uint64_t	 end[STAT_PARTS];	/* rows */
};

static void
work(void *arg)
{
	struct chunk *c = arg;
	double pivot = c->sums.pivot;
	size_t row_bytes = (size_t)bytes_of(c->type, c->len);

	stat_begin(&c->sums, pivot);
	c->nd = 0;
	if (c->hist)
		memset(c->bins, 0, STAT_BINS * sizeof *c->bins);
	for (size_t r = 0; r < c->rows; r++) {
		const unsigned char *src = c->src + r * row_bytes;
		double d = 0;

		for (size_t i = 0, n; i < c->len; i += n) {
			n = c->len - i < TILE ? c->len - i : TILE;
			decode(c->type, c->x, src + i / c->type->block * c->type->bytes, n,
			    c->scale);
			c->d[c->nd] = stat_add(&c->sums, c->x, n);
			d += c->d[c->nd];
			c->nd += c->piece;
			for (size_t k = 0; c->hist && k < n; k++)
				c->bins[f32_bits(c->x[k]) >> 16]++;
		}
		if (!c->piece)
			stat_row(&c->sums, d, c->cols);
	}
}

/* The oldest chunk's results to the tensor's: 1, 0 if there was none, -1. */
static int
drain_one(struct run *x, struct err *e)
{
	struct chunk *c = pool_get(x->pool);
	struct stat_tensor *t = &x->now;
	struct stat_sums *s;

	if (!c)
		return 0;
	if (c->first) {
		*t = *c->begin;
		free(c->begin);
		c->begin = NULL;
		x->row = 0;
		if (c->hist)
			memset(x->hist, 0, STAT_BINS * sizeof *x->hist);
		t->hist = c->hist ? x->hist : NULL;
	}
	s = t->parts ? &t->part[c->part] : &t->all;
	stat_merge(s, &c->sums);
	for (size_t i = 0; i < c->nd; i++)
		x->row += c->d[i];
	if (c->piece && c->row_end) {
		stat_row(s, x->row, c->cols);
		x->row = 0;
	}
	for (size_t i = 0; c->hist && i < STAT_BINS; i++)
		x->hist[i] += c->bins[i];
	if (!c->last)
		return 1;
	for (unsigned k = 0; k < t->parts; k++)
		stat_merge(&t->all, &t->part[k]);
	return x->o->done(x->o->ctx, c->tensor, t, e) < 0 ? -1 : 1;
}

/* Which rows of a fused tensor are the queries', keys' and values'. */
static void
set_parts(struct run *x, const struct tensor *t, uint64_t rows)
{
	static const char *const names[] = { "q", "k", "v" };
	char gguf[TENSOR_NAME + 1];
	struct arch_place place;
	const char *role;
	uint64_t heads, kv, dim, n;
	int conv = arch_conv_by_name(x->m->convention);

	if (!x->arch || conv < 0 ||
	    !arch_role(x->arch, (enum arch_conv)conv, t->name, gguf, &place) ||
	    !(role = strstr(gguf, ".attn_qkv.")) || !arch_number(x->arch, "attention.head_count", &heads))
		return;
	if (!arch_number(x->arch, "attention.head_count_kv", &kv))
		kv = heads;
	if (heads == 0 || kv == 0 || heads > 1 << 20 || kv > heads || t->ndim < 1)
		return;
	/* A vector's rows are its elements here: not told apart. */
	dim = rows / (heads + 2 * kv);
	if (t->ndim != 2 || dim == 0 || dim * (heads + 2 * kv) != rows)
		return;
	n = dim * kv;
	x->end[0] = dim * heads;
	x->end[1] = x->end[0] + n;
	x->end[2] = x->end[1] + n;
	x->head.parts = 3;
	for (unsigned k = 0; k < 3; k++)
		x->head.part_name[k] = names[k];
}

static struct chunk *
take(struct run *x, struct err *e)
{
	struct chunk *c = x->chunk[x->next];

	if (pool_full(x->pool) && drain_one(x, e) < 0)
		return NULL;
	x->next = (x->next + 1) % x->nchunk;
	return c;
}

/* Read `rows` rows' len elements, and hand them to the workers. */
static int
put(struct run *x, struct chunk *c, struct err *e)
{
	size_t n = c->rows * (size_t)bytes_of(c->type, c->len);

	if (bytes_room(&c->src, &c->src_cap, n, e) < 0)
		return -1;
	if (c->hist && !c->bins && !(c->bins = malloc(STAT_BINS * sizeof *c->bins)))
		return err_set(e, "out of memory");
	if (feed_read(&x->feed, c->src, n, e) < 0)
		return -1;
	if (c->first) {
		size_t k = c->rows * c->len, some = k < STAT_FIRST ? k : STAT_FIRST;

		decode(c->type, c->x, c->src, some, c->scale);
		x->head.nfirst = (unsigned)some;
		memcpy(x->head.first, c->x, some * sizeof *c->x);
		stat_begin(&x->head.all, isfinite(c->x[0]) ? (double)c->x[0] : 0);
		for (unsigned p = 0; p < x->head.parts; p++)
			stat_begin(&x->head.part[p], x->head.all.pivot);
		if (!(c->begin = malloc(sizeof *c->begin)))
			return err_set(e, "out of memory");
		*c->begin = x->head;
	}
	c->sums.pivot = x->head.all.pivot;
	pool_put(x->pool, c);
	return 0;
}

static int
tensor(struct run *x, size_t index, struct err *e)
{
	const struct tensor *t = &x->m->tensor[index];
	struct quant_from from = { .type = t->type, .bytes = t->bytes, .row_bytes = t->row_bytes };
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1, rows = tensor_rows(t), n;
	bool loose;

	if (t->tied_to || !(type_decoder(t->type) || t->type->flags & TYPE_WHOLE))
		return x->o->done(x->o->ctx, index, NULL, e);
	memset(&x->head, 0, sizeof x->head);
	if (t->n == 0) {
		stat_begin(&x->head.all, 0);
		return x->o->done(x->o->ctx, index, &x->head, e);
	}
	set_parts(x, t, rows);
	x->feed.t = t;
	x->feed.from = &from;
	loose = t->row_bytes != 0 || cols % t->type->block != 0;
	if (feed_begin(&x->feed, loose, e) < 0)
		return -1;
	for (uint64_t row = 0, col = 0, part = 0; row < rows; ) {
		struct chunk *c = take(x, e);

		if (!c)
			return -1;
		while (x->head.parts && row >= x->end[part])
			part++;
		c->type = loose ? &type_f32 : t->type;
		c->tensor = index;
		c->part = (unsigned)part;
		c->cols = cols;
		c->scale = x->feed.scale;
		c->hist = x->o->wants_hist && x->o->wants_hist(x->o->ctx, index);
		c->first = row == 0 && col == 0;
		c->piece = cols > CHUNK;
		if (c->piece) {
			c->rows = 1;
			c->len = cols - col < CHUNK ? (size_t)(cols - col) : CHUNK;
		} else {
			n = (x->head.parts ? x->end[part] : rows) - row;
			if (n > CHUNK / cols)
				n = CHUNK / cols;
			if (x->rows_most && n > x->rows_most)
				n = x->rows_most;
			c->rows = (size_t)n;
			c->len = (size_t)cols;
		}
		col = c->piece ? col + c->len : cols;
		c->row_end = col == cols;
		if (c->row_end) {
			row += c->rows;
			col = 0;
		}
		c->last = row == rows;
		if (put(x, c, e) < 0)
			return -1;
	}
	/* The feed's tensor is read; its chunks may still be under way. */
	return 0;
}

static int
all(struct run *x, struct err *e)
{
	struct member m;
	int r;

	while ((r = stream_next(x->feed.in, &m, e)) > 0) {
		if (m.kind != MEMBER_TENSOR)
			continue;
		/* Who has no values is told of in order, too. */
		if (!x->m->tensor[m.index].n || x->m->tensor[m.index].tied_to ||
		    !(type_decoder(x->m->tensor[m.index].type) ||
		    x->m->tensor[m.index].type->flags & TYPE_WHOLE))
			while ((r = drain_one(x, e)) > 0)
				;
		if (r < 0 || tensor(x, m.index, e) < 0)
			return -1;
	}
	while (r == 0 && (r = drain_one(x, e)) > 0)
		r = 0;
	return r;
}

int
stat_run(struct stream_in *in, const struct stat_opts *o, struct err *e)
{
	const char *rows = getenv("APR_CHUNK_ROWS");
	struct run x = { .o = o, .m = stream_manifest(in), .nchunk = o->jobs * 2 + 2 };
	struct err ignored;
	bool unknown;
	int r = -1;

	x.feed.in = in;
	x.feed.progress = o->progress;
	x.feed.spill = -1;
	x.rows_most = rows ? (size_t)strtoul(rows, NULL, 10) : 0;
	x.arch = arch_of(x.m, &unknown, &ignored);
	if (!(x.hist = malloc(STAT_BINS * sizeof *x.hist)) ||
	    !(x.chunk = calloc(x.nchunk + 1, sizeof *x.chunk)))
		err_set(e, "out of memory");
	else {
		size_t i = 0;

		for (; i < x.nchunk && (x.chunk[i] = calloc(1, sizeof **x.chunk)); i++)
			;
		if (i < x.nchunk)
			err_set(e, "out of memory");
		else if ((x.pool = pool_new(o->jobs, (unsigned)x.nchunk - 1, work, e)))
			r = all(&x, e);
	}
	pool_free(x.pool);
	for (size_t i = 0; x.chunk && i < x.nchunk && x.chunk[i]; i++) {
		free(x.chunk[i]->src);
		free(x.chunk[i]->bins);
		free(x.chunk[i]->begin);
		free(x.chunk[i]);
	}
	free(x.chunk);
	free(x.hist);
	arch_close(x.arch);
	return r;
}
