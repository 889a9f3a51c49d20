/* SPDX-License-Identifier: MIT */
/*
 * simd.h -- the kernels of this folder, each with the instruction set's name
 * behind its own: KERNEL(q4_k_from_f32) is q4_k_from_f32_avx2.
 */
#ifndef KERNEL_SIMD_H
#define KERNEL_SIMD_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_PASTE(name, isa)	name##_##isa
#define KERNEL_EXPAND(name, isa) KERNEL_PASTE(name, isa)
#define KERNEL(name)		KERNEL_EXPAND(name, ISA)

#endif
