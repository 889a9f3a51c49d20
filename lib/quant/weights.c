/* SPDX-License-Identifier: MIT */
/* weights.c -- a tensor's importance weights, while chunks of it are about. */
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "convert.h"

struct weights *
weights_use(struct weights *w)
{
	if (w)
		w->users++;
	return w;
}

void
weights_drop(struct weights **w)
{
	if (*w && --(*w)->users == 0)
		free(*w);
	*w = NULL;
}

/* An expert's weights out of those of all. */
static int
read_part(struct imatrix *im, const struct quant_from *from, float *dst, struct err *e)
{
	uint64_t n = imatrix_entry(im, from->qw)->n;
	float *all;
	int r;

	if (n == from->nqw)
		return imatrix_read(im, from->qw, dst, e);
	if (n > SIZE_MAX / sizeof *all || !(all = malloc((size_t)n * sizeof *all)))
		return err_set(e, "out of memory");
	if ((r = imatrix_read(im, from->qw, all, e)) == 0)
		memcpy(dst, all + from->qw_skip, (size_t)from->nqw * sizeof *dst);
	free(all);
	return r;
}

int
weights_read(struct weights **p, struct imatrix *im, const struct tensor *t,
    const struct quant_from *from, struct err *e)
{
	uint64_t n = from->nqw, cols, bytes;
	size_t k, stride;
	struct weights *w;

	weights_drop(p);
	if (n == 0 || (t->type->flags & (TYPE_PLAIN | TYPE_FLAT | TYPE_WHOLE)))
		return 0;
	cols = t->dim[t->ndim - 1];
	k = (size_t)(n / cols);
	stride = (size_t)(cols + PAD - 1) / PAD * PAD;
	if (u64_mul(&bytes, k, stride) || u64_mul(&bytes, bytes, sizeof *w->v) ||
	    u64_add(&bytes, bytes, sizeof *w) || bytes > SIZE_MAX / 2 ||
	    !(w = calloc(1, (size_t)bytes)))
		return err_set(e, "out of memory");
	w->rows = tensor_rows(t) / k;
	w->stride = stride;
	*p = weights_use(w);
	if (read_part(im, from, w->v, e) < 0)
		return -1;
	/* From the last one on, as they grow apart. */
	while (stride > cols && k-- > 0) {
		memmove(w->v + k * stride, w->v + k * cols, cols * sizeof *w->v);
		memset(w->v + k * stride + cols, 0, (stride - cols) * sizeof *w->v);
	}
	return 0;
}
