/* SPDX-License-Identifier: MIT */
/* tokenizer_json.c -- hostile bytes as a tokenizer.json. */
#include "vocab.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_vocab("tokenizer.json", VOCAB_FAMILY_BPE, data, size);
	return fuzz_vocab("tokenizer.json", VOCAB_FAMILY_LLAMA, data, size);
}
