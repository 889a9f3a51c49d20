/* SPDX-License-Identifier: MIT */
/*
 * bench-quant -- how fast the quantizers are, by set of kernels.
 *
 *	bench-quant REFERENCE.so [--pipe GB_PER_S] [--weighted] [TYPE...]
 *	bench-quant REFERENCE.so --alone TYPE WEIGHTS PROCESSES
 *
 * REFERENCE.so is lib/type with lib/codebook, built as fast as a compiler makes it.
 * Its code and ours take turns on the same F16 numbers, one thread, source
 * and target in the cache as a chunk of apr-quant's is; the fastest turn of
 * each counts, in CPU time.  --pipe: what a pipe carries, to compare with.
 * --alone: the wall seconds in which as many processes encode as many weights.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/perf_event.h>
#include <sys/syscall.h>
#endif

#include <apr/kernel.h>
#include <apr/type.h>

/* Elements at a time in the first cache, and in all: 512 KiB of F16. */
enum { TILE = 4096, COUNT = 262144, SETS = 4 };

static unsigned char source[COUNT * 2], target[COUNT * 4];
_Alignas(64) static float tile[TILE], weight[TILE];

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What counts cycles here: the core's own counter; else the TSC's rate, which
 * is constant, times CPU time, for the TSC counts other programs' time too. */
static int counter = -1;
static double tsc_rate = NAN;

static double
tsc(void)
{
#ifdef __x86_64__
	return (double)__builtin_ia32_rdtsc();
#else
	return NAN;
#endif
}

static void
counter_open(void)
{
	struct timespec a, b, wait = { 0, 50000000 };
	double first;
#ifdef __linux__
	struct perf_event_attr p = {
		.type = PERF_TYPE_HARDWARE, .size = sizeof p,
		.config = PERF_COUNT_HW_CPU_CYCLES, .exclude_kernel = 1, .exclude_hv = 1,
	};

	counter = (int)syscall(SYS_perf_event_open, &p, 0, -1, -1, 0);
#endif
	clock_gettime(CLOCK_MONOTONIC, &a);
	first = tsc();
	nanosleep(&wait, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	tsc_rate = (tsc() - first) /
	    ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9);
}

static double
cycles(void)
{
	unsigned long long n = 0;

	if (counter >= 0 && read(counter, &n, sizeof n) == (ssize_t)sizeof n)
		return (double)n;
	return seconds() * tsc_rate;
}

/* One way from F16 to a type, and the best seen of it, a weight. */
struct road {
	const char	*set;
	type_decode	*decode;
	type_encode	*encode;	/* NULL: none, the conversion alone */
	double		 ns, cycles;
};

static void
turn(struct road *r, const struct type *t, const float *qw)
{
	double begin = seconds(), first = cycles(), n = 0, ns, c;

	/* A turn takes some milliseconds, or one chunk. */
	do {
		for (size_t i = 0; i < COUNT; i += TILE) {
			r->decode(tile, source + 2 * i, TILE);
			if (r->encode)
				r->encode(target + i / t->block * t->bytes, tile, TILE, qw);
			if (i % (TILE * 8) == 0 && seconds() - begin > 0.05) {
				n += (double)(i + TILE);
				goto out;
			}
		}
		n += COUNT;
	} while (seconds() - begin < 0.004);
out:
	c = (cycles() - first) / n;
	ns = (seconds() - begin) / n * 1e9;
	r->ns = ns < r->ns ? ns : r->ns;
	r->cycles = c < r->cycles ? c : r->cycles;
}

/* Near enough to normal, and what weights look like. */
static void
fill(void)
{
	unsigned long long s = 1;

	for (size_t i = 0; i < COUNT; i++) {
		double v = 0;

		for (int k = 0; k < 6; k++) {
			s = s * 6364136223846793005 + 1442695040888963407;
			v += (double)(s >> 40) * 0x1p-24 - 0.5;
		}
		uint16_t h = type_f16_from((float)(v * 0.03));
		source[2 * i] = (unsigned char)h;
		source[2 * i + 1] = (unsigned char)(h >> 8);
	}
	for (size_t i = 0; i < TILE; i++)
		weight[i] = (float)(i % 13 + 1) * 0.3f;
}

/* In the other lib/type. */
static const struct type *
reference(const struct type *const *theirs, const char *name)
{
	while (*theirs && strcmp((*theirs)->name, name))
		theirs++;
	return *theirs;
}

static int
slot_of(const struct type *t)
{
	return t->ggml >= 0 ? t->ggml : t == &type_apr_q4 ? KERNEL_APR_Q4 : -1;
}

static double pipe_rate = NAN;

static void
line(const struct type *t, const struct road *r, double scalar, double conversion)
{
	double gb = 2 / r->ns;

	printf("%-8s %-7s %9.1f %9.2f %8.1f %8.2f %8.0f", t->name, r->set, 1e3 / r->ns, r->cycles,
	    scalar / r->ns, gb, 100 * conversion / r->ns);
	if (!isnan(pipe_rate))
		printf(" %6.0f", 100 * gb / pipe_rate);
	putchar('\n');
}

/* Scalar and every set; the plain conversion goes along to compare with. */
static void
bench(const struct type *t, const struct type *theirs, const struct type *their_f16, bool weighted)
{
	static const char *const names[] = { "avx2", "avx512", "neon" };
	const float *qw = weighted ? weight : NULL;
	/* To F32 is the conversion alone. */
	bool convert = t == &type_f32;
	struct road road[SETS + 1] = {
		{ .set = "scalar", .decode = their_f16->to_f32,
		    .encode = convert ? NULL : theirs->from_f32 },
	};
	struct road plain = { .decode = kernels()->to_f32[type_f16.ggml] };
	int n = 1;

	if (!plain.decode)
		plain.decode = type_f16.to_f32;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct kernels *k = kernels_named(names[i]);

		if (k && slot_of(t) >= 0 && k->from_f32[slot_of(t)])
			road[n++] = (struct road){ .set = k->name, .decode = k->to_f32[type_f16.ggml],
			    .encode = convert ? NULL : k->from_f32[slot_of(t)] };
	}
	for (int i = 0; i < n; i++)
		road[i].ns = road[i].cycles = INFINITY;
	plain.ns = plain.cycles = INFINITY;
	for (int run = 0; run < 25; run++) {
		turn(&plain, t, NULL);
		for (int i = 0; i < n; i++)
			if (i > 0 || run % 5 == 0)
				turn(&road[i], t, qw);
	}
	for (int i = 0; i < n; i++)
		line(t, &road[i], road[0].ns, plain.ns);
	fflush(stdout);
}

/* Chunks from the cache, again and again. */
static int
alone(const char *name, double weights, int processes)
{
	const struct type *t = type_by_name(name);
	type_decode *decode = type_decoder(&type_f16);
	type_encode *encode = t ? type_encoder(t, EFFORT_REFERENCE) : NULL;
	struct timespec a, b;
	int status, bad = 0;

	if (!encode || !(weights > 0) || processes < 1)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid > 0)
			continue;
		for (double n = 0; n < weights / processes; n += TILE) {
			size_t at = (size_t)n % COUNT;

			decode(tile, source + 2 * at, TILE);
			encode(target + at / t->block * t->bytes, tile, TILE, NULL);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		bad |= status;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.3f\n", (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9);
	return bad != 0;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pipe", required_argument, NULL, 'p' },
		{ "alone", no_argument, NULL, 'a' },
		{ "weighted", no_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	const struct type *const *theirs;
	const struct type *their_f16;
	bool weighted = false, only = false;
	void *so;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'p': pipe_rate = strtod(optarg, NULL); break;
		case 'a': only = true; break;
		case 'w': weighted = true; break;
		default: return 2;
		}
	if (optind == argc || !(so = dlopen(argv[optind], RTLD_NOW | RTLD_LOCAL)) ||
	    !(theirs = dlsym(so, "types"))) {
		fprintf(stderr, "bench-quant: %s\n", optind == argc ? "no reference" : dlerror());
		return 2;
	}
	their_f16 = reference(theirs, "F16");
	fill();
	if (only)
		return argc - optind < 4 ? 2 : alone(argv[optind + 1], strtod(argv[optind + 2], NULL),
		    atoi(argv[optind + 3]));
	counter_open();
	if (counter >= 0)
		printf("cycles: the core's, read from its counter\n");
	else
		printf("cycles: CPU time at the TSC's %.3f GHz; the core's counter may not be read\n",
		    tsc_rate * 1e-9);
	printf("%-8s %-7s %9s %9s %8s %8s %8s%s%s\n", "type", "set", "M/s", "cycles", "x scalar",
	    "GB/s F16", "% of F32", isnan(pipe_rate) ? "" : " % pipe", weighted ? "  weighted" : "");
	for (const struct type *const *t = types; *t; t++) {
		bool wanted = (*t)->from_f32 && ((*t)->block > 1 || *t == &type_f32 || *t == &type_bf16);

		for (int i = optind + 1; i < argc; i++)
			if (type_by_name(argv[i]) == *t)
				goto run;
		if (optind + 1 < argc || !wanted || slot_of(*t) < 0)
			continue;
run:
		if ((*t)->from_f32)
			bench(*t, reference(theirs, (*t)->name), their_f16, weighted);
	}
	return 0;
}
