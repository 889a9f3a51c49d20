/* SPDX-License-Identifier: MIT */
/* error.c -- how far the new values are from the old ones. */
#include <math.h>

#include <apr/quant.h>

enum { LANES = 8 };

/* One order of sums: element i goes to lane i % 8, lanes are added as a tree. */
static double
sum(const double *lane)
{
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
	    ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

struct quant_error
quant_error_of(const float *x, const float *y, size_t n)
{
	double xx[LANES] = { 0 }, yy[LANES] = { 0 }, dd[LANES] = { 0 };
	double xy[LANES] = { 0 }, max[LANES] = { 0 };
	struct quant_error u = { .n = n };
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (size_t l = 0; l < LANES; l++) {
			double a = (double)x[i + l], b = (double)y[i + l], d = a - b;

			xx[l] += a * a;
			yy[l] += b * b;
			xy[l] += a * b;
			dd[l] += d * d;
			d = fabs(d);
			max[l] = d > max[l] ? d : max[l];
		}
	for (size_t l = 0; i < n; i++, l++) {
		double a = (double)x[i], b = (double)y[i], d = a - b;

		xx[l] += a * a;
		yy[l] += b * b;
		xy[l] += a * b;
		dd[l] += d * d;
		d = fabs(d);
		max[l] = d > max[l] ? d : max[l];
	}
	u.xx = sum(xx);
	u.yy = sum(yy);
	u.xy = sum(xy);
	u.dd = sum(dd);
	for (size_t l = 0; l < LANES; l++)
		u.max = max[l] > u.max ? max[l] : u.max;
	return u;
}

void
quant_error_add(struct quant_error *all, const struct quant_error *u)
{
	all->n += u->n;
	all->xx += u->xx;
	all->yy += u->yy;
	all->xy += u->xy;
	all->dd += u->dd;
	all->tiny += u->tiny;
	all->max = u->max > all->max ? u->max : all->max;
}

double
quant_nmse(const struct quant_error *q)
{
	return q->dd == 0 ? 0 : q->dd / q->xx;
}
