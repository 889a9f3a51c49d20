/* SPDX-License-Identifier: MIT */
/* device.c -- which kinds of devices there are. */
#include <string.h>

#include <apr/device.h>

const struct device_kind *const device_kinds[] = { &device_cpu, &device_opencl, &device_cuda, NULL };

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

struct device_need
device_need_both(const struct device_need *a, const struct device_need *b)
{
	return (struct device_need){ larger(a->cols, b->cols), larger(a->fine, b->fine),
	    larger(a->n, b->n), larger(a->experts, b->experts), larger(a->used, b->used),
	    larger(a->inner, b->inner), larger(a->outer, b->outer),
	    larger(a->head_dim, b->head_dim), larger(a->result, b->result), a->types | b->types,
	    larger(a->rows, b->rows), larger(a->vocab, b->vocab), larger(a->n_head, b->n_head),
	    larger(a->n_ctx, b->n_ctx) };
}

struct device *
device_open(const char *name, unsigned jobs, struct err *e)
{
	for (size_t i = 0; device_kinds[i]; i++)
		if (!name || !strcmp(device_kinds[i]->name, name))
			return device_kinds[i]->open(jobs, e);
	err_set(e, "%s: no such kind of device", name);
	return NULL;
}

void
device_close(struct device *d)
{
	if (d)
		d->op->close(d);
}
