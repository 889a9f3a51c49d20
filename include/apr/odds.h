/* SPDX-License-Identifier: MIT */
/*
 * odds.h -- probabilities as whole numbers, whose sums depend on no order: so
 * that every device draws the same token.  C, OpenCL C and CUDA as fmath.h is.
 *
 * A token's weight is e^-a in units of 2^-39, where a is how far its logit is
 * below the largest, over the temperature.  Up to 2^24 of them fit a uint64_t.
 * Tokens are in order of a rank, in which no two are the same: a key of 32
 * bits, and of equal ones the lower number.
 */
#ifndef APR_ODDS_H
#define APR_ODDS_H

#ifndef FM_FN
# include <apr/fmath.h>
#endif

/* e up to 1; what is no number weighs nothing. */
FM_FN uint64_t
odds_weight(float e)
{
	return e > 0.0f ? (uint64_t)(e * 0x1p39f) : 0;
}

/* w * a in units of 2^-34, where w is more than 0, so that a is below 32. */
FM_FN uint64_t
odds_times(uint64_t w, float a)
{
	uint64_t by = (uint64_t)(a * 0x1p27f);

	return (w >> 32) * by + ((w & 0xffffffff) * by >> 32);
}

/* The mean of a, from sums of odds_times() and of weights. */
FM_FN float
odds_mean(uint64_t times, uint64_t weights)
{
	return (float)times / (float)weights * 32.0f;
}

/* a * b / 2^64 */
FM_FN uint64_t
odds_high(uint64_t a, uint64_t b)
{
	uint64_t al = a & 0xffffffff, ah = a >> 32, bl = b & 0xffffffff, bh = b >> 32;
	uint64_t mid = ah * bl + (al * bl >> 32), low = al * bh + (mid & 0xffffffff);

	return ah * bh + (mid >> 32) + (low >> 32);
}

/* A probability below 1 as so many 2^-32. */
FM_FN uint32_t
odds_part(float p)
{
	return p > 0.0f ? (uint32_t)(p * 0x1p32f) : 0;
}

/* What a sum has to reach: so many 2^-32 of s, and something. */
FM_FN uint64_t
odds_share(uint64_t s, uint32_t p)
{
	uint64_t part = (s >> 32) * p + ((s & 0xffffffff) * p >> 32);

	return part > 0 ? part : 1;
}

/* Orders numbers as they are; 0 and -0 are the same, what is none is last. */
FM_FN uint32_t
odds_order(float x)
{
	uint32_t u = (uint32_t)fm_bits(x + 0.0f);

	return x != x ? 0 : u >> 31 ? ~u : u | 0x80000000;
}

FM_FN uint64_t
odds_rank(uint32_t key, uint32_t id)
{
	return (uint64_t)key << 24 | (0xffffff - id);
}

FM_FN uint32_t
odds_id(uint64_t rank)
{
	return 0xffffff - (uint32_t)(rank & 0xffffff);
}

/* The key of what is close to the surprise that is expected. */
FM_FN uint32_t
odds_close(float a, float mean)
{
	return ~((uint32_t)fm_bits(a - mean) & 0x7fffffff);
}

/* A logit as models say it: over scale, and bent to below cap. */
FM_FN float
odds_logit(float x, float scale, float cap)
{
	if (scale != 1.0f)
		x = x / scale;
	return cap != 0.0f ? cap * fm_tanh(x / cap) : x;
}

/* And with bias and penalties. */
FM_FN float
odds_adjust(float x, float add, uint32_t seen, uint32_t made, float repetition,
    float presence, float frequency)
{
	x = x + add;
	if (seen > 0)
		x = x > 0.0f ? x / repetition : x * repetition;
	return made > 0 ? x - (presence + frequency * (float)made) : x;
}

/* sum: of the weights of e^(x - top) */
FM_FN float
odds_logprob(float x, float top, uint64_t sum)
{
	return (x - top) - fm_log((float)sum * 0x1p-39f);
}

#endif
