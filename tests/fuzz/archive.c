/* SPDX-License-Identifier: MIT */
/* archive.c -- hostile bytes as a zip archive: PyTorch's or NumPy's. */
#include "archive.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* (Other formats have harnesses of their own.) */
	return size < 4 || memcmp(data, "PK\3\4", 4) ? 0 : fuzz_file(data, size);
}
