/* SPDX-License-Identifier: MIT */
/*
 * weights.h -- a model's tensors and files where code can point at them:
 * mapped from files, or read once from a stream.  Nothing is converted.
 */
#ifndef APR_WEIGHTS_H
#define APR_WEIGHTS_H

#include <apr/source.h>

struct weights {
	struct source	*source;
	struct manifest	*m;		/* the source's */
	const void	**data;		/* one a tensor; tied and empty: NULL */
	struct buf	*file;		/* one a file of the manifest, when read */
	void		**owned;	/* a stream's tensors */
};

/* A path, or "-" for a stream on standard input.  progress may be NULL. */
struct weights *weights_open(const char *path, void (*progress)(uint64_t bytes),
	    struct err *);
/* A travelling file, or NULL (*n 0) if there is none of that name, or -- with
 * e's message set and *bad true -- if it cannot be read. */
const unsigned char *weights_file(struct weights *, const char *name, size_t *n, bool *bad,
	    struct err *);
/* By name; NULL: none. */
const struct tensor *weights_tensor(const struct weights *, const char *name);
void	weights_close(struct weights *);

#endif
