/* SPDX-License-Identifier: MIT */
/* q1_0.c -- Q1_0 and Q2_0, as lib/type/q1_0.c describes them. */
#include "block32.h"
#include "decode.h"
#include "simd.h"

enum { ONE = 128, TWO = 64 };

typedef uint8_t eight __attribute__((vector_size(8)));
typedef uint32_t words __attribute__((vector_size(32)));

/* The sum of each of W blocks' |x|, in order; where there are less, the last
 * is repeated. */
static inline vf
sums(const float *x, size_t blocks)
{
	vf sum = vf_set1(0), t[W];

	for (int j = 0; j < ONE; j += W) {
		UNROLL
		for (size_t b = 0; b < W; b++)
			t[b] = vf_load(x + ONE * (b < blocks ? b : blocks - 1) + j);
		vf_transpose(t);
		UNROLL
		for (int i = 0; i < W; i++)
			sum += vf_abs(t[i]);
	}
	return sum;
}

void
KERNEL(q1_0_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	uint16_t scale[W];
	vi q[V];

	(void)qw;
	for (size_t some; n > 0; n -= some * ONE) {
		some = n / ONE < W ? n / ONE : W;
		vf_store_f16(scale, sums(x, some) / vf_set1(ONE));
		for (size_t b = 0; b < some; b++, p += 18, x += ONE) {
			memcpy(p, &scale[b], 2);
			for (int i = 0; i < 4; i++) {
				uint32_t bits;

				UNROLL
				for (int k = 0; k < V; k++)
					q[k] = vi_select(vf_le(vf_set1(0), vf_load(x + 32 * i + W * k)),
					    vi_set1(128), vi_set1(0));
				bits = vb_tops(vb_pack(q));
				memcpy(p + 2 + 4 * i, &bits, 4);
			}
		}
	}
}

/* Nothing is computed with it, so a NaN is not made quiet. */
static int32_t
half_bits(const uint8_t *p)
{
	uint32_t h = (uint32_t)(p[0] | p[1] << 8);
	float f = f16_get(p);
	int32_t bits;

	if ((h & 0x7fff) > 0x7c00)
		return (int32_t)((h & 0x8000) << 16 | 0x7f800000 | (h & 0x7fff) << 13);
	memcpy(&bits, &f, sizeof bits);
	return bits;
}

void
KERNEL(q1_0_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= ONE; n -= ONE, p += 18, dst += ONE) {
		int32_t bits = half_bits(p);

		for (int i = 0; i < 4; i++) {
			vb plus = bits_get(p + 2 + 4 * i);

			UNROLL
			for (int k = 0; k < V; k++) {
				vi m = vi_bytes(k < V / 2 ? vb_low(plus) : vb_high(plus), k % (V / 2));

				vi_store(dst + 32 * i + W * k, vi_set1(bits) ^ (~m & vi_set1(INT32_MIN)));
			}
		}
	}
}

/* Two blocks of 32 have one scale. */
static void
q2_0_encode(uint8_t *p, const float *x, size_t blocks)
{
	float max[BLOCKS], id[BLOCKS];
	uint16_t scale[BLOCKS];
	vi q[V];

	blocks_absmax(max, x, blocks, 32);
	for (size_t b = 0; b < blocks; b += 2)
		max[b] = max[b + 1] = max[b] > max[b + 1] ? max[b] : max[b + 1];
	for (size_t b = 0; b < blocks; b += W) {
		vf_store(id + b, vf_inverse(vf_load(max + b)));
		vf_store_f16(scale + b, vf_load(max + b));
	}
	for (size_t b = 0; b < blocks; b++, x += 32) {
		uint8_t *block = p + b / 2 * 18;
		words w;
		eight c;

		UNROLL
		for (int k = 0; k < V; k++) {
			vi v = vi_round(vf_load(x + W * k) * vf_set1(id[b]));

			q[k] = vi_max(vi_min(v, vi_set1(2)), vi_set1(-1)) + 1;
		}
		w = (words)vb_pack(q);
		c = __builtin_convertvector((w | w >> 6 | w >> 12 | w >> 18) & 255, eight);
		memcpy(block, &scale[b], 2);
		memcpy(block + 2 + b % 2 * 8, &c, 8);
	}
}

void
KERNEL(q2_0_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	(void)qw;
	each_blocks(dst, x, n, 9, q2_0_encode);
}

void
KERNEL(q2_0_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= TWO; n -= TWO, p += 18)
		for (int i = 0; i < 2; i++, dst += 32) {
			eight c;
			words w;
			vb q;

			memcpy(&c, p + 2 + 8 * i, 8);
			w = __builtin_convertvector(c, words);
			q = (vb)((w | w << 6 | w << 12 | w << 18) & 0x03030303) - 1;
			put16(dst, vb_low(q), f16_get(p));
			put16(dst + 16, vb_high(q), f16_get(p));
		}
}
