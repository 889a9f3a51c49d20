/* SPDX-License-Identifier: MIT */
/*
 * errors.c -- sums of squares and of squared differences, in F64.
 *
 * Eight sums of every eighth value, then a tree: that is the order, whatever
 * the width of a register is.
 */
#include <math.h>
#include <string.h>

#include "simd.h"
#include "vec.h"

enum { LANES = KERNEL_ERROR_LANES, V = LANES / VD };

void
KERNEL(errors)(const float *x, const float *y, size_t n, struct kernel_errors *e)
{
	vd xx[V], yy[V], dd[V], max[V];
	size_t i = 0;

	memset(xx, 0, sizeof xx);
	memset(yy, 0, sizeof yy);
	memset(dd, 0, sizeof dd);
	memset(max, 0, sizeof max);
	for (; i + LANES <= n; i += LANES)
		UNROLL
		for (size_t k = 0; k < V; k++) {
			vd a = vd_load_f32(x + i + k * VD), b = vd_load_f32(y + i + k * VD);
			vd d = a - b;

			xx[k] += a * a;
			yy[k] += b * b;
			dd[k] += d * d;
			max[k] = vd_max_abs(max[k], d);
		}
	memcpy(e->xx, xx, sizeof xx);
	memcpy(e->yy, yy, sizeof yy);
	memcpy(e->dd, dd, sizeof dd);
	memcpy(e->max, max, sizeof max);
	for (size_t l = 0; i < n; i++, l++) {
		double a = (double)x[i], b = (double)y[i], d = a - b;

		e->xx[l] += a * a;
		e->yy[l] += b * b;
		e->dd[l] += d * d;
		d = fabs(d);
		e->max[l] = d > e->max[l] ? d : e->max[l];
	}
}
