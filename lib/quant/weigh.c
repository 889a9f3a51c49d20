/* SPDX-License-Identifier: MIT */
/* weigh.c -- which tensor gets which entry of an importance matrix. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/quant.h>

#include "class.h"

enum { NAMED = 8 };	/* names in a list of what has nothing */

/* A .dat does not say which experts were reached: zeros do. */
static int
count_cold(struct imatrix *im, size_t entry, uint64_t cols, uint64_t slices, uint64_t *cold,
    struct err *e)
{
	float *v = cols <= SIZE_MAX / sizeof *v ? malloc((size_t)cols * sizeof *v) : NULL;
	int r = v ? 0 : err_set(e, "out of memory");

	for (uint64_t s = 0; r == 0 && s < slices; s++) {
		size_t i = 0;

		r = imatrix_read(im, entry, s * cols, cols, v, e);
		while (r == 0 && i < cols && !(v[i] > 0))
			i++;
		*cold += r == 0 && i == cols;
	}
	free(v);
	return r;
}

static int
weigh(const struct tensor *t, struct quant_from *from, struct imatrix *im, size_t i,
    struct quant_coverage *c, struct err *e)
{
	const struct imatrix_entry *x = imatrix_entry(im, i);
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1, slices = 1, cold = x->cold;
	bool expert = t->role && t->piece >= 0 && strstr(t->role, "_exps.");

	if (t->turned)
		return err_set(e, "%s: its columns are not in GGUF's order, by which the imatrix"
		    " goes: apr-cat --as gguf puts them so", t->name);
	for (unsigned d = 0; d + 2 < t->ndim; d++)
		slices *= t->dim[d];	/* at most t->n */
	if (expert)
		slices = x->n / cols;	/* all of the stack it is a piece of */
	if (x->n % cols != 0 || x->n / cols != slices || (x->experts && x->experts != slices) ||
	    (expert && (uint64_t)t->piece >= slices)) {
		if (!strcmp(tensor_role(t), "token_embd.weight"))
			return 0;
		return err_set(e, "%s: the imatrix has %" PRIu64 " weights for it, not %"
		    PRIu64 " for each of %" PRIu64, t->name, x->n, cols, slices);
	}
	from->qw = i;
	from->qw_at = expert ? (uint64_t)t->piece * cols : 0;
	from->nqw = expert ? cols : x->n;
	/* A stack is counted once. */
	if (slices < 2 || (expert && t->piece > 0))
		return 0;
	if (x->experts == 0 && count_cold(im, i, cols, slices, &cold, e) < 0)
		return -1;
	c->cold += cold;
	c->experts += slices;
	if (cold)
		buf_printf(&c->text, "%s%s (%" PRIu64 " of %" PRIu64 ")",
		    c->text.len ? ", " : "", tensor_role(t), cold, slices);
	return 0;
}

int
quant_weigh(const struct manifest *m, struct quant_from *from, struct imatrix *im,
    struct quant_coverage *c, struct err *e)
{
	bool *used;
	int r = 0;

	*c = (struct quant_coverage){ 0 };
	if (!class_known(m))
		return err_set(e, "an imatrix goes by GGUF's names, and nothing says what they"
		    " are here");
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
