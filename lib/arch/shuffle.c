/* SPDX-License-Identifier: MIT */
/* shuffle.c -- transposing cells in strips: never more than LIMIT held. */
#include <stdlib.h>
#include <string.h>

#include <apr/shuffle.h>

#define LIMIT	((uint64_t)2 << 20)	/* bytes held, twice */

bool
shuffle_none(const struct shuffle *s)
{
	return s->batch == 0 || s->a <= 1 || s->b <= 1;
}

struct shuffle
shuffle_inverse(struct shuffle s)
{
	uint64_t a = s.a;

	s.a = s.b;
	s.b = a;
	return s;
}

bool
shuffle_in_order(const struct shuffle *s)
{
	return shuffle_none(s) || s->a * s->b * s->cell <= LIMIT;
}

/* in[a][b] to out[b][a], `items` times. */
static void
turn(unsigned char *out, const unsigned char *in, const struct shuffle *s, uint64_t items)
{
	size_t cell = (size_t)s->cell, item = (size_t)(s->a * s->b * s->cell);

	for (uint64_t k = 0; k < items; k++, in += item, out += item)
		for (uint64_t i = 0; i < s->a; i++)
			for (uint64_t j = 0; j < s->b; j++)
				memcpy(out + (j * s->a + i) * cell,
				    in + (i * s->b + j) * cell, cell);
}

struct gather {
	const struct shuffle *s;
	shuffle_get	*get;
	shuffle_emit	*emit;
	void		*ctx;
	unsigned char	*in, *out;	/* LIMIT bytes each */
};

/* n bytes that stay as they are. */
static int
straight(struct gather *g, uint64_t at, uint64_t n, struct err *e)
{
	while (n > 0) {
		size_t k = (size_t)(n < LIMIT ? n : LIMIT);

		if (g->get(g->ctx, g->in, at, k, e) < 0 || g->emit(g->ctx, g->in, k, e) < 0)
			return -1;
		at += k;
		n -= k;
	}
	return 0;
}

/* Rows [j, j + n) of an item's out that begins at `from` in both. */
static int
strip(struct gather *g, uint64_t from, uint64_t j, uint64_t n, struct err *e)
{
	const struct shuffle *s = g->s;
	size_t cell = (size_t)s->cell, run = (size_t)(n * s->cell);

	for (uint64_t i = 0; i < s->a; i++) {
		if (g->get(g->ctx, g->in, from + (i * s->b + j) * s->cell, run, e) < 0)
			return -1;
		for (uint64_t k = 0; k < n; k++)
			memcpy(g->out + (k * s->a + i) * cell, g->in + k * cell, cell);
	}
	return g->emit(g->ctx, g->out, (size_t)(n * s->a * s->cell), e);
}

static int
gather(struct gather *g, uint64_t at, uint64_t n, struct err *e)
{
	const struct shuffle *s = g->s;
	uint64_t row = s->a * s->cell, item = row * s->b, y, j, k;

	if (at < s->prefix && n > 0) {
		k = n < s->prefix - at ? n : s->prefix - at;
		if (straight(g, at, k, e) < 0)
			return -1;
		at += k;
		n -= k;
	}
	while (n > 0) {
		y = at - s->prefix;
		j = y % item / row;
		if (j == 0 && n >= item && item <= LIMIT) {
			/* Whole items, as many as fit. */
			k = n / item < LIMIT / item ? n / item : LIMIT / item;
			if (g->get(g->ctx, g->in, at, (size_t)(k * item), e) < 0)
				return -1;
			turn(g->out, g->in, s, k);
			if (g->emit(g->ctx, g->out, (size_t)(k * item), e) < 0)
				return -1;
			k *= item;
		} else if (row <= LIMIT) {
			k = LIMIT / row < s->b - j ? LIMIT / row : s->b - j;
			k = k < n / row ? k : n / row;
			if (strip(g, at - y % item, j, k, e) < 0)
				return -1;
			k *= row;
		} else {
			for (uint64_t i = 0; i < s->a; i++)
				if (straight(g, at - y % item + (i * s->b + j) * s->cell,
				    s->cell, e) < 0)
					return -1;
			k = row;
		}
		at += k;
		n -= k;
	}
	return 0;
}

int
shuffle_gather(const struct shuffle *s, uint64_t at, uint64_t n, shuffle_get *get,
    shuffle_emit *emit, void *ctx, struct err *e)
{
	struct gather g = { s, get, emit, ctx, malloc(LIMIT), NULL };
	int r = -1;

	if (!g.in || (!shuffle_none(s) && !(g.out = malloc(LIMIT))))
		err_set(e, "out of memory");
	else
		r = shuffle_none(s) ? straight(&g, at, n, e) : gather(&g, at, n, e);
	free(g.in);
	free(g.out);
	return r;
}

struct scatter {
	struct shuffle	 s;
	shuffle_put	*put;
	void		*ctx;
	uint64_t	 at;		/* in `in`, of the next byte */
	unsigned char	*held, *out;	/* LIMIT bytes each; rows of b cells */
	size_t		 n;		/* held bytes, which end at `at` */
};

struct scatter *
scatter_new(const struct shuffle *s, shuffle_put *put, void *ctx, struct err *e)
{
	struct scatter *w = calloc(1, sizeof *w);

	if (w && !shuffle_none(s)) {
		w->held = malloc(LIMIT);
		w->out = malloc(LIMIT);
	}
	if (!w || (!shuffle_none(s) && (!w->held || !w->out))) {
		scatter_free(w);
		err_set(e, "out of memory");
		return NULL;
	}
	w->s = *s;
	w->put = put;
	w->ctx = ctx;
	return w;
}

void
scatter_free(struct scatter *w)
{
	if (!w)
		return;
	free(w->held);
	free(w->out);
	free(w);
}

void
scatter_seek(struct scatter *w, uint64_t at)
{
	w->at = at;
	w->n = 0;
}

/* Some rows of one item: to b places. */
static int
put_strip(struct scatter *w, uint64_t y, const unsigned char *p, uint64_t rows,
    struct err *e)
{
	const struct shuffle *s = &w->s;
	uint64_t row = s->b * s->cell, item = row * s->a, i = y % item / row;

	for (uint64_t j = 0; j < s->b; j++) {
		for (uint64_t k = 0; k < rows; k++)
			memcpy(w->out + k * s->cell, p + (k * s->b + j) * s->cell,
			    (size_t)s->cell);
		if (w->put(w->ctx, w->out, s->prefix + y - y % item +
		    (j * s->a + i) * s->cell, (size_t)(rows * s->cell), e) < 0)
			return -1;
	}
	return 0;
}

/* What is held are whole rows: items, then perhaps a part of one. */
int
scatter_flush(struct scatter *w, struct err *e)
{
	const struct shuffle *s = &w->s;
	uint64_t row = s->b * s->cell, item = row * s->a, y, whole = 0;

	if (w->n == 0)
		return 0;
	y = w->at - w->n - s->prefix;
	if (y % item == 0 && (whole = w->n / item) > 0) {
		turn(w->out, w->held, s, whole);
		if (w->put(w->ctx, w->out, s->prefix + y, (size_t)(whole * item), e) < 0)
			return -1;
	}
	whole *= item;
	if (w->n > whole && put_strip(w, y + whole, w->held + whole,
	    (w->n - whole) / row, e) < 0)
		return -1;
	w->n = 0;
	return 0;
}

/* Bytes that may be held from here on: whole items, or rows of one. */
static uint64_t
room(const struct scatter *w)
{
	const struct shuffle *s = &w->s;
	uint64_t row = s->b * s->cell, item = row * s->a;
	uint64_t y = w->at - w->n - s->prefix, rest = item - y % item;

	if (item <= LIMIT && y % item == 0)
		return LIMIT / item * item;
	return rest < LIMIT / row * row ? rest : LIMIT / row * row;
}

int
scatter_write(struct scatter *w, const void *data, size_t n, struct err *e)
{
	const struct shuffle *s = &w->s;
	const unsigned char *p = data;
	uint64_t row = s->b * s->cell, k, y;

	while (n > 0) {
		if (w->at < s->prefix || shuffle_none(s)) {
			k = shuffle_none(s) ? n : s->prefix - w->at;
			k = k < n ? k : n;
			if (w->put(w->ctx, p, w->at, (size_t)k, e) < 0)
				return -1;
		} else if (row > LIMIT) {
			/* Cell by cell, in pieces. */
			y = (w->at - s->prefix) / s->cell;
			k = s->cell - (w->at - s->prefix) % s->cell;
			k = k < n ? k : n;
			if (w->put(w->ctx, p, w->at - y % (s->a * s->b) * s->cell +
			    (y % s->b * s->a + y / s->b % s->a) * s->cell, (size_t)k, e) < 0)
				return -1;
		} else {
			k = room(w) - w->n;
			k = k < n ? k : n;
			memcpy(w->held + w->n, p, (size_t)k);
			w->n += (size_t)k;
			w->at += k;
			p += k;
			n -= (size_t)k;
			if (w->n == room(w) && scatter_flush(w, e) < 0)
				return -1;
			continue;
		}
		w->at += k;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}
