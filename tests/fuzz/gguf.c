/* SPDX-License-Identifier: MIT */
/* gguf.c -- hostile bytes as the header of a .gguf. */
#include "format.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_format(&format_gguf, data, size);
}
