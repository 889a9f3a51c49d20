/* SPDX-License-Identifier: MIT */
/*
 * weights.h -- a model's tensors and files where code can point at them:
 * mapped from files, or a stream's, which come one after the other.  Nothing is
 * converted.
 *
 * A stream's tensors have addresses before they have bytes, and get memory
 * there only as somebody keeps them (weights_keep()).
 */
#ifndef APR_WEIGHTS_H
#define APR_WEIGHTS_H

#include <apr/source.h>

struct crew;

struct weights {
	struct source	*source;
	struct manifest	*m;		/* the source's */
	const void	**data;		/* one a tensor; tied and empty: NULL */
	bool		*here;		/* one a tensor: its bytes can be read there */
	struct buf	*file;		/* one a file of the manifest, when read */
	struct buf	 tail;		/* a stream's tail.json */
	void		*room;		/* a stream's tensors' addresses */
	size_t		 room_bytes;
	struct member	 next;		/* of a stream, already asked for, */
	int		 status;	/* and what stream_next() said to it */
	bool		 asked;
	size_t		 at;		/* of files: behind the tensor that is read, */
	uint64_t	 from;		/* and its next byte */
	struct crew	*crew;		/* who reads them, borrowed; NULL: the caller */
};

/* A path, or "-" for a stream on standard input, whose files are read, and
 * nothing else yet. */
struct weights *weights_open(const char *path, struct err *);
/* Tensors that have bytes, in the order in which those lie or come: 1, 0 at the
 * end (of a stream: everything was there, and every sum held), -1. */
int	weights_next(struct weights *, size_t *tensor, struct err *) APR_MUSTCHECK;
/* The next n bytes of it. */
int	weights_read(struct weights *, void *, size_t n, struct err *) APR_MUSTCHECK;
/* Where bytes [at, at + n) of a stream's tensor are kept, to be written. */
void	*weights_keep(struct weights *, size_t tensor, uint64_t at, size_t n, struct err *);
/* No longer. */
void	weights_drop(struct weights *, size_t tensor);
/* What is left of a stream is read, and not kept. */
int	weights_skip(struct weights *, struct err *) APR_MUSTCHECK;

/* A travelling file, or NULL (*n 0) if there is none of that name, or -- with
 * e's message set and *bad true -- if it cannot be read. */
const unsigned char *weights_file(struct weights *, const char *name, size_t *n, bool *bad,
	    struct err *);
/* By name; NULL: none. */
const struct tensor *weights_tensor(const struct weights *, const char *name);
void	weights_close(struct weights *);

#endif
