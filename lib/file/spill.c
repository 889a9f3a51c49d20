/* SPDX-License-Identifier: MIT */
/* spill.c -- a nameless file in $TMPDIR. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr/buf.h>
#include <apr/io.h>

#include "spill.h"

int
spill_open(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	struct buf name = { 0 };
	int fd;

	buf_printf(&name, "%s/apr-spill.XXXXXX", dir && *dir ? dir : "/tmp");
	buf_put(&name, "", 1);
	if (buf_check(&name, e) < 0) {
		buf_release(&name);
		return -1;
	}
	if ((fd = mkostemp((char *)name.p, O_CLOEXEC)) < 0)
		err_sys(e, "%s", (char *)name.p);
	else
		(void)unlink((char *)name.p);
	buf_release(&name);
	return fd;
}

int
spill_put(int fd, const void *p, size_t n, uint64_t at, struct err *e)
{
	return io_pwrite(fd, p, n, at, e) < 0 ? err_prefix(e, "$TMPDIR") : 0;
}

int
spill_get(int fd, void *dst, size_t n, uint64_t at, struct err *e)
{
	unsigned char *p = dst;

	while (n > 0) {
		ssize_t k = pread(fd, p, n, (off_t)at);

		if (k == 0)
			return err_set(e, "a file ends at byte %llu, before what it should hold",
			    (unsigned long long)at);
		if (k < 0 && errno != EINTR)
			return err_sys(e, "read");
		if (k > 0) {
			p += k;
			at += (uint64_t)k;
			n -= (size_t)k;
		}
	}
	return 0;
}
