/* SPDX-License-Identifier: MIT */
/*
 * efforts.h -- encoders other than the reference's.  Private to lib/type.
 */
#ifndef TYPE_EFFORTS_H
#define TYPE_EFFORTS_H

#include "apr/type.h"

/* EFFORT_APR */
type_encode apr_q4_k;
/* EFFORT_HIGH */
type_encode high_q2_k, high_q3_k, high_q4_k, high_q5_k, high_q6_k, high_iq4_xs,
    high_q4_0, high_q4_1, high_q5_0, high_q5_1, high_q8_0, high_iq4_nl,
    high_mxfp4, high_nvfp4, high_iq1_s, high_iq1_m, high_iq2_xxs, high_iq2_xs,
    high_iq2_s, high_iq3_xxs, high_iq3_s;

#endif
