/* SPDX-License-Identifier: MIT */
/*
 * scale.h -- checkpoints in 8-bit floats keep a tensor of scales beside each
 * weight: NAME_scale_inv, a scale for each 128 rows by 128 columns (or one
 * for all).  A value is its float times its scale.
 */
#ifndef QUANT_SCALE_H
#define QUANT_SCALE_H

#include <apr/quant.h>

#define SCALE_BLOCK	128
#define NO_SCALE	UINT32_MAX

/* For each tensor of a manifest the scales it wants, and whose scales it is;
 * NULL: there are none. */
struct scales {
	uint32_t *of, *whose;
};

/* Fails where an 8-bit tensor has scales that cannot be its own, naming both
 * shapes. */
int	scales_find(const struct manifest *, struct scales *, struct err *) APR_MUSTCHECK;
void	scales_release(struct scales *);

/* Some tensor's scales while chunks are about; users are counted by the thread
 * that puts and gets chunks. */
struct scale_values {
	unsigned	 users;
	uint64_t	 n;
	float		 v[];
};
/* One user less (the last one frees); *s may be NULL. */
void	scale_drop(struct scale_values **s);
/* The current member of a stream, as floats, for one user. */
struct scale_values *scale_read(struct stream_in *, const char *name, const struct type *,
	    uint64_t bytes, struct err *);

/* x[0..n) times the scales, from element `at` of t on; s: of its scales'
 * tensor, which has ns elements. */
void	scales_apply(const struct tensor *t, const float *s, uint64_t ns, float *x, size_t n,
	    uint64_t at);

#endif
