/* SPDX-License-Identifier: MIT */
/*
 * floats.c -- every set's float products and functions against plain C: the
 * same bits, of all lengths, and of numbers that are none.
 *
 *	floats [--bench]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr/kernel.h>

#include "random.h"

enum { N = 700, ROWS = 19, COLS = 11, ROUNDS = 300 };

/* Mostly what activations are; in some rounds, anything. */
static void
fill(float *x, size_t n, int wild)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t u = (uint32_t)next();

		x[i] = ((float)(u >> 8) * 0x1p-24f - 0.5f) * (u & 15 ? 4.0f : 200.0f);
		if (wild && below(20) == 0)
			memcpy(&x[i], &u, sizeof u);
		if (wild > 1 && below(200) == 0)
			x[i] = u & 1 ? INFINITY : u & 2 ? -INFINITY : NAN;
	}
}

/* Equal bits; any NaN is as good as another. */
static int
same(const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(&a[i], &b[i], sizeof *a) && !(isnan(a[i]) && isnan(b[i])))
			return 0;
	return 1;
}

static float w[ROWS * N], x[COLS * N], p[2][ROWS * COLS * 16], y[2][ROWS * N];

static const char *
trial(const struct kernel_floats *a, const struct kernel_floats *b, int wild)
{
	size_t n = below(3) ? 1 + below(N) : 16 * (1 + below(N / 16)), rows = 1 + below(ROWS);
	size_t cols = 1 + below(COLS), from, to;
	float t[2] = { 0 }, m[2];
	enum kernel_curve how = below(2) ? KERNEL_GELU : KERNEL_SILU;
	const struct kernel_floats *f[2] = { a, b };

	fill(w, ROWS * N, wild);
	fill(x, cols * N, wild);
	fill(p[0], rows * cols * 16, wild);
	memcpy(p[1], p[0], sizeof p[0]);
	fill(y[0], ROWS * N, wild);
	memcpy(y[1], y[0], sizeof y[0]);
#define BOTH(name, count, what, ...) do { \
		for (int i = 0; i < 2; i++) \
			__VA_ARGS__; \
		if (!same((what)[0], (what)[1], count)) \
			return name; \
	} while (0)
	BOTH("partial", rows * cols * 16, p, f[i]->partial(p[i], w, N, rows, x, N, cols, n));
	BOTH("finish", rows * cols, y, f[i]->finish(y[i], p[i], rows * cols));
	BOTH("dots", ROWS * N, y, f[i]->dots(y[i], ROWS, w, N, rows, x, N, cols, n));
	/* w is n x ROWS then, x cols x n. */
	BOTH("partial_across", rows * cols * 16, p, f[i]->partial_across(p[i], w, ROWS, rows, x, N,
	    cols, n));
	BOTH("finish_across", ROWS * N, y, f[i]->finish_across(y[i], ROWS, p[i], rows, cols));
	BOTH("sum", N, y, y[i][0] = f[i]->sum(x, n));
	fill(y[0], ROWS * N, wild);
	memcpy(y[1], y[0], sizeof y[0]);
	from = below(256);
	to = from + 1 + below(256 - from);
	for (float cap = 0; cap < 31; cap += 30) {
		fill(y[0], 256, wild);
		memcpy(y[1], y[0], sizeof y[0]);
		for (int i = 0; i < 2; i++)
			m[i] = f[i]->weigh(y[i], from, to, 0.125f, cap, &t[i]);
		if (!same(&m[0], &m[1], 1) || !same(&t[0], &t[1], 1) ||
		    !same(y[0] + from, y[1] + from, to - from))
			return "weigh";
	}
	memcpy(y[1], y[0], sizeof y[0]);
	from = below(rows);
	BOTH("blend", cols * N, y, f[i]->blend(y[i], N, x, N, cols, w, N, from, rows, n));
	BOTH("activate", N, y, f[i]->activate(y[i], x, n, how));
	BOTH("activate alone", N, y, f[i]->activate(y[i], NULL, n, how));
	BOTH("scale", N, y, f[i]->scale(y[i], x, 0.3f, w, x, n));
	BOTH("scale alone", N, y, f[i]->scale(y[i], x, 0.3f, NULL, NULL, n));
	BOTH("add", N, y, f[i]->add(y[i], x, 0.3f, n));
	BOTH("add whole", N, y, f[i]->add(y[i], x, 1, n));
	BOTH("turn", 2 * N, y, f[i]->turn(y[i], y[i] + N, w, x, n));
	return NULL;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
bench(const struct kernels *k)
{
	enum { H = 64, KEYS = 256, Q = 64 };
	static float keys[KEYS * H], q[Q * H], s[Q * KEYS], out[Q * H];
	double best[5] = { 1, 1, 1, 1, 1 }, t;
	float sum;

	fill(keys, KEYS * H, 0);
	fill(q, Q * H, 0);
	for (int i = 0; i < 50; i++) {
#define TIME(n, ...) do { \
		t = seconds(); \
		__VA_ARGS__; \
		t = seconds() - t; \
		if (t < best[n]) \
			best[n] = t; \
	} while (0)
		TIME(0, k->f.dots(s, KEYS, keys, H, KEYS, q, H, Q, H));
		TIME(1, for (int c = 0; c < Q; c++) k->f.weigh(s + c * KEYS, 0, KEYS, 0.1f, 0, &sum));
		TIME(2, k->f.blend(out, H, s, KEYS, Q, keys, H, 0, KEYS, H));
		TIME(3, k->f.activate(s, keys, KEYS * H, KERNEL_SILU));
		TIME(4, k->f.partial(s, keys, 1024, 4, keys, 1024, 8, 1024));
	}
	printf("%-7s ns: a product in dots %.4f, in blend %.4f, in partial %.4f; a weight %.3f; silu %.3f\n",
	    k->name, best[0] * 1e9 / (Q * KEYS * H), best[2] * 1e9 / (Q * KEYS * H),
	    best[4] * 1e9 / (4 * 8 * 1024), best[1] * 1e9 / (Q * KEYS), best[3] * 1e9 / (KEYS * H));
}

int
main(int argc, char **argv)
{
	static const char *const sets[] = { "avx2", "avx512", "neon" };
	const struct kernels *plain = kernels_named("scalar"), *k;
	int failed = 0, n = 0;

	if (argc > 1 && !strcmp(argv[1], "--bench"))
		bench(plain);
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		const char *bad = NULL;
		int round = 0;

		if (!(k = kernels_named(sets[i])))
			continue;
		for (; round < ROUNDS && !bad; round++)
			bad = trial(&plain->f, &k->f, round % 3);
		printf("%sok %d - %s: float products and functions\n", bad ? "not " : "", ++n, sets[i]);
		if (bad)
			printf("# %s differs in round %d\n", bad, round);
		failed += bad != NULL;
		if (argc > 1 && !strcmp(argv[1], "--bench"))
			bench(k);
	}
	printf("1..%d\n", n);
	return failed != 0;
}
