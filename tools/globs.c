/* SPDX-License-Identifier: MIT */
/* globs.c -- names that an option chose, as the shell has them. */
#include <fnmatch.h>
#include <stdlib.h>

#include "globs.h"
#include "tool.h"

void
globs_add(struct globs *g, const char *glob)
{
	if (!(g->v = realloc(g->v, (g->n + 1) * sizeof *g->v)))
		die("out of memory");
	g->v[g->n++] = glob;
}

bool
globs_match(const struct globs *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (fnmatch(g->v[i], name, 0) == 0)
			return true;
	return false;
}
