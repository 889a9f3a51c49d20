/* SPDX-License-Identifier: MIT */
/* outfile.h -- a small file beside the stream, whole or not at all. */
#ifndef OUTFILE_H
#define OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

/* Under a temporary name first; over what is there only with force.  Exits 1
 * if it cannot be. */
void	outfile_write(const char *path, const void *, size_t, bool force);

#endif
