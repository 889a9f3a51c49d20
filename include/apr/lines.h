/* SPDX-License-Identifier: MIT */
/* lines.h -- the lines of a descriptor, as they come. */
#ifndef APR_LINES_H
#define APR_LINES_H

#include <stdbool.h>

#include <apr/buf.h>

/* Zero-initialise, but for fd (borrowed); lines_release() frees. */
struct lines {
	int		 fd;
	struct buf	 b;
	size_t		 from, seen;	/* of b: the next line, and what has no end of one */
	bool		 end;
};

/* The next line without its newline, valid until the next call, the last one
 * with or without one: 1; 0 at the end; -1; 2 if it is not all there yet,
 * unless that is to be waited for.  A line of 1 GiB is an error. */
int	lines_next(struct lines *, bool wait, const char **, size_t *n, struct err *) APR_MUSTCHECK;
void	lines_release(struct lines *);

#endif
