/* SPDX-License-Identifier: MIT */
/* act.c -- activations as int8 in groups of 32 columns. */
#include <math.h>

#include <apr/dot.h>
#include <apr/float.h>

enum { G = DOT_GROUP };

static size_t
groups(size_t cols)
{
	return (cols + G - 1) / G;
}

size_t
act_scratch(size_t cols, size_t n)
{
	return (groups(cols) * n + 1) * sizeof(struct dot_act);
}

/* Half to even, as adding 1.5 * 2^23 rounds. */
static int
nearest(float v)
{
	return (int)((v + 12582912.0f) - 12582912.0f);
}

static void
group(const float *x, size_t len, struct dot_act *a)
{
	uint32_t most = 0, u;
	float max, id;
	int sum[2] = { 0, 0 };

	/* Bits order as magnitudes do, infinity and NaN last. */
	for (size_t i = 0; i < len; i++) {
		u = f32_bits(x[i]) & 0x7fffffff;
		most = u > most ? u : most;
	}
	/* Infinite or no number: so is the sum.  A maximum so small that
	 * 127 / max is infinite counts as nothing. */
	max = bits_f32(most);
	id = most < 0x7f800000 && isfinite(127 / max) ? 127 / max : 0;
	a->s = most < 0x7f800000 ? max / 127 : NAN;
	for (size_t i = 0; i < G; i++) {
		a->q[i] = (int8_t)(i < len && id > 0 ? nearest(x[i] * id) : 0);
		sum[i / 16] += a->q[i];
	}
	a->ms = a->s * (float)(sum[0] + sum[1]);
	for (int h = 0; h < 2; h++) {
		a->zero[h] = -128 * sum[h];
		a->hs[h] = a->s * (float)sum[h];
	}
}

static void
quantize(const struct dot_acts *p, const float *x, size_t cols, size_t ld, size_t from,
    size_t to)
{
	for (size_t c = from; c < to; c++)
		for (size_t i = 0; i < p->groups; i++)
			group(x + c * ld + i * G, cols - i * G < G ? cols - i * G : G,
			    dot_act(p, c, i));
}

void
act_quantize_with(const struct kernels *k, struct act *a, size_t from, size_t to, void *scratch)
{
	unsigned char *p = scratch;

	a->p.n = a->n;
	a->p.groups = groups(a->cols);
	a->p.g = (void *)(p + (64 - (uintptr_t)p % 64) % 64);
	(k->act ? k->act : quantize)(&a->p, a->x, a->cols, a->ld, from, to);
}

void
act_quantize(struct act *a, size_t from, size_t to, void *scratch)
{
	act_quantize_with(kernels(), a, from, to, scratch);
}
