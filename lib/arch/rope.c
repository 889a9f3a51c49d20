/* SPDX-License-Identifier: MIT */
/*
 * rope.c -- scalings of RoPE that GGUF keeps as tensors: llama3's divisors,
 * computed as the converter does, every step rounded to F32 (a scalar by a
 * tensor is a reciprocal and a product there); longrope's lists as they are.
 */
#include <string.h>

#include "arch.h"

#define TWO_PI	6.283185307179586

/* What divides the frequency of pair i of `hd` / 2. */
static float
divisor(uint64_t i, uint64_t hd, float theta, double factor, double lo, double hi, double old)
{
	float power = (float)(2 * i) / (float)hd;
	float f = 1 / (float)arch_exp((double)power * arch_log((double)theta));
	float wave = 1 / f * (float)TWO_PI, s;

	if (wave < (float)(old / hi))
		return 1;
	if (wave > (float)(old / lo))
		return (float)factor;
	s = (1 / wave * (float)old - (float)lo) / (float)(hi - lo);
	return 1 / ((1 - s) / (float)factor + s);
}

static double
or(const struct doc *d, const char *path, double v)
{
	doc_double(d, path, &v);
	return v;
}

int
arch_rope_freqs(const struct arch_model *m, struct arena *a, float **v, size_t *n,
    struct err *e)
{
	const struct doc *d = &m->doc;
	const char *type = doc_string(d, "rope_parameters.rope_type");
	double theta = 10000, factor, lo, hi, old;

	*n = 0;
	if (!(m->arch->flags & ARCH_ROPE_FREQS) || !type || strcmp(type, "llama3"))
		return 0;
	doc_double(d, "rope_parameters.rope_theta", &theta);
	factor = or(d, "rope_parameters.factor", 8);
	lo = or(d, "rope_parameters.low_freq_factor", 1);
	hi = or(d, "rope_parameters.high_freq_factor", 4);
	old = or(d, "rope_parameters.original_max_position_embeddings", 8192);
	if (m->head_dim < 2 || !(theta > 0) || !(factor > 0) || !(lo > 0) || !(hi > lo))
		return err_set(e, "rope_parameters: no llama3 scaling has theta %g, factor %g,"
		    " frequencies from %g to %g", theta, factor, lo, hi);
	*n = (size_t)(m->head_dim / 2);
	if (!(*v = arena_alloc(a, *n * sizeof **v)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < *n; i++)
		(*v)[i] = divisor(i, m->head_dim, (float)theta, factor, lo, hi, old);
	return 0;
}

int
arch_rope_factors(const struct arch_model *m, bool is_long, struct arena *a, float **v,
    size_t *n, struct err *e)
{
	const char *path = is_long ? "rope_parameters.long_factor" :
	    "rope_parameters.short_factor";
	double x;

	*n = 0;
	if (!(m->arch->flags & ARCH_ROPE_FACTORS) || !doc_find(&m->doc, path))
		return 0;
	*n = doc_array(&m->doc, path);
	if (*n == 0)
		return err_set(e, "%s is no list of numbers", path);
	if (!(*v = arena_alloc(a, *n * sizeof **v)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < *n; i++) {
		if (!doc_element(&m->doc, path, i, &x))
			return err_set(e, "%s: element %zu is no number", path, i);
		(*v)[i] = (float)x;
	}
	return 0;
}
