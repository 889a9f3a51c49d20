/* SPDX-License-Identifier: MIT */
/* q8_0.c -- Q8_0: f16 scale, 32 signed bytes. */
#include "block32.h"
#include "simd.h"

enum { BYTES = 34 };

static inline void
round_all(vi *q, const float *x, float id)
{
	UNROLL
	for (int k = 0; k < V; k++)
		q[k] = vi_round(vf_load(x + W * k) * vf_set1(id));
}

static void
encode(uint8_t *p, const float *x, size_t blocks)
{
	float max[BLOCKS], id[BLOCKS];
	uint16_t scale[BLOCKS];
	bool exact = false;
	vi q[2 * V];
	vb c[2];
	size_t b;

	blocks_absmax(max, x, blocks, 32);
	for (b = 0; b < blocks; b += W) {
		vf d = vf_load(max + b) / vf_set1(127), i = vf_inverse(d);

		exact |= overflows(i);
		vf_store(id + b, i);
		vf_store_f16(scale + b, d);
	}
	for (b = 0; b < blocks; b++)
		memcpy(p + BYTES * b, &scale[b], 2);
	p += 2;
	for (b = 0; b + 2 <= blocks && !exact; b += 2, p += 2 * BYTES, x += 64) {
		round_all(q, x, id[b]);
		round_all(q + V, x + 32, id[b + 1]);
		vb_pack2(c, q);
		vb_store(p, c[0]);
		vb_store(p + BYTES, c[1]);
	}
	for (; b < blocks; b++, p += BYTES, x += 32) {
		round_all(q, x, id[b]);
		vb_store(p, vb_pack(q));
	}
}

void
KERNEL(q8_0_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	(void)qw;
	each_blocks(dst, x, n, BYTES, encode);
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
