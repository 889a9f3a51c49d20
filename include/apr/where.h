/* SPDX-License-Identifier: MIT */
/* where.h -- a jq expression over a tensor's manifest entry. */
#ifndef APR_WHERE_H
#define APR_WHERE_H

#include <apr/manifest.h>
#include <apr/recipe.h>

struct program;

struct program *where_new(const char *expr, struct err *);
/* 1: its first result is true (neither false nor null), 0, -1. */
int	where_match(struct program *, const struct tensor *, struct err *);
void	where_free(struct program *);

/* The same, for recipes. */
extern const struct recipe_jq where_jq;

#endif
