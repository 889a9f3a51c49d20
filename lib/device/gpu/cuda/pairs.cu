/* SPDX-License-Identifier: MIT */
/*
 * pairs.cu -- two groups of 32 columns at once, from shared memory: those whose
 * codes are in the same bytes, or neighbours.
 *
 * A code may stand some bits up in its byte: what all products of a group have
 * too much is a power of two, and is taken from their sum, exactly.
 */
struct pair {
	uint	q[2][8];
	struct scales k[2];
};

/* The second group is `far` behind the first; their codes are `up` bits up. */
enum { q4_k_far = 1, q4_k_up0 = 0, q4_k_up1 = 4 };
enum { q5_k_far = 1, q5_k_up0 = 0, q5_k_up1 = 1 };
enum { q6_k_far = 2, q6_k_up0 = 2, q6_k_up1 = 2 };
enum { q4_0_far = 1, q4_0_up0 = 4, q4_0_up1 = 4 };
#define PAIRED_q4_k 1
#define PAIRED_q5_k 1
#define PAIRED_q6_k 1
#define PAIRED_q4_0 1
#define UNSIGNED_q4_k 1

#if PASTE(PAIRED, TYPE)
enum { FAR = PASTE(TYPE, far), UP0 = PASTE(TYPE, up0), UP1 = PASTE(TYPE, up1) };
#else
enum { FAR = 1, UP0 = 0, UP1 = 0 };
#endif

/* The first group of pair i. */
FM_FN uint
pair_at(uint i)
{
	return FAR == 1 ? 2 * i : i / 2 * 4 + i % 2;
}

/* The bits of one of two words, where those of mask are set in the first's. */
FM_FN uint
either(uint a, uint b, uint mask)
{
	return (a & mask) | (b & ~mask);
}

/* Scales and minima of groups 2i and on of Q4_K's and Q5_K's first 16 bytes. */
FM_FN void
pair_head(const uchar *b, uint i, struct scales k[2])
{
	uint4 head = load4(b);
	uint by = i % 2 * 16, late = i / 2, low = late ? 0x0f0f : 0x3f3f, high = late ? 0x3030 : 0;
	uint y = head.y >> by, z = head.z >> by, w = head.w >> by;
	uint s = ((late ? w : y) & low) | (y >> 2 & high);
	uint m = ((late ? w >> 4 : z) & low) | (z >> 2 & high);
	float d = half_to(head.x & 0xffff), min = half_to(head.x >> 16);

	k[0].s = d * (float)(s & 0xff);
	k[1].s = d * (float)(s >> 8);
	k[0].m = min * (float)(m & 0xff);
	k[1].m = min * (float)(m >> 8);
}

/* The high codes as they are. */
FM_FN void
pair_q4_k(const uchar *row, uint i, struct pair *to)
{
	const uchar *b = row + i / 4 * 144;

	pair_head(b, i % 4, to->k);
	UNROLL
	for (int h = 0; h < 2; h++) {
		uint4 v = load4(b + 16 + i % 4 * 32 + 16 * h);
		uint w[4] = { v.x, v.y, v.z, v.w };

		UNROLL
		for (int j = 0; j < 4; j++) {
			to->q[0][4 * h + j] = w[j] & 0x0f0f0f0f;
			to->q[1][4 * h + j] = w[j] & 0xf0f0f0f0;
		}
	}
}

/* The pair's bits are brought to 4 and 5, the high codes to 1. */
FM_FN void
pair_q5_k(const uchar *row, uint i, struct pair *to)
{
	const uchar *b = row + i / 4 * 176;

	pair_head(b, i % 4, to->k);
	UNROLL
	for (int h = 0; h < 2; h++) {
		uint4 v = load4(b + 48 + i % 4 * 32 + 16 * h), x = load4(b + 16 + 16 * h);
		uint w[4] = { v.x, v.y, v.z, v.w }, bits[4] = { x.x, x.y, x.z, x.w };

		UNROLL
		for (int j = 0; j < 4; j++) {
			uint turned = across(bits[j], bits[j], 2 * i % 8 + 28);

			to->q[0][4 * h + j] = (w[j] & 0x0f0f0f0f) | (turned & 0x10101010);
			to->q[1][4 * h + j] = (w[j] >> 3 & 0x1e1e1e1e) | (turned & 0x20202020);
		}
	}
}

/* Six bits at the top of a byte, less 32: the highest says the sign. */
FM_FN uint
top6(uint low, uint high)
{
	return (either(high, low, 0xc0c0c0c0) & 0xfcfcfcfc) ^ 0x80808080;
}

FM_FN void
pair_q6_k(const uchar *row, uint i, struct pair *to)
{
	const uchar *b = row + i / 4 * 210, *scales = b + 192 + pair_at(i % 4) * 2;
	uint half = i % 4 / 2, at = i % 2, low[8], high[8];
	float d = half_to(half_word(b + 208));

	words<8>(b + half * 64 + at * 32, low);
	words<8>(b + 128 + half * 32, high);
	UNROLL
	for (int h = 0; h < 2; h++) {
		uint sc = half_word(scales + 2 * FAR * h);

		to->k[h].s = d;
		to->k[h].k0 = (schar)sc;
		to->k[h].k1 = (schar)(sc >> 8);
	}
	UNROLL
	for (int j = 0; j < 8; j++) {
		/* Bits that come from the next byte are nobody's. */
		uint up = high[j] << (2 - 2 * at);

		to->q[0][j] = top6(low[j] << 2, up << 4);
		to->q[1][j] = top6(low[j] >> 2, up);
	}
}

FM_FN void
pair_q4_0(const uchar *row, uint i, struct pair *to)
{
	UNROLL
	for (int h = 0; h < 2; h++) {
		const uchar *b = row + (2 * i + h) * 18;
		uint w[4];

		to->k[h].s = half_to(half_word(b));
		words<4>(b + 2, w);
		UNROLL
		for (int j = 0; j < 4; j++) {
			to->q[h][j] = (w[j] << 4 & 0xf0f0f0f0) ^ 0x80808080;
			to->q[h][j + 4] = (w[j] & 0xf0f0f0f0) ^ 0x80808080;
		}
	}
}

/* Pair i of those from row on. */
FM_FN void
take_pair(const uchar *row, uint i, struct pair *to)
{
#if PASTE(PAIRED, TYPE)
	PASTE(pair, TYPE)(row, i, to);
#else
	UNROLL
	for (uint h = 0; h < 2; h++) {
		struct group g;

		take(row, 2 * i + h, &g);
		to->k[h] = g.k;
		UNROLL
		for (int j = 0; j < 8; j++)
			to->q[h][j] = g.q[j];
	}
#endif
}

/* sum + four products of codes with signed bytes. */
FM_FN int
dp4_codes(uint codes, uint b, int sum)
{
#if PASTE(UNSIGNED, TYPE)
	asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(codes), "r"(b));
	return sum;
#else
	return dp4(codes, b, sum);
#endif
}
