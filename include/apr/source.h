/* SPDX-License-Identifier: MIT */
/*
 * source.h -- a model to read, whatever it is: files of any format, parts,
 * a Hugging Face directory, a pipe, or a stream that was saved.
 */
#ifndef APR_SOURCE_H
#define APR_SOURCE_H

#include <apr/arch.h>
#include <apr/file.h>
#include <apr/stream.h>

struct source;

/* Open operands ("-" is standard input) and read their headers. */
struct source *source_open(char *const *path, size_t n, struct err *);
/* Borrowed.  Before source_copy() the caller may drop tensors, reorder
 * them, and mark it as a plan. */
struct manifest *source_manifest(struct source *);
/* Names that a directory has and that do not travel. */
const char *const *source_skipped(const struct source *, size_t *n);
bool	source_is_stream(const struct source *);
/* Can tensors be read in any order, and twice? */
bool	source_seekable(const struct source *);
/* The largest |x| of every float tensor into the manifest: one pass. */
int	source_absmax(struct source *, struct err *) APR_MUSTCHECK;
/* The manifest's tensors in another convention, in its order; after
 * source_absmax(), before source_order(). */
int	source_as(struct source *, enum arch_conv, struct err *) APR_MUSTCHECK;
/* Sort the manifest's tensors; ORDER_SOURCE leaves them. */
int	source_order(struct source *, enum order, struct err *) APR_MUSTCHECK;
/* Everything that the manifest says, to out; every byte of the source is
 * checked on the way (footer, gaps, end) unless tensors were dropped. */
int	source_copy(struct source *, struct stream_out *,
	    void (*progress)(uint64_t bytes), struct err *) APR_MUSTCHECK;
/* Where a tensor's bytes lie: its file is mapped, read-only, until
 * source_close().  Regular files alone. */
const void *source_map(struct source *, const struct tensor *, struct err *);
/* n bytes of a tensor from byte `at` on; of files that can seek.  Several
 * threads may, if source_threads(). */
int	source_get(struct source *, const struct tensor *, uint64_t at, void *, size_t n,
	    struct err *) APR_MUSTCHECK;
bool	source_threads(const struct source *);
/* The i-th travelling file, onto buf. */
int	source_file(struct source *, size_t i, struct buf *, struct err *)
	    APR_MUSTCHECK;
/* Of a saved stream, or one from a pipe; else NULL. */
struct stream_in *source_stream(struct source *);
void	source_close(struct source *);

#endif
