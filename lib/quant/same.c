/* SPDX-License-Identifier: MIT */
/* same.c -- aprender's 4-bit blocks and ggml's Q4_0 are the same numbers, a
 * nibble elsewhere: 32 of (code - 8) * d. */
#include "convert.h"

enum { N = 32, BYTES = 18 };

bool
same_numbers(const struct type *from, const struct type *to, uint64_t cols)
{
	const struct type *q4_0 = type_by_ggml(2);

	return cols % N == 0 && ((from == &type_apr_q4 && to == q4_0) ||
	    (from == q4_0 && to == &type_apr_q4));
}

static unsigned
nibble(unsigned c, unsigned i)
{
	return c >> 4 * i & 15;
}

/* aprender's are neighbours, ggml's 16 apart. */
void
same_move(const struct type *to, unsigned char *dst, const unsigned char *src, size_t n)
{
	for (; n >= N; n -= N, src += BYTES, dst += BYTES) {
		const unsigned char *q = src + 2;

		dst[0] = src[0];
		dst[1] = src[1];
		for (unsigned i = 0; i < 16; i++)
			dst[2 + i] = (unsigned char)(to == &type_apr_q4 ?
			    nibble(q[2 * i % 16], i / 8) | nibble(q[2 * i % 16 + 1], i / 8) << 4 :
			    nibble(q[i / 2], i % 2) | nibble(q[i / 2 + 8], i % 2) << 4);
	}
}
