/* SPDX-License-Identifier: MIT */
/* random.h -- the same numbers on every machine: splitmix64 from `state`. */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

static uint64_t state = 1;

static inline uint64_t
next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline size_t
below(size_t n)
{
	return (size_t)((next() >> 32) * n >> 32);
}

/* In (0, 1). */
static inline double
uniform(void)
{
	return ((double)(next() >> 11) + 0.5) * 0x1p-53;
}

static inline double
normal(void)
{
	double r = sqrt(-2 * log(uniform()));

	return r * cos(6.283185307179586 * uniform());
}

#endif
