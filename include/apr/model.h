/* SPDX-License-Identifier: MIT */
/* model.h -- from weights to something that infer.h runs. */
#ifndef APR_MODEL_H
#define APR_MODEL_H

#include <apr/weights.h>

struct model;

/*
 * Bind every weight to its role.  n_ctx is the context that will be asked
 * for (0: the model's own), since some models turn positions differently in
 * long ones.  The weights are borrowed.  Fails, naming it, where a tensor is
 * missing or misshapen, a type or an architecture is not known, or numbers
 * contradict each other.
 */
struct model *model_new(struct weights *, unsigned n_ctx, struct err *);
void	model_free(struct model *);

const char *model_arch(const struct model *);		/* "llama" */
unsigned model_layers(const struct model *);
unsigned model_vocab(const struct model *);		/* rows of logits */
unsigned model_context(const struct model *);
uint64_t model_bytes(const struct model *);		/* of all weights in use */
/* Of them those that n positions come to touch: few rows of an embedding that
 * is not the output as well. */
uint64_t model_used_bytes(const struct model *, uint64_t n);
/* Those that one token reads: of a mixture the experts in use alone. */
uint64_t model_token_bytes(const struct model *);
/* Weights that a token of a prompt is multiplied with: all but the edges'. */
uint64_t model_token_weights(const struct model *);

#endif
