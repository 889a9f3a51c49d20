/* SPDX-License-Identifier: MIT */
/*
 * mma.cu -- rows of packed weights times many columns by tensor cores, in
 * dot.h's order.
 *
 * A product of 16 rows, 8 columns and 32 k is one group's integer sums, which
 * two roundings each then bring to the accumulators: k runs in dot.h's order
 * by itself.  A tile's weights are taken apart once, into shared memory; its
 * columns' codes come there while the step before is computed.
 */
enum { DEEP = 4, WIDE = DEEP * 2 + 1 };	/* groups a step; pieces of 16 from row to row */
/* Added to a small integer, the bits of a float that is as much above it. */
enum { MAGIC = 0x4b400000 };

/* A warp has T x U tiles of 16 x 8; there are V x X of them.  T * U * 4
 * accumulators, and half as many more if columns are fine and have SEGMENTS. */
template <int V, int X, int T, int U, int SEGMENTS> FM_FN void
mma(const struct product *p)
{
	enum {
		ROWS = V * T * 16, COLS = X * U * 8, ITEMS = 32 * V * X, ACTS = 3 * COLS * DEEP,
		UNITS = ROWS * DEEP,
	};
	LOCAL uint4 rows[ROWS][WIDE], cols[2][COLS][WIDE];
	LOCAL float4 by[2][DEEP][COLS];
	LOCAL uint2 records[DEEP][ROWS];
	LOCAL uint codes[COLS];		/* see codes_at() */
	uint item = LANE(), lane = item % 32, warp = item / 32, r = lane / 4, t = lane % 4;
	uint row = warp % V * T * 16 + r, col = warp / V * U * 8;	/* in the tile */
	uint first = p->block * ROWS, column = p->column;
	uint groups = p->groups, n = p->n, steps = (groups + DEEP - 1) / DEEP;
	float acc[T][U][4], before[SEGMENTS ? T * U * 2 : 1];	/* sums of first columns */

	UNROLL
	for (int i = 0; i < T * U * 4; i++)
		acc[i / 4 / U][i / 4 % U][i % 4] = 0;
	UNROLL
	for (int i = 0; i < T * U * 2 && SEGMENTS; i++)
		before[i] = 0;
	if (item < COLS)
		codes[item] = codes_at(p, column + item);
	for (int k = -1; k < (int)steps; k++) {
		uint next = (uint)(k + 1) * DEEP;

		COPIES_LEFT(0);
		BARRIER();
		/* The columns of the next step. */
		for (uint i = item; i < ACTS; i += ITEMS) {
			uint c = i / (3 * DEEP), at = i % (3 * DEEP);
			ulong begin = (ulong)(codes[c] / 2) * groups + next;

			if (at < 2 * DEEP && next + at / 2 < groups)
				copy16(&cols[(k + 1) % 2][c][at],
				    (codes[c] % 2 ? p->q : p->q1) + begin * 8 + at * 4);
			else if (at >= 2 * DEEP && next + at - 2 * DEEP < groups)
				copy16(&by[(k + 1) % 2][at - 2 * DEEP][c],
				    (codes[c] % 2 ? p->a : p->a1) + (begin + at - 2 * DEEP) * 4);
		}
		copies_end();
		if (k >= 0) {
			uint left = groups - (uint)k * DEEP;

			if ((uint)k % (SEGMENT / DEEP) == 0 && k > 0) {
				UNROLL
				for (int i = 0; i < T * U * 4; i++) {
					uint at = first + row + i / 4 / U * 16 + i % 4 / 2 * 8;
					uint c = column + col + i / 4 % U * 8 + t * 2 + i % 2;
					float *to = p->y + (c >> SEGMENTS) * p->ldy + at;
					float *x = &acc[i / 4 / U][i / 4 % U][i % 4];

					if (SEGMENTS && i % 2 == 0)
						before[i / 2] = k == SEGMENT / DEEP ? *x : before[i / 2] + *x;
					else if (at < p->rows && c < n)
						*to = k == SEGMENT / DEEP ? *x : *to + *x;
					*x = 0;
				}
			}
			for (uint g = 0; g < DEEP && g < left; g++) {
				uint a[T][4];
				uint2 rec[T][2];

				UNROLL
				for (int i = 0; i < T; i++) {
					UNROLL
					for (int j = 0; j < 4; j++)
						a[i][j] = ((const uint *)rows[row + i * 16 + j % 2 * 8])[g * 8 + j / 2 * 4 + t];
					rec[i][0] = records[g][row + i * 16];
					rec[i][1] = records[g][row + i * 16 + 8];
				}
				UNROLL
				for (int u = 0; u < U; u++) {
					const uint *q = (const uint *)cols[k % 2][col + u * 8 + r] + g * 8 + t;
					uint b[2] = { q[0], q[4] };
					float2 f[2];

					f[0] = *(const float2 *)&by[k % 2][g][col + u * 8 + t * 2];
					f[1] = *(const float2 *)&by[k % 2][g][col + u * 8 + t * 2 + 1];
					UNROLL
					for (int i = 0; i < T; i++) {
						int start = FLAGS & HALVES ? 0 : MAGIC;
						int d[4] = { start, start, start, start }, e[4] = { 0, 0, 0, 0 };

						if (FLAGS & HALVES) {
							mma16(d, a[i], b[0]);
							mma16(e, a[i] + 2, b[1]);
						} else {
							mma32(d, a[i], b);
						}
						UNROLL
						for (int j = 0; j < 4; j++) {
							uint2 w = rec[i][j / 2];
							float dot = FLAGS & HALVES ?
							    (float)(K0(w.y) * d[j] + K1(w.y) * e[j]) :
							    as_float((uint)d[j]) - 12582912.0f;
							float x = fma(as_float(w.x) * f[j % 2].x, dot, acc[i][u][j]);

							acc[i][u][j] = FLAGS & MIN ?
							    fma(as_float(w.y), f[j % 2].y, x) : x;
						}
					}
				}
			}
			BARRIER();
		}
		/* The rows of the next step. */
		for (uint i = item; i < UNITS; i += ITEMS) {
			uint at = first + i / DEEP, g = next + i % DEEP;
			struct group to;

			if (g >= groups)
				continue;
			take(p->w + (at < p->rows ? at : p->rows - 1) * p->stride, g, &to);
			rows[i / DEEP][i % DEEP * 2] = (uint4){ to.q[0], to.q[1], to.q[2], to.q[3] };
			rows[i / DEEP][i % DEEP * 2 + 1] = (uint4){ to.q[4], to.q[5], to.q[6], to.q[7] };
			records[i % DEEP][i / DEEP] = record(&to);
		}
	}
	UNROLL
	for (int i = 0; i < T * U * 4; i++) {
		uint at = first + row + i / 4 / U * 16 + i % 4 / 2 * 8;
		uint c = column + col + i / 4 % U * 8 + t * 2 + i % 2;
		float *to = p->y + (c >> p->fine) * p->ldy + at, x = acc[i / 4 / U][i / 4 % U][i % 4];

		/* A fine column is this one and the one before it. */
		if (at < p->rows && c < n && (i % 2 || !p->fine)) {
			x = groups > SEGMENT ? *to + x : x;
			if (i % 2 && p->fine) {
				float one = acc[i / 4 / U][i / 4 % U][i % 4 / 2 * 2];

				x = (SEGMENTS ? before[i / 2] + one : one) + x;
			}
			*to = p->bias ? x + p->bias[at] : x;
		}
	}
}

PRODUCT(mma_16, 64, 16, mma<4, 1, 1, 2, 0>)
PRODUCT(mma_32, 64, 32, mma<4, 1, 1, 4, 0>)
PRODUCT(mma_64, 64, 64, mma<2, 2, 2, 4, 0>)
/* Fine ones of more than a segment. */
PRODUCT(mma_long, 64, 64, mma<2, 2, 2, 4, 1>)
