/* SPDX-License-Identifier: MIT */
/* program.h -- a jq program, by libjq: what where.c and edit.c share. */
#ifndef JQ_PROGRAM_H
#define JQ_PROGRAM_H

#include <jv.h>

#include <apr/err.h>

struct program;

struct program *program_new(const char *text, struct err *);
/* JSON as one of jq's values; invalid, with the message set, if it is none. */
jv	program_parse(const void *text, size_t n, struct err *);
/* Takes the value and begins; its results come from program_next(): 1, 0
 * there are no more, -1 it fails, in jq's words. */
void	program_start(struct program *, jv);
int	program_next(struct program *, jv *, struct err *) APR_MUSTCHECK;
void	program_free(struct program *);

#endif
