/* SPDX-License-Identifier: MIT */
/*
 * dot.h -- products of packed weights: W rows side by side, a row a lane, so
 * that each row's sum is made in the order that apr/dot.h asks for.
 *
 * A type says how W rows of one of its blocks come apart (struct packed).
 * With few columns groups are multiplied as they come; with many they are
 * laid down first, in a panel, which all columns then go over.
 */
#ifndef KERNEL_DOT_H
#define KERNEL_DOT_H

#include <apr/kernel.h>

#include "simd.h"
#include "vec.h"

/* W rows of one group: vector j of q has columns 4 j .. 4 j + 3. */
struct group {
	vi	q[8];
	vf	s, m, k[2];		/* k: or the minima of halves */
};

/* Scales of W rows of one block. */
struct head {
	vf	s[8], m[8];
	vf	k[8][2], mk[8][2];
};

/*
 * Scales (`whole` is the tensor's, where it has one) and
 * codes of a run of groups, from block p of the first of W rows on; for
 * codes 0..127, `zero` is the one that stands for 0 (a power of two), for
 * signed ones it is SIGNED.
 */
enum { SIGNED = -1 };
struct packed {
	unsigned flags;
	int	 zero;
	int	 groups, run;		/* of a block; that codes() takes apart */
	int	 bytes;			/* of a block */
	void	(*head)(struct head *, const uint8_t *p, size_t stride, float whole);
	void	(*codes)(vi (*q)[8], const uint8_t *p, size_t stride, int run);
};

INLINE vi
dot_word(const int8_t *p)
{
	int32_t w;

	memcpy(&w, p, sizeof w);
	return vi_set1(w);
}

/* The same in each byte. */
INLINE vi vi_each(int byte) { return vi_set1((int32_t)((uint32_t)byte * 0x01010101)); }

INLINE int
log2_of(int n)
{
	int k = 0;

	for (; n > 1; n /= 2)
		k++;
	return k;
}

/* Where the integer sums begin: at what `zero` was added too much. */
INLINE vi
dot_start(const struct dot_act *a, int half, int zero)
{
	if (zero == 0 || (zero == SIGNED && !DOT_BIASED))
		return vi_set1(0);
	return vi_set1(zero == SIGNED ? a->zero[half] : a->zero[half] >> (7 - log2_of(zero)));
}

/* A group's share of the sums of one column. */
INLINE vf
dot_step(vf acc, const struct group *g, unsigned flags, int zero, const struct dot_act *a)
{
	vi d0 = dot_start(a, 0, zero), d1 = dot_start(a, 1, zero);
	vf s = g->s * vf_set1(a->s), d;

	UNROLL
	for (int j = 0; j < 4; j++)
		if (zero == SIGNED) {
			d0 = vi_dot_s(d0, g->q[j], dot_word(a->q + 4 * j));
			d1 = vi_dot_s(d1, g->q[j + 4], dot_word(a->q + 16 + 4 * j));
		} else {
			d0 = vi_dot_u(d0, g->q[j], dot_word(a->q + 4 * j));
			d1 = vi_dot_u(d1, g->q[j + 4], dot_word(a->q + 16 + 4 * j));
		}
	if (flags & DOT_HALF_SCALES) {
		acc = vf_fma(s, vi_float(d0), acc);
		return vf_fma(g->m * vf_set1(a->s), vi_float(d1), acc);
	}
	/* Below 2^24, and so exact; the 0 keeps -0 out. */
	if (flags & DOT_HALVES)
		d = vf_fma(g->k[1], vi_float(d1), vf_fma(g->k[0], vi_float(d0), vf_set1(0)));
	else
		d = vi_float(d0 + d1);
	acc = vf_fma(s, d, acc);
	if (flags & DOT_MIN)
		acc = vf_fnma(g->m, vf_set1(a->ms), acc);
	return acc;
}

/* The minima of halves, after dot_step(). */
INLINE vf
dot_minima(vf acc, vf m0, vf m1, const struct dot_act *a)
{
	acc = vf_fnma(m0, vf_set1(a->hs[0]), acc);
	return vf_fnma(m1, vf_set1(a->hs[1]), acc);
}

/* One group of W rows in a panel: signed codes, those + 128 where
 * DOT_BIASED. */
struct laid {
	int32_t	q[8][W];
	float	s[W], m[W], k[2][W], mk[2][W];
};
/* Multiply `strips` panels of n groups, from group `first` of the columns on,
 * into rows [row, row + rows): strips * W of them at most.  dot_any.c */
void	KERNEL(dot_panels)(const struct kernel_dot *, const struct laid *, size_t strips,
	    size_t n, size_t first, size_t row, size_t rows);
/* Strips that are laid side by side. */
enum { STRIPS = 4, SEGMENT_GROUPS = DOT_SEGMENT / DOT_GROUP };
_Static_assert(sizeof(struct laid) * STRIPS * SEGMENT_GROUPS <= KERNEL_DOT_TMP - 65536,
    "panels and a row's groups are scratch");

/* From unsigned codes to those of a panel. */
INLINE vi
dot_lay(vi q, int zero)
{
	if (zero != SIGNED)
		q = (q | vi_each(0x80)) - vi_each(zero);
	return (zero == SIGNED) == DOT_BIASED ? q ^ vi_each(0x80) : q;
}

/* n groups, whole blocks, of W rows. */
INLINE void
dot_fill(struct laid *to, const struct packed *t, const uint8_t *p, size_t stride, float whole,
    size_t n)
{
	for (; n > 0; n -= (size_t)t->groups, p += t->bytes, to += t->groups) {
		struct head h;

		t->head(&h, p, stride, whole);
		for (int r = 0; r < t->groups / t->run; r++) {
			vi q[4][8];

			t->codes(q, p, stride, r);
			UNROLL
			for (int k = 0; k < t->run; k++)
				UNROLL
				for (int j = 0; j < 8; j++)
					vi_store(to[r * t->run + k].q[j], dot_lay(q[k][j], t->zero));
		}
		for (int k = 0; k < t->groups; k++) {
			vf_store(to[k].s, h.s[k]);
			if (t->flags & (DOT_MIN | DOT_HALF_SCALES))
				vf_store(to[k].m, h.m[k]);
			for (int i = 0; i < 2 && t->flags & DOT_HALVES; i++)
				vf_store(to[k].k[i], h.k[k][i]);
			for (int i = 0; i < 2 && t->flags & DOT_MIN_HALVES; i++)
				vf_store(to[k].mk[i], h.mk[k][i]);
		}
	}
}

/* The same, multiplied at once with nc columns; as many bytes are fetched from
 * address `next` on: a strip that follows, all of whose rows lie behind one
 * another.  Evenly, since of many at once the last wait for the first. */
INLINE void
dot_run(vf *acc, const struct packed *t, const uint8_t *p, size_t stride, float whole,
    const struct dot_act *const *column, size_t step, int nc, uintptr_t next, size_t first,
    size_t n)
{
	size_t bytes = (size_t)t->bytes, part = W * bytes / (size_t)t->groups;
	const struct dot_act *col[DOT_BLOCK];

	UNROLL
	for (int j = 0; j < nc; j++)
		col[j] = column[j] + first * step;
	for (; n > 0; n -= (size_t)t->groups, p += bytes) {
		struct head h;

		t->head(&h, p, stride, whole);
		UNROLL
		for (int r = 0; r < t->groups / t->run; r++) {
			vi q[4][8];

			t->codes(q, p, stride, r);
			UNROLL
			for (int k = 0; k < t->run; k++) {
				int i = r * t->run + k;
				size_t at = (size_t)i * part;
				struct group g = { .s = h.s[i], .m = h.m[i],
				    .k = { h.k[i][0], h.k[i][1] } };

				UNROLL
				for (int j = 0; j < 8; j++)
					g.q[j] = t->zero == SIGNED && DOT_BIASED ?
					    q[k][j] ^ vi_each(0x80) : q[k][j];
				UNROLL
				for (int j = 0; j < nc; j++) {
					acc[j] = dot_step(acc[j], &g, t->flags, t->zero, col[j]);
					if (t->flags & DOT_MIN_HALVES)
						acc[j] = dot_minima(acc[j], h.mk[i][0], h.mk[i][1], col[j]);
					col[j] += step;
				}
				UNROLL
				for (size_t l = (at + 63) / 64; l < (at + part + 63) / 64; l++)
					__builtin_prefetch((const void *)(next + 64 * l), 0, 2);
				vi_after(&next, g.q[7]);
			}
		}
		next += W * bytes;
	}
}

/* At least as many bytes ahead is memory asked for. */
enum { AHEAD = 48 << 10 };

/* Whole strips times nc columns from c on, of which the last may be taken
 * more than once. */
INLINE void
dot_few(const struct kernel_dot *d, const struct packed *t, size_t strips, size_t c, int nc)
{
	size_t bytes = (size_t)t->bytes, groups = d->cols / DOT_GROUP, n;
	size_t step = (size_t)(dot_act(&d->a, c, 1) - dot_act(&d->a, c, 0));
	const struct dot_act *col[DOT_BLOCK];

	for (int j = 0; j < nc; j++)
		col[j] = dot_act(&d->a, c + (size_t)j < d->a.n ? c + (size_t)j : d->a.n - 1, 0);
	for (size_t k = 0; k < strips; k++) {
		const uint8_t *p = d->w + k * W * d->stride;
		uintptr_t next = (uintptr_t)p + (AHEAD / (W * d->stride) + 1) * W * d->stride;

		for (size_t i = 0; i < groups; i += n) {
			vf acc[DOT_BLOCK];

			UNROLL
			for (int j = 0; j < nc; j++)
				acc[j] = vf_set1(0);
			n = groups - i < SEGMENT_GROUPS ? groups - i : SEGMENT_GROUPS;
			dot_run(acc, t, p, d->stride, d->scale, col, step, nc, next, i, n);
			p += n / (size_t)t->groups * bytes;
			next += n / (size_t)t->groups * bytes * W;
			for (int j = 0; j < nc && c + (size_t)j < d->a.n; j++) {
				float *y = d->y + (c + (size_t)j) * d->ldy + k * W;

				if (i > 0)
					acc[j] += vf_load(y);
				vf_store(y, acc[j]);
			}
		}
	}
}

/* Columns from which on panels are worth their making. */
enum { FEW = 2 * DOT_BLOCK };
/* Those whose sums registers hold, and compilers keep in mind. */
enum { AT_ONCE = W == 16 ? DOT_BLOCK : 4 };

/* All of a product, for one type. */
INLINE void
dot_product(const struct kernel_dot *d, const struct packed *t)
{
	size_t bytes = (size_t)t->bytes;
	size_t strips = d->rows / W, groups = d->cols / DOT_GROUP, rest = d->rows - strips * W;
	struct laid *panel = d->tmp;

	if (d->cols % ((size_t)t->groups * DOT_GROUP)) {
		KERNEL(dot_any)(d);
		return;
	}
	for (size_t c = 0, left; d->a.n <= FEW && c < d->a.n; c += AT_ONCE) {
		left = d->a.n - c;
		if (left == 1)
			dot_few(d, t, strips, c, 1);
		else if (left == 2)		/* a fine one */
			dot_few(d, t, strips, c, 2);
		else if (left <= 4 || AT_ONCE == 4)
			dot_few(d, t, strips, c, 4);
		else
			dot_few(d, t, strips, c, AT_ONCE);
	}
	for (size_t k = 0, ns; d->a.n > FEW && k < strips; k += ns) {
		ns = strips - k < STRIPS ? strips - k : STRIPS;
		for (size_t i = 0, n; i < groups; i += n) {
			n = groups - i < SEGMENT_GROUPS ? groups - i : SEGMENT_GROUPS;
			for (size_t j = 0; j < ns; j++)
				dot_fill(panel + j * n, t, d->w + (k + j) * W * d->stride +
				    i / (size_t)t->groups * bytes, d->stride, d->scale, n);
			KERNEL(dot_panels)(d, panel, ns, n, i, k * W, ns * W);
		}
	}
	if (rest > 0) {
		struct kernel_dot tail = *d;

		tail.w += strips * W * d->stride;
		tail.y += strips * W;
		tail.rows = rest;
		KERNEL(dot_any)(&tail);
	}
}

#define UNUSED __attribute__((unused))
#define HEAD(name) \
INLINE void \
name(struct head *h, UNUSED const uint8_t *p, UNUSED size_t stride, UNUSED float whole)
#define CODES(name) \
INLINE void \
name(vi (*q)[8], const uint8_t *p, size_t stride, UNUSED int run)
/* struct packed's fields */
#define PRODUCT(name, ...) \
void \
KERNEL(name##_dot)(const struct kernel_dot *d) \
{ \
	const struct packed t = { __VA_ARGS__ }; \
\
	dot_product(d, &t); \
}

#endif
