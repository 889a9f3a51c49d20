/* SPDX-License-Identifier: MIT */
/* load.h -- from a source's tensors to a model's parts.  Private. */
#ifndef INFER_LOAD_H
#define INFER_LOAD_H

#include <apr/arch.h>
#include <apr/weights.h>

#include "model.h"

/* A tensor by GGUF's name. */
struct named {
	const char	*name;
	struct arch_place at;
	size_t		 tensor;
	bool		 used;
};

struct load {
	struct weights		*w;
	struct arch_model	*arch;
	enum arch_conv		 conv;		/* of names, rows and values */
	struct named		*named;		size_t n;	/* sorted */
	struct arena		*arena;		/* the model's */
	unsigned		 n_ctx;		/* that will be asked for; 0: all */
};

int	load_hparams(struct load *, struct model *, struct err *) APR_MUSTCHECK;
int	load_layer_kind(const struct load *, const struct hparams *, unsigned i,
	    struct layer *, struct err *) APR_MUSTCHECK;

struct named *load_find(const struct load *, const char *name, long expert, unsigned part);
bool	load_has(const struct load *, const char *name);
/* n elements as f32, `add` added to each, in the model's arena; NULL: it is
 * missing or misshapen. */
const float *load_vector(const struct load *, const char *name, size_t n, float add,
	    struct err *);

#endif
