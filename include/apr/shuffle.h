/* SPDX-License-Identifier: MIT */
/*
 * shuffle.h -- bytes in another order: every rearrangement of weights between
 * conventions (rows of heads, transposition, columns) is the transposition of
 * a matrix of cells, perhaps many times over, perhaps behind a part that
 * stays.  Cells hold whole blocks, so packed types are shuffled as they are.
 */
#ifndef APR_SHUFFLE_H
#define APR_SHUFFLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

/*
 * In is prefix, then [batch][a][b] cells of `cell` bytes; out is prefix, then
 * [batch][b][a].  total = prefix + batch * a * b * cell.
 */
struct shuffle {
	uint64_t	total, prefix, batch, a, b, cell;
};

/* Does nothing move? */
bool	shuffle_none(const struct shuffle *);
/* The way back. */
struct shuffle shuffle_inverse(struct shuffle);
/* Can it be done in the order of out, reading in once from the front and
 * holding a bounded piece? */
bool	shuffle_in_order(const struct shuffle *);

/* n bytes of `in` at `at`. */
typedef int shuffle_get(void *ctx, void *dst, uint64_t at, size_t n, struct err *);
/* The next n bytes of out. */
typedef int shuffle_emit(void *ctx, const void *, size_t n, struct err *);
/* n bytes of out at `at`. */
typedef int shuffle_put(void *ctx, const void *, uint64_t at, size_t n, struct err *);

/*
 * Bytes [at, at + n) of out in order, reading `in` anywhere.  Inside the
 * shuffled part both ends must be multiples of a * cell.
 */
int	shuffle_gather(const struct shuffle *, uint64_t at, uint64_t n,
	    shuffle_get *, shuffle_emit *, void *ctx, struct err *) APR_MUSTCHECK;

/* Bytes of `in` in order, to anywhere in out. */
struct scatter;
struct scatter *scatter_new(const struct shuffle *, shuffle_put *, void *ctx,
	    struct err *);
/* Continue at byte `at` of `in`: a multiple of b * cell behind the prefix. */
void	scatter_seek(struct scatter *, uint64_t at);
int	scatter_write(struct scatter *, const void *, size_t, struct err *)
	    APR_MUSTCHECK;
/* What is held back goes out: at the end of a source tensor. */
int	scatter_flush(struct scatter *, struct err *) APR_MUSTCHECK;
void	scatter_free(struct scatter *);

#endif
