/* SPDX-License-Identifier: MIT */
/*
 * high_k.c -- a better block of the types whose groups have integer scales:
 * Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_XS.
 *
 * First each group by itself, with any float for scale and minimum; then the
 * block's two halves floats (d, m) that suit these; then in turns the groups'
 * integers, d and m, each seen with the rounding of all the others.
 */
#include "block.h"
#include "efforts.h"
#include "high.h"

enum { GROUPS = 16, TURNS = 4, MOVES = 4 };

/* A block being improved. */
struct state {
	const struct high *h;
	const float	*x, *w;
	struct high_group *group;
	uint16_t	 d, m;			/* f16 */
	int		 scale[GROUPS], min[GROUPS];
	/* With these: error, and the sums of struct trials. */
	float		 err[GROUPS], l[GROUPS], ll[GROUPS], xl[GROUPS];
	double		 total;
};

static int
to_int(float v, int low, int high)
{
	/* beyond near()'s range only ends matter */
	return !(v > (float)low) ? low : v >= (float)high ? high : near(v);
}

static void
take_lane(struct state *s, int g, const struct trials *t, int lane)
{
	s->err[g] = t->err[lane];
	s->l[g] = t->l[lane];
	s->ll[g] = t->ll[lane];
	s->xl[g] = t->xl[lane];
}

/* The integers that come closest to what a group has by itself. */
static void
round_group(const struct state *s, int g, float d, float m, int *scale, int *min)
{
	*scale = to_int(s->group[g].scale * inverse(d), s->h->scale_low, s->h->scale_high);
	*min = to_int(s->group[g].min * inverse(m), 0, s->h->min_high);
}

/*
 * Halves for the block, a pair a lane, with the groups' integers, or with
 * those that they would round to.  The best lane, and its error to *total;
 * -1: none is as good as *total.
 */
static int
try_halves(const struct state *s, const uint16_t *d, const uint16_t *m, bool round,
    double *total, struct trials *t)
{
	const struct high *h = s->h;
	double sum[KERNEL_TRIALS] = { 0 };
	int best = -1, g, lane, scale, min;

	for (g = 0; g < h->groups; g++, t++) {
		for (lane = 0; lane < KERNEL_TRIALS; lane++) {
			scale = s->scale[g];
			min = s->min[g];
			if (round)
				round_group(s, g, f16_to(d[lane]), f16_to(m[lane]), &scale, &min);
			t->scale[lane] = f16_to(d[lane]) * (float)scale;
			t->min[lane] = f16_to(m[lane]) * (float)min;
		}
		high_try(&h->levels, h->len, s->x + g * h->len, s->w + g * h->len, t);
		for (lane = 0; lane < KERNEL_TRIALS; lane++)
			sum[lane] += (double)t->err[lane];
	}
	for (lane = 0; lane < KERNEL_TRIALS; lane++)
		if (sum[lane] < *total) {
			*total = sum[lane];
			best = lane;
		}
	return best;
}

static void
take_halves(struct state *s, const uint16_t *d, const uint16_t *m, bool round,
    const struct trials *t, int lane)
{
	int g;

	s->d = d[lane];
	s->m = m[lane];
	for (g = 0; g < s->h->groups; g++) {
		if (round)
			round_group(s, g, f16_to(s->d), f16_to(s->m), &s->scale[g], &s->min[g]);
		take_lane(s, g, &t[g], lane);
	}
}

/* d and m that give the largest scale and minimum one of the last codes. */
static void
begin_halves(struct state *s)
{
	const struct high *h = s->h;
	float max = 0, most = 0, ends[2], shrink;
	struct trials t[GROUPS];
	uint16_t d[KERNEL_TRIALS], m[KERNEL_TRIALS];
	int best, g, lane, side;

	for (g = 0; g < h->groups; g++) {
		max = fabsf(s->group[g].scale) > fabsf(max) ? s->group[g].scale : max;
		most = s->group[g].min > most ? s->group[g].min : most;
	}
	s->m = f16_from(h->min_high ? most / h->min_high : 0);
	ends[0] = h->scale_high;
	ends[1] = h->scale_low;		/* 0: d stays, and m moves */
	s->total = INFINITY;
	for (side = 0; side < 2; side++) {
		if (side == 1 && ends[1] == 0 && !h->min_high)
			break;
		for (lane = 0; lane < KERNEL_TRIALS; lane++) {
			shrink = 1 + 0.012f * (float)(lane - 12);
			d[lane] = s->d;
			m[lane] = s->m;
			if (ends[side] != 0)
				d[lane] = f16_from(max / (ends[side] * shrink));
			else
				m[lane] = f16_from(most / (h->min_high * shrink));
		}
		if ((best = try_halves(s, d, m, true, &s->total, t)) >= 0)
			take_halves(s, d, m, true, t, best);
	}
}

/* What fits all groups' integers and levels best, and halves around it. */
static bool
improve_halves(struct state *s)
{
	const struct high *h = s->h;
	double uu = 0, uv = 0, vv = 0, xu = 0, xv = 0, det, dd, mm = 0;
	struct trials t[GROUPS];
	uint16_t d[KERNEL_TRIALS], m[KERNEL_TRIALS], d0, m0;
	int best, g, lane;

	for (g = 0; g < h->groups; g++) {
		double a = s->scale[g], b = s->min[g];

		uu += a * a * (double)s->ll[g];
		uv += a * b * (double)s->l[g];
		vv += b * b * (double)s->group[g].sw;
		xu += a * (double)s->xl[g];
		xv += b * (double)s->group[g].swx;
	}
	if (!(uu > 0))
		return false;
	dd = xu / uu;
	det = uu * vv - uv * uv;
	if (det > 0) {
		dd = (xu * vv - xv * uv) / det;
		mm = (xu * uv - xv * uu) / det;
		if (mm < 0) {
			mm = 0;
			dd = xu / uu;
		}
	}
	d0 = f16_from((float)dd);
	m0 = h->min_high ? f16_from((float)mm) : 0;
	for (lane = 0; lane < KERNEL_TRIALS; lane++) {
		if (h->min_high) {
			d[lane] = high_step(d0, lane % 4 - 1);
			m[lane] = high_step(m0, lane / 4 - 1);
		} else {
			d[lane] = high_step(d0, lane - 8);
			m[lane] = 0;
		}
	}
	if ((best = try_halves(s, d, m, false, &s->total, t)) < 0)
		return false;
	take_halves(s, d, m, false, t, best);
	return true;
}

/* Integers near a group's own, and near those that its levels ask for. */
static void
near_ints(const struct state *s, int g, int *scale, int *min)
{
	static const int8_t around[7][2] = {
		{ -1, 0 }, { 1, 0 }, { 0, -1 }, { 0, 1 }, { 1, 1 }, { -1, -1 }, { 0, 0 },
	};
	const struct high *h = s->h;
	const struct high_group *q = &s->group[g];
	float d = f16_to(s->d), m = f16_to(s->m), a, b, fit;
	struct trials t;
	int k, lane = 0;

	if (!h->min_high) {
		for (; lane < KERNEL_TRIALS; lane++) {
			scale[lane] = clamp(s->scale[g] + lane - 8, h->scale_low, h->scale_high);
			min[lane] = 0;
		}
		return;
	}
	for (; lane < 7; lane++) {
		scale[lane] = s->scale[g] + around[lane][0];
		min[lane] = s->min[g] + around[lane][1];
	}
	t.l[0] = s->l[g];
	t.ll[0] = s->ll[g];
	t.xl[0] = s->xl[g];
	a = b = 0;
	(void)high_refit(&t, 0, q->sw, q->swx, &a, &b);
	for (k = 0; k < 4; k++, lane++) {
		scale[lane] = to_int(a * inverse(d) - 0.5f, 0, h->scale_high) + k % 2;
		min[lane] = to_int(b * inverse(m) - 0.5f, 0, h->min_high) + k / 2;
	}
	/* for other scales the minimum that the levels then want */
	for (k = -2; lane < KERNEL_TRIALS; k++, lane++) {
		scale[lane] = s->scale[g] + k;
		fit = q->sw > 0 ? (d * (float)scale[lane] * s->l[g] - q->swx) / q->sw : 0;
		min[lane] = to_int(fit * inverse(m), 0, h->min_high);
	}
	for (lane = 0; lane < KERNEL_TRIALS; lane++) {
		scale[lane] = clamp(scale[lane], 0, h->scale_high);
		min[lane] = clamp(min[lane], 0, h->min_high);
	}
}

static bool
improve_group(struct state *s, int g)
{
	const struct high *h = s->h;
	float d = f16_to(s->d), m = f16_to(s->m);
	int best, lane, move, scale[KERNEL_TRIALS], min[KERNEL_TRIALS];
	struct trials t;
	bool better = false;

	for (move = 0; move < MOVES; move++) {
		near_ints(s, g, scale, min);
		for (lane = 0; lane < KERNEL_TRIALS; lane++) {
			t.scale[lane] = d * (float)scale[lane];
			t.min[lane] = m * (float)min[lane];
		}
		high_try(&h->levels, h->len, s->x + g * h->len, s->w + g * h->len, &t);
		best = high_best(&t);
		if (best < 0 || !(t.err[best] < s->err[g]))
			break;
		s->scale[g] = scale[best];
		s->min[g] = min[best];
		take_lane(s, g, &t, best);
		better = true;
	}
	return better;
}

static void
improve_state(struct state *s)
{
	bool better = s->total < INFINITY;
	int g, turn;

	for (turn = 0; better && turn < TURNS; turn++) {
		better = false;
		s->total = 0;
		for (g = 0; g < s->h->groups; g++) {
			better |= improve_group(s, g);
			s->total += (double)s->err[g];
		}
		better |= improve_halves(s);
	}
}

/* The reference's, as a state. */
static void
from_parts(struct state *s, const struct parts *b)
{
	uint16_t d[KERNEL_TRIALS], m[KERNEL_TRIALS];
	struct trials t[GROUPS];
	int g, lane;

	for (g = 0; g < s->h->groups; g++) {
		s->scale[g] = b->scale[g];
		s->min[g] = b->min[g];
	}
	for (lane = 0; lane < KERNEL_TRIALS; lane++) {
		d[lane] = b->d;
		m[lane] = b->m;
	}
	s->total = INFINITY;
	if ((lane = try_halves(s, d, m, false, &s->total, t)) >= 0)
		take_halves(s, d, m, false, t, lane);
}

static void
improve(const struct high *h, struct parts *b, const float *x, const float *w)
{
	struct high_group group[GROUPS];
	struct state own = { .h = h, .x = x, .w = w, .group = group }, ref = own, *s;
	int g;

	for (g = 0; g < h->groups; g++)
		(h->min_high ? high_range : high_signed)(h, &group[g], x + g * h->len,
		    w + g * h->len);
	begin_halves(&own);
	improve_state(&own);
	from_parts(&ref, b);
	improve_state(&ref);
	s = own.total < ref.total ? &own : &ref;
	b->d = s->d;
	b->m = s->m;
	for (g = 0; g < h->groups; g++) {
		b->scale[g] = (int16_t)s->scale[g];
		b->min[g] = (uint8_t)s->min[g];
		high_codes(h, f16_to(s->d) * (float)s->scale[g], f16_to(s->m) * (float)s->min[g],
		    h->len, x + g * h->len, b->code + g * h->len);
	}
}

#define HIGH(the_type, the_get, ...)							\
	static const struct high the_type = {						\
		.type = &type_##the_type, .get = the_get, .put = the_type##_put,	\
		.improve = improve, __VA_ARGS__						\
	};										\
	void										\
	high_##the_type(void *dst, const float *x, size_t n, const float *qw)		\
	{										\
		high_encode(&the_type, dst, x, n, qw);					\
	}
HIGH(q2_k, q2_k_get, .levels = { 0, 3, NULL }, .groups = 16, .len = 16,
    .scale_high = 15, .min_high = 15, .weights = { PLAIN_ABS, true, false, 1, 16 })
HIGH(q3_k, q3_k_get, .levels = { -4, 3, NULL }, .groups = 16, .len = 16,
    .scale_low = -32, .scale_high = 31, .weights = { PLAIN_SQUARE, true, false, 2, 16 })
HIGH(q4_k, q4_k_get, .levels = { 0, 15, NULL }, .groups = 8, .len = 32,
    .scale_high = 63, .min_high = 63, .weights = { PLAIN_RMS, true, false, 2, 32 })
HIGH(q5_k, q4_k_get, .levels = { 0, 31, NULL }, .groups = 8, .len = 32,
    .scale_high = 63, .min_high = 63, .weights = { PLAIN_RMS, true, false, 2, 32 })
HIGH(q6_k, q6_k_get, .levels = { -32, 31, NULL }, .groups = 16, .len = 16,
    .scale_low = -128, .scale_high = 127, .weights = { PLAIN_SQUARE, false, false, 2, 16 })
HIGH(iq4_xs, iq4_xs_get, .levels = { 0, 15, iq4_levels }, .groups = 8, .len = 32,
    .scale_low = -32, .scale_high = 31, .weights = { PLAIN_SQUARE, true, false, 2, 32 })
