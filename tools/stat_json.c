/* SPDX-License-Identifier: MIT */
/* stat_json.c -- a tensor's statistics as JSON. */
#include <inttypes.h>
#include <math.h>

#include "put.h"
#include "stat_print.h"

static void
put_sums(struct buf *b, const struct stat_sums *s)
{
	struct stat_values v = stat_values(s);

	put_real(b, "mean", v.mean);
	put_real(b, "std", v.std);
	put_real(b, "min", v.min);
	put_real(b, "max", v.max);
	put_real(b, "l2", v.l2);
	put_real(b, "row_mean", v.row_mean);
	put_whole(b, "zeros", s->zero);
	put_whole(b, "nan", s->nan);
	put_whole(b, "inf", s->inf);
}

void
stat_put(struct buf *b, const struct tensor *t, const struct stat_tensor *st,
    const struct stat_hist *h)
{
	char shape[192];

	buf_str(b, "{");
	put_text(b, "name", t->name);
	put_text(b, "dtype", t->type->name);
	put_key(b, "shape");
	buf_str(b, tensor_shape(t, shape, sizeof shape));
	put_whole(b, "n", t->n);
	if (t->tied_to)
		put_text(b, "tied_to", t->tied_to);
	if (st) {
		put_sums(b, &st->all);
		buf_str(b, ",\"first\":[");
		for (unsigned i = 0; i < st->nfirst; i++)
			if (isfinite(st->first[i]))
				buf_printf(b, "%s%.9g", i ? "," : "", (double)st->first[i]);
			else
				buf_printf(b, "%snull", i ? "," : "");
		buf_str(b, "]");
		for (unsigned k = 0; k < st->parts; k++) {
			put_key(b, st->part_name[k]);
			buf_str(b, "{");
			put_whole(b, "n", st->part[k].n);
			put_sums(b, &st->part[k]);
			buf_str(b, "}");
		}
	}
	for (unsigned i = 0; h && i <= STAT_SHOWN; i++)
		buf_printf(b, "%s%.9g", i ? "," : ",\"edges\":[", h->edge[i]);
	for (unsigned i = 0; h && i < STAT_SHOWN; i++)
		buf_printf(b, "%s%" PRIu64, i ? "," : "],\"counts\":[", h->count[i]);
	buf_str(b, h ? "]}" : "}");
}

void
stat_put_bad(struct buf *b, const struct tensor *t, const char *contract, const char *got,
    const char *expected)
{
	buf_str(b, "{");
	put_text(b, "tensor", t->name);
	put_text(b, "contract", contract);
	put_text(b, "got", got);
	put_text(b, "expected", expected);
	buf_str(b, "}");
}
