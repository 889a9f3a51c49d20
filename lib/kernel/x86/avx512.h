/* SPDX-License-Identifier: MIT */
/* avx512.h -- vec.h's words in AVX-512 (F, BW, DQ, VL). */
#ifndef KERNEL_AVX512_H
#define KERNEL_AVX512_H

#include <immintrin.h>

/* Without optimization gcc's intrinsics are macros, and convert their masks. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"

enum { W = 16, STEPS = 8 };
typedef __m512 vf;
typedef int32_t vi __attribute__((vector_size(64)));
typedef __mmask16 vm;

INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE vi vi_load(const void *p) { return (vi)_mm512_loadu_si512(p); }
INLINE void vi_store(void *p, vi v) { _mm512_storeu_si512(p, (__m512i)v); }
INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE vi vi_set1(int32_t x) { return (vi)_mm512_set1_epi32(x); }
INLINE vf vf_abs(vf v) { return _mm512_abs_ps(v); }
INLINE vf vf_sqrt(vf v) { return _mm512_sqrt_ps(v); }
INLINE vm vf_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE vm vf_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
INLINE vm vf_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vm vi_lt(vi a, vi b) { return _mm512_cmplt_epi32_mask((__m512i)a, (__m512i)b); }
INLINE vm vi_eq(vi a, vi b) { return _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b); }
INLINE vi vi_min(vi a, vi b) { return (vi)_mm512_min_epi32((__m512i)a, (__m512i)b); }
INLINE vi vi_max(vi a, vi b) { return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b); }
INLINE vf vf_select(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
INLINE vi vi_select(vm m, vi a, vi b) { return (vi)_mm512_mask_blend_epi32(m, (__m512i)b, (__m512i)a); }
INLINE vm vm_and(vm a, vm b) { return a & b; }
INLINE vm vm_or(vm a, vm b) { return a | b; }
INLINE vm vm_not(vm a) { return (vm)~a; }
INLINE int vm_any(vm a) { return a != 0; }
INLINE int vm_all(vm a) { return a == 0xffff; }
INLINE unsigned vm_bits(vm a) { return a; }
INLINE vi vf_bits(vf v) { return (vi)_mm512_castps_si512(v); }
INLINE vf vi_bits(vi v) { return _mm512_castsi512_ps((__m512i)v); }
INLINE vi vi_trunc(vf v) { return (vi)_mm512_cvttps_epi32(v); }
INLINE vf vi_float(vi v) { return _mm512_cvtepi32_ps((__m512i)v); }

INLINE vi
vi_load_u8(const uint8_t *p)
{
	return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}

INLINE void
vi_store_u8(uint8_t *p, vi v)
{
	_mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8((__m512i)v));
}

INLINE vf
vf_load_f16(const void *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}

INLINE void
vf_store_f16(void *p, vf v)
{
	__m256i h = _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);

	h = _mm256_mask_mov_epi16(h, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), _mm256_set1_epi16(0x7e00));
	_mm256_storeu_si256(p, h);
}

INLINE void vi_after(uintptr_t *n, vi v) { __asm__("" : "+r"(*n) : "v"(v)); }
INLINE float vf_hmin(vf v) { return _mm512_reduce_min_ps(v); }
INLINE int32_t vi_hmin(vi v) { return _mm512_reduce_min_epi32((__m512i)v); }

typedef vf vf4, vf8;
INLINE vf4 vf4_load(const float *p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
INLINE vf vf4_lookup(vf4 t, vi i) { return _mm512_permutevar_ps(t, (__m512i)i); }
INLINE vf8 vf8_load(const float *p) { return _mm512_broadcast_f32x8(_mm256_loadu_ps(p)); }
INLINE vf vf8_lookup(vf8 t, vi i) { return _mm512_permutexvar_ps((__m512i)i, t); }

INLINE void
vf_transpose(vf *r)
{
	vf t[16];

	UNROLL
	for (int i = 0; i < 16; i += 4) {
		vf a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
		vf c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);

		t[i] = _mm512_shuffle_ps(a, c, 0x44);
		t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
		t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
		t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
	}
	UNROLL
	for (int i = 0; i < 4; i++) {
		vf a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
		vf c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88), d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);

		r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
		r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
		r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
		r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
	}
}

INLINE vm vf_unordered(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q); }
INLINE vi vi_load_u16(const void *p) { return (vi)_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)); }
INLINE vi vi_load_i8(const void *p) { return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128(p)); }
INLINE void vi_store_u16(void *p, vi v) { _mm256_storeu_si256(p, _mm512_cvtepi32_epi16((__m512i)v)); }
INLINE float vf_hmax(vf v) { return _mm512_reduce_max_ps(v); }
INLINE vf vf_round(vf v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

INLINE vi
vi_ceil(vf v)
{
	return (vi)_mm512_cvt_roundps_epi32(v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}

INLINE vf
vf_max_each(vf *m)
{
	UNROLL
	for (int i = 0; i < 8; i++)
		m[i] = vf_max(_mm512_unpacklo_ps(m[2 * i], m[2 * i + 1]),
		    _mm512_unpackhi_ps(m[2 * i], m[2 * i + 1]));
	UNROLL
	for (int i = 0; i < 4; i++)
		m[i] = vf_max(_mm512_shuffle_ps(m[2 * i], m[2 * i + 1], 0x44),
		    _mm512_shuffle_ps(m[2 * i], m[2 * i + 1], 0xee));
	UNROLL
	for (int n = 2; n > 0; n--)
		UNROLL
		for (int i = 0; i < n; i++)
			m[i] = vf_max(_mm512_shuffle_f32x4(m[2 * i], m[2 * i + 1], 0x88),
			    _mm512_shuffle_f32x4(m[2 * i], m[2 * i + 1], 0xdd));
	return m[0];
}

INLINE b16 vb_low(vb v) { return (b16)_mm256_castsi256_si128((__m256i)v); }
INLINE b16 vb_high(vb v) { return (b16)_mm256_extracti128_si256((__m256i)v, 1); }

INLINE vb
vb_join(b16 a, b16 b)
{
	return (vb)_mm256_inserti128_si256(_mm256_castsi128_si256((__m128i)a), (__m128i)b, 1);
}

INLINE b16
b16_pack(const vi *v)
{
	return (b16)_mm512_cvtepi32_epi8((__m512i)v[0]);
}

INLINE vb
vb_pack(const vi *v)
{
	return vb_join(b16_pack(v), b16_pack(v + 1));
}

INLINE b16
b16_lookup(b16 table, b16 i)
{
	return (b16)_mm_shuffle_epi8((__m128i)table, (__m128i)i);
}

INLINE vb
vb_lookup(b16 table, vb i)
{
	return (vb)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256((__m128i)table), (__m256i)i);
}

INLINE vi
vi_bytes(b16 v, int k)
{
	(void)k;
	return (vi)_mm512_cvtepi8_epi32((__m128i)v);
}

INLINE float
f16_get(const uint8_t *p)
{
	uint16_t h;

	memcpy(&h, p, sizeof h);
	return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

/* The immediate: largest by magnitude, without a sign. */
INLINE vf vf_absmax(vf a, vf b) { return _mm512_range_ps(a, b, 0x0b); }

INLINE vf
vf_copysign(vf v, vf from)
{
	return vi_bits((vi)_mm512_ternarylogic_epi32((__m512i)vf_bits(from), _mm512_set1_epi32(INT32_MIN),
	    (__m512i)vf_bits(v), 0xea));
}

INLINE void
vb_pack2(vb *dst, const vi *v)
{
	__m512i a = _mm512_packs_epi32((__m512i)v[0], (__m512i)v[1]);
	__m512i b = _mm512_packs_epi32((__m512i)v[2], (__m512i)v[3]);
	__m512i r = _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7,
	    11, 15), _mm512_packs_epi16(a, b));

	dst[0] = (vb)_mm512_castsi512_si256(r);
	dst[1] = (vb)_mm512_extracti64x4_epi64(r, 1);
}

INLINE uint32_t vb_tops(vb v) { return (uint32_t)_mm256_movemask_epi8((__m256i)v); }

INLINE vi vi_count(vi v, vm m) { return (vi)_mm512_mask_add_epi32((__m512i)v, m, (__m512i)v, _mm512_set1_epi32(1)); }
INLINE vb vb_set1(int b) { return (vb)_mm256_set1_epi8((char)b); }
INLINE vb vb_min(vb a, vb b) { return (vb)_mm256_min_epu8((__m256i)a, (__m256i)b); }

INLINE vf
vf_lookup(const float *table, vi i)
{
	return _mm512_permutexvar_ps((__m512i)i, vf_load(table));
}

INLINE vi
vi_lookup(const int32_t *table, vi i)
{
	return (vi)_mm512_permutexvar_epi32((__m512i)i, (__m512i)vi_load(table));
}

enum { VD = 8 };
typedef __m512d vd;
static inline vd vd_load_f32(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
static inline vd vd_max_abs(vd m, vd v) { return _mm512_max_pd(_mm512_abs_pd(v), m); }


INLINE vf
vf_sums(const vf *v)
{
	vf a[8], b[4], c[2];

	UNROLL
	for (int i = 0; i < 8; i++)
		a[i] = _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x44) +
		    _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xee);
	UNROLL
	for (int i = 0; i < 4; i++)
		b[i] = _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0x88) +
		    _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0xdd);
	UNROLL
	for (int i = 0; i < 2; i++)
		c[i] = _mm512_shuffle_ps(b[2 * i], b[2 * i + 1], 0x44) +
		    _mm512_shuffle_ps(b[2 * i], b[2 * i + 1], 0xee);
	c[0] = _mm512_shuffle_ps(c[0], c[1], 0x88) + _mm512_shuffle_ps(c[0], c[1], 0xdd);
	return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3,
	    7, 11, 15), c[0]);
}

INLINE vi vi_rounded(vf v) { return (vi)_mm512_cvtps_epi32(v); }

INLINE vi
vi_lut(b16 table, vi i)
{
	return (vi)_mm512_shuffle_epi8(_mm512_broadcast_i32x4((__m128i)table), (__m512i)i);
}

INLINE void
vi_rows(vi *v, const uint8_t *p, size_t stride)
{
	__m512i r[4], a, b, c, d;

	/* Halves first: 512 bits are loaded at half the pace. */
	UNROLL
	for (int i = 0; i < 4; i++, p += stride) {
		__m256i low = _mm256_castsi128_si256(_mm_loadu_si128((const void *)p));
		__m256i high = _mm256_castsi128_si256(_mm_loadu_si128((const void *)(p + 8 * stride)));

		low = _mm256_inserti128_si256(low, _mm_loadu_si128((const void *)(p + 4 * stride)), 1);
		high = _mm256_inserti128_si256(high, _mm_loadu_si128((const void *)(p + 12 * stride)), 1);
		r[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
	}
	a = _mm512_unpacklo_epi32(r[0], r[1]);
	b = _mm512_unpackhi_epi32(r[0], r[1]);
	c = _mm512_unpacklo_epi32(r[2], r[3]);
	d = _mm512_unpackhi_epi32(r[2], r[3]);
	v[0] = (vi)_mm512_unpacklo_epi64(a, c);
	v[1] = (vi)_mm512_unpackhi_epi64(a, c);
	v[2] = (vi)_mm512_unpacklo_epi64(b, d);
	v[3] = (vi)_mm512_unpackhi_epi64(b, d);
}

INLINE vf vf_half(vi v) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)v)); }

INLINE vf
vf_rows_f16(const uint8_t *p, size_t s)
{
	const uint8_t *q = p + 8 * s;
	__m128i a = _mm_cvtsi32_si128(le16(p)), b = _mm_cvtsi32_si128(le16(q));

	a = _mm_insert_epi16(a, (int16_t)le16(p + s), 1);
	b = _mm_insert_epi16(b, (int16_t)le16(q + s), 1);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 2 * s), 2);
	b = _mm_insert_epi16(b, (int16_t)le16(q + 2 * s), 2);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 3 * s), 3);
	b = _mm_insert_epi16(b, (int16_t)le16(q + 3 * s), 3);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 4 * s), 4);
	b = _mm_insert_epi16(b, (int16_t)le16(q + 4 * s), 4);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 5 * s), 5);
	b = _mm_insert_epi16(b, (int16_t)le16(q + 5 * s), 5);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 6 * s), 6);
	b = _mm_insert_epi16(b, (int16_t)le16(q + 6 * s), 6);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 7 * s), 7);
	b = _mm_insert_epi16(b, (int16_t)le16(q + 7 * s), 7);
	return _mm512_cvtph_ps(_mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1));
}

enum { DOT_BIASED = 1 };
INLINE vi vi_dot_u(vi sum, vi w, vi a) { return (vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)a); }
INLINE vi vi_dot_s(vi sum, vi w, vi a) { return vi_dot_u(sum, w, a); }

#pragma GCC diagnostic pop

#endif
