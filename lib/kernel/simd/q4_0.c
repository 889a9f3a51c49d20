/* SPDX-License-Identifier: MIT */
/* q4_0.c -- Q4_0 Q4_1 Q5_0 Q5_1, as lib/type/q4_0.c describes them. */
#include "block32.h"
#include "decode.h"
#include "simd.h"
#include "weighted32.h"

/* Of the first element that is the largest in magnitude: is it below 0? */
static bool
first_below(const float *x, float max)
{
	while (fabsf(*x) < max)
		x++;
	return *x < 0;
}

/* Scales of symmetric codes, -half for the element of largest magnitude, and
 * their inverse. */
static inline void
scales0(uint16_t *scale, float *id, const float *x, size_t blocks, int half)
{
	float high[BLOCKS], low[BLOCKS];

	blocks_ends(high, low, x, blocks);
	for (size_t b = 0; b < blocks; b += W) {
		vf h = vf_load(high + b), l = vf_load(low + b), zero = vf_set1(0), d;

		/* As large on either side: the first decides. */
		if (vm_any(vm_and(vf_eq(h, l), vf_lt(zero, h)))) {
			for (size_t k = b; k < b + W && k < blocks; k++)
				if (high[k] >= low[k] && high[k] <= low[k] && high[k] > 0 &&
				    first_below(x + 32 * k, high[k]))
					high[k] = 0;
			h = vf_load(high + b);
		}
		d = vf_select(vf_lt(h, l), -l, h);
		d = vf_select(vf_eq(d, zero), zero, d) / vf_set1(-(float)half);
		vf_store(id + b, vf_inverse(d));
		vf_store_f16(scale + b, d);
	}
}

/* Minima, scales of codes 0..top above them, and the scales' inverse. */
static inline void
scales1(uint16_t *scale, uint16_t *half_min, float *id, float *min, const float *x, size_t blocks,
    int top)
{
	float high[BLOCKS], low[BLOCKS];

	blocks_ends(high, low, x, blocks);
	for (size_t b = 0; b < blocks; b += W) {
		vf h = vf_load(high + b), l = -vf_load(low + b), zero = vf_set1(0), d;

		/* A zero has the sign of the first there is. */
		if (vm_any(vf_eq(l, zero))) {
			vf_store(min + b, l);
			for (size_t k = b; k < b + W && k < blocks; k++) {
				const float *v = x + 32 * k;

				while (min[k] == 0 && *v != 0)
					v++;
				if (min[k] == 0)
					min[k] = *v;
			}
			l = vf_load(min + b);
		}
		d = vf_select(vf_eq(h, l), zero, h - l) / vf_set1((float)top);
		vf_store(id + b, vf_inverse(d));
		vf_store(min + b, l);
		vf_store_f16(scale + b, d);
		vf_store_f16(half_min + b, l);
	}
}

/* A block's codes; what is no number becomes 0, if only the low byte counts. */
static inline void
codes0(vi *q, const float *x, float id, int half)
{
	UNROLL
	for (int k = 0; k < V; k++)
		q[k] = vi_min(vi_trunc(vf_load(x + W * k) * vf_set1(id) + vf_set1((float)half + 0.5f)),
		    vi_set1(2 * half - 1));
}

static inline void
codes1(vi *q, const float *x, float id, float min, int top)
{
	UNROLL
	for (int k = 0; k < V; k++)
		q[k] = vi_min(vi_trunc((vf_load(x + W * k) - vf_set1(min)) * vf_set1(id) + vf_set1(0.5f)),
		    vi_set1(top));
}

/* Element j low, j + 16 high. */
static inline void
nibbles_put(uint8_t *p, const vi *q)
{
	vi r[V / 2];

	UNROLL
	for (int k = 0; k < V / 2; k++)
		r[k] = q[k] | q[k + V / 2] << 4;
	b16_store(p, b16_pack(r));
}

/* The fifth bits, then the nibbles. */
static inline void
codes5_put(uint8_t *p, const vi *q)
{
	vb c = vb_pack(q);
	uint32_t fifth = vb_tops(c << 3);

	memcpy(p, &fifth, sizeof fifth);
	b16_store(p + 4, (vb_low(c) & 15) | vb_high(c) << 4);
}

/* With an imatrix: scale, minimum (for _1) and codes of W blocks from the
 * search, each to where `put` has it. */
typedef void block_put(uint8_t *p, const vi *q);

static inline void
weighted(uint8_t *p, const float *x, size_t n, const float *qw, size_t bytes, int half, int top,
    block_put *put)
{
	float sigma2 = mean_square(x, n);
	size_t some, head = top ? 4 : 2;
	struct lanes g;
	vi code[32], q[V];
	uint16_t scale[W], half_min[W];
	uint8_t c[32 * W];
	vf d, min;

	for (n /= 32; n > 0; n -= some, p += some * bytes, x += some * 32, qw += some * 32) {
		some = n < W ? n : W;
		lanes_load(g.x, x, some);
		lanes_load(g.w, qw, some);
		lanes_weigh(&g, sigma2);
		d = top ? fit_range32(&g, top, code, &min) : fit_signed32(&g, half, code);
		vf_store_f16(scale, d);
		if (top)
			vf_store_f16(half_min, min);
		/* Lanes back to rows: code j of block b is byte j * W + b. */
		for (int j = 0; j < 32; j++)
			vi_store_u8(c + j * W, code[j]);
		for (size_t b = 0; b < some; b++) {
			int32_t row[32];

			for (size_t j = 0; j < 32; j++)
				row[j] = c[j * W + b];
			UNROLL
			for (int k = 0; k < V; k++)
				q[k] = vi_load(row + W * k);
			memcpy(p + b * bytes, &scale[b], 2);
			if (top)
				memcpy(p + b * bytes + 2, &half_min[b], 2);
			put(p + b * bytes + head, q);
		}
	}
}

static void
q4_0_encode(uint8_t *p, const float *x, size_t blocks)
{
	uint16_t scale[BLOCKS];
	float id[BLOCKS];
	vi q[V];

	scales0(scale, id, x, blocks, 8);
	for (size_t b = 0; b < blocks; b++, p += 18, x += 32) {
		codes0(q, x, id[b], 8);
		memcpy(p, &scale[b], 2);
		nibbles_put(p + 2, q);
	}
}

static void
q4_1_encode(uint8_t *p, const float *x, size_t blocks)
{
	uint16_t scale[BLOCKS], half_min[BLOCKS];
	float id[BLOCKS], min[BLOCKS];
	vi q[V];

	scales1(scale, half_min, id, min, x, blocks, 15);
	for (size_t b = 0; b < blocks; b++, p += 20, x += 32) {
		codes1(q, x, id[b], min[b], 15);
		memcpy(p, &scale[b], 2);
		memcpy(p + 2, &half_min[b], 2);
		nibbles_put(p + 4, q);
	}
}

static void
q5_0_encode(uint8_t *p, const float *x, size_t blocks)
{
	uint16_t scale[BLOCKS];
	float id[BLOCKS];
	vi q[V];

	scales0(scale, id, x, blocks, 16);
	for (size_t b = 0; b < blocks; b++, p += 22, x += 32) {
		codes0(q, x, id[b], 16);
		memcpy(p, &scale[b], 2);
		codes5_put(p + 2, q);
	}
}

static void
q5_1_encode(uint8_t *p, const float *x, size_t blocks)
{
	uint16_t scale[BLOCKS], half_min[BLOCKS];
	float id[BLOCKS], min[BLOCKS];
	vi q[V];

	scales1(scale, half_min, id, min, x, blocks, 31);
	for (size_t b = 0; b < blocks; b++, p += 24, x += 32) {
		codes1(q, x, id[b], min[b], 31);
		memcpy(p, &scale[b], 2);
		memcpy(p + 2, &half_min[b], 2);
		codes5_put(p + 4, q);
	}
}

void
KERNEL(q4_0_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	if (qw)
		weighted(dst, x, n, qw, 18, 8, 0, nibbles_put);
	else
		each_blocks(dst, x, n, 18, q4_0_encode);
}

void
KERNEL(q4_1_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	if (qw)
		weighted(dst, x, n, qw, 20, 0, 15, nibbles_put);
	else
		each_blocks(dst, x, n, 20, q4_1_encode);
}

void
KERNEL(q5_0_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	if (qw)
		weighted(dst, x, n, qw, 22, 16, 0, codes5_put);
	else
		each_blocks(dst, x, n, 22, q5_0_encode);
}

void
KERNEL(q5_1_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	if (qw)
		weighted(dst, x, n, qw, 24, 0, 31, codes5_put);
	else
		each_blocks(dst, x, n, 24, q5_1_encode);
}

void
KERNEL(q4_0_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= 32; n -= 32, p += 18, dst += 32) {
		vb c = nibbles_get(p + 2) - 8;

		put16(dst, vb_low(c), f16_get(p));
		put16(dst + 16, vb_high(c), f16_get(p));
	}
}

void
KERNEL(q4_1_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= 32; n -= 32, p += 20, dst += 32) {
		vb c = nibbles_get(p + 4);

		put16_above(dst, vb_low(c), f16_get(p), f16_get(p + 2));
		put16_above(dst + 16, vb_high(c), f16_get(p), f16_get(p + 2));
	}
}

void
KERNEL(q5_0_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= 32; n -= 32, p += 22, dst += 32) {
		vb c = (nibbles_get(p + 6) | (bits_get(p + 2) & 16)) - 16;

		put16(dst, vb_low(c), f16_get(p));
		put16(dst + 16, vb_high(c), f16_get(p));
	}
}

void
KERNEL(q5_1_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= 32; n -= 32, p += 24, dst += 32) {
		vb c = nibbles_get(p + 8) | (bits_get(p + 4) & 16);

		put16_above(dst, vb_low(c), f16_get(p), f16_get(p + 2));
		put16_above(dst + 16, vb_high(c), f16_get(p), f16_get(p + 2));
	}
}
