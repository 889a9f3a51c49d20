/* SPDX-License-Identifier: MIT */
/*
 * fit.h -- the best types for a given size: by the errors that were measured
 * in earlier passes, and else by what is known of types and tensors.
 */
#ifndef APR_FIT_H
#define APR_FIT_H

#include <apr/quant.h>

/* Relative squared errors, by tensor and type. */
struct measured;

struct measured *measured_new(struct err *);
/* Lines of JSON as apr-quant --stats writes them: name, type, n, nmse.
 * `what` names the text in messages; may be called again for more. */
int	measured_add(struct measured *, const char *what, const void *, size_t,
	    struct err *) APR_MUSTCHECK;
void	measured_free(struct measured *);

struct fit {
	const struct type *const *types;	/* to choose from, NULL at the end;
						 * NULL: those that seem good */
	const struct measured	*measured;	/* or NULL */
	/* Can the output hold it? */
	bool			(*holds)(void *ctx, const struct tensor *);
	/* What the recipe under way comes to, and what it may. */
	int			(*size)(void *ctx, uint64_t *size, struct err *);
	uint64_t		 target;
	void			*ctx;
};

/*
 * Picks for a recipe (that of recipe_empty(), perhaps with overrides), one for
 * each tensor that nothing else decides about, such that size() is at
 * most the target and the expected loss small.  The manifest is the source's.
 */
int	quant_fit(struct manifest *, const struct quant_opts *, struct recipe *,
	    const struct fit *, struct err *) APR_MUSTCHECK;

#endif
