/* SPDX-License-Identifier: MIT */
/* plain.c -- F32, F16, BF16, and the largest of a row. */
#include "simd.h"
#include "vec.h"

void
KERNEL(f32_to_f32)(float *dst, const void *src, size_t n)
{
	memcpy(dst, src, n * sizeof *dst);
}

void
KERNEL(f32_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	(void)qw;
	memcpy(dst, x, n * sizeof *x);
}

/* Hardware quiets a NaN; the file's bits are kept. */
static inline vf
keep_nan(const uint8_t *p, vf v)
{
	vi h = vi_load_u16(p);
	vi bits = (h & vi_set1(0x8000)) << 16 | vi_set1(0x7f800000) | (h & vi_set1(0x7fff)) << 13;

	return vf_select(vf_unordered(v, v), vi_bits(bits), v);
}

void
KERNEL(f16_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint16_t last[W] = { 0 };
	float end[W];

	for (; n >= 4 * W; n -= 4 * W, p += 8 * W, dst += 4 * W) {
		vf v[4];

		UNROLL
		for (int k = 0; k < 4; k++)
			v[k] = vf_load_f16(p + 2 * W * k);
		if (vm_any(vm_or(vf_unordered(v[0], v[1]), vf_unordered(v[2], v[3])))) {
			UNROLL
			for (int k = 0; k < 4; k++)
				v[k] = keep_nan(p + 2 * W * k, v[k]);
		}
		UNROLL
		for (int k = 0; k < 4; k++)
			vf_store(dst + W * k, v[k]);
	}
	for (; n >= W; n -= W, p += 2 * W, dst += W)
		vf_store(dst, keep_nan(p, vf_load_f16(p)));
	if (n > 0) {
		memcpy(last, p, n * 2);
		vf_store(end, keep_nan((uint8_t *)last, vf_load_f16(last)));
		memcpy(dst, end, n * sizeof *dst);
	}
}

void
KERNEL(f16_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	float last[W] = { 0 };
	uint16_t end[W];

	(void)qw;
	for (; n >= W; n -= W, p += 2 * W, x += W)
		vf_store_f16(p, vf_load(x));
	if (n > 0) {
		memcpy(last, x, n * sizeof *x);
		vf_store_f16(end, vf_load(last));
		memcpy(p, end, n * 2);
	}
}

void
KERNEL(bf16_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint16_t last[W] = { 0 };
	uint32_t end[W];

	for (; n >= W; n -= W, p += 2 * W, dst += W)
		vi_store(dst, vi_load_u16(p) << 16);
	if (n > 0) {
		memcpy(last, p, n * 2);
		vi_store(end, vi_load_u16(last) << 16);
		memcpy(dst, end, n * sizeof *dst);
	}
}

/* Bytes of a float type by what makes floats of W of them. */
static inline void
f8(float *dst, const uint8_t *p, size_t n, vf (*decode)(const uint8_t *))
{
	uint8_t last[W] = { 0 };
	float end[W];

	for (; n >= W; n -= W, p += W, dst += W)
		vf_store(dst, decode(p));
	if (n > 0) {
		memcpy(last, p, n);
		vf_store(end, decode(last));
		memcpy(dst, end, n * sizeof *dst);
	}
}

/* Bias 7; below 8 multiples of 2^-9; no infinities, 0x7f and 0xff are NaN. */
static inline vf
e4m3(const uint8_t *p)
{
	vi c = vi_load_u8(p), rest = c & vi_set1(0x7f);
	vi v = (rest << 20) + vi_set1(120 << 23);

	v = vi_select(vi_lt(rest, vi_set1(8)), vf_bits(vi_float(rest) * vf_set1(0x1p-9f)), v);
	v = vi_select(vi_eq(rest, vi_set1(0x7f)), vi_set1(0x7fc00000), v);
	return vi_bits(v | (c & vi_set1(0x80)) << 24);
}

void
KERNEL(f8_e4m3_to_f32)(float *dst, const void *src, size_t n)
{
	f8(dst, src, n, e4m3);
}

/* The upper half of an F16. */
static inline vf
e5m2(const uint8_t *p)
{
	uint16_t half[W];

	vi_store_u16(half, vi_load_u8(p) << 8);
	return keep_nan((uint8_t *)half, vf_load_f16(half));
}

void
KERNEL(f8_e5m2_to_f32)(float *dst, const void *src, size_t n)
{
	f8(dst, src, n, e5m2);
}

/* To nearest even; a NaN keeps its upper half and is made quiet. */
static inline vi
bfloat(vf v)
{
	vi u = vf_bits(v), odd = vi_shr(u, 16) & vi_set1(1);

	return vi_select(vf_unordered(v, v), vi_shr(u, 16) | vi_set1(0x40),
	    vi_shr(u + vi_set1(0x7fff) + odd, 16));
}

void
KERNEL(bf16_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	float last[W] = { 0 };
	uint16_t end[W];

	(void)qw;
	for (; n >= W; n -= W, p += 2 * W, x += W)
		vi_store_u16(p, bfloat(vf_load(x)));
	if (n > 0) {
		memcpy(last, x, n * sizeof *x);
		vi_store_u16(end, bfloat(vf_load(last)));
		memcpy(p, end, n * 2);
	}
}

/* Magnitudes order as their bits do, infinity and NaN above all. */
float
KERNEL(absmax)(const float *x, size_t n)
{
	vi max[4], a;
	float last[W] = { 0 };
	int32_t lane[W], most = 0;
	float f;

	UNROLL
	for (int k = 0; k < 4; k++)
		max[k] = vi_set1(0);
	for (; n >= 4 * W; n -= 4 * W, x += 4 * W) {
		UNROLL
		for (int k = 0; k < 4; k++)
			max[k] = vi_max(max[k], vf_bits(vf_abs(vf_load(x + W * k))));
	}
	for (; n > 0; n -= n < W ? n : W, x += W) {
		if (n < W) {
			memcpy(last, x, n * sizeof *x);
			a = vf_bits(vf_abs(vf_load(last)));
		} else {
			a = vf_bits(vf_abs(vf_load(x)));
		}
		max[0] = vi_max(max[0], a);
	}
	vi_store(lane, vi_max(vi_max(max[0], max[1]), vi_max(max[2], max[3])));
	for (int i = 0; i < W; i++)
		most = lane[i] > most ? lane[i] : most;
	memcpy(&f, &most, sizeof f);
	return f;
}
