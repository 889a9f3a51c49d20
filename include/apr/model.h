/* SPDX-License-Identifier: MIT */
/* model.h -- from weights to something that infer.h runs. */
#ifndef APR_MODEL_H
#define APR_MODEL_H

#include <apr/weights.h>

struct device;
struct model;

/*
 * Bind every weight to its role.  n_ctx is the context that will be asked
 * for (0: the model's own), since some models turn positions differently in
 * long ones.  The weights are borrowed.  Fails, naming it, where a tensor is
 * missing or misshapen, a type or an architecture is not known, or numbers
 * contradict each other.  Of a stream no tensor has come then: model_load()
 * takes them.
 */
struct model *model_new(struct weights *, unsigned n_ctx, struct err *);
void	model_free(struct model *);

/*
 * Weights to the device, whose room for them infer_new() has taken: from files
 * and streams through its buffers, a stream's other bytes to where the host
 * wants them, and those that nobody uses nowhere.  On the CPU files are mapped,
 * and only a stream is read.
 */
struct model_load_opts {
	unsigned	 jobs;		/* threads that read files */
	bool		 keep;		/* a stream's tensors that no device has, all */
	void		(*progress)(uint64_t bytes);	/* may be NULL */
};
int	model_load(struct model *, struct weights *, struct device *,
	    const struct model_load_opts *, struct err *) APR_MUSTCHECK;
/* Bytes [at, at + n) of a tensor, whole blocks, as it was loaded: from the
 * device, where it is there; of a stream what was kept. */
int	model_fetch(const struct model *, const struct weights *, struct device *, size_t tensor,
	    uint64_t at, void *, size_t n, struct err *) APR_MUSTCHECK;
/* Has the device the vectors (norms, biases), which are floats there? */
int	model_verify(const struct model *, struct device *, struct err *) APR_MUSTCHECK;

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
