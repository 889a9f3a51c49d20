/* SPDX-License-Identifier: MIT */
/* whole.c -- a file that has its name only when it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/io.h>

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int
whole_may_be(const char *path, bool replace, struct err *e)
{
	return !replace && exists(path) ? err_set(e, "%s: exists; -f replaces it", path) : 0;
}

char *
whole_temp(const char *path, struct err *e)
{
	char *s = malloc(strlen(path) + sizeof ".XXXXXX");

	if (s)
		sprintf(s, "%s.XXXXXX", path);
	else
		err_set(e, "out of memory");
	return s;
}

static mode_t
usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

int
whole_open(const char *path, char **temp, struct err *e)
{
	int fd;

	if (!(*temp = whole_temp(path, e)))
		return -1;
	if ((fd = mkostemp(*temp, O_CLOEXEC)) < 0) {
		err_sys(e, "%s", path);
		free(*temp);
		*temp = NULL;
		return -1;
	}
	(void)fchmod(fd, usual_mode());
	return fd;
}

int
whole_sync(int fd, const char *path, struct err *e)
{
	return fsync(fd) < 0 && errno != EINVAL && errno != EROFS ? err_sys(e, "%s", path) : 0;
}

/* The directory that says so, too. */
static void
sync_parent(const char *path)
{
	size_t n = (size_t)(path_base(path) - path);
	char *dir = n ? strndup(path, n) : NULL;
	int fd = open(dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(dir);
}

int
whole_name(const char *temp, const char *path, bool replace, struct err *e)
{
	unsigned flags = replace ? 0 : RENAME_NOREPLACE;

	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, flags) == 0)
		goto done;
	if (errno == EEXIST && whole_may_be(path, replace, e) < 0)
		return -1;
	if ((errno == EINVAL || errno == ENOSYS) && (replace || !exists(path)) &&
	    rename(temp, path) == 0)
		goto done;
	return err_sys(e, "%s", path);
done:
	sync_parent(path);
	return 0;
}

int
whole_swap(const char *temp, const char *path, struct err *e)
{
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_EXCHANGE) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	sync_parent(path);
	return 1;
}
