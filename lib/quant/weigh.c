/* SPDX-License-Identifier: MIT */
/* weigh.c -- which tensor gets which entry of an importance matrix. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/quant.h>
#include <apr/size.h>

enum { NAMED = 8 };	/* names in a list of what has nothing */

/* llama-quantize refuses to make these blindly, but for what is no matrix of
 * a layer. */
static bool
needs(const struct tensor *t, bool q2_k)
{
	static const char *const type[] = { "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS",
		"IQ2_S", "IQ3_XXS" };

	if (!strcmp(t->name, "output.weight") || !strcmp(t->name, "token_embd.weight") ||
	    !strcmp(t->name, "per_layer_token_embd.weight"))
		return false;
	for (size_t i = 0; i < sizeof type / sizeof *type; i++)
		if (!strcmp(t->type->name, type[i]))
			return true;
	return q2_k && !strcmp(t->type->name, "Q2_K");
}

/* A .dat does not say which experts were reached: zeros do. */
static int
count_cold(struct imatrix *im, size_t entry, uint64_t n, uint64_t slices, uint64_t *cold,
    struct err *e)
{
	float *v = n <= SIZE_MAX / sizeof *v ? malloc((size_t)n * sizeof *v) : NULL;
	size_t cols = (size_t)(n / slices);

	if (!v)
		return err_set(e, "out of memory");
	if (imatrix_read(im, entry, v, e) < 0) {
		free(v);
		return -1;
	}
	for (size_t s = 0; s < slices; s++) {
		size_t i = 0;

		while (i < cols && !(v[s * cols + i] > 0))
			i++;
		*cold += i == cols;
	}
	free(v);
	return 0;
}

static int
weigh(const struct tensor *t, struct quant_from *from, struct imatrix *im, size_t i,
    struct quant_coverage *c, struct err *e)
{
	const struct imatrix_entry *x = imatrix_entry(im, i);
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1, slices = 1, cold, want;

	for (unsigned d = 0; d + 2 < t->ndim; d++)
		slices *= t->dim[d];	/* at most t->n */
	if (u64_mul(&want, cols, slices) || x->n != want ||
	    (x->experts && x->experts != slices)) {
		if (!strcmp(t->name, "token_embd.weight"))
			return 0;
		return err_set(e, "%s: the imatrix has %" PRIu64 " weights for it, not %"
		    PRIu64 " (%" PRIu64 " of %" PRIu64 " columns)", t->name, x->n, want,
		    slices, cols);
	}
	from->qw = i;
	from->nqw = x->n;
	cold = x->cold;
	if (x->experts == 0 && slices > 1 && count_cold(im, i, x->n, slices, &cold, e) < 0)
		return -1;
	c->cold += cold;
	c->experts += slices > 1 ? slices : 0;
	if (cold)
		buf_printf(&c->text, "%s%s (%" PRIu64 " of %" PRIu64 ")",
		    c->text.len ? ", " : "", t->name, cold, slices);
	return 0;
}

int
quant_weigh(const struct manifest *m, struct quant_from *from, struct imatrix *im,
    bool q2_k, struct quant_coverage *c, struct err *e)
{
	bool *used = NULL;
	int r = 0;

	*c = (struct quant_coverage){ 0 };
	if (im && imatrix_count(im) == 0)
		im = NULL;
	if (im && (!m->convention || strcmp(m->convention, "gguf")))
		return err_set(e, "an imatrix goes by GGUF's names, and this stream has others");
	if (im && !(used = calloc(imatrix_count(im), sizeof *used)))
		return err_set(e, "out of memory");
	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];
		size_t entry = im ? imatrix_find(im, t->name) : SIZE_MAX;

		if (entry != SIZE_MAX)
			used[entry] = true;
		if (!from[i].type || t->n == 0 ||
		    (t->type->flags & (TYPE_PLAIN | TYPE_FLAT | TYPE_WHOLE)))
			continue;
		if (entry != SIZE_MAX)
			r = weigh(t, &from[i], im, entry, c, e);
		if (from[i].nqw)
			c->with++;
		else if (c->without++ < NAMED)
			buf_printf(&c->missing, "%s%s", c->missing.len ? ", " : "", t->name);
		if (r == 0 && from[i].nqw == 0 && needs(t, q2_k))
			r = err_set(e, im ? "%s: %s wants an importance matrix, and this one has"
			    " nothing for it" : "%s: %s wants an importance matrix (--imatrix)",
			    t->name, t->type->name);
	}
	for (size_t i = 0; im && i < imatrix_count(im); i++)
		c->unused += !used[i];
	free(used);
	if (c->without > NAMED)
		buf_str(&c->missing, ", ...");
	buf_put(&c->text, "", 1);
	buf_put(&c->missing, "", 1);
	if (r == 0 && (r = buf_check(&c->text, e)) == 0)
		r = buf_check(&c->missing, e);
	return r;
}

/* A JSON string, cut as llama-quantize cuts them. */
static int
set_string(struct manifest *m, const char *key, const char *text, struct err *e)
{
	size_t n = strlen(text);
	struct buf b = { 0 };
	int r;

	buf_json(&b, text, n < 127 ? n : 127);
	buf_put(&b, "", 1);
	if ((r = buf_check(&b, e)) == 0)
		r = manifest_set(m, key, "string", (char *)b.p, e);
	buf_release(&b);
	return r;
}

static int
set_number(struct manifest *m, const char *key, uint64_t v, struct err *e)
{
	char text[24], *p = text + sizeof text - 1;

	*p = '\0';
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return manifest_set(m, key, "u32", p, e);
}

int
quant_imatrix_keys(struct manifest *m, const struct imatrix *im, const char *path,
    struct err *e)
{
	if (!im || imatrix_count(im) == 0)
		return 0;
	if (set_string(m, "quantize.imatrix.file", path, e) < 0 ||
	    (*imatrix_dataset(im) && set_string(m, "quantize.imatrix.dataset",
	    imatrix_dataset(im), e) < 0) ||
	    set_number(m, "quantize.imatrix.entries_count", imatrix_count(im), e) < 0)
		return -1;
	return imatrix_chunks(im) == 0 ? 0 :
	    set_number(m, "quantize.imatrix.chunks_count", imatrix_chunks(im), e);
}
