/* SPDX-License-Identifier: MIT */
/* error.c -- how far the new values are from the old ones. */
#include <math.h>

#include <apr/quant.h>

struct quant_error
quant_error_of(const float *x, const float *y, size_t n)
{
	struct type_errors e = type_errors(x, y, n);

	return (struct quant_error){ .n = n, .xx = e.xx, .yy = e.yy, .dd = e.dd,
	    .max = e.max };
}

void
quant_error_add(struct quant_error *all, const struct quant_error *u)
{
	all->n += u->n;
	all->xx += u->xx;
	all->yy += u->yy;
	all->dd += u->dd;
	all->tiny += u->tiny;
	all->misread += u->misread;
	all->max = u->max > all->max ? u->max : all->max;
}

double
quant_nmse(const struct quant_error *q)
{
	return q->dd == 0 ? 0 : q->dd / q->xx;
}

double
quant_cosine(const struct quant_error *q)
{
	/* The products' sum is half of what the squares' sums differ by. */
	return (q->xx + q->yy - q->dd) / 2 / (sqrt(q->xx) * sqrt(q->yy));
}
