/* SPDX-License-Identifier: MIT */
/* kernel.h -- between the sets of kernels and their table. */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <apr/kernel.h>

void	kernel_fill_scalar(struct kernels *);
void	kernel_fill_avx2(struct kernels *);
void	kernel_fill_avx512(struct kernels *);
void	kernel_fill_neon(struct kernels *);

#endif
