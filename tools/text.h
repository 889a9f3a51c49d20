/* SPDX-License-Identifier: MIT */
/* text.h -- files that are read whole. */
#ifndef TEXT_H
#define TEXT_H

#include <stdio.h>

#include <apr/buf.h>

/* Onto the buffer; exits 1 if it cannot be read. */
void	text_read(const char *path, struct buf *);
/* The rest of what is open. */
void	text_rest(FILE *, const char *name, struct buf *);

#endif
