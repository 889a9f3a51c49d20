/* SPDX-License-Identifier: MIT */
/* opencl_find.c -- the library and its devices, and what they must be able to. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "opencl_api.h"

static struct opencl_api api;
static struct err why;
static bool found;

static void
load(void)
{
#define F(name, result, arguments) { #name, &api.name },
	static const struct library_symbol symbols[] = { OPENCL_FUNCTIONS(F) { NULL, NULL } };
#undef F

	found = library_open("libOpenCL.so.1", symbols, &why) == 0;
}

const struct opencl_api *
opencl_api(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (found)
		return &api;
	err_set(e, "%s", why.msg);
	return NULL;
}

const char *
opencl_status(cl_status s)
{
	static const struct { cl_status s; const char *name; } names[] = {
		{ -1, "CL_DEVICE_NOT_FOUND" }, { -2, "CL_DEVICE_NOT_AVAILABLE" },
		{ -3, "CL_COMPILER_NOT_AVAILABLE" }, { -4, "CL_MEM_OBJECT_ALLOCATION_FAILURE" },
		{ -5, "CL_OUT_OF_RESOURCES" }, { -6, "CL_OUT_OF_HOST_MEMORY" },
		{ -11, "CL_BUILD_PROGRAM_FAILURE" }, { -30, "CL_INVALID_VALUE" },
		{ -38, "CL_INVALID_MEM_OBJECT" }, { -46, "CL_INVALID_KERNEL_NAME" },
		{ -48, "CL_INVALID_KERNEL" }, { -50, "CL_INVALID_ARG_VALUE" },
		{ -51, "CL_INVALID_ARG_SIZE" }, { -52, "CL_INVALID_KERNEL_ARGS" },
		{ -54, "CL_INVALID_WORK_GROUP_SIZE" }, { -61, "CL_INVALID_BUFFER_SIZE" },
		{ -63, "CL_INVALID_GLOBAL_WORK_SIZE" }, { -1001, "CL_PLATFORM_NOT_FOUND_KHR" },
	};
	static _Thread_local char other[32];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].s == s)
			return names[i].name;
	snprintf(other, sizeof other, "status %" PRId32, s);
	return other;
}

static uint64_t
number(const struct opencl_api *a, cl_device d, uint32_t what, size_t bytes)
{
	uint64_t v = 0;	/* little-endian, as the host must be */

	return a->clGetDeviceInfo(d, what, bytes, &v, NULL) ? 0 : v;
}

/* What this device lacks; NULL: nothing. */
static const char *
lacks(const struct opencl_api *a, cl_device d)
{
	uint64_t fp = number(a, d, CL_DEVICE_SINGLE_FP_CONFIG, 8);
	char version[128] = "";
	int major = 0, minor = 0;

	if (a->clGetDeviceInfo(d, CL_DEVICE_VERSION, sizeof version - 1, version, NULL) ||
	    sscanf(version, "OpenCL %d.%d", &major, &minor) != 2 || major * 10 + minor < 12)
		return "OpenCL 1.2";
	if (!(fp & CL_FP_FMA))
		return "a fused multiply-add";
	if (!(fp & CL_FP_DENORM))
		return "denormal numbers";
	if (!(fp & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT))
		return "division that rounds correctly";
	if (number(a, d, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t)) < 64)
		return "work-groups of 64";
	if (number(a, d, CL_DEVICE_LOCAL_MEM_SIZE, 8) < 16384)
		return "16 KiB of local memory";
	if (!number(a, d, CL_DEVICE_ENDIAN_LITTLE, 4))
		return "little-endian memory";
	return NULL;
}

static void
name(const struct opencl_api *a, cl_platform p, cl_device d, char *to, size_t n)
{
	char platform[128] = "?", device[128] = "?";

	a->clGetPlatformInfo(p, CL_PLATFORM_NAME, sizeof platform - 1, platform, NULL);
	a->clGetDeviceInfo(d, CL_DEVICE_NAME, sizeof device - 1, device, NULL);
	snprintf(to, n, "%s: %s", platform, device);
}

enum { PLATFORMS = 16, DEVICES = 32 };

/* Calls each(ctx, ..) for all devices until it returns 1. */
static void
walk(const struct opencl_api *a, int (*each)(void *ctx, cl_platform, cl_device), void *ctx)
{
	cl_platform p[PLATFORMS];
	cl_device d[DEVICES];
	uint32_t np = 0, nd;

	if (a->clGetPlatformIDs(PLATFORMS, p, &np))
		return;
	for (uint32_t i = 0; i < np && i < PLATFORMS; i++) {
		nd = 0;
		if (a->clGetDeviceIDs(p[i], CL_DEVICE_TYPE_ALL, DEVICES, d, &nd))
			continue;
		for (uint32_t j = 0; j < nd && j < DEVICES; j++)
			if (each(ctx, p[i], d[j]))
				return;
	}
}

struct search {
	const struct opencl_api *a;
	struct opencl_choice *c;
	const char	*want;
	char		 why[512];	/* of those that were passed over */
	size_t		 n;
};

static int
consider(void *ctx, cl_platform p, cl_device d)
{
	struct search *s = ctx;
	const char *no = lacks(s->a, d);
	char called[256];

	name(s->a, p, d, called, sizeof called);
	if (s->want && !strstr(called, s->want))
		no = "the name that APR_OPENCL asks for";
	if (no) {
		if (s->n < sizeof s->why)
			s->n += (size_t)snprintf(s->why + s->n, sizeof s->why - s->n, "%s%s lacks %s",
			    s->n ? "; " : "", called, no);
		return 0;
	}
	s->c->platform = p;
	s->c->device = d;
	snprintf(s->c->name, sizeof s->c->name, "%s", called);
	s->c->memory = number(s->a, d, CL_DEVICE_GLOBAL_MEM_SIZE, 8);
	s->c->most = number(s->a, d, CL_DEVICE_MAX_MEM_ALLOC_SIZE, 8);
	return 1;
}

int
opencl_choose(const struct opencl_api *a, struct opencl_choice *c, struct err *e)
{
	struct search s = { .a = a, .c = c, .want = getenv("APR_OPENCL") };

	c->device = NULL;
	walk(a, consider, &s);
	if (c->device)
		return 0;
	return err_set(e, "no OpenCL device: %s", s.n ? s.why : "no driver offers one");
}

struct listing {
	const struct opencl_api *a;
	void		(*line)(const char *);
	bool		 any;
};

static int
show(void *ctx, cl_platform p, cl_device d)
{
	struct listing *l = ctx;
	const char *no = lacks(l->a, d);
	char called[256], text[400];

	name(l->a, p, d, called, sizeof called);
	if (no)
		snprintf(text, sizeof text, "%s: cannot be used, it lacks %s", called, no);
	else
		snprintf(text, sizeof text, "%s, %" PRIu64 " MiB", called,
		    number(l->a, d, CL_DEVICE_GLOBAL_MEM_SIZE, 8) >> 20);
	l->line(text);
	l->any = true;
	return 0;
}

void
opencl_list(void (*line)(const char *))
{
	struct listing l = { .line = line };
	struct err e;

	if (!(l.a = opencl_api(&e))) {
		line(e.msg);
		return;
	}
	walk(l.a, show, &l);
	if (!l.any)
		line("no driver offers a device");
}
