/* SPDX-License-Identifier: MIT */
/*
 * streams.c -- what the driver does later: copies and kernels wait in their
 * stream until somebody waits for them, as on a card they may; another stream's
 * only where an event says so.  And graphs: what a stream has recorded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cuda.h"

enum what { COPY, SET, RUN, WAIT, RECORD };
enum { RELAXED = 2 };

struct stream;
struct event {
	struct stream	*stream;	/* where it was recorded last, */
	uint64_t	 ticket;	/* and behind what */
	struct graph	*graph;		/* or in what is recorded */
	double		 ms;
	bool		 timed, passed;
};

struct work {
	struct work	*next;
	enum what	 what;
	uint64_t	 ticket;
	struct ptx_launch launch;	/* RUN; its parameters stand behind */
	void		*to;
	const void	*from;
	size_t		 bytes;		/* COPY; of SET the times of `unit` bytes of v */
	uint32_t	 unit, v;
	bool		 up;		/* COPY: from the host to the card */
	struct stream	*other;		/* WAIT: as far as its ticket */
	uint64_t	 until;
	struct event	*event;
	unsigned char	 param[];
};

struct graph {
	struct work	*first, **last;
	struct stream	*owner;
	int		 mode;
	bool		 spoiled;
};

struct stream {
	struct stream	*next;
	struct work	*first, **last;
	uint64_t	 issued, done;
	struct graph	*graph;		/* that it records */
	bool		 used;
};
static struct stream *streams;		/* the newest first; none is freed before the end */

static void
drop(struct work *w)
{
	for (struct work *next; w; w = next) {
		next = w->next;
		free(w);
	}
}

static void run(struct stream *, uint64_t ticket);

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
perform(struct work *w)
{
	int status;

	switch (w->what) {
	case COPY:
		memmove(w->to, w->from, w->bytes);
		if (w->up)
			ptx_put_away(w->to, w->bytes);
		break;
	case SET:
		for (size_t i = 0; i < w->bytes; i++)
			memcpy((unsigned char *)w->to + i * w->unit, &w->v, w->unit);
		break;
	case RUN:
		w->launch.param = w->param;
		if (!getenv("STUB_CUDA_IDLE") && (status = ptx_run(&w->launch)))
			stub_broken = status;
		break;
	case WAIT:
		run(w->other, w->until);
		break;
	case RECORD:
		w->event->ms = now();
		w->event->passed = true;
		break;
	}
}

static void
run(struct stream *s, uint64_t ticket)
{
	while (s->first && s->first->ticket <= ticket) {
		struct work *w = s->first;

		if (!(s->first = w->next))
			s->last = &s->first;
		if (!stub_broken)
			perform(w);
		free(w);
	}
}

void
stub_run_all(void)
{
	for (struct stream *s = streams; s; s = s->next)
		run(s, UINT64_MAX);
}

bool
stub_waits(void)
{
	for (struct stream *s = streams; s; s = s->next)
		if (s->first)
			return true;
	return false;
}

int
stub_forbidden(void)
{
	int found = 0;

	for (struct stream *s = streams; s; s = s->next)
		if (s->graph && s->graph->mode != RELAXED) {
			s->graph->spoiled = true;
			found = 1;
		}
	return found;
}

__attribute__((destructor)) static void
end(void)
{
	for (struct stream *s = streams, *next; s; s = next) {
		next = s->next;
		drop(s->first);
		free(s);
	}
	streams = NULL;
}

static struct stream *
stream(void)
{
	struct stream *s = streams;

	while (s && s->used)
		s = s->next;
	if (!s) {
		if (!(s = calloc(1, sizeof *s)))
			return NULL;
		s->last = &s->first;
		s->next = streams;
		streams = s;
	}
	s->used = true;
	return s;
}

/* Stream 0 is every other's. */
static struct stream *
of(void *p)
{
	static struct stream *zero;

	if (p)
		return p;
	if (!zero)
		zero = stream();
	return zero;
}

static int
add(void *p, struct work *w)
{
	struct stream *s = of(p);

	if (!w || !s) {
		free(w);
		return OUT_OF_MEMORY;
	}
	if (!p && stub_forbidden()) {
		free(w);
		return CAPTURE_UNSUPPORTED;
	}
	if (s->graph) {
		*s->graph->last = w;
		s->graph->last = &w->next;
		return OK;
	}
	if (!p)
		stub_run_all();
	w->ticket = ++s->issued;
	*s->last = w;
	s->last = &w->next;
	if (!p)
		stub_run_all();
	return stub_broken;
}

static struct work *
work(enum what what, size_t params)
{
	struct work *w = calloc(1, sizeof *w + params);

	if (w)
		w->what = what;
	return w;
}

int
cuStreamCreate(void **to, unsigned flags)
{
	CALL();
	if (flags > 1)
		return INVALID_VALUE;
	*to = stream();
	stub_left++;
	return *to ? OK : OUT_OF_MEMORY;
}

int
cuStreamCreateWithPriority(void **to, unsigned flags, int priority)
{
	(void)priority;
	return cuStreamCreate(to, flags);
}

int
cuStreamDestroy_v2(void *p)
{
	struct stream *s = p;

	run(s, UINT64_MAX);
	s->used = false;
	stub_left--;
	return stub_broken;
}

int
cuStreamSynchronize(void *p)
{
	struct stream *s = of(p);
	CALL();

	if (s->graph) {
		s->graph->spoiled = true;
		return CAPTURE_UNSUPPORTED;
	}
	run(s, UINT64_MAX);
	return stub_broken;
}

int
cuStreamQuery(void *p)
{
	return cuStreamSynchronize(p);
}

int
cuStreamWaitEvent(void *p, void *event, unsigned flags)
{
	struct stream *s = of(p);
	struct event *e = event;
	struct work *w;
	CALL();

	(void)flags;
	if (e->graph) {		/* another stream records along */
		if (s->graph && s->graph != e->graph)
			return INVALID_VALUE;
		s->graph = e->graph;
		return OK;
	}
	if (!e->stream)
		return OK;
	if (!(w = work(WAIT, 0)))
		return OUT_OF_MEMORY;
	w->other = e->stream;
	w->until = e->ticket;
	return add(p, w);
}

int
cuEventCreate(void **to, unsigned flags)
{
	struct event *e;
	CALL();

	if (flags > 7)
		return INVALID_VALUE;
	*to = e = stub_thing(sizeof *e);
	e->timed = !(flags & 2);
	return OK;
}

int
cuEventDestroy_v2(void *e)
{
	stub_run_all();
	return stub_gone(e);
}

int
cuEventRecord(void *event, void *p)
{
	struct event *e = event;
	struct stream *s = of(p);
	struct work *w;
	int status;
	CALL();

	e->graph = s->graph;
	if (s->graph)
		return OK;
	if (!(w = work(RECORD, 0)))
		return OUT_OF_MEMORY;
	w->event = e;
	e->passed = false;
	status = add(p, w);
	e->stream = s;
	e->ticket = s->issued;
	return status;
}

static int
wait_for(struct event *e)
{
	if (e->graph)
		return CAPTURED_EVENT;
	if (e->stream)
		run(e->stream, e->ticket);
	return stub_broken;
}

int
cuEventSynchronize(void *e)
{
	CALL();
	return wait_for(e);
}

int
cuEventQuery(void *e)
{
	CALL();
	return wait_for(e);
}

int
cuEventElapsedTime(float *ms, void *from, void *to)
{
	struct event *a = from, *b = to;
	CALL();

	if (!a->timed || !b->timed || !a->passed || !b->passed)
		return 400;
	*ms = (float)(b->ms - a->ms);
	return OK;
}

/* On the device all of it must be in one allocation. */
static int
copy(void *p, void *to, uint64_t to_device, const void *from, uint64_t from_device, size_t bytes)
{
	const struct ptx_range *r;
	bool up = !to && from;
	struct work *w;

	if (!to) {
		if (!(r = ptx_range(to_device, bytes)))
			return INVALID_VALUE;
		to = r->host + (to_device - r->start);
	}
	if (!from) {
		if (!(r = ptx_range(from_device, bytes)))
			return INVALID_VALUE;
		from = r->host + (from_device - r->start);
	}
	if ((w = work(COPY, 0))) {
		w->to = to;
		w->from = from;
		w->bytes = bytes;
		w->up = up;
	}
	if (up)
		stub_written += bytes;
	return add(p, w);
}

int
cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *s)
{
	CALL_OF("cuMemcpyHtoDAsync");
	return copy(s, NULL, to, from, 0, bytes);
}

int
cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *s)
{
	CALL_OF("cuMemcpyDtoHAsync");
	return copy(s, to, 0, NULL, from, bytes);
}

int
cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *s)
{
	CALL_OF("cuMemcpyDtoDAsync");
	return copy(s, NULL, to, NULL, from, bytes);
}

int
cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes)
{
	CALL_OF("cuMemcpyHtoD");
	return copy(NULL, NULL, to, from, 0, bytes);
}

int
cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes)
{
	CALL_OF("cuMemcpyDtoH");
	return copy(NULL, to, 0, NULL, from, bytes);
}

static int
set(void *p, uint64_t to, uint32_t v, uint32_t unit, size_t n)
{
	const struct ptx_range *r = n <= SIZE_MAX / 4 ? ptx_range(to, n * unit) : NULL;
	struct work *w;

	if (!r || to % unit)
		return INVALID_VALUE;
	if ((w = work(SET, 0))) {
		w->to = r->host + (to - r->start);
		w->bytes = n;
		w->unit = unit;
		w->v = v;
	}
	return add(p, w);
}

int
cuMemsetD8Async(uint64_t to, unsigned char v, size_t n, void *s)
{
	CALL();
	return set(s, to, v, 1, n);
}

int
cuMemsetD32Async(uint64_t to, unsigned v, size_t n, void *s)
{
	CALL();
	return set(s, to, v, 4, n);
}

/* What a card of today takes. */
static bool
fits(const struct ptx_launch *l)
{
	const unsigned *g = l->grid, *b = l->block;
	uint64_t threads = (uint64_t)b[0] * b[1] * b[2];

	return g[0] && g[1] && g[2] && g[0] <= INT32_MAX && g[1] <= 65535 && g[2] <= 65535 && b[0] && b[1] &&
	    b[2] && b[0] <= 1024 && b[1] <= 1024 && b[2] <= 64 && threads <= l->f->threads &&
	    (!l->f->exact || threads == l->f->threads) &&
	    (l->f->dynamic ? l->dynamic <= l->f->dynamic : l->dynamic + l->f->shared <= 48 << 10);
}

static int
launch(const struct ptx_launch *l, void *s, void **arg, void **extra)
{
	struct work *w;

	if (extra || !fits(l))
		return INVALID_VALUE;
	if ((w = work(RUN, l->f->param_bytes))) {
		w->launch = *l;
		for (uint32_t i = 0; i < l->f->params; i++)
			memcpy(w->param + l->f->param[i].at, arg[i], l->f->param[i].bytes);
	}
	return add(s, w);
}

int
cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
    unsigned shared, void *s, void **arg, void **extra)
{
	struct ptx_launch l = { f, { gx, gy, gz }, { bx, by, bz }, shared, NULL };
	CALL();

	return launch(&l, s, arg, extra);
}

/* The driver's structure of a launch with attributes, which change no result. */
struct config {
	unsigned	 grid[3], block[3], shared;
	void		*stream;
	void		*attribute;
	unsigned	 attributes;
};

int
cuLaunchKernelEx(const struct config *c, void *f, void **arg, void **extra)
{
	struct ptx_launch l = { f, { c->grid[0], c->grid[1], c->grid[2] },
		{ c->block[0], c->block[1], c->block[2] }, c->shared, NULL };
	CALL();

	return launch(&l, c->stream, arg, extra);
}

int
cuStreamBeginCapture_v2(void *p, int mode)
{
	struct stream *s = p;
	struct graph *g;
	CALL_OF("cuStreamBeginCapture");

	if (!p || s->graph || mode < 0 || mode > RELAXED)
		return !p ? CAPTURE_UNSUPPORTED : INVALID_VALUE;
	if (!(g = stub_thing(sizeof *g)))
		return OUT_OF_MEMORY;
	g->last = &g->first;
	g->mode = mode;
	g->owner = s;
	s->graph = g;
	return OK;
}

int
cuStreamIsCapturing(void *p, int *status)
{
	struct stream *s = of(p);
	CALL();

	*status = !s->graph ? 0 : s->graph->spoiled ? 2 : 1;
	return OK;
}

int
cuStreamEndCapture(void *p, void **to)
{
	__attribute__((cleanup(stub_leave))) int status = stub_enter(__func__);
	struct stream *s = p;
	struct graph *g = s->graph;

	*to = NULL;
	if (!g || g->owner != s)
		return status ? status : INVALID_VALUE;
	/* Also one that fails has ended. */
	for (struct stream *t = streams; t; t = t->next)
		if (t->graph == g)
			t->graph = NULL;
	if (status || g->spoiled) {
		drop(g->first);
		stub_gone(g);
		return status ? status : CAPTURE_INVALIDATED;
	}
	*to = g;
	return OK;
}

static struct work *
again(const struct work *w)
{
	size_t params = w->what == RUN ? w->launch.f->param_bytes : 0;
	struct work *copy = work(w->what, params);

	if (copy) {
		memcpy(copy, w, sizeof *w + params);
		copy->next = NULL;
	}
	return copy;
}

static int
instantiate(void **to, const struct graph *from)
{
	struct graph *g = stub_thing(sizeof *g);

	if (!g)
		return OUT_OF_MEMORY;
	g->last = &g->first;
	for (const struct work *w = from->first; w; w = w->next) {
		*g->last = again(w);
		g->last = &(*g->last)->next;
	}
	*to = g;
	return OK;
}

int
cuGraphInstantiateWithFlags(void **to, void *graph, unsigned long long flags)
{
	CALL_OF("cuGraphInstantiate");
	return flags > 15 ? INVALID_VALUE : instantiate(to, graph);
}

int
cuGraphInstantiate_v2(void **to, void *graph, void **node, char *log, size_t bytes)
{
	(void)node;
	(void)log;
	(void)bytes;
	CALL_OF("cuGraphInstantiate");
	return instantiate(to, graph);
}

int
cuGraphUpload(void *graph, void *s)
{
	(void)graph;
	(void)s;
	CALL();
	return OK;
}

int
cuGraphLaunch(void *graph, void *s)
{
	struct graph *g = graph;
	int status = OK;
	CALL();

	for (const struct work *w = g->first; w && !status; w = w->next)
		status = add(s, again(w));
	return status;
}

/* The nodes must be as many of the same kinds, calls of the same functions. */
int
cuGraphExecUpdate_v2(void *exec, void *graph, void *result)
{
	struct graph *g = exec, *from = graph;
	const struct work *a = g->first, *b = from->first;
	CALL_OF("cuGraphExecUpdate");

	(void)result;
	for (; a && b; a = a->next, b = b->next)
		if (a->what != b->what || (a->what == RUN && a->launch.f != b->launch.f))
			break;
	if (a || b)
		return 910;
	drop(g->first);
	g->last = &g->first;
	g->first = NULL;
	for (b = from->first; b; b = b->next) {
		*g->last = again(b);
		g->last = &(*g->last)->next;
	}
	return OK;
}

int
cuGraphGetNodes(void *graph, void **node, size_t *n)
{
	size_t k = 0;
	CALL();

	for (struct work *w = ((struct graph *)graph)->first; w; w = w->next, k++)
		if (node && k < *n)
			node[k] = w;
	*n = k;
	return OK;
}

int
cuGraphExecDestroy(void *graph)
{
	if (!graph)
		return INVALID_VALUE;
	drop(((struct graph *)graph)->first);
	return stub_gone(graph);
}

int
cuGraphDestroy(void *graph)
{
	if (!graph)
		return INVALID_VALUE;
	drop(((struct graph *)graph)->first);
	return stub_gone(graph);
}
