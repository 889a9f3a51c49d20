/* SPDX-License-Identifier: MIT */
/*
 * opencl.c -- a libOpenCL.so.1 that is another one, until its device goes away.
 *
 *	STUB_OPENCL=FILE	the other library
 *	STUB_OPENCL_GONE=N	from the N-th call on there is no device
 *	STUB_OPENCL_COUNT=FILE	how many calls there were, in the end
 *
 * Arguments are passed on as what a register holds, and are ten at most.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint64_t word;
typedef word function(word, word, word, word, word, word, word, word, word, word);

enum { NOT_AVAILABLE = -2 };

static unsigned long calls;

static function *
other(const char *name)
{
	static void *lib;
	void *p;

	if (!lib && !(lib = dlopen(getenv("STUB_OPENCL"), RTLD_NOW | RTLD_LOCAL)))
		abort();
	if (!(p = dlsym(lib, name)))
		abort();
	return (function *)(uintptr_t)p;
}

static int
gone(void)
{
	const char *s = getenv("STUB_OPENCL_GONE");

	calls++;
	return s && calls >= strtoul(s, NULL, 10);
}

__attribute__((destructor)) static void
end(void)
{
	const char *path = getenv("STUB_OPENCL_COUNT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fprintf(f, "%lu\n", calls);
	fclose(f);
}

#define PASS(name, fail) \
	word name(word, word, word, word, word, word, word, word, word, word); \
	word \
	name(word a, word b, word c, word d, word e, word f, word g, word h, word i, word j) \
	{ \
		static function *next; \
\
		if (!next) \
			next = other(#name); \
		if (gone()) \
			fail \
		return next(a, b, c, d, e, f, g, h, i, j); \
	}
#define CALL(name)		PASS(name, return (word)(int64_t)NOT_AVAILABLE;)
/* Those that make something have the address of a status last. */
#define MAKE(name, status)	PASS(name, { *(int32_t *)(uintptr_t)(status) = NOT_AVAILABLE; return 0; })

CALL(clGetPlatformIDs)
CALL(clGetPlatformInfo)
CALL(clGetDeviceIDs)
CALL(clGetDeviceInfo)
MAKE(clCreateContext, f)
CALL(clReleaseContext)
MAKE(clCreateCommandQueue, d)
CALL(clReleaseCommandQueue)
MAKE(clCreateProgramWithSource, e)
CALL(clBuildProgram)
CALL(clGetProgramBuildInfo)
CALL(clReleaseProgram)
MAKE(clCreateKernel, c)
CALL(clReleaseKernel)
CALL(clSetKernelArg)
MAKE(clCreateBuffer, e)
CALL(clReleaseMemObject)
CALL(clEnqueueNDRangeKernel)
CALL(clEnqueueReadBuffer)
CALL(clEnqueueWriteBuffer)
CALL(clEnqueueCopyBuffer)
MAKE(clEnqueueMapBuffer, j)
CALL(clEnqueueUnmapMemObject)
CALL(clWaitForEvents)
CALL(clReleaseEvent)
CALL(clFinish)
