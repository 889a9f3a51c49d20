/* SPDX-License-Identifier: MIT */
/*
 * high.c -- --effort=high against the reference: on no block a larger error,
 * weighted as the reference does or by columns alone, and how much smaller
 * the mean of the former is.
 *
 *	high [--blocks N] [--verbose] [--time] [TYPE...]
 *
 * N blocks a type, distribution and kind of weights; --time: how fast it is
 * beside the scalar reference.
 */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr/type.h>

#include "random.h"

enum { ROW = 1024, BLOCK = 256 };

static const char *const inputs[] = {
	"normal * 1e-8", "normal * 1e-4", "normal * 0.02", "normal", "normal * 100",
	"normal * 1e4", "uniform", "Laplace", "Student's t", "all positive", "constants",
	"zeros", "denormals", "planted outliers",
};
enum { INPUTS = sizeof inputs / sizeof *inputs };

static void
fill(float *x, size_t n, int input)
{
	static const double scale[] = { 1e-8, 1e-4, 0.02, 1, 100, 1e4 };
	double c = 0, v;

	for (size_t i = 0; i < n; i++) {
		if (i % 32 == 0)
			c = normal() * ldexp(1, (int)(next() % 30) - 25);
		switch (input) {
		case 6: v = uniform() * 2 - 1; break;
		case 7: v = log(uniform()) * (next() & 1 ? 0.02 : -0.02); break;
		case 8: v = 0.02 * normal() / sqrt((pow(normal(), 2) + pow(normal(), 2) +
		    pow(normal(), 2)) / 3); break;
		case 9: v = fabs(normal()) * 0.02; break;
		case 10: v = c; break;
		case 11: v = next() % 8 && i / 32 % 3 ? 0 : normal() * 0.02 * (double)(i / 64 % 2); break;
		case 12: v = normal() * 1e-40; break;
		case 13: v = normal() * 0.02 * (next() % 200 ? 1 : 50); break;
		default: v = normal() * scale[input]; break;
		}
		x[i] = (float)v;
	}
}

static const char *const columns[] = { "no imatrix", "imatrix", "imatrix, half 0" };
enum { COLUMNS = sizeof columns / sizeof *columns };

/* Importance as of activations: a few columns have much of it. */
static void
importance(float *qw, int kind)
{
	for (size_t i = 0; i < ROW; i++)
		qw[i] = kind == 2 && next() % 2 ? 0 : (float)exp(normal() * 1.5);
}

/* The weights that apr-quant(1) says a type's error is measured with. */
static void
weights(const struct type *t, double *w, const float *x, const float *qw, size_t n)
{
	bool k = strstr(t->name, "_K"), iq = !strncmp(t->name, "IQ", 2), iq4 = !strncmp(t->name, "IQ4", 3);
	bool row = !strcmp(t->name, "Q4_0") || !strcmp(t->name, "Q4_1") ||
	    !strcmp(t->name, "Q5_0") || !strcmp(t->name, "Q5_1");
	bool alone = !k && !iq && !row, once = row || !strcmp(t->name, "Q2_K") ||
	    !strncmp(t->name, "IQ2_X", 5);
	double energy = 0, group = 0;

	for (size_t i = 0; row && i < n; i++)
		energy += (double)x[i] * (double)x[i] / (double)n;
	for (size_t i = 0; i < n; i++) {
		double a = (double)x[i];

		if (!row && i % t->block == 0) {
			energy = 0;
			for (size_t j = i; j < i + t->block; j++)
				energy += (double)x[j] * (double)x[j] / t->block;
		}
		if (i % 32 == 0) {
			group = 0;
			for (size_t j = i; j < i + 32; j++)
				group += (double)x[j] * (double)x[j] / 32;
		}
		if (qw)
			w[i] = alone || !strcmp(t->name, "Q6_K") ? (double)qw[i] :
			    (double)qw[i] * sqrt(energy * (once ? 1 : 2) + a * a);
		else if (alone || row)
			w[i] = 1;
		else if (!strcmp(t->name, "Q2_K"))
			w[i] = fabs(a);
		else if (!strcmp(t->name, "Q4_K") || !strcmp(t->name, "Q5_K"))
			w[i] = sqrt(group) + fabs(a);
		else if (!strcmp(t->name, "IQ2_S"))
			w[i] = 0.25 * 2 * energy + a * a;
		else if (iq && !iq4 && strcmp(t->name, "IQ1_M") && strncmp(t->name, "IQ3", 3))
			w[i] = sqrt(energy * (once ? 1 : 2) + a * a);
		else
			w[i] = a * a;
	}
}

/* By the weights, and by the importance of columns alone. */
static void
errors(const double *w, const float *qw, const float *x, const float *y, size_t n, double *e)
{
	e[0] = e[1] = 0;
	for (size_t i = 0; i < n; i++) {
		double diff = (double)x[i] - (double)y[i];

		e[0] += w[i] * diff * diff;
		e[1] += (qw ? (double)qw[i] : 1) * diff * diff;
	}
}

static bool failed;
static uint64_t sum = 0xcbf29ce484222325;

/* Of all bytes: the same whatever the processor. */
static void
hash(const unsigned char *p, size_t n)
{
	while (n--)
		sum = (sum ^ *p++) * 0x100000001b3;
}

/* One row at a time; the sums of errors, for all rows. */
static void
compare(const struct type *t, int input, int column, int blocks, double *ref, double *high)
{
	static float x[ROW], y[ROW], z[ROW], qw[ROW];
	static unsigned char p[ROW * 8], q[ROW * 8];
	static double w[ROW];
	const float *cols = column ? qw : NULL;
	size_t worse = 0, all = 0;

	*ref = *high = 0;
	importance(qw, column);
	for (int done = 0; done < blocks; done += ROW / BLOCK) {
		fill(x, ROW, input);
		type_encoder(t, EFFORT_REFERENCE)(p, x, ROW, cols);
		type_encoder(t, EFFORT_HIGH)(q, x, ROW, cols);
		hash(q, (size_t)ROW / t->block * t->bytes);
		type_decoder(t)(y, p, ROW);
		type_decoder(t)(z, q, ROW);
		weights(t, w, x, cols, ROW);
		for (size_t i = 0; i < ROW; i += t->block, all++) {
			const float *of = cols ? cols + i : NULL;
			double a[2], b[2];

			errors(w + i, of, x + i, y + i, t->block, a);
			errors(w + i, of, x + i, z + i, t->block, b);
			/* Ours are rounded otherwise than the float's. */
			worse += b[0] > a[0] * (1 + 1e-6) || b[1] > a[1] * (1 + 1e-6);
			*ref += a[0];
			*high += b[0];
		}
	}
	if (worse) {
		failed = true;
		printf("not ok %s, %s, %s: %zu of %zu blocks are worse\n", t->name,
		    inputs[input], columns[column], worse, all);
	}
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
speed(type_encode *encode, const float *x, const float *qw)
{
	static unsigned char q[ROW * 8];
	double best = INFINITY, begin, s;

	for (int i = 0; i < 5; i++) {
		begin = seconds();
		for (int k = 0; k < 16; k++)
			encode(q, x, ROW, qw);
		s = seconds() - begin;
		best = s < best ? s : best;
	}
	return 16 * ROW / best * 1e-6;
}

static void
times(const struct type *t)
{
	static float x[ROW], qw[ROW];
	double ref, fast, high;

	fill(x, ROW, 2);
	importance(qw, 1);
	for (int k = 0; k < 2; k++) {
		ref = speed(t->from_f32, x, k ? qw : NULL);
		fast = speed(type_encoder(t, EFFORT_REFERENCE), x, k ? qw : NULL);
		high = speed(type_encoder(t, EFFORT_HIGH), x, k ? qw : NULL);
		printf("# %-8s %-10s M weights/s: scalar %.2f, kernel %.2f, high %.2f, "
		    "%.2f of scalar\n", t->name, columns[k], ref, fast, high, high / ref);
	}
}

static void
run(const struct type *t, int blocks, bool verbose)
{
	double ref, high, gain[COLUMNS] = { 0 };
	int n;

	for (int c = 0; c < COLUMNS; c++) {
		n = 0;
		for (int i = 0; i < INPUTS; i++) {
			compare(t, i, c, blocks, &ref, &high);
			if (verbose)
				printf("# %-8s %-16s %-17s %6.2f %% less\n", t->name, inputs[i],
				    columns[c], ref > 0 ? 100 - 100 * high / ref : 0);
			if (ref > 0 && isfinite(ref)) {
				gain[c] += 100 - 100 * high / ref;
				n++;
			}
		}
		gain[c] /= n;
	}
	compare(t, 2, 0, blocks, &ref, &high);
	printf("# %-8s error less by %5.2f %%, %5.2f %% with imatrix, %5.2f %% with half of it 0;"
	    " normal %5.2f %%\n", t->name, gain[0], gain[1], gain[2], 100 - 100 * high / ref);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "blocks", required_argument, NULL, 'n' },
		{ "time", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int blocks = 8, c;
	bool timed = false, verbose = false;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'n': blocks = atoi(optarg); break;
		case 't': timed = true; break;
		case 'v': verbose = true; break;
		default: return 2;
		}
	for (const struct type *const *t = types; *t; t++) {
		bool wanted = optind == argc;

		for (int i = optind; i < argc; i++)
			wanted |= type_by_name(argv[i]) == *t;
		if (!wanted || !(*t)->effort[EFFORT_HIGH])
			continue;
		if (timed)
			times(*t);
		else
			run(*t, blocks, verbose);
		fflush(stdout);
	}
	printf("high: %s, bytes %016" PRIx64 "\n", failed ? "FAILED" : "passed", sum);
	return failed;
}
