/* SPDX-License-Identifier: MIT */
/* check.c -- what a quantizer must not pass over in silence. */
#include <inttypes.h>
#include <math.h>

#include <apr/size.h>

#include "convert.h"

static int
bad_value(struct job *j, float v, uint64_t at)
{
	const struct tensor *t = j->t;
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1;

	j->failed = true;
	if (isfinite(v))
		return err_set(&j->err, "%s: %g at index %" PRIu64 " (row %" PRIu64
		    ", column %" PRIu64 ") does not fit %s", t->name, (double)v, at,
		    at / cols, at % cols, j->to->name);
	return err_set(&j->err, "%s: %s at index %" PRIu64 " (row %" PRIu64 ", column %"
	    PRIu64 ")", t->name, isnan(v) ? "NaN" : v > 0 ? "Inf" : "-Inf", at, at / cols,
	    at % cols);
}

/* Plain floats carry NaN and Inf on; nothing else can. */
int
check_values(struct job *j, const float *x, size_t n, uint64_t at)
{
	bool f16 = j->to == &type_f16;
	float max = j->max, most;

	if (!f16 && j->to && (j->to->flags & TYPE_PLAIN))
		return 0;
	most = type_absmax(x, n);
	if (most < (f16 ? 65520 : INFINITY)) {
		j->max = most > max ? most : max;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		float a = fabsf(x[i]);

		if (f16 ? a >= 65520 && a < INFINITY : !(a < INFINITY))
			return bad_value(j, x[i], at + i);
		if (a > max)
			max = a;
	}
	j->max = max;
	return 0;
}

static bool
is_tiny(const unsigned char *half)
{
	return (le16_get(half) & 0x7c00) == 0;
}

uint64_t
check_tiny(const struct type *t, const unsigned char *p, const float *x, size_t n)
{
	uint64_t count = 0;
	size_t d, min = 0;

	switch (t->ggml) {
	case 10: d = 80; min = 82; break;		/* Q2_K */
	case 11: d = 108; break;			/* Q3_K */
	case 12: case 13: d = 0; min = 2; break;	/* Q4_K, Q5_K */
	case 14: d = 208; break;			/* Q6_K */
	case 16: case 17: case 18: case 19: case 21: case 22: case 23:
		d = 0;					/* IQ, but IQ1_M */
		break;
	default: return 0;
	}
	for (; n > 0; n -= t->block, p += t->bytes, x += t->block) {
		if (!is_tiny(p + d))
			continue;
		/* A scale of exactly 0 is right where all values are equal. */
		if (min && !(le16_get(p + d) & 0x7fff) && !is_tiny(p + min))
			continue;
		for (size_t i = 0; i < t->block; i++)
			if (x[i] != 0) {
				count++;
				break;
			}
	}
	return count;
}

uint64_t
check_misread(const struct job *j, const float *x, size_t n)
{
	uint64_t count = 0;

	if (j->to->ggml != 21 || j->encode == j->to->effort[EFFORT_HIGH])
		return 0;
	for (; n > 0; n -= 256, x += 256)
		for (size_t run = 0, zeros = 0, i; run < 8; run++) {
			for (i = 0; i < 32 && x[32 * run + i] == 0; i++)
				;
			if (i < 32 && zeros) {
				count++;
				break;
			}
			zeros += i == 32;
		}
	return count;
}

int
check_fit(struct job *j, const float *x, const float *y, size_t n, uint64_t at)
{
	size_t k;

	for (size_t i = 0; i < n; i++)
		if (!isfinite(y[i])) {
			/* Its block's largest is to blame. */
			i -= i % j->to->block;
			for (k = i; i < n && i / j->to->block == k / j->to->block; i++)
				if (fabsf(x[i]) > fabsf(x[k]))
					k = i;
			return bad_value(j, x[k], at + k);
		}
	return 0;
}
