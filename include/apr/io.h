/* SPDX-License-Identifier: MIT */
/*
 * io.h -- bytes in and bytes out, whatever is at the other end: a file, a
 * pipe or memory; zstd is recognised on the way in and made on the way out.
 */
#ifndef APR_IO_H
#define APR_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/buf.h>
#include <apr/err.h>

#define IO_CHUNK	((size_t)1 << 18)	/* what is read at once */
#define IO_PEEK		((size_t)1 << 16)	/* the most in_peek() can show */

struct in;

/* Read from fd (borrowed: the caller closes it after in_close).  A zstd
 * frame at the start is decompressed.  Pipes are enlarged as far as allowed. */
struct in *in_open(int fd, struct err *);
/* Read from memory, borrowed. */
struct in *in_mem(const void *, size_t, struct err *);
void	in_close(struct in *);

/* At least `want` bytes (at most IO_PEEK) if the input has them; *got is
 * what there is.  Nothing is consumed.  0 or -1. */
int	in_peek(struct in *, size_t want, const unsigned char **, size_t *got,
	    struct err *) APR_MUSTCHECK;
/* Some bytes without a copy, at most max: 1, 0 at the end, -1.  Consumed;
 * valid until the next call. */
int	in_some(struct in *, size_t max, const unsigned char **, size_t *,
	    struct err *) APR_MUSTCHECK;
/* The same, but bytes that are not here yet may be read to dst, which has
 * room for max: then *p is dst. */
int	in_some_to(struct in *, void *dst, size_t max, const unsigned char **,
	    size_t *, struct err *) APR_MUSTCHECK;
/* Exactly n bytes, else an error that says where the input ended. */
int	in_read(struct in *, void *, size_t, struct err *) APR_MUSTCHECK;
/* n bytes onto buf, growing only as bytes arrive. */
int	in_append(struct in *, struct buf *, uint64_t n, struct err *) APR_MUSTCHECK;
/* n bytes that must be zero; `what` names them in the message. */
int	in_zeros(struct in *, uint64_t n, const char *what, struct err *) APR_MUSTCHECK;
/* Skip n bytes: by seeking where that is possible and no CRC is kept. */
int	in_skip(struct in *, uint64_t n, struct err *) APR_MUSTCHECK;
/* To an absolute position; only if in_seekable(). */
int	in_seek(struct in *, uint64_t pos, struct err *) APR_MUSTCHECK;

/* The file whose bytes in_some() gives as they are, the last of them at
 * in_pos() - 1; -1: none. */
int	in_file(const struct in *);
/* n bytes from anywhere; what is read next stays.  In a file or in memory,
 * not in a pipe nor in what is compressed. */
int	in_pread(struct in *, void *, size_t, uint64_t at, struct err *) APR_MUSTCHECK;
bool	in_can_pread(const struct in *);

uint64_t in_pos(const struct in *);
bool	in_seekable(const struct in *);
uint64_t in_size(const struct in *);	/* UINT64_MAX: unknown */

/* Every byte consumed from now on is also appended to buf; NULL ends it. */
void	in_tee(struct in *, struct buf *);
/* CRC-32 of all bytes consumed since in_crc_start(). */
void	in_crc_start(struct in *);
void	in_crc_stop(struct in *);
uint32_t in_crc(const struct in *);

/* An unlinked file in $TMPDIR (/tmp) to write and read again; -1.  Its own
 * position stays at the beginning. */
int	io_temp(struct err *);
/* n bytes to there; what fails is said to be $TMPDIR's. */
int	io_temp_put(int fd, const void *, size_t n, uint64_t at, struct err *) APR_MUSTCHECK;
/* What stands behind a path's last slash: a part of it. */
const char *path_base(const char *path);
/* Enlarge fd's pipe, if it is one, to what the system allows. */
void	io_widen_pipe(int fd);
/* All n bytes, or -1. */
int	io_write(int fd, const void *, size_t, struct err *) APR_MUSTCHECK;
int	io_pwrite(int fd, const void *, size_t, uint64_t at, struct err *) APR_MUSTCHECK;
/* All n bytes from there, else an error that says where the file ended. */
int	io_pread(int fd, void *, size_t, uint64_t at, struct err *) APR_MUSTCHECK;

/* A file that has its name only when it is whole: opened as *temp beside it
 * (PATH.XXXXXX, to be freed), synced, and named.  Without `replace` a name that
 * is taken is an error, at once if it is asked about. */
int	whole_may_be(const char *path, bool replace, struct err *) APR_MUSTCHECK;
int	whole_open(const char *path, char **temp, struct err *);
int	whole_sync(int fd, const char *path, struct err *) APR_MUSTCHECK;
int	whole_name(const char *temp, const char *path, bool replace, struct err *)
	    APR_MUSTCHECK;
/* For directories: such a name, for mkdtemp(); and 1: what was there is temp
 * now, 0: nothing was. */
char	*whole_temp(const char *path, struct err *);
int	whole_swap(const char *temp, const char *path, struct err *) APR_MUSTCHECK;

/* A large file, written at any place: the disk makes room somewhat ahead, and
 * has begun with what was written when it is to be synced. */
struct place {
	int		 fd;
	bool		 disk;		/* and not memory */
	uint64_t	 size;		/* that it will have */
	uint64_t	 room, room_end;	/* asked for */
	uint64_t	 from, to;	/* written, and not mentioned yet */
};
void	io_place_init(struct place *, int fd, uint64_t size);
int	io_place(struct place *, const void *, size_t, uint64_t at, struct err *)
	    APR_MUSTCHECK;

/* A writer with a buffer, compressing if level is not 0. */
struct out;

struct out *out_open(int fd, int zstd_level, struct err *);	/* borrows fd */
int	out_write(struct out *, const void *, size_t, struct err *) APR_MUSTCHECK;
/* The same, of bytes that also stand at `at` of a file: into a pipe they go
 * without a copy where the system can do that. */
int	out_file(struct out *, const void *, size_t, int file, uint64_t at,
	    struct err *) APR_MUSTCHECK;
/* Flush; the writer is freed in any case. */
int	out_close(struct out *, struct err *) APR_MUSTCHECK;
/* Free it, and write nothing more. */
void	out_abandon(struct out *);

#endif
