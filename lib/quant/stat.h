/* SPDX-License-Identifier: MIT */
/* stat.h -- sums over a tile, and over tensors. */
#ifndef QUANT_STAT_H
#define QUANT_STAT_H

#include <apr/stat.h>

enum { STAT_TILE = 4096 };

void	stat_begin(struct stat_sums *, double pivot);
/* A tile; returns the sum of its finite values less the pivot. */
double	stat_add(struct stat_sums *, const float *, size_t n);
/* A row whose tiles' sums are d together. */
void	stat_row(struct stat_sums *, double d, uint64_t cols);

#endif
