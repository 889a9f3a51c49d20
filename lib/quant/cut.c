/* SPDX-License-Identifier: MIT */
/* cut.c -- how a tensor is cut into chunks that no block notices. */
#include <inttypes.h>

#include "convert.h"

/* A row that an encoder wants at once: as F32, at most this long. */
#define ROW_MAX	((size_t)16 << 20)

static size_t
common(size_t a, size_t b)
{
	size_t x = a, y = b, r;

	while (y) {
		r = x % y;
		x = y;
		y = r;
	}
	return a / x * b;
}

int
cut_plan(struct cut *k, const struct tensor *t, const struct quant_from *from,
    const struct type *to, bool weighed, struct err *e)
{
	bool pad_in = from->row_bytes != 0, pad_out = to && t->row_bytes != 0;

	*k = (struct cut){ .from = from->type, .to = to, .rows = tensor_rows(t),
	    .cols = t->ndim ? t->dim[t->ndim - 1] : 1, .tile = TILE };
	k->loose = (pad_in && to && !pad_out && k->cols % to->block != 0) ||
	    (pad_out && !pad_in && k->cols % k->from->block != 0);
	if (k->loose) {
		k->from = &type_f32;
		pad_in = false;
	}
	k->packed = !pad_in && !pad_out;
	if (k->packed && k->cols % common(k->from->block, to ? to->block : 1) != 0) {
		k->rows = 1;
		k->cols = t->n;
	}
	if (weighed && to && (to->flags & TYPE_ROW) && k->cols > TILE) {
		if (k->cols > ROW_MAX / sizeof(float))
			return err_set(e, "%s: rows of %" PRIu64 " are too long for %s with"
			    " an importance matrix, which needs them at once: at most %zu",
			    t->name, k->cols, to->name, ROW_MAX / sizeof(float));
		k->tile = (size_t)k->cols;
	}
	return 0;
}
