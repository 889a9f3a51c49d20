/* SPDX-License-Identifier: MIT */
/* curves.c -- what is done to each float by itself, and sums that weigh. */
#include <math.h>
#include <stdbool.h>

#include <apr/fmath.h>

#include "simd.h"
#include "vec.h"

enum { V = 16 / W };	/* vectors of 16 sums */

/* fmath.h's lines, W at a time. */
INLINE vf
exps(vf x)
{
	const vf magic = vf_set1(12582912.0f);
	vf n = vf_fma(x, vf_set1(0x1.715476p+0f), magic) - magic, r, p;

	r = vf_fma(n, vf_set1(-0x1.62e4p-1f), x);
	r = vf_fma(n, vf_set1(-0x1.7f7d1cp-20f), r);
	p = vf_set1(0x1.a01a02p-13f);
	p = vf_fma(p, r, vf_set1(0x1.6c16c2p-10f));
	p = vf_fma(p, r, vf_set1(0x1.111112p-7f));
	p = vf_fma(p, r, vf_set1(0x1.555556p-5f));
	p = vf_fma(p, r, vf_set1(0x1.555556p-3f));
	p = vf_fma(p, r, vf_set1(0.5f));
	p = vf_fma(p, r, vf_set1(1.0f));
	p = vf_fma(p, r, vf_set1(1.0f));
	p *= vi_bits((vi_trunc(n) + vi_set1(127)) << 23);
	p = vf_select(vf_lt(x, vf_set1(-87.0f)), vf_set1(0), p);
	p = vf_select(vf_lt(vf_set1(88.0f), x), vf_set1(INFINITY), p);
	return vf_select(vf_unordered(x, x), x, p);
}

INLINE vf
tanhs(vf x)
{
	vf z = x * x, p;

	p = vf_set1(-0x1.ba1ba2p-5f) + z * vf_set1(0x1.664f48p-6f);
	p = vf_fma(p, z, vf_set1(0x1.111112p-3f));
	p = vf_fma(p, z, vf_set1(-0x1.555556p-2f));
	p = vf_fma(x * z, p, x);
	return vf_select(vf_lt(z, vf_set1(0.0625f)), p,
	    vf_set1(1.0f) - vf_set1(2.0f) / (vf_set1(1.0f) + exps(vf_set1(2.0f) * x)));
}

INLINE vf
silu(vf x)
{
	return x / (vf_set1(1.0f) + exps(-x));
}

INLINE vf
gelu(vf x)
{
	vf u = vf_set1(0x1.988454p-1f) * vf_fma(vf_set1(0x1.6e4e26p-5f) * x * x, x, x);

	return x / (vf_set1(1.0f) + exps(vf_set1(-2.0f) * u));
}

float
KERNEL(weigh)(float *s, size_t from, size_t to, float scale, float cap, float *total)
{
	size_t first = from / 16 * 16, end = (to + 15) / 16 * 16;
	vf max = vf_set1(-INFINITY), m, p[V];
	float part[16];

	/* Beside the scores stands what weighs nothing. */
	UNROLL
	for (int v = 0; v < V; v++)
		p[v] = vf_set1(0);
	for (size_t j = to; j < end; j++)
		s[j] = 0;
	for (size_t j = first; j < from; j++)
		s[j] = 0;
	for (size_t j = first; j < end; j += W) {
		vf x = vf_load(s + j) * vf_set1(scale);

		if (cap != 0)
			x = vf_set1(cap) * tanhs(x / vf_set1(cap));
		vf_store(s + j, x);
		if (j < from || j + W > to) {
			for (size_t k = j; k < j + W; k++)
				if (k < from || k >= to)
					s[k] = -INFINITY;
			x = vf_load(s + j);
		}
		max = vf_max(x, max);
	}
	m = vf_set1(vf_hmax(max));
	for (size_t j = first; j < end; j += 16)
		UNROLL
		for (size_t v = 0; v < V; v++) {
			vf e = exps(vf_load(s + j + v * W) - m);

			vf_store(s + j + v * W, e);
			p[v] += e;
		}
	UNROLL
	for (int v = 0; v < V; v++)
		vf_store(part + v * W, p[v]);
	KERNEL(finish)(total, part, 1);
	return vf_hmax(max);
}

/* cols x vecs vectors of sums stay in registers. */
enum { BV = W == 8 ? 2 : 4 };

INLINE void
blend_block(float *y, size_t ldy, const float *w, size_t ldw, size_t cols, const float *v,
    size_t ldv, size_t from, size_t to, size_t vecs)
{
	vf s[4 * BV];

	UNROLL
	for (size_t c = 0; c < cols; c++)
		UNROLL
		for (size_t i = 0; i < vecs; i++)
			s[c * vecs + i] = vf_load(y + c * ldy + i * W);
	for (size_t j = from; j < to; j++) {
		vf x[BV];

		UNROLL
		for (size_t i = 0; i < vecs; i++)
			x[i] = vf_load(v + j * ldv + i * W);
		UNROLL
		for (size_t c = 0; c < cols; c++) {
			vf a = vf_set1(w[c * ldw + j]);

			UNROLL
			for (size_t i = 0; i < vecs; i++)
				s[c * vecs + i] = vf_fma(a, x[i], s[c * vecs + i]);
		}
	}
	UNROLL
	for (size_t c = 0; c < cols; c++)
		UNROLL
		for (size_t i = 0; i < vecs; i++)
			vf_store(y + c * ldy + i * W, s[c * vecs + i]);
}

void
KERNEL(blend)(float *y, size_t ldy, const float *w, size_t ldw, size_t cols, const float *v, size_t ldv,
    size_t from, size_t to, size_t n)
{
	for (size_t c = 0; c < cols; ) {
		bool four = c + 4 <= cols;
		size_t k = 0;

		for (; k + BV * W <= n; k += BV * W)
			if (four)
				blend_block(y + k, ldy, w, ldw, 4, v + k, ldv, from, to, BV);
			else
				blend_block(y + k, ldy, w, ldw, 1, v + k, ldv, from, to, BV);
		for (; k + W <= n; k += W)
			if (four)
				blend_block(y + k, ldy, w, ldw, 4, v + k, ldv, from, to, 1);
			else
				blend_block(y + k, ldy, w, ldw, 1, v + k, ldv, from, to, 1);
		for (; k < n; k++)
			for (size_t i = 0; i < (four ? 4 : 1); i++)
				for (size_t j = from; j < to; j++)
					y[i * ldy + k] = fmaf(w[i * ldw + j], v[j * ldv + k], y[i * ldy + k]);
		c += four ? 4 : 1;
		y += (four ? 4 : 1) * ldy;
		w += (four ? 4 : 1) * ldw;
	}
}

void
KERNEL(activate)(float *y, const float *gate, size_t n, enum kernel_curve how)
{
	size_t i = 0;

	for (; i + W <= n; i += W) {
		vf v = vf_load(gate ? gate + i : y + i);

		v = how == KERNEL_GELU ? gelu(v) : silu(v);
		if (gate)
			v *= vf_load(y + i);
		vf_store(y + i, v);
	}
	for (; i < n; i++) {
		float v = gate ? gate[i] : y[i];

		v = how == KERNEL_GELU ? fm_gelu(v) : fm_silu(v);
		y[i] = gate ? v * y[i] : v;
	}
}

void
KERNEL(scale)(float *y, const float *x, float by, const float *w, const float *bias, size_t n)
{
	size_t i = 0;

	for (; i + W <= n; i += W) {
		vf v = vf_load(x + i) * vf_set1(by);

		if (w)
			v *= vf_load(w + i);
		if (bias)
			v += vf_load(bias + i);
		vf_store(y + i, v);
	}
	for (; i < n; i++) {
		float v = x[i] * by;

		if (w)
			v *= w[i];
		y[i] = bias ? v + bias[i] : v;
	}
}

void
KERNEL(add)(float *y, const float *x, float by, size_t n)
{
	size_t i = 0;

	/* A product with 1 is exact. */
	for (; i + W <= n; i += W)
		vf_store(y + i, vf_load(y + i) + vf_load(x + i) * vf_set1(by));
	for (; i < n; i++)
		y[i] += x[i] * by;
}

void
KERNEL(turn)(float *a, float *b, const float *cs, const float *sn, size_t n)
{
	size_t i = 0;

	for (; i + W <= n; i += W) {
		vf p = vf_load(a + i), q = vf_load(b + i), c = vf_load(cs + i), s = vf_load(sn + i);

		vf_store(a + i, p * c - q * s);
		vf_store(b + i, q * c + p * s);
	}
	for (; i < n; i++) {
		float p = a[i], q = b[i];

		a[i] = p * cs[i] - q * sn[i];
		b[i] = q * cs[i] + p * sn[i];
	}
}
