/* SPDX-License-Identifier: MIT */
/* device.c -- which kinds of devices there are. */
#include <string.h>

#include <apr/device.h>

const struct device_kind *const device_kinds[] = { &device_cpu, &device_opencl, &device_cuda, NULL };

struct device *
device_open(const char *name, unsigned jobs, struct err *e)
{
	for (size_t i = 0; device_kinds[i]; i++)
		if (!strcmp(device_kinds[i]->name, name))
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
