/* SPDX-License-Identifier: MIT */
/* fit.h -- between the choice of types and what it goes by. */
#ifndef QUANT_FIT_H
#define QUANT_FIT_H

#include <apr/fit.h>

/* Each error that was measured of a tensor; fails if it has another length. */
int	measured_look(const struct measured *, const struct tensor *,
	    void (*each)(void *ctx, const struct type *, double nmse), void *ctx,
	    struct err *) APR_MUSTCHECK;

#endif
