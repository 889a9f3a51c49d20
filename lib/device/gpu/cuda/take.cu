/* SPDX-License-Identifier: MIT */
/*
 * take.cu -- a group of 32 columns taken apart: 8 words of codes, and scales;
 * from memory or from shared.  The usual types by whole words, the others as
 * groups.cl has them.
 */
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

/* The types below are at multiples of 16, as are their blocks. */
FM_FN void
take_q4_k(const uchar *row, uint g, struct group *to)
{
	const uchar *b = row + g / 8 * 144;
	uint4 head = *(const uint4 *)b, q[2];
	uint by = g % 4 * 8, odd = g % 2 * 4, late = g % 8 / 4;
	uint sc, m;

	q[0] = *(const uint4 *)(b + 16 + g % 8 / 2 * 32);
	q[1] = *(const uint4 *)(b + 32 + g % 8 / 2 * 32);
	sc = ((late ? head.w : head.y) >> by & (late ? 15 : 63)) | (head.y >> by >> 2 & (late ? 48 : 0));
	m = (late ? head.w >> by >> 4 & 15 : head.z >> by & 63) | (head.z >> by >> 2 & (late ? 48 : 0));
	to->k.s = half_to(head.x & 0xffff) * (float)(int)sc;
	to->k.m = half_to(head.x >> 16) * (float)(int)m;
	UNROLL
	for (int i = 0; i < 2; i++) {
		to->q[4 * i] = q[i].x >> odd & 0x0f0f0f0f;
		to->q[4 * i + 1] = q[i].y >> odd & 0x0f0f0f0f;
		to->q[4 * i + 2] = q[i].z >> odd & 0x0f0f0f0f;
		to->q[4 * i + 3] = q[i].w >> odd & 0x0f0f0f0f;
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

#define HAND_q4_k 1
#define HAND_q6_k 1
#define HAND_q8_0 1
#define HAND_q4_0 1

FM_FN void
take(const uchar *row, uint g, float scale, const ushort *grid_base, ulong grid_at,
    struct group *to)
{
#if PASTE(HAND, TYPE)
	PASTE(take, TYPE)(row, g, to);
#else
	to->k.s = scale;
	PASTE(TYPE, scales)(row, g, &to->k);
	UNROLL
	for (uint i = 0; i < 8; i++)
		to->q[i] = WORD(row, g, i);
#endif
}
