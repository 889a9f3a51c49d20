/* SPDX-License-Identifier: MIT */
/*
 * value.c -- the few values that are stored differently: norms less 1, decay
 * as a logarithm.  exp and log are our own, in plain double arithmetic, so
 * that no C library and no processor changes a digit.
 */
#include <math.h>
#include <string.h>

#include "arch.h"

#define LN2_HI	0x1.62e42fee00000p-1
#define LN2_LO	0x1.a39ef35793c76p-33

double
arch_exp(double x)
{
	double k, r, sum = 1;

	if (!(x > -750))
		return x < 0 ? 0 : x;
	if (x > 710)
		return INFINITY;
	k = floor(x * 0x1.71547652b82fep0 + 0.5);
	r = x - k * LN2_HI - k * LN2_LO;
	for (int i = 14; i > 0; i--)
		sum = 1 + r / i * sum;
	return ldexp(sum, (int)k);
}

double
arch_log(double x)
{
	double m, s, s2, sum = 0;
	int k;

	if (!(x > 0))
		return x == 0 ? -INFINITY : (double)NAN;
	if (x > 0x1.fffffffffffffp1023)
		return x;
	m = frexp(x, &k);
	if (m < 0x1.6a09e667f3bcdp-1) {
		m *= 2;
		k--;
	}
	s = (m - 1) / (m + 1);
	s2 = s * s;
	for (int i = 27; i > 0; i -= 2)
		sum = sum * s2 + 1.0 / i;
	return k * LN2_HI + (k * LN2_LO + 2 * s * sum);
}

/* The number whose exponential, rounded, is y: a short one if there is one,
 * as it will have been before. */
static float
log_of(float y)
{
	double l = arch_log((double)y);
	float near = (float)l, try[2] = {
		type_bf16_to(type_bf16_from(near)), type_f16_to(type_f16_from(near)),
	};

	for (int i = 0; i < 2; i++)
		if ((float)arch_exp((double)try[i]) == y)
			return try[i];
	for (float up = near, down = near; up - near <= 8 * (nextafterf(near, INFINITY) - near);
	    up = nextafterf(up, INFINITY), down = nextafterf(down, -INFINITY)) {
		if ((float)arch_exp((double)up) == y)
			return up;
		if ((float)arch_exp((double)down) == y)
			return down;
	}
	return near;
}

static float
change(enum arch_value v, float x)
{
	switch (v) {
	case VALUE_PLUS_1:
		return x + 1;
	case VALUE_MINUS_1:
		return x - 1;
	case VALUE_NEG_EXP:
		return (float)-arch_exp((double)x);
	case VALUE_LOG_NEG:
		return log_of(-x);
	default:
		return x;
	}
}

void
arch_values(const struct arch_group *g, void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;
	float x[256];

	while (n > 0) {
		size_t k = n < 256 ? n : 256;

		g->from->to_f32(x, s, k);
		for (size_t i = 0; g->value != VALUE_SAME && i < k; i++) {
			x[i] = change(g->value, x[i]);
			/* Checkpoints in F16 are computed with in F16. */
			if (g->from == &type_f16)
				x[i] = type_f16_to(type_f16_from(x[i]));
		}
		g->to->from_f32(d, x, k, NULL);
		d += k * g->to->bytes;
		s += k * g->from->bytes;
		n -= k;
	}
}
