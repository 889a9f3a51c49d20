/* SPDX-License-Identifier: MIT */
/* table.c -- the slots that this instruction set fills, by ggml's numbers. */
#include "../kernel.h"
#include "simd.h"
#include "vec.h"

void
KERNEL(kernel_fill)(struct kernels *k)
{
	k->to_f32[0] = KERNEL(f32_to_f32);
	k->to_f32[1] = KERNEL(f16_to_f32);
	k->to_f32[2] = KERNEL(q4_0_to_f32);
	k->to_f32[3] = KERNEL(q4_1_to_f32);
	k->to_f32[6] = KERNEL(q5_0_to_f32);
	k->to_f32[7] = KERNEL(q5_1_to_f32);
	k->to_f32[8] = KERNEL(q8_0_to_f32);
	k->to_f32[10] = KERNEL(q2_k_to_f32);
	k->to_f32[11] = KERNEL(q3_k_to_f32);
	k->to_f32[12] = KERNEL(q4_k_to_f32);
	k->to_f32[13] = KERNEL(q5_k_to_f32);
	k->to_f32[14] = KERNEL(q6_k_to_f32);
	k->to_f32[20] = KERNEL(iq4_nl_to_f32);
	k->to_f32[23] = KERNEL(iq4_xs_to_f32);
	k->to_f32[30] = KERNEL(bf16_to_f32);
	k->to_f32[34] = KERNEL(tq1_0_to_f32);
	k->to_f32[35] = KERNEL(tq2_0_to_f32);
	k->to_f32[39] = KERNEL(mxfp4_to_f32);
	k->to_f32[40] = KERNEL(nvfp4_to_f32);
	k->to_f32[41] = KERNEL(q1_0_to_f32);
	k->to_f32[42] = KERNEL(q2_0_to_f32);
	k->to_f32[KERNEL_APR_Q4] = KERNEL(apr_q4_to_f32);
	k->to_f32[KERNEL_F8_E4M3] = KERNEL(f8_e4m3_to_f32);
	k->to_f32[KERNEL_F8_E5M2] = KERNEL(f8_e5m2_to_f32);

	k->from_f32[0] = KERNEL(f32_from_f32);
	k->from_f32[1] = KERNEL(f16_from_f32);
	k->from_f32[2] = KERNEL(q4_0_from_f32);
	k->from_f32[3] = KERNEL(q4_1_from_f32);
	k->from_f32[6] = KERNEL(q5_0_from_f32);
	k->from_f32[7] = KERNEL(q5_1_from_f32);
	k->from_f32[8] = KERNEL(q8_0_from_f32);
	k->from_f32[16] = KERNEL(iq2_xxs_from_f32);
	k->from_f32[17] = KERNEL(iq2_xs_from_f32);
	k->from_f32[19] = KERNEL(iq1_s_from_f32);
	k->from_f32[22] = KERNEL(iq2_s_from_f32);
	k->from_f32[29] = KERNEL(iq1_m_from_f32);
	k->from_f32[10] = KERNEL(q2_k_from_f32);
	k->from_f32[11] = KERNEL(q3_k_from_f32);
	k->from_f32[12] = KERNEL(q4_k_from_f32);
	k->from_f32[13] = KERNEL(q5_k_from_f32);
	k->from_f32[14] = KERNEL(q6_k_from_f32);
	k->from_f32[20] = KERNEL(iq4_nl_from_f32);
	k->from_f32[23] = KERNEL(iq4_xs_from_f32);
	k->from_f32[30] = KERNEL(bf16_from_f32);
	k->from_f32[34] = KERNEL(tq1_0_from_f32);
	k->from_f32[35] = KERNEL(tq2_0_from_f32);
	k->from_f32[39] = KERNEL(mxfp4_from_f32);
	k->from_f32[40] = KERNEL(nvfp4_from_f32);
	k->from_f32[41] = KERNEL(q1_0_from_f32);
	k->from_f32[42] = KERNEL(q2_0_from_f32);
	k->from_f32[KERNEL_APR_Q4] = KERNEL(apr_q4_from_f32);

	/* Their lists are about eight long: AVX-512 keeps AVX2's. */
	if (W <= 8) {
		k->from_f32[18] = KERNEL(iq3_xxs_from_f32);
		k->from_f32[21] = KERNEL(iq3_s_from_f32);
	}

	k->q8_from_f32 = KERNEL(apr_q8_from_f32);
	k->q8_to_f32 = KERNEL(apr_q8_to_f32);
	k->absmax = KERNEL(absmax);
	k->errors = KERNEL(errors);
	k->try = KERNEL(try);
	k->f = KERNEL(floats);

	k->act = KERNEL(act);
	k->dot_any = KERNEL(dot_any);
	k->dot[2] = KERNEL(q4_0_dot);
	k->dot[3] = KERNEL(q4_1_dot);
	k->dot[6] = KERNEL(q5_0_dot);
	k->dot[7] = KERNEL(q5_1_dot);
	k->dot[8] = KERNEL(q8_0_dot);
	k->dot[10] = KERNEL(q2_k_dot);
	k->dot[11] = KERNEL(q3_k_dot);
	k->dot[12] = KERNEL(q4_k_dot);
	k->dot[13] = KERNEL(q5_k_dot);
	k->dot[14] = KERNEL(q6_k_dot);
	k->dot[20] = KERNEL(iq4_nl_dot);
	k->dot[23] = KERNEL(iq4_xs_dot);
	k->dot[39] = KERNEL(mxfp4_dot);
	k->dot[34] = KERNEL(tq1_0_dot);
	k->dot[35] = KERNEL(tq2_0_dot);
	k->dot[40] = KERNEL(nvfp4_dot);
	k->dot[41] = KERNEL(q1_0_dot);
	k->dot[42] = KERNEL(q2_0_dot);
	k->dot[KERNEL_APR_Q4] = KERNEL(apr_q4_dot);
	k->dot[KERNEL_APR_Q8] = KERNEL(apr_q8_dot);
}
