/* SPDX-License-Identifier: MIT */
/* weigh.c -- which tensor gets which entry of an importance matrix. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/quant.h>
#include <apr/size.h>

enum { NAMED = 8 };	/* names in a list of what has nothing */

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
	/* One expert by itself, of an entry for all of them. */
	if (t->piece >= 0 && slices == 1 && x->n > cols && x->n % cols == 0 &&
	    (uint64_t)t->piece < x->n / cols) {
		from->qw = i;
		from->nqw = cols;
		from->qw_skip = (uint64_t)t->piece * cols;
		return 0;
	}
	if (u64_mul(&want, cols, slices) || x->n != want ||
	    (x->experts && x->experts != slices)) {
		if (!strcmp(tensor_role(t), "token_embd.weight"))
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
    struct quant_coverage *c, struct err *e)
{
	bool *used;
	int r = 0;

	*c = (struct quant_coverage){ 0 };
	if (!m->roles && (!m->convention || strcmp(m->convention, "gguf")))
		return err_set(e, "an imatrix goes by GGUF's names, and this stream has others"
		    " (apr-cat --as gguf gives them)");
	if (!(used = calloc(imatrix_count(im) + 1, sizeof *used)))
		return err_set(e, "out of memory");
	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];
		size_t entry = imatrix_find(im, tensor_role(t));

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
		if (r == 0 && from[i].nqw == 0 && from[i].needs_qw && !m->plan)
			r = err_set(e, "%s: %s needs an importance matrix, and this one has"
			    " nothing for it", t->name, t->type->name);
	}
	for (size_t i = 0; i < imatrix_count(im); i++)
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
