/* SPDX-License-Identifier: MIT */
/* resolve.h -- from a recipe and a manifest to a type for each tensor. */
#ifndef QUANT_RESOLVE_H
#define QUANT_RESOLVE_H

#include <apr/quant.h>

#include "recipe.h"

/* What metadata say about a model, as far as mixes ask. */
enum { HYPER_ABSENT = -1, HYPER_UNCLEAR = -2 };
struct hyper {
	char		 arch[64];
	int64_t		 layers, experts, heads, kv_heads;
};
int	hyper_read(struct hyper *, const struct manifest *, const struct quant_opts *,
	    struct err *) APR_MUSTCHECK;

struct decision {
	const struct type *type;	/* NULL: as it is */
	bool		 exact;		/* no fallback: it fits or it fails */
};

struct resolver;
struct resolver *resolver_new(const struct manifest *, const struct quant_opts *,
	    struct err *);
/* Indices of the tensors as llama-quantize would visit them, to be freed;
 * pieces of one are side by side. */
size_t	*resolver_order(const struct manifest *, struct err *);
/* The next tensor, in that order. */
int	resolver_decide(struct resolver *, const struct tensor *, struct decision *,
	    struct err *) APR_MUSTCHECK;
/* Does the mix want importance weights for this tensor in this type? */
bool	resolver_needs_weights(const struct resolver *, const struct tensor *,
	    const struct type *);
/* Rules of the user's that decided nothing, each with a NUL behind it. */
void	resolver_lint(const struct resolver *, struct buf *);
void	resolver_free(struct resolver *);

/* keys.c: general.file_type and its like, the recipe's `set`, the options'. */
int	keys_set(struct manifest *, const struct quant_opts *, struct err *)
	    APR_MUSTCHECK;
int	keys_set_u32(struct manifest *, const char *key, uint32_t, struct err *)
	    APR_MUSTCHECK;

#endif
