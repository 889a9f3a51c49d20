/* SPDX-License-Identifier: MIT */
/* q8_0.c -- Q8_0: f16 scale, 32 signed bytes. */
#include "block32.h"
#include "simd.h"

enum { BYTES = 34 };

static inline void
encode(uint8_t *p, const float *x)
{
	vf d = group_absmax(x) / vf_set1(127);
	uint16_t scale[W];
	float id[W];

	vf_store(id, vf_inverse(d));
	vf_store_f16(scale, d);
	for (int b = 0; b < W; b++, p += BYTES, x += 32) {
		vi q[V];

		UNROLL
		for (int k = 0; k < V; k++)
			q[k] = vi_round(vf_load(x + W * k) * vf_set1(id[b]));
		memcpy(p, &scale[b], 2);
		vb_store(p + 2, vb_pack(q));
	}
}

void
KERNEL(q8_0_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	(void)qw;
	each_group(dst, x, n, BYTES, encode);
}

void
KERNEL(q8_0_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	float d;

	for (; n >= 32; n -= 32, p += BYTES, dst += 32) {
		d = f16_get(p);
		UNROLL
		for (int k = 0; k < V; k++)
			vf_store(dst + W * k, vi_float(vi_load_i8(p + 2 + W * k)) * vf_set1(d));
	}
}
