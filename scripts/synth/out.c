/* SPDX-License-Identifier: MIT */
/* out.c -- what is written, holes of zeros and the CRC of it all; errors. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "synth.h"

_Noreturn void
die(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("mk-synth: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

void *
check_alloc(void *p)
{
	if (p == NULL)
		die(1, "out of memory");
	return p;
}

uint64_t written;

void
out_open(struct out *o, const char *dir, const char *name, bool want_crc)
{
	if (asprintf(&o->path, "%s%s", dir, name) < 0)
		die(1, "out of memory");
	o->want_crc = want_crc;
	o->off = o->crc = 0;
	o->fd = open(o->path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (o->fd < 0)
		die(1, "%s: %s", o->path, strerror(errno));
}

void
put(struct out *o, const void *buf, uint64_t n)
{
	const uint8_t *p = buf;

	if (o->want_crc)
		o->crc = (uint32_t)crc32_z(o->crc, p, (size_t)n);
	o->off += n;
	while (n > 0) {
		ssize_t r = write(o->fd, p, (size_t)n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			die(1, "%s: %s", o->path, strerror(errno));
		p += r;
		n -= (uint64_t)r;
	}
}

/* A hole of zeros.  The CRC's register (the CRC without its last xor) goes
 * through n zero bytes as crc32_combine's first argument does. */
void
hole(struct out *o, uint64_t n)
{
	if (n == 0)
		return;
	if (o->want_crc)
		o->crc = (uint32_t)crc32_combine(o->crc ^ 0xffffffff,
		    0xffffffff, (z_off_t)n);
	o->off += n;
	if (lseek(o->fd, (off_t)o->off, SEEK_SET) < 0)
		die(1, "%s: %s", o->path, strerror(errno));
}

void
pad(struct out *o, uint64_t align)
{
	hole(o, -o->off & (align - 1));
}

void
out_close(struct out *o)
{
	if (ftruncate(o->fd, (off_t)o->off) != 0 || close(o->fd) != 0)
		die(1, "%s: %s", o->path, strerror(errno));
	written += o->off;
	free(o->path);
}

FILE *
mem_open(struct mem *m)
{
	return m->f = check_alloc(open_memstream(&m->buf, &m->len));
}

void
mem_put(struct mem *m, struct out *o)
{
	if (fclose(m->f) != 0)
		die(1, "out of memory");
	put(o, m->buf, m->len);
	free(m->buf);
}

void
le(FILE *f, uint64_t v, unsigned bytes)
{
	for (; bytes > 0; bytes--, v >>= 8)
		putc((int)(v & 255), f);
}
