/* SPDX-License-Identifier: MIT */
/*
 * recipe.h -- which tensor gets which number type, as a list of rules of
 * which the first that matches wins: apr-recipe(5).  llama-quantize's mixes
 * are recipes, too: recipes/NAME.json, held by the library.
 */
#ifndef APR_RECIPE_H
#define APR_RECIPE_H

#include <apr/manifest.h>

/* A recipe of ours, as its file has it; name NULL at the end. */
struct preset {
	const char		*name;
	const unsigned char	*text;
	size_t			 len;
};
extern const struct preset presets[];
/* In any case, underscores optional; NULL: none. */
const struct preset *preset_by_name(const char *);

/* What computes the jq expressions of a recipe: whoever links libjq. */
struct recipe_jq {
	void	*(*compile)(const char *expr, struct err *);
	/* 1 if the entry makes it true, 0, -1. */
	int	(*match)(void *, const struct tensor *, struct err *);
	void	(*free)(void *);
};

struct recipe;

/* From a file, a preset, or text that `what` names in messages; jq is
 * borrowed, NULL: expressions are an error. */
struct recipe *recipe_open(const char *path, const struct recipe_jq *, struct err *);
struct recipe *recipe_preset(const struct preset *, struct err *);
struct recipe *recipe_text(const char *what, const void *, size_t,
	    const struct recipe_jq *, struct err *);
/* The same type for everything; with llama-quantize's number of the mix that
 * is called so. */
struct recipe *recipe_type(const struct type *, struct err *);
/* No rules, no base: what nobody picks stays as it is. */
struct recipe *recipe_empty(const char *name, struct err *);
void	recipe_free(struct recipe *);

/* A name for history: the preset's, the type's, or the file's without its
 * folder. */
const char *recipe_name(const struct recipe *);
const struct type *recipe_base(const struct recipe *);	/* or NULL */
/* What else a recipe says that decides about bytes; -1: nothing. */
int	recipe_fallback(const struct recipe *);		/* enum quant_fallback */
int	recipe_effort(const struct recipe *);		/* enum effort */
/* Was it made with importance weights (its `set` says so)? */
bool	recipe_wants_imatrix(const struct recipe *);

/* A type for this one tensor, which nothing else decides about any more;
 * NULL: it keeps its own. */
int	recipe_pick(struct recipe *, const char *name, const struct type *,
	    struct err *) APR_MUSTCHECK;
/* llama-quantize's --tensor-type: names in which the expression (lower-cased
 * first) is found get the type, whatever the rules say. */
int	recipe_override(struct recipe *, const char *regex, const struct type *,
	    struct err *) APR_MUSTCHECK;

#endif
