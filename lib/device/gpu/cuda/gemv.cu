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
	for (uint j = 0; j < n; j++)
		acc = add_term(acc, s[j], FLAGS & MIN ? m[j] : 0, dot[j], f[j]);
	return acc;
}

/* What a thread brings at each step: 16 bytes, while any are left. */
struct piece {
	const uchar	*from;
	uint		 at;		/* its place in a step */
	int		 left;
};

/* C columns, W warps; weights are brought AHEAD steps before. */
template <int C, int W, int AHEAD> FM_FN void
gemv(const struct product *p)
{
	enum {
		ROWS = 2 * W, ITEMS = 32 * W, ACTS = C * 3 * STEP,
		MINE = (2 * PIECES + 31) / 32, OURS = (ACTS + ITEMS - 1) / ITEMS,
	};
	LOCAL uint4 ring[AHEAD + 1][ROWS * PIECES];
	/* Of each group half its codes, the other half, its scales. */
	LOCAL uint4 acts[AHEAD + 2][ACTS];
	LOCAL float4 s[2][ROWS][PITCH / 4], dot[2][C][ROWS][PITCH / 4];
	LOCAL float4 m[FLAGS & MIN ? 2 : 1][ROWS][PITCH / 4];
	uint item = LANE(), lane = item % 32, pair = item / 32 * 2, r = pair + lane / STEP;
	uint g = lane % STEP, first = p->block * ROWS, column = p->column;
	uint groups = p->groups, steps = (groups + STEP - 1) / STEP, n = p->n;
	uint adds = item % ROWS, of = item / ROWS;	/* the row and column it adds */
	uint bytes = (groups + BLOCK / 32 - 1) / (BLOCK / 32) * BYTES;
	uint slot = 1;		/* of step k: -AHEAD is as 1 */
	struct piece weight[MINE], act[OURS];
	const uchar *mine = p->w + (first + r < p->rows ? first + r : p->rows - 1) * p->stride;
	const uchar *my_row = (const uchar *)&ring[0][r * PIECES] + (RAW % 16 ? 0 : (ulong)mine & 15);
	uint4 *my_pieces = ring[0] + pair * PIECES + lane;
	const uint4 *my_acts = acts[0] + g;
	float *my_s = (float *)s[0][r] + g, *my_m = (float *)m[0][FLAGS & MIN ? r : 0] + g;
	float *my_dot = (float *)dot[0][0][r] + g;
	float acc = 0, sum = 0;

	UNROLL
	for (uint i = 0; i < MINE; i++) {
		uint j = lane + 32 * i, row = first + pair + j / PIECES, off;
		struct piece *w = &weight[i];

		w->from = p->w + (row < p->rows ? row : p->rows - 1) * p->stride;
		w->at = j % PIECES * 16;
		w->left = (int)bytes;
		if (RAW % 16 == 0) {	/* a step begins where the first did */
			off = (uint)(ulong)w->from & 15;
			w->from += (int)(w->at - off);
			w->left = w->at < RAW + off ? w->left - (int)(w->at - off) : 0;
		}
		w->left = j < 2 * PIECES ? w->left : 0;
	}
	UNROLL
	for (uint i = 0; i < OURS; i++) {
		uint j = item + ITEMS * i, c = column + j / (3 * STEP), part = j / STEP % 3;
		uint codes = codes_at(p, c);
		ulong begin = (ulong)(codes / 2) * groups + j % STEP;

		act[i].from = part == 2 ? (const uchar *)((codes % 2 ? p->a : p->a1) + begin * 4) :
		    (const uchar *)((codes % 2 ? p->q : p->q1) + begin * 8 + part * 4);
		act[i].at = part == 2 ? STEP * 16 : STEP * 32;	/* to the next step */
		act[i].left = j < ACTS ? (int)(groups - j % STEP) : 0;
	}
	for (int k = -AHEAD; k <= (int)steps; k++) {
		uint filled = (slot == 0 ? AHEAD : slot - 1) * (ROWS * PIECES);

		if (k >= 0) {
			/* Step k is there; all have made their sums of k - 1. */
			COPIES_LEFT(AHEAD - 1);
			BARRIER();
		}
		UNROLL
		for (uint i = 0; i < MINE; i++) {
			struct piece *w = &weight[i];
			uint4 *to = my_pieces + filled + 32 * i;
			int off = RAW % 16 ? (int)((ulong)w->from & 15) : 0;

			if (RAW % 16 == 0 && w->left > 0)
				copy16(to, w->from);
			if (RAW % 16 && w->left > 0 && (int)w->at < off + (w->left < RAW ? w->left : RAW))
				copy16(to, w->from - off + w->at);
			w->from += RAW;
			w->left -= RAW;
		}
		UNROLL
		for (uint i = 0; i < OURS; i++) {
			if (act[i].left > 0)
				copy16(&acts[(uint)(k + AHEAD) % (AHEAD + 2)][item + ITEMS * i], act[i].from);
			act[i].from += act[i].at;
			act[i].left -= STEP;
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
			    (const float *)dot[last % 2][of][adds],
			    (const float4 *)&acts[last % (AHEAD + 2)][(of * 3 + 2) * STEP],
			    groups - last * STEP);
		}
		if (k >= 0 && (uint)k * STEP + g < groups) {
			const uint4 *q = my_acts + (uint)k % (AHEAD + 2) * ACTS;
			uint turn = (uint)k % 2 * (ROWS * PITCH);
			struct group to;

			take(my_row + slot * (ROWS * PIECES * 16) + (RAW % 16 ? (uint)(ulong)mine & 15 : 0),
			    g, &to);
			my_s[turn] = to.k.s;
			if (FLAGS & MIN)
				my_m[turn] = -to.k.m;
			UNROLL
			for (uint c = 0; c < C; c++) {
				uint4 a = q[c * 3 * STEP], b = q[(c * 3 + 1) * STEP];
				int d0, d1;

				d0 = dp4(to.q[3], a.w, dp4(to.q[2], a.z, dp4(to.q[1], a.y,
				    dp4(to.q[0], a.x, 0))));
				d1 = dp4(to.q[7], b.w, dp4(to.q[6], b.z, dp4(to.q[5], b.y,
				    dp4(to.q[4], b.x, FLAGS & HALVES ? 0 : d0))));
				if (FLAGS & HALVES)
					d1 = to.k.k0 * d0 + to.k.k1 * d1;
				my_dot[turn * C + c * (ROWS * PITCH)] = (float)d1;
			}
		}
		mine += RAW % 16 && k >= 0 ? RAW : 0;
		slot = slot == AHEAD ? 0 : slot + 1;
	}
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

PRODUCT(gemv_1, 16, 1, gemv<1, 8, 2>)
PRODUCT(gemv_2, 16, 2, gemv<2, 8, 2>)
PRODUCT(gemv_4, 8, 4, gemv<4, 4, 2>)
PRODUCT(gemv_8, 8, 8, gemv<8, 4, 1>)
