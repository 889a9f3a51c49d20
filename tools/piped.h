/* SPDX-License-Identifier: MIT */
/* piped.h -- an operand as a stream, which another process reads. */
#ifndef PIPED_H
#define PIPED_H

#include <sys/types.h>

#include <apr/stream.h>

#include "tool.h"

struct piped {
	pid_t			 pid;	/* 0: standard input */
	int			 fd;
	struct stream_in	*in;
};

/*
 * What apr-cat would write of n sources; of none, the standard input.  With
 * `like`, its tensors under the names of that manifest's convention and in its
 * order, and no others; a tensor that is missing, or of another shape, is an
 * error.  Exits if it fails.
 */
void	piped_open(struct piped *, char **path, size_t n, const struct manifest *like);
/* Reading it failed: says so, unless who could not read the source did. */
void	piped_fail(struct piped *, const struct err *) NORETURN;
void	piped_close(struct piped *);

#endif
