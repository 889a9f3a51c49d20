/* SPDX-License-Identifier: MIT */
/* where.h -- a jq expression over a tensor's manifest entry. */
#ifndef WHERE_H
#define WHERE_H

#include <apr/manifest.h>
#include <apr/recipe.h>

struct where;

struct where *where_new(const char *expr, struct err *);
/* 1: its first result is true (neither false nor null), 0, -1. */
int	where_match(struct where *, const struct tensor *, struct err *);
void	where_free(struct where *);

/* The same, for recipes. */
extern const struct recipe_jq where_jq;

#endif
