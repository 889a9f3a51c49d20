/* SPDX-License-Identifier: MIT */
/* act.c -- activations as int8 in groups of 32 columns. */
#include <math.h>

#include <apr/float.h>

#include "unpack.h"

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

struct dot_acts
act_run(const struct act *a, size_t c)
{
	size_t n = a->n - c < ACT_RUN ? a->n - c : ACT_RUN;

	return (struct dot_acts){ 2 * n, a->p.groups, a->p.g + 2 * c * a->p.groups };
}

/* Column c of a run to its second half, as what is left of it. */
static void
remains(kernel_act *act, const struct dot_acts *run, size_t c, const float *x, size_t cols)
{
	size_t second = run->n / 2 + c, first = second / DOT_BLOCK * DOT_BLOCK;
	size_t step = run->n - first < DOT_BLOCK ? run->n - first : DOT_BLOCK;
	float left[DOT_SEGMENT];

	for (size_t i = 0, n; i < cols; i += n) {
		struct dot_acts at = *run;

		n = cols - i < DOT_SEGMENT ? cols - i : DOT_SEGMENT;
		at.groups = groups(n);
		at.g += first * (run->groups - at.groups) + i / G * step;
		for (size_t g = 0; g < at.groups; g++) {
			const struct dot_act *a = dot_act(run, c, i / G + g);
			size_t len = n - g * G < G ? n - g * G : G;

			for (size_t k = 0; k < len; k++)
				left[g * G + k] = x[i + g * G + k] - a->s * (float)a->q[k];
		}
		act(&at, left, n, 0, second, second + 1);
	}
}

void
act_quantize_with(const struct kernels *k, struct act *a, size_t from, size_t to, void *scratch)
{
	unsigned char *p = scratch;
	kernel_act *act = k->act ? k->act : quantize;

	a->p.n = a->fine ? 2 * a->n : a->n;
	a->p.groups = groups(a->cols);
	a->p.g = (void *)(p + (64 - (uintptr_t)p % 64) % 64);
	if (!a->fine)
		act(&a->p, a->x, a->cols, a->ld, from, to);
	for (size_t c = from; a->fine && c < to; c++) {
		struct dot_acts run = act_run(a, c / ACT_RUN * ACT_RUN);

		act(&run, a->x + c * a->ld, a->cols, 0, c % ACT_RUN, c % ACT_RUN + 1);
		remains(act, &run, c % ACT_RUN, a->x + c * a->ld, a->cols);
	}
}

void
act_quantize(struct act *a, size_t from, size_t to, void *scratch)
{
	act_quantize_with(kernels(), a, from, to, scratch);
}
