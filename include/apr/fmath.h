/* SPDX-License-Identifier: MIT */
/*
 * fmath.h -- the functions of a forward pass, in float, from exactly rounded
 * operations alone: so that every compiler, CPU and GPU gives the same bits.
 * Kernels repeat these lines in their own vectors; the header is C, OpenCL C
 * and CUDA as it stands, once FM_FN, FM_FMA and the casts of bits are given.
 */
#ifndef APR_FMATH_H
#define APR_FMATH_H

#ifndef FM_FN
# include <math.h>
# include <stdint.h>
# include <string.h>
# define FM_FN static inline
# define FM_FMA fmaf
# define FM_SQRT sqrtf

static inline float
fm_from_bits(int32_t i)
{
	float f;

	memcpy(&f, &i, sizeof f);
	return f;
}

static inline int32_t
fm_bits(float f)
{
	int32_t i;

	memcpy(&i, &f, sizeof i);
	return i;
}
#endif

/*
 * e^x to about 1 ulp: x = n ln 2 + r, a polynomial in r (the Taylor series
 * to r^7: its rest is below 2^-27 for |r| <= 0.35), times 2^n.  Below -87 it is 0 (no
 * denormals, so that a device that flushes them agrees), above 88 infinite;
 * NaN stays.
 */
FM_FN float
fm_exp(float x)
{
	float n, r, p;

	if (!(x >= -87.0f))
		return x < -87.0f ? 0.0f : x;
	if (x > 88.0f)
		return fm_from_bits(0x7f800000);
	n = FM_FMA(x, 0x1.715476p+0f, 12582912.0f) - 12582912.0f;
	r = FM_FMA(n, -0x1.62e4p-1f, x);		/* ln 2 in two parts, the */
	r = FM_FMA(n, -0x1.7f7d1cp-20f, r);		/* first short: n of it is exact */
	p = 0x1.a01a02p-13f;
	p = FM_FMA(p, r, 0x1.6c16c2p-10f);
	p = FM_FMA(p, r, 0x1.111112p-7f);
	p = FM_FMA(p, r, 0x1.555556p-5f);
	p = FM_FMA(p, r, 0x1.555556p-3f);
	p = FM_FMA(p, r, 0.5f);
	p = FM_FMA(p, r, 1.0f);
	p = FM_FMA(p, r, 1.0f);
	return p * fm_from_bits(((int32_t)n + 127) << 23);
}

/* ln(x) for normal x > 0: x = 2^n m, m in [sqrt(1/2), sqrt(2)), and the
 * series of 2 atanh((m - 1) / (m + 1)). */
FM_FN float
fm_log(float x)
{
	int32_t u = fm_bits(x) - 0x3f3504f3;
	float n = (float)(u >> 23), m, s, z, p;

	m = fm_from_bits((u & 0x7fffff) + 0x3f3504f3);
	s = (m - 1.0f) / (m + 1.0f);
	z = s * s;
	p = 0x1.c71c72p-4f;
	p = FM_FMA(p, z, 0x1.24924ap-3f);
	p = FM_FMA(p, z, 0x1.99999ap-3f);
	p = FM_FMA(p, z, 0x1.555556p-2f);
	p = FM_FMA(s * z, 2.0f * p, 2.0f * s);
	return FM_FMA(n, 0x1.62e430p-1f, FM_FMA(n, -0x1.05c610p-29f, p));
}

FM_FN float
fm_sigmoid(float x)
{
	return 1.0f / (1.0f + fm_exp(-x));
}

FM_FN float
fm_silu(float x)
{
	return x / (1.0f + fm_exp(-x));
}

/* 2 sigmoid(2 x) - 1, small x by its series, which cancels nothing. */
FM_FN float
fm_tanh(float x)
{
	float z = x * x, p;

	if (z < 0.0625f) {
		p = -0x1.ba1ba2p-5f + z * 0x1.664f48p-6f;	/* -17/315, 62/2835 */
		p = FM_FMA(p, z, 0x1.111112p-3f);
		p = FM_FMA(p, z, -0x1.555556p-2f);
		return FM_FMA(x * z, p, x);
	}
	return 1.0f - 2.0f / (1.0f + fm_exp(2.0f * x));
}

/* GELU, tanh form: x/2 (1 + tanh u) = x sigmoid(2 u). */
FM_FN float
fm_gelu(float x)
{
	float u = 0x1.988454p-1f * FM_FMA(0x1.6e4e26p-5f * x * x, x, x);

	return x / (1.0f + fm_exp(-2.0f * u));
}

/* ln(1 + e^x); from 20 on it is x, as torch has it. */
FM_FN float
fm_softplus(float x)
{
	float e, u;

	if (x > 20.0f)
		return x;
	e = fm_exp(x);
	u = 1.0f + e;
	/* What rounding 1 + e lost comes back to first order. */
	return u == 1.0f ? e : fm_log(u) + (e - (u - 1.0f)) / u;
}

#endif
