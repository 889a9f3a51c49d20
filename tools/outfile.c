/* SPDX-License-Identifier: MIT */
/* outfile.c -- a file beside the stream, whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
outfile_open(struct outfile *o, const char *path, bool force)
{
	struct stat st;
	int fd;

	*o = (struct outfile){ .path = path, .force = force };
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		o->f = fopen(path, "we");
	} else if (lstat(path, &st) == 0 && !force) {
		die("%s: exists; -f replaces it", path);
	} else {
		if (!(o->temp = malloc(strlen(path) + sizeof ".XXXXXX")))
			die("out of memory");
		sprintf(o->temp, "%s.XXXXXX", path);
		if ((fd = mkostemp(o->temp, O_CLOEXEC)) >= 0) {
			tool_temp(o->temp, false);
			(void)fchmod(fd, usual_mode());
			o->f = fdopen(fd, "w");
		}
	}
	if (!o->f)
		die("%s: %s", path, strerror(errno));
}

static bool
synced(FILE *f)
{
	return fsync(fileno(f)) == 0 || errno == EINVAL || errno == EROFS;
}

static bool
named(const struct outfile *o)
{
	if (renameat2(AT_FDCWD, o->temp, AT_FDCWD, o->path, o->force ? 0 : RENAME_NOREPLACE) == 0)
		return true;
	return (errno == EINVAL || errno == ENOSYS) && rename(o->temp, o->path) == 0;
}

void
outfile_close(struct outfile *o)
{
	bool bad = fflush(o->f) != 0 || ferror(o->f) || (o->temp && !synced(o->f));

	if (bad || fclose(o->f) != 0 || (o->temp && !named(o)))
		die("%s: %s", o->path, strerror(errno ? errno : EIO));
	if (o->temp)
		tool_temp_drop(o->temp);
	free(o->temp);
}

void
outfile_write(const char *path, const void *p, size_t n, bool force)
{
	struct outfile o;

	outfile_open(&o, path, force);
	fwrite(p, 1, n, o.f);
	outfile_close(&o);
}
