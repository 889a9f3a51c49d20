/* SPDX-License-Identifier: MIT */
/*
 * walk.h -- large JSON an element at a time: rules name what is wanted, and
 * each such value arrives as a small tree that is gone after the call.
 */
#ifndef TOKEN_WALK_H
#define TOKEN_WALK_H

#include <apr/json.h>

struct node {
	enum json_ev	 type;		/* of a value: JSON_OBJECT, JSON_ARRAY... */
	const char	*key;		/* in an object, else NULL */
	const char	*s;		/* a string's or number's text, and a NUL */
	size_t		 nkey, n;
	const struct node *child, *next;
};

enum walk_how {
	WALK_TREE,	/* the whole value */
	WALK_EACH,	/* every element or member of it; null is none */
	WALK_INTO,	/* other rules name what is in this object */
};

/* "model/vocab"; "" is the text's own value.  A key with a slash in it fits
 * no rule. */
struct walk_rule {
	const char	*path;
	enum walk_how	 how;
};

/* rule: its index.  0 to go on. */
typedef int (*walk_fn)(void *ctx, size_t rule, const struct node *, struct err *);

/* A rule's value that is there twice is an error. */
int	walk(const char *what, const void *, size_t, const struct walk_rule *,
	    size_t nrule, walk_fn, void *ctx, struct err *) APR_MUSTCHECK;

/* The member called key, or NULL; also if it is null, or o no object. */
const struct node *node_get(const struct node *o, const char *key);
/* The text of a string, or NULL. */
const char *node_str(const struct node *);
/* Is it this string? */
bool	node_is(const struct node *, const char *);
/* true, false; anything else: absent. */
int	node_bool(const struct node *, int absent);

#endif
