/* SPDX-License-Identifier: MIT */
/*
 * rope.c -- scalings of RoPE that GGUF keeps as tensors: llama3's divisors,
 * computed as the converter does, every step rounded to F32 (a scalar by a
 * tensor is a reciprocal and a product there); longrope's lists as they are.
 */
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "num.h"

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

bool
arch_in_config(const char *name)
{
	return !strcmp(name, "rope_freqs.weight") || !strcmp(name, "rope_factors_long.weight") ||
	    !strcmp(name, "rope_factors_short.weight");
}

/* Do these parameters give exactly these divisors? */
static bool
gives(const float *v, size_t n, float theta, double factor, double lo, double hi, double old)
{
	for (size_t i = 0; i < n; i++)
		if (divisor(i, 2 * n, theta, factor, lo, hi, old) != v[i])
			return false;
	return true;
}

/* llama3's parameters from what they did: everybody has 1 and 4 for the two
 * frequencies, and a power of two, or what the context says, for the length. */
static int
recover(struct arch_model *m, const float *v, size_t n, struct err *e)
{
	static const double high[] = { 4, 2, 8, 16, 32 };
	struct doc *d = &m->doc;
	double theta = 10000, factor = 1, context = 0, old = 0;
	uint64_t hi = 0;
	char text[40];

	doc_double(d, "rope_parameters.rope_theta", &theta);
	doc_double(d, "max_position_embeddings", &context);
	for (size_t i = 0; i < n; i++)
		if (v[i] > factor)
			factor = (double)v[i];
	for (size_t k = 0; k < sizeof high / sizeof *high && hi == 0; k++) {
		for (old = 16; old <= 0x1p24; old *= 2)
			if (gives(v, n, (float)theta, factor, 1, high[k], old))
				break;
		if (old > 0x1p24 && !gives(v, n, (float)theta, factor, 1, high[k],
		    old = context / factor))
			continue;
		hi = (uint64_t)high[k];
	}
	if (hi == 0)
		return err_set(e, "rope_freqs.weight: no llama3 scaling known has these %zu"
		    " divisors, and config.json has no other word for them", n);
	num_float(text, factor, 1);
	return doc_put(d, "rope_parameters.rope_type", JSON_STRING, "llama3", e) < 0 ||
	    doc_put(d, "rope_parameters.factor", JSON_NUMBER, text, e) < 0 ||
	    doc_put(d, "rope_parameters.low_freq_factor", JSON_NUMBER, "1.0", e) < 0 ||
	    doc_put_u64(d, "rope_parameters.high_freq_factor", hi, e) < 0 ||
	    doc_put_u64(d, "rope_parameters.original_max_position_embeddings",
	    (uint64_t)old, e) < 0 ? -1 : 0;
}

int
arch_set_config(struct arch_model *m, const char *name, const void *f32, size_t bytes,
    struct err *e)
{
	size_t n = bytes / 4;
	float *v = calloc(n + 1, sizeof *v);
	struct buf b = { 0 };
	char text[40];
	int r;

	if (!v)
		return err_set(e, "out of memory");
	type_f32.to_f32(v, f32, n);
	if (!strcmp(name, "rope_freqs.weight")) {
		r = recover(m, v, n, e);
		free(v);
		return r;
	}
	buf_str(&b, "[");
	for (size_t i = 0; i < n; i++) {
		num_float(text, (double)v[i], 1);
		buf_printf(&b, "%s%s", i ? "," : "", text);
	}
	buf_str(&b, "]");
	buf_put(&b, "", 1);
	r = buf_check(&b, e) < 0 ||
	    doc_put(&m->doc, "rope_parameters.rope_type", JSON_STRING, "longrope", e) < 0 ||
	    doc_put(&m->doc, strstr(name, "long") ? "rope_parameters.long_factor" :
	    "rope_parameters.short_factor", JSON_ARRAY, (char *)b.p, e) < 0 ? -1 : 0;
	buf_release(&b);
	free(v);
	return r;
}
