/* SPDX-License-Identifier: MIT */
/*
 * expr.h -- the conditions of a recipe: whole numbers, as in
 * "i < n/8 or experts == 8 and not imatrix".  apr-recipe(5) has the words.
 */
#ifndef QUANT_EXPR_H
#define QUANT_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

enum expr_word {
	W_ARCH, W_BLOCK, W_COLS, W_COUNT, W_EXPERTS, W_GQA, W_HEADS, W_I,
	W_IMATRIX, W_KV_HEADS, W_LAYER, W_LAYERS, W_N, W_SLICES, W_TIED, W_WORDS
};
extern const char *const expr_words[W_WORDS];

struct expr_value {
	int64_t		 n;
	const char	*s;		/* a string, or NULL: a number */
	size_t		 len;		/* of s */
};

/* A name that a recipe gave to a condition. */
struct let {
	const char	*name, *text;
	unsigned	 depth;		/* of the file that says it */
};

struct expr_env {
	const struct let *let;	size_t nlet;
	/* What a word is here; it may be that nobody knows. */
	int		(*get)(void *ctx, enum expr_word, struct expr_value *,
			    struct err *);
	void		*ctx;
};

/* Is it an expression, with all words known? */
int	expr_check(const char *text, const struct expr_env *, struct err *)
	    APR_MUSTCHECK;
/* 1 true, 0 false, -1.  `and` and `or` leave out what they do not need. */
int	expr_true(const char *text, const struct expr_env *, struct err *)
	    APR_MUSTCHECK;

#endif
