/* SPDX-License-Identifier: MIT */
/* exact.c -- a superaccumulator: limbs of 32 bits in words of 64, so that
 * many additions go before carries must be passed on. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <apr/exact.h>

#define MANY	(1u << 28)	/* each adds less than 2^33 to a limb */

/* Limbs into [0, 2^32), but for the last, which has the sign. */
static void
carry(struct exact *x)
{
	int64_t c = 0;

	for (size_t i = 0; i + 1 < EXACT_LIMBS; i++) {
		int64_t v = x->limb[i] + c;
		int64_t low = (int64_t)((uint64_t)v & 0xffffffff);

		x->limb[i] = low;
		c = (v - low) / ((int64_t)1 << 32);
	}
	x->limb[EXACT_LIMBS - 1] += c;
	x->pending = 0;
}

void
exact_add(struct exact *x, double v)
{
	uint64_t bits, m;
	unsigned e, at, by;
	int64_t sign;

	memcpy(&bits, &v, sizeof bits);
	e = (unsigned)(bits >> 52) & 0x7ff;
	m = bits & (((uint64_t)1 << 52) - 1);
	if (e > 0)
		m |= (uint64_t)1 << 52;
	else
		e = 1;
	if (m == 0)
		return;
	/* v = m 2^(e - 1075): bit 0 of m is bit e - 1 of the sum. */
	at = (e - 1) / 32;
	by = (e - 1) % 32;
	sign = bits >> 63 ? -1 : 1;
	x->limb[at] += sign * (int64_t)((m & 0xffffffff) << by & 0xffffffff);
	x->limb[at + 1] += sign * (int64_t)(((m & 0xffffffff) << by >> 32) +
	    ((m >> 32) << by & 0xffffffff));
	x->limb[at + 2] += sign * (int64_t)((m >> 32) << by >> 32);
	if (++x->pending == MANY)
		carry(x);
}

void
exact_merge(struct exact *x, const struct exact *y)
{
	struct exact c = *y;

	carry(&c);
	for (size_t i = 0; i < EXACT_LIMBS; i++)
		x->limb[i] += c.limb[i];
	if (++x->pending == MANY)
		carry(x);
}

double
exact_value(const struct exact *sum)
{
	struct exact x = *sum;
	bool negative;
	uint64_t top, rest = 0;
	size_t i;
	unsigned z = 0;
	double v;

	carry(&x);
	negative = x.limb[EXACT_LIMBS - 1] < 0;
	if (negative) {
		for (i = 0; i < EXACT_LIMBS; i++)
			x.limb[i] = -x.limb[i];
		carry(&x);
	}
	for (i = EXACT_LIMBS; i-- > 0 && x.limb[i] == 0; )
		;
	if (i == SIZE_MAX)
		return 0;
	if (i < 2)	/* below 2^-1010: all bits of it fit */
		return ldexp((double)(x.limb[1] * ((int64_t)1 << 31) * 2 + x.limb[0]),
		    -1074) * (negative ? -1 : 1);
	/* 64 bits from the first that is set; what is below only says whether
	 * a tie is one. */
	while (!((uint64_t)x.limb[i] << z & 0x80000000))
		z++;
	top = ((uint64_t)x.limb[i] << 32 | (uint64_t)x.limb[i - 1]) << z |
	    (uint64_t)x.limb[i - 2] >> (32 - z);
	rest = (uint64_t)x.limb[i - 2] << z & 0xffffffff;
	for (size_t k = 0; k + 2 < i; k++)
		rest |= (uint64_t)x.limb[k];
	v = ldexp((double)(top | (rest != 0)), (int)(32 * (i - 1)) - (int)z - 1074);
	return negative ? -v : v;
}
