/* SPDX-License-Identifier: MIT */
/*
 * gemv.cu -- rows of packed weights times up to 8 columns, in dot.h's order.
 *
 * A warp has two rows and goes through both in steps of 512 columns; a lane
 * has a group of one of them, so that its integer sums are made without the
 * others.  Bytes come as they lie in the file, 16 at a time past L1, into a
 * ring in shared memory, steps before they are wanted: there it costs a shift
 * that blocks of most types are at even addresses only.  The float steps of a
 * step's groups are done while the next step's sums are made, by a thread a
 * row and column.
 */
enum {
	STEP = 16,			/* groups, */
	RAW = STEP * 32 / BLOCK * BYTES,/* their bytes, */
	PIECES = (RAW + 15 + 15) / 16,	/* and the pieces of 16 that these touch */
	PITCH = STEP + 4,		/* floats from row to row: banks apart */
	SEGMENT = 4096 / 32,		/* groups */
};

struct product {
	const uchar	*w;
	ulong		 stride;
	uint		 rows;
	const uint	*q;		/* columns' codes */
	const float	*a;		/* and scales */
	uint		 groups, n;
	const float	*bias;		/* NULL: none */
	float		*y;
	ulong		 ldy;
	uint		 second;
};

FM_FN float
add_term(float acc, float s, float m, float dot, float4 f)
{
	acc = fma(s * f.x, dot, acc);
	return FLAGS & MIN ? fma(m, f.y, acc) : acc;
}

/* A step's terms, in order. */
FM_FN float
add_terms(float acc, const float *s, const float *m, const float *dot, const float4 *f, uint n)
{
	if (n >= STEP) {
		UNROLL
		for (uint j = 0; j < STEP; j += 4) {
			float4 s4 = *(const float4 *)(s + j), d4 = *(const float4 *)(dot + j), m4 = s4;

			if (FLAGS & MIN)
				m4 = *(const float4 *)(m + j);
			acc = add_term(acc, s4.x, m4.x, d4.x, f[j]);
			acc = add_term(acc, s4.y, m4.y, d4.y, f[j + 1]);
			acc = add_term(acc, s4.z, m4.z, d4.z, f[j + 2]);
			acc = add_term(acc, s4.w, m4.w, d4.w, f[j + 3]);
		}
		return acc;
	}
	for (uint j = 0; j < n; j++)
		acc = add_term(acc, s[j], FLAGS & MIN ? m[j] : 0, dot[j], f[j]);
	return acc;
}

/* C columns, W warps, S steps in the ring. */
template <int C, int W, int S> FM_FN void
gemv(const struct product *p)
{
	enum {
		ROWS = 2 * W, ITEMS = 32 * W, ACTS = 3 * C * STEP,
		MINE = (2 * PIECES + 31) / 32, OURS = (ACTS + ITEMS - 1) / ITEMS,
	};
	LOCAL uint4 ring[S][ROWS][PIECES];
	LOCAL uint4 codes[S][C][2][STEP];	/* groups' first halves, second halves */
	LOCAL float4 by[S + 1][C][STEP];
	LOCAL float4 s[2][ROWS][PITCH / 4], dot[2][C][ROWS][PITCH / 4];
	LOCAL float4 m[FLAGS & MIN ? 2 : 1][ROWS][PITCH / 4];
	uint item = LANE(), lane = item % 32, pair = item / 32 * 2, r = pair + lane / STEP;
	uint g = lane % STEP, first = GROUP(0) * ROWS, column = GROUP(1) * C;
	uint groups = p->groups, steps = (groups + STEP - 1) / STEP, n = p->n;
	uint adds = item % ROWS, of = item / ROWS;	/* the row and column it adds */
	uint bytes = (groups + BLOCK / 32 - 1) / (BLOCK / 32) * BYTES;
	const uchar *row[2], *mine;
	const uchar *act[OURS];
	float acc = 0, sum = 0;

	UNROLL
	for (uint i = 0; i < 2; i++) {
		uint at = first + pair + i;

		row[i] = p->w + (at < p->rows ? at : p->rows - 1) * p->stride;
	}
	mine = lane < STEP ? row[0] : row[1];
	UNROLL
	for (uint i = 0; i < OURS; i++) {
		uint c = (item + ITEMS * i) / (3 * STEP), at = (item + ITEMS * i) % (3 * STEP);
		ulong begin = (ulong)(column + c < n ? column + c : n - 1) * groups;

		act[i] = at < 2 * STEP ? (const uchar *)(p->q + begin * 8 + at * 4) :
		    (const uchar *)(p->a + (begin + at - 2 * STEP) * 4);
	}
	for (int k = 1 - S; k <= (int)steps; k++) {
		uint next = (uint)(k + S - 1), left = groups - next * STEP;

		if (k >= 0) {
			/* Step k is there; all have made their sums of k - 1. */
			COPIES_LEFT(S - 2);
			BARRIER();
		}
		if (next < steps) {
			UNROLL
			for (uint i = 0; i < MINE; i++) {
				uint j = lane + 32 * i, at = j % PIECES * 16;
				const uchar *from = j < PIECES ? row[0] : row[1];
				uint off, end = bytes - next * RAW;

				from += next * RAW;
				off = (uint)(ulong)from & 15;
				end = off + (end < RAW ? end : RAW);
				if (j < 2 * PIECES && at < end)
					copy16(&ring[next % S][pair + j / PIECES][j % PIECES], from - off + at);
			}
			UNROLL
			for (uint i = 0; i < OURS; i++) {
				uint j = item + ITEMS * i, c = j / (3 * STEP), at = j % (3 * STEP);

				if (j >= ACTS)
					;
				else if (at >= 2 * STEP && at - 2 * STEP < left)
					copy16(&by[next % (S + 1)][c][at - 2 * STEP],
					    act[i] + (ulong)next * (STEP * 16));
				else if (at < 2 * STEP && at / 2 < left)
					copy16(&codes[next % S][c][at % 2][at / 2],
					    act[i] + (ulong)next * (STEP * 32));
			}
		}
		copies_end();
		if (k > 0 && item < ROWS * C) {
			uint last = (uint)k - 1;

			if (last % (SEGMENT / STEP) == 0 && last > 0) {
				sum = last == SEGMENT / STEP ? acc : sum + acc;
				acc = 0;
			}
			acc = add_terms(acc, (const float *)s[last % 2][adds],
			    (const float *)m[FLAGS & MIN ? last % 2 : 0][adds],
			    (const float *)dot[last % 2][of][adds], by[last % (S + 1)][of],
			    groups - last * STEP);
		}
		if (k >= 0 && (uint)k * STEP + g < groups) {
			uint off = (uint)(ulong)(mine + (uint)k * RAW) & 15;
			struct group to;

			take((const uchar *)ring[(uint)k % S][r] + off, g, &to);
			((float *)s[k % 2][r])[g] = to.k.s;
			if (FLAGS & MIN)
				((float *)m[FLAGS & MIN ? k % 2 : 0][r])[g] = -to.k.m;
			UNROLL
			for (uint c = 0; c < C; c++) {
				uint4 a = codes[(uint)k % S][c][0][g], b = codes[(uint)k % S][c][1][g];
				int d0, d1;

				d0 = dp4(to.q[3], a.w, dp4(to.q[2], a.z, dp4(to.q[1], a.y,
				    dp4(to.q[0], a.x, 0))));
				d1 = dp4(to.q[7], b.w, dp4(to.q[6], b.z, dp4(to.q[5], b.y,
				    dp4(to.q[4], b.x, FLAGS & HALVES ? 0 : d0))));
				if (FLAGS & HALVES)
					d1 = to.k.k0 * d0 + to.k.k1 * d1;
				((float *)dot[k % 2][c][r])[g] = (float)d1;
			}
		}
	}
	if (item < ROWS * C && first + adds < p->rows && column + of < n) {
		float *to = p->y + (column + of) * p->ldy + first + adds;

		acc = groups > SEGMENT ? sum + acc : acc;
		acc = p->second ? *to + acc : acc;
		*to = p->bias ? acc + p->bias[first + adds] : acc;
	}
}

/* Arguments are multiply.cl's. */
#define PRODUCT(name, ...) \
KERNEL \
name(BUF(const uchar, w), BUF(const ushort, grid), ulong stride, uint rows, float scale, \
    BUF(const uint, q), BUF(const float, a), uint groups, uint n, BUF(const float, bias), \
    BUF(float, y), ulong ldy, uint second) \
{ \
	struct product p = { CAT(uchar, w), stride, rows, CAT(uint, q), CAT(float, a), groups, n, \
	    HAS(bias) ? CAT(float, bias) : 0, AT(float, y), ldy, second }; \
\
	(void)grid_base; (void)grid_at; (void)scale; \
	__VA_ARGS__(&p); \
}

PRODUCT(gemv_1, gemv<1, 8, 3>)
PRODUCT(gemv_2, gemv<2, 8, 3>)
PRODUCT(gemv_4, gemv<4, 4, 3>)
PRODUCT(gemv_8, gemv<8, 4, 3>)
