/* SPDX-License-Identifier: MIT */
/*
 * high_iq.c -- a better block of the codebook types: for every group the best
 * point of the whole grid, by the levels that decoding has, signs included,
 * and scales seen with their rounding.
 */
#include "apr/codebook.h"
#include "block.h"
#include "efforts.h"
#include "high.h"

enum { N = 256, TURNS = 3, HALVES = 48 };

/* A sub-block at a scale. */
struct fit {
	float	 err;
	float	 xl, ll;	/* sums of w * x * level, w * level^2 */
	uint16_t index[8];
	uint8_t	 sign[4];	/* as struct codebook_block's */
};

/* A block at work. */
struct work {
	const struct codebook *c;
	const struct grid *g;
	const float	*x, *w;
	float		 d;		/* as stored */
	int		 scale[16];	/* codes */
	struct fit	 fit[16];
	double		 total;
};

static const float levels2[4] = { 8, 25, 43, 0 };
static const float levels3_xxs[8] = { 4, 12, 20, 28, 36, 44, 52, 62 };
static const float levels3_s[8] = { 1, 3, 5, 7, 9, 11, 13, 15 };
static const float levels1[2][4] = {
	{ -0.875f, 0.125f, 1.125f, 0 }, { -1.125f, -0.125f, 0.875f, 0 },
};

static bool
is_iq1(const struct work *k)
{
	return k->c->grid == GRID_IQ1;
}

static const float *
levels(const struct work *k, int down)
{
	return is_iq1(k) ? levels1[down] : k->g->bits == 2 ? levels2 :
	    k->c == &codebook_iq3_s ? levels3_s : levels3_xxs;
}

/* What a scale's code multiplies d by. */
static float
factor(const struct work *k, int code)
{
	float odd = (float)(2 * code + 1);

	return is_iq1(k) || k->c == &codebook_iq3_s ? odd :
	    k->g->bits == 2 ? odd * 0.125f : odd * 0.25f;
}

/* Terms for a group of magnitudes (IQ1: values) x at scale s, and what telling
 * a lie about a sign adds. */
static void
terms(const struct work *k, const float *level, const float *x, const float *w, float s,
    float *term, float *odd)
{
	int bits = k->g->bits, i;
	float diff, y;

	for (i = 0; i < 32; i++) {
		y = s * level[i & ((1 << bits) - 1)];
		diff = x[i >> bits] - y;
		term[i] = w[i >> bits] * diff * diff;
		odd[i] = 4 * w[i >> bits] * x[i >> bits] * y;
	}
}

/* The sums that a scale for these points is found by. */
static void
add_sums(const struct work *k, const float *level, const float *x, const float *w,
    unsigned packed, unsigned sign, struct fit *f)
{
	int bits = k->g->bits, i;
	float l;

	for (i = 0; i < k->g->group; i++, packed >>= bits, sign >>= 1) {
		l = level[packed & ((1u << bits) - 1)];
		l = sign & 1 ? -l : l;
		f->xl += w[i] * x[i] * l;
		f->ll += w[i] * l * l;
	}
}

/* In a point's group, the element that is cheapest to lie about. */
static int
cheapest(const struct work *k, const float *odd, unsigned packed)
{
	int bits = k->g->bits, best = 0, i;
	float least = INFINITY;

	for (i = 0; i < k->g->group; i++) {
		float o = odd[(unsigned)i << bits | (packed >> i * bits & ((1u << bits) - 1))];

		if (o < least) {
			least = o;
			best = i;
		}
	}
	return best;
}

/* Eight elements that share their signs' parity: one point, or two. */
static void
fit_signed(const struct work *k, const float *x, const float *w, float s, struct fit *f, int at)
{
	const float *level = levels(k, 0);
	int group = k->g->group, n = 8 / group, i, lie, e;
	unsigned sign = 0, odd_count = 0, found[2], flipped[2];
	float a[8], term[2][32], odd[2][32], err[2], err_odd[2];

	for (i = 0; i < 8; i++) {
		a[i] = fabsf(x[i]);
		if (x[i] < 0) {
			sign |= 1u << i;
			odd_count ^= 1;
		}
	}
	for (i = 0; i < n; i++) {
		terms(k, level, a + i * group, w + i * group, s, term[i], odd[i]);
		found[i] = high_point(k->g, term[i], NULL, &err[i]);
		if (k->c->even && odd_count)
			flipped[i] = high_point(k->g, term[i], odd[i], &err_odd[i]);
	}
	if (k->c->even && odd_count) {
		lie = n == 2 && err[0] + err_odd[1] < err_odd[0] + err[1];
		found[lie] = flipped[lie];
		err[lie] = err_odd[lie];
		e = cheapest(k, odd[lie], k->g->point[found[lie]]);
		sign ^= 1u << (lie * group + e);
	}
	for (i = 0; i < n; i++) {
		f->index[at * n + i] = (uint16_t)found[i];
		f->err += err[i];
		add_sums(k, level, x + i * group, w + i * group, k->g->point[found[i]],
		    sign >> i * group, f);
	}
	f->sign[at] = (uint8_t)sign;
}

/* A group of IQ1 with its shift. */
static void
fit_shifted(const struct work *k, const float *x, const float *w, float s, int down,
    struct fit *f, int at)
{
	float term[32], odd[32], err;

	terms(k, levels1[down], x, w, s, term, odd);
	f->index[at] = (uint16_t)high_point(k->g, term, NULL, &err);
	f->err += err;
	f->sign[at] = (uint8_t)down;
	add_sums(k, levels1[down], x, w, k->g->point[f->index[at]], 0, f);
}

/* Sub-block `sub` at scale s. */
static void
fit_at(const struct work *k, int sub, float s, struct fit *f)
{
	const float *x = k->x + sub * k->c->len, *w = k->w + sub * k->c->len;
	struct fit one[2];
	int i, down;

	memset(f, 0, sizeof *f);
	if (!is_iq1(k)) {
		for (i = 0; i < k->c->len / 8; i++)
			fit_signed(k, x + 8 * i, w + 8 * i, s, f, i);
	} else if (k->c == &codebook_iq1_s) {
		for (down = 0; down < 2; down++) {
			memset(&one[down], 0, sizeof one[down]);
			for (i = 0; i < 4; i++)
				fit_shifted(k, x + 8 * i, w + 8 * i, s, down, &one[down], i);
		}
		*f = one[one[1].err < one[0].err];
	} else {
		for (i = 0; i < 2; i++) {
			for (down = 0; down < 2; down++) {
				one[down] = *f;
				fit_shifted(k, x + 8 * i, w + 8 * i, s, down, &one[down], i);
			}
			*f = one[one[1].err < one[0].err];
		}
	}
}

static int
subs(const struct work *k)
{
	return N / k->c->len;
}

static int
top(const struct work *k)
{
	return is_iq1(k) ? 7 : 15;
}

/* The code whose factor times d is nearest to s. */
static int
code_near(const struct work *k, float s, float d)
{
	float v = s * inverse(d * factor(k, 0));

	return !(v > 1) ? 0 : v >= (float)(2 * top(k) + 1) ? top(k) : near(0.5f * (v - 1));
}

/*
 * What each sub-block wants by itself, s with a curvature; then of halves
 * around the one that it has the one that costs them least.
 */
static void
begin(struct work *k)
{
	float s[16], c[16], d, best_d = k->d;
	double cost, best = INFINITY;
	struct fit f;
	int i, sub, turn;

	for (sub = 0; sub < subs(k); sub++) {
		s[sub] = k->d * factor(k, k->scale[sub]);
		c[sub] = 0;
		for (turn = 0; turn < 2; turn++) {
			fit_at(k, sub, s[sub], &f);
			if (!(f.ll > 0) || !(f.xl > 0))
				break;
			s[sub] = f.xl / f.ll;
			c[sub] = f.ll;
		}
	}
	for (i = 0; i < HALVES; i++) {
		d = f16_to(f16_from(k->d * (0.7f + 0.0125f * (float)i)));
		cost = 0;
		for (sub = 0; sub < subs(k); sub++) {
			double diff = (double)s[sub] -
			    (double)(d * factor(k, code_near(k, s[sub], d)));

			cost += (double)c[sub] * diff * diff;
		}
		if (cost < best) {
			best = cost;
			best_d = d;
		}
	}
	k->d = best_d;
	k->total = 0;
	for (sub = 0; sub < subs(k); sub++) {
		k->scale[sub] = code_near(k, s[sub], k->d);
		fit_at(k, sub, k->d * factor(k, k->scale[sub]), &k->fit[sub]);
		k->total += (double)k->fit[sub].err;
	}
}

/* One code up or down, as far as it helps. */
static void
improve_scale(struct work *k, int sub)
{
	int step = -1, code;
	struct fit f;

	/* first where the points' own scale lies */
	if (k->fit[sub].xl > k->d * factor(k, k->scale[sub]) * k->fit[sub].ll)
		step = 1;
	for (code = k->scale[sub] + step; code >= 0 && code <= top(k); code += step) {
		fit_at(k, sub, k->d * factor(k, code), &f);
		if (!(f.err < k->fit[sub].err))
			break;
		k->fit[sub] = f;
		k->scale[sub] = code;
	}
}

/* d that fits all points, and with it points anew. */
static bool
improve_half(struct work *k)
{
	double xl = 0, ll = 0;
	struct work n = *k;
	int sub;

	for (sub = 0; sub < subs(k); sub++) {
		double s = (double)factor(k, k->scale[sub]);

		xl += s * (double)k->fit[sub].xl;
		ll += s * s * (double)k->fit[sub].ll;
	}
	if (!(ll > 0) || !(xl > 0))
		return false;
	n.d = f16_to(f16_from((float)(xl / ll)));
	n.total = 0;
	for (sub = 0; sub < subs(k); sub++) {
		fit_at(&n, sub, n.d * factor(k, k->scale[sub]), &n.fit[sub]);
		n.total += (double)n.fit[sub].err;
	}
	if (!(n.total < k->total))
		return false;
	*k = n;
	return true;
}

static void
encode_block(const struct codebook *c, const struct type *t, uint8_t *p, const float *x,
    const float *qw)
{
	struct work k = { .c = c, .g = grid_get(c->grid), .x = x };
	float w[N], u[N];
	int i, sub, groups, turn;
	struct codebook_block b;
	uint8_t block[128];

	codebook_weigh(c, x, qw, w);
	high_mix(u, w, qw, N);
	k.w = u;
	c->get(&b, p);
	k.d = f16_to(b.d & 0x7fff);
	if (!(k.d < INFINITY))
		return;
	if (k.d == 0)
		k.d = 0x1p-24f;		/* too small for an f16, or not quite */
	for (sub = 0; sub < subs(&k); sub++)
		k.scale[sub] = b.scale[sub];
	begin(&k);
	for (turn = 0; turn < TURNS; turn++) {
		for (sub = 0; sub < subs(&k); sub++)
			improve_scale(&k, sub);
		k.total = 0;
		for (sub = 0; sub < subs(&k); sub++)
			k.total += (double)k.fit[sub].err;
		if (!improve_half(&k))
			break;
	}
	b.d = f16_from(k.d);
	groups = c->len / k.g->group;
	for (sub = 0; sub < subs(&k); sub++) {
		b.scale[sub] = (uint8_t)k.scale[sub];
		for (i = 0; i < groups; i++)
			b.index[sub * groups + i] = k.fit[sub].index[i];
		for (i = 0; i < c->len / 8; i++)
			b.sign[sub * c->len / 8 + i] = k.fit[sub].sign[i];
	}
	memset(block, 0, sizeof block);
	c->put(block, &b);
	high_better(t, p, block, x, w, qw);
}

static void
encode(const struct codebook *c, const struct type *t, uint8_t *p, const float *x, size_t n,
    const float *qw)
{
	high_reference(t)(p, x, n, qw);
	for (; n >= N; n -= N, p += t->bytes, x += N) {
		encode_block(c, t, p, x, qw);
		if (qw)
			qw += N;
	}
}

#define HIGH(the_type)									\
	void										\
	high_##the_type(void *dst, const float *x, size_t n, const float *qw)		\
	{										\
		encode(&codebook_##the_type, &type_##the_type, dst, x, n, qw);		\
	}
HIGH(iq1_s)
HIGH(iq1_m)
HIGH(iq2_xxs)
HIGH(iq2_xs)
HIGH(iq2_s)
HIGH(iq3_xxs)
HIGH(iq3_s)
