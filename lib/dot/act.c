/* SPDX-License-Identifier: MIT */
/* act.c -- activations as int8 in groups of 32 columns. */
#include <math.h>

#include <apr/dot.h>

enum { G = DOT_GROUP };

static size_t
groups(size_t cols)
{
	return (cols + G - 1) / G;
}

static size_t
align(size_t n)
{
	return (n + 63) / 64 * 64;
}

size_t
act_scratch(size_t cols, size_t n)
{
	size_t g = groups(cols) * n;

	return align(g * G) + align(g * sizeof(float)) + align(g * 2 * sizeof(int16_t)) + 64;
}

/* Half to even, as adding 1.5 * 2^23 rounds. */
static int
nearest(float v)
{
	return (int)((v + 12582912.0f) - 12582912.0f);
}

static void
group(const float *x, size_t len, int8_t *q, float *s, int16_t *sum)
{
	float max = 0, id;

	/* The first comparison is false with NaN, so ask the other way. */
	for (size_t i = 0; i < len; i++)
		if (!(fabsf(x[i]) <= max))
			max = fabsf(x[i]);
	sum[0] = sum[1] = 0;
	*s = max / 127;
	if (!(max > 0) || !isfinite(max)) {
		for (size_t i = 0; i < G; i++)
			q[i] = 0;
		if (max > 0 || isnan(max))	/* infinite or no number: so is the sum */
			*s = NAN;
		return;
	}
	/* A maximum so small that 127 / max is infinite counts as nothing. */
	id = 127 / max;
	for (size_t i = 0; i < G; i++) {
		q[i] = (int8_t)(i < len && isfinite(id) ? nearest(x[i] * id) : 0);
		sum[i / 16] = (int16_t)(sum[i / 16] + q[i]);
	}
}

void
act_quantize(struct act *a, size_t from, size_t to, void *scratch)
{
	size_t g = groups(a->cols);
	unsigned char *p = scratch;

	p += (64 - (uintptr_t)p % 64) % 64;
	a->gcols = g * G;
	a->q = (void *)p;
	p += align(g * G * a->n);
	a->s = (void *)p;
	p += align(g * sizeof(float) * a->n);
	a->sum = (void *)p;
	a->quantized = true;
	for (size_t c = from; c < to; c++)
		for (size_t i = 0; i < g; i++) {
			size_t len = a->cols - i * G < G ? a->cols - i * G : G;

			group(a->x + c * a->ld + i * G, len, a->q + (c * g + i) * G,
			    a->s + c * g + i, a->sum + 2 * (c * g + i));
		}
}
