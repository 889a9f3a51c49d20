/* SPDX-License-Identifier: MIT */
/*
 * kernel.c -- every kernel against the type's scalar code: the same bytes
 * from whatever numbers, the same numbers from whatever bytes.
 *
 *	kernel [--values N] [--seed N] [--set NAME] [--bench] [TYPE...]
 *
 * Prints TAP.  N values a type and direction go through each set's kernel;
 * --bench times them instead.
 */
#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr/kernel.h>
#include <apr/type.h>

#include "random.h"

enum { ROW = 16384, GUARD = 64, SHIFT = 64, SETS = 3 };

static const char *const set_names[SETS] = { "avx2", "avx512", "neon" };

static struct {
	double		 values;
	uint64_t	 seed;
	const char	*set;
	bool		 bench;
} opt = { .values = 1e6, .seed = 1 };

static int tests, failed;

static float
sign(float v)
{
	return next() & 1 ? -v : v;
}

static float
float_of(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

static uint32_t
bits_of(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return u;
}

static float
or_zero(float v)
{
	return isfinite(v) ? v : 0;
}

/* The fourteen that weights may look like, then what they never do. */
enum input {
	NORMAL_1E8, NORMAL_1E4, NORMAL_02, NORMAL_1, NORMAL_100, NORMAL_1E4UP, UNIFORM,
	LAPLACE, STUDENT, POSITIVE, CONSTANT, ZEROS, DENORMAL, OUTLIERS,
	ALMOST_ZERO, HALVES, TIES, PLATEAU, EDGES, ANY_FINITE, INPUTS, ANY_BITS = INPUTS,
};
static const char *const input_names[] = {
	"normal * 1e-8", "normal * 1e-4", "normal * 0.02", "normal", "normal * 100",
	"normal * 1e4", "uniform", "Laplace", "Student's t", "all positive", "constants",
	"zeros", "denormals", "planted outliers",
	"about 1e-15", "f16 values", "ties", "equal magnitudes", "edges", "any finite bits", "any bits",
};

static float
edge(void)
{
	static const uint32_t edges[] = {
		0x00000000, 0x80000000, 0x00000001, 0x00000007, 0x00200000, 0x00400001,
		0x007fffff, 0x00800000, 0x01000000, 0x26901d7d, 0x26800000, 0x2f800000,
		0x33000000, 0x33800000, 0x387fc000, 0x38800000, 0x3effffff, 0x3f000000,
		0x3f7fffff, 0x3f800000, 0x3fc00000, 0x40400000, 0x40dfffff, 0x40e00000,
		0x41800000, 0x477fe000, 0x477fefff, 0x477ff000, 0x4a800000, 0x4b000000,
		0x4b800000, 0x5f800000, 0x7e800000, 0x7f000000, 0x7f7fffff,
	};
	uint32_t u = edges[below(sizeof edges / sizeof *edges)];

	/* Just under a power of two, any of them. */
	if (below(4) == 0)
		u = (uint32_t)below(0xff) << 23 | 0x7ffe00 | (uint32_t)below(512);

	/* Now and then a neighbour. */
	if (below(4) == 0 && u < 0x7f7fffff)
		u += (uint32_t)below(2) * 2 - (u > 0);
	return sign(float_of(u));
}

/* Blocks differ, so constants and scales change every 32. */
static void
fill(float *x, size_t n, enum input in)
{
	float c = 0, d = 1;

	for (size_t i = 0; i < n; i++) {
		if (i % 32 == 0) {
			c = (float)(normal() * ldexp(1, (int)below(40) - 30));
			d = ldexpf(1, (int)below(24) - 16);
		}
		switch (in) {
		case NORMAL_1E8: x[i] = (float)(normal() * 1e-8); break;
		case NORMAL_1E4: x[i] = (float)(normal() * 1e-4); break;
		case NORMAL_02: x[i] = (float)(normal() * 0.02); break;
		case NORMAL_1: x[i] = (float)normal(); break;
		case NORMAL_100: x[i] = (float)(normal() * 100); break;
		case NORMAL_1E4UP: x[i] = (float)(normal() * 1e4); break;
		case UNIFORM: x[i] = (float)(uniform() * 2 - 1); break;
		case LAPLACE: x[i] = sign((float)(log(uniform()) * 0.02)); break;
		case STUDENT: x[i] = (float)(normal() * 0.02 / sqrt(-log(uniform()))); break;
		case POSITIVE: x[i] = (float)(fabs(normal()) + (c > 0 ? 0 : 1)); break;
		case CONSTANT: x[i] = c; break;
		/* Whole blocks of them, of either sign, and some in others. */
		case ZEROS: x[i] = d > 1e-3f || below(4) ? sign(0) : (float)normal(); break;
		case DENORMAL: x[i] = sign(float_of((uint32_t)(next() >> (41 + i / 32 % 16)))); break;
		case OUTLIERS:
			x[i] = (float)(normal() * 0.02);
			if (below(64) == 0)
				x[i] = sign((float)(100 * uniform()));
			break;
		/* Groups below 1e-15 count as zero. */
		case ALMOST_ZERO: x[i] = (float)(normal() * 5e-16); break;
		case HALVES: x[i] = type_f16_to(type_f16_from((float)(normal() * 0.05))); break;
		/* Halfway between codes, and just beside it. */
		case TIES:
			x[i] = d * sign((float)below(257) / 2);
			if (below(8) == 0)
				x[i] = float_of(bits_of(x[i]) + (uint32_t)below(2) * 2 - (x[i] != 0));
			if (below(32) == 0)
				x[i] = sign(d * (below(2) ? 127 : 8));
			break;
		case PLATEAU: x[i] = below(2) ? sign(c) : sign(c / (float)(1 + below(9))); break;
		case EDGES: x[i] = edge(); break;
		/* Few exponents in a block, or all of them. */
		case ANY_FINITE:
			x[i] = or_zero(float_of((uint32_t)next()));
			if (i / 32 % 2)
				x[i] = or_zero(float_of((bits_of(x[i]) & 0x81ffffff) ^ (bits_of(c) & 0x7e000000)));
			break;
		case ANY_BITS: x[i] = float_of((uint32_t)next() | (below(8) ? 0 : 0x7f800000)); break;
		}
		if (!isfinite(x[i]) && in != ANY_BITS)
			x[i] = 0;
	}
}

/* No weights, some, and some of them 0. */
enum weights { NONE, SOME, HOLES, WEIGHTS };
static const char *const weights_names[] = { "", ", weighted", ", weighted with zeros" };

static void
fill_weights(float *w, size_t n, enum weights how)
{
	float scale = ldexpf(1, (int)below(40) - 20);

	for (size_t i = 0; i < n; i++) {
		w[i] = (float)-log(uniform()) * scale;
		if (how == HOLES && (below(3) == 0 || i / 32 % 5 == 0))
			w[i] = 0;
	}
}

static void
fill_bytes(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(next() >> 56);
}

/* Elements of the next row: a block, some, or many; for types whose last
 * block may be short, any number. */
static size_t
row_length(const struct type *t)
{
	size_t most = ROW / t->block, n;

	switch (below(4)) {
	case 0: n = 1 + below(4); break;
	case 1: n = 1 + below(40); break;
	case 2: n = 1 + below(most); break;
	default: n = 16; break;
	}
	n = (n < most ? n : most) * t->block;
	return t->flags & TYPE_FLAT ? n - below(t->block) : n;
}

static size_t
bytes_of(const struct type *t, size_t n)
{
	return (n + t->block - 1) / t->block * t->bytes;
}

static void *
must(void *p)
{
	if (!p) {
		fputs("kernel: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

/* A row that ends where its memory does, so that sanitizers see beyond. */
struct row {
	void		*base;
	float		*x;
};

static struct row
row_new(size_t n, size_t shift)
{
	struct row r;

	r.base = must(malloc((n + shift) * sizeof *r.x));
	r.x = (float *)r.base + shift;
	return r;
}

static int
slot_of(const struct type *t)
{
	return t->ggml >= 0 ? t->ggml : t == &type_apr_q4 ? KERNEL_APR_Q4 :
	    t == type_by_name("F8_E4M3") ? KERNEL_F8_E4M3 :
	    t == type_by_name("F8_E5M2") ? KERNEL_F8_E5M2 : -1;
}

/* This set's own kernel, or NULL; what it has from the set before is the
 * other's to test. */
static const struct kernels *
set_at(int i)
{
	if (opt.set && strcmp(opt.set, set_names[i]) != 0)
		return NULL;
	return kernels_named(set_names[i]);
}

static bool
inherited(int i, const struct type *t, bool encode)
{
	const struct kernels *k = set_at(i), *before = i > 0 ? set_at(i - 1) : NULL;
	int s = slot_of(t);

	return before && (encode ? before->from_f32[s] == k->from_f32[s] :
	    before->to_f32[s] == k->to_f32[s]);
}

static kernel_encode *
encoder(int i, const struct type *t)
{
	return set_at(i) && slot_of(t) >= 0 && t->from_f32 && !inherited(i, t, true) ?
	    set_at(i)->from_f32[slot_of(t)] : NULL;
}

static kernel_decode *
decoder(int i, const struct type *t)
{
	return set_at(i) && slot_of(t) >= 0 && t->to_f32 && !inherited(i, t, false) ?
	    set_at(i)->to_f32[slot_of(t)] : NULL;
}

static bool
any(const struct type *t, bool encode)
{
	for (int i = 0; i < SETS; i++)
		if (encode ? encoder(i, t) != NULL : decoder(i, t) != NULL)
			return true;
	return false;
}

/* Results of one kernel over all rows. */
struct score {
	bool		ran;
	double		values;
	uint64_t	bad;		/* blocks */
	char		first[512];	/* the first of them */
};

static void
report(const struct score *s, int set, const struct type *t, const char *what)
{
	char name[32];
	size_t i;

	for (i = 0; t->name[i] && i < sizeof name - 1; i++)
		name[i] = (char)tolower((unsigned char)t->name[i]);
	name[i] = '\0';
	printf("%sok %d - %s %s_%s: %.0f values\n", s->bad ? "not " : "", ++tests,
	    set_names[set], name, what, s->values);
	if (s->bad)
		printf("# %" PRIu64 " blocks differ; the first:\n%s", s->bad, s->first);
	failed += s->bad != 0;
}

static void
say_bytes(char *dst, size_t cap, const char *what, const unsigned char *p, size_t n)
{
	size_t k = strlen(dst);

	k += (size_t)snprintf(dst + k, cap - k, "# %s", what);
	for (size_t i = 0; i < n && k + 4 < cap; i++)
		k += (size_t)snprintf(dst + k, cap - k, " %02x", p[i]);
	snprintf(dst + k, cap - k, "\n");
}

/* Compare whole buffers, guards and all; count the blocks that differ. */
static void
compare(struct score *s, const struct type *t, const char *how, size_t n,
    const unsigned char *want, const unsigned char *got, size_t len, size_t block)
{
	s->values += (double)n;
	if (memcmp(want, got, len + 2 * GUARD) == 0)
		return;
	if (memcmp(want, got, GUARD) || memcmp(want + GUARD + len, got + GUARD + len, GUARD)) {
		if (s->bad++ == 0)
			snprintf(s->first, sizeof s->first, "# %s: writes beside its row of %zu, %s\n",
			    t->name, n, how);
	}
	for (size_t i = 0; i < len; i += block) {
		size_t k = len - i < block ? len - i : block, at = 0;
		const unsigned char *a = want + GUARD + i, *b = got + GUARD + i;

		if (memcmp(a, b, k) == 0 || s->bad++ > 0)
			continue;
		while (a[at] == b[at])
			at++;
		snprintf(s->first, sizeof s->first, "# %s, block %zu of %zu, byte %zu\n", how,
		    i / block, (len + block - 1) / block, at);
		say_bytes(s->first, sizeof s->first, "want", a + at, k - at < 24 ? k - at : 24);
		say_bytes(s->first, sizeof s->first, "got ", b + at, k - at < 24 ? k - at : 24);
	}
}

static void
test_encoders(const struct type *t)
{
	size_t cap = bytes_of(t, ROW) + 2 * GUARD + SHIFT, n, shift;
	unsigned char *want = must(malloc(cap)), *got = must(malloc(cap));
	struct score score[SETS] = { 0 };
	/* Where a block has a scale, infinity has no right answer. */
	unsigned inputs = INPUTS + (t->flags & TYPE_PLAIN ? 1 : 0), in = 0, how = 0;
	char text[64];

	for (double done = 0; done < opt.values; done += (double)n, in++) {
		struct row x, w;

		if (in == inputs) {
			in = 0;
			how = (how + 1) % WEIGHTS;
		}
		n = row_length(t);
		x = row_new(n, below(16));
		w = row_new(n, below(16));
		fill(x.x, n, (enum input)in);
		fill_weights(w.x, n, (enum weights)how);
		shift = below(SHIFT);
		memset(want, 0x55, cap);
		t->from_f32(want + shift + GUARD, x.x, n, how ? w.x : NULL);
		snprintf(text, sizeof text, "%s%s", input_names[in], weights_names[how]);
		for (int i = 0; i < SETS; i++) {
			if (!encoder(i, t))
				continue;
			memset(got, 0x55, cap);
			encoder(i, t)(got + shift + GUARD, x.x, n, how ? w.x : NULL);
			score[i].ran = true;
			compare(&score[i], t, text, n, want + shift, got + shift, bytes_of(t, n),
			    t->block == 1 ? t->bytes * 32u : t->bytes);
		}
		free(x.base);
		free(w.base);
	}
	/* Nothing sensible comes of these, and nothing bad either. */
	for (int k = 0; k < 64 && !(t->flags & TYPE_PLAIN); k++) {
		struct row x = row_new(n = row_length(t), below(16)), w = row_new(n, 0);

		fill(x.x, n, k < 32 ? ANY_BITS : EDGES);
		fill(w.x, n, k % 2 ? ANY_BITS : EDGES);
		for (int i = 0; i < SETS; i++) {
			if (!encoder(i, t))
				continue;
			memset(got, 0x55, cap);
			memset(want, 0x55, cap);
			encoder(i, t)(got + GUARD, x.x, n, k % 3 ? w.x : NULL);
			memcpy(want + GUARD, got + GUARD, bytes_of(t, n));
			compare(&score[i], t, "no numbers", 0, want, got, bytes_of(t, n), t->bytes);
		}
		free(x.base);
		free(w.base);
	}
	for (int i = 0; i < SETS; i++)
		if (score[i].ran)
			report(&score[i], i, t, "from_f32");
	free(want);
	free(got);
}

/* a + b of two NaN is either, as the compiler pleases: any NaN for a NaN. */
static void
settle_nans(unsigned char *got, const unsigned char *want, size_t n)
{
	float a, b;

	for (; n--; got += 4, want += 4) {
		memcpy(&a, got, 4);
		memcpy(&b, want, 4);
		if (isnan(a) && isnan(b))
			memcpy(got, want, 4);
	}
}

/* Types with a scale and a minimum. */
static bool
has_min(const struct type *t)
{
	return t->ggml == 3 || t->ggml == 7 || t->ggml == 10 || t->ggml == 12 || t->ggml == 13;
}

static void
test_decoders(const struct type *t)
{
	size_t cap = ROW * 4 + 2 * GUARD, n, bytes, shift;
	unsigned char *want = must(malloc(cap)), *got = must(malloc(cap));
	struct score score[SETS] = { 0 };
	/* Every half and every bfloat there is, to begin with. */
	size_t all = t->block == 1 && t->bytes == 2 ? 65536 : 0;

	for (double done = 0; done < opt.values; done += (double)n) {
		unsigned char *base, *src;

		n = row_length(t);
		if (all && n > all)
			n = all;
		bytes = bytes_of(t, n);
		shift = below(SHIFT);
		base = must(malloc(bytes + shift));
		src = base + shift;
		fill_bytes(src, bytes);
		for (size_t i = 0; all && i < n; i++, all--) {
			src[2 * i] = (unsigned char)(all - 1);
			src[2 * i + 1] = (unsigned char)((all - 1) >> 8);
		}
		memset(want, 0x55, cap);
		t->to_f32((float *)(void *)(want + GUARD), src, n);
		for (int i = 0; i < SETS; i++) {
			if (!decoder(i, t))
				continue;
			memset(got, 0x55, cap);
			decoder(i, t)((float *)(void *)(got + GUARD), src, n);
			if (has_min(t))
				settle_nans(got + GUARD, want + GUARD, n);
			score[i].ran = true;
			compare(&score[i], t, "random bytes", n, want, got, n * 4,
			    t->block == 1 ? 128u : t->block * 4u);
		}
		free(base);
	}
	for (int i = 0; i < SETS; i++)
		if (score[i].ran)
			report(&score[i], i, t, "to_f32");
	free(want);
	free(got);
}

/* apr_q8's two, which take a scale. */
static void
test_q8(void)
{
	static const float scales[] = { 1, 0.01f, 0x1p-149f, 0, INFINITY, 3e38f };
	size_t cap = ROW * 4 + 2 * GUARD, n;
	unsigned char *want = must(malloc(cap)), *got = must(malloc(cap));
	struct score from[SETS] = { 0 }, to[SETS] = { 0 };
	unsigned in = 0;

	for (double done = 0; done < opt.values; done += (double)n, in = (in + 1) % (INPUTS + 1)) {
		float scale = scales[below(sizeof scales / sizeof *scales)];
		struct row x;

		n = 1 + below(below(2) ? 100 : ROW);
		x = row_new(n, below(16));
		fill(x.x, n, (enum input)in);
		if (below(2))
			scale = type_q8_scale(type_absmax(x.x, n));
		for (int i = 0; i < SETS; i++) {
			if (!set_at(i) || !set_at(i)->q8_from_f32)
				continue;
			memset(want, 0x55, cap);
			memset(got, 0x55, cap);
			type_q8_from_f32((int8_t *)want + GUARD, x.x, n, scale);
			set_at(i)->q8_from_f32((int8_t *)got + GUARD, x.x, n, scale);
			from[i].ran = true;
			compare(&from[i], &type_apr_q8, input_names[in], n, want, got, n, 32);
			fill_bytes(want, n);
			memcpy(x.base, want, n);
			memset(want, 0x55, cap);
			memset(got, 0x55, cap);
			type_q8_to_f32((float *)(void *)(want + GUARD), x.base, n, scale);
			set_at(i)->q8_to_f32((float *)(void *)(got + GUARD), x.base, n, scale);
			to[i].ran = true;
			compare(&to[i], &type_apr_q8, "random bytes", n, want, got, n * 4, 128);
		}
		free(x.base);
	}
	for (int i = 0; i < SETS; i++)
		if (from[i].ran) {
			report(&from[i], i, &type_apr_q8, "from_f32");
			report(&to[i], i, &type_apr_q8, "to_f32");
		}
	free(want);
	free(got);
}

/* The largest of a row; any NaN is the largest. */
static void
test_absmax(void)
{
	struct score score[SETS] = { 0 };
	float want, got;
	unsigned in = 0;
	size_t n;

	for (double done = 0; done < opt.values; done += (double)n, in = (in + 1) % (INPUTS + 1)) {
		struct row x;

		n = below(below(2) ? 100 : ROW);
		x = row_new(n, below(16));
		fill(x.x, n, (enum input)in);
		want = 0;
		for (size_t i = 0; i < n; i++)
			if (!(fabsf(x.x[i]) <= want) && !isnan(want))
				want = fabsf(x.x[i]);
		for (int i = 0; i < SETS; i++) {
			if (!set_at(i) || !set_at(i)->absmax)
				continue;
			got = set_at(i)->absmax(x.x, n);
			score[i].ran = true;
			score[i].values += (double)n;
			if (isnan(want) ? isnan(got) : bits_of(want) == bits_of(got))
				continue;
			if (score[i].bad++ == 0)
				snprintf(score[i].first, sizeof score[i].first, "# %s, %zu: %g, not %g\n",
				    input_names[in], n, (double)got, (double)want);
		}
		free(x.base);
	}
	for (int i = 0; i < SETS; i++)
		if (score[i].ran)
			report(&score[i], i, &type_f32, "absmax");
}

/* Sums of errors, lane by lane as kernel.h has it. */
static void
test_errors(void)
{
	struct score score[SETS] = { 0 };
	unsigned in = 0;
	size_t n;

	for (double done = 0; done < opt.values; done += (double)n, in = (in + 1) % (INPUTS + 1)) {
		struct kernel_errors want = { .xx = { 0 } }, got;
		struct row x, y;

		n = below(below(2) ? 100 : ROW);
		x = row_new(n, below(16));
		y = row_new(n, below(16));
		fill(x.x, n, (enum input)in);
		fill(y.x, n, (enum input)((in + below(2)) % (INPUTS + 1)));
		for (size_t i = 0; i < n; i++) {
			double a = (double)x.x[i], b = (double)y.x[i], d = fabs(a - b);
			double *max = &want.max[i % KERNEL_ERROR_LANES];

			want.xx[i % KERNEL_ERROR_LANES] += a * a;
			want.yy[i % KERNEL_ERROR_LANES] += b * b;
			want.dd[i % KERNEL_ERROR_LANES] += (a - b) * (a - b);
			*max = d > *max ? d : *max;
		}
		for (int i = 0; i < SETS; i++) {
			const double *w = (const double *)&want, *g = (const double *)&got;

			if (!set_at(i) || !set_at(i)->errors)
				continue;
			set_at(i)->errors(x.x, y.x, n, &got);
			score[i].ran = true;
			score[i].values += (double)n;
			for (size_t k = 0; k < sizeof got / sizeof *g; k++)
				if (isnan(w[k]) ? !isnan(g[k]) : memcmp(&w[k], &g[k], sizeof *g) != 0) {
					if (score[i].bad++ == 0)
						snprintf(score[i].first, sizeof score[i].first,
						    "# %s, %zu: sum %zu is %a, not %a\n",
						    input_names[in], n, k, g[k], w[k]);
					break;
				}
		}
		free(x.base);
		free(y.base);
	}
	for (int i = 0; i < SETS; i++)
		if (score[i].ran)
			report(&score[i], i, &type_f32, "errors");
}

/* The fastest of several: other programs only make it slower. */
static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Reading the clock takes as long as some thousand values. */
enum { TIMED = 4096, CALLS = 32 };

static double
time_encoder(type_encode *f, unsigned char *dst, const float *x, const float *qw)
{
	double best = 1e9;

	for (int run = 0; run < 20; run++) {
		double t = seconds(), n = 0;

		do {
			for (int k = 0; k < CALLS; k++)
				f(dst, x, TIMED, qw);
			n += CALLS * TIMED;
		} while (seconds() - t < 0.005);
		t = (seconds() - t) / n;
		best = t < best ? t : best;
	}
	return best * 1e9;
}

static double
time_decoder(type_decode *f, float *dst, const unsigned char *src)
{
	double best = 1e9;

	for (int run = 0; run < 20; run++) {
		double t = seconds(), n = 0;

		do {
			for (int k = 0; k < CALLS; k++)
				f(dst, src, TIMED);
			n += CALLS * TIMED;
		} while (seconds() - t < 0.002);
		t = (seconds() - t) / n;
		best = t < best ? t : best;
	}
	return best * 1e9;
}

static void
bench_line(const char *set, const struct type *t, const char *what, double ns, double scalar)
{
	printf("%-7s %-8s %-12s %8.3f ns/value %8.1fx\n", set, t->name, what, ns, scalar / ns);
}

static void
bench(const struct type *t)
{
	_Alignas(64) static float x[TIMED], qw[TIMED];
	unsigned char *q = must(malloc(bytes_of(t, TIMED)));
	double scalar;

	fill(x, TIMED, NORMAL_02);
	fill_weights(qw, TIMED, SOME);
	for (int w = 0; any(t, true) && w < 2; w++) {
		const char *what = w ? "weighted" : "encode";

		scalar = time_encoder(t->from_f32, q, x, w ? qw : NULL);
		bench_line("scalar", t, what, scalar, scalar);
		for (int i = 0; i < SETS; i++)
			if (encoder(i, t))
				bench_line(set_names[i], t, what,
				    time_encoder(encoder(i, t), q, x, w ? qw : NULL), scalar);
	}
	if (any(t, false)) {
		if (t->from_f32)
			t->from_f32(q, x, TIMED, NULL);
		else
			memset(q, 0x33, bytes_of(t, TIMED));
		scalar = time_decoder(t->to_f32, x, q);
		bench_line("scalar", t, "decode", scalar, scalar);
		for (int i = 0; i < SETS; i++)
			if (decoder(i, t))
				bench_line(set_names[i], t, "decode",
				    time_decoder(decoder(i, t), x, q), scalar);
	}
	free(q);
}

static int
usage(void)
{
	fputs("usage: kernel [--values N] [--seed N] [--set NAME] [--bench] [TYPE...]\n", stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "values", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "set", required_argument, NULL, 'i' },
		{ "bench", no_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'n': opt.values = strtod(optarg, NULL); break;
		case 's': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'i': opt.set = optarg; break;
		case 'b': opt.bench = true; break;
		default: return usage();
		}
	if (!(opt.values >= 1 && opt.values <= 1e12))
		return usage();
	for (int i = optind; i < argc; i++)
		if (!type_by_name(argv[i]))
			return usage();
	for (const struct type *const *t = types; *t; t++) {
		bool wanted = optind == argc;

		for (int i = optind; i < argc; i++)
			wanted |= type_by_name(argv[i]) == *t;
		if (!wanted)
			continue;
		/* What a type is tested with does not depend on the others. */
		state = opt.seed * 1000 + (uint64_t)(t - types);
		if (opt.bench) {
			bench(*t);
			continue;
		}
		if (*t == &type_apr_q8)
			test_q8();
		if (*t == &type_f32) {
			test_absmax();
			test_errors();
		}
		if (any(*t, true))
			test_encoders(*t);
		if (any(*t, false))
			test_decoders(*t);
	}
	if (!opt.bench)
		printf("1..%d\n# kernel: %d passed, %d failed\n", tests, tests - failed, failed);
	return failed != 0;
}
