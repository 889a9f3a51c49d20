/* SPDX-License-Identifier: MIT */
/*
 * iq23.c -- the codebook types IQ2 and IQ3: points of a grid, signs apart.
 * What is around the search is codebook.h's.
 */
#include <float.h>

#include "apr/codebook.h"
#include "block.h"
#include "efforts.h"
#include "search.h"

enum { N = 256 };

/*
 * The point nearest to a at scale s, of those in the cell's list.  Terms of
 * the error are looked up: there are as many as codes.
 */
static unsigned
pick(const struct grid *g, unsigned cell, float s, const float *a, const float *v)
{
	float term[32], delta, err, best = FLT_MAX;
	unsigned mask = (1u << g->bits) - 1, found = g->list[g->first[cell]], p;
	int c, k;
	uint32_t i;

	for (k = 0; k < g->group; k++)
		for (c = 0; c < g->codes; c++) {
			delta = s * (float)(2 * c + 1) - a[k];
			term[k << g->bits | c] = v[k] * delta * delta;
		}
	for (i = g->first[cell]; i < g->first[cell + 1]; i++) {
		p = g->list[i];
		err = 0;
		for (k = 0; k < g->group; k++)
			err += term[(unsigned)k << g->bits | (p >> k * g->bits & mask)];
		if (err < best) {
			best = err;
			found = g->list[i];
		}
	}
	return found;
}

/* The point for a group at inverse scale id; *on: it lay on the grid. */
static unsigned
group_point(const struct grid *g, const float *a, const float *v, float id, float s, bool *on)
{
	unsigned packed = 0, cell;
	int k;

	for (k = g->group; k-- > 0; )
		packed = packed << g->bits |
		    (unsigned)clamp(near(0.5f * (id * a[k] - 1)), 0, g->codes - 1);
	cell = grid_cell(g, packed);
	*on = g->index[cell] != GRID_NONE;
	return *on ? packed : pick(g, cell, s, a, v);
}

/* What decides about the scale of these points. */
static void
sums(const struct grid *g, int len, const uint16_t *point, const float *a,
    const float *w, float *out_a, float *out_b)
{
	unsigned mask = (1u << g->bits) - 1;
	float sa = 0, sb = 0, q;
	int i;

	for (i = 0; i < len; i++) {
		q = (float)(2 * (point[i / g->group] >> i % g->group * g->bits & mask) + 1);
		sa += w[i] * a[i] * q;
		sb += w[i] * q * q;
	}
	*out_a = sa;
	*out_b = sb;
}

static void
fit(const struct codebook *c, const struct grid *g, const float *a, const float *w,
    const float *v, float largest, struct codebook_fit *f)
{
	int groups = c->len / g->group, tries = c->tries, i, t;
	float id, sa, sb, best = 0, top = (float)(2 * g->codes - 1);
	bool on[8], try_on[8], again = c == &codebook_iq2_xxs;
	uint16_t try[8];

	for (i = 0; i < groups; i++)
		on[i] = c != &codebook_iq3_s;
	for (t = -tries; t <= tries; t++) {
		id = (top + c->step * (float)t) / largest;
		for (i = 0; i < groups; i++)
			try[i] = (uint16_t)group_point(g, a + i * g->group,
			    v + i * g->group, id, 1 / id, &try_on[i]);
		sums(g, c->len, try, a, w, &sa, &sb);
		if (sb > 0 && sa * sa > best * sb) {
			memcpy(f->point, try, sizeof try);
			memcpy(on, try_on, sizeof on);
			f->scale = sa / sb;
			best = f->scale * sa;
		}
	}

	/* Once more at the scale found, for what lay off the grid. */
	for (i = 0; i < groups; i++)
		again |= !on[i];
	if (!(f->scale > 0) || !again)
		return;
	id = 1 / f->scale;
	for (i = 0; i < groups; i++)
		if (!on[i] || c == &codebook_iq2_xxs || c == &codebook_iq3_s)
			f->point[i] = (uint16_t)group_point(g, a + i * g->group,
			    v + i * g->group, id, f->scale, &try_on[i]);
	sums(g, c->len, f->point, a, w, &sa, &sb);
	if (sb > 0)
		f->scale = sa / sb;
}

static float
start(int n, const float *x, const float *w)
{
	uint8_t code[32];

	return fit_positive(4, n, x, w, code);
}

static const struct codebook_search search = { fit, start };

/* The grid's points stand for level[code], bits to a code. */
static void
decode(const struct codebook *c, const uint16_t *point, const float *level, int bits,
    float *dst, const uint8_t *p, size_t n)
{
	int group = bits == 2 ? 8 : 4, i, j;
	struct codebook_block b;
	unsigned packed;
	float d, s, v;

	for (; n >= N; n -= N, p += c->bytes)
		for (c->get(&b, p), i = 0; i < N; i += group) {
			d = f16_to(b.d);
			s = b.scale[i / c->len];
			if (c == &codebook_iq3_s)
				d *= 1 + 2 * s;
			else
				d = d * (0.5f + s) * (bits == 2 ? 0.25f : 0.5f);
			packed = point[b.index[i / group]];
			for (j = i; j < i + group; j++, packed >>= bits) {
				v = d * level[packed & ((1u << bits) - 1)];
				*dst++ = b.sign[j / 8] >> j % 8 & 1 ? -v : v;
			}
		}
}

static const float level2[] = { 8, 25, 43, 0 };
static const float level3_xxs[] = { 4, 12, 20, 28, 36, 44, 52, 62 };
static const float level3_s[] = { 1, 3, 5, 7, 9, 11, 13, 15 };

#define TYPE(lower, upper, number, size, bits, level)					\
	static void									\
	lower##_decode(float *dst, const void *src, size_t n)				\
	{										\
		decode(&codebook_##lower, grid_##lower, level, bits, dst, src, n);	\
	}										\
	static void									\
	lower##_encode(void *dst, const float *x, size_t n, const float *qw)		\
	{										\
		codebook_encode(&codebook_##lower, &search, dst, x, n, qw);		\
	}										\
	const struct type type_##lower = {						\
		.name = upper, .ggml = number, .block = N, .bytes = size,		\
		.to_f32 = lower##_decode, .from_f32 = lower##_encode,			\
		.effort = { [EFFORT_HIGH] = high_##lower },				\
	}
TYPE(iq2_xxs, "IQ2_XXS", 16, 66, 2, level2);
TYPE(iq2_xs, "IQ2_XS", 17, 74, 2, level2);
TYPE(iq2_s, "IQ2_S", 22, 82, 2, level2);
TYPE(iq3_xxs, "IQ3_XXS", 18, 98, 3, level3_xxs);
TYPE(iq3_s, "IQ3_S", 21, 110, 3, level3_s);
