/* SPDX-License-Identifier: MIT */
/* token_text.h -- ids of a text, and the text of ids, on standard output. */
#ifndef TOKEN_TEXT_H
#define TOKEN_TEXT_H

#include <stdbool.h>

#include <apr/token.h>

/* s[n] as a line of ids, or pieces: a line with an id and its text as JSON each.
 * how: TOKEN_... */
void	token_encode(struct tokenizer *, const char *s, size_t n, unsigned how, bool pieces);
/* Numbers with blanks or commas between; line: a newline behind the text.  how:
 * DETOKEN_... */
void	token_decode(const struct tokenizer *, const char *s, size_t n, unsigned how, bool line);

#endif
