/* SPDX-License-Identifier: MIT */
/* kernel.c -- which set of kernels this CPU gets. */
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

static bool
always(void)
{
	return true;
}

#ifdef __x86_64__
static bool
has_avx2(void)
{
	unsigned a, b, c, d;

	__builtin_cpu_init();
	/* Not every compiler knows f16c by name: leaf 1, ECX bit 29. */
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	    __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
}

static bool
has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}
#endif

/* Best last; each begins with the slots of the one before. */
static struct set {
	struct kernels	k;
	bool		(*here)(void);
	void		(*fill)(struct kernels *);
	bool		usable;
} sets[] = {
	{ { .name = "scalar" }, always, kernel_fill_scalar, false },
#ifdef __x86_64__
	{ { .name = "avx2" }, has_avx2, kernel_fill_avx2, false },
	{ { .name = "avx512" }, has_avx512, kernel_fill_avx512, false },
#endif
#ifdef __aarch64__
	{ { .name = "neon" }, always, kernel_fill_neon, false },
#endif
};
enum { SETS = sizeof sets / sizeof *sets };

static const struct kernels *best;

static void
choose(void)
{
	const char *want = getenv("APR_CPU");

	for (size_t i = 0; i < SETS; i++) {
		const char *name = sets[i].k.name;

		if (!sets[i].here())
			continue;
		if (i > 0) {
			sets[i].k = sets[i - 1].k;
			sets[i].k.name = name;
		}
		sets[i].fill(&sets[i].k);
		sets[i].usable = true;
		if (!best || !want || strcmp(best->name, want))
			best = &sets[i].k;
	}
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

const struct kernels *
kernels(void)
{
	pthread_once(&once, choose);
	return best;
}

const struct kernels *
kernels_named(const char *name)
{
	pthread_once(&once, choose);
	for (size_t i = 0; i < SETS; i++)
		if (sets[i].usable && !strcmp(sets[i].k.name, name))
			return &sets[i].k;
	return NULL;
}
