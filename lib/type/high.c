/* SPDX-License-Identifier: MIT */
/* high.c -- EFFORT_HIGH: never worse than the reference, block by block. */
#include <stdatomic.h>

#include "block.h"
#include "high.h"

/* What the CPU has; this folder does without. */
static _Atomic(const struct kernels *) fast;

void
high_use(const struct kernels *k)
{
	atomic_store_explicit(&fast, k, memory_order_relaxed);
}

static const struct kernels *
kernels_here(void)
{
	return atomic_load_explicit(&fast, memory_order_relaxed);
}

/* Which level v is nearest to. */
static int
nearest(const struct levels *l, float v)
{
	int i = l->low, k;

	if (!l->table)
		return clamp(near(v), l->low, l->high);
	for (k = i + 1; k <= l->high; k++)
		if (v >= (l->table[k] + l->table[k - 1]) * 0.5f)
			i = k;
	return i;
}

static void
try(const struct levels *l, int n, const float *x, const float *w, struct trials *t)
{
	float inv, y, diff, wl, err, sl, sll, sxl;
	int i, k, lane;

	for (lane = 0; lane < KERNEL_TRIALS; lane++) {
		inv = inverse(t->scale[lane]);
		err = sl = sll = sxl = 0;
		for (i = 0; i < n; i++) {
			k = nearest(l, (x[i] + t->min[lane]) * inv);
			y = l->table ? l->table[k] : (float)k;
			diff = x[i] - (t->scale[lane] * y - t->min[lane]);
			wl = w[i] * y;
			err += w[i] * diff * diff;
			sl += wl;
			sll += wl * y;
			sxl += wl * x[i];
		}
		t->err[lane] = err;
		t->l[lane] = sl;
		t->ll[lane] = sll;
		t->xl[lane] = sxl;
	}
}

void
high_try(const struct levels *l, int n, const float *x, const float *w, struct trials *t)
{
	const struct kernels *k = kernels_here();

	(k && k->try ? k->try : try)(l, n, x, w, t);
}

int
high_best(const struct trials *t)
{
	int lane, best = -1;

	for (lane = 0; lane < KERNEL_TRIALS; lane++)
		if (t->err[lane] < INFINITY && (best < 0 || t->err[lane] < t->err[best]))
			best = lane;
	return best;
}

bool
high_refit(const struct trials *t, int lane, float sw, float swx, float *scale, float *min)
{
	float l = t->l[lane], ll = t->ll[lane], xl = t->xl[lane];
	float det = sw * ll - l * l;

	if (det > 0) {
		*scale = (sw * xl - swx * l) / det;
		*min = (l * xl - ll * swx) / det;
		if (*min >= 0)
			return true;
	}
	*min = 0;
	*scale = ll > 0 ? xl / ll : 0;
	return ll > 0;
}

void
high_codes(const struct high *h, float scale, float min, int n, const float *x, uint8_t *code)
{
	float inv = inverse(scale);
	int i, k;

	for (i = 0; i < n; i++) {
		k = nearest(&h->levels, (x[i] + min) * inv) - h->levels.low;
		code[i] = h->code ? h->code[k] : (uint8_t)(h->code0 + k);
	}
}

uint16_t
high_step(uint16_t h, int k)
{
	return (uint16_t)((h & 0x8000) | clamp((h & 0x7fff) + k, 0, 0x7bff));
}

void
high_weigh(const struct high_weights *k, float sigma2, float *w, const float *x,
    const float *qw, size_t n)
{
	float rms = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (k->plain == PLAIN_RMS && i % k->len == 0)
			rms = sqrtf(sum_squares(x + i, k->len) / k->len);
		if (qw)
			w[i] = k->root ? qw[i] * sqrtf(sigma2 + x[i] * x[i]) : qw[i];
		else
			w[i] = k->plain == PLAIN_ONE ? 1 :
			    k->plain == PLAIN_SQUARE ? x[i] * x[i] : rms + fabsf(x[i]);
	}
}

double
high_error(const float *x, const float *y, const float *w, size_t n)
{
	double sum = 0, diff;
	size_t i;

	for (i = 0; i < n; i++) {
		diff = (double)x[i] - (double)y[i];
		sum += (w ? (double)w[i] : 1) * diff * diff;
	}
	return sum;
}

void
high_mix(float *u, const float *w, const float *qw, size_t n)
{
	float sw = 0, sq = 0, share;
	size_t i;

	for (i = 0; i < n; i++) {
		sw += w[i];
		sq += qw ? qw[i] : 1;
	}
	share = sq > 0 ? sw / sq : 0;
	for (i = 0; i < n; i++)
		u[i] = w[i] + share * (qw ? qw[i] : 1);
}

bool
high_better(const struct type *t, uint8_t *p, const uint8_t *block, const float *x,
    const float *w, const float *qw)
{
	float y[256], z[256];

	t->to_f32(y, p, t->block);
	t->to_f32(z, block, t->block);
	if (!(high_error(x, z, w, t->block) < high_error(x, y, w, t->block)) ||
	    !(high_error(x, z, qw, t->block) <= high_error(x, y, qw, t->block)))
		return false;
	memcpy(p, block, t->bytes);
	return true;
}

static void
encode_block(const struct high *h, uint8_t *p, const float *x, const float *w, const float *qw)
{
	float u[256];
	uint8_t block[256];
	struct parts b;

	memset(&b, 0, sizeof b);
	h->get(&b, p);
	high_mix(u, w, qw, h->type->block);
	h->improve(h, &b, x, u);
	h->put(block, &b);
	high_better(h->type, p, block, x, w, qw);
}

type_encode *
high_reference(const struct type *t)
{
	const struct kernels *k = kernels_here();

	return k && k->from_f32[t->ggml] ? k->from_f32[t->ggml] : t->from_f32;
}

void
high_encode(const struct high *h, void *dst, const float *x, size_t n, const float *qw)
{
	const struct type *t = h->type;
	float sigma2 = 0, w[256];
	uint8_t *p = dst;

	high_reference(t)(p, x, n, qw);
	if (qw && h->weights.row)
		sigma2 = sum_squares(x, n) / (float)n;
	for (; n >= t->block; n -= t->block, p += t->bytes, x += t->block) {
		if (qw && !h->weights.row)
			sigma2 = h->weights.energy * sum_squares(x, t->block) / t->block;
		high_weigh(&h->weights, sigma2, w, x, qw, t->block);
		encode_block(h, p, x, w, qw);
		if (qw)
			qw += t->block;
	}
}
