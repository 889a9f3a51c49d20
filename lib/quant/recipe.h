/* SPDX-License-Identifier: MIT */
/* recipe.h -- a recipe as the resolver sees it. */
#ifndef QUANT_RECIPE_H
#define QUANT_RECIPE_H

#include <apr/recipe.h>
#include <apr/type.h>

#include "class.h"
#include "expr.h"
#include "pattern.h"

/* general.file_type is the number of the type that most weights have, or is
 * not set. */
enum { FILE_TYPE_COMMON = -1, FILE_TYPE_NONE = -2 };

enum action { TO_TYPE, TO_BASE, TO_KEEP, TO_ERROR };

/* What is absent matches everything. */
struct rule {
	const char	*where;		/* "rule 3 of x.json", for messages */
	unsigned	 classes;	/* 1 << enum quant_class */
	const char	**glob;		size_t nglob;
	struct pattern	**regex;	size_t nregex;
	void		*jq;
	const char	*cond;
	enum action	 action;
	const struct type *type;
	const char	*error;
	bool		 own;		/* said by the file itself: it is checked */
	bool		 by_name;	/* glob, regex or jq */
};

/* An exact name. */
struct pick {
	const char	*name;
	const struct type *type;	/* NULL: as it is */
};

struct recipe {
	struct arena	 arena;
	const char	*name;
	const struct recipe_jq *jq;
	const struct type *base;
	int		 file_type;	/* a number, or FILE_TYPE_... */
	int		 fallback, effort;	/* -1: not said */
	bool		 bare;		/* of recipe_type() */
	struct rule	*rule;		size_t nrule;
	struct rule	*override;	size_t noverride;
	struct let	*let;		size_t nlet;
	struct mset	*set;		size_t nset;
	struct pick	*pick;		size_t npick;
	struct names	*names;		/* of picks; may be NULL */
	const struct type *need[8];	size_t nneed;	/* types that want weights */
};

/* load.c: JSON text onto the recipe; path: of the file, or NULL. */
int	recipe_load(struct recipe *, const char *what, const char *path,
	    const void *text, size_t n, struct err *);
/* The bytes of a file. */
int	recipe_slurp(const char *path, struct buf *, struct err *);

#endif
