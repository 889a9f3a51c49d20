/* SPDX-License-Identifier: MIT */
/* outfile.c -- a file beside the stream, whole or not at all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/io.h>

#include "outfile.h"
#include "tool.h"

void
outfile_open(struct outfile *o, const char *path, bool force)
{
	struct stat st;
	struct err e;
	int fd;

	*o = (struct outfile){ .path = path, .force = force };
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		o->f = fopen(path, "we");
	} else {
		if (whole_may_be(path, force, &e) < 0 || (fd = whole_open(path, &o->temp, &e)) < 0)
			die("%s", e.msg);
		tool_temp(o->temp, false);
		o->f = fdopen(fd, "w");
	}
	if (!o->f)
		die("%s: %s", path, strerror(errno));
}

void
outfile_close(struct outfile *o)
{
	bool bad = fflush(o->f) != 0 || ferror(o->f);
	struct err e;

	if (!bad && o->temp && whole_sync(fileno(o->f), o->path, &e) < 0)
		die("%s", e.msg);
	if (bad || fclose(o->f) != 0)
		die("%s: %s", o->path, strerror(errno ? errno : EIO));
	if (o->temp && whole_name(o->temp, o->path, o->force, &e) < 0)
		die("%s", e.msg);
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
