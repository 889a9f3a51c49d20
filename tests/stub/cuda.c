/* SPDX-License-Identifier: MIT */
/*
 * cuda.c -- a libcuda.so.1 without a card: it runs the PTX that it is given.
 *
 *	STUB_CUDA_FAIL=NAME:N:STATUS	the N-th call of NAME fails so
 *	STUB_CUDA_GONE=N		from the N-th call on there is no device
 *	STUB_CUDA_COUNT=FILE		how often each was called, in the end
 *	STUB_CUDA_DEVICES, _VERSION, _ARCH, _MEMORY, _PROCESSORS	what there is
 *	STUB_CUDA_BYTES=FILE		bytes of memory at the most, and those written to it
 *	STUB_CUDA_FAR=1			memory that was written is no longer this process's
 *	STUB_CUDA_IDLE=1		kernels do nothing
 *	STUB_CUDA_FLOATS=1		bf16 products too, in an order of sums that no card promises
 *	STUB_CUDA_INSTRUCTIONS=FILE	a line for each kernel: its name, and what its warps did
 *	STUB_CUDA_RACES=1		races for shared memory fail
 *	STUB_CUDA_LEFT=1		what is not given back in the end is told
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda.h"

enum { CALLS = 96, UNAVAILABLE = 46 };

static const struct { int status; const char *name; } names[] = {
	{ OK, "CUDA_SUCCESS" }, { INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE" },
	{ OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY" }, { 3, "CUDA_ERROR_NOT_INITIALIZED" },
	{ UNAVAILABLE, "CUDA_ERROR_DEVICE_UNAVAILABLE" }, { 100, "CUDA_ERROR_NO_DEVICE" }, { NO_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT" }, { CUDA_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE" },
	{ CUDA_NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU" }, { CUDA_INVALID_PTX, "CUDA_ERROR_INVALID_PTX" },
	{ CUDA_OLD_PTX, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION" }, { 400, "CUDA_ERROR_INVALID_HANDLE" },
	{ NOT_FOUND, "CUDA_ERROR_NOT_FOUND" }, { CUDA_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS" },
	{ CUDA_ILLEGAL_INSTRUCTION, "CUDA_ERROR_ILLEGAL_INSTRUCTION" },
	{ CUDA_MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS" },
	{ CUDA_INVALID_SPACE, "CUDA_ERROR_INVALID_ADDRESS_SPACE" },
	{ CUDA_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED" }, { 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" },
	{ CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED" },
	{ CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED" },
	{ CAPTURED_EVENT, "CUDA_ERROR_CAPTURED_EVENT" },
};

static struct { const char *name; unsigned long n; } calls[CALLS];
static pthread_mutex_t inside = PTHREAD_MUTEX_INITIALIZER;
static size_t taken, most;
size_t stub_written;
long stub_left;
int stub_broken;
static _Thread_local void *current;	/* the thread's context */

unsigned long
stub_number(const char *name, unsigned long other)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 10) : other;
}

static unsigned
arch(void)
{
	return (unsigned)stub_number("STUB_CUDA_ARCH", 90);
}

int
stub_enter(const char *name)
{
	static unsigned long all;
	const char *s = getenv("STUB_CUDA_FAIL"), *p;
	size_t len = strlen(name);
	int i = 0;

	pthread_mutex_lock(&inside);
	if (!current && strcmp(name, "cuInit") != 0 && strncmp(name, "cuD", 3) != 0 &&
	    strncmp(name, "cuCtx", 5) != 0)
		return NO_CONTEXT;
	while (calls[i].name && strcmp(calls[i].name, name) != 0)
		i++;
	calls[i].name = name;
	calls[i].n++;
	if (++all >= stub_number("STUB_CUDA_GONE", -1UL))
		return UNAVAILABLE;
	if (!s || strncmp(s, name, len) != 0 || s[len] != ':')
		return stub_broken;
	if (strtoul(s + len + 1, NULL, 10) != calls[i].n)
		return stub_broken;
	p = strchr(s + len + 1, ':');
	return p ? atoi(p + 1) : 999;
}

void
stub_leave(int *entered)
{
	(void)entered;
	pthread_mutex_unlock(&inside);
}

void *
stub_thing(size_t bytes)
{
	stub_left++;
	return calloc(1, bytes);
}

int
stub_gone(void *p)
{
	stub_left--;
	free(p);
	return stub_broken;
}

__attribute__((destructor)) static void
end(void)
{
	const char *path = getenv("STUB_CUDA_COUNT"), *bytes = getenv("STUB_CUDA_BYTES");
	FILE *f = bytes ? fopen(bytes, "w") : NULL;

	if (f) {
		fprintf(f, "%zu %zu\n", most, stub_written);
		fclose(f);
	}
	f = path ? fopen(path, "w") : NULL;

	for (int i = 0; f && i < CALLS && calls[i].name; i++)
		fprintf(f, "%s %lu\n", calls[i].name, calls[i].n);
	if (f)
		fclose(f);
	if (stub_left && getenv("STUB_CUDA_LEFT"))
		fprintf(stderr, "libcuda: %ld things were not given back\n", stub_left);
	if (stub_waits() && getenv("STUB_CUDA_LEFT"))
		fprintf(stderr, "libcuda: something still waits\n");
}

int
cuGetErrorName(int status, const char **name)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].status == status) {
			*name = names[i].name;
			return OK;
		}
	*name = NULL;
	return INVALID_VALUE;
}

int
cuInit(unsigned flags)
{
	CALL();
	return flags ? INVALID_VALUE : OK;
}

int
cuDriverGetVersion(int *v)
{
	CALL();
	*v = (int)stub_number("STUB_CUDA_VERSION", 12040);
	return OK;
}

int
cuDeviceGetCount(int *n)
{
	CALL();
	*n = (int)stub_number("STUB_CUDA_DEVICES", 1);
	return OK;
}

int
cuDeviceGet(int *d, int i)
{
	CALL();
	*d = 7 + i;		/* no index */
	return OK;
}

int
cuDeviceGetName(char *to, int n, int d)
{
	CALL();
	snprintf(to, (size_t)n, "Stub %d", d - 7);
	return OK;
}

/* Shared memory of a block that asks for it, and of a processor. */
static int
shared_most(void)
{
	return (arch() >= 90 ? 227 : arch() == 80 ? 163 : 99) << 10;
}

/* By the driver's numbers of attributes; what cards of this kind have. */
static int
attribute(int what, int *v)
{
	static const struct { int what, v; } fixed[] = {
		{ 1, 1024 }, { 2, 1024 }, { 3, 1024 }, { 4, 64 },	/* threads of a block */
		{ 5, INT32_MAX }, { 6, 65535 }, { 7, 65535 },		/* blocks of a grid */
		{ 8, 48 << 10 }, { 9, 64 << 10 }, { 10, WARP }, { 12, 65536 }, { 38, 50 << 20 },
		{ 39, 2048 }, { 41, 1 }, { 82, 65536 }, { 95, 1 }, { 106, 32 },
	};

	switch (what) {
	case 16: *v = (int)stub_number("STUB_CUDA_PROCESSORS", arch() >= 90 ? 132 : 108); return OK;
	case 75: *v = (int)arch() / 10; return OK;
	case 76: *v = (int)arch() % 10; return OK;
	case 81: *v = shared_most() + 1024; return OK;
	case 97: *v = shared_most(); return OK;
	}
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (fixed[i].what == what) {
			*v = fixed[i].v;
			return OK;
		}
	return INVALID_VALUE;
}

int
cuDeviceGetAttribute(int *v, int what, int d)
{
	(void)d;
	CALL();
	return attribute(what, v);
}

int
cuDeviceTotalMem_v2(size_t *n, int d)
{
	(void)d;
	CALL_OF("cuDeviceTotalMem");
	*n = stub_number("STUB_CUDA_MEMORY", 1ul << 30);
	return OK;
}

int
cuDevicePrimaryCtxRetain(void **to, int d)
{
	CALL();
	*to = (void *)(uintptr_t)d;
	stub_left++;
	return OK;
}

int
cuDevicePrimaryCtxRelease_v2(int d)
{
	(void)d;
	stub_left--;
	return OK;
}

int
cuCtxSetCurrent(void *context)
{
	CALL();
	current = context;
	return OK;
}

int
cuCtxSynchronize(void)
{
	CALL();
	if (stub_forbidden())
		return CAPTURE_UNSUPPORTED;
	stub_run_all();
	return stub_broken;
}

int
cuMemGetInfo_v2(size_t *unused, size_t *all)
{
	CALL_OF("cuMemGetInfo");
	*all = stub_number("STUB_CUDA_MEMORY", 1ul << 30);
	*unused = *all - taken;
	return OK;
}

int
cuMemAlloc_v2(uint64_t *to, size_t bytes)
{
	CALL_OF("cuMemAlloc");
	if (bytes == 0)
		return INVALID_VALUE;
	if (stub_forbidden())
		return CAPTURE_UNSUPPORTED;
	if (bytes > stub_number("STUB_CUDA_MEMORY", 1ul << 30) - taken ||
	    !(*to = ptx_allocate(bytes, PTX_DEVICE)))
		return OUT_OF_MEMORY;
	taken += bytes;
	most = taken > most ? taken : most;
	stub_left++;
	return OK;
}

int
cuMemFree_v2(uint64_t at)
{
	const struct ptx_range *r = ptx_range(at, 0);

	if (!at)
		return OK;
	stub_run_all();
	if (!r || r->start != at || r->owner != PTX_DEVICE)
		return INVALID_VALUE;
	taken -= r->bytes;
	stub_left--;
	ptx_free(at);
	return stub_broken;
}

/* Kernels reach it too. */
int
cuMemHostAlloc(void **to, size_t bytes, unsigned flags)
{
	(void)flags;
	CALL();
	if (stub_forbidden())
		return CAPTURE_UNSUPPORTED;
	*to = stub_thing(bytes);
	if (!*to || ptx_reveal(*to, bytes) < 0)
		return OUT_OF_MEMORY;
	return OK;
}

int
cuMemAllocHost_v2(void **to, size_t bytes)
{
	return cuMemHostAlloc(to, bytes, 0);
}

int
cuMemHostGetDevicePointer_v2(uint64_t *to, void *p, unsigned flags)
{
	(void)flags;
	CALL_OF("cuMemHostGetDevicePointer");
	*to = (uintptr_t)p;
	return ptx_range(*to, 0) ? OK : INVALID_VALUE;
}

int
cuMemFreeHost(void *p)
{
	stub_run_all();
	if (ptx_free((uintptr_t)p))
		return INVALID_VALUE;
	return stub_gone(p);
}

static void
tell(const char *why, unsigned n, const int *option, void **value)
{
	char *to = NULL;
	size_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		if (option[i] == 5)
			to = value[i];
		else if (option[i] == 6)
			bytes = (size_t)(uintptr_t)value[i];
	}
	if (to && bytes)
		snprintf(to, bytes, "%s", why);
}

int
cuModuleLoadDataEx(void **to, const void *ptx, unsigned n, const int *option, void **value)
{
	char why[256];
	int status;

	tell("ptxas fatal\nof the stub", n, option, value);
	CALL();
	tell("", n, option, value);
	if (stub_forbidden())
		return CAPTURE_UNSUPPORTED;
	*to = ptx_load(ptx, arch(), (int)stub_number("STUB_CUDA_VERSION", 12040), &status, why, sizeof why);
	if (!*to)
		tell(why, n, option, value);
	else
		stub_left++;
	return status;
}

int
cuModuleUnload(void *p)
{
	stub_run_all();
	ptx_unload(p);
	stub_left--;
	return stub_broken;
}

int
cuModuleGetFunction(void **to, void *p, const char *name)
{
	CALL();
	*to = ptx_find(p, name);
	return *to ? OK : NOT_FOUND;
}

int
cuModuleGetGlobal_v2(uint64_t *to, size_t *bytes, void *p, const char *name)
{
	size_t n = 0;
	CALL_OF("cuModuleGetGlobal");

	*to = ptx_variable(p, name, &n);
	if (bytes)
		*bytes = n;
	return *to ? OK : NOT_FOUND;
}

int
cuFuncGetAttribute(int *v, int what, const void *function)
{
	const struct ptx_function *f = function;
	CALL();

	switch (what) {
	case 0: *v = (int)f->threads; return OK;
	case 1: *v = (int)f->shared; return OK;
	case 2: *v = 0; return OK;
	case 3: *v = (int)f->local; return OK;
	case 4: *v = 32; return OK;
	case 5: *v = (int)f->module->version; return OK;
	case 6: *v = (int)arch(); return OK;
	case 8: *v = f->dynamic ? (int)f->dynamic : (48 << 10) - (int)f->shared; return OK;
	}
	return INVALID_VALUE;
}

int
cuFuncSetAttribute(void *function, int what, int v)
{
	struct ptx_function *f = function;
	CALL();

	if (what == 9)
		return v >= -1 && v <= 100 ? OK : INVALID_VALUE;
	if (what != 8 || v < 0 || (int)f->shared + v > shared_most())
		return INVALID_VALUE;
	f->dynamic = (uint32_t)v;
	return OK;
}

int
cuFuncSetCacheConfig(void *function, int config)
{
	(void)function;
	CALL();
	return config < 0 || config > 3 ? INVALID_VALUE : OK;
}

/* As many as threads, blocks and shared memory of a processor allow. */
int
cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, const void *function, int threads, size_t dynamic)
{
	const struct ptx_function *f = function;
	size_t bytes = f->shared + dynamic + 1024;
	int warps = (threads + WARP - 1) / WARP;
	CALL();

	if (threads < 1 || threads > (int)f->threads)
		return INVALID_VALUE;
	*n = 64 / warps < 32 ? 64 / warps : 32;
	if ((size_t)*n > ((size_t)shared_most() + 1024) / bytes)
		*n = (int)(((size_t)shared_most() + 1024) / bytes);
	return OK;
}
