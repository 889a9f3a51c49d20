/* SPDX-License-Identifier: MIT */
/* apr.c -- hostile bytes as the header of a .apr. */
#include "format.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_format(&format_apr, data, size);
}
