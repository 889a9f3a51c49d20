/* SPDX-License-Identifier: MIT */
/* iq4_decode.c -- from IQ4_NL and IQ4_XS to floats. */
#include "decode.h"
#include "simd.h"

static const b16_signed table = {
	-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

static inline void
put32(float *dst, const uint8_t *p, float d)
{
	vb c = vb_lookup((b16)table, nibbles_get(p));

	put16(dst, vb_low(c), d);
	put16(dst + 16, vb_high(c), d);
}

void
KERNEL(iq4_nl_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= 32; n -= 32, p += 18, dst += 32)
		put32(dst, p + 2, f16_get(p));
}

void
KERNEL(iq4_xs_to_f32)(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (; n >= 256; n -= 256, p += 136) {
		unsigned high = (unsigned)(p[2] | p[3] << 8);

		for (int g = 0; g < 8; g++, dst += 32) {
			unsigned scale = (p[4 + g / 2] >> g % 2 * 4 & 15u) | (high >> 2 * g & 3) << 4;

			put32(dst, p + 8 + 16 * g, f16_get(p) * (float)((int)scale - 32));
		}
	}
}
