/* SPDX-License-Identifier: MIT */
/* stat_print.h -- what apr-stat says of a tensor. */
#ifndef STAT_PRINT_H
#define STAT_PRINT_H

#include <apr/stat.h>

enum { STAT_SHOWN = 64 };	/* bins of a histogram */

struct stat_hist {
	double		 edge[STAT_SHOWN + 1];
	uint64_t	 count[STAT_SHOWN];
};

/* stat_json.c: objects.  st NULL: it has no values; h NULL: no histogram. */
void	stat_put(struct buf *, const struct tensor *, const struct stat_tensor *st,
	    const struct stat_hist *h);
void	stat_put_bad(struct buf *, const struct tensor *, const char *contract, const char *got,
	    const char *expected);

/* stat_table.c: to standard output. */
void	stat_table_head(void);
void	stat_table(const struct tensor *, const struct stat_tensor *, const struct stat_hist *h);

#endif
