/* SPDX-License-Identifier: MIT */
/*
 * bench-gpu [--mib N] [--loops N] -- what the card can do that apr-infer would
 * take: GB/s of a copy in its memory (of N MiB, 1024; bytes read and bytes
 * written), and int8 and bf16 operations a second in mma.sync (N loops of eight
 * a warp, 20000; a multiplication and an addition are two).  Prints them as
 * JSON; the best round of each counts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/device/cuda_api.h"

enum {
	ROUNDS = 8, LANES = 64, COPIED = 4096,	/* a work-group */
	WARPS = LANES / 32, SUMS = 8, GROUPS = 8,	/* an SM */
	CU_DEVICE_MULTIPROCESSORS = 16,
};

extern const char bench_ptx[];

static const struct cuda_api *a;
static struct cuda_choice card;
static cu_stream stream;

static void
fail(const char *why)
{
	fprintf(stderr, "bench-gpu: %s%s%s\n", card.name, card.name[0] ? ": " : "", why);
	exit(1);
}

static void
must(const char *call, cu_result r)
{
	char text[128];

	if (r)
		fail(cuda_words(a, call, r, text, sizeof text));
}
#define CALL(name, ...) must(#name, a->name(__VA_ARGS__))

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What is timed: a kernel, or the driver's own copy without one. */
struct work {
	cu_function	 f;
	cu_address	 to, from;
	uint32_t	 groups, loops;
	size_t		 bytes;
};

/* Seconds of the best round; the first one warms up. */
static double
best(const struct work *w)
{
	cu_address to = w->to, from = w->from;
	uint32_t loops = w->loops;
	void *arg[] = { &to, from ? (void *)&from : (void *)&loops };
	double min = 1e9;

	for (int i = 0; i <= ROUNDS; i++) {
		double t = now();

		if (w->f)
			CALL(cuLaunchKernel, w->f, w->groups, 1, 1, LANES, 1, 1, 0, stream, arg, NULL);
		else
			CALL(cuMemcpyDtoDAsync, w->to, w->from, w->bytes, stream);
		CALL(cuStreamSynchronize, stream);
		t = now() - t;
		if (i > 0 && t < min)
			min = t;
	}
	return min;
}

static cu_function
function(cu_module m, const char *name)
{
	cu_function f;

	CALL(cuModuleGetFunction, &f, m, name);
	return f;
}

/* The driver's copy or our own, whichever is faster. */
static double
copy(cu_module m, size_t bytes)
{
	struct work w = { .groups = (uint32_t)(bytes / COPIED), .bytes = bytes };
	double driver, ours;

	CALL(cuMemAlloc, &w.to, bytes);
	CALL(cuMemAlloc, &w.from, bytes);
	driver = best(&w);
	w.f = function(m, "copy");
	ours = best(&w);
	CALL(cuMemFree, w.to);
	CALL(cuMemFree, w.from);
	return 2 * (double)bytes / (ours < driver ? ours : driver) / 1e9;
}

/* Tera-operations a second; of one product of a warp: 2 * 16 * 8 * depth. */
static double
products(cu_module m, const char *name, unsigned depth, uint32_t groups, uint32_t loops)
{
	struct work w = { .f = function(m, name), .groups = groups, .loops = loops };
	double seconds;

	CALL(cuMemAlloc, &w.to, (size_t)groups * LANES * 4);
	seconds = best(&w);
	CALL(cuMemFree, w.to);
	return 2.0 * 16 * 8 * depth * SUMS * WARPS * groups * loops / seconds / 1e12;
}

int
main(int argc, char **argv)
{
	size_t mib = 1024, unused = 0, all = 0;
	uint32_t loops = 20000;
	int driver = 0, sms = 0;
	double gbs, int8, bf16;
	cu_context context;
	cu_module m;
	struct err e;

	for (int i = 1; i + 1 < argc; i += 2)
		if (!strcmp(argv[i], "--mib"))
			mib = strtoul(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--loops"))
			loops = (uint32_t)strtoul(argv[i + 1], NULL, 10);
	if (argc % 2 == 0 || mib == 0 || loops == 0) {
		fputs("usage: bench-gpu [--mib N] [--loops N]\n", stderr);
		return 2;
	}
	if (!(a = cuda_api(&e)) || cuda_choose(a, &card, &e) < 0)
		fail(e.msg);
	CALL(cuDriverGetVersion, &driver);
	CALL(cuDeviceGetAttribute, &sms, CU_DEVICE_MULTIPROCESSORS, card.device);
	CALL(cuDevicePrimaryCtxRetain, &context, card.device);
	CALL(cuCtxSetCurrent, context);
	CALL(cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
	CALL(cuModuleLoadDataEx, &m, bench_ptx, 0, NULL, NULL);
	CALL(cuMemGetInfo, &unused, &all);
	if (sms < 1)
		fail("it has no multiprocessors");
	gbs = copy(m, mib << 20);
	int8 = products(m, "int8", 32, GROUPS * (uint32_t)sms, loops);
	bf16 = products(m, "bf16", 16, GROUPS * (uint32_t)sms, loops);
	/* Names have neither quotes nor backslashes. */
	printf("{\"card\":\"%s\",\"compute_capability\":\"%u.%u\",\"multiprocessors\":%d,"
	    "\"driver\":\"%d.%d\",\"memory\":%zu,\"memory_free\":%zu,\"copy_gb_s\":%.2f,"
	    "\"int8_tops\":%.2f,\"bf16_tflops\":%.2f}\n", card.name, card.arch / 10,
	    card.arch % 10, sms, driver / 1000, driver % 1000 / 10, all, unused, gbs, int8, bf16);
	CALL(cuModuleUnload, m);
	CALL(cuStreamDestroy, stream);
	CALL(cuDevicePrimaryCtxRelease, card.device);
	return fflush(stdout) != 0;
}
