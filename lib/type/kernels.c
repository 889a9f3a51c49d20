/* SPDX-License-Identifier: MIT */
/*
 * kernels.c -- a type's fastest code: the only file here that knows of
 * kernels, so that the reference can be built without them.
 */
#include <math.h>

#include "apr/kernel.h"
#include "block.h"
#include "high.h"

/* -1: no kernel can be for it. */
static int
slot(const struct type *t)
{
	return t->ggml >= 0 && t->ggml < KERNEL_APR_Q4 ? t->ggml :
	    t == &type_apr_q4 ? KERNEL_APR_Q4 :
	    t == &type_f8_e4m3 ? KERNEL_F8_E4M3 :
	    t == &type_f8_e5m2 ? KERNEL_F8_E5M2 : -1;
}

type_decode *
type_decoder(const struct type *t)
{
	int i = slot(t);

	return i >= 0 && kernels()->to_f32[i] ? kernels()->to_f32[i] : t->to_f32;
}

type_encode *
type_encoder(const struct type *t, enum effort effort)
{
	int i = slot(t);

	if (effort == EFFORT_HIGH)
		high_use(kernels());
	/* Where nothing is to be searched for, all efforts are one. */
	if (effort != EFFORT_REFERENCE && !(t->flags & TYPE_PLAIN) &&
	    !(effort == EFFORT_APR && t == &type_apr_q4))
		return t->effort[effort];
	return i >= 0 && kernels()->from_f32[i] ? kernels()->from_f32[i] : t->from_f32;
}

type_q8_encode *
type_q8_encoder(void)
{
	return kernels()->q8_from_f32 ? kernels()->q8_from_f32 : type_q8_from_f32;
}

type_q8_decode *
type_q8_decoder(void)
{
	return kernels()->q8_to_f32 ? kernels()->q8_to_f32 : type_q8_to_f32;
}

float
type_absmax(const float *x, size_t n)
{
	uint32_t u, most = 0;

	if (kernels()->absmax)
		return kernels()->absmax(x, n);
	/* Bits order as magnitudes do, NaN last. */
	for (size_t i = 0; i < n; i++) {
		u = f32_bits(x[i]) & 0x7fffffff;
		most = u > most ? u : most;
	}
	return bits_f32(most);
}

static void
errors(const float *x, const float *y, size_t n, struct kernel_errors *e)
{
	*e = (struct kernel_errors){ { 0 }, { 0 }, { 0 }, { 0 } };
	for (size_t i = 0; i < n; i++) {
		double a = (double)x[i], b = (double)y[i], d = a - b;
		size_t l = i % KERNEL_ERROR_LANES;

		e->xx[l] += a * a;
		e->yy[l] += b * b;
		e->dd[l] += d * d;
		d = fabs(d);
		e->max[l] = d > e->max[l] ? d : e->max[l];
	}
}

static double
tree(const double *v)
{
	return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

struct type_errors
type_errors(const float *x, const float *y, size_t n)
{
	struct type_errors r;
	struct kernel_errors e;

	(kernels()->errors ? kernels()->errors : errors)(x, y, n, &e);
	r = (struct type_errors){ tree(e.xx), tree(e.yy), tree(e.dd), 0 };
	for (size_t l = 0; l < KERNEL_ERROR_LANES; l++)
		r.max = e.max[l] > r.max ? e.max[l] : r.max;
	return r;
}
