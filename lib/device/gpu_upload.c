/* SPDX-License-Identifier: MIT */
/*
 * gpu_upload.c -- weights to the device.
 *
 * Whoever has them reads straight into a buffer that the driver gives, which
 * goes on its way while the next one is filled.
 */
#include <string.h>

#include "gpu.h"

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

	if (n == 0 || g->failed || !(r = gpu_range(g, to)))
		return;
	gpu_fail(g, "weights to it", g->driver->send(g, r->mem, gpu_offset(r, to), 0, n));
	if (!g->failed)
		gpu_fail(g, "weights to it", g->driver->sent(g));
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
