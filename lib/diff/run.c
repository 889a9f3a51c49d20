/* SPDX-License-Identifier: MIT */
/*
 * run.c -- both models, in step.  Files are read where the next elements are.
 * A stream leads: what comes is compared with the other side's part, and what
 * has to be turned is spilled until all of its role is there.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

/* Who wants which tensor of a side. */
static int
find_uses(struct run *r, unsigned k, struct err *e)
{
	struct uses *u = &r->uses[k];
	const struct manifest *m = r->d->side[k].m;
	size_t n = 0;

	for (size_t i = 0; i < r->d->npair; i++)
		if (r->d->pair[i].e.kind == DIFF_BOTH)
			n += r->d->pair[i].v[k]->npiece;
	if (!(u->v = calloc(n + 1, sizeof *u->v)) ||
	    !(u->head = malloc((m->ntensor + 1) * sizeof *u->head)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < m->ntensor; i++)
		u->head[i] = NONE;
	for (size_t i = r->d->npair; i-- > 0; ) {
		struct pair *p = &r->d->pair[i];

		for (size_t q = 0; p->e.kind == DIFF_BOTH && q < p->v[k]->npiece; q++) {
			struct piece *x = &p->v[k]->piece[q];

			u->v[u->n] = (struct use){ p, x->at, u->head[x->tensor] };
			u->head[x->tensor] = u->n++;
		}
	}
	return 0;
}

/* Can bytes be compared as they come?  In step: the other side's too, so both
 * are whole tensors that nobody else wants. */
static bool
direct(const struct run *r, unsigned k, size_t tensor, bool step)
{
	const struct tensor *t = &r->d->side[k].m->tensor[tensor];
	const struct uses *u = &r->uses[k];

	for (size_t i = u->head[tensor]; i != NONE; i = u->v[i].next) {
		const struct pair *p = u->v[i].p;

		if (!diff_view_plain(r->d, p->v[k]) || p->v[!k]->strips || p->v[k]->at > 0)
			return false;
		/* All of it, in rows that are the pair's. */
		if (!p->e.raw && (t->n % p->cols != 0 || u->v[i].at + t->n > p->n))
			return false;
		if (step && (u->v[i].next != NONE || !diff_view_plain(r->d, p->v[!k]) ||
		    p->v[k]->npiece != 1 || p->v[!k]->npiece != 1 ||
		    r->uses[!k].v[r->uses[!k].head[p->v[!k]->piece[0].tensor]].next != NONE))
			return false;
	}
	return true;
}

/* Some of the current member to a job. */
static int
take(struct stream_in *in, struct job *j, unsigned k, const struct tensor *t, size_t tensor,
    uint64_t off, size_t *bytes, struct err *e)
{
	uint64_t from = off, to = off + j->n;

	if (!j->p->e.raw) {
		from = diff_tensor_at(t, off);
		to = off + j->n == t->n ? t->bytes : diff_tensor_at(t, off + j->n);
	}
	*bytes = (size_t)(to - from);
	if (bytes_room(&j->raw[k], &j->cap[k], *bytes, e) < 0 ||
	    stream_read(in, j->raw[k], *bytes, e) < 0)
		return -1;
	j->held[k] = (struct held_bytes){ tensor, from, j->raw[k] };
	return 0;
}

static int
spill_member(struct side *s, size_t tensor, struct err *e)
{
	const void *p;
	uint64_t at = 0;
	size_t n;
	int k;

	if ((s->spill[tensor] = io_temp(e)) < 0)
		return -1;
	for (; (k = stream_some(s->stream, &p, &n, e)) > 0; at += n)
		if (io_temp_put(s->spill[tensor], p, n, at, e) < 0)
			return -1;
	return k;
}

/* Is all that a pair needs readable by now? */
static bool
ready(const struct diff *d, const struct pair *p)
{
	for (unsigned k = 0; k < 2; k++)
		for (size_t i = 0; d->side[k].stream && i < p->v[k]->npiece; i++) {
			size_t t = p->v[k]->piece[i].tensor;

			if (d->side[k].spill[t] < 0 && d->side[k].m->tensor[t].bytes > 0)
				return false;
		}
	return true;
}

static void
let_go(struct run *r, const struct pair *p)
{
	for (unsigned k = 0; k < 2; k++)
		for (size_t i = 0; r->d->side[k].stream && i < p->v[k]->npiece; i++) {
			size_t t = p->v[k]->piece[i].tensor;
			int *fd = &r->d->side[k].spill[t];
			bool wanted = false;

			for (size_t u = r->uses[k].head[t]; u != NONE; u = r->uses[k].v[u].next)
				wanted |= r->uses[k].v[u].p->done < r->uses[k].v[u].p->n;
			if (!wanted && *fd >= 0) {
				close(*fd);
				*fd = -1;
			}
		}
}

/* A member that cannot be compared as it comes. */
static int
later(struct run *r, unsigned k, size_t tensor, struct err *e)
{
	if (spill_member(&r->d->side[k], tensor, e) < 0)
		return -1;
	for (size_t i = r->uses[k].head[tensor]; i != NONE; i = r->uses[k].v[i].next) {
		struct pair *p = r->uses[k].v[i].p;

		if (p->done < p->n && ready(r->d, p) &&
		    (diff_whole(r, p, e) < 0 || diff_drain(r, e) < 0))
			return -1;
		let_go(r, p);
	}
	return 0;
}

/* The same bytes for another job. */
static int
share(struct run *r, struct job *j, unsigned k, const struct held_bytes *held, size_t n,
    struct err *e)
{
	if (bytes_room(&j->raw[k], &j->cap[k], n, e) < 0)
		return -1;
	memcpy(j->raw[k], r->shared, n);
	j->held[k] = *held;
	j->held[k].p = j->raw[k];
	return 0;
}

/* A member against the other side's file; more than one pair may want it. */
static int
against_file(struct run *r, unsigned k, size_t tensor, struct err *e)
{
	struct side *s = &r->d->side[k];
	const struct tensor *t = &s->m->tensor[tensor];
	const struct use *u = r->uses[k].v;
	size_t head = r->uses[k].head[tensor];
	const struct pair *first = u[head].p;
	bool many = u[head].next != NONE;
	uint64_t end = first->e.raw ? t->bytes : t->n;

	for (uint64_t off = 0, n; off < end; off += n) {
		struct held_bytes held = { 0 };
		size_t bytes = 0;

		n = diff_chunk(first, off, end - off);
		for (size_t i = head; i != NONE; i = u[i].next) {
			struct job *j = diff_job_new(r, u[i].p, u[i].at + off, (size_t)n, e);

			if (!j)
				return -1;
			if (i != head) {
				if (share(r, j, k, &held, bytes, e) < 0)
					return -1;
			} else {
				if (take(s->stream, j, k, t, tensor, off, &bytes, e) < 0)
					return -1;
				held = j->held[k];
				if (many && bytes_room(&r->shared, &r->nshared, bytes, e) < 0)
					return -1;
				if (many)
					memcpy(r->shared, held.p, bytes);
			}
			pool_put(r->pool, j);
		}
	}
	return 0;
}

/* The next tensor of a stream that somebody wants: 1, 0 at the end, -1. */
static int
next_wanted(struct run *r, unsigned k, size_t *tensor, struct err *e)
{
	struct member m;
	int c;

	while ((c = stream_next(r->d->side[k].stream, &m, e)) > 0)
		if (m.kind == MEMBER_TENSOR && m.bytes > 0 && r->uses[k].head[m.index] != NONE) {
			*tensor = m.index;
			return 1;
		}
	return c;
}

static int
one_stream(struct run *r, unsigned k, struct err *e)
{
	size_t t;
	int c;

	while ((c = next_wanted(r, k, &t, e)) > 0)
		if ((direct(r, k, t, false) ? against_file(r, k, t, e) : later(r, k, t, e)) < 0)
			return -1;
	return c;
}

/* Both members are there. */
static int
in_step(struct run *r, struct pair *p, struct err *e)
{
	for (uint64_t off = 0, n; off < p->n; off += n) {
		struct job *j;

		n = diff_chunk(p, off, p->n - off);
		if (!(j = diff_job_new(r, p, off, (size_t)n, e)))
			return -1;
		for (unsigned k = 0; k < 2; k++) {
			struct side *s = &r->d->side[k];
			size_t t = p->v[k]->piece[0].tensor, bytes;

			if (take(s->stream, j, k, &s->m->tensor[t], t, off, &bytes, e) < 0)
				return -1;
		}
		pool_put(r->pool, j);
	}
	return 0;
}

/* The second stream up to the tensor `want`, or to its end. */
static int
catch_up(struct run *r, size_t want, const char *leader, struct err *e)
{
	struct side *s = &r->d->side[1];
	size_t t;
	int c;

	while ((c = next_wanted(r, 1, &t, e)) > 0) {
		if (t == want)
			return 0;
		if (direct(r, 1, t, true))
			return err_set(e, "%s of the second stream comes when it is the turn of %s:"
			    " two streams must have one order, as apr-cat --order=quantize gives",
			    s->m->tensor[t].name, leader);
		if (later(r, 1, t, e) < 0)
			return -1;
	}
	return c < 0 || want == NONE ? c : err_set(e, "%s: the second stream is over",
	    leader);
}

static int
two_streams(struct run *r, struct err *e)
{
	size_t t;
	int c;

	while ((c = next_wanted(r, 0, &t, e)) > 0) {
		struct pair *p = r->uses[0].v[r->uses[0].head[t]].p;

		if (!direct(r, 0, t, true)) {
			if (later(r, 0, t, e) < 0)
				return -1;
		} else if (catch_up(r, p->v[1]->piece[0].tensor, r->d->side[0].m->tensor[t].name,
		    e) < 0 || in_step(r, p, e) < 0) {
			return -1;
		}
	}
	return c < 0 ? -1 : catch_up(r, NONE, "nothing more", e);
}

static int
walk(struct run *r, struct err *e)
{
	struct diff *d = r->d;
	bool a = d->side[0].stream, b = d->side[1].stream;

	for (unsigned k = 0; k < 2; k++)
		if (find_uses(r, k, e) < 0)
			return -1;
	/* What has no elements, or is made on both sides, waits for nobody. */
	for (size_t i = 0; i < d->npair; i++) {
		struct pair *p = &d->pair[i];

		if (p->e.kind == DIFF_BOTH && (p->n == 0 || (!a && !b) ||
		    ((!a || p->v[0]->npiece == 0) && (!b || p->v[1]->npiece == 0))))
			if (diff_whole(r, p, e) < 0)
				return -1;
	}
	if (a && b ? two_streams(r, e) < 0 : a || b ? one_stream(r, b, e) < 0 : false)
		return -1;
	return diff_drain(r, e);
}

int
diff_run(struct diff *d, unsigned jobs, void (*progress)(uint64_t), struct err *e)
{
	struct run r = { .d = d, .progress = progress };
	int k = -1;

	for (unsigned i = 0; i < 2; i++)
		if (!d->side[i].stream && !source_threads(d->side[i].s))
			jobs = 1;
	r.njob = jobs + 2;
	if (!(r.job = calloc(r.njob, sizeof *r.job)) ||
	    !(r.idle = calloc(r.njob, sizeof *r.idle))) {
		err_set(e, "out of memory");
		goto out;
	}
	for (r.nidle = 0; r.nidle < r.njob; r.nidle++)
		r.idle[r.nidle] = &r.job[r.nidle];
	if ((r.pool = pool_new(jobs, (unsigned)r.njob, diff_job_work, e)) && walk(&r, e) == 0)
		k = 0;
out:
	pool_free(r.pool);
	for (size_t i = 0; r.job && i < r.njob; i++)
		for (int q = 0; q < 2; q++) {
			free(r.job[i].raw[q]);
			free(r.job[i].x[q]);
		}
	for (int q = 0; q < 2; q++) {
		free(r.uses[q].v);
		free(r.uses[q].head);
	}
	free(r.shared);
	free(r.job);
	free(r.idle);
	return k;
}
