/* SPDX-License-Identifier: MIT */
/* path.c -- the parts of a file's path. */
#include <string.h>

#include <apr/io.h>

const char *
path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
