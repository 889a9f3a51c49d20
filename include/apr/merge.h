/* SPDX-License-Identifier: MIT */
/*
 * merge.h -- the tensors of two models into one, while they pass.
 *
 * Of a stream's values a, another model's b and a base's c: (1 - w) a + w b
 * on a line; between a and b on a sphere, for each tensor by the angle that all
 * of its values make; or a + w (b - c), where there is a base.  In F64, each
 * rounded once to what is written.
 */
#ifndef APR_MERGE_H
#define APR_MERGE_H

#include <apr/stream.h>

#define MERGE_SIDES	3

struct merge_opts {
	bool	 sphere;		/* else a line; without a base */
	double	 w;
	void	 (*progress)(uint64_t);	/* bytes read of the stream, or NULL */
};

struct merge;

/*
 * Of n streams, borrowed: the one that goes on, the other model's and, of
 * three, the base's, whose tensors are the first one's by name, shape and
 * order.  What will be merged and is packed becomes F32 in the first one's
 * manifest; integers are the first one's own.
 */
struct merge *merge_new(struct stream_in *const in[], unsigned n, const struct merge_opts *,
	    struct err *);
/* All of them to their ends.  If it fails, *side is the stream that could not
 * be read, or 0. */
int	merge_run(struct merge *, struct stream_out *, unsigned *side, struct err *)
	    APR_MUSTCHECK;
void	merge_free(struct merge *);

#endif
