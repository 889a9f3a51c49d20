/* SPDX-License-Identifier: MIT */
/*
 * imatrix.h -- importance matrices: how much each column of a weight counts,
 * as llama-imatrix measured it, in its GGUF files or in the older .dat.
 */
#ifndef APR_IMATRIX_H
#define APR_IMATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

struct imatrix;

/*
 * Read all of fd (borrowed until imatrix_close) once: every value is looked
 * at, NaN and Inf are refused.  What stays in memory is names and places; the
 * values are read again when they are wanted, from an unlinked file in
 * $TMPDIR where fd cannot seek.
 */
struct imatrix *imatrix_open(int fd, struct err *);
void	imatrix_close(struct imatrix *);

/* Keep the entries whose name contains one of these, or none of them. */
int	imatrix_select(struct imatrix *, const char *const *part, size_t n,
	    bool include, struct err *) APR_MUSTCHECK;

/* Entries there are (after imatrix_select); the data set's name, "" if the
 * file has none; chunks of text that were run, 0: the file does not say. */
size_t	imatrix_count(const struct imatrix *);
const char *imatrix_dataset(const struct imatrix *);
uint32_t imatrix_chunks(const struct imatrix *);

/* An entry, by the tensor's name. */
struct imatrix_entry {
	const char	*name;		/* "blk.0.ffn_up.weight" */
	uint64_t	 n;		/* weights: columns, times experts */
	uint64_t	 experts;	/* 0: the file does not say */
	uint64_t	 cold;		/* experts that no token reached */
};
/* Its index, or SIZE_MAX. */
size_t	imatrix_find(const struct imatrix *, const char *name);
const struct imatrix_entry *imatrix_entry(const struct imatrix *, size_t);
/* Its n weights as llama-quantize uses them: a mean of squares, or 1 for an
 * expert that was never reached. */
int	imatrix_read(struct imatrix *, size_t, float *dst, struct err *)
	    APR_MUSTCHECK;

#endif
