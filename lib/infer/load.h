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
	struct model		*model;
	struct arena		*arena;		/* the model's */
	unsigned		 n_ctx;		/* that will be asked for; 0: all */
};

int	load_hparams(struct load *, struct model *, struct err *) APR_MUSTCHECK;
int	load_layer_kind(const struct load *, const struct hparams *, unsigned i,
	    struct layer *, struct err *) APR_MUSTCHECK;

/* layers.c */
int	load_layers(struct load *, struct model *, struct err *) APR_MUSTCHECK;

/* named.c */

/* All tensors under GGUF's names; what the architecture does not know is an
 * error, so that nothing is silently left out. */
int	load_names(struct load *, struct err *) APR_MUSTCHECK;
struct named *load_find(const struct load *, const char *name, long expert, unsigned part);
bool	load_has(const struct load *, const char *name);
/* n elements as f32, `add` added to each, in the model's arena, where they will
 * be once the tensor's bytes are there; NULL: it is missing or misshapen. */
const float *load_vector(const struct load *, const char *name, size_t n, float add,
	    struct err *);
/* Of part `part` of what one matrix became several. */
const float *load_part(const struct load *, const char *name, unsigned part, size_t n,
	    float add, struct err *);
/* The last of them becomes something else. */
void	load_use(const struct load *, enum vector_use, float *by);
/* Set *v where there is such a tensor. */
int	load_maybe(const struct load *, const char *name, size_t n, float add,
	    const float **v, struct err *) APR_MUSTCHECK;
/* A tensor of the shape [.., rows, cols] as one matrix of them all. */
int	load_as_matrix(const struct load *, struct named *, size_t rows, size_t cols,
	    bool transposed, struct mat *, struct err *) APR_MUSTCHECK;
int	load_matrix(const struct load *, const char *name, size_t rows, size_t cols,
	    bool transposed, struct mat *, struct err *) APR_MUSTCHECK;

#endif
