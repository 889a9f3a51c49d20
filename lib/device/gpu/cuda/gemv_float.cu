/* SPDX-License-Identifier: MIT */
/*
 * gemv_float.cu -- multiply_float.cl's products where rows are whole 16 columns
 * and begin, as columns do, at multiples of 16 bytes.
 *
 * Four lanes have a row, a warp eight; each lane has 4 of the 16 sums.  Bytes
 * come 16 at a time past L1 into a ring in shared memory, steps before they
 * are wanted; columns come there once for all rows of the work-group.
 */
enum { F32, F16, BF16 };
/* Of a row at each step: bytes, and columns. */
enum { FLOAT_BYTES = 256 };
#define FLOAT_SIZE(kind)	((kind) == F32 ? 4 : 2)
#define FLOAT_STEP(kind)	(FLOAT_BYTES / FLOAT_SIZE(kind))

/* Four weights at a multiple of what they take. */
template <int KIND> FM_FN void
four(const uchar *p, float to[4])
{
	if (KIND == F32) {
		float4 v = *(const float4 *)__builtin_assume_aligned(p, 16);

		to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
	} else {
		uint2 v = *(const uint2 *)__builtin_assume_aligned(p, 8);
		uint w[2] = { v.x, v.y };

		UNROLL
		for (int i = 0; i < 2; i++) {
			to[2 * i] = KIND == F16 ? half_to(w[i] & 0xffff) : as_float(w[i] << 16);
			to[2 * i + 1] = KIND == F16 ? half_to(w[i] >> 16) : as_float(w[i] & 0xffff0000);
		}
	}
}

/* 4 of 16 columns' weights times C columns', which are a step's apart. */
template <int KIND, int C> FM_FN void
add16(const uchar *w, const float4 *a, float t[C][4])
{
	float v[4];

	four<KIND>(w, v);
	UNROLL
	for (uint c = 0; c < C; c++) {
		float4 b = a[c * (FLOAT_STEP(KIND) / 4)];

		t[c][0] = fma(v[0], b.x, t[c][0]);
		t[c][1] = fma(v[1], b.y, t[c][1]);
		t[c][2] = fma(v[2], b.z, t[c][2]);
		t[c][3] = fma(v[3], b.w, t[c][3]);
	}
}

struct float_product {
	const uchar	*w;
	ulong		 stride;	/* bytes */
	uint		 rows, cols, n;
	const float	*x;
	ulong		 ldx;
	const float	*bias;		/* NULL: none */
	float		*y;
	ulong		 ldy;
};

/* C columns, W warps. */
template <int KIND, int C, int W> FM_FN void
gemv_float(const struct float_product *p)
{
	enum {
		ROWS = 8 * W, ITEMS = 32 * W, SIZE = FLOAT_SIZE(KIND), STEP = FLOAT_STEP(KIND),
		PITCH = FLOAT_BYTES + 16 * SIZE,		/* bytes from row to row: banks apart */
		ACTS = C * STEP / 4, OURS = (ACTS + ITEMS - 1) / ITEMS, AHEAD = 3, DEPTH = AHEAD + 1,
	};
	LOCAL uint4 ring[DEPTH][ROWS][PITCH / 16];
	LOCAL float4 acts[DEPTH][C][STEP / 4];
	uint item = LANE(), lane = item % 4, r = item / 4, row = GROUP(0) * ROWS + r;
	uint column = GROUP(1) * C, n = p->n, cols = p->cols;
	int steps = (int)((cols + STEP - 1) / STEP);
	const uchar *w = p->w + (row < p->rows ? row : p->rows - 1) * p->stride + lane * 16;
	const float *x[OURS];
	float t[C][4];

	UNROLL
	for (uint i = 0; i < OURS; i++) {
		uint j = item + ITEMS * i, c = column + j / (STEP / 4);

		x[i] = p->x + (c < n ? c : n - 1) * p->ldx + j % (STEP / 4) * 4;
	}
	UNROLL
	for (uint i = 0; i < C * 4; i++)
		t[i / 4][i % 4] = 0;
	for (int k = -AHEAD; k < steps; k++) {
		uint into = (uint)(k + AHEAD) % DEPTH, begin = (uint)(k + AHEAD) * STEP;
		uint left = begin < cols ? cols - begin : 0;	/* columns of what is brought */

		if (k >= 0) {
			/* Step k is there; all are done with k - 1. */
			COPIES_LEFT(AHEAD - 1);
			BARRIER();
		}
		UNROLL
		for (uint i = 0; i < FLOAT_BYTES / 64; i++)
			if ((lane * 16 + i * 64) / SIZE < left)
				copy16(&ring[into][r][lane + 4 * i], w + i * 64);
		w += FLOAT_BYTES;
		UNROLL
		for (uint i = 0; i < OURS; i++) {
			uint j = item + ITEMS * i;

			if (j < ACTS && j % (STEP / 4) * 4 < left)
				copy16(&acts[into][0][j], x[i]);
			x[i] += STEP;
		}
		copies_end();
		if (k >= 0) {
			const uchar *from = (const uchar *)ring[k % DEPTH][r] + lane * 4 * SIZE;
			const float4 *a = acts[k % DEPTH][0] + lane;
			uint most = cols - (uint)k * STEP;

			if (most >= STEP) {
				UNROLL
				for (uint i = 0; i < STEP / 16; i++)
					add16<KIND, C>(from + i * 16 * SIZE, a + i * 4, t);
			} else {
				ROLLED
				for (uint i = 0; i * 16 < most; i++)
					add16<KIND, C>(from + i * 16 * SIZE, a + i * 4, t);
			}
		}
	}
	UNROLL
	for (uint c = 0; c < C; c++) {
		/* As finish() has it. */
		UNROLL
		for (uint i = 0; i < 8; i++)
			t[c][i % 4] += from_lane(t[c][i % 4], i < 4 ? 2 : 1);
		if (lane == 0 && row < p->rows && column + c < n) {
			float d = (t[c][0] + t[c][2]) + (t[c][1] + t[c][3]);

			p->y[(column + c) * p->ldy + row] = p->bias ? d + p->bias[row] : d;
		}
	}
}

/* Arguments are multiply_float.cl's, without tiles. */
#define FLOAT_PRODUCT(name, kind, columns) \
KERNEL \
name(BUF(const uchar, w), BUF(const ushort, grid), ulong at, ulong row_step, ulong col_step, \
    float scale, uint rows, uint cols, BUF(const float, x), ulong ldx, uint n, \
    BUF(const float, bias), BUF(float, y), ulong ldy) \
{ \
	struct float_product p = { CAT(uchar, w) + at * FLOAT_SIZE(kind), row_step * FLOAT_SIZE(kind), \
	    rows, cols, n, CAT(float, x), ldx, HAS(bias) ? CAT(float, bias) : 0, AT(float, y), ldy }; \
\
	(void)grid_base; (void)grid_at; (void)col_step; (void)scale; \
	gemv_float<kind, columns, 2>(&p); \
}
#define FLOAT_PRODUCTS(name, kind) \
FLOAT_PRODUCT(name##_1, kind, 1) \
FLOAT_PRODUCT(name##_2, kind, 2) \
FLOAT_PRODUCT(name##_4, kind, 4) \
FLOAT_PRODUCT(name##_8, kind, 8)

FLOAT_PRODUCTS(gemv_f32, F32)
FLOAT_PRODUCTS(gemv_f16, F16)
FLOAT_PRODUCTS(gemv_bf16, BF16)
