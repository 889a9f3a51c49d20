/* SPDX-License-Identifier: MIT */
/* shuffle -- shuffles against the definition: every cell in its place, read
 * in any pieces, written in any pieces, and back again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/shuffle.h>

static unsigned long long state = 88172645463325252ull;

static unsigned long long
rnd(unsigned long long n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

struct mem {
	unsigned char	*in, *out;
	uint64_t	 n, at;
};

static int
get(void *ctx, void *dst, uint64_t at, size_t n, struct err *e)
{
	struct mem *m = ctx;

	if (at > m->n || n > m->n - at)
		return err_set(e, "read beyond the end");
	memcpy(dst, m->in + at, n);
	return 0;
}

static int
emit(void *ctx, const void *p, size_t n, struct err *e)
{
	struct mem *m = ctx;

	if (m->at > m->n || n > m->n - m->at)
		return err_set(e, "emitted beyond the end");
	memcpy(m->out + m->at, p, n);
	m->at += n;
	return 0;
}

static int
put(void *ctx, const void *p, uint64_t at, size_t n, struct err *e)
{
	struct mem *m = ctx;

	if (at > m->n || n > m->n - at)
		return err_set(e, "written beyond the end");
	memcpy(m->out + at, p, n);
	return 0;
}

static void
define(const struct shuffle *s, unsigned char *out, const unsigned char *in)
{
	memcpy(out, in, (size_t)s->prefix);
	for (uint64_t k = 0; k < s->batch; k++)
		for (uint64_t i = 0; i < s->a; i++)
			for (uint64_t j = 0; j < s->b; j++)
				memcpy(out + s->prefix + ((k * s->b + j) * s->a + i) * s->cell,
				    in + s->prefix + ((k * s->a + i) * s->b + j) * s->cell,
				    (size_t)s->cell);
}

static int
fail(const struct shuffle *s, const char *what, const struct err *e)
{
	fprintf(stderr, "shuffle: %llu + %llu x %llu x %llu x %llu: %s%s%s\n",
	    (unsigned long long)s->prefix, (unsigned long long)s->batch,
	    (unsigned long long)s->a, (unsigned long long)s->b, (unsigned long long)s->cell,
	    what, e ? ": " : "", e ? e->msg : "");
	return -1;
}

static int
check(struct shuffle s)
{
	uint64_t row = s.a * s.cell, run = s.b * s.cell, at;
	size_t n = (size_t)(s.total = s.prefix + s.batch * s.a * s.b * s.cell);
	unsigned char *in = malloc(n + 1), *want = malloc(n + 1), *got = malloc(n + 1);
	struct shuffle back = shuffle_inverse(s);
	struct mem m = { in, got, n, 0 };
	struct scatter *w;
	struct err e;
	int r = -1;

	if (!in || !want || !got)
		return fail(&s, "out of memory", NULL);
	for (size_t i = 0; i < n; i++)
		in[i] = (unsigned char)rnd(256);
	define(&s, want, in);
	if (shuffle_gather(&s, 0, n, get, emit, &m, &e) < 0 || m.at != n ||
	    memcmp(got, want, n)) {
		fail(&s, "gather", m.at == n ? NULL : &e);
		goto out;
	}
	/* A part of it, from one row of out to another. */
	if (s.batch > 0 && row > 0 && !shuffle_none(&s)) {
		uint64_t rows = s.batch * s.b, from = rnd(rows), to = from + rnd(rows - from + 1);

		m.at = 0;
		if (shuffle_gather(&s, s.prefix + from * row, (to - from) * row, get, emit, &m, &e) < 0 ||
		    memcmp(got, want + s.prefix + from * row, (size_t)((to - from) * row))) {
			fail(&s, "gather of a part", NULL);
			goto out;
		}
	}
	for (int tensors = 1; tensors < 4; tensors++) {
		/* In pieces, and in so many source tensors of whole rows. */
		if (!(w = scatter_new(&s, put, &m, &e)))
			goto out;
		memset(got, 0, n);
		for (int t = 0; t < tensors; t++) {
			uint64_t rows = run ? (n - s.prefix) / run : 0;
			uint64_t from = t == 0 ? 0 : s.prefix + rows * (uint64_t)t / (uint64_t)tensors * run;
			uint64_t to = t + 1 == tensors ? n :
			    s.prefix + rows * (uint64_t)(t + 1) / (uint64_t)tensors * run;

			scatter_seek(w, from);
			for (at = from; at < to; ) {
				size_t k = 1 + (size_t)rnd(rnd(3) ? 100000 : 3000000);

				k = k < to - at ? k : (size_t)(to - at);
				if (scatter_write(w, in + at, k, &e) < 0) {
					scatter_free(w);
					fail(&s, "scatter", &e);
					goto out;
				}
				at += k;
			}
			if (scatter_flush(w, &e) < 0)
				goto out;
		}
		scatter_free(w);
		if (memcmp(got, want, n)) {
			fail(&s, "scatter", NULL);
			goto out;
		}
	}
	m = (struct mem){ want, got, n, 0 };
	if (shuffle_gather(&back, 0, n, get, emit, &m, &e) < 0 || memcmp(got, in, n)) {
		fail(&s, "back", NULL);
		goto out;
	}
	r = 0;
out:
	free(in);
	free(want);
	free(got);
	return r;
}

int
main(void)
{
	/* Small and whole; longer than what is held at once in each way. */
	static const struct shuffle some[] = {
		{ 0, 0, 0, 2, 2, 4 }, { 0, 5, 1, 1, 7, 3 }, { 0, 0, 9, 2, 16, 64 },
		{ 0, 1000, 1, 4, 2, 4096 }, { 0, 0, 1, 700, 900, 4 },
		{ 0, 0, 1, 1600, 800, 4 }, { 0, 0, 3, 640, 1000, 4 },
		{ 0, 0, 1, 3, 2, 3000000 }, { 0, 64, 2, 2, 3, 700001 },
		{ 0, 0, 5000, 4, 2, 64 }, { 0, 0, 1, 2, 600000, 4 }, { 0, 0, 1, 600000, 2, 4 },
		{ 0, 3000000, 1, 2, 2, 1000 },
	};
	int bad = 0;

	for (size_t i = 0; i < sizeof some / sizeof *some; i++)
		bad |= check(some[i]);
	for (int i = 0; i < 200; i++)
		bad |= check((struct shuffle){ 0, rnd(3) ? 0 : rnd(5000), rnd(6), 1 + rnd(20),
		    1 + rnd(20), 1 + rnd(rnd(10) ? 40 : 4000) });
	if (bad == 0)
		puts("shuffle: all in their places");
	return bad != 0;
}
