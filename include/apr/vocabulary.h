/* SPDX-License-Identifier: MIT */
/* vocabulary.h -- the tokenizer that travels with weights. */
#ifndef APR_VOCABULARY_H
#define APR_VOCABULARY_H

#include <apr/vocab.h>
#include <apr/weights.h>

/* From a directory's files, a GGUF's keys, or an .apr's metadata, whichever
 * the source has. */
int	vocabulary_read(struct vocab *, struct weights *, struct err *) APR_MUSTCHECK;

#endif
