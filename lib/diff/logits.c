/* SPDX-License-Identifier: MIT */
/* logits.c -- predictions side by side. */
#include <math.h>
#include <stdlib.h>

#include <apr/buf.h>
#include <apr/logits.h>

const char *const logits_classes[] = { "IDENTICAL", "TIE-BREAK", "DIVERGED", "UNMEASURED" };

/* The largest and the second; false if one is not finite. */
static bool
top_two(const float *x, size_t n, int32_t *top, double *margin)
{
	size_t best = 0;
	double second = -INFINITY;

	for (size_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	for (size_t i = 1; i < n; i++) {
		if (x[i] > x[best]) {
			second = (double)x[best];
			best = i;
		} else if ((double)x[i] > second) {
			second = (double)x[i];
		}
	}
	*top = (int32_t)best;
	*margin = n > 1 ? (double)x[best] - second : 0;
	return true;
}

/* ln sum e^x. */
static double
log_sum(const float *x, size_t n, double max)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += exp((double)x[i] - max);
	return max + log(sum);
}

void
logits_compare(const float *a, const float *b, size_t n, int32_t next, double tie,
    struct logits_pair *p)
{
	double aa = 0, bb = 0, ab = 0, dd = 0, la, lb;

	*p = (struct logits_pair){ .class = LOGITS_UNMEASURED, .top = { -1, -1 } };
	if (n == 0 || !top_two(a, n, &p->top[0], &p->margin[0]) ||
	    !top_two(b, n, &p->top[1], &p->margin[1]))
		return;
	la = log_sum(a, n, (double)a[p->top[0]]);
	lb = log_sum(b, n, (double)b[p->top[1]]);
	for (size_t i = 0; i < n; i++) {
		double x = (double)a[i], y = (double)b[i], d = x - y;

		aa += x * x;
		bb += y * y;
		ab += x * y;
		dd += d * d;
		p->max = fabs(d) > p->max ? fabs(d) : p->max;
		p->kl += exp(x - la) * (d - (la - lb));
	}
	p->cosine = dd == 0 ? 1 : aa == 0 || bb == 0 ? 0 : ab / (sqrt(aa) * sqrt(bb));
	p->gap = (double)a[p->top[0]] - (double)a[p->top[1]];
	p->class = p->top[0] == p->top[1] ? LOGITS_IDENTICAL :
	    p->gap <= tie ? LOGITS_TIE_BREAK : LOGITS_DIVERGED;
	if (next >= 0 && (size_t)next < n) {
		p->loss[0] = la - (double)a[next];
		p->loss[1] = lb - (double)b[next];
	}
}

int
logits_add(struct logits_sums *s, const struct logits_pair *p, bool predicted, struct err *e)
{
	s->n[p->class]++;
	if (p->class == LOGITS_UNMEASURED)
		return 0;
	if (array_room(&s->kl, s->nkl, sizeof *s->kl, e) < 0)
		return -1;
	s->min_cosine = s->nkl == 0 || p->cosine < s->min_cosine ? p->cosine : s->min_cosine;
	s->cosine += p->cosine;
	s->max = p->max > s->max ? p->max : s->max;
	s->kl[s->nkl++] = p->kl;
	exact_add(&s->kl_sum, p->kl);
	s->sorted = false;
	for (int k = 0; predicted && k < 2; k++) {
		s->loss[k] += p->loss[k];
		s->square[k] += p->loss[k] * p->loss[k];
	}
	s->predicted += predicted;
	return 0;
}

void
logits_release(struct logits_sums *s)
{
	free(s->kl);
	s->kl = NULL;
}

double
logits_kl_mean(const struct logits_sums *s)
{
	return s->nkl ? exact_value(&s->kl_sum) / (double)s->nkl : (double)NAN;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
logits_kl_quantile(struct logits_sums *s, double q)
{
	double at, low;

	if (s->nkl == 0)
		return (double)NAN;
	if (!s->sorted)
		qsort(s->kl, s->nkl, sizeof *s->kl, by_value);
	s->sorted = true;
	at = q * (double)(s->nkl - 1);
	low = floor(at);
	if (low >= (double)(s->nkl - 1))
		return s->kl[s->nkl - 1];
	return s->kl[(size_t)low] + (at - low) * (s->kl[(size_t)low + 1] - s->kl[(size_t)low]);
}

double
logits_agreement(const struct logits_sums *s)
{
	uint64_t all = 0;

	for (int k = 0; k < LOGITS_CLASSES; k++)
		all += s->n[k];
	return all ? (double)s->n[LOGITS_IDENTICAL] / (double)all : 0;
}
