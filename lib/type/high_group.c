/* SPDX-License-Identifier: MIT */
/* high_group.c -- the best of any scale and minimum for a group. */
#include "block.h"
#include "high.h"

/* Inverse scales around the one that spans the values, then twice what fits
 * the levels found. */
void
high_range(const struct high *h, struct high_group *q, const float *x, const float *w)
{
	float low = 0, high = x[0], top = (float)h->levels.high, a, b;
	struct trials t;
	int best, i, k, lane;

	q->sw = q->swx = q->scale = q->min = 0;
	for (i = 0; i < h->len; i++) {
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
		q->sw += w[i];
		q->swx += w[i] * x[i];
	}
	q->min = -low;
	if (!(high > low))
		return;
	for (lane = 0; lane < KERNEL_TRIALS; lane++) {
		t.scale[lane] = (high - low) / (top + 0.13f * (float)(lane - 6));
		t.min[lane] = -low;
	}
	for (k = 0; k < 3; k++) {
		high_try(&h->levels, h->len, x, w, &t);
		for (lane = 0; k < 2 && lane < KERNEL_TRIALS; lane++)
			if (high_refit(&t, lane, q->sw, q->swx, &a, &b)) {
				t.scale[lane] = a;
				t.min[lane] = b;
			}
	}
	if ((best = high_best(&t)) >= 0) {
		q->scale = t.scale[best];
		q->min = t.min[best];
	}
}

/* The same without a minimum; the largest goes to either end. */
void
high_signed(const struct high *h, struct high_group *q, const float *x, const float *w)
{
	const struct levels *l = &h->levels;
	float ends[2] = { (float)l->low, (float)l->high }, max = 0, least = INFINITY, end;
	struct trials t;
	int best, i, k, lane, side;

	q->sw = q->swx = q->scale = q->min = 0;
	if (l->table) {
		ends[0] = l->table[l->low];
		ends[1] = l->table[l->high];
	}
	for (i = 0; i < h->len; i++)
		max = fabsf(x[i]) > fabsf(max) ? x[i] : max;
	if (max == 0)
		return;
	memset(t.min, 0, sizeof t.min);
	for (side = 0; side < 2; side++) {
		end = ends[side];
		for (lane = 0; lane < KERNEL_TRIALS; lane++)
			t.scale[lane] = max / (end + (l->table ? 1.0f : 0.1f) * (float)(lane - 8));
		for (k = 0; k < 2; k++) {
			high_try(l, h->len, x, w, &t);
			for (lane = 0; k < 1 && lane < KERNEL_TRIALS; lane++)
				if (t.ll[lane] > 0)
					t.scale[lane] = t.xl[lane] / t.ll[lane];
		}
		if ((best = high_best(&t)) >= 0 && t.err[best] < least) {
			least = t.err[best];
			q->scale = t.scale[best];
		}
	}
}
