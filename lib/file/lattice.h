/* SPDX-License-Identifier: MIT */
/*
 * lattice.h -- lattice's models: a file a tensor (.q4, .f16), in a directory
 * with an index that has the true names.
 */
#ifndef FILE_LATTICE_H
#define FILE_LATTICE_H

#include <apr/file.h>

#define LATTICE_INDEX	"quantize_index.json"

#define LATTICE_INDEX	"quantize_index.json"

/* The index of a directory, and the headers of all that it names, as the
 * tensors of h, whose format and manifest are set. */
int	lattice_dir(struct header *h, const char *dir, const struct buf *index,
	    struct err *) APR_MUSTCHECK;
/* What a tensor's file is called, onto b. */
void	lattice_file(const struct tensor *, struct buf *b);
/* Whose files would have one name is an error. */
int	lattice_names(const struct manifest *, struct err *) APR_MUSTCHECK;
/* What the index of m's tensors is to be, in b, where that of the source is,
 * if there is one: it stays if they are the same.  One that says besides how
 * weights were rotated is of no use to others: an error. */
int	lattice_index(const struct manifest *m, struct buf *b, struct err *) APR_MUSTCHECK;

/* A header, of which p has the first n bytes, into a tensor that has a name;
 * *head is its length, size the file's. */
#define LATTICE_HEAD	(20 + 8 * TENSOR_DIMS)	/* the longest one */
int	lattice_head(const unsigned char *p, size_t n, uint64_t size, struct tensor *,
	    size_t *head, struct err *) APR_MUSTCHECK;
/* Whole blocks from byte `at` on: are their scales and numbers any? */
int	lattice_judge(const struct tensor *, const void *, size_t n, uint64_t at,
	    struct err *) APR_MUSTCHECK;
/* The same in pieces that end anywhere, those of one block in order;
 * zero-initialise. */
struct lattice_check {
	unsigned char	 part[20];
};
int	lattice_check(struct lattice_check *, const struct tensor *, const void *, size_t n,
	    uint64_t at, struct err *) APR_MUSTCHECK;

#endif
