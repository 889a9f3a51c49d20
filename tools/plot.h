/* SPDX-License-Identifier: MIT */
/* plot.h -- pictures, as SVG that any browser shows. */
#ifndef PLOT_H
#define PLOT_H

#include <stdbool.h>
#include <stdint.h>

/* Histograms, a panel each. */
struct plot;
struct plot *plot_new(void);
/* counts[n] between edges[n + 1]. */
void	plot_hist(struct plot *, const char *name, const double *edge,
	    const uint64_t *count, unsigned n);
/* The file, whole or not at all; frees. */
void	plot_write(struct plot *, const char *path, bool force);

/* What `apr-quant --stats` wrote: error by layer, a line for each role. */
void	plot_errors(const char *jsonl, const char *path, bool force);

#endif
