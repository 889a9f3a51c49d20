/* SPDX-License-Identifier: MIT */
/* jobs.c -- chunks: read on both sides, decoded, compared, and what was found
 * added to the pair. */
#include <stdlib.h>
#include <string.h>

#include "run.h"

enum {
	CHUNK = 65536,		/* elements of a job, or so */
	RAW = 1 << 18,		/* bytes of one */
};

static int
compare_raw(struct job *j, struct err *e)
{
	struct diff_sums *s = &j->sums;

	for (unsigned k = 0; k < 2; k++)
		if (diff_side_bytes(j->d, k, j->p->v[k]->piece[0].tensor, j->held[k].p ? &j->held[k] : NULL,
		    j->at, j->x[k], j->n, e) < 0)
			return -1;
	s->n = j->n;
	s->equal = j->n;
	if (!memcmp(j->x[0], j->x[1], j->n))
		return 0;
	for (size_t i = 0; i < j->n; i++)
		if (j->x[0][i] != j->x[1][i]) {
			if (s->odd++ == 0)
				s->odd_at = j->at + i;
			s->equal--;
		}
	return 0;
}

/* In tiles within each row. */
static int
compare(struct job *j, struct err *e)
{
	struct pair *p = j->p;
	size_t size = p->wide ? sizeof(double) : sizeof(float);

	for (unsigned k = 0; k < 2; k++)
		if (diff_view_get(j->d, p->v[k], j->held[k].p ? &j->held[k] : NULL, p->wide, j->at,
		    j->n, j->x[k], e) < 0)
			return -1;
	for (size_t i = 0, n; i < j->n; i += n) {
		uint64_t row = p->cols - (j->at + i) % p->cols;
		const void *a = j->x[0] + i * size, *b = j->x[1] + i * size;

		n = row < j->n - i ? (size_t)row : j->n - i;
		if (p->wide)
			diff_add_f64(&j->sums, a, b, n, j->at + i);
		else
			diff_add(&j->sums, a, b, n, j->at + i);
	}
	return 0;
}

void
diff_job_work(void *arg)
{
	struct job *j = arg;
	size_t size = j->p->e.raw ? 1 : j->p->wide ? sizeof(double) : sizeof(float);

	memset(&j->sums, 0, sizeof j->sums);
	j->bad = false;
	if (j->room < j->n * size) {
		free(j->x[0]);
		free(j->x[1]);
		j->x[0] = malloc(j->n * size);
		j->x[1] = malloc(j->n * size);
		j->room = j->x[0] && j->x[1] ? j->n * size : 0;
	}
	if (j->room == 0)
		j->bad = err_set(&j->e, "out of memory") < 0;
	else
		j->bad = (j->p->e.raw ? compare_raw(j, &j->e) : compare(j, &j->e)) < 0;
}

static uint64_t
stored(const struct pair *p, uint64_t n)
{
	double bytes = 0;

	for (int k = 0; k < 2; k++)
		bytes += p->e.raw ? 1 : p->e.type[k] ? (double)p->e.type[k]->bytes /
		    p->e.type[k]->block : 0;
	return (uint64_t)(bytes * (double)n);
}

/* What a job found, to its pair's. */
static int
collect(struct run *r, struct err *e)
{
	struct job *j = pool_get(r->pool);
	struct pair *p;

	if (!j)
		return 0;
	r->idle[r->nidle++] = j;
	p = j->p;
	if (j->bad) {
		*e = j->e;
		return -1;
	}
	if (!p->sums && !(p->sums = calloc(1, sizeof *p->sums)))
		return err_set(e, "out of memory");
	diff_merge(p->sums, &j->sums);
	p->done += j->n;
	if (p->done == p->n) {
		p->e.error = diff_error_of(p->sums);
		free(p->sums);
		p->sums = NULL;
	}
	if (r->progress)
		r->progress(stored(p, j->n));
	return 0;
}

struct job *
diff_job_new(struct run *r, struct pair *p, uint64_t at, size_t n, struct err *e)
{
	struct job *j;

	while (r->nidle == 0 || pool_full(r->pool))
		if (collect(r, e) < 0)
			return NULL;
	j = r->idle[--r->nidle];
	j->d = r->d;
	j->p = p;
	j->at = at;
	j->n = n;
	j->held[0].p = j->held[1].p = NULL;
	return j;
}

int
diff_drain(struct run *r, struct err *e)
{
	while (r->nidle < r->njob)
		if (collect(r, e) < 0)
			return -1;
	return 0;
}

size_t
diff_chunk(const struct pair *p, uint64_t at, uint64_t n)
{
	uint64_t rows = p->cols ? CHUNK / p->cols : 0, k;

	if (p->e.raw)
		return (size_t)(n < RAW ? n : RAW);
	if (rows == 0 && (p->v[0]->strips || p->v[1]->strips))
		rows = 1;
	k = rows ? rows * p->cols : CHUNK;
	/* In a long row up to its end, so that tiles keep their places. */
	if (!rows && p->cols - at % p->cols < k)
		k = p->cols - at % p->cols;
	return (size_t)(k < n ? k : n);
}

int
diff_whole(struct run *r, struct pair *p, struct err *e)
{
	struct job *j;

	if (p->n == 0) {
		p->e.error = diff_error_of(&(struct diff_sums){ .n = 0 });
		return 0;
	}
	for (uint64_t at = 0, n; at < p->n; at += n) {
		n = diff_chunk(p, at, p->n - at);
		if (!(j = diff_job_new(r, p, at, (size_t)n, e)))
			return -1;
		pool_put(r->pool, j);
	}
	return 0;
}

uint64_t
diff_bytes(const struct diff *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->npair; i++)
		if (d->pair[i].e.kind == DIFF_BOTH)
			n += stored(&d->pair[i], d->pair[i].n);
	return n;
}
