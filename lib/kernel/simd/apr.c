/* SPDX-License-Identifier: MIT */
/* apr.c -- apr_q4 and apr_q8, as lib/type/apr.c describes them. */
#include "block32.h"
#include "decode.h"
#include "simd.h"

typedef uint16_t pairs __attribute__((vector_size(32)));

/* Half away from 0, cut to size; NaN is 0. */
static inline vi
quantize(vf v, float low, float high)
{
	vi q = vi_round(vf_min(vf_max(v, vf_set1(low)), vf_set1(high)));

	return vi_select(vf_eq(v, v), q, vi_set1(0));
}

static void
q4_encode(uint8_t *p, const float *x, size_t blocks)
{
	float max[BLOCKS];
	uint16_t scale[BLOCKS];

	blocks_absmax(max, x, blocks, 32);
	for (size_t b = 0; b < blocks; b += W) {
		vf m = vf_load(max + b);

		m = vf_select(vf_lt(vf_set1(0), m), m / vf_set1(7), vf_set1(1));
		vf_store(max + b, m);
		vf_store_f16(scale + b, m);
	}
	for (size_t b = 0; b < blocks; b++, p += 18, x += 32) {
		pairs w;
		vi q[V];

		UNROLL
		for (int k = 0; k < V; k++)
			q[k] = quantize(vf_load(x + W * k) / vf_set1(max[b]), -8, 7) + 8;
		/* Neighbours share a byte, the first low. */
		w = (pairs)vb_pack(q);
		memcpy(p, &scale[b], 2);
		b16_store(p + 2, __builtin_convertvector(w | w >> 4, b16));
	}
}

void
KERNEL(apr_q4_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = (uint8_t *)dst + n / 32 * 18;
	float last[32] = { 0 };

	(void)qw;
	each_blocks(dst, x, n, 18, q4_encode);
	if (n % 32 == 0)
		return;
	/* What is not there is no 0, which has the code 8. */
	memcpy(last, x + n / 32 * 32, n % 32 * sizeof *x);
	q4_encode(p, last, 1);
	for (size_t i = n % 32; i < 32; i++)
		p[2 + i / 2] &= (uint8_t)(i % 2 ? 0x0f : 0);
}

void
KERNEL(apr_q8_from_f32)(int8_t *dst, const float *x, size_t n, float scale)
{
	float last[W] = { 0 };
	uint8_t end[W];

	for (; n >= W; n -= W, dst += W, x += W)
		vi_store_u8((uint8_t *)dst, quantize(vf_load(x) / vf_set1(scale), -127, 127));
	if (n > 0) {
		memcpy(last, x, n * sizeof *x);
		vi_store_u8(end, quantize(vf_load(last) / vf_set1(scale), -127, 127));
		memcpy(dst, end, n);
	}
}

void
KERNEL(apr_q8_to_f32)(float *dst, const int8_t *src, size_t n, float scale)
{
	int8_t last[W] = { 0 };
	float end[W];

	for (; n >= W; n -= W, dst += W, src += W)
		vf_store(dst, vi_float(vi_load_i8(src)) * vf_set1(scale));
	if (n > 0) {
		memcpy(last, src, n);
		vf_store(end, vi_float(vi_load_i8(last)) * vf_set1(scale));
		memcpy(dst, end, n * sizeof *dst);
	}
}

/* Neighbours share a byte: a zip of low and high nibbles. */
static inline void
q4_block(float *dst, const uint8_t *p)
{
	b16 v = b16_load(p + 2);
	pairs w = __builtin_convertvector(v, pairs);
	vb c = ((vb)(w | w << 4) & 15) - 8;

	put16(dst, vb_low(c), f16_get(p));
	put16(dst + 16, vb_high(c), f16_get(p));
}

void
KERNEL(apr_q4_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	float last[32];

	for (; n >= 32; n -= 32, p += 18, dst += 32)
		q4_block(dst, p);
	if (n > 0) {
		q4_block(last, p);
		memcpy(dst, last, n * sizeof *dst);
	}
}
