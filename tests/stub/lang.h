/* SPDX-License-Identifier: MIT */
/* lang.h -- lib/device/gpu/lang.cl once more, for kernels on the host: where
 * items of a work-group take turns on one thread. */
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char uchar;
typedef signed char schar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;

extern uint stub_group[3], stub_lane, stub_items;
void	stub_barrier(void);

#define CONSTANT	static const
#define TABLE(T, x)	const T *x
#define SHARED(T, x)	const T *x
#define SCRATCH(T, x)	T *x
#define GLOBAL
#define LOCAL		static
#define BUF(T, x)	T *x##_base, ulong x##_at
#define AT(T, x)	((T *)((uchar *)x##_base + x##_at))
#define CAT(T, x)	((const T *)((const uchar *)x##_base + x##_at))
#define HAS(x)		(x##_at != ~0UL)
#define BARRIER()	stub_barrier()
#define BARRIER_ALL()	stub_barrier()
#define LANES_HERE()	(stub_items)
#define GROUP(i)	(stub_group[i])
#define LANE()		(stub_lane)
#define ITEM(i)		((i) == 0 ? stub_group[0] * stub_items + stub_lane : stub_group[i])
#define UNROLL
#define FM_FN		static inline
#define FM_FMA(a, b, c)	fmaf(a, b, c)
#define FM_SQRT(x)	sqrtf(x)
#define fma(a, b, c)	fmaf(a, b, c)
#define sqrt(x)		sqrtf(x)

static inline float
as_float(uint i)
{
	float f;

	memcpy(&f, &i, sizeof f);
	return f;
}

static inline uint
as_uint(float f)
{
	uint i;

	memcpy(&i, &f, sizeof i);
	return i;
}
#define fm_from_bits(i)	as_float((uint)(i))
#define fm_bits(x)	((int)as_uint(x))
