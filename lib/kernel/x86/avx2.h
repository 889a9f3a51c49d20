/* SPDX-License-Identifier: MIT */
/* avx2.h -- vec.h's words in AVX2 and F16C. */
#ifndef KERNEL_AVX2_H
#define KERNEL_AVX2_H

#include <immintrin.h>

enum { W = 8, STEPS = 4 };
typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));
typedef __m256 vm;			/* all or no bits of a lane */

INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
INLINE vi vi_load(const void *p) { return (vi)_mm256_loadu_si256(p); }
INLINE void vi_store(void *p, vi v) { _mm256_storeu_si256(p, (__m256i)v); }
INLINE vf vf_set1(float x) { return _mm256_set1_ps(x); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vi vi_set1(int32_t x) { return (vi)_mm256_set1_epi32(x); }
INLINE vf vf_abs(vf v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
INLINE vf vf_sqrt(vf v) { return _mm256_sqrt_ps(v); }
INLINE vm vf_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE vm vf_le(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
INLINE vm vf_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vm vi_lt(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpgt_epi32((__m256i)b, (__m256i)a)); }
INLINE vm vi_eq(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32((__m256i)a, (__m256i)b)); }
INLINE vi vi_min(vi a, vi b) { return (vi)_mm256_min_epi32((__m256i)a, (__m256i)b); }
INLINE vi vi_max(vi a, vi b) { return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b); }
INLINE vf vf_select(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
INLINE vm vm_and(vm a, vm b) { return _mm256_and_ps(a, b); }
INLINE vm vm_or(vm a, vm b) { return _mm256_or_ps(a, b); }
INLINE vm vm_not(vm a) { return _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))); }
INLINE int vm_any(vm a) { return _mm256_movemask_ps(a) != 0; }
INLINE int vm_all(vm a) { return _mm256_movemask_ps(a) == 0xff; }
INLINE unsigned vm_bits(vm a) { return (unsigned)_mm256_movemask_ps(a); }
INLINE vi vf_bits(vf v) { return (vi)_mm256_castps_si256(v); }
INLINE vf vi_bits(vi v) { return _mm256_castsi256_ps((__m256i)v); }
INLINE vi vi_select(vm m, vi a, vi b) { return vf_bits(_mm256_blendv_ps(vi_bits(b), vi_bits(a), m)); }
INLINE vi vi_trunc(vf v) { return (vi)_mm256_cvttps_epi32(v); }
INLINE vf vi_float(vi v) { return _mm256_cvtepi32_ps((__m256i)v); }

INLINE vi
vi_load_u8(const uint8_t *p)
{
	return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

INLINE void
vi_store_u8(uint8_t *p, vi v)
{
	const __m256i pick = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	    0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	__m256i s = _mm256_shuffle_epi8((__m256i)v, pick);

	_mm_storel_epi64((__m128i *)(void *)p,
	    _mm_unpacklo_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)));
}

INLINE vf
vf_load_f16(const void *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128(p));
}

INLINE void
vf_store_f16(void *p, vf v)
{
	__m128i h = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
	__m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
	__m128i m = _mm_packs_epi32(_mm256_castsi256_si128(nan), _mm256_extracti128_si256(nan, 1));

	_mm_storeu_si128(p, _mm_blendv_epi8(h, _mm_set1_epi16(0x7e00), m));
}

INLINE void vi_after(uintptr_t *n, vi v) { __asm__("" : "+r"(*n) : "x"(v)); }

INLINE float
vf_hmin(vf v)
{
	__m128 m = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	m = _mm_min_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_min_ss(m, _mm_movehdup_ps(m)));
}

INLINE int32_t
vi_hmin(vi v)
{
	__m128i m = _mm_min_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));

	m = _mm_min_epi32(m, _mm_shuffle_epi32(m, 0x4e));
	return _mm_cvtsi128_si32(_mm_min_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
}

typedef vf vf4, vf8;
INLINE vf4 vf4_load(const float *p) { return _mm256_broadcast_ps((const __m128 *)(const void *)p); }
INLINE vf vf4_lookup(vf4 t, vi i) { return _mm256_permutevar_ps(t, (__m256i)i); }
INLINE vf8 vf8_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE vf vf8_lookup(vf8 t, vi i) { return _mm256_permutevar8x32_ps(t, (__m256i)i); }

INLINE void
vf_transpose(vf *r)
{
	vf t[8], s[8];

	UNROLL
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	UNROLL
	for (int i = 0; i < 8; i += 4) {
		s[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		s[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
		s[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		s[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
	UNROLL
	for (int i = 0; i < 4; i++) {
		r[i] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
		r[i + 4] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
	}
}

INLINE vm vf_unordered(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_UNORD_Q); }
INLINE vi vi_load_u16(const void *p) { return (vi)_mm256_cvtepu16_epi32(_mm_loadu_si128(p)); }
INLINE vi vi_load_i8(const void *p) { return (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)); }
INLINE vi vi_ceil(vf v) { return (vi)_mm256_cvttps_epi32(_mm256_ceil_ps(v)); }
INLINE vf vf_round(vf v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

INLINE void
vi_store_u16(void *p, vi v)
{
	__m256i h = _mm256_and_si256((__m256i)v, _mm256_set1_epi32(0xffff));

	_mm_storeu_si128(p, _mm_packus_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1)));
}

INLINE float
vf_hmax(vf v)
{
	__m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

INLINE vf
vf_max_each(vf *m)
{
	UNROLL
	for (int i = 0; i < 4; i++)
		m[i] = vf_max(_mm256_unpacklo_ps(m[2 * i], m[2 * i + 1]),
		    _mm256_unpackhi_ps(m[2 * i], m[2 * i + 1]));
	UNROLL
	for (int i = 0; i < 2; i++)
		m[i] = vf_max(_mm256_shuffle_ps(m[2 * i], m[2 * i + 1], 0x44),
		    _mm256_shuffle_ps(m[2 * i], m[2 * i + 1], 0xee));
	return vf_max(_mm256_permute2f128_ps(m[0], m[1], 0x20), _mm256_permute2f128_ps(m[0], m[1], 0x31));
}

/* Packing saturates: only the low bytes may go in. */
INLINE __m256i
low_bytes(vi v)
{
	return _mm256_and_si256((__m256i)v, _mm256_set1_epi32(255));
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
	__m256i h = _mm256_packus_epi32(low_bytes(v[0]), low_bytes(v[1]));

	h = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(h, h), _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
	return (b16)_mm256_castsi256_si128(h);
}

INLINE vb
vb_pack(const vi *v)
{
	__m256i a = _mm256_packus_epi32(low_bytes(v[0]), low_bytes(v[1]));
	__m256i b = _mm256_packus_epi32(low_bytes(v[2]), low_bytes(v[3]));

	return (vb)_mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b),
	    _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
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
	return (vi)_mm256_cvtepi8_epi32(k ? _mm_srli_si128((__m128i)v, 8) : (__m128i)v);
}

INLINE float
f16_get(const uint8_t *p)
{
	uint16_t h;

	memcpy(&h, p, sizeof h);
	return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

INLINE vf vf_absmax(vf a, vf b) { return vf_max(vf_abs(a), vf_abs(b)); }

INLINE vf
vf_copysign(vf v, vf from)
{
	return _mm256_or_ps(v, _mm256_and_ps(from, _mm256_set1_ps(-0.0f)));
}

INLINE void
vb_pack2(vb *dst, const vi *v)
{
	UNROLL
	for (int i = 0; i < 2; i++, v += 4) {
		__m256i a = _mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]);
		__m256i b = _mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]);

		dst[i] = (vb)_mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b),
		    _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
	}
}

INLINE uint32_t vb_tops(vb v) { return (uint32_t)_mm256_movemask_epi8((__m256i)v); }

INLINE vi vi_count(vi v, vm m) { return v - vf_bits(m); }
INLINE vb vb_set1(int b) { return (vb)_mm256_set1_epi8((char)b); }
INLINE vb vb_min(vb a, vb b) { return (vb)_mm256_min_epu8((__m256i)a, (__m256i)b); }

INLINE vf
vf_lookup(const float *table, vi i)
{
	return _mm256_blendv_ps(_mm256_permutevar8x32_ps(vf_load(table), (__m256i)i),
	    _mm256_permutevar8x32_ps(vf_load(table + 8), (__m256i)i), vi_bits(i << 28));
}

INLINE vi
vi_lookup(const int32_t *table, vi i)
{
	__m256i low = _mm256_permutevar8x32_epi32((__m256i)vi_load(table), (__m256i)i);
	__m256i high = _mm256_permutevar8x32_epi32((__m256i)vi_load(table + 8), (__m256i)i);

	return vi_select(vi_bits(i << 28), (vi)high, (vi)low);
}

enum { VD = 4 };
typedef __m256d vd;
static inline vd vd_load_f32(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }

static inline vd
vd_max_abs(vd m, vd v)
{
	return _mm256_max_pd(_mm256_andnot_pd(_mm256_set1_pd(-0.0), v), m);
}

INLINE vf
vf_sums(const vf *v)
{
	vf a[4], b[2];

	UNROLL
	for (int i = 0; i < 4; i++)
		a[i] = _mm256_permute2f128_ps(v[2 * i], v[2 * i + 1], 0x20) +
		    _mm256_permute2f128_ps(v[2 * i], v[2 * i + 1], 0x31);
	UNROLL
	for (int i = 0; i < 2; i++)
		b[i] = _mm256_shuffle_ps(a[2 * i], a[2 * i + 1], 0x44) +
		    _mm256_shuffle_ps(a[2 * i], a[2 * i + 1], 0xee);
	b[0] = _mm256_shuffle_ps(b[0], b[1], 0x88) + _mm256_shuffle_ps(b[0], b[1], 0xdd);
	return _mm256_permutevar8x32_ps(b[0], _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

INLINE vi vi_rounded(vf v) { return (vi)_mm256_cvtps_epi32(v); }

INLINE vi
vi_lut(b16 table, vi i)
{
	return (vi)vb_lookup(table, (vb)i);
}

INLINE void
vi_rows(vi *v, const uint8_t *p, size_t stride)
{
	__m256i r[4], a, b, c, d;

	UNROLL
	for (int i = 0; i < 4; i++, p += stride) {
		r[i] = _mm256_castsi128_si256(_mm_loadu_si128((const void *)p));
		r[i] = _mm256_inserti128_si256(r[i], _mm_loadu_si128((const void *)(p + 4 * stride)), 1);
	}
	a = _mm256_unpacklo_epi32(r[0], r[1]);
	b = _mm256_unpackhi_epi32(r[0], r[1]);
	c = _mm256_unpacklo_epi32(r[2], r[3]);
	d = _mm256_unpackhi_epi32(r[2], r[3]);
	v[0] = (vi)_mm256_unpacklo_epi64(a, c);
	v[1] = (vi)_mm256_unpackhi_epi64(a, c);
	v[2] = (vi)_mm256_unpacklo_epi64(b, d);
	v[3] = (vi)_mm256_unpackhi_epi64(b, d);
}

INLINE vf
vf_half(vi v)
{
	__m256i h = _mm256_and_si256((__m256i)v, _mm256_set1_epi32(0xffff));

	return _mm256_cvtph_ps(_mm_packus_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1)));
}

INLINE vf
vf_rows_f16(const uint8_t *p, size_t s)
{
	__m128i a = _mm_cvtsi32_si128(le16(p));

	a = _mm_insert_epi16(a, (int16_t)le16(p + s), 1);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 2 * s), 2);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 3 * s), 3);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 4 * s), 4);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 5 * s), 5);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 6 * s), 6);
	a = _mm_insert_epi16(a, (int16_t)le16(p + 7 * s), 7);
	return _mm256_cvtph_ps(a);
}

/* Pairs of products are 16 bits wide: 2 * 127 * 127 and 2 * 128 * 127 fit. */
enum { DOT_BIASED = 0 };

INLINE vi
vi_dot_u(vi sum, vi w, vi a)
{
	__m256i pairs = _mm256_maddubs_epi16((__m256i)w, (__m256i)a);

	return sum + (vi)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

INLINE vi
vi_dot_s(vi sum, vi w, vi a)
{
	return vi_dot_u(sum, (vi)_mm256_abs_epi8((__m256i)w), (vi)_mm256_sign_epi8((__m256i)a, (__m256i)w));
}

#endif
