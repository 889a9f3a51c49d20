/* SPDX-License-Identifier: MIT */
/* floats.c -- float products and sums, see kernel.h. */
#include <math.h>
#include <stdbool.h>

#include <apr/fmath.h>

#include "simd.h"
#include "vec.h"

/*
 * A pair of row and column has its 16 sums in V vectors.  B rows by B columns
 * of pairs share what they load.
 */
enum { V = 16 / W, B = W == 16 ? 4 : 2, PAIRS = B * B };

/* B x B pairs, or rows x cols of them; both are constants where it counts. */
INLINE void
pairs(vf *p, size_t rows, size_t cols, const float *w, size_t ldw, const float *x, size_t ldx,
    size_t n)
{
	for (size_t k = 0; k + 16 <= n; k += 16)
		UNROLL
		for (size_t v = 0; v < V; v++) {
			vf a[B];

			UNROLL
			for (size_t r = 0; r < rows; r++)
				a[r] = vf_load(w + r * ldw + k + v * W);
			UNROLL
			for (size_t c = 0; c < cols; c++) {
				vf b = vf_load(x + c * ldx + k + v * W);

				UNROLL
				for (size_t r = 0; r < rows; r++)
					p[(c * rows + r) * V + v] = vf_fma(a[r], b, p[(c * rows + r) * V + v]);
			}
		}
}

/* What is behind the last whole 16 columns. */
static void
rest(float *p, const float *w, const float *x, size_t n)
{
	for (size_t k = n / 16 * 16; k < n; k++)
		p[k % 16] = fmaf(w[k], x[k], p[k % 16]);
}

INLINE void
partial_block(float *p, size_t all, size_t rows, size_t cols, const float *w, size_t ldw,
    const float *x, size_t ldx, size_t n)
{
	vf s[PAIRS * V];

	UNROLL
	for (size_t c = 0; c < cols; c++)
		UNROLL
		for (size_t i = 0; i < rows * V; i++)
			s[c * rows * V + i] = vf_load(p + c * all * 16 + i * W);
	pairs(s, rows, cols, w, ldw, x, ldx, n);
	UNROLL
	for (size_t c = 0; c < cols; c++)
		UNROLL
		for (size_t i = 0; i < rows * V; i++)
			vf_store(p + c * all * 16 + i * W, s[c * rows * V + i]);
	if (n % 16)
		for (size_t c = 0; c < cols; c++)
			for (size_t r = 0; r < rows; r++)
				rest(p + (c * all + r) * 16, w + r * ldw, x + c * ldx, n);
}

static void
partial(float *p, const float *w, size_t ldw, size_t rows, const float *x, size_t ldx,
    size_t cols, size_t n)
{
	size_t c = 0, r;

	for (; c + B <= cols; c += B) {
		for (r = 0; r + B <= rows; r += B)
			partial_block(p + (c * rows + r) * 16, rows, B, B, w + r * ldw, ldw, x + c * ldx, ldx, n);
		for (; r < rows; r++)
			partial_block(p + (c * rows + r) * 16, rows, 1, B, w + r * ldw, ldw, x + c * ldx, ldx, n);
	}
	for (; c < cols; c++) {
		for (r = 0; r + B <= rows; r += B)
			partial_block(p + (c * rows + r) * 16, rows, B, 1, w + r * ldw, ldw, x + c * ldx, ldx, n);
		for (; r < rows; r++)
			partial_block(p + (c * rows + r) * 16, rows, 1, 1, w + r * ldw, ldw, x + c * ldx, ldx, n);
	}
}

/* 16 sums as W; vf_sums() does what is left. */
INLINE vf
fold(const vf *p)
{
	vf s[V];

	UNROLL
	for (int i = 0; i < V; i++)
		s[i] = p[i];
	UNROLL
	for (int n = V / 2; n > 0; n /= 2)
		UNROLL
		for (int i = 0; i < n; i++)
			s[i] += s[i + n];
	return s[0];
}

INLINE vf
fold_load(const float *p)
{
	vf s[V];

	UNROLL
	for (int i = 0; i < V; i++)
		s[i] = vf_load(p + i * W);
	return fold(s);
}

void
KERNEL(finish)(float *y, const float *p, size_t n)
{
	vf s[W];
	float t[W];

	for (; n >= W; n -= W, y += W, p += 16 * W) {
		UNROLL
		for (int i = 0; i < W; i++)
			s[i] = fold_load(p + 16 * i);
		vf_store(y, vf_sums(s));
	}
	if (n == 0)
		return;
	for (size_t i = 0; i < W; i++)
		s[i] = i < n ? fold_load(p + 16 * i) : vf_set1(0);
	vf_store(t, vf_sums(s));
	memcpy(y, t, n * sizeof *y);
}

/* The folded sums of rows x cols pairs; pair (r, c) goes to f[c * W + r]. */
INLINE void
dots_block(vf *f, size_t rows, size_t cols, const float *w, size_t ldw, const float *x,
    size_t ldx, size_t n)
{
	vf s[PAIRS * V];

	UNROLL
	for (size_t i = 0; i < rows * cols * V; i++)
		s[i] = vf_set1(0);
	pairs(s, rows, cols, w, ldw, x, ldx, n);
	if (n % 16) {
		float p[PAIRS * 16];

		for (size_t i = 0; i < rows * cols * V; i++)
			vf_store(p + i * W, s[i]);
		for (size_t c = 0; c < cols; c++)
			for (size_t r = 0; r < rows; r++)
				rest(p + (c * rows + r) * 16, w + r * ldw, x + c * ldx, n);
		for (size_t i = 0; i < rows * cols * V; i++)
			s[i] = vf_load(p + i * W);
	}
	UNROLL
	for (size_t c = 0; c < cols; c++)
		UNROLL
		for (size_t r = 0; r < rows; r++)
			f[c * W + r] = fold(s + (c * rows + r) * V);
}

/* Up to W rows, whose sums are folded together and stored side by side. */
INLINE void
dots_rows(float *y, size_t ldy, size_t rows, size_t cols, const float *w, size_t ldw,
    const float *x, size_t ldx, size_t n)
{
	vf f[B * W];
	size_t r = 0;

	for (; r + B <= rows; r += B)
		dots_block(f + r, B, cols, w + r * ldw, ldw, x, ldx, n);
	for (; r < rows; r++)
		dots_block(f + r, 1, cols, w + r * ldw, ldw, x, ldx, n);
	for (size_t c = 0; c < cols; c++) {
		float t[W];

		for (r = rows; r < W; r++)
			f[c * W + r] = vf_set1(0);
		vf_store(t, vf_sums(f + c * W));
		memcpy(y + c * ldy, t, rows * sizeof *t);
	}
}

static void
dots(float *y, size_t ldy, const float *w, size_t ldw, size_t rows, const float *x, size_t ldx,
    size_t cols, size_t n)
{
	for (size_t r = 0; r < rows; r += W) {
		size_t c = 0, some = rows - r < W ? rows - r : W;

		for (; c + B <= cols && some == W; c += B)
			dots_rows(y + c * ldy + r, ldy, W, B, w + r * ldw, ldw, x + c * ldx, ldx, n);
		for (; c + B <= cols; c += B)
			dots_rows(y + c * ldy + r, ldy, some, B, w + r * ldw, ldw, x + c * ldx, ldx, n);
		for (; c < cols; c++)
			dots_rows(y + c * ldy + r, ldy, some, 1, w + r * ldw, ldw, x + c * ldx, ldx, n);
	}
}

/* Rows side by side; half of the 16 sums at a time where registers are few. */
enum { ACROSS = W == 8 ? 8 : 16 };

INLINE void
across(float *p, size_t rows, const float *w, size_t ldw, const float *x, size_t n)
{
	vf s[ACROSS];
	size_t k = 0;

	UNROLL
	for (size_t i = 0; i < ACROSS; i++)
		s[i] = vf_load(p + i * rows);
	for (; k + ACROSS <= n; k += 16)
		UNROLL
		for (size_t i = 0; i < ACROSS; i++)
			s[i] = vf_fma(vf_load(w + (k + i) * ldw), vf_set1(x[k + i]), s[i]);
	UNROLL
	for (size_t i = 0; i < ACROSS; i++)
		vf_store(p + i * rows, s[i]);
	for (size_t i = 0; k + i < n; i++)
		vf_store(p + i * rows, vf_fma(vf_load(w + (k + i) * ldw), vf_set1(x[k + i]),
		    vf_load(p + i * rows)));
}

static void
partial_across(float *p, const float *w, size_t ldw, size_t rows, const float *x, size_t ldx,
    size_t cols, size_t n)
{
	for (size_t c = 0; c < cols; c++, p += 16 * rows) {
		size_t r = 0;

		for (; r + W <= rows; r += W)
			for (size_t i = 0; i < 16 && i < n; i += ACROSS)
				across(p + i * rows + r, rows, w + i * ldw + r, ldw, x + c * ldx + i, n - i);
		for (; r < rows; r++)
			for (size_t k = 0; k < n; k++)
				p[k % 16 * rows + r] = fmaf(w[k * ldw + r], x[c * ldx + k],
				    p[k % 16 * rows + r]);
	}
}

static void
finish_across(float *y, size_t ldy, const float *p, size_t rows, size_t cols)
{
	for (size_t c = 0; c < cols; c++, p += 16 * rows) {
		size_t r = 0;

		for (; r + W <= rows; r += W) {
			vf s[16];

			UNROLL
			for (size_t i = 0; i < 16; i++)
				s[i] = vf_load(p + i * rows + r);
			UNROLL
			for (size_t h = 8; h > 0; h /= 2)
				UNROLL
				for (size_t i = 0; i < h; i++)
					s[i] += s[i + h];
			vf_store(y + c * ldy + r, s[0]);
		}
		for (; r < rows; r++) {
			float t[16];

			for (size_t i = 0; i < 16; i++)
				t[i] = p[i * rows + r];
			KERNEL(finish)(y + c * ldy + r, t, 1);
		}
	}
}

static float
sum(const float *x, size_t n)
{
	float p[16] = { 0 }, y;
	vf s[V];
	size_t i;

	UNROLL
	for (int v = 0; v < V; v++)
		s[v] = vf_set1(0);
	for (i = 0; i + 16 <= n; i += 16)
		UNROLL
		for (int v = 0; v < V; v++)
			s[v] += vf_load(x + i + (size_t)v * W);
	UNROLL
	for (int v = 0; v < V; v++)
		vf_store(p + v * W, s[v]);
	for (; i < n; i++)
		p[i % 16] += x[i];
	KERNEL(finish)(&y, p, 1);
	return y;
}

const struct kernel_floats KERNEL(floats) = {
	.partial = partial, .finish = KERNEL(finish), .dots = dots,
	.partial_across = partial_across, .finish_across = finish_across, .sum = sum,
	.weigh = KERNEL(weigh), .blend = KERNEL(blend), .activate = KERNEL(activate),
	.scale = KERNEL(scale), .add = KERNEL(add), .turn = KERNEL(turn),
};
