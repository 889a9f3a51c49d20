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
 *	vf_lt vf_le vf_eq	a < b ...: vm (false with NaN)
 *	vf_min vf_max		a < b ? a : b, a > b ? a : b
 *	vi_lt vi_eq vi_min vi_max	signed
 *	vf_select vi_select	m ? a : b
 *	vm_and vm_or vm_not vm_any vm_all
 *	vf_bits vi_bits		reinterpret
 *	vi_trunc vi_float	as a C cast does (out of range: INT32_MIN on x86)
 *	vi_load_u8 vi_store_u8	W bytes to int32; the low bytes of int32
 *	vi_load vi_store
 *	vf_load_f16 vf_store_f16	IEEE half, to nearest even; 0x7e00 for NaN
 *	vf_transpose		W vectors of W, in place
 *	vi_near			half to even as the quantizers do, see near()
 */
#ifndef KERNEL_VEC_H
#define KERNEL_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

#endif
