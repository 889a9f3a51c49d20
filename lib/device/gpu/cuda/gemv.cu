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
	WHOLE = BYTES % 16 == 0,
	PIECES = WHOLE ? RAW / 16 : (RAW + 15 + 15) / 16,	/* pieces of 16 that these touch */
	PITCH = STEP + 4,		/* floats from row to row: banks apart */
	SEGMENT = 4096 / 32,		/* groups */
};

struct product {
	const uchar	*w;
	ulong		 stride;
	uint		 rows, block;	/* matrices.cl's */
	const uint	*q, *q1;	/* columns' codes */
	const float	*a, *a1;	/* and scales */
	uint		 groups;
	/* Fine columns are two each, q1 and a1 being the first's. */
	uint		 fine;		/* 1, or 0 */
	uint		 column, n;	/* the first, and behind the last */
	const uint	*of;		/* whose codes each has; NULL: its own */
	const float	*bias;		/* NULL: none */
	float		*y;
	ulong		 ldy;
};

/* Twice the place of column c's codes, and 1 unless q1 is meant; columns behind
 * the last have its. */
FM_FN uint
codes_at(const struct product *p, uint c)
{
	uint first;

	c = c < p->n ? c : p->n - 1;
	first = p->fine & ~c;
	c >>= p->fine;
	return (p->of ? p->of[c] : c) * 2 + 1 - first;
}

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
	ROLLED
	for (uint j = 0; j < n; j++)
		acc = add_term(acc, s[j], FLAGS & MIN ? m[j] : 0, dot[j], f[j]);
	return acc;
}

/* What group h of a pair gives with its codes of a column. */
FM_FN int
group_sum(const struct pair *p, int h, uint4 a, uint4 b)
{
	const uint *q = p->q[h];
	int d0, d1;

	d0 = dp4_codes(q[3], a.w, dp4_codes(q[2], a.z, dp4_codes(q[1], a.y, dp4_codes(q[0], a.x, 0))));
	d1 = dp4_codes(q[7], b.w, dp4_codes(q[6], b.z, dp4_codes(q[5], b.y,
	    dp4_codes(q[4], b.x, FLAGS & HALVES ? 0 : d0))));
	if (FLAGS & HALVES)
		d1 = p->k[h].k0 * d0 + p->k[h].k1 * d1;
	return d1 >> (h ? UP1 : UP0);
}

/* A pair's terms. */
FM_FN void
put(float *to, float a, float b)
{
	if (FAR == 1) {
		*(float2 *)to = (float2){ a, b };
	} else {
		to[0] = a;
		to[FAR] = b;
	}
}

/* What a thread brings at each step: pieces of its row, and of the columns. */
struct piece {
	const uchar	*from;
	uint		 step;		/* bytes to the next step's */
	int		 left;		/* groups */
};
template <int N> struct bringer {
	const uchar	*row;
	int		 left;		/* bytes */
	uint4		*to;
	struct piece	 act[N];
	uint4		*acts_to;
};

/* To these places, the step's in the rings; the first time there are no scales. */
template <int N, int ITEMS> FM_FN void
bring(struct bringer<N> *b, uint4 *to, uint4 *acts, uint lane, bool begun)
{
	uint off = WHOLE ? 0 : (uint)(ulong)b->row & 15;
	const uchar *from = b->row - off + lane * 16;
	int end = (int)off + (b->left < RAW ? b->left : RAW) - (int)lane * 16;

	UNROLL
	for (int i = 0; i < (PIECES + 7) / 8; i++)
		if (end > 128 * i)
			copy16(to + 8 * i, from + 128 * i);
	b->row += RAW;
	b->left -= RAW;
	UNROLL
	for (int i = 0; i < N; i++) {
		struct piece *a = &b->act[i];

		if (a->left > 0 && (begun || a->step == STEP * 32))
			copy16(acts + ITEMS * i, a->from);
		a->from += a->step;
		a->left -= STEP;
	}
	copies_end();
}

/* C columns, W warps of 4 rows each; bytes are brought AHEAD steps before. */
template <int C, int W, int AHEAD> FM_FN void
gemv(const struct product *p)
{
	enum {
		ROWS = 4 * W, ITEMS = 32 * W, ACTS = C * 3 * STEP, DEPTH = AHEAD + 1,
		OURS = (ACTS + ITEMS - 1) / ITEMS,
	};
	LOCAL uint4 ring[DEPTH][ROWS * PIECES];
	/* Half the codes of each pair's first groups, then of the second; the
	 * other half; the scales, of the step before. */
	LOCAL uint4 acts[DEPTH][ACTS];
	LOCAL float4 s[2][ROWS][PITCH / 4], dot[2][C][ROWS][PITCH / 4];
	LOCAL float4 m[FLAGS & MIN ? 2 : 1][ROWS][PITCH / 4];
	uint item = LANE(), lane = item % 8, r = item / 8, g = pair_at(lane);
	uint first = p->block * ROWS, column = p->column;
	uint groups = p->groups, steps = (groups + STEP - 1) / STEP, n = p->n;
	uint adds = item % ROWS, of = item / ROWS;	/* the row and column it adds */
	const uchar *mine = p->w + (first + r < p->rows ? first + r : p->rows - 1) * p->stride;
	uint4 *my_ring = ring[0] + r * PIECES, *my_acts = acts[0] + (ITEMS - 1 - item);
	float *my_s = (float *)s[0][r] + g, *my_m = (float *)m[0][FLAGS & MIN ? r : 0] + g;
	float *my_dot = (float *)dot[0][0][r] + g;
	struct bringer<OURS> b = { mine, (int)((groups + BLOCK / 32 - 1) / (BLOCK / 32) * BYTES) };
	float acc = 0, sum = 0;

	UNROLL
	for (uint i = 0; i < OURS; i++) {
		/* Those that add bring the least. */
		uint j = ITEMS - 1 - item + ITEMS * i, c = column + j / (3 * STEP);
		uint part = j / STEP % 3, k = j % STEP;
		uint group = part == 2 ? k : pair_at(k % 8) + k / 8 * FAR;
		uint codes = codes_at(p, c);
		ulong begin = (ulong)(codes / 2) * groups + group;

		b.act[i].from = part == 2 ?
		    (const uchar *)((codes % 2 ? p->a : p->a1) + begin * 4) - STEP * 16 :
		    (const uchar *)((codes % 2 ? p->q : p->q1) + begin * 8 + part * 4);
		b.act[i].step = part == 2 ? STEP * 16 : STEP * 32;
		b.act[i].left = j < ACTS ? (int)(groups - group) + (part == 2 ? STEP : 0) : 0;
	}
	UNROLL
	for (uint j = 0; j < AHEAD; j++)
		bring<OURS, ITEMS>(&b, my_ring + lane + j * (ROWS * PIECES), my_acts + j * ACTS, lane, j > 0);
	/* Step k, whose place in the rings is j; whether it was the last. */
	auto step = [&](uint k, uint j) INLINED {
		uint turn = (DEPTH % 2 ? k : j) % 2 * (ROWS * PITCH), had = ROWS * PITCH - turn;
		const uint4 *q = acts[j] + lane;
		struct pair to;

		/* It is there; all have made their sums of k - 1. */
		COPIES_LEFT(AHEAD - 1);
		BARRIER();
		bring<OURS, ITEMS>(&b, my_ring + lane + (j + AHEAD) % DEPTH * (ROWS * PIECES),
		    my_acts + (j + AHEAD) % DEPTH * ACTS, lane, true);
		if (k > 0 && item < ROWS * C) {
			if ((k - 1) % (SEGMENT / STEP) == 0 && k > 1) {
				sum = k - 1 == SEGMENT / STEP ? acc : sum + acc;
				acc = 0;
			}
			acc = add_terms(acc, (const float *)s[0][adds] + had,
			    (const float *)m[0][FLAGS & MIN ? adds : 0] + had,
			    (const float *)dot[0][of][adds] + had * C,
			    (const float4 *)&acts[j][(of * 3 + 2) * STEP], groups - (k - 1) * STEP);
		}
		if (k == steps)
			return true;
		take_pair((const uchar *)(my_ring + j * (ROWS * PIECES)) + (WHOLE ? 0 : (uint)(ulong)mine & 15),
		    lane, &to);
		mine += RAW;
		put(my_s + turn, to.k[0].s, to.k[1].s);
		if (FLAGS & MIN)
			put(my_m + turn, -to.k[0].m, -to.k[1].m);
		UNROLL
		for (uint c = 0; c < C; c++) {
			const uint4 *of = q + c * 3 * STEP;

			put(my_dot + turn * C + c * (ROWS * PITCH),
			    (float)group_sum(&to, 0, of[0], of[STEP]),
			    (float)group_sum(&to, 1, of[8], of[STEP + 8]));
		}
		return false;
	};

	for (uint k = 0; !step(k, 0) && !step(k + 1, 1) && !(DEPTH > 2 && step(k + 2, 2)) &&
	    !(DEPTH > 3 && step(k + 3, 3)); k += DEPTH)
		continue;
	acc = groups > SEGMENT ? sum + acc : acc;
	if (C > 1 && p->fine) {
		float *all = (float *)s;

		BARRIER();
		if (item < ROWS * C)
			all[item] = acc;
		BARRIER();
		if (of % 2 && item < ROWS * C)
			acc = all[item - ROWS] + acc;
	}
	if (item < ROWS * C && first + adds < p->rows && column + of < n && (of & p->fine) == p->fine)
		p->y[((column + of) >> p->fine) * p->ldy + first + adds] =
		    p->bias ? acc + p->bias[first + adds] : acc;
}

/* A mixture's tile, or its part that is this work-group's: none, if it has fewer
 * columns. */
FM_FN uint
in_tile(struct product *p, const uint *tile, ulong apart, uint columns)
{
	uint begin = GROUP(2) * columns;

	if (tile[2] << p->fine <= begin)
		return 0;
	p->w += tile[0] * apart;
	p->column = (tile[1] << p->fine) + begin;
	p->n = (tile[1] + tile[2]) << p->fine;
	return 1;
}

/*
 * Of so many rows and columns a work-group.  Arguments are multiply.cl's, for
 * the second of fine columns, if they are fine, and the first's behind them.
 */
#define PRODUCT(name, size, columns, ...) \
KERNEL \
name(BUF(const uchar, w), BUF(const ushort, grid), ulong stride, uint rows, float scale, \
    BUF(const uint, q), BUF(const float, a), uint groups, uint n, BUF(const float, bias), \
    BUF(float, y), ulong ldy, uint second, OTHERS, BUF(const uint, tile), \
    BUF(const uint, column), ulong apart, BUF(const uint, q1), BUF(const float, a1)) \
{ \
	MATRIX_HERE(mat, size) \
	struct product p = { mat.w, stride, mat.rows, mat.block, CAT(uint, q), CAT(uint, q1), \
	    CAT(float, a), CAT(float, a1), groups, HAS(q1), GROUP(1) * columns, n << HAS(q1), \
	    HAS(column) ? CAT(uint, column) : 0, mat.bias, mat.y, ldy }; \
\
	(void)grid_base; (void)grid_at; (void)second; \
	if (!HAS(tile) || in_tile(&p, CAT(uint, tile) + 3 * GROUP(1), apart, columns)) \
		__VA_ARGS__(&p); \
}

/* As far as shared memory goes. */
enum { AHEAD2 = RAW > 360 ? 2 : 3 };
PRODUCT(gemv_1, 16, 1, gemv<1, 4, 3>)
PRODUCT(gemv_2, 16, 2, gemv<2, 4, AHEAD2>)
PRODUCT(gemv_4, 8, 4, gemv<4, 2, 3>)
PRODUCT(gemv_8, 8, 8, gemv<8, 2, 1>)
