/* SPDX-License-Identifier: MIT */
/*
 * grid.c -- the grids, with a list of near points for every place between.
 *
 * The lists are 1.4 MB in all and computed when first asked for: 20 ms for
 * the largest.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "apr/codebook.h"

/* Words in all lists of a grid, known beforehand. */
#define LISTS(name, cells, words, points)					\
	static uint16_t index_##name[cells], list_##name[(words) + GRID_PAD];	\
	static uint32_t first_##name[(cells) + 1];				\
	static uint16_t half_##name[GRID_HALVES + 1], number_##name[points];	\
	static uint8_t rest_##name[points]
LISTS(iq1_s, 6561, 327721, 2048);
LISTS(iq2_xxs, 6561, 113157, 256);
LISTS(iq2_xs, 6561, 181721, 512);
LISTS(iq2_s, 6561, 44716, 1024);
LISTS(iq3_xxs, 4096, 18985, 256);
LISTS(iq3_s, 4096, 24733, 512);

#define GRID(name, n, g, c, b, m) {						\
	.point = grid_##name, .points = n, .group = g, .codes = c, .bits = b,	\
	.near = m, .index = index_##name, .first = first_##name,		\
	.list = list_##name, .half = half_##name, .number = number_##name,	\
	.rest = rest_##name }
static const struct grid grids[GRIDS] = {
	[GRID_IQ1] = GRID(iq1_s, 2048, 8, 3, 2, 3),
	[GRID_IQ2_XXS] = GRID(iq2_xxs, 256, 8, 3, 2, 2),
	[GRID_IQ2_XS] = GRID(iq2_xs, 512, 8, 3, 2, 2),
	[GRID_IQ2_S] = GRID(iq2_s, 1024, 8, 3, 2, 1),
	[GRID_IQ3_XXS] = GRID(iq3_xxs, 256, 4, 8, 3, 2),
	[GRID_IQ3_S] = GRID(iq3_s, 512, 4, 8, 3, 3),
};

#define ROOM(name) { index_##name, list_##name, first_##name, half_##name,	\
	number_##name, rest_##name, sizeof index_##name / 2,			\
	sizeof list_##name / 2 - GRID_PAD }
static const struct room {
	uint16_t *index, *list;
	uint32_t *first;
	uint16_t *half, *number;
	uint8_t	 *rest;
	uint32_t  cells, words;
} rooms[GRIDS] = {
	ROOM(iq1_s), ROOM(iq2_xxs), ROOM(iq2_xs), ROOM(iq2_s), ROOM(iq3_xxs), ROOM(iq3_s),
};

enum { HALVES = GRID_HALVES, FAR = 4 * 49 + 1 };	/* no two points are FAR apart */

/* The two halves of a packed point, as cells of their own. */
static void
halves(const struct grid *g, unsigned packed, uint8_t *low, uint8_t *high)
{
	unsigned bits = g->bits, k, h[2] = { 0, 0 };

	for (k = g->group; k-- > 0; )
		h[k >= g->group / 2u] = h[k >= g->group / 2u] * g->codes +
		    (packed >> k * bits & ((1u << bits) - 1));
	*low = (uint8_t)h[0];
	*high = (uint8_t)h[1];
}

/* Squared distances of half points. */
static unsigned
half_distances(const struct grid *g, uint8_t d[HALVES][HALVES])
{
	unsigned n = 1, i, j, k, a, b, sum;

	for (k = 0; k < g->group / 2u; k++)
		n *= g->codes;
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++) {
			sum = 0;
			a = i;
			b = j;
			for (k = 0; k < g->group / 2u; k++) {
				int diff = (int)(a % g->codes) - (int)(b % g->codes);

				sum += (unsigned)(diff * diff);
				a /= g->codes;
				b /= g->codes;
			}
			d[i][j] = (uint8_t)sum;
		}
	return n;
}

/* The list of one cell to dst; its length, or 0 if there is no room. */
static uint32_t
near_points(const struct grid *g, const uint8_t *to_low, const uint8_t *to_high,
    const uint8_t *low, const uint8_t *high, uint16_t *dst, uint32_t room)
{
	uint32_t count[FAR] = { 0 }, at[FAR], n = 0, i, d, found = 0;
	uint8_t dist[2048];

	for (i = 0; i < g->points; i++) {
		dist[i] = (uint8_t)(to_low[low[i]] + to_high[high[i]]);
		count[dist[i]]++;
	}
	for (d = 0; d < FAR && found < g->near; d++)
		if (count[d]) {
			at[d] = n;
			n += count[d];
			found++;
		}
	if (n > room)
		return 0;
	for (i = 0; i < g->points; i++)
		if (dist[i] < d)
			dst[at[dist[i]]++] = g->point[i];
	return n;
}

static void
build(const struct grid *g, const struct room *r)
{
	uint8_t dist[HALVES][HALVES], low[2048], high[2048];
	uint32_t n = 0, half = half_distances(g, dist), i, cell;

	memset(r->index, 0xff, r->cells * sizeof *r->index);
	for (i = 0; i < g->points; i++) {
		halves(g, g->point[i], &low[i], &high[i]);
		r->index[low[i] + high[i] * half] = (uint16_t)i;
	}
	for (i = 0; i < r->cells; i++) {
		r->first[i] = n;
		if (r->index[i] == GRID_NONE)
			n += near_points(g, dist[i % half], dist[i / half], low, high,
			    r->list + n, r->words - n);
	}
	r->first[i] = n;
	for (n = cell = 0; cell < HALVES; cell++) {
		r->half[cell] = (uint16_t)n;
		for (i = 0; i < g->points; i++)
			if (low[i] == cell) {
				r->number[n] = (uint16_t)i;
				r->rest[n++] = high[i];
			}
	}
	r->half[cell] = (uint16_t)n;
}

const struct grid *
grid_get(enum grid_name name)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static atomic_bool ready[GRIDS];

	if (!atomic_load_explicit(&ready[name], memory_order_acquire)) {
		pthread_mutex_lock(&lock);
		if (!atomic_load_explicit(&ready[name], memory_order_relaxed))
			build(&grids[name], &rooms[name]);
		atomic_store_explicit(&ready[name], true, memory_order_release);
		pthread_mutex_unlock(&lock);
	}
	return &grids[name];
}
