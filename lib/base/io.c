/* SPDX-License-Identifier: MIT */
/* io.c -- bytes in: a file, a pipe or memory, zstd or not. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libdeflate.h>
#include <zstd.h>

#include <apr/io.h>
#include <apr/size.h>

struct in {
	int		 fd;		/* -1: memory */
	bool		 seekable, eof;
	uint64_t	 size, pos;	/* pos: consumed, after decompression */
	unsigned char	*buf;		/* owned window, NULL for memory */
	const unsigned char *p;		/* unread bytes of the window */
	size_t		 n;
	ZSTD_DStream	*zstd;
	unsigned char	*zbuf;
	ZSTD_inBuffer	 zin;
	bool		 zend;		/* a frame ended just here */
	struct buf	*tee;
	bool		 keep_crc;
	uint32_t	 crc;
};

/* One read(2), patient with signals and with non-blocking descriptors. */
static ssize_t
read_some(int fd, void *p, size_t n)
{
	for (;;) {
		ssize_t r = read(fd, p, n);
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		if (r >= 0 || (errno != EINTR && errno != EAGAIN))
			return r;
		if (errno == EAGAIN)
			(void)poll(&pfd, 1, -1);
	}
}

/* More bytes behind the unread ones: 1, 0 at the end, -1. */
static int
raw_fill(struct in *in, unsigned char *dst, size_t room, size_t *got, struct err *e)
{
	ssize_t r = read_some(in->fd, dst, room);

	if (r < 0)
		return err_sys(e, "read");
	*got = (size_t)r;
	return r > 0;
}

static int
zstd_fill(struct in *in, unsigned char *dst, size_t room, size_t *got, struct err *e)
{
	ZSTD_outBuffer o = { dst, room, 0 };

	while (o.pos == 0) {
		size_t r;

		if (in->zin.pos == in->zin.size) {
			size_t n = 0;
			int s = raw_fill(in, in->zbuf, IO_CHUNK, &n, e);

			if (s < 0)
				return -1;
			if (s == 0) {
				if (!in->zend)
					return err_set(e, "zstd: input ends inside a frame");
				*got = 0;
				return 0;
			}
			in->zin = (ZSTD_inBuffer){ in->zbuf, n, 0 };
		}
		r = ZSTD_decompressStream(in->zstd, &o, &in->zin);
		if (ZSTD_isError(r))
			return err_set(e, "zstd: %s", ZSTD_getErrorName(r));
		in->zend = r == 0;
	}
	*got = o.pos;
	return 1;
}

static int
fill(struct in *in, size_t want, struct err *e)
{
	if (in->fd < 0 || in->n >= want || in->eof)
		return 0;
	if (in->p != in->buf)
		memmove(in->buf, in->p, in->n);
	in->p = in->buf;
	while (in->n < want && !in->eof) {
		size_t got = 0;
		int r = in->zstd ?
		    zstd_fill(in, in->buf + in->n, IO_CHUNK - in->n, &got, e) :
		    raw_fill(in, in->buf + in->n, IO_CHUNK - in->n, &got, e);

		if (r < 0)
			return -1;
		in->eof = r == 0;
		in->n += got;
	}
	return 0;
}

struct in *
in_open(int fd, struct err *e)
{
	struct in *in = calloc(1, sizeof *in);
	struct stat st;
	off_t at;

	if (!in || !(in->buf = malloc(IO_CHUNK))) {
		free(in);
		err_set(e, "out of memory");
		return NULL;
	}
	in->fd = fd;
	in->p = in->buf;
	in->size = UINT64_MAX;
	if (fstat(fd, &st) == 0) {
		if (S_ISDIR(st.st_mode)) {
			errno = EISDIR;
			err_sys(e, "read");
			goto fail;
		}
		if (S_ISREG(st.st_mode) && (at = lseek(fd, 0, SEEK_CUR)) == 0) {
			in->seekable = true;
			in->size = (uint64_t)st.st_size;
			(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		}
	}
	io_widen_pipe(fd);
	if (fill(in, 4, e) < 0)
		goto fail;
	if (in->n >= 4 && le32_get(in->p) == ZSTD_MAGICNUMBER) {
		in->seekable = false;
		in->size = UINT64_MAX;
		in->zbuf = in->buf;
		in->zin = (ZSTD_inBuffer){ in->zbuf, in->n, 0 };
		in->n = 0;
		in->eof = false;
		in->buf = malloc(IO_CHUNK);
		in->zstd = ZSTD_createDStream();
		in->p = in->buf;
		if (!in->buf || !in->zstd) {
			err_set(e, "out of memory");
			goto fail;
		}
		/* --long windows are read up to what 64 MiB of memory allow. */
		(void)ZSTD_DCtx_setParameter(in->zstd, ZSTD_d_windowLogMax, 25);
	}
	return in;
fail:
	in_close(in);
	return NULL;
}

struct in *
in_mem(const void *p, size_t n, struct err *e)
{
	struct in *in = calloc(1, sizeof *in);

	if (!in) {
		err_set(e, "out of memory");
		return NULL;
	}
	in->fd = -1;
	in->p = p;
	in->n = n;
	in->size = n;
	in->eof = true;
	return in;
}

void
in_close(struct in *in)
{
	if (!in)
		return;
	ZSTD_freeDStream(in->zstd);
	free(in->zbuf);
	free(in->buf);
	free(in);
}

static void
consumed(struct in *in, const unsigned char *p, size_t n)
{
	in->pos += n;
	if (in->tee)
		buf_put(in->tee, p, n);
	if (in->keep_crc)
		in->crc = libdeflate_crc32(in->crc, p, n);
}

int
in_peek(struct in *in, size_t want, const unsigned char **p, size_t *got,
    struct err *e)
{
	if (fill(in, want < IO_PEEK ? want : IO_PEEK, e) < 0)
		return -1;
	*p = in->p;
	*got = in->n;
	return 0;
}

int
in_some(struct in *in, size_t max, const unsigned char **p, size_t *n,
    struct err *e)
{
	if (fill(in, 1, e) < 0)
		return -1;
	if (in->n == 0 || max == 0)
		return 0;
	*p = in->p;
	*n = in->n < max ? in->n : max;
	in->p += *n;
	in->n -= *n;
	consumed(in, *p, *n);
	return 1;
}

int
in_some_to(struct in *in, void *dst, size_t max, const unsigned char **p, size_t *n,
    struct err *e)
{
	int r;

	if (in->n > 0 || max < IO_CHUNK / 4 || in->fd < 0 || in->zstd || in->eof)
		return in_some(in, max, p, n, e);
	*p = dst;
	*n = 0;
	if ((r = raw_fill(in, dst, max, n, e)) > 0)
		consumed(in, dst, *n);
	in->eof = r == 0;
	return r;
}

static int
cut(const struct in *in, uint64_t missing, struct err *e)
{
	return err_set(e, "input ends at byte %" PRIu64 ", %" PRIu64
	    " bytes too early", in->pos, missing);
}

int
in_read(struct in *in, void *dst, size_t n, struct err *e)
{
	unsigned char *d = dst;

	while (n > 0) {
		const unsigned char *p;
		size_t k;
		int r = in_some_to(in, d, n, &p, &k, e);

		if (r < 0)
			return -1;
		if (r == 0)
			return cut(in, n, e);
		if (p != d)
			memcpy(d, p, k);
		d += k;
		n -= k;
	}
	return 0;
}

int
in_append(struct in *in, struct buf *b, uint64_t n, struct err *e)
{
	while (n > 0) {
		const unsigned char *p;
		size_t k;
		int r = in_some(in, n < IO_CHUNK ? (size_t)n : IO_CHUNK, &p, &k, e);

		if (r < 0)
			return -1;
		if (r == 0)
			return cut(in, n, e);
		buf_put(b, p, k);
		if (buf_check(b, e) < 0)
			return -1;
		n -= k;
	}
	return 0;
}

int
in_zeros(struct in *in, uint64_t n, const char *what, struct err *e)
{
	while (n > 0) {
		const unsigned char *p;
		size_t k;
		int r = in_some(in, n < IO_CHUNK ? (size_t)n : IO_CHUNK, &p, &k, e);

		if (r < 0)
			return -1;
		if (r == 0)
			return cut(in, n, e);
		if (p[0] || memcmp(p, p + 1, k - 1)) {
			size_t i = 0;

			while (!p[i])
				i++;
			return err_set(e, "%s: byte %" PRIu64 " is 0x%02x, not zero",
			    what, in->pos - k + i, p[i]);
		}
		n -= k;
	}
	return 0;
}

int
in_skip(struct in *in, uint64_t n, struct err *e)
{
	if (n > in->n && in->seekable && !in->keep_crc && !in->tee) {
		uint64_t to;

		if (u64_add(&to, in->pos, n) || to > in->size)
			return cut(in, n, e);
		return in_seek(in, to, e);
	}
	while (n > 0) {
		const unsigned char *p;
		size_t k;
		int r = in_some(in, n < IO_CHUNK ? (size_t)n : IO_CHUNK, &p, &k, e);

		if (r < 0)
			return -1;
		if (r == 0)
			return cut(in, n, e);
		n -= k;
	}
	return 0;
}

int
in_seek(struct in *in, uint64_t pos, struct err *e)
{
	if (!in->seekable || pos > INT64_MAX || lseek(in->fd, (off_t)pos, SEEK_SET) < 0)
		return err_sys(e, "seek to %" PRIu64, pos);
	in->p = in->buf;
	in->n = 0;
	in->eof = false;
	in->pos = pos;
	return 0;
}

int
in_file(const struct in *in)
{
	return in->seekable ? in->fd : -1;
}

int
io_pread(int fd, void *dst, size_t n, uint64_t at, struct err *e)
{
	unsigned char *p = dst;

	while (n > 0) {
		ssize_t r = at > INT64_MAX ? 0 : pread(fd, p, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "read");
		if (r == 0)
			return err_set(e, "the file ends at byte %" PRIu64 ", %zu bytes too"
			    " early", at, n);
		p += r;
		at += (uint64_t)r;
		n -= (size_t)r;
	}
	return 0;
}

bool
in_can_pread(const struct in *in)
{
	return in->seekable || (in->fd < 0 && !in->zstd);
}

int
in_pread(struct in *in, void *dst, size_t n, uint64_t at, struct err *e)
{
	if (!in_can_pread(in))
		return err_set(e, "it must be a file that can be read anywhere, not a pipe,"
		    " nor compressed");
	if (at > in->size || n > in->size - at)
		return err_set(e, "%zu bytes at byte %" PRIu64 " of %" PRIu64, n, at, in->size);
	if (in->fd >= 0)
		return io_pread(in->fd, dst, n, at, e);
	if (n > 0)
		memcpy(dst, in->p - in->pos + at, n);
	return 0;
}

uint64_t
in_pos(const struct in *in)
{
	return in->pos;
}

bool
in_seekable(const struct in *in)
{
	return in->seekable;
}

uint64_t
in_size(const struct in *in)
{
	return in->size;
}

void
in_tee(struct in *in, struct buf *b)
{
	in->tee = b;
}

void
in_crc_start(struct in *in)
{
	in->keep_crc = true;
	in->crc = 0;
}

void
in_crc_stop(struct in *in)
{
	in->keep_crc = false;
}

uint32_t
in_crc(const struct in *in)
{
	return in->crc;
}

void
io_widen_pipe(int fd)
{
#ifdef F_SETPIPE_SZ
	static const char path[] = "/proc/sys/fs/pipe-max-size";
	struct stat st;
	int max = 1 << 20;
	FILE *f;

	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return;
	if ((f = fopen(path, "re"))) {
		if (fscanf(f, "%d", &max) != 1)
			max = 1 << 20;
		fclose(f);
	}
	if (max > 1 << 20)
		max = 1 << 20;
	/* More users than the system's quota: then the pipe stays as it is. */
	(void)fcntl(fd, F_SETPIPE_SZ, max);
#else
	(void)fd;
#endif
}
