/* SPDX-License-Identifier: MIT */
/*
 * q3_k.c -- Q3_K, as lib/type/q3_k.c writes it.
 *
 * Without an imatrix the reference descends from the first codes, one element
 * after the other.  Four groups in five are at the bottom already: those are
 * found at a glance, and the others collected and walked down together.
 */
#include "signed.h"
#include "simd.h"

enum { N = 256, GROUPS = 16, HALF = 4, QS = 32, SCALES = 96, D = 108, BYTES = 110 };
enum { SWEEPS = 5, ALL = W * GROUPS, V = LEN / W, SLOTS = 3 };

/* W blocks at work: what the search found for each group. */
struct work {
	float		scale[ALL], is[ALL], weight[ALL];
	float		a[ALL], b[ALL];
	uint16_t	todo[ALL];
	uint8_t		code[ALL][LEN];
};

/* A group on its way down, its elements side by side. */
struct descent {
	vf		x[V], w[V], code[V], a, b;
	unsigned	at;		/* the element to look at next */
	int		sweep;
	bool		changed;
	size_t		nth;
};

static void
descent_begin(struct descent *d, const struct work *k, const float *x, size_t nth)
{
	size_t g = k->todo[nth];

	UNROLL
	for (int i = 0; i < V; i++) {
		d->x[i] = vf_load(x + g * LEN + i * W);
		d->w[i] = d->x[i] * d->x[i];
		d->code[i] = vi_float(signed_code(HALF, vf_set1(k->is[g]) * d->x[i]));
	}
	d->a = vf_set1(k->a[g]);
	d->b = vf_set1(k->b[g]);
	d->at = 0;
	d->sweep = 0;
	d->changed = false;
	d->nth = nth;
}

static void
descent_end(const struct descent *d, struct work *k)
{
	size_t g = k->todo[d->nth];
	float scale[W];

	vf_store(scale, vf_select(vf_lt(vf_set1(0), d->b), d->a / d->b, vf_set1(0)));
	k->scale[g] = scale[0];
	k->is[g] = NAN;
	UNROLL
	for (int i = 0; i < V; i++)
		vi_store_u8(k->code[g] + i * W, vi_trunc(d->code[i]) + vi_set1(HALF));
}

/*
 * What every element would do by itself is found at once; the first that would
 * do something is the reference's next step.
 */
static void
descend(struct work *k, const float *x, size_t n)
{
	const float number[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct descent slot[SLOTS];
	size_t next = SLOTS, open = n;

	for (size_t s = 0; s < SLOTS; s++) {
		descent_begin(&slot[s], k, x, s < n ? s : 0);
		slot[s].nth = s;
	}
	while (open > 0) {
		float a2[SLOTS][LEN], b2[SLOTS][LEN];
		vf new[SLOTS][V];
		unsigned yes[SLOTS];

		UNROLL
		for (int s = 0; s < SLOTS; s++) {
			const struct descent *d = &slot[s];

			yes[s] = 0;
			UNROLL
			for (int i = 0; i < V; i++) {
				vf wx = d->w[i] * d->x[i], wl = d->w[i] * d->code[i];
				vf a1 = d->a - wx * d->code[i], b1 = d->b - wl * d->code[i], na, nb;

				new[s][i] = vi_float(signed_code(HALF, d->x[i] * b1 / a1));
				na = a1 + wx * new[s][i];
				nb = b1 + d->w[i] * new[s][i] * new[s][i];
				vf_store(a2[s] + i * W, na);
				vf_store(b2[s] + i * W, nb);
				yes[s] |= vm_bits(vm_and(vm_and(vf_lt(vf_set1(0), a1), vm_not(vf_eq(new[s][i], d->code[i]))),
				    vm_and(vf_lt(vf_set1(0), nb), vf_lt(d->a * d->a * nb, na * na * d->b)))) << i * W;
			}
		}
		for (int s = 0; s < SLOTS; s++) {
			struct descent *d = &slot[s];
			unsigned now = yes[s] & ~0u << d->at;

			if (!now && d->changed && ++d->sweep < SWEEPS) {
				now = yes[s];
				d->changed = false;
			}
			if (now) {
				int e = __builtin_ctz(now);

				d->a = vf_set1(a2[s][e]);
				d->b = vf_set1(b2[s][e]);
				UNROLL
				for (int i = 0; i < V; i++)
					d->code[i] = vf_select(vf_eq(vf_load(number + i * W), vf_set1((float)e)), new[s][i], d->code[i]);
				d->at = (unsigned)e + 1;
				d->changed = true;
			} else if (d->nth < n) {
				descent_end(d, k);
				open--;
				if (next < n)
					descent_begin(d, k, x, next);
				else
					d->nth = n;
				next++;
			}
		}
	}
}

/*
 * The first codes, their sums, and a mask of the groups that may go on from
 * there.  It errs to one side: in the others no element would, by itself, have
 * another code.
 */
INLINE vm
glance(const vf *x, vf max, vf is, vf *out_a, vf *out_b)
{
	const vf magic = vf_set1(12582912.0f);
	vf a = vf_set1(0), b = a;
	vf far = a, least = vf_set1(INFINITY), most = -least, w[LEN], code[LEN];
	struct term term[LEN];

	for (int j = 0; j < LEN; j++) {
		code[j] = vf_min(is * x[j] + magic - magic, vf_set1(HALF - 1));
		w[j] = x[j] * x[j];
		term[j].a = w[j] * x[j] * code[j];
		term[j].b = w[j] * code[j] * code[j];
		a += term[j].a;
		b += term[j].b;
	}
	for (int j = 0; j < LEN; j++) {
		vf a1 = a - term[j].a, new = x[j] * (b - term[j].b) / a1;

		least = vf_min(a1, least);
		most = vf_max(a1, most);
		new = vf_max(vf_min(new, vf_set1(HALF - 1)), vf_set1(-HALF));
		far = vf_max(vf_abs(new - code[j]), far);
	}
	if (!vm_all(vf_lt(vf_abs(a), vf_set1(INFINITY))))
		careful(HALF, x, w, is, &a, &b);
	*out_a = a;
	*out_b = b;
	/* The last: no quotient so large that near() is odd. */
	return vm_not(vm_or(vf_le(most, vf_set1(0)), vm_and(vf_lt(far, vf_set1(0.4999f)),
	    vf_lt(vf_abs(max) * b, vf_set1(1e6f) * least))));
}

static void
search(struct work *k, const float *x, size_t groups)
{
	size_t n = 0;

	for (size_t g = 0; g < groups; g += W) {
		vf t[LEN], max, is, a, b;
		vm dead, go;

		tile_load(t, x + g * LEN, LEN, W);
		max = signed_max(LEN, t);
		is = vf_set1(-HALF) / max;
		dead = vf_lt(vf_abs(max), vf_set1(GROUP_EPS));
		go = glance(t, max, is, &a, &b);
		vf_store(k->a + g, a);
		vf_store(k->b + g, b);
		vf_store(k->scale + g, vf_select(vm_and(vm_not(dead), vf_lt(vf_set1(0), b)), a / b, vf_set1(0)));
		vf_store(k->is + g, vf_select(dead, vf_set1(INFINITY), is));
		for (unsigned m = vm_bits(vm_and(go, vm_not(dead))); m; m &= m - 1)
			k->todo[n++] = (uint16_t)(g + (size_t)__builtin_ctz(m));
	}
	if (n > 0)
		descend(k, x, n);
}

/* With importance; sigma2 of W blocks. */
static void
search_weighted(struct work *k, const float *x, const float *qw, size_t groups, const float *sigma2)
{
	float num[TRIALS];

	signed_numerators(HALF, num);
	for (size_t g = 0; g < groups; g += SIDES * W) {
		struct sums sums[SIDES];

		for (size_t i = 0; i < SIDES; i++) {
			size_t at = g + i * W;
			vf t[LEN], w[LEN], sw = vf_set1(0);

			if (at >= groups) {
				sums[i] = sums[0];
				continue;
			}
			tile_load(t, x + at * LEN, LEN, W);
			tile_load(w, qw + at * LEN, LEN, W);
			for (int j = 0; j < LEN; j++) {
				w[j] *= vf_sqrt(vf_set1(sigma2[at / GROUPS]) + t[j] * t[j]);
				sw += w[j];
			}
			vf_store(k->weight + at, sw);
			signed_sums(HALF, num, t, w, &sums[i]);
		}
		signed_choose(num, SIDES, sums, k->scale + g, k->is + g);
	}
}

/* field: six bits each; d: as stored. */
static void
block_put(uint8_t *p, const float *x, const float *is, const uint8_t *left, const uint8_t *field, float d)
{
	uint64_t low, high;
	uint32_t top[4], tops = 0;
	float ds[GROUPS];
	vb mask = { 0 };
	unsigned zero = 0;

	memcpy(&low, field, 8);
	memcpy(&high, field + 8, 8);
	memcpy(top, field, 16);
	low = (low & 0x0f0f0f0f0f0f0f0f) | (high & 0x0f0f0f0f0f0f0f0f) << 4;
	for (int i = 0; i < 4; i++)
		tops |= (top[i] >> 4 & 0x03030303) << 2 * i;
	memcpy(p + SCALES, &low, 8);
	memcpy(p + SCALES + 8, &tops, 4);

	UNROLL
	for (int g = 0; g < GROUPS; g += W) {
		vf v = vf_set1(d) * vi_float(vi_load_u8(field + g) - vi_set1(32));

		vf_store(ds + g, v);
		zero |= vm_bits(vf_eq(v, vf_set1(0))) << g;
	}
	UNROLL
	for (int half = 0; half < 2; half++) {
		vb qs = { 0 };

		UNROLL
		for (int i = 0; i < 4; i++) {
			int g = half * 8 + i * 2;
			vb c = zero >> g & 3 ? recode_left(HALF, x + g * LEN, ds + g, is + g, left + g * LEN) :
			    recode(HALF, x + g * LEN, ds + g);

			qs |= (c & 3) << 2 * i;
			mask |= c >> 2 << (half * 4 + i);
		}
		vb_store(p + QS + half * 32, qs);
	}
	vb_store(p, mask);
}

void
KERNEL(q3_k_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	struct work k;
	uint8_t *p = dst, half[2 * W], field[ALL];
	float sigma2[W], d[W], is[W];

	for (size_t blocks = n / N, some; blocks; blocks -= some) {
		vf t[LEN], w[LEN], m;
		unsigned none;

		some = blocks < W ? blocks : W;
		if (qw) {
			struct sums sums;
			float num[TRIALS];

			vf_store(sigma2, vf_set1(2) * sum_squares(N, x, some) / vf_set1(N));
			search_weighted(&k, x, qw, some * GROUPS, sigma2);
			/* From here on a block a lane. */
			tile_load(t, k.scale, GROUPS, some);
			tile_load(w, k.weight, GROUPS, some);
			signed_numerators(32, num);
			signed_sums(32, num, t, w, &sums);
			signed_choose(num, 1, &sums, d, is);
			none = vm_bits(vf_lt(vf_abs(sums.max), vf_set1(GROUP_EPS)));
			qw += some * N;
		} else {
			search(&k, x, some * GROUPS);
			tile_load(t, k.scale, GROUPS, some);
			m = signed_max(GROUPS, t);
			none = vm_bits(vf_eq(m, vf_set1(0)));
			vf_store(is, vf_set1(-32) / m);
			vf_store(d, vf_select(vf_eq(m, vf_set1(0)), vf_set1(0), vf_set1(1) / (vf_set1(-32) / m)));
		}
		vf_store_f16(half, vf_load(d));
		vf_store(d, vf_load_f16(half));
		for (size_t i = 0; i < some; i++, p += BYTES, x += N) {
			for (size_t g = i * GROUPS; g < (i + 1) * GROUPS; g += W)
				vi_store_u8(field + g, none >> i & 1 ? vi_set1(0) :
				    signed_code(32, vf_set1(is[i]) * vf_load(k.scale + g)) + vi_set1(32));
			block_put(p, x, k.is + i * GROUPS, k.code[i * GROUPS], field + i * GROUPS, d[i]);
			memcpy(p + D, half + 2 * i, 2);
		}
	}
}
