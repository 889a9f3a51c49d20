/* SPDX-License-Identifier: MIT */
/* avx2.h -- vec.h's words in AVX2 and F16C. */
#ifndef KERNEL_AVX2_H
#define KERNEL_AVX2_H

#include <immintrin.h>

enum { W = 8 };
typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));
typedef __m256 vm;			/* all or no bits of a lane */

static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
static inline vi vi_load(const void *p) { return (vi)_mm256_loadu_si256(p); }
static inline void vi_store(void *p, vi v) { _mm256_storeu_si256(p, (__m256i)v); }
static inline vf vf_set1(float x) { return _mm256_set1_ps(x); }
static inline vi vi_set1(int32_t x) { return (vi)_mm256_set1_epi32(x); }
static inline vf vf_abs(vf v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
static inline vf vf_sqrt(vf v) { return _mm256_sqrt_ps(v); }
static inline vm vf_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vm vf_le(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
static inline vm vf_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vm vi_lt(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpgt_epi32((__m256i)b, (__m256i)a)); }
static inline vm vi_eq(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32((__m256i)a, (__m256i)b)); }
static inline vi vi_min(vi a, vi b) { return (vi)_mm256_min_epi32((__m256i)a, (__m256i)b); }
static inline vi vi_max(vi a, vi b) { return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b); }
static inline vf vf_select(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
static inline vm vm_and(vm a, vm b) { return _mm256_and_ps(a, b); }
static inline vm vm_or(vm a, vm b) { return _mm256_or_ps(a, b); }
static inline vm vm_not(vm a) { return _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))); }
static inline int vm_any(vm a) { return _mm256_movemask_ps(a) != 0; }
static inline int vm_all(vm a) { return _mm256_movemask_ps(a) == 0xff; }
static inline vi vf_bits(vf v) { return (vi)_mm256_castps_si256(v); }
static inline vf vi_bits(vi v) { return _mm256_castsi256_ps((__m256i)v); }
static inline vi vi_select(vm m, vi a, vi b) { return vf_bits(_mm256_blendv_ps(vi_bits(b), vi_bits(a), m)); }
static inline vi vi_trunc(vf v) { return (vi)_mm256_cvttps_epi32(v); }
static inline vf vi_float(vi v) { return _mm256_cvtepi32_ps((__m256i)v); }

static inline vi
vi_load_u8(const uint8_t *p)
{
	return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

static inline void
vi_store_u8(uint8_t *p, vi v)
{
	const __m256i pick = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	    0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	__m256i s = _mm256_shuffle_epi8((__m256i)v, pick);

	_mm_storel_epi64((__m128i *)(void *)p,
	    _mm_unpacklo_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)));
}

static inline vf
vf_load_f16(const void *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128(p));
}

static inline void
vf_store_f16(void *p, vf v)
{
	__m128i h = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
	__m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
	__m128i m = _mm_packs_epi32(_mm256_castsi256_si128(nan), _mm256_extracti128_si256(nan, 1));

	_mm_storeu_si128(p, _mm_blendv_epi8(h, _mm_set1_epi16(0x7e00), m));
}

static inline void
vf_transpose(vf *r)
{
	vf t[8], s[8];

	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		s[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		s[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
		s[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		s[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
	for (int i = 0; i < 4; i++) {
		r[i] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
		r[i + 4] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
	}
}

#endif
