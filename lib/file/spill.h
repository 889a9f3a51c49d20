/* SPDX-License-Identifier: MIT */
/* spill.h -- a nameless file in $TMPDIR, for a tensor that is wanted in
 * another order than it comes. */
#ifndef FILE_SPILL_H
#define FILE_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

/* A descriptor to be closed, or -1. */
int	spill_open(struct err *);
int	spill_put(int fd, const void *, size_t, uint64_t at, struct err *) APR_MUSTCHECK;
int	spill_get(int fd, void *, size_t, uint64_t at, struct err *) APR_MUSTCHECK;

#endif
