/* SPDX-License-Identifier: MIT */
/*
 * simd.h -- the kernels of this folder, each with the instruction set's name
 * behind its own: KERNEL(q4_k_from_f32) is q4_k_from_f32_avx2.
 */
#ifndef KERNEL_SIMD_H
#define KERNEL_SIMD_H

#include <apr/kernel.h>

#define KERNEL_PASTE(name, isa)	name##_##isa
#define KERNEL_EXPAND(name, isa) KERNEL_PASTE(name, isa)
#define KERNEL(name)		KERNEL_EXPAND(name, ISA)

/* plain.c */
kernel_decode	KERNEL(f32_to_f32), KERNEL(f16_to_f32), KERNEL(bf16_to_f32);
kernel_decode	KERNEL(f8_e4m3_to_f32), KERNEL(f8_e5m2_to_f32);
kernel_encode	KERNEL(f32_from_f32), KERNEL(f16_from_f32), KERNEL(bf16_from_f32);
kernel_absmax	KERNEL(absmax);
/* errors.c */
kernel_error_fn	KERNEL(errors);
/* apr.c */
kernel_decode	KERNEL(apr_q4_to_f32);
kernel_encode	KERNEL(apr_q4_from_f32);
kernel_q8_from	KERNEL(apr_q8_from_f32);
kernel_q8_to	KERNEL(apr_q8_to_f32);
/* q1_0.c */
kernel_decode	KERNEL(q1_0_to_f32), KERNEL(q2_0_to_f32);
kernel_encode	KERNEL(q1_0_from_f32), KERNEL(q2_0_from_f32);
/* q4_0.c */
kernel_decode	KERNEL(q4_0_to_f32), KERNEL(q4_1_to_f32), KERNEL(q5_0_to_f32), KERNEL(q5_1_to_f32);
kernel_encode	KERNEL(q4_0_from_f32), KERNEL(q4_1_from_f32), KERNEL(q5_0_from_f32), KERNEL(q5_1_from_f32);
/* fp4.c */
kernel_decode	KERNEL(mxfp4_to_f32), KERNEL(nvfp4_to_f32);
kernel_encode	KERNEL(mxfp4_from_f32), KERNEL(nvfp4_from_f32);
/* iq4_decode.c */
kernel_decode	KERNEL(iq4_nl_to_f32), KERNEL(iq4_xs_to_f32);
/* iq4.c */
kernel_encode	KERNEL(iq4_nl_from_f32), KERNEL(iq4_xs_from_f32);
/* k_decode.c */
kernel_decode	KERNEL(q2_k_to_f32), KERNEL(q3_k_to_f32), KERNEL(q4_k_to_f32), KERNEL(q5_k_to_f32),
		KERNEL(q6_k_to_f32);
/* q2_k.c, q3_k.c, q4_k.c, q6_k.c */
kernel_encode	KERNEL(q2_k_from_f32), KERNEL(q3_k_from_f32), KERNEL(q4_k_from_f32), KERNEL(q5_k_from_f32),
		KERNEL(q6_k_from_f32);
/* q8_0.c */
kernel_decode	KERNEL(q8_0_to_f32);
kernel_encode	KERNEL(q8_0_from_f32);
/* tq1_0.c */
kernel_decode	KERNEL(tq1_0_to_f32), KERNEL(tq2_0_to_f32);
kernel_encode	KERNEL(tq1_0_from_f32), KERNEL(tq2_0_from_f32);
/* iq1.c, iq23.c */
kernel_encode	KERNEL(iq1_s_from_f32), KERNEL(iq1_m_from_f32), KERNEL(iq2_xxs_from_f32),
		KERNEL(iq2_xs_from_f32), KERNEL(iq2_s_from_f32), KERNEL(iq3_xxs_from_f32),
		KERNEL(iq3_s_from_f32);
/* floats.c; finish() is curves.c's too. */
extern const struct kernel_floats KERNEL(floats);
void	KERNEL(finish)(float *, const float *, size_t);
/* curves.c, as kernel.h has them in floats */
float	KERNEL(weigh)(float *, size_t from, size_t to, float scale, float cap, float *sum);
void	KERNEL(blend)(float *, size_t ldy, const float *w, size_t ldw, size_t cols, const float *v,
	    size_t ldv, size_t from, size_t to, size_t n);
void	KERNEL(activate)(float *, const float *gate, size_t n, enum kernel_curve);
void	KERNEL(scale)(float *, const float *, float by, const float *w, const float *bias, size_t n);
void	KERNEL(add)(float *, const float *, float by, size_t n);
void	KERNEL(turn)(float *a, float *b, const float *cos, const float *sin, size_t n);
/* try.c */
kernel_try	KERNEL(try);
/* dot_act.c, dot_any.c, dot_32.c, dot_k.c, dot_few.c */
kernel_act	KERNEL(act);
kernel_dot_fn	KERNEL(dot_any);
kernel_dot_fn	KERNEL(q4_0_dot), KERNEL(q4_1_dot), KERNEL(q5_0_dot), KERNEL(q5_1_dot), KERNEL(q8_0_dot),
		KERNEL(iq4_nl_dot), KERNEL(mxfp4_dot), KERNEL(apr_q4_dot);
kernel_dot_fn	KERNEL(q2_k_dot), KERNEL(q3_k_dot), KERNEL(q4_k_dot), KERNEL(q5_k_dot), KERNEL(q6_k_dot),
		KERNEL(iq4_xs_dot);
kernel_dot_fn	KERNEL(apr_q8_dot), KERNEL(q1_0_dot), KERNEL(q2_0_dot), KERNEL(tq1_0_dot), KERNEL(tq2_0_dot),
		KERNEL(nvfp4_dot);

#endif
