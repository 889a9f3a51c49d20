/* SPDX-License-Identifier: MIT */
/* put.h -- members of a JSON object, with a comma before all but the first. */
#ifndef PUT_H
#define PUT_H

#include <stdint.h>

#include <apr/buf.h>

void	put_key(struct buf *, const char *key);
void	put_real(struct buf *, const char *key, double);	/* null: not finite */
void	put_whole(struct buf *, const char *key, uint64_t);
void	put_text(struct buf *, const char *key, const char *);	/* or null */

#endif
