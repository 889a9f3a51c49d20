/* SPDX-License-Identifier: MIT */
/* sample.c -- penalties, cuts, and the draw. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr/fmath.h>
#include <apr/sample.h>

struct cand {
	int32_t	id;
	float	p, far;
};

struct sampler {
	struct sample_opts o;
	unsigned	 n;
	uint64_t	 state;
	uint32_t	*seen, *made;	/* how often, of each token */
	struct cand	*cand;
	struct sample_bias *bias;
};

void
sampler_free(struct sampler *s)
{
	if (!s)
		return;
	free(s->seen);
	free(s->made);
	free(s->cand);
	free(s->bias);
	free(s);
}

struct sampler *
sampler_new(const struct sample_opts *o, unsigned n, struct err *e)
{
	struct sampler *s = calloc(1, sizeof *s);

	if (s && (s->seen = calloc(n, sizeof *s->seen)) && (s->made = calloc(n, sizeof *s->made)) &&
	    (s->cand = malloc(n * sizeof *s->cand)) &&
	    (s->bias = malloc((o->nbias + 1) * sizeof *s->bias))) {
		s->o = *o;
		s->n = n;
		s->state = o->seed;
		if (o->nbias)
			memcpy(s->bias, o->bias, o->nbias * sizeof *s->bias);
		s->o.bias = s->bias;
		return s;
	}
	sampler_free(s);
	err_set(e, "out of memory");
	return NULL;
}

void
sampler_saw(struct sampler *s, int32_t id, int generated)
{
	if (id < 0 || (unsigned)id >= s->n)
		return;
	s->seen[id]++;
	if (generated)
		s->made[id]++;
}

/* splitmix64: 53 bits in [0, 1). */
static double
draw(struct sampler *s)
{
	uint64_t z = s->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static void
adjust(const struct sampler *s, float *x)
{
	for (size_t i = 0; i < s->o.nbias; i++)
		if (s->bias[i].id >= 0 && (unsigned)s->bias[i].id < s->n)
			x[s->bias[i].id] += s->bias[i].add;
	if (s->o.repetition == 1 && s->o.presence == 0 && s->o.frequency == 0)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		if (s->seen[i])
			x[i] = x[i] > 0 ? x[i] / s->o.repetition : x[i] * s->o.repetition;
		if (s->made[i])
			x[i] -= s->o.presence + s->o.frequency * (float)s->made[i];
	}
}

static int32_t
largest(const float *x, unsigned n)
{
	unsigned best = 0;

	for (unsigned i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return (int32_t)best;
}

/* By probability, then by number. */
static int
falling(const void *a, const void *b)
{
	const struct cand *x = a, *y = b;

	if (x->p != y->p)
		return x->p < y->p ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

static int
nearest(const void *a, const void *b)
{
	const struct cand *x = a, *y = b;

	if (x->far != y->far)
		return x->far > y->far ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

static double
logsum(const float *x, unsigned n, float max)
{
	double sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += (double)fm_exp(x[i] - max);
	return (double)max + log(sum);
}

/* Keep what is closest to the surprise that is expected. */
static size_t
typical(struct cand *c, size_t n, float mass)
{
	double entropy = 0, sum = 0;
	size_t k;

	for (size_t i = 0; i < n; i++)
		if (c[i].p > 0)
			entropy -= (double)c[i].p * log((double)c[i].p);
	for (size_t i = 0; i < n; i++)
		c[i].far = (float)fabs(-log((double)c[i].p) - entropy);
	qsort(c, n, sizeof *c, nearest);
	for (k = 0; k < n && sum < (double)mass; k++)
		sum += (double)c[k].p;
	qsort(c, k, sizeof *c, falling);
	return k;
}

int32_t
sampler_pick(struct sampler *s, float *x, float *logprob)
{
	struct cand *c = s->cand;
	double sum = 0, at, kept = 0, norm = 0;
	float max;
	size_t n = 0;
	int32_t id;

	if (logprob)
		norm = logsum(x, s->n, x[largest(x, s->n)]);
	/* The figure is the model's own, so it is taken before changes. */
	if (s->o.temperature <= 0 && s->o.repetition == 1 && s->o.presence == 0 &&
	    s->o.frequency == 0 && s->o.nbias == 0) {
		id = largest(x, s->n);
		if (logprob)
			*logprob = (float)((double)x[id] - norm);
		return id;
	}
	if (logprob)
		for (unsigned i = 0; i < s->n; i++)
			c[i].p = x[i];
	adjust(s, x);
	id = largest(x, s->n);
	if (s->o.temperature > 0) {
		max = x[id];
		for (unsigned i = 0; i < s->n; i++)
			x[i] = fm_exp((x[i] - max) / s->o.temperature);
	}
	if (s->o.temperature <= 0) {
		if (logprob)
			*logprob = (float)((double)c[id].p - norm);
		return id;
	}
	if (logprob)	/* the raw logits move into x's place, probabilities into c */
		for (unsigned i = 0; i < s->n; i++) {
			float p = x[i];

			x[i] = c[i].p;
			c[i] = (struct cand){ (int32_t)i, p, 0 };
		}
	else
		for (unsigned i = 0; i < s->n; i++)
			c[i] = (struct cand){ (int32_t)i, x[i], 0 };
	for (unsigned i = 0; i < s->n; i++)
		sum += (double)c[i].p;
	for (unsigned i = 0; i < s->n; i++)
		if (c[i].p > 0)
			c[n++] = (struct cand){ c[i].id, (float)((double)c[i].p / sum), 0 };
	qsort(c, n, sizeof *c, falling);
	if (s->o.top_k && n > s->o.top_k)
		n = s->o.top_k;
	if (s->o.typical < 1 && n > 1)
		n = typical(c, n, s->o.typical);
	if (s->o.top_p < 1) {
		size_t k = 0;

		for (at = 0; k < n && at < (double)s->o.top_p; k++)
			at += (double)c[k].p;
		n = k ? k : 1;
	}
	while (n > 1 && c[n - 1].p < s->o.min_p * c[0].p)
		n--;
	for (size_t i = 0; i < n; i++)
		kept += (double)c[i].p;
	at = draw(s) * kept;
	id = c[n - 1].id;
	for (size_t i = 0; i < n; i++) {
		if (at < (double)c[i].p) {
			id = c[i].id;
			break;
		}
		at -= (double)c[i].p;
	}
	if (logprob)
		*logprob = (float)((double)x[id] - norm);
	return id;
}
