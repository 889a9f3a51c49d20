/* SPDX-License-Identifier: MIT */
/* safetensors.c -- hostile bytes as the header of a .safetensors. */
#include "format.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_format(&format_safetensors, data, size);
}
