/* SPDX-License-Identifier: MIT */
/* stat.c -- sums over values, and what they mean. */
#include <math.h>
#include <string.h>

#include <apr/float.h>

#include "stat.h"

enum { LANES = 8 };

static double
tree(const double *v)
{
	return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

struct lanes {
	double	d[LANES], dd[LANES], xx[LANES];
	float	min[LANES], max[LANES];
	int32_t	zero[LANES];
};

static inline void
one(struct lanes *l, float x, double pivot, size_t k)
{
	double v = (double)x, w = v - pivot;

	l->d[k] += w;
	l->dd[k] += w * w;
	l->xx[k] += v * v;
	l->min[k] = x < l->min[k] ? x : l->min[k];
	l->max[k] = x > l->max[k] ? x : l->max[k];
	l->zero[k] += x == 0;
}

/* Finite values, else *finite is false and nothing was added. */
static double
sums(struct stat_sums *s, const float *x, size_t n, bool *finite)
{
	struct lanes l;
	double dd, d;

	memset(&l, 0, sizeof l);
	for (size_t k = 0; k < LANES; k++) {
		l.min[k] = INFINITY;
		l.max[k] = -INFINITY;
	}
	for (size_t i = 0; i + LANES <= n; i += LANES)
		for (size_t k = 0; k < LANES; k++)
			one(&l, x[i + k], s->pivot, k);
	for (size_t i = n - n % LANES; i < n; i++)
		one(&l, x[i], s->pivot, i % LANES);
	d = tree(l.d);
	dd = tree(l.dd);
	if (!(*finite = isfinite(dd)))
		return 0;
	exact_add(&s->d, d);
	exact_add(&s->dd, dd);
	exact_add(&s->xx, tree(l.xx));
	for (size_t k = 0; k < LANES; k++) {
		s->min = l.min[k] < s->min ? l.min[k] : s->min;
		s->max = l.max[k] > s->max ? l.max[k] : s->max;
		s->zero += (uint64_t)l.zero[k];
	}
	return d;
}

void
stat_begin(struct stat_sums *s, double pivot)
{
	memset(s, 0, sizeof *s);
	s->pivot = pivot;
	s->min = INFINITY;
	s->max = -INFINITY;
}

double
stat_add(struct stat_sums *s, const float *x, size_t n)
{
	float some[STAT_TILE];
	size_t k = 0;
	bool finite;
	double d = sums(s, x, n, &finite);

	s->n += n;
	if (finite)
		return d;
	for (size_t i = 0; i < n; i++)
		if (isnan(x[i]))
			s->nan++;
		else if (isinf(x[i]))
			s->inf++;
		else
			some[k++] = x[i];
	return sums(s, some, k, &finite);
}

void
stat_row(struct stat_sums *s, double d, uint64_t cols)
{
	exact_add(&s->row, fabs(d / (double)cols + s->pivot));
	s->rows++;
}

void
stat_merge(struct stat_sums *s, const struct stat_sums *o)
{
	s->n += o->n;
	s->nan += o->nan;
	s->inf += o->inf;
	s->zero += o->zero;
	s->rows += o->rows;
	exact_merge(&s->d, &o->d);
	exact_merge(&s->dd, &o->dd);
	exact_merge(&s->xx, &o->xx);
	exact_merge(&s->row, &o->row);
	s->min = o->min < s->min ? o->min : s->min;
	s->max = o->max > s->max ? o->max : s->max;
}

struct stat_values
stat_values(const struct stat_sums *s)
{
	double n = (double)(s->n - s->nan - s->inf), off = exact_value(&s->d) / n;
	double var = exact_value(&s->dd) / n - off * off, most;
	struct stat_values v = { NAN, NAN, NAN, NAN, 0, NAN, 0 };

	if (s->n > 0)
		v.zeros = (double)s->zero / (double)s->n;
	if (n <= 0)
		return v;
	v.mean = s->pivot + off;
	v.std = var > 0 ? sqrt(var) : 0;
	v.min = (double)s->min;
	v.max = (double)s->max;
	v.l2 = sqrt(exact_value(&s->xx));
	most = fmax(fabs(v.min), fabs(v.max));
	v.row_mean = s->rows == 0 || most == 0 ? 0 :
	    exact_value(&s->row) / (double)s->rows / most;
	return v;
}

/* The values with these upper 16 bits, in their order: -0 is 0. */
static double
lower_edge(unsigned rank)
{
	uint16_t h = (uint16_t)(rank < 0x8000 ? 0xffff - rank : rank - 0x8000);

	return (double)bits_f32((uint32_t)h << 16);
}

void
stat_bins(const uint64_t *hist, double lo, double hi, unsigned bins, double *edge,
    uint64_t *count)
{
	unsigned k = 0;

	memset(count, 0, bins * sizeof *count);
	for (unsigned i = 0; i <= bins; i++) {
		double v = i == 0 ? lo : i == bins ? hi : lo + (hi - lo) * i / bins;
		uint32_t u = f32_bits((float)v);

		/* The ends are the data's own.  A count's values lie away from
		 * zero, so below zero their edge is the next one. */
		u &= 0xffff0000;
		edge[i] = i == 0 || i == bins ? v : (double)bits_f32(v < 0 ? u + 0x10000 : u);
	}
	for (unsigned rank = 0; rank < STAT_BINS; rank++) {
		uint16_t h = (uint16_t)(rank < 0x8000 ? 0xffff - rank : rank - 0x8000);
		double v = lower_edge(rank);

		if (hist[h] == 0 || !isfinite(v))
			continue;
		while (k + 1 < bins && (v > edge[k + 1] || (v >= edge[k + 1] && v >= 0)))
			k++;
		count[k] += hist[h];
	}
}
