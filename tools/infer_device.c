/* SPDX-License-Identifier: MIT */
/* infer_device.c -- which devices there are. */
#include <stdio.h>
#include <string.h>

#include "infer.h"

const char *
run_device(const char *arg)
{
	for (size_t i = 0; device_kinds[i]; i++)
		if (!strcmp(device_kinds[i]->name, arg))
			return arg;
	usage("--device: %s is no kind of device", arg);
}

static const char *kind;

static void
line(const char *text)
{
	printf("%s: %s\n", kind, text);
}

void
run_devices(void)
{
	for (size_t i = 0; device_kinds[i]; i++) {
		kind = device_kinds[i]->name;
		device_kinds[i]->list(line);
	}
	tool_flush();
}
