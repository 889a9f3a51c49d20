/* SPDX-License-Identifier: MIT */
/* temp.c -- a file that has no name. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/io.h>

int
io_temp(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	if ((fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) >= 0)
		return fd;
	if (strlen(dir) > sizeof path - 32)
		return err_set(e, "$TMPDIR is too long");
	strcpy(path, dir);
	strcat(path, "/apr.XXXXXX");
	if ((fd = mkostemp(path, O_CLOEXEC)) < 0)
		return err_sys(e, "%s", path);
	(void)unlink(path);
	return fd;
}

int
io_temp_put(int fd, const void *p, size_t n, uint64_t at, struct err *e)
{
	return io_pwrite(fd, p, n, at, e) < 0 ? err_prefix(e, "$TMPDIR") : 0;
}
