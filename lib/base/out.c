/* SPDX-License-Identifier: MIT */
/* out.c -- bytes out: small writes are gathered, zstd is optional. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include <apr/io.h>

#define GATHER	((size_t)1 << 16)
#define SPLICE	((size_t)1 << 16)	/* less is copied sooner */

struct out {
	int		 fd;
	bool		 splice;	/* it is a pipe, and may take pages */
	size_t		 n;
	unsigned char	*buf;
	ZSTD_CCtx	*zstd;
	unsigned char	*zbuf;
};

static int
wait_writable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	if (errno == EINTR)
		return 1;
	if (errno != EAGAIN)
		return 0;
	(void)poll(&pfd, 1, -1);
	return 1;
}

int
io_write(int fd, const void *src, size_t n, struct err *e)
{
	const unsigned char *p = src;

	while (n > 0) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && wait_writable(fd))
			continue;
		if (r < 0)
			return err_sys(e, "write");
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int
io_pwrite(int fd, const void *src, size_t n, uint64_t at, struct err *e)
{
	const unsigned char *p = src;

	while (n > 0) {
		ssize_t r = pwrite(fd, p, n, (off_t)at);

		if (r < 0 && wait_writable(fd))
			continue;
		if (r < 0)
			return err_sys(e, "write");
		p += r;
		at += (uint64_t)r;
		n -= (size_t)r;
	}
	return 0;
}

struct out *
out_open(int fd, int level, struct err *e)
{
	struct out *o = calloc(1, sizeof *o);
	struct stat st;

	if (!o || !(o->buf = malloc(GATHER)))
		goto oom;
	o->fd = fd;
	o->splice = level == 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
	io_widen_pipe(fd);
	if (level != 0) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);

		if (!(o->zstd = ZSTD_createCCtx()) || !(o->zbuf = malloc(GATHER * 4)))
			goto oom;
		if (ZSTD_isError(ZSTD_CCtx_setParameter(o->zstd,
		    ZSTD_c_compressionLevel, level)))
			goto oom;
		(void)ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_checksumFlag, 1);
		/* A libzstd without threads refuses this, and works alone. */
		(void)ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_nbWorkers,
		    cores > 1 ? (int)(cores < 4 ? cores : 4) : 0);
	}
	return o;
oom:
	if (o) {
		ZSTD_freeCCtx(o->zstd);
		free(o->zbuf);
		free(o->buf);
	}
	free(o);
	err_set(e, "out of memory");
	return NULL;
}

static int
compress(struct out *o, const void *p, size_t n, ZSTD_EndDirective end,
    struct err *e)
{
	ZSTD_inBuffer zi = { p, n, 0 };
	size_t left;

	do {
		ZSTD_outBuffer zo = { o->zbuf, GATHER * 4, 0 };

		left = ZSTD_compressStream2(o->zstd, &zo, &zi, end);
		if (ZSTD_isError(left))
			return err_set(e, "zstd: %s", ZSTD_getErrorName(left));
		if (io_write(o->fd, o->zbuf, zo.pos, e) < 0)
			return -1;
	} while (zi.pos < zi.size || (end == ZSTD_e_end && left > 0));
	return 0;
}

static int
emit(struct out *o, const void *p, size_t n, struct err *e)
{
	return o->zstd ? compress(o, p, n, ZSTD_e_continue, e) :
	    io_write(o->fd, p, n, e);
}

int
out_write(struct out *o, const void *p, size_t n, struct err *e)
{
	if (n > GATHER - o->n) {
		if (o->n > 0 && emit(o, o->buf, o->n, e) < 0)
			return -1;
		o->n = 0;
		if (n >= GATHER)
			return emit(o, p, n, e);
	}
	memcpy(o->buf + o->n, p, n);
	o->n += n;
	return 0;
}

int
out_file(struct out *o, const void *p, size_t n, int file, uint64_t at, struct err *e)
{
	size_t done = 0;

	if (o->n > 0 && o->splice && n >= SPLICE) {
		if (emit(o, o->buf, o->n, e) < 0)
			return -1;
		o->n = 0;
	}
#ifdef SPLICE_F_MOVE
	while (o->splice && n >= SPLICE && done < n) {
		loff_t from = (loff_t)(at + done);
		ssize_t r = splice(file, &from, o->fd, NULL, n - done, SPLICE_F_MOVE);

		if (r > 0)
			done += (size_t)r;
		else if (r == 0)
			return err_set(e, "became shorter while it was read");
		else if (!wait_writable(o->fd))
			o->splice = false;	/* write() says it, if it is an error */
	}
#endif
	return done == n ? 0 : out_write(o, (const unsigned char *)p + done, n - done, e);
}

void
out_abandon(struct out *o)
{
	if (!o)
		return;
	ZSTD_freeCCtx(o->zstd);
	free(o->zbuf);
	free(o->buf);
	free(o);
}

int
out_close(struct out *o, struct err *e)
{
	int r = 0;

	if (o->n > 0)
		r = emit(o, o->buf, o->n, e);
	if (r == 0 && o->zstd)
		r = compress(o, NULL, 0, ZSTD_e_end, e);
	out_abandon(o);
	return r;
}
