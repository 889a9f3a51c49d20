/* SPDX-License-Identifier: MIT */
/* table.c -- the slots that this instruction set fills. */
#include "../kernel.h"
#include "simd.h"

void
KERNEL(kernel_fill)(struct kernels *k)
{
	(void)k;
}
