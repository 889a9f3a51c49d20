/* SPDX-License-Identifier: MIT */
/*
 * gpu_upload.c -- weights to the device and back.
 *
 * Whoever has them reads straight into a buffer that the driver gives, which
 * goes on its way while the next one is filled.
 */
#include <string.h>

#include "gpu.h"

/* None yet: kernels take all types as a file has them. */
const struct gpu_order *
gpu_order(const struct gpu *g, const struct type *t)
{
	(void)g;
	(void)t;
	return NULL;
}

void *
gpu_stage(struct device *d, size_t *n, struct err *e)
{
	struct gpu *g = (struct gpu *)d;
	const char *why = NULL;

	if (!g->failed && (g->staged = g->driver->stage(g, n, &why)))
		return g->staged;
	gpu_fail(g, "weights to it", why);
	*e = g->first;
	return NULL;
}

void
gpu_send(struct device *d, const void *to, size_t n)
{
	struct gpu *g = (struct gpu *)d;
	const struct gpu_range *r;
	size_t at;

	if (n == 0 || g->failed || !(r = gpu_range(g, to)))
		return;
	at = (uintptr_t)to - r->at;
	gpu_fail(g, "weights to it", r->order ? r->order->pack(g, r, at, n) :
	    g->driver->send(g, r->mem, at, 0, n));
	if (!g->failed)
		gpu_fail(g, "weights to it", g->driver->sent(g));
}

int
gpu_fetch(struct device *d, void *to, const void *from, size_t n, struct err *e)
{
	struct gpu *g = (struct gpu *)d;
	const struct gpu_range *r;

	if (n == 0 || g->failed || !(r = gpu_range(g, from)) || !r->order)
		return gpu_read(d, to, from, n, e);
	gpu_fail(g, "weights from it", r->order->unpack(g, r, (uintptr_t)from - r->at, to, n));
	return gpu_wait(d, e);
}

int
gpu_wait(struct device *d, struct err *e)
{
	struct gpu *g = (struct gpu *)d;

	if (!g->failed)
		gpu_fail(g, "an operation", g->driver->finish(g));
	if (!g->failed)
		return 0;
	*e = g->first;
	return -1;
}
