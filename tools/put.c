/* SPDX-License-Identifier: MIT */
/* put.c -- members of a JSON object. */
#include <inttypes.h>
#include <string.h>

#include "put.h"

void
put_key(struct buf *b, const char *key)
{
	buf_str(b, b->len && b->p[b->len - 1] != '{' && b->p[b->len - 1] != '[' ? "," : "");
	buf_json(b, key, strlen(key));
	buf_str(b, ":");
}

void
put_real(struct buf *b, const char *key, double v)
{
	put_key(b, key);
	buf_real(b, v);
}

void
put_whole(struct buf *b, const char *key, uint64_t v)
{
	put_key(b, key);
	buf_printf(b, "%" PRIu64, v);
}

void
put_text(struct buf *b, const char *key, const char *s)
{
	put_key(b, key);
	if (s)
		buf_json(b, s, strlen(s));
	else
		buf_str(b, "null");
}
