/* SPDX-License-Identifier: MIT */
/* high_grid.c -- the best point of a whole grid. */
#include <math.h>

#include "high.h"

#define INLINE static inline __attribute__((always_inline))

/* Of all halves of points, cell by cell: sums of terms, or the least of them. */
INLINE void
half_sums(unsigned group, unsigned codes, unsigned bits, const float *term, float *sum)
{
	unsigned c, j, k, n = 1;

	sum[0] = 0;
	for (k = 0; k < group / 2; k++, n *= codes)
		for (c = codes; c-- > 0; )
			for (j = 0; j < n; j++)
				sum[c * n + j] = sum[j] + term[k << bits | c];
}

INLINE void
half_least(unsigned group, unsigned codes, unsigned bits, const float *term, float *least)
{
	unsigned c, j, k, n = 1;
	float t;

	least[0] = INFINITY;
	for (k = 0; k < group / 2; k++, n *= codes)
		for (c = codes; c-- > 0; ) {
			t = term[k << bits | c];
			for (j = 0; j < n; j++)
				least[c * n + j] = t < least[j] ? t : least[j];
		}
}

/* The cell that costs a half least, and what. */
INLINE unsigned
least_half(unsigned group, unsigned codes, unsigned bits, const float *term, float *cost)
{
	unsigned best, c, cell = 0, k, n = 1;

	*cost = 0;
	for (k = 0; k < group / 2; k++, n *= codes) {
		for (best = 0, c = 1; c < codes; c++)
			if (term[k << bits | c] < term[k << bits | best])
				best = c;
		*cost += term[k << bits | best];
		cell += best * n;
	}
	return cell;
}

/*
 * The point with the least sum of terms, and with odd the least of its odd
 * ones: from halves of points, as most first halves already cost too much.
 */
INLINE unsigned
search(const struct grid *g, unsigned group, unsigned codes, unsigned bits, unsigned cells,
    const float *term, const float *odd, float *err)
{
	float low[GRID_HALVES], high[GRID_HALVES], odd_low[GRID_HALVES], odd_high[GRID_HALVES];
	float least, best = INFINITY, sum, more;
	unsigned half = group / 2 << bits, cell, found = 0, i, n;

	half_sums(group, codes, bits, term, low);
	half_sums(group, codes, bits, term + half, high);
	if (odd) {
		half_least(group, codes, bits, odd, odd_low);
		half_least(group, codes, bits, odd + half, odd_high);
	}
	(void)least_half(group, codes, bits, term + half, &least);
	/* from the most promising one on, round */
	cell = least_half(group, codes, bits, term, &sum);
	for (n = 0; n < cells; n++, cell = cell + 1 < cells ? cell + 1 : 0) {
		if (low[cell] + least >= best)
			continue;
		for (i = g->half[cell]; i < g->half[cell + 1]; i++) {
			sum = low[cell] + high[g->rest[i]];
			if (odd) {
				more = odd_high[g->rest[i]];
				sum += odd_low[cell] < more ? odd_low[cell] : more;
			}
			if (sum < best) {
				best = sum;
				found = g->number[i];
			}
		}
	}
	*err = best;
	return found;
}

unsigned
high_point(const struct grid *g, const float *term, const float *odd, float *err)
{
	if (g->group == 8)
		return odd ? search(g, 8, 3, 2, 81, term, odd, err) :
		    search(g, 8, 3, 2, 81, term, NULL, err);
	return odd ? search(g, 4, 8, 3, 64, term, odd, err) :
	    search(g, 4, 8, 3, 64, term, NULL, err);
}
