/* SPDX-License-Identifier: MIT */
/* neon.h -- vec.h's words in AArch64's NEON. */
#ifndef KERNEL_NEON_H
#define KERNEL_NEON_H

#include <arm_neon.h>

enum { W = 4, STEPS = 8 };
typedef float32x4_t vf;
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32x4_t vm;			/* all or no bits of a lane */

INLINE vf vf_load(const float *p) { return vld1q_f32(p); }
INLINE void vf_store(float *p, vf v) { vst1q_f32(p, v); }
INLINE vi vi_load(const void *p) { vi v; memcpy(&v, p, sizeof v); return v; }
INLINE void vi_store(void *p, vi v) { memcpy(p, &v, sizeof v); }
INLINE vf vf_set1(float x) { return vdupq_n_f32(x); }
INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); }
INLINE vi vi_set1(int32_t x) { return (vi)vdupq_n_s32(x); }
INLINE vf vf_abs(vf v) { return vabsq_f32(v); }
INLINE vf vf_sqrt(vf v) { return vsqrtq_f32(v); }
INLINE vm vf_lt(vf a, vf b) { return vcltq_f32(a, b); }
INLINE vm vf_le(vf a, vf b) { return vcleq_f32(a, b); }
INLINE vm vf_eq(vf a, vf b) { return vceqq_f32(a, b); }
INLINE vf vf_select(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
INLINE vf vf_min(vf a, vf b) { return vf_select(vf_lt(a, b), a, b); }
INLINE vf vf_max(vf a, vf b) { return vf_select(vf_lt(b, a), a, b); }
INLINE vm vi_lt(vi a, vi b) { return vcltq_s32((int32x4_t)a, (int32x4_t)b); }
INLINE vm vi_eq(vi a, vi b) { return vceqq_s32((int32x4_t)a, (int32x4_t)b); }
INLINE vi vi_min(vi a, vi b) { return (vi)vminq_s32((int32x4_t)a, (int32x4_t)b); }
INLINE vi vi_max(vi a, vi b) { return (vi)vmaxq_s32((int32x4_t)a, (int32x4_t)b); }
INLINE vi vi_select(vm m, vi a, vi b) { return (vi)vbslq_s32(m, (int32x4_t)a, (int32x4_t)b); }
INLINE vm vm_and(vm a, vm b) { return vandq_u32(a, b); }
INLINE vm vm_or(vm a, vm b) { return vorrq_u32(a, b); }
INLINE vm vm_not(vm a) { return vmvnq_u32(a); }
INLINE int vm_any(vm a) { return vmaxvq_u32(a) != 0; }
INLINE int vm_all(vm a) { return vminvq_u32(a) != 0; }
INLINE unsigned vm_bits(vm a) { return vaddvq_u32(vandq_u32(a, (uint32x4_t){ 1, 2, 4, 8 })); }
INLINE vi vf_bits(vf v) { return (vi)vreinterpretq_s32_f32(v); }
INLINE vf vi_bits(vi v) { return vreinterpretq_f32_s32((int32x4_t)v); }
INLINE vf vi_float(vi v) { return vcvtq_f32_s32((int32x4_t)v); }

/* What does not fit is INT32_MIN, as on x86. */
INLINE vi
vi_trunc(vf v)
{
	vm fits = vm_and(vf_le(vf_set1(-0x1p31f), v), vf_lt(v, vf_set1(0x1p31f)));

	return vi_select(fits, (vi)vcvtq_s32_f32(v), vi_set1(INT32_MIN));
}

INLINE vi
vi_load_u8(const uint8_t *p)
{
	return (vi){ p[0], p[1], p[2], p[3] };
}

INLINE void
vi_store_u8(uint8_t *p, vi v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)v[i];
}

INLINE vf
vf_load_f16(const void *p)
{
	uint16x4_t h;

	memcpy(&h, p, sizeof h);
	return vcvt_f32_f16(vreinterpret_f16_u16(h));
}

INLINE void
vf_store_f16(void *p, vf v)
{
	uint16x4_t h = vreinterpret_u16_f16(vcvt_f16_f32(v));

	h = vbsl_u16(vmovn_u32(vmvnq_u32(vceqq_f32(v, v))), vdup_n_u16(0x7e00), h);
	memcpy(p, &h, sizeof h);
}

INLINE void vi_after(uintptr_t *n, vi v) { __asm__("" : "+r"(*n) : "w"(v)); }
INLINE float vf_hmin(vf v) { return vminvq_f32(v); }
INLINE int32_t vi_hmin(vi v) { return vminvq_s32((int32x4_t)v); }

typedef vf vf4;
typedef uint8x16x2_t vf8;
INLINE vf4 vf4_load(const float *p) { return vld1q_f32(p); }

INLINE vf8
vf8_load(const float *p)
{
	vf8 t;

	memcpy(&t, p, sizeof t);
	return t;
}

/* Numbers of floats to those of their bytes. */
INLINE uint8x16_t
byte_index(vi i, int mask)
{
	return (uint8x16_t)((i & vi_set1(mask)) * vi_set1(0x04040404) + vi_set1(0x03020100));
}

INLINE vf
vf4_lookup(vf4 t, vi i)
{
	return (vf)vqtbl1q_u8((uint8x16_t)t, byte_index(i, 3));
}

INLINE vf
vf8_lookup(vf8 t, vi i)
{
	return (vf)vqtbl2q_u8(t, byte_index(i, 7));
}

INLINE void
vf_transpose(vf *r)
{
	vf a = vtrn1q_f32(r[0], r[1]), b = vtrn2q_f32(r[0], r[1]);
	vf c = vtrn1q_f32(r[2], r[3]), d = vtrn2q_f32(r[2], r[3]);

	r[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
	r[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
	r[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
	r[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}

INLINE vm vf_unordered(vf a, vf b) { return vmvnq_u32(vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b))); }
INLINE vi vi_ceil(vf v) { return (vi)vcvtpq_s32_f32(v); }
INLINE float vf_hmax(vf v) { return vmaxvq_f32(v); }
INLINE vf vf_round(vf v) { return vrndnq_f32(v); }

INLINE vi
vi_load_u16(const void *p)
{
	uint16x4_t h;

	memcpy(&h, p, sizeof h);
	return (vi)vmovl_u16(h);
}

INLINE vi
vi_load_i8(const void *p)
{
	int32_t word;

	memcpy(&word, p, sizeof word);
	return (vi)vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(word)))));
}

INLINE void
vi_store_u16(void *p, vi v)
{
	uint16x4_t h = vmovn_u32((uint32x4_t)v);

	memcpy(p, &h, sizeof h);
}

INLINE vf
vf_max_each(vf *m)
{
	return vpmaxq_f32(vpmaxq_f32(m[0], m[1]), vpmaxq_f32(m[2], m[3]));
}

INLINE b16 vb_low(vb v) { b16 r; memcpy(&r, &v, sizeof r); return r; }
INLINE b16 vb_high(vb v) { b16 r; memcpy(&r, (char *)&v + sizeof r, sizeof r); return r; }

INLINE vb
vb_join(b16 a, b16 b)
{
	vb v;

	memcpy(&v, &a, sizeof a);
	memcpy((char *)&v + sizeof a, &b, sizeof b);
	return v;
}

INLINE b16
b16_pack(const vi *v)
{
	uint16x8_t a = vuzp1q_u16((uint16x8_t)v[0], (uint16x8_t)v[1]);
	uint16x8_t b = vuzp1q_u16((uint16x8_t)v[2], (uint16x8_t)v[3]);

	return (b16)vuzp1q_u8((uint8x16_t)a, (uint8x16_t)b);
}

INLINE vb
vb_pack(const vi *v)
{
	return vb_join(b16_pack(v), b16_pack(v + 4));
}

INLINE b16
b16_lookup(b16 table, b16 i)
{
	return (b16)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)i);
}

INLINE vb
vb_lookup(b16 table, vb i)
{
	return vb_join(b16_lookup(table, vb_low(i)), b16_lookup(table, vb_high(i)));
}

INLINE uint32_t
b16_tops(b16 v)
{
	const uint8x16_t bit = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
	uint8x16_t t = vandq_u8((uint8x16_t)((b16_signed)v >> 7), bit);

	return (uint32_t)vaddv_u8(vget_low_u8(t)) | (uint32_t)vaddv_u8(vget_high_u8(t)) << 8;
}

INLINE uint32_t
vb_tops(vb v)
{
	return b16_tops(vb_low(v)) | b16_tops(vb_high(v)) << 16;
}

INLINE vi
vi_bytes(b16 v, int k)
{
	int16x8_t h = k < 2 ? vmovl_s8(vget_low_s8((int8x16_t)v)) : vmovl_high_s8((int8x16_t)v);

	return (vi)(k % 2 ? vmovl_high_s16(h) : vmovl_s16(vget_low_s16(h)));
}

INLINE float
f16_get(const uint8_t *p)
{
	uint16_t h;

	memcpy(&h, p, sizeof h);
	return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0);
}

INLINE vf vf_absmax(vf a, vf b) { return vmaxq_f32(vabsq_f32(a), vabsq_f32(b)); }
INLINE vf vf_copysign(vf v, vf from) { return vbslq_f32(vdupq_n_u32(0x80000000), from, v); }

INLINE void
vb_pack2(vb *dst, const vi *v)
{
	for (int i = 0; i < 2; i++, v += 8) {
		int16x8_t h[4];

		for (int k = 0; k < 4; k++)
			h[k] = vqmovn_high_s32(vqmovn_s32((int32x4_t)v[2 * k]), (int32x4_t)v[2 * k + 1]);
		dst[i] = vb_join((b16)vqmovn_high_s16(vqmovn_s16(h[0]), h[1]),
		    (b16)vqmovn_high_s16(vqmovn_s16(h[2]), h[3]));
	}
}

INLINE vi vi_count(vi v, vm m) { return v - (vi)m; }

INLINE vb
vb_set1(int b)
{
	b16 v = (b16)vdupq_n_u8((uint8_t)b);

	return vb_join(v, v);
}

INLINE vb
vb_min(vb a, vb b)
{
	return vb_join((b16)vminq_u8((uint8x16_t)vb_low(a), (uint8x16_t)vb_low(b)),
	    (b16)vminq_u8((uint8x16_t)vb_high(a), (uint8x16_t)vb_high(b)));
}

INLINE vi
vi_lookup(const int32_t *table, vi i)
{
	vi bytes = (i & 15) * 0x04040404 + 0x03020100;
	uint8x16x4_t t;

	memcpy(&t, table, sizeof t);
	return (vi)vqtbl4q_u8(t, (uint8x16_t)bytes);
}

INLINE vf
vf_lookup(const float *table, vi i)
{
	int32_t bits[16];

	memcpy(bits, table, sizeof bits);
	return vi_bits(vi_lookup(bits, i));
}

enum { VD = 2 };
typedef float64x2_t vd;
static inline vd vd_load_f32(const float *p) { return vcvt_f64_f32(vld1_f32(p)); }

static inline vd
vd_max_abs(vd m, vd v)
{
	v = vabsq_f64(v);
	return vbslq_f64(vcgtq_f64(v, m), v, m);
}

INLINE vf
vf_sums(const vf *v)
{
	vf a = vcombine_f32(vget_low_f32(v[0]), vget_low_f32(v[1])) +
	    vcombine_f32(vget_high_f32(v[0]), vget_high_f32(v[1]));
	vf b = vcombine_f32(vget_low_f32(v[2]), vget_low_f32(v[3])) +
	    vcombine_f32(vget_high_f32(v[2]), vget_high_f32(v[3]));

	return vuzp1q_f32(a, b) + vuzp2q_f32(a, b);
}

INLINE vi vi_rounded(vf v) { return (vi)vcvtnq_s32_f32(v); }
INLINE vi vi_lut(b16 table, vi i) { return (vi)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)i); }

INLINE void
vi_rows(vi *v, const uint8_t *p, size_t stride)
{
	vf r[4];

	UNROLL
	for (int i = 0; i < 4; i++)
		memcpy(&r[i], p + (size_t)i * stride, sizeof *r);
	vf_transpose(r);
	UNROLL
	for (int i = 0; i < 4; i++)
		v[i] = vf_bits(r[i]);
}

INLINE vf vf_half(vi v) { return vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32((uint32x4_t)v))); }

INLINE vf
vf_rows_f16(const uint8_t *p, size_t s)
{
	return vf_half((vi){ le16(p), le16(p + s), le16(p + 2 * s), le16(p + 3 * s) });
}

enum { DOT_BIASED = 0 };

INLINE vi
vi_dot_s(vi sum, vi w, vi a)
{
	int16x8_t low = vmull_s8(vget_low_s8((int8x16_t)w), vget_low_s8((int8x16_t)a));
	int16x8_t high = vmull_high_s8((int8x16_t)w, (int8x16_t)a);

	return (vi)vpadalq_s16((int32x4_t)sum, vpaddq_s16(low, high));
}

INLINE vi vi_dot_u(vi sum, vi w, vi a) { return vi_dot_s(sum, w, a); }

#endif
