/* SPDX-License-Identifier: MIT */
/*
 * take.cu -- a group of 32 columns taken apart: 8 words of codes, and scales;
 * from memory or from shared.  The usual types by whole words, the others as
 * groups.cl has them.  A type is among these by its line here.
 */
enum { q4_0_block = 32, q4_0_bytes = 18 };
enum { q8_0_block = 32, q8_0_bytes = 34 };
enum { iq4_nl_block = 32, iq4_nl_bytes = 18 };
enum { q3_k_block = 256, q3_k_bytes = 110 };
enum { q4_k_block = 256, q4_k_bytes = 144 };
enum { q5_k_block = 256, q5_k_bytes = 176 };
enum { q6_k_block = 256, q6_k_bytes = 210 };
enum { iq4_xs_block = 256, iq4_xs_bytes = 136 };
enum { BLOCK = PASTE(TYPE, block), BYTES = PASTE(TYPE, bytes) };

struct group {
	uint	q[8];
	struct scales k;
};

/* What a group's float steps take: s, and with it m, or both k. */
FM_FN uint2
record(const struct group *g)
{
	uint2 r = { as_uint(g->k.s), 0 };

	if (FLAGS & HALVES)
		r.y = ((uint)g->k.k0 & 0xffff) | (uint)g->k.k1 << 16;
	else if (FLAGS & MIN)
		r.y = as_uint(-g->k.m);
	return r;
}
#define K0(y)	((int)(short)(y))
#define K1(y)	((int)(y) >> 16)

/* At a multiple of 16. */
FM_FN uint4
load4(const void *p)
{
	return *(const uint4 *)__builtin_assume_aligned(p, 16);
}

/* N words at an even address, read as aligned ones. */
template <int N> FM_FN void
words(const uchar *p, uint to[N])
{
	uint odd = (uint)(ulong)p & 2;
	const uint *w = (const uint *)(p - odd);
	uint low = w[0];

	UNROLL
	for (int i = 0; i < N; i++) {
		uint high = w[i + 1];

		to[i] = across(low, high, 8 * odd);
		low = high;
	}
}

FM_FN uint
half_word(const uchar *p)
{
	return *(const ushort *)p;
}

/* Scale and minimum of group g of Q4_K's and Q5_K's first 16 bytes. */
FM_FN void
take_head(const uchar *b, uint g, struct group *to)
{
	uint4 head = load4(b);
	uint by = g % 4 * 8, late = g % 8 / 4, high = late ? 48 : 0;
	uint s = (late ? head.w : head.y) >> by & (late ? 15 : 63);
	uint m = (late ? head.w >> 4 : head.z) >> by & (late ? 15 : 63);

	s |= head.y >> by >> 2 & high;
	m |= head.z >> by >> 2 & high;
	to->k.s = half_to(head.x & 0xffff) * (float)(int)s;
	to->k.m = half_to(head.x >> 16) * (float)(int)m;
}

/* These two are at multiples of 16, as are their blocks. */
FM_FN void
take_q4_k(const uchar *row, uint g, struct group *to)
{
	const uchar *b = row + g / 8 * 144;
	const uchar *q = b + 16 + g % 8 / 2 * 32;
	uint odd = g % 2 * 4;

	take_head(b, g, to);
	UNROLL
	for (int i = 0; i < 2; i++) {
		uint4 v = load4(q + 16 * i);

		to->q[4 * i] = v.x >> odd & 0x0f0f0f0f;
		to->q[4 * i + 1] = v.y >> odd & 0x0f0f0f0f;
		to->q[4 * i + 2] = v.z >> odd & 0x0f0f0f0f;
		to->q[4 * i + 3] = v.w >> odd & 0x0f0f0f0f;
	}
}

FM_FN uint
q5_word(uint low, uint high, uint odd, uint g)
{
	return (low >> odd & 0x0f0f0f0f) | (high >> g & 0x01010101) << 4;
}

FM_FN void
take_q5_k(const uchar *row, uint g, struct group *to)
{
	const uchar *b = row + g / 8 * 176;
	const uchar *q = b + 48 + g % 8 / 2 * 32;
	uint odd = g % 2 * 4;

	take_head(b, g, to);
	UNROLL
	for (int i = 0; i < 2; i++) {
		uint4 v = load4(q + 16 * i), h = load4(b + 16 + 16 * i);

		to->q[4 * i] = q5_word(v.x, h.x, odd, g % 8);
		to->q[4 * i + 1] = q5_word(v.y, h.y, odd, g % 8);
		to->q[4 * i + 2] = q5_word(v.z, h.z, odd, g % 8);
		to->q[4 * i + 3] = q5_word(v.w, h.w, odd, g % 8);
	}
}

/* At even addresses. */
FM_FN void
take_q6_k(const uchar *row, uint g, struct group *to)
{
	const uchar *b = row + g / 8 * 210;
	uint half = g % 8 / 4, at = g % 4, low[8], high[8], sc = half_word(b + 192 + g % 8 * 2);

	words<8>(b + half * 64 + at % 2 * 32, low);
	words<8>(b + 128 + half * 32, high);
	to->k.s = half_to(half_word(b + 208));
	to->k.k0 = (schar)sc;
	to->k.k1 = (schar)(sc >> 8);
	UNROLL
	for (int i = 0; i < 8; i++)
		to->q[i] = less((low[i] >> at / 2 * 4 & 0x0f0f0f0f) |
		    (high[i] >> at * 2 & 0x03030303) << 4, 32);
}

FM_FN void
take_q8_0(const uchar *row, uint g, struct group *to)
{
	const uchar *b = row + g * 34;

	to->k.s = half_to(half_word(b));
	words<8>(b + 2, to->q);
}

FM_FN void
take_q4_0(const uchar *row, uint g, struct group *to)
{
	const uchar *b = row + g * 18;
	uint q[4];

	to->k.s = half_to(half_word(b));
	words<4>(b + 2, q);
	UNROLL
	for (int i = 0; i < 4; i++) {
		to->q[i] = less(q[i] & 0x0f0f0f0f, 8);
		to->q[i + 4] = less(q[i] >> 4 & 0x0f0f0f0f, 8);
	}
}

/* Two nibbles of each byte through groups.cl's iq4, in words of their own. */
FM_FN void
iq4_bytes(uint nibbles, uint *low, uint *high)
{
	uint at = nibbles & 0x77777777, half = (nibbles >> 1 & 0x44444444) | 0x32103210, w[2];

	UNROLL
	for (int i = 0; i < 2; i++)
		w[i] = bytes_of(bytes_of(0xbfad9881, 0xf6eaddcf, at >> 16 * i),
		    bytes_of(0x26190d01, 0x71594535, at >> 16 * i), half >> 16 * i);
	*low = bytes_of(w[0], w[1], 0x6420);
	*high = bytes_of(w[0], w[1], 0x7531);
}

FM_FN void
take_iq4(const uchar *codes, struct group *to)
{
	uint q[4];

	words<4>(codes, q);
	UNROLL
	for (int i = 0; i < 4; i++)
		iq4_bytes(q[i], &to->q[i], &to->q[i + 4]);
}

FM_FN void
take_iq4_nl(const uchar *row, uint g, struct group *to)
{
	const uchar *b = row + g * 18;

	to->k.s = half_to(half_word(b));
	take_iq4(b + 2, to);
}

FM_FN void
take_iq4_xs(const uchar *row, uint g, struct group *to)
{
	const uchar *b = row + g / 8 * 136;
	uint h = g % 8, scale = (b[4 + h / 2] >> h % 2 * 4 & 15) | (half_word(b + 2) >> 2 * h & 3) << 4;

	to->k.s = half_to(half_word(b)) * (float)((int)scale - 32);
	take_iq4(b + 8 + h * 16, to);
}

#define HAND_q4_k 1
#define HAND_q5_k 1
#define HAND_q6_k 1
#define HAND_q8_0 1
#define HAND_q4_0 1
#define HAND_iq4_nl 1
#define HAND_iq4_xs 1

FM_FN void
take(const uchar *row, uint g, struct group *to)
{
#if PASTE(HAND, TYPE)
	PASTE(take, TYPE)(row, g, to);
#else
	PASTE(TYPE, scales)(row, g, &to->k);
	UNROLL
	for (uint i = 0; i < 8; i++)
		to->q[i] = WORD_OF(row, g, i, (const ushort *)0);
#endif
}
