/* SPDX-License-Identifier: MIT */
/*
 * cuda.c -- CUDA's memory and one stream.
 *
 * What goes to the device lies in one of four pinned buffers until it is there,
 * so that the host goes on; what comes back passes through them too.  Calls
 * wait for either, see cuda_graph.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_attend.h"
#include "cuda_graph.h"
#include "cuda_kernels.h"
#include "cuda_tiles.h"
#include "gpu.h"

enum { STAGES = 4, STAGE = 16 << 20 };

struct cuda {
	struct gpu	 g;
	const struct cuda_api *a;
	struct cuda_choice choice;
	int		 driver;		/* its version */
	cu_context	 context;
	cu_stream	 stream;
	struct cuda_graphs *graphs;
	struct cuda_kernels *kernels;
	struct {
		unsigned char	*p;
		cu_event	 done;		/* its bytes are there */
		bool		 busy;
	}		 stage[STAGES];
	unsigned	 now;		/* the buffer that is filled, */
	size_t		 at;		/* as far as this */
	char		 why[512];	/* the last failure */
};

static struct cuda *
of(struct gpu *g)
{
	return (struct cuda *)g;
}

/* The driver's calls are about the context that the thread has, whichever
 * thread it is that uses the device now. */
static const char *
enter(struct cuda *c)
{
	return CU_CALL(c, cuCtxSetCurrent, c->context);
}

/* And what waits goes to the stream first. */
static const char *
flush(struct cuda *c)
{
	const char *why = enter(c);

	return why ? why : cuda_graphs_flush(c->graphs);
}

static const char *
call(struct gpu *g, const struct gpu_call *k)
{
	return cuda_kernels_call(of(g)->kernels, g, k);
}

/* Addresses are the device's: where a pointer is wanted, one that is not
 * followed. */
static void *
allocate(struct gpu *g, size_t bytes, const char **why)
{
	cu_address at = 0;

	if (!(*why = enter(of(g))))
		*why = CU_CALL(of(g), cuMemAlloc, &at, bytes);
	return *why ? NULL : (void *)(uintptr_t)at;
}

static void
let_go(struct gpu *g, void *mem)
{
	if (!enter(of(g)))
		of(g)->a->cuMemFree((uintptr_t)mem);
}

/* The next buffer, once what is in it has gone. */
static const char *
turn(struct cuda *c)
{
	const char *why = CU_CALL(c, cuEventRecord, c->stage[c->now].done, c->stream);

	if (why)
		return why;
	c->stage[c->now].busy = true;
	c->now = (c->now + 1) % STAGES;
	c->at = 0;
	if (!c->stage[c->now].busy)
		return NULL;
	c->stage[c->now].busy = false;
	return CU_CALL(c, cuEventSynchronize, c->stage[c->now].done);
}

static const char *
write_to(struct gpu *g, void *mem, size_t at, const void *from, size_t bytes)
{
	struct cuda *c = of(g);
	const unsigned char *p = from;
	const char *why = flush(c);

	while (bytes > 0 && !why) {
		unsigned char *stage = c->stage[c->now].p + c->at;
		size_t n = bytes < STAGE - c->at ? bytes : STAGE - c->at;

		if (n == 0) {
			why = turn(c);
			continue;
		}
		memcpy(stage, p, n);
		why = CU_CALL(c, cuMemcpyHtoDAsync, (uintptr_t)mem + at, stage, n, c->stream);
		c->at += (n + 63) / 64 * 64;
		at += n;
		p += n;
		bytes -= n;
	}
	return why;
}

static void *
stage(struct gpu *g, size_t *n, const char **why)
{
	struct cuda *c = of(g);

	if ((*why = flush(c)) || (c->at > 0 && (*why = turn(c))))
		return NULL;
	*n = STAGE;
	return c->stage[c->now].p;
}

static const char *
send(struct gpu *g, void *mem, size_t at, size_t skip, size_t n)
{
	struct cuda *c = of(g);

	return CU_CALL(c, cuMemcpyHtoDAsync, (uintptr_t)mem + at, c->stage[c->now].p + skip, n, c->stream);
}

/* The next one to write turns. */
static const char *
sent(struct gpu *g)
{
	of(g)->at = STAGE;
	return NULL;
}

static const char *
finish(struct gpu *g)
{
	struct cuda *c = of(g);
	const char *why = flush(c);

	if (!why)
		why = CU_CALL(c, cuStreamSynchronize, c->stream);
	for (int i = 0; i < STAGES && !why; i++)
		c->stage[i].busy = false;
	c->at = why ? c->at : 0;
	return why;
}

/* The stream is in order: what is still to go leaves the buffer before
 * this comes in. */
static const char *
read_from(struct gpu *g, void *to, void *mem, size_t at, size_t bytes)
{
	struct cuda *c = of(g);
	unsigned char *p = to, *stage = c->stage[c->now].p;
	const char *why = flush(c);

	while (bytes > 0 && !why) {
		size_t n = bytes < STAGE ? bytes : STAGE;

		if ((why = CU_CALL(c, cuMemcpyDtoHAsync, stage, (uintptr_t)mem + at, n, c->stream)) ||
		    (why = finish(g)))
			break;
		memcpy(p, stage, n);
		at += n;
		p += n;
		bytes -= n;
	}
	return why;
}

static const char *
copy(struct gpu *g, void *to, size_t to_at, void *from, size_t from_at, size_t bytes)
{
	return cuda_graphs_copy(of(g)->graphs, (uintptr_t)to + to_at, (uintptr_t)from + from_at,
	    bytes);
}

static void
cuda_close(struct gpu *g)
{
	struct cuda *c = of(g);
	const struct cuda_api *a = c->a;

	if (c->context)
		a->cuCtxSetCurrent(c->context);
	if (c->stream)
		a->cuStreamSynchronize(c->stream);
	cuda_graphs_free(c->graphs);
	cuda_kernels_free(c->kernels);
	for (int i = 0; i < STAGES; i++) {
		if (c->stage[i].done)
			a->cuEventDestroy(c->stage[i].done);
		if (c->stage[i].p)
			a->cuMemFreeHost(c->stage[i].p);
	}
	if (c->stream)
		a->cuStreamDestroy(c->stream);
	if (c->context) {
		a->cuCtxSetCurrent(NULL);
		a->cuDevicePrimaryCtxRelease(c->choice.device);
	}
	free(c);
}

static const struct gpu_driver driver = {
	.close = cuda_close, .alloc = allocate, .free = let_go, .write = write_to,
	.stage = stage, .send = send, .sent = sent,
	.read = read_from, .copy = copy, .call = call, .finish = finish,
	.attend_bytes = cuda_attend_bytes,
	.tile = cuda_tile_columns, .both = true,
};

static const char *
set_up(struct cuda *c)
{
	const char *graphs = getenv("APR_CUDA_GRAPH"), *why;
	size_t free_bytes = 0, all = 0;

	if ((why = CU_CALL(c, cuDriverGetVersion, &c->driver)) ||
	    (why = CU_CALL(c, cuDevicePrimaryCtxRetain, &c->context, c->choice.device)) ||
	    (why = enter(c)) ||
	    (why = CU_CALL(c, cuStreamCreate, &c->stream, CU_STREAM_NON_BLOCKING)))
		return why;
	if (!(c->graphs = cuda_graphs_new(c->a, c->stream, !graphs || strcmp(graphs, "0") != 0)))
		return "out of memory";
	for (int i = 0; i < STAGES; i++)
		if ((why = CU_CALL(c, cuEventCreate, &c->stage[i].done, CU_EVENT_DISABLE_TIMING)) ||
		    (why = CU_CALL(c, cuMemHostAlloc, (void **)&c->stage[i].p, STAGE, 0)))
			return why;
	/* What the context takes is gone already. */
	if (!(c->kernels = cuda_kernels_new(c->a, c->context, c->graphs, c->choice.arch, c->driver)))
		return "out of memory";
	if ((why = cuda_kernels_load(c->kernels)) ||
	    (why = CU_CALL(c, cuMemGetInfo, &free_bytes, &all)))
		return why;
	c->g.memory = c->g.most = free_bytes;
	return NULL;
}

static int
begin(struct cuda *c, struct err *e)
{
	const char *why;

	if (!(c->a = cuda_api(e)) || cuda_choose(c->a, &c->choice, e) < 0)
		return -1;
	snprintf(c->g.name, sizeof c->g.name, "%s", c->choice.name);
	if ((why = set_up(c)))
		return err_set(e, "%s: %s", c->g.name, why);
	return 0;
}

static struct device *
cuda_open(unsigned jobs, struct err *e)
{
	struct cuda *c = calloc(1, sizeof *c);

	(void)jobs;
	if (!c) {
		err_set(e, "out of memory");
		return NULL;
	}
	c->g.d = (struct device){ &gpu_ops, "cuda" };
	c->g.driver = &driver;
	if (begin(c, e) == 0)
		return &c->g.d;
	if (c->a)
		cuda_close(&c->g);
	else
		free(c);
	return NULL;
}

const struct device_kind device_cuda = { "cuda", cuda_open, cuda_list };
