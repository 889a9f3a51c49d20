/* SPDX-License-Identifier: MIT */
/* diff_json.c -- differences as JSON, and places as people read them. */
#include <inttypes.h>
#include <stdio.h>

#include "diff.h"

const char *
place_of(const struct tensor *t, uint64_t i, char *s, size_t n)
{
	uint64_t at[TENSOR_DIMS] = { 0 };
	size_t k = 0;

	for (unsigned d = t->ndim; d-- > 0; i /= t->dim[d] ? t->dim[d] : 1)
		at[d] = t->dim[d] ? i % t->dim[d] : 0;
	k += (size_t)snprintf(s, n, "[");
	for (unsigned d = 0; d < t->ndim && k < n; d++)
		k += (size_t)snprintf(s + k, n - k, "%s%" PRIu64, d ? "," : "", at[d]);
	if (k < n)
		snprintf(s + k, n - k, "]");
	return s;
}

void
put_error(struct buf *b, const struct diff_error *e, const struct tensor *shape)
{
	char at[192];

	put_whole(b, "n", e->n);
	put_real(b, "rmse", e->rmse);
	put_real(b, "nmse", e->nmse);
	put_real(b, "max", e->max);
	put_key(b, "max_at");
	buf_str(b, e->max > 0 ? place_of(shape, e->max_at, at, sizeof at) : "null");
	put_real(b, "cosine", e->cosine);
	put_real(b, "sqnr_db", e->sqnr);
	put_real(b, "equal", e->equal);
	put_key(b, "nan");
	buf_printf(b, "[%" PRIu64 ",%" PRIu64 "]", e->nan[0], e->nan[1]);
	put_key(b, "inf");
	buf_printf(b, "[%" PRIu64 ",%" PRIu64 "]", e->inf[0], e->inf[1]);
	put_whole(b, "unequal_nonfinite", e->odd);
	put_key(b, "unequal_nonfinite_at");
	buf_str(b, e->odd ? place_of(shape, e->odd_at, at, sizeof at) : "null");
}

void
put_out(struct buf *b)
{
	if (b->bad)
		die("out of memory");
	fwrite(b->p, 1, b->len, stdout);
	b->len = 0;
}
