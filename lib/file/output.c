/* SPDX-License-Identifier: MIT */
/* output.c -- files under temporary names, which get their own at the end. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack.h"

static int
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int
output_may_be(const struct pack_target *t, const char *name, struct err *e)
{
	return !t->force && exists(name) ? err_set(e, "%s: exists; -f replaces it", name) : 0;
}

static void
said(const struct pack_target *t, const char *path, bool dir)
{
	if (t->temp)
		t->temp(path, dir);
}

/* PATH.XXXXXX in the same directory, made exclusively. */
static char *
temp_name(const char *path, struct err *e)
{
	char *s = malloc(strlen(path) + 8);

	if (s)
		sprintf(s, "%s.XXXXXX", path);
	else
		err_set(e, "out of memory");
	return s;
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
	if (!(p->tempdir = temp_name(p->t.path, e)))
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
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS) {
		err_sys(e, "%s", path);
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

static mode_t
usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

int
output_open(const struct pack_target *t, struct output *o, const char *name, struct err *e)
{
	if (!(o->temp = temp_name(name, e)))
		return -1;
	if ((o->fd = mkostemp(o->temp, O_CLOEXEC)) < 0) {
		err_sys(e, "%s", o->temp);
		free(o->temp);
		o->temp = NULL;
		return -1;
	}
	said(t, o->temp, false);
	(void)fchmod(o->fd, usual_mode());
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

static void
sync_parent(const char *path)
{
	char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
	int fd;

	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(dir);
}

/* Give it its name: over what is there only with -f. */
int
output_name(const struct pack_target *t, const char *temp, const char *name, struct err *e)
{
	unsigned flags = t->force ? 0 : RENAME_NOREPLACE;

	if (renameat2(AT_FDCWD, temp, AT_FDCWD, name, flags) == 0)
		goto done;
	if (errno == EEXIST && output_may_be(t, name, e) < 0)
		return -1;
	if ((errno == EINVAL || errno == ENOSYS) && (t->force || !exists(name)) &&
	    rename(temp, name) == 0)
		goto done;
	return err_sys(e, "%s", name);
done:
	sync_parent(name);
	return 0;
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
	if (p->t.force && exists(p->t.path)) {
		if (renameat2(AT_FDCWD, p->tempdir, AT_FDCWD, p->t.path, RENAME_EXCHANGE) < 0)
			return err_sys(e, "%s", p->t.path);
		sync_parent(p->t.path);
		remove_old(p->tempdir);
		return 0;
	}
	return output_name(&p->t, p->tempdir, p->t.path, e);
}

int
output_name_all(const struct pack_target *t, const struct output *out, size_t n,
    struct err *e)
{
	size_t k = 0;
	int r = 0;

	for (; r == 0 && k < n; k++)
		r = output_name(t, out[k].temp, out[k].name, e);
	/* Those that had no name before have none after. */
	while (r < 0 && !t->force && k-- > 0)
		if (access(out[k].temp, F_OK) != 0)
			(void)unlink(out[k].name);
	return r;
}
