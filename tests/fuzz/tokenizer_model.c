/* SPDX-License-Identifier: MIT */
/* tokenizer_model.c -- hostile bytes as a tokenizer.model. */
#include "vocab.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_vocab("tokenizer.model", VOCAB_FAMILY_LLAMA, data, size);
}
