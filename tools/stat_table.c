/* SPDX-License-Identifier: MIT */
/* stat_table.c -- a tensor's statistics as lines for people. */
#include <inttypes.h>
#include <stdio.h>

#include "stat_print.h"

enum { LINES = 16 };

static void
line(const char *name, const char *part, const char *type, const struct stat_sums *s)
{
	struct stat_values v = stat_values(s);
	struct err tame;

	err_set(&tame, "%s%s%s", name, *part ? " " : "", part);
	printf("%-8s %11.4g %11.4g %11.4g %11.4g %6.2f%% %9.3g  %s", type, v.mean, v.std, v.min,
	    v.max, v.zeros * 100, v.row_mean, tame.msg);
	if (s->nan)
		printf("  %" PRIu64 " NaN", s->nan);
	if (s->inf)
		printf("  %" PRIu64 " Inf", s->inf);
	printf("\n");
}

/* Lines of four bins each: their edge, and a bar. */
static void
draw(const struct stat_hist *h)
{
	uint64_t most = 1, sum[LINES] = { 0 };

	for (unsigned i = 0; i < STAT_SHOWN; i++)
		sum[i / (STAT_SHOWN / LINES)] += h->count[i];
	for (unsigned i = 0; i < LINES; i++)
		most = sum[i] > most ? sum[i] : most;
	for (unsigned i = 0; i < LINES; i++) {
		int n = (int)(60.0 * (double)sum[i] / (double)most + 0.5);

		printf("%12.4g |%.*s %" PRIu64 "\n", h->edge[i * (STAT_SHOWN / LINES)], n,
		    "############################################################", sum[i]);
	}
	printf("%12.4g\n", h->edge[STAT_SHOWN]);
}

void
stat_table_head(void)
{
	printf("type            mean         std         min         max   zeros"
	    "  row mean  tensor\n");
}

void
stat_table(const struct tensor *t, const struct stat_tensor *st, const struct stat_hist *h)
{
	line(t->name, "", t->type->name, &st->all);
	for (unsigned k = 0; k < st->parts; k++)
		line(t->name, st->part_name[k], "", &st->part[k]);
	if (h)
		draw(h);
}
