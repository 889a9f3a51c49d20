/* SPDX-License-Identifier: MIT */
/* fp4.c -- MXFP4 and NVFP4, as lib/type/fp4.c describes them. */
#include "block32.h"
#include "decode.h"
#include "simd.h"

/* E2M1, doubled. */
static const float e2m1[16] = {
	0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
};

/* The first of the nearest, by trying all as the reference does: where
 * products overflow or differences round, that is not what lies nearest. */
static inline vi
nearest_of_all(vf x, float scale)
{
	vf best = vf_abs(vf_set1(e2m1[0] * scale) - x);
	vi found = vi_set1(0);

	for (int i = 1; i < 16; i++) {
		vf err = vf_abs(vf_set1(e2m1[i] * scale) - x);
		vm less = vf_lt(err, best);

		best = vf_select(less, err, best);
		found = vi_select(less, vi_set1(i), found);
	}
	return found;
}

/* 2^(e - 128); 0 and 1 are subnormal. */
static float
e8m0_half(uint8_t e)
{
	uint32_t u = e < 2 ? (uint32_t)0x00200000 << e : (uint32_t)(e - 1) << 23;
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

/*
 * The scale's code.  log2f() rounds up just under a power of two, and the
 * reference with it; elsewhere its floor is the exponent.
 */
static uint8_t
e8m0_from(float amax)
{
	uint32_t u;

	memcpy(&u, &amax, sizeof u);
	if (u == 0)
		return 0;
	if (u < 0x00800000 || (u & 0x7fff00) == 0x7fff00)
		return (uint8_t)((int)floorf(log2f(amax)) - 2 + 127);
	return (uint8_t)((int)(u >> 23) - 2);
}

/*
 * Codes of 32 elements given as multiples of half a scale, 31 at most.  A
 * ceiling tells what lies above a whole number, and midpoints are such; a tie
 * goes to the smaller code.
 */
static inline vb
codes(const vf *v)
{
	static const b16 code_of = { 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6 };
	vi q[V];
	vb b, m, c;

	UNROLL
	for (int i = 0; i < V; i++)
		q[i] = vi_ceil(vf_abs(v[i])) | (vi_shr(vf_bits(v[i]), 24) & vi_set1(128));
	b = vb_pack(q);
	m = b & 127;
	c = vb_lookup(code_of, vb_min(m, vb_set1(15))) - (vb)((vb_signed)m > 20);
	return c | ((b & 128) >> 4 & (vb)((vb_signed)m > 1));
}

static void
mxfp4_encode(uint8_t *p, const float *x, size_t blocks)
{
	float max[BLOCKS];
	size_t b;

	blocks_absmax(max, x, blocks, 32);
	for (b = 0; b < blocks; b++, p += 17, x += 32) {
		uint8_t e = e8m0_from(max[b]);
		vb c;

		if (e >= 2 && e <= 252) {
			/* A power of two, times which nothing is rounded. */
			uint32_t u = (uint32_t)(256 - e) << 23;
			float k;
			vf v[V];

			memcpy(&k, &u, sizeof k);
			UNROLL
			for (int i = 0; i < V; i++)
				v[i] = vf_load(x + W * i) * vf_set1(k);
			c = codes(v);
		} else {
			vi q[V];

			for (int i = 0; i < V; i++)
				q[i] = nearest_of_all(vf_load(x + W * i), e8m0_half(e));
			c = vb_pack(q);
		}
		p[0] = e;
		b16_store(p + 1, vb_low(c) | vb_high(c) << 4);
	}
}

void
KERNEL(mxfp4_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	(void)qw;
	each_blocks(dst, x, n, 17, mxfp4_encode);
}

/* Half of the value; bit 7 counts only in telling 0x7f from 0xff. */
static float
ue4m3_half(uint8_t c)
{
	uint32_t rest = c & 0x7f, u = (rest << 20) + (119u << 23);
	float f;

	if (c == 0x7f)
		return 0;
	if (rest < 8)
		return (float)rest * 0x1p-10f;
	memcpy(&f, &u, sizeof f);
	return f;
}

/* Codes of W scales.  One bit decides the rounding; its carry may reach the
 * exponent. */
static inline vi
ue4m3_from(vf v)
{
	vi u = vf_bits(v), small = vi_trunc(v * vf_set1(512) + vf_set1(0.5f));
	vi c = vi_shr(u, 20) - vi_set1(120 << 3) + (vi_shr(u, 19) & vi_set1(1));

	c = vi_select(vf_lt(v, vf_set1(248)), c, vi_set1(0x7e));
	return vi_select(vf_lt(v, vf_set1(0x1p-6f)), vi_min(small, vi_set1(7)), c);
}

/* What they stand for, halved. */
static inline vf
ue4m3_halves(vi c)
{
	vf normal = vi_bits((c << 20) + vi_set1(119 << 23));

	return vf_select(vf_lt(vi_float(c), vf_set1(8)), vi_float(c) * vf_set1(0x1p-10f), normal);
}

/*
 * Four scales to a block of 64, then 8 bytes for each.  A scale has few bits,
 * so a quotient is above a midpoint if and only if the element is.
 */
static void
nvfp4_encode(uint8_t *p, const float *x, size_t blocks)
{
	float max[2 * BLOCKS], d[2 * BLOCKS];
	uint8_t e[2 * BLOCKS];
	size_t s;

	blocks_absmax(max, x, 2 * blocks, 16);
	for (s = 0; s < 2 * blocks; s += W) {
		vi c = ue4m3_from(vf_load(max + s) / vf_set1(6));

		vi_store_u8(e + s, c);
		vf_store(d + s, ue4m3_halves(c));
	}
	for (s = 0; s < 2 * blocks; s += 2, x += 32) {
		uint8_t *block = p + s / 4 * 36;
		uint64_t eight[4];
		vf v[V];
		vb c;

		/* Not so where differences from all codes round to one. */
		if (max[s] < d[s] * 0x1p20f && max[s + 1] < d[s + 1] * 0x1p20f) {
			UNROLL
			for (int i = 0; i < V; i++) {
				v[i] = vf_load(x + W * i) / vf_set1(d[s + (size_t)(i / (V / 2))] * 0.5f);
				v[i] = vf_max(vf_min(v[i], vf_set1(31)), vf_set1(-31));
			}
			c = codes(v);
		} else {
			vi q[V];

			for (int i = 0; i < V; i++)
				q[i] = nearest_of_all(vf_load(x + W * i), d[s + (size_t)(i / (V / 2))]);
			c = vb_pack(q);
		}
		vb_store(eight, c);
		eight[0] |= eight[1] << 4;
		eight[2] |= eight[3] << 4;
		memcpy(block + s % 4, e + s, 2);
		memcpy(block + 4 + 8 * (s % 4), eight, 8);
		memcpy(block + 12 + 8 * (s % 4), eight + 2, 8);
	}
}

void
KERNEL(nvfp4_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	(void)qw;
	each_blocks(dst, x, n, 18, nvfp4_encode);
}

static const b16 values = { 0, 1, 2, 3, 4, 6, 8, 12, 0, 255, 254, 253, 252, 250, 248, 244 };

void
KERNEL(mxfp4_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= 32; n -= 32, p += 17, dst += 32) {
		vb c = vb_lookup(values, nibbles_get(p + 1));

		put16(dst, vb_low(c), e8m0_half(p[0]));
		put16(dst + 16, vb_high(c), e8m0_half(p[0]));
	}
}

void
KERNEL(nvfp4_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= 64; n -= 64, p += 36)
		for (int s = 0; s < 4; s++, dst += 16) {
			uint64_t q;

			memcpy(&q, p + 4 + 8 * s, 8);
			put16(dst, b16_lookup(values, b16_longs(q, q >> 4) & 15), ue4m3_half(p[s]));
		}
}
