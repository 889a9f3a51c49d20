/* SPDX-License-Identifier: MIT */
/*
 * vec.h -- W floats or W int32 side by side, in the same words for every
 * instruction set, so that a kernel is written once.
 *
 * vf and vi are vectors that + - * / & | ^ << >> work on; a mask (vm) comes
 * from a comparison and goes into a select.  Lanes never meet: what a lane
 * computes is what scalar code computes, rounding included.
 *
 *	vf_load vf_store	unaligned, W floats
 *	vf_set1 vi_set1		the same in all lanes
 *	vf_abs vf_sqrt
 *	vf_fma vf_fnma		a * b + c, c - a * b, rounded once
 *	vf_inverse		1/d, and 0 for 0
 *	vf_lt vf_le vf_eq	a < b ...: vm (false with NaN)
 *	vf_min vf_max		a < b ? a : b, a > b ? a : b
 *	vi_lt vi_eq vi_min vi_max	signed
 *	vf_select vi_select	m ? a : b
 *	vi_count		v + 1 where m
 *	vm_and vm_or vm_not vm_any vm_all
 *	vm_bits			bit i: lane i
 *	vf_bits vi_bits		reinterpret
 *	vi_trunc vi_float	as a C cast does (out of range: INT32_MIN on x86)
 *	vi_load_u8 vi_store_u8	W bytes to int32; the low bytes of int32
 *	vi_load vi_store
 *	vf_load_f16 vf_store_f16	IEEE half, to nearest even; 0x7e00 for NaN
 *	f16_get			one half
 *	vf_transpose		W vectors of W, in place
 *	vf_lookup vi_lookup	table[index modulo 16]
 *	vi_near			half to even as the quantizers do, see near()
 *	vi_round		half away from 0: vi_trunc of roundf
 *	vi_ceil			up, for what fits
 *	vi_shr			a logical shift
 *	vm_bits			bit i: lane i
 *	vf_hmin vi_hmin		the least of one (no NaN)
 *	vi_after		what uses the number comes after the vector, for the
 *				compiler (which else puts all prefetches first)
 *	vf4 vf8			tables of four and eight floats: ..._load from
 *				memory; ..._lookup by an index's low two or
 *				three bits, whatever is above
 *	vi_load_u16 vi_load_i8 vi_store_u16	as those of u8
 *	vf_unordered		is either NaN?
 *	vf_copysign		sign of the second to the first, which has none
 *	vf_absmax		the larger of |a| and |b| (no NaN)
 *	vf_max_each		lane i the largest of vector i (no NaN); W vectors,
 *				which it spoils
 *	vf_hmax			the largest of one (no NaN)
 *	vf_sums			lane i the sum of vector i: its upper half onto the
 *				lower, until one is left
 *	vb b16			32, 16 bytes, which operators work on; ..._signed
 *	vb_set1 vb_min
 *	vb_load vb_store b16_load b16_store
 *	vb_pack b16_pack	the low bytes of 32 or 16 int32 in order
 *	vb_pack2		64 int32 to two vb; what no int8 holds is cut to size
 *	vb_lookup b16_lookup	table[index], 16 entries, index < 16
 *	b16_words b16_longs	of one uint32_t, of two uint64_t
 *	vb_low vb_high vb_join	halves
 *	vb_tops			the highest bit of each byte, the first lowest
 *	vi_bytes		W signed bytes of a b16, from the k * Wth on, as int32
 *	vi_rounded		half to even, for what fits
 *	vi_lut			table[byte] for each byte, 16 entries, byte < 16
 *	vi_rows			vector j the jth 4 bytes of W rows, j < 4
 *	vf_rows_f16		one half of each of W rows
 *	vf_half			the low 16 bits as a half
 *	vi_dot_u vi_dot_s	sum + products of 4 bytes and 4 signed bytes; _u: the
 *				first are 0..127, _s: signed, or where DOT_BIASED
 *				signed + 128
 *	vd			VD doubles
 *	vd_load_f32		VD floats
 *	vd_max_abs		the larger of m and |v|; m if v is NaN
 *
 * UNROLL before a loop of constant length makes straight code of it, without
 * which arrays of vectors live in memory; INLINE before a function whose
 * arguments are such.
 *
 * W	lanes
 * STEPS	sums in pairs that registers hold beside what goes into them
 */
#ifndef KERNEL_VEC_H
#define KERNEL_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
/* Sanitizers get in its way. */
#pragma clang diagnostic ignored "-Wpass-failed"
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#define INLINE static inline __attribute__((always_inline))

static inline int
le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

typedef uint8_t vb __attribute__((vector_size(32)));
typedef int8_t vb_signed __attribute__((vector_size(32)));
typedef uint8_t b16 __attribute__((vector_size(16)));
typedef int8_t b16_signed __attribute__((vector_size(16)));

static inline vb vb_load(const void *p) { vb v; memcpy(&v, p, sizeof v); return v; }
static inline void vb_store(void *p, vb v) { memcpy(p, &v, sizeof v); }
static inline b16 b16_load(const void *p) { b16 v; memcpy(&v, p, sizeof v); return v; }
static inline void b16_store(void *p, b16 v) { memcpy(p, &v, sizeof v); }

static inline b16
b16_words(uint32_t w)
{
	typedef uint32_t words __attribute__((vector_size(16)));

	return (b16)(words){ w, w, w, w };
}

static inline b16
b16_longs(uint64_t a, uint64_t b)
{
	typedef uint64_t longs __attribute__((vector_size(16)));

	return (b16)(longs){ a, b };
}

#if defined __AVX512F__
#include "../x86/avx512.h"
#elif defined __AVX2__
#include "../x86/avx2.h"
#elif defined __aarch64__
#include "../arm/neon.h"
#endif

/* lib/type's near(): exact for |v| <= 4194303, the same odd bits beyond. */
static inline vi
vi_near(vf v)
{
	return (vf_bits(v + vf_set1(12582912.0f)) & vi_set1(0x7fffff)) - vi_set1(0x400000);
}

static inline vf
vf_inverse(vf d)
{
	return vf_select(vf_eq(d, vf_set1(0)), vf_set1(0), vf_set1(1) / d);
}

typedef uint32_t vu __attribute__((vector_size(4 * W)));

static inline vi
vi_shr(vi v, int n)
{
	return (vi)((vu)v >> n);
}

/* One step under a half: 0.5 would carry 0.49999997 over. */
static inline vi
vi_round(vf v)
{
	return vi_trunc(v + vf_copysign(vf_set1(0x1.fffffep-2f), v));
}

#endif
