/* SPDX-License-Identifier: MIT */
/*
 * dot.c -- products by every set of kernels against the scalar code, bit for
 * bit: packed types, rows and columns of any number, any blocks.
 *
 *	dot [--values N] [--seed N] [--bench] [TYPE...]
 *
 * Prints TAP.  --bench times them instead: weights from beyond the cache
 * with 1, 2, 4 and 8 columns, and with 512 in it, on one thread.
 */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr/dot.h>
#include <apr/kernel.h>
#include <apr/type.h>

#include "random.h"

enum { SETS = 3, MOST_ROWS = 83, MOST_COLS = 9216 };

static const char *const set_names[SETS] = { "avx2", "avx512", "neon" };
static double values = 3e6;
static int tests, failed;

static void *
must(void *p)
{
	if (!p) {
		fputs("dot: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

/* Numbers as activations are, of one size or many, ties, and what is none. */
static void
fill(float *x, size_t n, unsigned how)
{
	float scale = ldexpf(1, (int)below(12) - 6);

	for (size_t i = 0; i < n; i++)
		switch (how) {
		case 0: x[i] = (float)normal() * scale; break;
		case 1: x[i] = (float)normal() * ldexpf(1, (int)below(250) - 125); break;
		case 2: x[i] = (float)below(255) - 127; break;	/* 127: ties */
		case 3: x[i] = below(3) ? 0 : -(float)normal() * 1e-38f; break;
		default: x[i] = below(4000) ? (float)normal() : below(2) ? INFINITY : NAN;
		}
}

static bool
halves_at(const struct type *t, size_t i)
{
	switch (t->ggml) {
	case 10: return i == 80 || i == 82;
	case 11: return i == 108;
	case 14: return i == 208;
	case 12: case 13: case 3: case 7: return i == 0 || i == 2;
	default: return i == 0;
	}
}

/* Any bytes; scales that are numbers nearly always. */
static void
fill_blocks(const struct type *t, unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(next() >> 56);
	if (below(8) == 0 || t->bytes < 4)
		return;
	for (size_t b = 0; b + t->bytes <= n; b += t->bytes)
		for (size_t i = 0; i < t->bytes; i++)
			if (halves_at(t, i))
				p[b + i + 1] = (unsigned char)((p[b + i + 1] & 0x83) | 0x20);
}

/* A buffer that ends where its memory does. */
struct held {
	unsigned char	*base, *p;
};

static struct held
hold(size_t n, size_t shift)
{
	struct held h;

	h.base = must(malloc(n + shift + 1));
	h.p = h.base + shift + 1;
	return h;
}

static bool
same(const float *a, const float *b, size_t n, size_t *at)
{
	for (*at = 0; *at < n; ++*at)
		if (memcmp(a + *at, b + *at, sizeof *a) && !(isnan(a[*at]) && isnan(b[*at])))
			return false;
	return true;
}

static size_t
row_bytes(const struct type *t, size_t cols)
{
	return (cols + t->block - 1) / t->block * t->bytes;
}

struct one {
	struct mat	 w;
	struct act	 a;
	struct held	 blocks;
	float		*x;
	size_t		 ldy;
};

static struct one
make(const struct type *t, const struct dot_type *d)
{
	struct one o = { .w = { .type = t, .rows = 1 + below(MOST_ROWS), .scale = 0.0123f } };
	size_t most = below(6) ? 640 : MOST_COLS, n;

	(void)d;
	/* Whole blocks mostly; else rows whose last one is padded. */
	o.w.cols = 1 + below(most);
	if (t->flags & TYPE_FLAT || below(4))
		o.w.cols = (o.w.cols + t->block - 1) / t->block * t->block;
	o.w.stride = row_bytes(t, o.w.cols) + (t->flags & TYPE_FLAT ? 0 : below(3) * 2);
	n = o.w.rows * o.w.stride;
	o.blocks = hold(n, below(64));
	fill_blocks(t, o.blocks.p, n);
	o.w.data = o.blocks.p;
	o.a.cols = o.w.cols;
	o.a.n = 1 + below(below(3) ? 9 : 21);
	o.a.ld = o.w.cols + below(3);
	o.a.fine = o.w.fine = below(5) == 0;
	if (o.a.fine && below(8) == 0)
		o.a.n += 256;			/* more than a run */
	o.a.x = o.x = must(malloc((o.a.n * o.a.ld + 1) * sizeof *o.x));
	fill(o.x, o.a.n * o.a.ld, (unsigned)below(5));
	o.ldy = o.w.rows + below(3);
	return o;
}

static void
compare(const struct type *t, const struct dot_type *d)
{
	const struct kernels *scalar = kernels_named("scalar");
	double done[SETS] = { 0 };
	int bad[SETS] = { 0 };
	char first[256] = "";

	for (double n = 0; n < values;) {
		struct one o = make(t, d);
		size_t len = o.a.n * o.ldy + 2, at, from = below(o.w.rows), acts;
		float *want = must(malloc(len * 4)), *got = must(malloc(len * 4));
		void *s0 = must(calloc(1, acts = act_scratch(o.w.cols, 2 * o.a.n))), *s1 = must(calloc(1, acts));
		void *tmp = must(aligned_alloc(64, (mat_scratch(&o.w) + 63) / 64 * 64));

		if (below(2))
			from = 0;
		memset(want, 0x55, len * 4);
		act_quantize_with(scalar, &o.a, 0, o.a.n, s0);
		mat_mul_with(scalar, &o.w, from, o.w.rows, &o.a, false, want, o.ldy, tmp);
		for (int i = 0; i < SETS; i++) {
			const struct kernels *k = kernels_named(set_names[i]);
			const float *r0 = (float *)o.a.p.g, *r1;

			if (!k)
				continue;
			done[i] += (double)(o.w.rows * o.w.cols * o.a.n);
			memset(got, 0x55, len * 4);
			memset(s1, 0, acts);
			act_quantize_with(k, &o.a, 0, o.a.n, s1);
			r1 = (float *)o.a.p.g;
			mat_mul_with(k, &o.w, from, o.w.rows, &o.a, false, got, o.ldy, tmp);
			if (!same(r0, r1, o.a.p.n * o.a.p.groups * sizeof(struct dot_act) / 4, &at)) {
				if (bad[i]++ == 0)
					snprintf(first, sizeof first, "activations: record %zu, word %zu",
					    at / 16, at % 16);
			} else if (!same(want, got, len, &at) && bad[i]++ == 0)
				snprintf(first, sizeof first, "rows [%zu, %zu) of %zu columns times %zu: "
				    "column %zu, row %zu: %a, not %a", from, o.w.rows, o.w.cols, o.a.n,
				    at / o.ldy, at % o.ldy, (double)got[at], (double)want[at]);
		}
		n += (double)(o.w.rows * o.w.cols * o.a.n);
		free(want);
		free(got);
		free(s0);
		free(s1);
		free(tmp);
		free(o.blocks.base);
		free(o.x);
	}
	for (int i = 0; i < SETS; i++)
		if (done[i] > 0) {
			printf("%sok %d - %s %s products: %.0f\n", bad[i] ? "not " : "", ++tests,
			    set_names[i], t->name, done[i]);
			if (bad[i])
				printf("# %d differ; %s\n", bad[i], first);
			failed += bad[i] != 0;
		}
}

/* Root of the mean squared error of a product, against --precise's. */
static double
wrong(const struct mat *w, struct act *a, const float *want, float *y, void *s, void *tmp)
{
	double sum = 0;

	act_quantize(a, 0, a->n, s);
	mat_mul(w, 0, w->rows, a, false, y, w->rows, tmp);
	for (size_t i = 0; i < w->rows * a->n; i++)
		sum += ((double)y[i] - (double)want[i]) * ((double)y[i] - (double)want[i]);
	return sqrt(sum / (double)(w->rows * a->n));
}

/* Fine activations have seven bits more. */
static void
finer(const struct type *t)
{
	enum { ROWS = 32, COLS = 512, N = 3 };
	struct mat w = { .type = t, .rows = ROWS, .cols = COLS, .stride = row_bytes(t, COLS),
	    .scale = 0.01f, .fine = true };
	struct act a = { .cols = COLS, .n = N, .ld = COLS };
	unsigned char *p = must(malloc(ROWS * w.stride));
	float x[N * COLS], want[N * ROWS], y[N * ROWS];
	void *s = must(malloc(act_scratch(COLS, 2 * N)));
	void *tmp = must(aligned_alloc(64, (mat_scratch(&w) + 63) / 64 * 64));
	double coarse, fine;

	for (size_t i = 0; i < N * COLS; i++)
		x[i] = (float)normal();
	/* Made from numbers: bytes at random have scales that drown others. */
	for (size_t i = 0; i < ROWS; i++) {
		float row[COLS];

		for (size_t k = 0; k < COLS; k++)
			row[k] = (float)normal();
		if (t == &type_apr_q8)
			type_q8_encoder()((int8_t *)p + i * w.stride, row, COLS, w.scale);
		else if (type_encoder(t, EFFORT_REFERENCE))
			type_encoder(t, EFFORT_REFERENCE)(p + i * w.stride, row, COLS, NULL);
		else
			fill_blocks(t, p + i * w.stride, w.stride);
	}
	w.data = p;
	a.x = x;
	mat_mul(&w, 0, ROWS, &a, true, want, ROWS, tmp);
	coarse = wrong(&w, &a, want, y, s, tmp);
	a.fine = true;
	fine = wrong(&w, &a, want, y, s, tmp);
	printf("%sok %d - %s fine: %.2g, not %.2g\n", fine * 150 < coarse ? "" : "not ", ++tests,
	    t->name, fine, coarse);
	failed += !(fine * 150 < coarse);
	free(p);
	free(s);
	free(tmp);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Least seconds of several runs. */
static double
timed(const struct kernels *k, const struct mat *w, struct act *a, float *y, void *s, void *tmp, int runs)
{
	double best = 1e9;

	for (int i = 0; i < runs; i++) {
		double t = seconds();

		act_quantize_with(k, a, 0, a->n, s);
		for (size_t r = 0; r < w->rows; r += 256)
			mat_mul_with(k, w, r, r + 256, a, false, y, w->rows, tmp);
		t = seconds() - t;
		best = t < best ? t : best;
	}
	return best;
}

/* Words from beyond the cache: what weights that are only read would take. */
static double
read_speed(const unsigned char *p, size_t n)
{
	double best = 1e9;

	for (int run = 0; run < 5; run++) {
		double t = seconds();
		uint64_t sum[8] = { 0 }, w[8];

		for (size_t i = 0; i + 64 <= n; i += 64) {
			__builtin_prefetch(p + i + 2048, 0, 2);
			memcpy(w, p + i, sizeof w);
			for (int k = 0; k < 8; k++)
				sum[k] ^= w[k];
		}
		for (int k = 1; k < 8; k++)
			sum[0] ^= sum[k];
		state ^= sum[0] & 1;		/* so that it is done */
		t = seconds() - t;
		best = t < best ? t : best;
	}
	return (double)n / best / 1e9;
}

/* A transposed matrix, whose blocks run along its columns, or rows of it: what
 * the same numbers give as floats. */
static void
turned(const struct type *t)
{
	char first[128] = "";
	double done = 0;
	int bad = 0;

	while (done < values / 20) {
		size_t rows = 1 + below(300), cols = 1 + below(150), from = below(rows), at;
		struct mat w = { .type = t, .rows = rows, .cols = cols, .scale = 0.0123f,
		    .transposed = true }, untwisted, floats = w, part;
		bool flat = t->flags & (TYPE_FLAT | TYPE_WHOLE);
		size_t n = flat ? row_bytes(t, rows * cols) : row_bytes(t, rows) * cols;
		struct act a = { .cols = cols, .n = 1 + below(20), .ld = cols };
		size_t len = a.n * rows;
		struct held blocks = hold(n, below(64));
		float *f = must(malloc(rows * cols * sizeof *f)), *x = must(malloc(a.n * cols * sizeof *x));
		float *want = must(calloc(len + cols, sizeof *want)), *got = must(calloc(len + cols, sizeof *got));
		void *tmp = must(aligned_alloc(64, (mat_scratch(&w) + 63) / 64 * 64));

		fill_blocks(t, blocks.p, n);
		fill(x, a.n * cols, (unsigned)below(5));
		a.x = x;
		w.data = blocks.p;
		w.stride = flat ? rows : row_bytes(t, rows);
		untwisted = w;
		untwisted.transposed = false;
		untwisted.rows = cols;
		untwisted.cols = rows;
		for (size_t k = 0; k < cols; k++)
			mat_row(&untwisted, k, f + k * rows);
		floats.type = &type_f32;
		floats.data = f;
		floats.stride = rows * sizeof *f;
		mat_mul(&floats, from, rows, &a, true, want, rows, tmp);
		part = mat_slice(&w, from, rows - from);
		mat_mul(&part, 0, rows - from, &a, below(2), got + from, rows, tmp);
		if (!same(want, got, len, &at) && bad++ == 0)
			snprintf(first, sizeof first, "rows [%zu, %zu) of %zu columns times %zu: "
			    "column %zu, row %zu", from, rows, cols, a.n, at / rows, at % rows);
		mat_row(&part, 0, got);
		mat_row(&floats, from, want);
		if (!same(want, got, cols, &at) && bad++ == 0)
			snprintf(first, sizeof first, "row %zu, column %zu", from, at);
		done += (double)(rows * cols * a.n);
		free(blocks.base);
		free(f);
		free(x);
		free(want);
		free(got);
		free(tmp);
	}
	printf("%sok %d - %s transposed: %.0f\n", bad ? "not " : "", ++tests, t->name, done);
	if (bad)
		printf("# %d wrong; %s\n", bad, first);
	failed += bad > 0;
}

static void
bench(const struct type *t)
{
	enum { COLS = 2048, ROWS = 32768, FEW = 2048, MANY = 512 };
	struct mat w = { .type = t, .cols = COLS, .scale = 0.01f };
	struct act a = { .cols = COLS, .ld = COLS };
	float *x = must(malloc(MANY * COLS * sizeof *x)), *y = must(malloc((size_t)MANY * FEW * sizeof *y));
	void *s = must(malloc(act_scratch(COLS, MANY)));
	void *tmp = must(aligned_alloc(64, (mat_scratch(&w) + 63) / 64 * 64));
	unsigned char *p;

	_Static_assert(8 * ROWS <= MANY * FEW, "y is for both");
	w.stride = row_bytes(t, COLS);
	w.data = p = must(malloc(ROWS * w.stride));
	fill_blocks(t, p, ROWS * w.stride);
	fill(x, MANY * COLS, 0);
	a.x = x;
	printf("read    %-8s  %6.2f GB/s\n", t->name, read_speed(p, ROWS * w.stride));
	for (int i = -1; i < SETS; i++) {
		const struct kernels *k = kernels_named(i < 0 ? "scalar" : set_names[i]);

		if (!k)
			continue;
		printf("%-7s %-8s", k->name, t->name);
		for (a.n = 1; a.n <= 8; a.n *= 2) {
			double sec;

			w.rows = i < 0 ? FEW : ROWS;
			sec = timed(k, &w, &a, y, s, tmp, i < 0 ? 1 : 4);
			if (a.n == 1) {
				printf("  %6.2f GB/s", (double)(w.rows * w.stride) / sec / 1e9);
				w.rows = 1024;		/* 1-2 MB: in cache */
				sec = timed(k, &w, &a, y, s, tmp, i < 0 ? 1 : 8);
				printf(" (%6.2f in cache)", (double)(w.rows * w.stride) / sec / 1e9);
			} else
				printf("  %zu: %6.2f", a.n, (double)(w.rows * w.stride) / sec / 1e9);
		}
		a.n = MANY;
		w.rows = i < 0 ? 256 : FEW;
		{
			double sec = timed(k, &w, &a, y, s, tmp, i < 0 ? 1 : 4);

			printf("  %zu: %7.1f GOPS\n", a.n, 2.0 * (double)(w.rows * COLS * a.n) / sec / 1e9);
		}
		fflush(stdout);
	}
	free(x);
	free(y);
	free(s);
	free(tmp);
	free(p);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "values", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "bench", no_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t seed = 1;
	bool timing = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'n': values = strtod(optarg, NULL); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'b': timing = true; break;
		default:
			fputs("usage: dot [--values N] [--seed N] [--bench] [TYPE...]\n", stderr);
			return 2;
		}
	for (const struct type *const *t = types; *t; t++) {
		bool wanted = optind == argc;

		for (int i = optind; i < argc; i++)
			wanted |= type_by_name(argv[i]) == *t;
		if (!wanted || !dot_type(*t))
			continue;
		state = seed * 1000 + (uint64_t)(t - types);
		if (timing)
			bench(*t);
		else {
			compare(*t, dot_type(*t));
			finer(*t);
			turned(*t);
		}
	}
	if (!timing)
		printf("1..%d\n# dot: %d passed, %d failed\n", tests, tests - failed, failed);
	return failed != 0;
}
