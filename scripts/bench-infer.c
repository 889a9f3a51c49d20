/* SPDX-License-Identifier: MIT */
/*
 * bench-infer [THREADS] -- what the machine can do: how fast memory is read,
 * and how many int8 operations are done, by that many threads (2).  Prints
 * GB/s and Gop/s (a multiplication and an addition are two).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { BYTES = 512 << 20, ROUNDS = 5, LOOPS = 4000000, SUMS = 12, MOST = 64 };

static pthread_barrier_t begin, end;
static unsigned char *data;
static size_t share;
static volatile uint64_t sink[MOST];

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* In so many runs side by side, of which lines are asked for some way ahead: by
 * machine one or the other way is faster. */
static uint64_t
read_all(const unsigned char *p, size_t n, size_t runs)
{
	uint64_t s[8] = { 0 }, w[8], sum = 0;
	size_t run = n / runs;

	for (size_t i = 0; i + sizeof w <= run; i += sizeof w)
		for (size_t r = 0; r < runs; r++) {
			const unsigned char *q = p + r * run + i;

			if (runs > 1)
				__builtin_prefetch(q + 4096, 0, 2);
			memcpy(w, q, sizeof w);
			for (int k = 0; k < 8; k++)
				s[k] += w[k];
		}
	for (int k = 0; k < 8; k++)
		sum += s[k];
	return sum;
}

/* Returns int8 operations done. */
#ifdef __x86_64__
__attribute__((target("avx512f,avx512vnni"))) static double
vnni(uint64_t *out)
{
	__m512i s[SUMS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);

	for (int k = 0; k < SUMS; k++)
		s[k] = _mm512_setzero_si512();
	for (int i = 0; i < LOOPS; i++) {
		__asm__ volatile("" : "+x"(a), "+x"(b));
#pragma GCC unroll 12
		for (int k = 0; k < SUMS; k++)
			s[k] = _mm512_dpbusd_epi32(s[k], a, b);
	}
	for (int k = 1; k < SUMS; k++)
		s[0] = _mm512_add_epi32(s[0], s[k]);
	*out = (uint64_t)_mm512_reduce_add_epi32(s[0]);
	return 2.0 * 64 * SUMS * LOOPS;
}

__attribute__((target("avx2"))) static double
avx2(uint64_t *out)
{
	__m256i s[SUMS], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1);

	for (int k = 0; k < SUMS; k++)
		s[k] = _mm256_setzero_si256();
	for (int i = 0; i < LOOPS; i++) {
		__asm__ volatile("" : "+x"(a), "+x"(b));
#pragma GCC unroll 12
		for (int k = 0; k < SUMS; k++)
			s[k] = _mm256_add_epi32(s[k], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
	}
	for (int k = 1; k < SUMS; k++)
		s[0] = _mm256_add_epi32(s[0], s[k]);
	*out = (uint64_t)_mm256_extract_epi32(s[0], 0);
	return 2.0 * 32 * SUMS * LOOPS;
}

static double
peak(uint64_t *out)
{
	return __builtin_cpu_supports("avx512vnni") ? vnni(out) : avx2(out);
}
#else
static double
peak(uint64_t *out)
{
	int8_t a[256], b[256];
	int32_t sum = 0;

	memset(a, 3, sizeof a);
	memset(b, 5, sizeof b);
	for (int i = 0; i < LOOPS / 16; i++) {
		__asm__ volatile("" : : "r"(a), "r"(b) : "memory");
		for (int k = 0; k < 256; k++)
			sum += a[k] * b[k];
	}
	*out = (uint64_t)sum;
	return 2.0 * 256 * (LOOPS / 16);
}
#endif

static double work[MOST], began[MOST], ended[MOST];

static void *
worker(void *arg)
{
	size_t who = (size_t)(uintptr_t)arg;
	uint64_t out;

	memset(data + who * share, (int)who + 1, share);
	for (int i = 0; i < 2 * ROUNDS; i++) {
		pthread_barrier_wait(&begin);
		began[who] = now();
		sink[who] = read_all(data + who * share, share, i < ROUNDS ? 1 : 4);
		ended[who] = now();
		pthread_barrier_wait(&end);
	}
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&begin);
		began[who] = now();
		work[who] = peak(&out);
		ended[who] = now();
		sink[who] = out;
		pthread_barrier_wait(&end);
	}
	return NULL;
}

/* From the first one's begin to the last one's end, by their own clocks: this
 * thread may be late. */
static double
best(int rounds, unsigned n)
{
	double min = 1e9;

	for (int i = 0; i < rounds; i++) {
		double from, to;

		pthread_barrier_wait(&begin);
		pthread_barrier_wait(&end);
		from = began[0];
		to = ended[0];
		for (unsigned k = 1; k < n; k++) {
			from = began[k] < from ? began[k] : from;
			to = ended[k] > to ? ended[k] : to;
		}
		if (to - from < min)
			min = to - from;
	}
	return min;
}

int
main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
	pthread_t thread[MOST];
	double seconds, ops = 0;

	if (n < 1 || n > MOST || !(data = aligned_alloc(1 << 21, BYTES)))
		return 1;
	share = BYTES / n / 64 * 64;
	pthread_barrier_init(&begin, NULL, n + 1);
	pthread_barrier_init(&end, NULL, n + 1);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, worker, (void *)(uintptr_t)i))
			return 1;
	seconds = best(2 * ROUNDS, n);
	printf("%.2f ", (double)share * n / seconds / 1e9);
	seconds = best(ROUNDS, n);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(thread[i], NULL);
		ops += work[i];
	}
	printf("%.1f\n", ops / seconds / 1e9);
	return 0;
}
