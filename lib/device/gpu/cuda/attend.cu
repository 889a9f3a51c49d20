/* SPDX-License-Identifier: MIT */
/*
 * attend.cu -- queries that share keys against them, a block of 256 keys at a
 * time: attend.cl's sums, each in its order.
 *
 * A work-group of 256 has up to 16 queries: heads of one group, of columns that
 * follow one another.  Four lanes have a key, and each a quarter of its sixteen
 * sums, so that a piece of a query in a register meets four keys; then a lane
 * has four elements of the values.  Either a work-group goes from block to block
 * and joins them, or each block has one, and attend_join() joins what they
 * leave: the same bits.  Heads are whole 32s, of at most 256, and lie at
 * multiples of 16 bytes unless packed.
 */
enum kind { KV_F16, KV_F32, KV_Q8_0 };	/* as attend.cl counts them */
enum {
	TILE = 16, KEYS = 256, PITCH = KEYS + 16,	/* in other banks */
	ELEMENTS = 2048,				/* of all queries */
	EACH = 4,					/* keys of a lane */
	SKIP = 0, FIRST, JOIN,
};

struct attention {
	const uchar	*keys, *values;
	const float	*q;
	float		*out, *parts;
	const uint	*at;
	uint		 ldq, ldo, step, per, n_kv, n_ctx, head_dim, head_bytes, window;
	float		 scale, cap;
	uint		 heads, cols, n;
	uint		 blocks;	/* places of parts; 0: none */
};

/* For those who read it later. */
FM_FN void
fetch(const void *p)
{
	asm volatile("prefetch.global.L2 [%0];" :: "l"(GLOBAL_AT(p)));
}

/* Elements 4 i to 4 i + 3 of a head in the cache. */
template <kind KV> FM_FN float4
four(const uchar *p, uint i)
{
	float4 x;

	if (KV == KV_F32)
		return ((const float4 *)p)[i];
	if (KV == KV_F16) {
		uint2 h = ((const uint2 *)p)[i];

		x = (float4){ half_to(h.x & 0xffff), half_to(h.x >> 16), half_to(h.y & 0xffff),
		    half_to(h.y >> 16) };
	} else {
		const ushort *b = (const ushort *)(p + i / 8 * 34);
		uint h = b[1 + i % 8 * 2], g = b[2 + i % 8 * 2];
		float d = half_to(b[0]);

		x = (float4){ (float)(schar)(h & 0xff) * d, (float)(schar)(h >> 8) * d,
		    (float)(schar)(g & 0xff) * d, (float)(schar)(g >> 8) * d };
	}
	return x;
}

/* acc += w x */
FM_FN void
add_four(float acc[4], float w, float4 x)
{
	acc[0] = fma(w, x.x, acc[0]);
	acc[1] = fma(w, x.y, acc[1]);
	acc[2] = fma(w, x.z, acc[2]);
	acc[3] = fma(w, x.w, acc[3]);
}

/* Where this lane's keys begin, [from, to) in all; others are read as the last. */
FM_FN uint
key_of(uint k)
{
	return LANE() / 32 * 32 + k * 8 + LANE() % 32 / 4;
}

/*
 * N queries that lie behind one another times this warp's keys: d are those of
 * key_of(LANE() % 4).  Sums 4 l to 4 l + 3 of the sixteen are lane l's of four;
 * they come together as numbers.cl's finish() adds them.
 */
template <kind KV, int N> FM_FN void
dots(const uchar *keys, uint bytes, uint from, uint to, const float *q, uint head_dim, float d[N])
{
	float t[EACH][N][4];
	uint at[EACH];
	uint quarter = LANE() % 4, high = quarter / 2, odd = quarter % 2;

	UNROLL
	for (int k = 0; k < EACH; k++) {
		uint j = key_of(k);

		at[k] = (j < from ? from : j < to ? j : to - 1) * bytes;
		UNROLL
		for (int i = 0; i < N * 4; i++)
			t[k][i / 4][i % 4] = 0;
	}
	for (uint e = quarter; e < head_dim / 4; e += 4) {
		float4 w[EACH];

		UNROLL
		for (int k = 0; k < EACH; k++)
			w[k] = four<KV>(keys + at[k], e);
		UNROLL
		for (int i = 0; i < N; i++) {
			float4 x = ((const float4 *)(q + i * head_dim))[e];

			UNROLL
			for (int k = 0; k < EACH; k++) {
				t[k][i][0] = fma(w[k].x, x.x, t[k][i][0]);
				t[k][i][1] = fma(w[k].y, x.y, t[k][i][1]);
				t[k][i][2] = fma(w[k].z, x.z, t[k][i][2]);
				t[k][i][3] = fma(w[k].w, x.w, t[k][i][3]);
			}
		}
	}
	UNROLL
	for (int i = 0; i < N; i++) {
		float u[2][4];

		UNROLL
		for (int k = 0; k < 8; k++) {
			float a = t[k / 4][i][k % 4], b = t[k / 4 + 2][i][k % 4];

			u[k / 4][k % 4] = (high ? b : a) + from_lane(high ? a : b, 2);
		}
		UNROLL
		for (int k = 0; k < 4; k++)
			u[0][k] = (odd ? u[1][k] : u[0][k]) + from_lane(odd ? u[0][k] : u[1][k], 1);
		d[i] = (u[0][0] + u[0][2]) + (u[0][1] + u[0][3]);
	}
}

/* N queries' scores of the block's keys [from, to), to rows of s. */
template <kind KV, int N> FM_FN void
score(const struct attention *a, const uchar *keys, uint from, uint to, const float *q, float *s)
{
	uint key = key_of(LANE() % 4);
	float d[N];

	if (LANE() / 32 * 32 >= to || LANE() / 32 * 32 + 32 <= from)
		return;
	dots<KV, N>(keys, a->head_bytes, from, to, q, a->head_dim, d);
	UNROLL
	for (int i = 0; i < N; i++) {
		float x = d[i] * a->scale;

		if (a->cap != 0)
			x = a->cap * fm_tanh(x / a->cap);
		if (key >= from && key < to)
			s[i * PITCH + key] = x;
	}
}

/*
 * acc of N queries, row[] of whose weights begin there: elements 4 e to 4 e + 3
 * of values [from, to), which all of them see in [common, end).
 */
template <kind KV, int N> FM_FN void
blend(const uchar *v, uint bytes, uint e, const float *s, const uint row[2], const uint begin[2],
    const uint stop[2], uint from, uint common, uint end, uint to, float acc[2][4])
{
	uint j = from;

	common = (common + 3) / 4 * 4;
	end = end / 4 * 4;
	if (common >= end)
		common = end = to;
	for (;;) {
		for (; j < common; j++) {
			float4 x = four<KV>(v + (ulong)j * bytes, e);

			UNROLL
			for (int k = 0; k < N; k++)
				if (j >= begin[k] && j < stop[k])
					add_four(acc[k], s[row[k] + j], x);
		}
		if (j == to)
			return;
		for (; j < end; j += 4) {
			const uchar *p = v + (ulong)j * bytes;
			float4 x[4];

			UNROLL
			for (int i = 0; i < 4; i++)
				x[i] = four<KV>(p + (ulong)i * bytes, e);
			UNROLL
			for (int k = 0; k < N; k++) {
				float4 w = *(const float4 *)(s + row[k] + j);

				add_four(acc[k], w.x, x[0]);
				add_four(acc[k], w.y, x[1]);
				add_four(acc[k], w.z, x[2]);
				add_four(acc[k], w.w, x[3]);
			}
		}
		common = to;
	}
}

FM_FN uint
low_of(uint pos, uint window)
{
	return window && pos >= window ? pos - window + 1 : 0;
}

/* Keys [first, last) of the block at `base` that a query at `pos` sees. */
FM_FN uint
first_seen(uint pos, uint window, uint base)
{
	uint low = low_of(pos, window);

	return low < base ? 0 : low - base < KEYS ? low - base : KEYS;
}

FM_FN uint
last_seen(uint pos, uint base)
{
	return pos < base ? 0 : pos - base < KEYS ? pos - base + 1 : KEYS;
}

/* What was before, and one more block's maximum and sum: their factors. */
FM_FN void
factors(float max, float m, float *c0, float *c1)
{
	*c0 = m > max ? fm_exp(max - m) : 1;
	*c1 = m > max ? 1 : fm_exp(m - max);
}

template <kind KV> FM_FN void
attend(const struct attention *a)
{
	LOCAL float qs[ELEMENTS] __attribute__((aligned(16)));
	LOCAL float s[TILE * PITCH] __attribute__((aligned(16)));
	LOCAL float4 y[ELEMENTS / 4];	/* each its lane's own */
	LOCAL float max[TILE], sum[TILE], c0[TILE], c1[TILE];
	LOCAL uint how[TILE], first[TILE], last[TILE];
	uint lane = LANE(), head = GROUP(0) * a->heads, hd = a->head_dim, heads = a->heads, run;
	uint end = (GROUP(1) + 1) * a->cols < a->n ? (GROUP(1) + 1) * a->cols : a->n;
	uint quads = hd / 4, lanes = quads <= 16 ? 16 : quads <= 32 ? 32 : 64, sets = KEYS / lanes;
	uint quad = lane % lanes, set = lane / lanes, query = lane / 16;

	for (uint c = GROUP(1) * a->cols; c < end; c += run) {
		uint seq = a->at[2 * c], base = low_of(a->at[2 * c + 1], a->window) / KEYS;
		uint until, nq;
		ulong from_head;

		for (run = 1; c + run < end && a->at[2 * (c + run)] == seq;)
			run++;
		nq = run * heads;
		until = a->at[2 * (c + run) - 1] / KEYS * KEYS + KEYS;
		if (a->blocks) {
			/* Of those that come the one whose place this is. */
			base += (GROUP(2) + a->blocks - base % a->blocks) % a->blocks;
			until = base < until / KEYS ? (base + 1) * KEYS : 0;
		}
		base *= KEYS;
		from_head = (((ulong)seq * a->n_kv + head / a->per) * a->n_ctx + base) * a->head_bytes;
		for (uint i = lane; base < until && i < (nq + 3) / 4 * 4 * hd; i += KEYS) {
			uint one = i / hd;

			qs[i] = one < nq ? a->q[(ulong)(c + one / heads) * a->ldq +
			    (ulong)(head + one % heads) * a->step + i % hd] : 0;
		}
		if (lane % 16 == 0)
			sum[query] = 0;
		BARRIER();
		for (uint begin = base; begin < until; begin += KEYS) {
			const uchar *k = a->keys + from_head, *v = a->values + from_head;
			/* Read again rather than kept: registers are scarce. */
			uint from = first_seen(a->at[2 * c + 1], a->window, begin);
			uint to = last_seen(a->at[2 * (c + run) - 1], begin), f = 0, t = 0;
			float m = -INFINITY, l = 0;

			if (lane >= from && lane < to)
				for (uint i = 0; i < a->head_bytes; i += 128)
					fetch(v + (ulong)lane * a->head_bytes + i);
			if (nq == 1)
				score<KV, 1>(a, k, from, to, qs, s);
			else
				for (uint i = 0; i < nq; i += 4)
					score<KV, 4>(a, k, from, to, qs + i * hd, s + i * PITCH);
			BARRIER();
			/* 16 lanes a query: the largest, then the sum in its order. */
			if (query < nq) {
				uint its = a->at[2 * (c + query / heads) + 1];

				f = first_seen(its, a->window, begin);
				t = last_seen(its, begin);
			}
			for (uint j = lane % 16; j < t; j += 16)
				if (j >= f && s[query * PITCH + j] > m)
					m = s[query * PITCH + j];
			UNROLL
			for (int i = 8; i > 0; i /= 2) {
				float other = from_lane(m, i);

				m = other > m ? other : m;
			}
			for (uint j = lane % 16; j < t; j += 16)
				if (j >= f) {
					float w = fm_exp(s[query * PITCH + j] - m);

					s[query * PITCH + j] = w;
					l += w;
				}
			UNROLL
			for (int i = 8; i > 0; i /= 2)
				l = l + from_lane(l, i);
			if (lane % 16 == 0 && query < nq) {
				first[query] = f;
				last[query] = t;
				how[query] = f >= t ? SKIP : sum[query] == 0 ? FIRST : JOIN;
				if (how[query] == FIRST) {
					max[query] = m;
					sum[query] = l;
				} else if (how[query] == JOIN) {
					factors(max[query], m, &c0[query], &c1[query]);
					max[query] = m > max[query] ? m : max[query];
					sum[query] = fma(l, c1[query], sum[query] * c0[query]);
				}
			}
			BARRIER();
			if (quad < quads && set < nq) {
				float acc[2][4];
				uint row[2], its_first[2], its_last[2];

				UNROLL
				for (int i = 0; i < 2; i++) {
					uint one = set + sets * i < nq ? set + sets * i : nq - 1;

					row[i] = one * PITCH;
					its_first[i] = first[one];
					its_last[i] = last[one];
					UNROLL
					for (int j = 0; j < 4; j++)
						acc[i][j] = 0;
				}
				if (nq <= sets)
					blend<KV, 1>(v, a->head_bytes, quad, s, row, its_first, its_last,
					    first[0], first[nq - 1], last[0], last[nq - 1], acc);
				else
					blend<KV, 2>(v, a->head_bytes, quad, s, row, its_first, its_last,
					    first[0], first[nq - 1], last[0], last[nq - 1], acc);
				UNROLL
				for (int i = 0; i < 2; i++) {
					uint one = set + sets * i, what = one < nq ? how[one] : SKIP;
					float4 *to = &y[(what == SKIP ? 0 : one) * quads + quad];

					if (what == JOIN) {
						UNROLL
						for (int j = 0; j < 4; j++)
							acc[i][j] = fma(acc[i][j], c1[one], (*to)[j] * c0[one]);
					}
					if (what != SKIP)
						*to = (float4){ acc[i][0], acc[i][1], acc[i][2], acc[i][3] };
				}
			}
			from_head += KEYS * a->head_bytes;
			BARRIER();
		}
		UNROLL
		for (int i = 0; i < 2; i++) {
			uint one = set + sets * i, h = head + one % heads;
			ulong column = c + one / heads;

			/* It may see nothing of this block. */
			if (quad >= quads || one >= nq || sum[one] == 0)
				continue;
			if (a->blocks) {
				float *to = a->parts + ((column * (a->n_kv * a->per) + h) * a->blocks +
				    GROUP(2)) * (hd + 4);

				*(float4 *)(to + 4 + 4 * quad) = y[one * quads + quad];
				if (quad == 0)
					*(float2 *)to = (float2){ max[one], sum[one] };
			} else {
				float *to = a->out + column * a->ldo + (ulong)h * hd + 4 * quad;

				UNROLL
				for (int j = 0; j < 4; j++)
					to[j] = y[one * quads + quad][j] / sum[one];
			}
		}
		BARRIER();
	}
}

/* As cuda_attend.c says them, addresses as they are. */
#define ATTEND(name, kind) \
KERNEL __attribute__((launch_bounds(KEYS, 2))) \
name(const uchar *keys, const uchar *values, const float *q, float *out, float *parts, \
    const uint *at, uint ldq, uint ldo, uint step, uint per, uint n_kv, uint n_ctx, uint head_dim, \
    uint head_bytes, uint window, float scale, float cap, uint heads, uint cols, uint n, \
    uint blocks) \
{ \
	struct attention a = { keys, values, q, out, parts, at, ldq, ldo, step, per, n_kv, n_ctx, \
	    head_dim, head_bytes, window, scale, cap, heads, cols, n, blocks }; \
\
	attend<kind>(&a); \
}

ATTEND(attend_f16, KV_F16)
ATTEND(attend_f32, KV_F32)
ATTEND(attend_q8_0, KV_Q8_0)

/*
 * A work-group of 128 a head of a column: its blocks, in order.  Factors of 128
 * blocks at a time are made side by side, since what is the largest before each
 * depends on no sum.
 */
KERNEL
attend_join(float *out, const float *parts, const uint *at, uint ldo, uint head_dim, uint window,
    uint n_head, uint blocks)
{
	enum { LANES = 128 };
	LOCAL float most[LANES], sums[LANES], c0[LANES], c1[LANES];
	uint lane = LANE(), head = GROUP(0), c = GROUP(1), pos = at[2 * c + 1];
	uint begin = low_of(pos, window) / KEYS, end = pos / KEYS + 1, size = head_dim + 4;
	const float *mine = parts + ((ulong)c * n_head + head) * blocks * size;
	float *y = out + (ulong)c * ldo + (ulong)head * head_dim;
	float max = 0, sum = 0, v[2] = { 0, 0 };

	for (uint b = begin; b < end; b += LANES) {
		uint n = end - b < LANES ? end - b : LANES;
		float before = max;

		BARRIER();
		if (lane < n) {
			most[lane] = mine[(ulong)((b + lane) % blocks) * size];
			sums[lane] = mine[(ulong)((b + lane) % blocks) * size + 1];
		}
		BARRIER();
		if (b == begin)
			before = most[0];
		for (uint i = 0; i < lane && i < n; i++)
			before = most[i] > before ? most[i] : before;
		if (lane < n)
			factors(before, most[lane], &c0[lane], &c1[lane]);
		for (uint i = 0; i < n; i++)
			max = (b == begin && i == 0) || most[i] > max ? most[i] : max;
		BARRIER();
		for (uint i = 0; i < n; i++) {
			const float *from = mine + (ulong)((b + i) % blocks) * size + 4;

			if (b + i == begin) {
				sum = sums[0];
			} else {
				sum = fma(sums[i], c1[i], sum * c0[i]);
			}
			UNROLL
			for (uint k = 0; k < 2; k++)
				if (lane + k * LANES < head_dim)
					v[k] = b + i == begin ? from[lane + k * LANES] :
					    fma(from[lane + k * LANES], c1[i], v[k] * c0[i]);
		}
	}
	UNROLL
	for (uint k = 0; k < 2; k++)
		if (lane + k * LANES < head_dim)
			y[lane + k * LANES] = v[k] / sum;
}
