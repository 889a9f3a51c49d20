/* SPDX-License-Identifier: MIT */
/* q6_k.c -- Q6_K, as lib/type/q6_k.c writes it. */
#include "signed.h"
#include "simd.h"

enum { N = 256, GROUPS = 16, QH = 128, SCALES = 192, D = 208, BYTES = 210 };

/* The scales' own scale: its inverse, and as stored. */
static void
block_put(uint8_t *p, const float *x, const float *scale, const float *is, float inv, float d)
{
	float ds[GROUPS];
	unsigned zero = 0;

	UNROLL
	for (int g = 0; g < GROUPS; g += W) {
		vi q = vi_min(vi_near(vf_set1(inv) * vf_load(scale + g)), vi_set1(127));

		vi_store_u8(p + SCALES + g, q);
		vf_store(ds + g, vf_set1(d) * vi_float(q));
		zero |= vm_bits(vf_eq(vf_load(ds + g), vf_set1(0))) << g;
	}
	UNROLL
	for (int half = 0; half < 2; half++) {
		vb c[4], high = { 0 };

		UNROLL
		for (int i = 0; i < 4; i++) {
			int g = half * 8 + i * 2;

			c[i] = zero >> g & 3 ? recode_left(32, x + g * LEN, ds + g, is + g, NULL) :
			    recode(32, x + g * LEN, ds + g);
			high |= c[i] >> 4 << 2 * i;
		}
		vb_store(p + half * 64, (c[0] & 15) | c[2] << 4);
		vb_store(p + half * 64 + 32, (c[1] & 15) | c[3] << 4);
		vb_store(p + QH + half * 32, high);
	}
}

void
KERNEL(q6_k_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	float scale[W * GROUPS], is[W * GROUPS], max[W], inv[W], d[W];
	vf t[LEN], w[LEN], m;
	float num[TRIALS];
	uint8_t *p = dst, half[2 * W];

	signed_numerators(32, num);

	for (size_t blocks = n / N, some; blocks; blocks -= some) {
		some = blocks < W ? blocks : W;
		for (size_t g = 0; g < some * GROUPS; g += SIDES * W) {
			struct sums k[SIDES];
			for (size_t i = 0; i < SIDES; i++) {
				const float *v = x + (g + i * W) * LEN;
				if (g + i * W >= some * GROUPS) {
					k[i] = k[0];
					continue;
				}
				tile_load(t, v, LEN, W);
				if (qw)
					tile_load(w, qw + (v - x), LEN, W);
				else
					for (int j = 0; j < LEN; j++)
						w[j] = t[j] * t[j];
				signed_sums(32, num, t, w, &k[i]);
			}
			signed_choose(num, SIDES, k, scale + g, is + g);
		}
		/* From here on a block a lane. */
		tile_load(t, scale, GROUPS, some);
		m = signed_max(GROUPS, t);
		vf_store(max, m);
		m = vf_set1(-128) / m;
		vf_store(inv, m);
		vf_store_f16(half, vf_set1(1) / m);
		vf_store(d, vf_load_f16(half));
		for (size_t i = 0; i < some; i++, p += BYTES, x += N) {
			if (fabsf(max[i]) < GROUP_EPS) {
				memset(p, 0, BYTES);
				continue;
			}
			block_put(p, x, scale + i * GROUPS, is + i * GROUPS, inv[i], d[i]);
			memcpy(p + D, half + 2 * i, 2);
		}
		if (qw)
			qw += some * N;
	}
}
