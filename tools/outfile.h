/* SPDX-License-Identifier: MIT */
/* outfile.h -- a file beside the stream, whole or not at all. */
#ifndef OUTFILE_H
#define OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Gets its name when it is complete; what is no regular file (a pipe, a
 * device) is written as it is. */
struct outfile {
	FILE		*f;
	const char	*path;		/* borrowed */
	char		*temp;
	bool		 force;
};

/* Under a temporary name; over what is there only with force.  Exits 1 if it
 * cannot be. */
void	outfile_open(struct outfile *, const char *path, bool force);
/* All of it is on the disk and has its name, or exits 1. */
void	outfile_close(struct outfile *);
/* Open, these bytes, close. */
void	outfile_write(const char *path, const void *, size_t, bool force);

#endif
