/* SPDX-License-Identifier: MIT */
/*
 * opencl_memory.c -- addresses for what has none.
 *
 * A buffer gets a run of the host's addresses that nobody else has and nobody
 * may follow; a placed weight is known by the host's own.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "opencl.h"

enum { SLACK = 64 };		/* bytes that may be read behind a row's end */

static struct opencl *
of(struct device *d)
{
	return (struct opencl *)d;
}

/* The first range that ends behind p. */
static size_t
search(const struct opencl *o, uintptr_t p)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (o->range[mid].at + o->range[mid].bytes <= p)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct range *
opencl_range(struct opencl *o, const void *p)
{
	uintptr_t at = (uintptr_t)p;
	size_t i = search(o, at);

	if (i < o->n && o->range[i].at <= at)
		return &o->range[i];
	if (!o->failed)
		err_set(&o->first, "an operation on memory that %s was not given", o->d.name);
	o->failed = true;
	return NULL;
}

static int
enter(struct opencl *o, struct range r, struct err *e)
{
	size_t i = search(o, r.at);

	if (o->n == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 256;
		struct range *more = realloc(o->range, cap * sizeof *more);

		if (!more)
			return err_set(e, "out of memory");
		o->range = more;
		o->cap = cap;
	}
	memmove(o->range + i + 1, o->range + i, (o->n - i) * sizeof *o->range);
	o->range[i] = r;
	o->n++;
	return 0;
}

static cl_mem
buffer(struct opencl *o, size_t bytes, struct err *e)
{
	cl_status s = 0;
	cl_mem m;

	if (bytes > o->choice.most) {
		err_set(e, "%zu bytes in one piece are wanted, %s gives %" PRIu64, bytes,
		    o->choice.name, o->choice.most);
		return NULL;
	}
	m = o->a->clCreateBuffer(o->context, CL_MEM_READ_WRITE, bytes, NULL, &s);
	if (!m)
		err_set(e, "%s: %zu bytes of memory: %s", o->choice.name, bytes,
		    opencl_status(s));
	return m;
}

void *
opencl_alloc(struct device *d, size_t bytes, struct err *e)
{
	struct opencl *o = of(d);
	size_t all = bytes + SLACK;
	struct range r = { .ours = true };
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
	r.bytes = all;
	if (!(r.mem = buffer(o, all, e)) || enter(o, r, e) < 0) {
		if (r.mem)
			o->a->clReleaseMemObject(r.mem);
		munmap(p, all);
		return NULL;
	}
	return p;
}

static void
drop(struct opencl *o, const struct range *r)
{
	o->a->clReleaseMemObject(r->mem);
	if (r->ours)
		munmap((void *)r->at, r->bytes);
}

void
opencl_free(struct device *d, void *p)
{
	struct opencl *o = of(d);
	size_t i = search(o, (uintptr_t)p);

	if (i == o->n || o->range[i].at != (uintptr_t)p)
		return;
	o->a->clFinish(o->queue);
	drop(o, &o->range[i]);
	memmove(o->range + i, o->range + i + 1, (o->n - i - 1) * sizeof *o->range);
	o->n--;
}

void
opencl_memory_release(struct opencl *o)
{
	for (size_t i = 0; i < o->n; i++)
		drop(o, &o->range[i]);
	free(o->range);
	o->range = NULL;
	o->n = o->cap = 0;
}

int
opencl_place(struct device *d, const void *p, size_t bytes, struct err *e)
{
	struct opencl *o = of(d);
	struct range r = { .at = (uintptr_t)p, .bytes = bytes };
	size_t i = search(o, r.at);
	cl_status s;

	if (bytes == 0 || (i < o->n && o->range[i].at <= r.at))
		return 0;	/* two names for one vector, two contexts */
	if (!(r.mem = buffer(o, bytes + SLACK, e)))
		return -1;
	if ((s = o->a->clEnqueueWriteBuffer(o->queue, r.mem, 1, 0, bytes, p, 0, NULL, NULL))) {
		o->a->clReleaseMemObject(r.mem);
		return err_set(e, "%s: %zu bytes to it: %s", o->choice.name, bytes,
		    opencl_status(s));
	}
	if (enter(o, r, e) == 0)
		return 0;
	o->a->clReleaseMemObject(r.mem);
	return -1;
}

void
opencl_write(struct device *d, void *to, const void *from, size_t bytes)
{
	struct opencl *o = of(d);
	const struct range *r;

	if (bytes == 0 || o->failed || !(r = opencl_range(o, to)))
		return;
	opencl_fail(o, "bytes to it", o->a->clEnqueueWriteBuffer(o->queue, r->mem, 1,
	    (uintptr_t)to - r->at, bytes, from, 0, NULL, NULL));
}

int
opencl_read(struct device *d, void *to, const void *from, size_t bytes, struct err *e)
{
	struct opencl *o = of(d);
	const struct range *r;

	if (bytes > 0 && !o->failed && (r = opencl_range(o, from)))
		opencl_fail(o, "bytes from it", o->a->clEnqueueReadBuffer(o->queue, r->mem, 1,
		    (uintptr_t)from - r->at, bytes, to, 0, NULL, NULL));
	if (!o->failed)
		return 0;
	*e = o->first;
	return -1;
}

void
opencl_copy(struct device *d, void *to, const void *from, size_t bytes)
{
	struct opencl *o = of(d);
	const struct range *a, *b;

	if (bytes == 0 || o->failed || !(a = opencl_range(o, from)) || !(b = opencl_range(o, to)))
		return;
	opencl_fail(o, "a copy", o->a->clEnqueueCopyBuffer(o->queue, a->mem, b->mem,
	    (uintptr_t)from - a->at, (uintptr_t)to - b->at, bytes, 0, NULL, NULL));
}
