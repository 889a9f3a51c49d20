/* SPDX-License-Identifier: MIT */
/* globs.h -- names that an option chose, as the shell has them. */
#ifndef GLOBS_H
#define GLOBS_H

#include <stdbool.h>
#include <stddef.h>

struct globs {
	const char	**v;		/* borrowed; free v */
	size_t		 n;
};

void	globs_add(struct globs *, const char *);
/* Is it one of them? */
bool	globs_match(const struct globs *, const char *name);

#endif
