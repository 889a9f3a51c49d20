/* SPDX-License-Identifier: MIT */
/* floats.c -- float products and functions in plain C: what the bits are. */
#include <apr/fmath.h>

#include "kernel.h"

static void
partial(float *p, const float *w, size_t ldw, size_t rows, const float *x, size_t ldx,
    size_t cols, size_t n)
{
	for (size_t c = 0; c < cols; c++)
		for (size_t r = 0; r < rows; r++, p += 16)
			for (size_t k = 0; k < n; k++)
				p[k % 16] = fmaf(w[r * ldw + k], x[c * ldx + k], p[k % 16]);
}

static void
finish(float *y, const float *p, size_t n)
{
	for (; n > 0; n--, p += 16) {
		float t[8];

		for (int i = 0; i < 8; i++)
			t[i] = p[i] + p[i + 8];
		for (int i = 0; i < 4; i++)
			t[i] += t[i + 4];
		for (int i = 0; i < 2; i++)
			t[i] += t[i + 2];
		*y++ = t[0] + t[1];
	}
}

static void
dots(float *y, size_t ldy, const float *w, size_t ldw, size_t rows, const float *x, size_t ldx,
    size_t cols, size_t n)
{
	for (size_t c = 0; c < cols; c++)
		for (size_t r = 0; r < rows; r++) {
			float p[16] = { 0 };

			partial(p, w + r * ldw, 0, 1, x + c * ldx, 0, 1, n);
			finish(y + c * ldy + r, p, 1);
		}
}

static void
partial_across(float *p, const float *w, size_t ldw, size_t rows, const float *x, size_t ldx,
    size_t cols, size_t n)
{
	for (size_t c = 0; c < cols; c++, p += 16 * rows)
		for (size_t k = 0; k < n; k++)
			for (size_t r = 0; r < rows; r++)
				p[k % 16 * rows + r] = fmaf(w[k * ldw + r], x[c * ldx + k],
				    p[k % 16 * rows + r]);
}

static void
finish_across(float *y, size_t ldy, const float *p, size_t rows, size_t cols)
{
	for (size_t c = 0; c < cols; c++, p += 16 * rows)
		for (size_t r = 0; r < rows; r++) {
			float t[16];

			for (size_t i = 0; i < 16; i++)
				t[i] = p[i * rows + r];
			finish(y + c * ldy + r, t, 1);
		}
}

static float
sum(const float *x, size_t n)
{
	float p[16] = { 0 }, y;

	for (size_t i = 0; i < n; i++)
		p[i % 16] += x[i];
	finish(&y, p, 1);
	return y;
}

static float
weigh(float *s, size_t from, size_t to, float scale, float cap, float *total)
{
	float p[16] = { 0 }, max = -INFINITY;

	for (size_t j = from; j < to; j++) {
		s[j] *= scale;
		if (cap != 0)
			s[j] = cap * fm_tanh(s[j] / cap);
		if (s[j] > max)
			max = s[j];
	}
	for (size_t j = from; j < to; j++) {
		s[j] = fm_exp(s[j] - max);
		p[j % 16] += s[j];
	}
	finish(total, p, 1);
	return max;
}

static void
blend(float *y, size_t ldy, const float *w, size_t ldw, size_t cols, const float *v, size_t ldv,
    size_t from, size_t to, size_t n)
{
	for (size_t c = 0; c < cols; c++)
		for (size_t j = from; j < to; j++)
			for (size_t k = 0; k < n; k++)
				y[c * ldy + k] = fmaf(w[c * ldw + j], v[j * ldv + k], y[c * ldy + k]);
}

static void
activate(float *y, const float *gate, size_t n, enum kernel_curve how)
{
	for (size_t i = 0; i < n; i++) {
		float v = gate ? gate[i] : y[i];

		v = how == KERNEL_GELU ? fm_gelu(v) : fm_silu(v);
		y[i] = gate ? v * y[i] : v;
	}
}

static void
scale(float *y, const float *x, float by, const float *w, const float *bias, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float v = x[i] * by;

		if (w)
			v *= w[i];
		y[i] = bias ? v + bias[i] : v;
	}
}

static void
add(float *y, const float *x, float by, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += by != 1 ? x[i] * by : x[i];
}

static void
turn(float *a, float *b, const float *cs, const float *sn, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float p = a[i], q = b[i];

		a[i] = p * cs[i] - q * sn[i];
		b[i] = q * cs[i] + p * sn[i];
	}
}

void
kernel_fill_scalar(struct kernels *k)
{
	k->f = (struct kernel_floats){
		.partial = partial, .finish = finish, .dots = dots,
		.partial_across = partial_across, .finish_across = finish_across, .sum = sum, .weigh = weigh, .blend = blend,
		.activate = activate, .scale = scale, .add = add, .turn = turn,
	};
}
