/* SPDX-License-Identifier: MIT */
/*
 * gpu_memory.c -- addresses for what has none.
 *
 * A buffer gets a run of the host's addresses that nobody else has and nobody
 * may follow; a placed weight is known by the host's own.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <apr/size.h>

#include "gpu.h"

enum { SLACK = 64 };		/* bytes that may be read behind a row's end */

static struct gpu *
of(struct device *d)
{
	return (struct gpu *)d;
}

/* The first range that ends behind p. */
static size_t
search(const struct gpu *g, uintptr_t p)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (g->range[mid].at + g->range[mid].bytes <= p)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct gpu_range *
gpu_range(struct gpu *g, const void *p)
{
	uintptr_t at = (uintptr_t)p;
	size_t i = search(g, at);

	if (i < g->n && g->range[i].at <= at)
		return &g->range[i];
	if (!g->failed)
		err_set(&g->first, "an operation on memory that %s was not given", g->d.name);
	g->failed = true;
	return NULL;
}

size_t
gpu_offset(const struct gpu_range *r, const void *p)
{
	return r->from + ((uintptr_t)p - r->at);
}

size_t
gpu_apart(struct gpu *g, const void *a, const void *b)
{
	const struct gpu_range *r = gpu_range(g, a), *s = r ? gpu_range(g, b) : NULL;

	if (!s)
		return 0;
	if (r->mem != s->mem)
		gpu_fail(g, "experts", "they do not follow one another");
	return gpu_offset(s, b) - gpu_offset(r, a);
}

static int
enter(struct gpu *g, struct gpu_range r, struct err *e)
{
	size_t i = search(g, r.at);

	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 256;
		struct gpu_range *more = realloc(g->range, cap * sizeof *more);

		if (!more)
			return err_set(e, "out of memory");
		g->range = more;
		g->cap = cap;
	}
	memmove(g->range + i + 1, g->range + i, (g->n - i) * sizeof *g->range);
	g->range[i] = r;
	g->n++;
	return 0;
}

static void *
buffer(struct gpu *g, size_t bytes, struct err *e)
{
	const char *why = NULL;
	void *m;

	if (bytes > g->most) {
		err_set(e, "%zu bytes in one piece are wanted, %s gives %" PRIu64, bytes, g->name,
		    g->most);
		return NULL;
	}
	if (!(m = g->driver->alloc(g, bytes, &why)))
		err_set(e, "%s: %zu bytes of memory: %s", g->name, bytes, why);
	else
		g->taken += bytes;
	return m;
}

/* One that was to be r's. */
static void
give_back(struct gpu *g, const struct gpu_range *r)
{
	g->driver->free(g, r->mem);
	g->taken -= r->taken;
}

uint64_t
gpu_takes(uint64_t bytes)
{
	return bytes + SLACK;
}

void
gpu_room(const struct device *d, struct device_room *r)
{
	const struct gpu *g = (const struct gpu *)d;

	*r = (struct device_room){ g->memory, g->most - SLACK, g->taken, SLACK };
}

void *
gpu_alloc(struct device *d, size_t bytes, struct err *e)
{
	struct gpu *g = of(d);
	size_t all = bytes + SLACK;
	struct gpu_range r = { .ours = true };
	void *p;

	if (all < bytes) {
		err_set(e, "%zu bytes of memory are too many", bytes);
		return NULL;
	}
	p = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		err_set(e, "out of memory");
		return NULL;
	}
	r.at = (uintptr_t)p;
	r.bytes = r.taken = all;
	if (!(r.mem = buffer(g, all, e)) || enter(g, r, e) < 0) {
		if (r.mem)
			give_back(g, &r);
		munmap(p, all);
		return NULL;
	}
	return p;
}

static void
drop(struct gpu *g, const struct gpu_range *r)
{
	if (!r->shared)
		give_back(g, r);
	if (r->ours)
		munmap((void *)r->at, r->bytes);
}

void
gpu_free(struct device *d, void *p)
{
	struct gpu *g = of(d);
	size_t i = search(g, (uintptr_t)p);

	if (i == g->n || g->range[i].at != (uintptr_t)p)
		return;
	gpu_fail(g, "an operation", g->driver->finish(g));
	drop(g, &g->range[i]);
	memmove(g->range + i, g->range + i + 1, (g->n - i - 1) * sizeof *g->range);
	g->n--;
}

void
gpu_memory_release(struct gpu *g)
{
	for (size_t i = 0; i < g->n; i++)
		drop(g, &g->range[i]);
	free(g->range);
	g->range = NULL;
	g->n = g->cap = 0;
}

int
gpu_place(struct device *d, const void *p, size_t bytes, struct err *e)
{
	struct gpu *g = of(d);
	struct gpu_range r = { .at = (uintptr_t)p, .bytes = bytes, .taken = bytes + SLACK };
	size_t i = search(g, r.at);

	if (bytes == 0 || (i < g->n && g->range[i].at <= r.at))
		return 0;	/* two names for one vector, two contexts */
	if (!(r.mem = buffer(g, r.taken, e)))
		return -1;
	if (enter(g, r, e) == 0)
		return 0;
	give_back(g, &r);
	return -1;
}

/* The first range has the buffer. */
int
gpu_place_all(struct device *d, const void *const *p, size_t n, size_t bytes, struct err *e)
{
	struct gpu *g = of(d);
	struct gpu_range r = { .bytes = bytes };
	size_t i = n ? search(g, (uintptr_t)p[0]) : 0, all;

	if (n == 0 || bytes == 0 || (i < g->n && g->range[i].at <= (uintptr_t)p[0]))
		return 0;
	if (size_mul(&all, n, bytes) || all + SLACK < all)
		return err_set(e, "%zu times %zu bytes are too many", n, bytes);
	r.taken = all + SLACK;
	if (!(r.mem = buffer(g, r.taken, e)))
		return -1;
	for (i = 0; i < n; i++, r.taken = 0) {
		r.at = (uintptr_t)p[i];
		r.from = i * bytes;
		r.shared = i > 0;
		if (enter(g, r, e) == 0)
			continue;
		/* What was entered goes when all does. */
		if (i == 0)
			give_back(g, &r);
		return -1;
	}
	return 0;
}

void
gpu_write(struct device *d, void *to, const void *from, size_t bytes)
{
	struct gpu *g = of(d);
	const struct gpu_range *r;

	if (bytes == 0 || g->failed || !(r = gpu_range(g, to)))
		return;
	g->coded.x = NULL;
	gpu_fail(g, "bytes to it", g->driver->write(g, r->mem, gpu_offset(r, to), from, bytes));
}

int
gpu_read(struct device *d, void *to, const void *from, size_t bytes, struct err *e)
{
	struct gpu *g = of(d);
	const struct gpu_range *r;

	if (bytes > 0 && !g->failed && (r = gpu_range(g, from)))
		gpu_fail(g, "bytes from it", g->driver->read(g, to, r->mem, gpu_offset(r, from), bytes));
	if (!g->failed)
		return 0;
	*e = g->first;
	return -1;
}

void
gpu_copy(struct device *d, void *to, const void *from, size_t bytes)
{
	struct gpu *g = of(d);
	const struct gpu_range *a, *b;

	if (bytes == 0 || g->failed || !(a = gpu_range(g, from)) || !(b = gpu_range(g, to)))
		return;
	g->coded.x = NULL;
	gpu_fail(g, "a copy", g->driver->copy(g, b->mem, gpu_offset(b, to), a->mem, gpu_offset(a, from),
	    bytes));
}
