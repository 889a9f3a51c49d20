/* SPDX-License-Identifier: MIT */
/* load.h -- a recipe's text under way. */
#ifndef QUANT_LOAD_H
#define QUANT_LOAD_H

#include <apr/json.h>

#include "recipe.h"

enum at { START, TOP, NEED, LETS, SETS, SET, TENSORS, RULES, RULE, LIST, DONE };

/* How deep the file was that said it: what includes wins. */
struct depths {
	unsigned	base, file_type, fallback, effort;
};

struct load {
	struct recipe	*r;
	struct depths	*said;
	const char	*what, *path;	/* path NULL: a preset */
	unsigned	 depth;
	enum at		 at;
	int		 key;
	unsigned	 seen, rule_seen, set_seen;
	size_t		 nrule, items;	/* of this file; of a list */
	struct rule	 rule;
	const char	*include, *name, *set_type;
	/* A value of `set`, as text. */
	struct buf	 text;
	struct json_writer w;
	int		 text_depth;
	bool		 capturing;
};

/* load.c */
int	load_wrong(const struct load *, const char *what, struct err *);
const char *load_keep(struct load *, const char *, size_t, struct err *);
int	load_lookup(const char *const *list, const char *, size_t);
int	load_type(const struct load *, const char *, size_t, const struct type **,
	    struct err *);
/* Another recipe's rules, where this one's are. */
int	load_include(struct load *, struct err *);

/* load_rule.c: what is inside a rule, from its object's beginning on. */
void	load_rule_begin(struct load *);
int	load_rule(struct load *, enum json_ev, const char *, size_t, struct err *);
/* One that was not finished. */
void	load_rule_drop(struct load *);

#endif
