/* SPDX-License-Identifier: MIT */
/* tq1_0.c -- TQ1_0 and TQ2_0, as lib/type/tq1_0.c describes them. */
#include "block32.h"
#include "decode.h"
#include "simd.h"

enum { N = 256, RUNS = N / 32 };

/* The trits of a block, a byte each, 32 to a vb, and the scale; what is no
 * number counts as 0, the middle. */
static inline void
trits(vb *t, uint8_t *scale, const float *x)
{
	vf max = vf_set1(0), id;
	uint16_t half[W];
	float d;
	vi q[V];

	for (int i = 0; i < N; i += 2 * W)
		max = vf_absmax(max, vf_absmax(vf_load(x + i), vf_load(x + i + W)));
	d = vf_hmax(max);
	vf_store_f16(half, vf_set1(d));
	memcpy(scale, half, 2);
	id = vf_inverse(vf_set1(d));
	for (int r = 0; r < RUNS; r++) {
		UNROLL
		for (int k = 0; k < V; k++) {
			vf v = vf_load(x + 32 * r + W * k) * id, a = vf_abs(v);
			vm one = vm_and(vf_le(vf_set1(0.5f), a), vf_lt(a, vf_set1(1.5f)));
			vi side = vi_set1(2) & ~(vf_bits(v) >> 31);

			q[k] = vi_select(one, side, vi_set1(1));
		}
		t[r] = vb_pack(q);
	}
}

static inline vb
times3(vb v)
{
	return v + v + v;
}

static inline b16
half_times3(b16 v)
{
	return v + v + v;
}

/* Trits as one number of base 3, the first highest; a byte is its share of
 * 243 in 256ths, rounded up. */
static void
tq1_0_encode(uint8_t *p, const vb *t)
{
	uint8_t v[64] = { 0 }, c[64], last[16];
	vb a = t[0];
	b16 b = vb_low(t[5]);

	for (int k = 1; k < 5; k++)
		a = times3(a) + t[k];
	b = half_times3(b) + vb_high(t[5]);
	b = half_times3(b) + vb_low(t[6]);
	b = half_times3(b) + vb_high(t[6]);
	b = half_times3(b) + vb_low(t[7]);
	vb_store(v, a);
	b16_store(v + 32, b);
	b16_store(last, vb_high(t[7]));
	for (int j = 0; j < 4; j++)
		v[48 + j] = (uint8_t)(last[j] * 81 + last[4 + j] * 27 + last[8 + j] * 9 + last[12 + j] * 3);
	for (int j = 0; j < 64; j += W)
		vi_store_u8(c + j, (vi_load_u8(v + j) * 17261 + 16383) >> 14);
	memcpy(p, c, 52);
}

void
KERNEL(tq1_0_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	vb t[RUNS];

	(void)qw;
	for (; n >= N; n -= N, p += 54, x += N) {
		trits(t, p + 52, x);
		tq1_0_encode(p, t);
	}
}

void
KERNEL(tq2_0_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	vb t[RUNS];

	(void)qw;
	for (; n >= N; n -= N, p += 66, x += N) {
		trits(t, p + 64, x);
		for (int h = 0; h < 2; h++)
			vb_store(p + 32 * h, t[4 * h] | t[4 * h + 1] << 2 | t[4 * h + 2] << 4 |
			    t[4 * h + 3] << 6);
	}
}

/* The first trit, from -1 to 1, of numbers in 256ths of 243. */
static inline b16
first_trits(b16 v)
{
	return (b16)-((v > 85) + (v > 170)) - 1;
}

void
KERNEL(tq1_0_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= N; n -= N, p += 54, dst += N) {
		float d = f16_get(p + 52), *x = dst;
		b16 a = b16_load(p), b = b16_load(p + 16), c = b16_load(p + 32);
		uint8_t last[16];

		for (int t = 0; t < 5; t++, x += 32) {
			put16(x, first_trits(a), d);
			put16(x + 16, first_trits(b), d);
			a = half_times3(a);
			b = half_times3(b);
		}
		for (int t = 0; t < 5; t++, x += 16) {
			put16(x, first_trits(c), d);
			c = half_times3(c);
		}
		memcpy(last, p + 48, 4);
		for (int j = 4; j < 16; j++)
			last[j] = (uint8_t)(last[j - 4] * 3);
		put16(x, first_trits(b16_load(last)), d);
	}
}

void
KERNEL(tq2_0_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= N; n -= N, p += 66)
		for (int i = 0; i < 64; i += 32)
			for (int t = 0; t < 8; t += 2, dst += 32) {
				vb c = (vb_load(p + i) >> t & 3) - 1;

				put16(dst, vb_low(c), f16_get(p + 64));
				put16(dst + 16, vb_high(c), f16_get(p + 64));
			}
}
