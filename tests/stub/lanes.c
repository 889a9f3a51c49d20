/* SPDX-License-Identifier: MIT */
/* lanes.c -- PTX's instructions among the lanes of a warp; and predicates' and
 * registers' moves. */
#include <string.h>

#include "ptx.h"

enum { UP, DOWN, BUTTERFLY, INDEX };

/* d, p, a, b, c, lanes.  What a lane that is not there would say is noise. */
static inline void
shuffle(struct warp *w, const struct ins *i, uint32_t lanes, int how)
{
	const uint32_t *a = r32(w, i, 2), *b = r32(w, i, 3), *c = r32(w, i, 4), *there = r32(w, i, 5);
	uint32_t *d = r32(w, i, 0), p = 0, was[WARP];

	for (int l = 0; l < WARP; l++)
		was[l] = a[l];
	for (uint32_t left = lanes; left; left &= left - 1) {
		int l = __builtin_ctz(left), by = (int)(b[l] & 31), clamp = (int)(c[l] & 31);
		int segment = (int)(c[l] >> 8 & 31), least = l & segment, most = least | (clamp & ~segment), j;
		bool in;

		switch (how) {
		case UP: j = l - by; in = j >= most; break;
		case DOWN: j = l + by; in = j <= most; break;
		case BUTTERFLY: j = l ^ by; in = j <= most; break;
		default: j = least | (by & ~segment); in = j <= most; break;
		}
		if (!in)
			j = l;
		p |= (uint32_t)in << l;
		d[l] = (there[l] & lanes) >> j & 1 ? was[j] : 0xdeadbeef;
	}
	if (i->o[1] >= 0) {
		uint32_t *to = r32(w, i, 1);

		*to = (*to & ~lanes) | p;
	}
}

#define SHUFFLE(name, how) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	shuffle(w, i, lanes, how); \
}
SHUFFLE(shfl_up, UP)
SHUFFLE(shfl_down, DOWN)
SHUFFLE(shfl_bfly, BUTTERFLY)
SHUFFLE(shfl_idx, INDEX)

/* d, a predicate, lanes. */
#define VOTE(name, expr) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	uint32_t *d = r32(w, i, 0), p = *r32(w, i, 1) ^ (i->n ? EVERY : 0), r = 0; \
	const uint32_t *there = r32(w, i, 2); \
	for (uint32_t left = lanes; left; left &= left - 1) { \
		int l = __builtin_ctz(left); \
		uint32_t all = there[l] & lanes, yes = p & all; \
		r |= (uint32_t)(expr) << l; \
	} \
	*d = (*d & ~lanes) | r; \
}
VOTE(vote_all, yes == all)
VOTE(vote_any, yes != 0)
VOTE(vote_uni, yes == all || yes == 0)

static void
vote_ballot(struct warp *w, const struct ins *i, uint32_t lanes)
{
	uint32_t *d = r32(w, i, 0), p = *r32(w, i, 1) ^ (i->n ? EVERY : 0), there[WARP];

	for (int l = 0; l < WARP; l++)
		there[l] = r32(w, i, 2)[l];
	for (uint32_t left = lanes; left; left &= left - 1) {
		int l = __builtin_ctz(left);

		d[l] = p & there[l] & lanes;
	}
}

static void
activemask(struct warp *w, const struct ins *i, uint32_t lanes)
{
	uint32_t *d = r32(w, i, 0);

	EACH(d[l] = lanes)
}

/* d, a, lanes. */
#define REDUX(name, T, begin, expr) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	uint32_t *d = r32(w, i, 0), r[WARP]; \
	const uint32_t *a = r32(w, i, 1), *there = r32(w, i, 2); \
	for (uint32_t left = lanes; left; left &= left - 1) { \
		int l = __builtin_ctz(left); \
		T sum = begin; \
		for (uint32_t m = there[l] & lanes; m; m &= m - 1) { \
			T x = (T)a[__builtin_ctz(m)]; \
			sum = expr; \
		} \
		r[l] = (uint32_t)sum; \
	} \
	for (uint32_t left = lanes; left; left &= left - 1) \
		d[__builtin_ctz(left)] = r[__builtin_ctz(left)]; \
}
REDUX(redux_add, uint32_t, 0, sum + x)
REDUX(redux_min_s, int32_t, INT32_MAX, x < sum ? x : sum)
REDUX(redux_max_s, int32_t, INT32_MIN, x > sum ? x : sum)
REDUX(redux_min_u, uint32_t, UINT32_MAX, x < sum ? x : sum)
REDUX(redux_max_u, uint32_t, 0, x > sum ? x : sum)
REDUX(redux_and, uint32_t, EVERY, sum & x)
REDUX(redux_or, uint32_t, 0, sum | x)
REDUX(redux_xor, uint32_t, 0, sum ^ x)

/*
 * D = A B + C of bytes: 16 x k by k x 8, or 8 x 16 by 16 x 8.  With g = lane / 4
 * and t = lane % 4, of each register a lane has
 *	A	rows g, g + 8 and again g, g + 8; columns 4 t .. + 3, in the second pair + 16
 *	B	column g; rows 4 t .. + 3, in the second + 16
 *	C, D	row g columns 2 t, 2 t + 1; row g + 8 those
 * i->n is k, i->imm: 1 A is unsigned, 2 B is, 4 there are but 8 rows.
 */
void
ptx_mma(struct warp *w, const struct ins *i, uint32_t lanes)
{
	int k = i->n, high = i->imm & 4 ? 1 : 2, wide = k / 16, at = 2 * high;
	int16_t a[16][32], b[8][32];
	uint32_t r[4][WARP];

	(void)lanes;
	for (int l = 0; l < WARP; l++) {
		int g = l / 4, t = l % 4;

		for (int j = 0; j < high * wide; j++)
			for (int e = 0; e < 4; e++) {
				uint8_t x = (uint8_t)(r32(w, i, at + j)[l] >> 8 * e);

				a[g + j % high * 8][j / high * 16 + 4 * t + e] = i->imm & 1 ? x : (int8_t)x;
			}
		for (int j = 0; j < wide; j++)
			for (int e = 0; e < 4; e++) {
				uint8_t x = (uint8_t)(r32(w, i, at + high * wide + j)[l] >> 8 * e);

				b[g][j * 16 + 4 * t + e] = i->imm & 2 ? x : (int8_t)x;
			}
	}
	for (int j = 0; j < 2 * high; j++)
		for (int l = 0; l < WARP; l++) {
			const int16_t *x = a[l / 4 + j / 2 * 8], *y = b[l % 4 * 2 + j % 2];
			uint32_t sum = r32(w, i, at + high * wide + wide + j)[l];

			for (int e = 0; e < k; e++)
				sum += (uint32_t)(x[e] * y[e]);
			r[j][l] = sum;
		}
	for (int j = 0; j < 2 * high; j++)
		for (int l = 0; l < WARP; l++)
			r32(w, i, j)[l] = r[j][l];
}

static float
bf16(uint32_t word, int high)
{
	uint32_t bits = high ? word & 0xffff0000 : word << 16;
	float f;

	memcpy(&f, &bits, sizeof f);
	return f;
}

/* The same of 16 x 16 by 16 x 8 with two elements a register: of A rows g, g + 8
 * and columns 2 t, 2 t + 1, in the second pair + 8, and B's rows likewise. */
void
ptx_mma_bf16(struct warp *w, const struct ins *i, uint32_t lanes)
{
	float a[16][16], b[8][16], r[4][WARP];

	(void)lanes;
	for (int l = 0; l < WARP; l++)
		for (int e = 0; e < 2; e++) {
			int g = l / 4, t = l % 4 * 2 + e;

			for (int j = 0; j < 4; j++)
				a[g + j % 2 * 8][j / 2 * 8 + t] = bf16(r32(w, i, 4 + j)[l], e);
			for (int j = 0; j < 2; j++)
				b[g][j * 8 + t] = bf16(r32(w, i, 8 + j)[l], e);
		}
	for (int j = 0; j < 4; j++)
		for (int l = 0; l < WARP; l++) {
			memcpy(&r[j][l], &r32(w, i, 10 + j)[l], sizeof r[j][l]);
			for (int e = 0; e < 16; e++)
				r[j][l] += a[l / 4 + j / 2 * 8][e] * b[l % 4 * 2 + j % 2][e];
		}
	for (int j = 0; j < 4; j++)
		memcpy(r32(w, i, j), r[j], sizeof r[j]);
}

void
ptx_nothing(struct warp *w, const struct ins *i, uint32_t lanes)
{
	(void)w;
	(void)i;
	(void)lanes;
}

OP(ptx_mov_32)
{
	uint32_t *d = r32(w, i, 0);
	const uint32_t *a = r32(w, i, 1);

	EACH(d[l] = a[l])
}

OP(ptx_mov_64)
{
	uint64_t *d = r64(w, i, 0);
	const uint64_t *a = r64(w, i, 1);

	EACH(d[l] = a[l])
}

void
ptx_mov_pred(struct warp *w, const struct ins *i, uint32_t lanes)
{
	uint32_t *d = r32(w, i, 0);

	*d = (*d & ~lanes) | (*r32(w, i, 1) & lanes);
}

/* imm: of how many bits each of n parts is; the whole is first, the lowest
 * part next. */
void
ptx_pack(struct warp *w, const struct ins *i, uint32_t lanes)
{
	unsigned bits = (unsigned)i->imm;

	EACH(uint64_t v = 0;
	    for (int k = 0; k < i->n; k++)
		v |= (uint64_t)(r32(w, i, 1 + k)[l] & (EVERY >> (32 - bits))) << bits * (unsigned)k;
	    if (bits * i->n == 64)
		r64(w, i, 0)[l] = v;
	    else
		r32(w, i, 0)[l] = (uint32_t)v)
}

void
ptx_unpack(struct warp *w, const struct ins *i, uint32_t lanes)
{
	unsigned bits = (unsigned)i->imm;

	EACH(uint64_t v = bits * i->n == 64 ? r64(w, i, 0)[l] : r32(w, i, 0)[l];
	    for (int k = 0; k < i->n; k++)
		if (i->o[1 + k] >= 0)
			r32(w, i, 1 + k)[l] = (uint32_t)(v >> bits * (unsigned)k) & (EVERY >> (32 - bits)))
}

/* Addresses of a space as generic ones, and back. */
void
ptx_to_window(struct warp *w, const struct ins *i, uint32_t lanes)
{
	uint64_t *d = r64(w, i, 0), *a = r64(w, i, 1);

	EACH(d[l] = a[l] + (uint64_t)i->imm)
}

void
ptx_from_window(struct warp *w, const struct ins *i, uint32_t lanes)
{
	uint64_t *d = r64(w, i, 0), *a = r64(w, i, 1);

	EACH(d[l] = a[l] - (uint64_t)i->imm)
}

#define SYNC(name, wants, f, mask) { name, wants, f, PTX_MASKED, mask }
const struct ptx_entry ptx_lanes[] = {
	SYNC("shfl.sync.up.b32", "W^WiiW", shfl_up, 5), SYNC("shfl.sync.down.b32", "W^WiiW", shfl_down, 5),
	SYNC("shfl.sync.bfly.b32", "W^WiiW", shfl_bfly, 5), SYNC("shfl.sync.idx.b32", "W^WiiW", shfl_idx, 5),
	SYNC("vote.sync.all.pred", "P!W", vote_all, 2), SYNC("vote.sync.any.pred", "P!W", vote_any, 2),
	SYNC("vote.sync.uni.pred", "P!W", vote_uni, 2), SYNC("vote.sync.ballot.b32", "W!W", vote_ballot, 2),
	SYNC("redux.sync.add.s32", "iiW", redux_add, 2), SYNC("redux.sync.add.u32", "iiW", redux_add, 2),
	SYNC("redux.sync.min.s32", "iiW", redux_min_s, 2), SYNC("redux.sync.max.s32", "iiW", redux_max_s, 2),
	SYNC("redux.sync.min.u32", "iiW", redux_min_u, 2), SYNC("redux.sync.max.u32", "iiW", redux_max_u, 2),
	SYNC("redux.sync.and.b32", "WWW", redux_and, 2), SYNC("redux.sync.or.b32", "WWW", redux_or, 2),
	SYNC("redux.sync.xor.b32", "WWW", redux_xor, 2), SYNC("bar.warp.sync", "W", ptx_warp_sync, 0),
	{ "activemask.b32", "W", activemask, PTX_PLAIN, 0 },
	{ NULL, NULL, NULL, PTX_PLAIN, 0 }
};
