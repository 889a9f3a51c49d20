/* SPDX-License-Identifier: MIT */
/*
 * parts.h -- blocks taken apart and put together, for encoders that begin
 * where the reference's ends.  Private to lib/type.
 */
#ifndef TYPE_PARTS_H
#define TYPE_PARTS_H

#include <stdint.h>

/* x = d * scale[group] * level of code - m * min[group], for the parts that a
 * type has. */
struct parts {
	uint16_t d, m;		/* f16; of Q4_1 and Q5_1 m is what is added */
	int16_t	 scale[16];	/* signed; of FP4 the scale's own code */
	uint8_t	 min[16];
	uint8_t	 code[256];	/* as stored, from 0 up */
};

/* All but the codes; all. */
typedef void parts_get(struct parts *, const uint8_t *);
typedef void parts_put(uint8_t *, const struct parts *);

parts_get q4_0_get, q4_1_get, q8_0_get, iq4_nl_get, q2_k_get, q3_k_get, q4_k_get,
    q6_k_get, iq4_xs_get, mxfp4_get, nvfp4_get;
parts_put q4_0_put, q4_1_put, q5_0_put, q5_1_put, q8_0_put, iq4_nl_put, q2_k_put,
    q3_k_put, q4_k_put, q5_k_put, q6_k_put, iq4_xs_put, mxfp4_put, nvfp4_put;

/* What the codes of IQ4_NL and IQ4_XS stand for. */
extern const float iq4_levels[16];
/* What the codes of FP4's scales stand for, halved. */
float	mxfp4_scale(uint8_t);
float	nvfp4_scale(uint8_t);

#endif
