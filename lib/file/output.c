/* SPDX-License-Identifier: MIT */
/* output.c -- the files of an output, under temporary names until the end. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack.h"

static void
said(const struct pack_target *t, const char *path, bool dir)
{
	if (t->temp)
		t->temp(path, dir);
}

static char *
join(const char *dir, const char *name, struct err *e)
{
	char *s = malloc(strlen(dir) + strlen(name) + 2);

	if (s)
		sprintf(s, "%s/%s", dir, name);
	else
		err_set(e, "out of memory");
	return s;
}

int
pack_open_dir(struct pack *p, struct err *e)
{
	if (!p->t.dir || p->tempdir || p->m->plan)
		return 0;
	if (!(p->tempdir = whole_temp(p->t.path, e)))
		return -1;
	if (!mkdtemp(p->tempdir)) {
		err_sys(e, "%s", p->tempdir);
		free(p->tempdir);
		p->tempdir = NULL;
		return -1;
	}
	(void)chmod(p->tempdir, 0755);
	said(&p->t, p->tempdir, true);
	return 0;
}

/* A file of the directory, written by itself. */
int
pack_open_in_dir(struct pack *p, const char *name, char **path, struct err *e)
{
	char *s;
	int fd;

	if (strchr(name, '/') || *name == '.')
		return err_set(e, "%s: is no name of a file in a directory", name);
	if (pack_open_dir(p, e) < 0 || !(s = join(p->tempdir, name, e)))
		return -1;
	said(&p->t, s, false);
	if ((fd = open(s, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)) < 0)
		err_sys(e, "%s", s);
	if (path && fd >= 0)
		*path = s;
	else
		free(s);
	return fd;
}

int
output_close(int fd, const char *path, struct err *e)
{
	if (whole_sync(fd, path, e) < 0) {
		close(fd);
		return -1;
	}
	return close(fd) < 0 ? err_sys(e, "%s", path) : 0;
}

int
output_write(int fd, const char *name, const struct buf *b, struct err *e)
{
	if (io_write(fd, b->p, b->len, e) < 0) {
		close(fd);
		return err_prefix(e, "%s", name);
	}
	return output_close(fd, name, e);
}

int
output_open(const struct pack_target *t, struct output *o, const char *name, struct err *e)
{
	if ((o->fd = whole_open(name, &o->temp, e)) < 0)
		return -1;
	said(t, o->temp, false);
	o->seek = true;
	return 0;
}

int
pack_open_output(struct pack *p, struct output *o, struct err *e)
{
	struct stat st;

	if (p->t.dir) {
		o->seek = true;
		o->fd = pack_open_in_dir(p, o->name, &o->temp, e);
		return o->fd < 0 ? -1 : 0;
	}
	if (!p->t.path) {
		o->fd = p->t.fd;
		io_widen_pipe(o->fd);
		return 0;
	}
	if (!p->t.split && !p->t.cut && stat(p->t.path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* A device or a FIFO is written, not replaced. */
		if ((o->fd = open(p->t.path, O_WRONLY | O_CLOEXEC)) < 0)
			return err_sys(e, "%s", p->t.path);
		io_widen_pipe(o->fd);
		return 0;
	}
	return output_open(&p->t, o, o->name ? o->name : p->t.path, e);
}

/* The directory that was there, whatever is in it. */
static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_old(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
pack_name_dir(const struct pack *p, struct err *e)
{
	int r = p->t.force ? whole_swap(p->tempdir, p->t.path, e) : 0;

	if (r > 0)
		remove_old(p->tempdir);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return whole_name(p->tempdir, p->t.path, p->t.force, e);
}

int
output_name_all(const struct pack_target *t, const struct output *out, size_t n,
    struct err *e)
{
	size_t k = 0;
	int r = 0;

	for (; r == 0 && k < n; k++)
		r = whole_name(out[k].temp, out[k].name, t->force, e);
	/* Those that had no name before have none after. */
	while (r < 0 && !t->force && k-- > 0)
		if (access(out[k].temp, F_OK) != 0)
			(void)unlink(out[k].name);
	return r;
}
