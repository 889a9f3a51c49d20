/* SPDX-License-Identifier: MIT */
/* sums.c -- how far values are apart. */
#include <math.h>
#include <string.h>

#include <apr/diff.h>

#define LANES	8

typedef double lanes __attribute__((__vector_size__(LANES * sizeof(double))));
typedef int64_t masks __attribute__((__vector_size__(LANES * sizeof(int64_t))));

/* A tile's sums: element i in lane i % 8, lanes as a tree. */
struct tile {
	double		 aa, bb, ab, dd, max;
	uint64_t	 equal;
};

static double
tree(const lanes *v)
{
	return (((*v)[0] + (*v)[4]) + ((*v)[2] + (*v)[6])) +
	    (((*v)[1] + (*v)[5]) + ((*v)[3] + (*v)[7]));
}

static void
add_f64(const double *a, const double *b, size_t n, struct tile *t)
{
	lanes aa = { 0 }, bb = { 0 }, ab = { 0 }, dd = { 0 }, max = { 0 };
	masks equal = { 0 };
	size_t i = 0;

	for (; i < n; i += LANES) {
		lanes x = { 0 }, y = { 0 }, d;
		masks m;

		memcpy(&x, a + i, (n - i < LANES ? n - i : LANES) * sizeof *a);
		memcpy(&y, b + i, (n - i < LANES ? n - i : LANES) * sizeof *b);
		d = x - y;
		aa += x * x;
		bb += y * y;
		ab += x * y;
		dd += d * d;
		equal -= (masks)(x == y);
		d = (lanes)((masks)d & INT64_MAX);
		m = (masks)(d > max);
		max = (lanes)(((masks)d & m) | ((masks)max & ~m));
	}
	*t = (struct tile){ tree(&aa), tree(&bb), tree(&ab), tree(&dd), 0, 0 };
	for (size_t l = 0; l < LANES; l++) {
		t->max = max[l] > t->max ? max[l] : t->max;
		t->equal += (uint64_t)equal[l];
	}
	t->equal -= i - n;	/* what was filled up with zeros */
}

/* What type_errors() leaves to do, in the same order. */
static double
products(const float *a, const float *b, size_t n)
{
	lanes sum = { 0 };
	size_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		lanes p;

		for (size_t l = 0; l < LANES; l++)
			p[l] = (double)a[i + l] * (double)b[i + l];
		sum += p;
	}
	for (size_t l = 0; i + l < n; l++)
		sum[l] += (double)a[i + l] * (double)b[i + l];
	return tree(&sum);
}

static uint64_t
equals(const float *a, const float *b, size_t n)
{
	uint32_t some = 0;	/* a tile has fewer */

	for (size_t i = 0; i < n; i++)
		some += a[i] == b[i];
	return some;
}

/* Tiles in which something is not finite: an element at a time, with what
 * does not count replaced by equal zeros. */
static void
judge(struct diff_sums *s, double *a, double *b, size_t n, uint64_t at, uint64_t *zeros)
{
	*zeros = 0;
	for (size_t i = 0; i < n; i++) {
		double x = a[i], y = b[i];

		if (isfinite(x) && isfinite(y))
			continue;
		s->nan[0] += isnan(x) != 0;
		s->nan[1] += isnan(y) != 0;
		s->inf[0] += isinf(x) != 0;
		s->inf[1] += isinf(y) != 0;
		a[i] = b[i] = 0;
		++*zeros;
		if ((isnan(x) && isnan(y)) || x == y) {
			s->equal++;
		} else if (s->odd++ == 0 || at + i < s->odd_at) {
			s->odd_at = at + i;
		}
	}
}

static void
add_tile(struct diff_sums *s, const struct tile *t)
{
	exact_add(&s->aa, t->aa);
	exact_add(&s->bb, t->bb);
	exact_add(&s->ab, t->ab);
	exact_add(&s->dd, t->dd);
}

static bool
farther(const struct diff_sums *s, const struct tile *t, uint64_t at)
{
	return t->max > s->max || (t->max == s->max && t->max > 0 && at < s->max_at);
}

static void
add(struct diff_sums *s, const double *a, const double *b, size_t n, uint64_t at)
{
	double x[DIFF_TILE], y[DIFF_TILE];
	uint64_t zeros = 0;
	struct tile t;

	add_f64(a, b, n, &t);
	if (!isfinite(t.aa) || !isfinite(t.bb)) {
		memcpy(x, a, n * sizeof *a);
		memcpy(y, b, n * sizeof *b);
		judge(s, x, y, n, at, &zeros);
		a = x;
		b = y;
		add_f64(a, b, n, &t);
	}
	s->n += n;
	s->equal += t.equal - zeros;
	s->skipped += zeros;
	if (!isfinite(t.aa) || !isfinite(t.bb) || !isfinite(t.dd)) {
		/* F64 whose squares are too large: equal or not is all. */
		s->skipped += n - zeros;
		if (t.equal < n && (s->odd == 0 || at < s->odd_at))
			s->odd_at = at;
		s->odd += n - t.equal;
		return;
	}
	add_tile(s, &t);
	for (size_t i = 0; farther(s, &t, at) && i < n; i++)
		if (fabs(a[i] - b[i]) == t.max) {
			s->max = t.max;
			s->max_at = at + i;
			break;
		}
}

void
diff_add_f64(struct diff_sums *s, const double *a, const double *b, size_t n, uint64_t at)
{
	for (size_t i = 0, k; i < n; i += k) {
		k = n - i < DIFF_TILE ? n - i : DIFF_TILE;
		add(s, a + i, b + i, k, at + i);
	}
}

static void
widen(struct diff_sums *s, const float *a, const float *b, size_t n, uint64_t at)
{
	double x[DIFF_TILE], y[DIFF_TILE];

	for (size_t i = 0; i < n; i++) {
		x[i] = (double)a[i];
		y[i] = (double)b[i];
	}
	add(s, x, y, n, at);
}

void
diff_add(struct diff_sums *s, const float *a, const float *b, size_t n, uint64_t at)
{
	for (size_t k; n > 0; a += k, b += k, at += k, n -= k) {
		struct type_errors e;
		struct tile t;

		k = n < DIFF_TILE ? n : DIFF_TILE;
		e = type_errors(a, b, k);
		if (!isfinite(e.xx) || !isfinite(e.yy)) {
			widen(s, a, b, k, at);
			continue;
		}
		t = (struct tile){ e.xx, e.yy, e.xx, e.dd, e.max, k };
		if (e.max > 0) {
			t.ab = products(a, b, k);
			t.equal = equals(a, b, k);
		}
		add_tile(s, &t);
		s->n += k;
		s->equal += t.equal;
		for (size_t i = 0; farther(s, &t, at) && i < k; i++)
			if (fabs((double)a[i] - (double)b[i]) == t.max) {
				s->max = t.max;
				s->max_at = at + i;
				break;
			}
	}
}

void
diff_merge(struct diff_sums *s, const struct diff_sums *t)
{
	exact_merge(&s->aa, &t->aa);
	exact_merge(&s->bb, &t->bb);
	exact_merge(&s->ab, &t->ab);
	exact_merge(&s->dd, &t->dd);
	s->n += t->n;
	s->equal += t->equal;
	s->skipped += t->skipped;
	if (t->odd > 0 && (s->odd == 0 || t->odd_at < s->odd_at))
		s->odd_at = t->odd_at;
	s->odd += t->odd;
	for (int k = 0; k < 2; k++) {
		s->nan[k] += t->nan[k];
		s->inf[k] += t->inf[k];
	}
	if (t->max > s->max || (t->max == s->max && t->max_at < s->max_at)) {
		s->max = t->max;
		s->max_at = t->max_at;
	}
}

struct diff_error
diff_error_of(const struct diff_sums *s)
{
	double aa = exact_value(&s->aa), bb = exact_value(&s->bb), dd = exact_value(&s->dd);
	struct diff_error e = { .n = s->n, .skipped = s->skipped, .odd = s->odd,
	    .odd_at = s->odd_at, .nan = { s->nan[0], s->nan[1] }, .inf = { s->inf[0],
	    s->inf[1] }, .max = s->max, .max_at = s->max_at, .same = s->equal == s->n };

	e.rmse = s->n > s->skipped ? sqrt(dd / (double)(s->n - s->skipped)) : 0;
	e.nmse = dd == 0 ? 0 : dd / aa;
	e.cosine = dd == 0 ? 1 : aa == 0 || bb == 0 ? 0 :
	    exact_value(&s->ab) / (sqrt(aa) * sqrt(bb));
	e.sqnr = 10 * log10(aa / dd);
	e.equal = s->n ? (double)s->equal / (double)s->n : 1;
	return e;
}
