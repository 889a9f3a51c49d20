/* SPDX-License-Identifier: MIT */
/*
 * pattern.h -- regular expressions as people write them for llama-quantize
 * (ECMAScript's), matched by the C library's (POSIX's extended ones).
 */
#ifndef QUANT_PATTERN_H
#define QUANT_PATTERN_H

#include <stdbool.h>

#include <apr/err.h>

struct pattern;

/* What cannot be said in POSIX's language (lookahead, back references) is
 * an error: whether a name matches is never guessed. */
struct pattern *pattern_new(const char *regex, struct err *);
/* Anywhere in it? */
bool	pattern_match(const struct pattern *, const char *);
void	pattern_free(struct pattern *);

#endif
