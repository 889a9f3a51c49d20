/* SPDX-License-Identifier: MIT */
/*
 * stream.h -- tensors through a pipe: a tar archive that says everything
 * first (manifest.json) and ends out loud (CHECKSUMS).  See apr-stream(5).
 *
 * A filter reads like this:
 *
 *	in = stream_open(in_open(0, &e), &e);  m = stream_manifest(in);  edit m;
 *	out = stream_create(1, m, 0, &e);
 *	while ((r = stream_next(in, &mem, &e)) > 0)
 *		stream_copy(out, in, &mem, &e), or read it and write another
 *	stream_end(out, &e);
 */
#ifndef APR_STREAM_H
#define APR_STREAM_H

#include <apr/io.h>
#include <apr/manifest.h>

#define STREAM_FILE_MAX	((uint64_t)256 << 20)	/* a file, the manifest */

enum member_kind { MEMBER_FILE, MEMBER_TENSOR, MEMBER_TAIL };

struct member {
	enum member_kind kind;
	size_t		 index;		/* into manifest's file or tensor */
	uint64_t	 bytes;		/* as it comes in */
};

struct stream_in;
struct stream_out;

#define MEMBER_NAME	(TENSOR_NAME * 3 + 16)

/* "tensors/NAME", "files/NAME", "tail.json": bytes outside [A-Za-z0-9._-]
 * and a leading dot as %XX (but for files/.source/).  Returns dst. */
const char *member_name(enum member_kind, const char *name, char dst[MEMBER_NAME]);

/* Read up to the manifest.  The stream takes `in`, in any case. */
struct stream_in *stream_open(struct in *in, struct err *);
/* The manifest: owned by the stream; a filter may edit it in place (the
 * reader keeps to itself what it checks against). */
struct manifest *stream_manifest(struct stream_in *);
/* 1: *m is the next member; what was left unread of the last one is
 * skipped.  0: the end, everything was there and every sum held.  -1. */
int	stream_next(struct stream_in *, struct member *, struct err *)
	    APR_MUSTCHECK;
/* Bytes of the current member without a copy: 1, 0 at its end, -1. */
int	stream_some(struct stream_in *, const void **, size_t *, struct err *)
	    APR_MUSTCHECK;
/* Exactly n bytes of it. */
int	stream_read(struct stream_in *, void *, size_t, struct err *)
	    APR_MUSTCHECK;
void	stream_close(struct stream_in *);

/* Write the manifest; zstd_level 0 is plain tar.  Borrows fd. */
struct stream_out *stream_create(int fd, const struct manifest *,
	    int zstd_level, struct err *);
/* Begin a member: exactly `bytes` of stream_write() must follow. */
int	stream_member(struct stream_out *, enum member_kind, const char *name,
	    uint64_t bytes, struct err *) APR_MUSTCHECK;
int	stream_write(struct stream_out *, const void *, size_t, struct err *)
	    APR_MUSTCHECK;
/* The same, of bytes that also stand at `at` of a file, which is then read
 * again: if it changes meanwhile, the reader sees a wrong sum. */
int	stream_write_file(struct stream_out *, const void *, size_t, int file,
	    uint64_t at, struct err *) APR_MUSTCHECK;
/* The current member of in, unchanged, under the name it came with. */
int	stream_copy(struct stream_out *, struct stream_in *,
	    const struct member *, struct err *) APR_MUSTCHECK;
/* CHECKSUMS, and everything flushed. */
int	stream_end(struct stream_out *, struct err *) APR_MUSTCHECK;
/* Give up: frees, writes no end mark. */
void	stream_abandon(struct stream_out *);

#endif
