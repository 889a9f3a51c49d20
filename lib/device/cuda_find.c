/* SPDX-License-Identifier: MIT */
/* cuda_find.c -- the driver's library and its devices, and which of the kernels
 * they take. */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_api.h"
#include "library.h"

static struct cuda_api api;
static struct err why;
static bool found;

const char *
cuda_words(const struct cuda_api *a, const char *call, cu_result r, char *to, size_t n)
{
	const char *name = NULL;

	if (r == 0)
		return NULL;
	if (a->cuGetErrorName(r, &name) == 0 && name)
		snprintf(to, n, "%s: %s", call, name);
	else
		snprintf(to, n, "%s: error %d", call, r);
	return to;
}

static void
load(void)
{
#define F(name, exported, arguments) { #exported, &api.name },
	static const struct library_symbol symbols[] = { CUDA_FUNCTIONS(F) { NULL, NULL } };
#undef F
	char text[128];
	cu_result r;

	if (library_open("libcuda.so.1", symbols, &why) < 0)
		return;
	if ((r = api.cuInit(0)))
		err_set(&why, "%s", cuda_words(&api, "cuInit", r, text, sizeof text));
	else
		found = true;
}

const struct cuda_api *
cuda_api(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (found)
		return &api;
	err_set(e, "%s", why.msg);
	return NULL;
}

/* Number i, in *c; -1: a call failed. */
static int
look(const struct cuda_api *a, int i, struct cuda_choice *c, struct err *e)
{
	char text[128];
	size_t bytes = 0;
	int major = 0, minor = 0;
	cu_result r;
	const char *call;

#define TRY(name, ...) (call = #name, (r = a->name(__VA_ARGS__)) != 0)
	if (TRY(cuDeviceGet, &c->device, i) ||
	    TRY(cuDeviceGetName, c->name, (int)sizeof c->name, c->device) ||
	    TRY(cuDeviceGetAttribute, &major, CU_DEVICE_MAJOR, c->device) ||
	    TRY(cuDeviceGetAttribute, &minor, CU_DEVICE_MINOR, c->device) ||
	    TRY(cuDeviceTotalMem, &bytes, c->device))
		return err_set(e, "device %d: %s", i, cuda_words(a, call, r, text, sizeof text));
#undef TRY
	c->arch = (unsigned)(10 * major + minor);
	c->memory = bytes;
	return 0;
}

/* Whether there are kernels that the device and the driver take. */
static int
usable(const struct cuda_choice *c, int driver, struct err *e)
{
	const struct cuda_module *m = cuda_modules;

	if (!m->name)
		return err_set(e, "%s: there are no kernels: %s", c->name, cuda_modules_missing);
	if (c->arch < m->arch)
		return err_set(e, "%s: its compute capability is %u.%u, kernels want %u.%u", c->name,
		    c->arch / 10, c->arch % 10, m->arch / 10, m->arch % 10);
	if (driver < m->driver)
		return err_set(e, "%s: the driver has CUDA %d.%d, kernels want %d.%d", c->name,
		    driver / 1000, driver % 1000 / 10, m->driver / 1000, m->driver % 1000 / 10);
	return 0;
}

/* How many devices and what driver; at least one. */
static int
count(const struct cuda_api *a, int *n, int *driver, struct err *e)
{
	char text[128];
	cu_result r;

	if ((r = a->cuDriverGetVersion(driver)))
		return err_set(e, "%s", cuda_words(a, "cuDriverGetVersion", r, text, sizeof text));
	if ((r = a->cuDeviceGetCount(n)))
		return err_set(e, "%s", cuda_words(a, "cuDeviceGetCount", r, text, sizeof text));
	return *n > 0 ? 0 : err_set(e, "the driver has no device");
}

int
cuda_choose(const struct cuda_api *a, struct cuda_choice *c, struct err *e)
{
	const char *want = getenv("APR_CUDA");
	int n, driver;

	if (count(a, &n, &driver, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		char number[16];

		snprintf(number, sizeof number, "%d", i);
		if (want && strcmp(want, number) != 0)
			continue;
		if (look(a, i, c, e) < 0)
			return -1;
		if (usable(c, driver, e) == 0)
			return 0;
		if (want || i == n - 1)
			return -1;	/* the last one's reason */
	}
	return err_set(e, "APR_CUDA=%s: there are devices 0 to %d", want, n - 1);
}

void
cuda_list(void (*line)(const char *))
{
	const struct cuda_api *a;
	struct cuda_choice c;
	struct err e;
	char text[512];
	int n, driver;

	if (!(a = cuda_api(&e)) || count(a, &n, &driver, &e) < 0) {
		line(e.msg);
		if (cuda_modules_missing) {
			snprintf(text, sizeof text, "there are no kernels: %s", cuda_modules_missing);
			line(text);
		}
		return;
	}
	for (int i = 0; i < n; i++) {
		if (look(a, i, &c, &e) < 0 || usable(&c, driver, &e) < 0) {
			snprintf(text, sizeof text, "%d: cannot be used: %.400s", i, e.msg);
		} else {
			snprintf(text, sizeof text, "%d: %s, %" PRIu64 " MiB, compute capability %u.%u, "
			    "CUDA %d.%d", i, c.name, c.memory >> 20, c.arch / 10, c.arch % 10,
			    driver / 1000, driver % 1000 / 10);
		}
		line(text);
	}
}
