/* SPDX-License-Identifier: MIT */
/*
 * iq_grids.h -- codebooks of the IQ1, IQ2 and IQ3 types, packed.
 *
 * IQ1 and IQ2: eight codes of two bits, the first lowest; IQ1's stand for
 * code - 1, IQ2's for 8, 25, 43.  IQ3: four codes of three bits, for
 * 4 12 20 28 36 44 52 62 (XXS) and 2 * code + 1 (S).
 */
#ifndef TYPE_IQ_GRIDS_H
#define TYPE_IQ_GRIDS_H

#include <stdint.h>

extern const uint16_t grid_iq1_s[2048], grid_iq2_xxs[256], grid_iq2_xs[512],
    grid_iq2_s[1024], grid_iq3_xxs[256], grid_iq3_s[512];

#endif
