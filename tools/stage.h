/* SPDX-License-Identifier: MIT */
/* stage.h -- what the stages of a pipe do alike: the stream that comes, and
 * the line that is left of each in the next one's manifest. */
#ifndef STAGE_H
#define STAGE_H

#include <apr/stream.h>

#include "tool.h"

/* The stream on standard input, or exits 1. */
struct stream_in *stage_open(void);
/* Bytes of all tensors, as they are now. */
uint64_t stage_total(const struct manifest *);
/* {"tool": ..., "version": ..., "options": {...}}: `options` holds the members
 * of that object, is NULL if there are none, and is released. */
void	stage_history(struct manifest *, const char *tool, struct buf *options);

#endif
