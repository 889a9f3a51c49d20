/* SPDX-License-Identifier: MIT */
/*
 * lang.cl -- the words in which kernels are written, in OpenCL C 1.2 and in
 * CUDA as clang has it.
 *
 * A buffer comes as its begin and an offset in bytes, BUF(T, x), since an
 * OpenCL buffer cannot be pointed into; AT(T, x) is the address, HAS(x) says
 * whether there is one.  Where the CPU's kernels say fmaf, fma() is said;
 * nothing else is fused.
 *
 * Whoever may SKIP a barrier does, where all items agree.  In OpenCL nobody
 * does: PoCL 3.1 asks one item alone for the conditions around such a barrier.
 */
#ifdef __OPENCL_C_VERSION__

#pragma OPENCL FP_CONTRACT OFF
#define KERNEL		__kernel void
#define CONSTANT	__constant
#define TABLE(T, x)	__constant T *x		/* arguments */
#define SHARED(T, x)	__local const T *x
#define SCRATCH(T, x)	__local T *x
#define GLOBAL		__global
#define LOCAL		__local
#define BUF(T, x)	__global T *x##_base, ulong x##_at
#define AT(T, x)	((__global T *)((__global uchar *)x##_base + x##_at))
#define CAT(T, x)	((__global const T *)((__global const uchar *)x##_base + x##_at))
#define HAS(x)		(x##_at != ~0UL)
#define BARRIER()	barrier(CLK_LOCAL_MEM_FENCE)
#define BARRIER_ALL()	barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#define SKIPS		0
#define LANES_HERE()	((uint)get_local_size(0))
#define GROUP(i)	((uint)get_group_id(i))
#define LANE()		((uint)get_local_id(0))
#define ITEM(i)		((uint)get_global_id(i))
#define FM_FN		static inline
#define FM_FMA(a, b, c)	fma(a, b, c)
#define FM_SQRT(x)	sqrt(x)
#define fm_from_bits(i)	as_float(i)
#define fm_bits(x)	as_int(x)
typedef int int32_t;
typedef uint uint32_t;
typedef ulong uint64_t;

#else

#define KERNEL		extern "C" __attribute__((global)) void
#define CONSTANT	__attribute__((constant)) const
#define TABLE(T, x)	const T *x
#define SHARED(T, x)	const T *x
#define SCRATCH(T, x)	T *x
#define INFINITY	__builtin_inff()
#define GLOBAL
#define LOCAL		__attribute__((shared))
#define BUF(T, x)	T *x##_base, ulong x##_at
#define AT(T, x)	((T *)((uchar *)x##_base + x##_at))
#define CAT(T, x)	((const T *)((const uchar *)x##_base + x##_at))
#define HAS(x)		(x##_at != ~0UL)
#define BARRIER()	__nvvm_bar_sync(0)
#define BARRIER_ALL()	__nvvm_bar_sync(0)
#define SKIPS		1
#define LANES_HERE()	((uint)__nvvm_read_ptx_sreg_ntid_x())
#define GROUP(i)	((i) == 0 ? (uint)__nvvm_read_ptx_sreg_ctaid_x() : \
			 (i) == 1 ? (uint)__nvvm_read_ptx_sreg_ctaid_y() : \
			 (uint)__nvvm_read_ptx_sreg_ctaid_z())
#define LANE()		((uint)__nvvm_read_ptx_sreg_tid_x())
#define ITEM(i)		((i) == 0 ? GROUP(0) * (uint)__nvvm_read_ptx_sreg_ntid_x() + LANE() : GROUP(i))
#define FM_FN		static inline __attribute__((device, always_inline))
#define FM_FMA(a, b, c)	__nvvm_fma_rn_f(a, b, c)
#define fma(a, b, c)	__nvvm_fma_rn_f(a, b, c)
#define FM_SQRT(x)	__nvvm_sqrt_rn_f(x)
#define sqrt(x)		__nvvm_sqrt_rn_f(x)
#define fm_from_bits(i)	__builtin_bit_cast(float, (int)(i))
#define fm_bits(x)	__builtin_bit_cast(int, (float)(x))
#define as_float(i)	__builtin_bit_cast(float, (uint)(i))
#define as_uint(x)	__builtin_bit_cast(uint, (float)(x))
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef int int32_t;
typedef uint uint32_t;
typedef ulong uint64_t;

#endif

/* Loops whose arrays would else lie in memory. */
#define UNROLL		_Pragma("unroll")

typedef signed char schar;
