/* SPDX-License-Identifier: MIT */
/*
 * words.cu -- what only CUDA's kernels say, on cards from sm_80 on: products
 * of bytes, copies that nobody waits for, tensor cores.
 */
typedef uint uint2 __attribute__((ext_vector_type(2)));
typedef uint uint4 __attribute__((ext_vector_type(4)));
typedef float float2 __attribute__((ext_vector_type(2)));
typedef float float4 __attribute__((ext_vector_type(4)));

#define INLINED		__attribute__((always_inline))
#define ROLLED		_Pragma("nounroll")

#define SHARED_AT(p)	((uint)(ulong)(__attribute__((address_space(3))) const void *)(p))
#define GLOBAL_AT(p)	((ulong)(__attribute__((address_space(1))) const void *)(p))

/* sum + four products of signed bytes. */
FM_FN int
dp4(uint a, uint b, int sum)
{
	asm("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
	return sum;
}

/* Both at multiples of 16; there once copies_left() says so. */
FM_FN void
copy16(void *shared, const void *from)
{
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"(SHARED_AT(shared)),
	    "l"(GLOBAL_AT(from)) : "memory");
}

FM_FN void
copies_end(void)
{
	asm volatile("cp.async.commit_group;" ::: "memory");
}

/* All but the last n groups of this thread's are there. */
#define COPIES_LEFT(n)	asm volatile("cp.async.wait_group %0;" :: "n"(n) : "memory")

/*
 * d += a b: 16 rows of 32 bytes times 8 columns of as many.  Of lane l, with
 * r = l / 4 and k = l % 4 * 4: a has row r from k, row r + 8 from k, and both
 * from 16 + k; b column r from k and from 16 + k; d rows r, r, r + 8, r + 8 of
 * columns l % 4 * 2 and the next.
 */
FM_FN void
mma32(int d[4], const uint a[4], const uint b[2])
{
	asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
	    "{%8, %9}, {%0, %1, %2, %3};" : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]) :
	    "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* The same of 16 bytes: a and b are the first halves of the above. */
FM_FN void
mma16(int d[4], const uint a[2], uint b)
{
	asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
	    "{%0, %1, %2, %3};" : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]) :
	    "r"(a[0]), "r"(a[1]), "r"(b));
}

/* Exact. */
FM_FN float
half_to(uint h)
{
	float f;

	asm("{ .reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h; }" : "=f"(f) : "r"(h));
	return f;
}

/* The word that begins `bits` up in two. */
FM_FN uint
across(uint low, uint high, uint bits)
{
	uint w;

	asm("shf.r.wrap.b32 %0, %1, %2, %3;" : "=r"(w) : "r"(low), "r"(high), "r"(bits));
	return w;
}

/* Bytes of two words, those that the low four nibbles of `which` number. */
FM_FN uint
bytes_of(uint a, uint b, uint which)
{
	uint w;

	asm("prmt.b32 %0, %1, %2, %3;" : "=r"(w) : "r"(a), "r"(b), "r"(which));
	return w;
}

/* What the lane has whose number differs by `away`'s bit; all of the warp say it. */
FM_FN float
from_lane(float x, int away)
{
	float y;

	asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 31, 0xffffffff;" : "=f"(y) : "f"(x), "r"(away));
	return y;
}
