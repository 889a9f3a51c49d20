/* SPDX-License-Identifier: MIT */
/*
 * values.cl -- a weight of TYPE as a float, to the bit what lib/type decodes.
 * FLAGS are dot.h's of the type, POINTS says that it has a grid.
 *
 * Code times scale is exact in all types whose minimum is then taken away, and
 * a scale of two factors is too: so one way of rounding is all ways.
 */
enum { MIN = 1, MIN_HALVES = 2, HALF_SCALES = 4, HALVES = 8 };

#define PASTE_(a, b)	a##_##b
#define PASTE(a, b)	PASTE_(a, b)
#ifdef POINTS
#define WORD_OF(p, g, i, grid)	PASTE(TYPE, word)(p, g, i, grid)
#else
#define WORD_OF(p, g, i, grid)	PASTE(TYPE, word)(p, g, i)
#endif

/* Element `at` of those at w; scale: the tensor's, if it has but one. */
FM_FN float
PASTE(TYPE, value)(GLOBAL const uchar *w, ulong at, float scale, GLOBAL const ushort *grid)
{
	struct scales k = { scale, 0, 0, 0, 0, 0 };
	uint g = (uint)(at / 32), i = (uint)at % 32, high = i / 16;
	float s, code;

	(void)grid;
	PASTE(TYPE, scales)(w, g, &k);
	code = (float)(schar)(WORD_OF(w, g, i / 4, grid) >> 8 * (i % 4));
	s = FLAGS & HALF_SCALES && high ? k.m : k.s;
	if (FLAGS & HALVES)
		s = s * (float)(high ? k.k1 : k.k0);
	if (FLAGS & MIN_HALVES)
		return s * code - k.m * (float)(high ? k.mk1 : k.mk0);
	return FLAGS & MIN ? s * code - k.m : s * code;
}
