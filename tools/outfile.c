/* SPDX-License-Identifier: MIT */
/* outfile.c -- a small file beside the stream, whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/io.h>

#include "outfile.h"
#include "tool.h"

static mode_t
usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

void
outfile_write(const char *path, const void *p, size_t n, bool force)
{
	struct stat st;
	struct err e;
	char *temp;
	int fd;

	if (lstat(path, &st) == 0 && !force)
		die("%s: exists; -f replaces it", path);
	if (!(temp = malloc(strlen(path) + 8)))
		die("out of memory");
	sprintf(temp, "%s.XXXXXX", path);
	if ((fd = mkostemp(temp, O_CLOEXEC)) < 0)
		die("%s: %s", path, strerror(errno));
	tool_temp(temp, false);
	(void)fchmod(fd, usual_mode());
	if (io_write(fd, p, n, &e) < 0)
		die("%s: %s", path, e.msg);
	if ((fsync(fd) < 0 && errno != EINVAL && errno != EROFS) || close(fd) < 0)
		die("%s: %s", path, strerror(errno));
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, force ? 0 : RENAME_NOREPLACE) < 0 &&
	    ((errno != EINVAL && errno != ENOSYS) || rename(temp, path) < 0))
		die("%s: %s", path, strerror(errno));
	tool_temp_done();
	free(temp);
}
