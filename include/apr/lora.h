/* SPDX-License-Identifier: MIT */
/*
 * lora.h -- a PEFT adapter (adapter_config.json, adapter_model.safetensors):
 * for some weights W the factors of a change, W + scale B A, and for others a
 * new value.
 */
#ifndef APR_LORA_H
#define APR_LORA_H

#include <apr/manifest.h>

struct lora;

/* A folder, read whole: it is small.  NULL also for what cannot be merged
 * (DoRA, biases of its own, other methods). */
struct lora *lora_open(const char *dir, struct err *);
void	lora_free(struct lora *);

/* Tie it to a model's tensors, under the names of a Hugging Face checkpoint.
 * Fails, naming it, if a part of the adapter has no tensor or does not fit. */
int	lora_bind(struct lora *, const struct manifest *, struct err *) APR_MUSTCHECK;
/* Does it change the i-th tensor? */
bool	lora_changes(const struct lora *, size_t i);
/* How many it changes. */
size_t	lora_count(const struct lora *);
/* Row `row` of tensor i, cols values: the product's in F64, added to x, and
 * rounded once. */
void	lora_row(struct lora *, size_t i, uint64_t row, float *x, size_t cols);

#endif
