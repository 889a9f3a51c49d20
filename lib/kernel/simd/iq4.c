/* SPDX-License-Identifier: MIT */
/*
 * iq4.c -- IQ4_NL and IQ4_XS, as lib/type/iq4.c writes them.
 *
 * Of the 16 trials the last 15 are one span: their scales differ by 12 %, and
 * two thresholds of one sign by 23 % at least.
 */
#include "simd.h"
#include "trials.h"

enum { GROUP = 32, TRIALS = 16 };

/* The first trial apart; the others have max at -134 to -120. */
static const float num[TRIALS] = {
	0, 134, 133, 132, 131, 130, 129, 128, 127, 126, 125, 124, 123, 122, 121, 120,
};

static const float table[16] = {
	-127, -104, -83, -65, -49, -35, -22, -10,
	1, 13, 25, 38, 53, 69, 89, 113,
};

/* Halfway from entry i to the next, without its sign. */
static const float middle[16] = {
	115.5f, 93.5f, 74, 57, 42, 28.5f, 16, 4.5f, 7, 19, 31.5f, 45.5f, 61, 79, 101, INFINITY,
};

/*
 * In cells of 12.5 around 0, 12.5 ... -12.5 (the one around 93.75 is -8 * 12.5)
 * no two thresholds meet: from a cell's threshold on an element has not the
 * entry under, but the next.
 */
static const float cell_threshold[16] = {
	-4.5f, 7, 19, 31.5f, 45.5f, 61, 79, 101, -115.5f, -93.5f, -74, -57, -42, -42, -28.5f, -16,
};
static const int32_t cell_under[16] = { 7, 8, 9, 10, 11, 12, 13, 14, 0, 1, 2, 3, 4, 4, 5, 6 };

/* The entry nearest to v, of two the upper; the last for NaN. */
INLINE vi
nearest(vf v)
{
	vf in = vf_max(vf_min(v, vf_set1(93)), vf_set1(-106));
	vi cell = vf_bits(in * vf_set1(0.08f) + vf_set1(12582912.0f));

	return vi_count(vi_lookup(cell_under, cell), vm_not(vf_lt(v, vf_lookup(cell_threshold, cell))));
}

INLINE struct term
term(vf x, vf w, vi entry)
{
	vf q = vf_lookup(table, entry);
	struct term t = { .a = w * q * x, .b = w * q * q };

	return t;
}

/*
 * x and w: 32 elements.  The last trial is the innermost: its entries are those
 * before the turn, which is to the next entry outwards.
 */
INLINE void
iq4_sums(const vf *x, const vf *w, struct sums *sums)
{
	enum { LAST = TRIALS - 1, N = STEPS == 8 ? 7 : STEPS };
	vf max = signed_max(GROUP, x), amax = vf_abs(max);
	vf a0 = vf_set1(0), b0 = a0, a1 = a0, b1 = a0;
	vf first = vf_set1(1) / (-max / vf_set1(table[0])), last = vf_set1(num[LAST]) / amax;
	const vi flip = ~vf_bits(max) & vi_set1(INT32_MIN);
	struct term from[GROUP], to[GROUP];
	vf turn[GROUP];

	for (int j = 0; j < GROUP; j++) {
		vf y = vi_bits(vf_bits(x[j]) ^ flip);
		vi entry = nearest(last * y), out = vf_bits(y) >> 31;
		struct term t = term(x[j], w[j], nearest(x[j] * first));

		from[j] = term(x[j], w[j], entry);
		to[j] = term(x[j], w[j], entry + (out | 1));
		/* On a threshold it has the upper entry: a negative one has not turned. */
		turn[j] = vi_bits(vf_bits(vf_lookup(middle, entry + out)) - out);
		a0 += t.a;
		b0 += t.b;
		a1 += from[j].a;
		b1 += from[j].b;
	}
	sums->a[0] = a0;
	sums->b[0] = b0;
	sums->a[LAST] = a1;
	sums->b[LAST] = b1;
	sums->max = max;
	UNROLL
	for (int t = 1; t < LAST; t += N) {
		int n = t + N < LAST ? N : LAST - t;
		struct steps k;

		steps_init(&k, n, num + t, amax);
		for (int j = 0; j < GROUP; j++)
			steps_add(&k, n, x[j], turn[j], from[j], to[j]);
		steps_store(&k, n, sums, t);
	}
}

enum { AT_ONCE = SIDES * W };

/* The scales of n groups, AT_ONCE at most; sigma2 of each, NULL: by itself. */
INLINE void
fit(const float *x, const float *qw, const float *sigma2, size_t n, float *out)
{
	vf t[GROUP], w[GROUP], scale[SIDES], which[SIDES];
	struct sums k[SIDES];

	for (size_t i = 0; i < SIDES; i++) {
		const float *at = x + i * W * GROUP;
		size_t some = n - i * W;

		if (i * W >= n) {
			k[i] = k[0];
			continue;
		}
		tile_load(t, at, GROUP, some);
		tile_load(t + LEN, at + LEN, GROUP, some);
		for (int j = 0; j < GROUP; j++)
			w[j] = t[j] * t[j];
		if (qw) {
			vf s = vf_set1(0), v[GROUP];

			for (int j = 0; j < GROUP; j++)
				s += w[j];
			s = vf_set1(2) * s / vf_set1(GROUP);
			if (sigma2)
				s = vf_load(sigma2 + i * W);
			tile_load(v, qw + (at - x), GROUP, some);
			tile_load(v + LEN, qw + (at - x) + LEN, GROUP, some);
			for (int j = 0; j < GROUP; j++)
				w[j] = v[j] * vf_sqrt(s + w[j]);
		}
		iq4_sums(t, w, &k[i]);
	}
	UNROLL
	for (int i = 0; i < SIDES; i++)
		scale[i] = vf_select(vf_lt(vf_set1(0), k[i].b[0]), k[i].a[0] / k[i].b[0], vf_set1(0));
	choose(TRIALS, 0, num, SIDES, k, scale, which);
	UNROLL
	for (int i = 0; i < SIDES; i++)
		vf_store(out + i * W, vf_select(vf_lt(vf_abs(k[i].max), vf_set1(GROUP_EPS)), vf_set1(0), scale[i]));
}

INLINE void
codes_put(uint8_t *qs, const float *x, float is)
{
	UNROLL
	for (int j = 0; j < 16; j += W)
		vi_store_u8(qs + j, nearest(vf_load(x + j) * vf_set1(is)) |
		    nearest(vf_load(x + 16 + j) * vf_set1(is)) << 4);
}

void
KERNEL(iq4_nl_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	float d[AT_ONCE], is[AT_ONCE];
	uint8_t *p = dst, half[2 * AT_ONCE];

	for (size_t groups = n / GROUP, some; groups; groups -= some) {
		some = groups < AT_ONCE ? groups : AT_ONCE;
		fit(x, qw, NULL, some, d);
		for (int i = 0; i < AT_ONCE; i += W) {
			vf_store(is + i, vf_inverse(vf_load(d + i)));
			vf_store_f16(half + 2 * i, vf_load(d + i));
		}
		for (size_t i = 0; i < some; i++, p += 18, x += GROUP) {
			memcpy(p, half + 2 * i, 2);
			codes_put(p + 2, x, is[i]);
		}
		if (qw)
			qw += some * GROUP;
	}
}

enum { N = 256, GROUPS = N / GROUP, ALL = W * GROUPS };

/* d, its inverse, and as stored. */
static void
block_put(uint8_t *p, const float *x, const float *scale, float d, float inv, const uint8_t *half)
{
	float is[LEN];
	uint8_t field[LEN];
	unsigned low = 0, high = 0;

	for (int g = 0; g < GROUPS; g += W) {
		vi l = vi_max(vi_min(vi_near(vf_set1(inv) * vf_load(scale + g)), vi_set1(31)), vi_set1(-32));

		/* with the scale as found, not as stored */
		vf_store(is + g, vf_inverse(vf_set1(d) * vi_float(l)));
		vi_store_u8(field + g, l + vi_set1(32));
	}
	for (int g = 0; g < GROUPS; g++) {
		low |= (field[g] & 15u) << 4 * g;
		high |= (unsigned)field[g] >> 4 << 2 * g;
	}
	memcpy(p, half, 2);
	for (int i = 0; i < 2; i++)
		p[2 + i] = (uint8_t)(high >> 8 * i);
	for (int i = 0; i < 4; i++)
		p[4 + i] = (uint8_t)(low >> 8 * i);
	for (int g = 0; g < GROUPS; g++)
		codes_put(p + 8 + 16 * g, x + g * GROUP, is[g]);
}

void
KERNEL(iq4_xs_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	float scale[ALL], row[W][LEN] = { { 0 } }, sigma2[ALL], sum[W], d[W], inv[W];
	uint8_t *p = dst, half[2 * W];

	for (size_t blocks = n / N, some; blocks; blocks -= some) {
		vf t[LEN], m;

		some = blocks < W ? blocks : W;
		if (qw) {
			vf_store(sum, vf_set1(2) * sum_squares(N, x, some) / vf_set1(N));
			for (size_t g = 0; g < ALL; g++)
				sigma2[g] = sum[g / GROUPS];
		}
		for (size_t g = 0; g < some * GROUPS; g += AT_ONCE) {
			size_t left = some * GROUPS - g;

			fit(x + g * GROUP, qw ? qw + g * GROUP : NULL, qw ? sigma2 + g : NULL,
			    left < AT_ONCE ? left : AT_ONCE, scale + g);
		}
		/* From here on a block a lane. */
		for (size_t i = 0; i < some; i++)
			memcpy(row[i], scale + i * GROUPS, GROUPS * sizeof *scale);
		tile_load(t, row[0], LEN, some);
		m = -signed_max(GROUPS, t) / vf_set1(32);
		vf_store(d, m);
		vf_store(inv, vf_inverse(m));
		vf_store_f16(half, m);
		for (size_t i = 0; i < some; i++, p += 136, x += N)
			block_put(p, x, row[i], d[i], inv[i], half + 2 * i);
		if (qw)
			qw += some * N;
	}
}
