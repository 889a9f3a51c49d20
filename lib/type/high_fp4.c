/* SPDX-License-Identifier: MIT */
/*
 * high_fp4.c -- a better block of MXFP4 and NVFP4: of the few scales that
 * there are near the reference's the best.
 */
#include "block.h"
#include "efforts.h"
#include "high.h"

/* E2M1, doubled as the scales are halved; -0 is not used. */
static const float values[15] = { -12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12 };
static const uint8_t codes[15] = { 15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7 };

static void
improve(const struct high *h, struct parts *b, const float *x, const float *w)
{
	int best, code, first, g, lane;
	struct trials t;

	memset(t.min, 0, sizeof t.min);
	for (g = 0; g < h->groups; g++, x += h->len, w += h->len) {
		first = b->scale[g] - 10;
		for (lane = 0; lane < KERNEL_TRIALS; lane++) {
			code = clamp(first + lane, h->scale_low, h->scale_high);
			t.scale[lane] = h->scale_of((uint8_t)code);
		}
		high_try(&h->levels, h->len, x, w, &t);
		best = high_best(&t);
		if (best >= 0)
			b->scale[g] = (int16_t)clamp(first + best, h->scale_low, h->scale_high);
		high_codes(h, h->scale_of((uint8_t)b->scale[g]), 0, h->len, x,
		    b->code + g * h->len);
	}
}

#define HIGH(the_type, ...)								\
	static const struct high the_type = {						\
		.type = &type_##the_type, .get = the_type##_get, .put = the_type##_put,	\
		.levels = { 0, 14, values }, .code = codes, .scale_of = the_type##_scale,	\
		.weights = { PLAIN_ONE, false, false, 1, 16 }, .improve = improve,	\
		__VA_ARGS__								\
	};										\
	void										\
	high_##the_type(void *dst, const float *x, size_t n, const float *qw)		\
	{										\
		high_encode(&the_type, dst, x, n, qw);					\
	}
HIGH(mxfp4, .groups = 1, .len = 32, .scale_high = 254)
HIGH(nvfp4, .groups = 4, .len = 16, .scale_high = 0x7e)
