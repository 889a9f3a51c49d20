/* SPDX-License-Identifier: MIT */
/* base64.c -- bytes in JSON. */
#include <string.h>

#include "token.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned char *
vocab_base64(struct vocab *v, const char *s, size_t len, size_t *n)
{
	unsigned char *out = arena_alloc(&v->arena, len / 4 * 3 + 3);
	uint32_t acc = 0;
	size_t k = 0;

	*n = 0;
	for (size_t i = 0; out && i < len && s[i] != '='; i++) {
		const char *p = s[i] ? strchr(digits, s[i]) : NULL;

		if (!p)
			return NULL;
		acc = acc << 6 | (uint32_t)(p - digits);
		/* Eight bits are whole after the 2nd, 3rd and 4th digit. */
		if (++k % 4 != 1)
			out[(*n)++] = (unsigned char)(acc >> (k % 4 == 2 ? 4 : k % 4 == 3 ? 2 : 0));
	}
	return out && k % 4 != 1 ? out : NULL;
}

void
vocab_put_base64(struct buf *b, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 3) {
		unsigned w = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
		    (i + 2 < n ? p[i + 2] : 0);
		char c[4] = { digits[w >> 18], digits[w >> 12 & 63],
		    i + 1 < n ? digits[w >> 6 & 63] : '=', i + 2 < n ? digits[w & 63] : '=' };

		buf_put(b, c, 4);
	}
}
