/* SPDX-License-Identifier: MIT */
/* target.h -- what the tools share that lay files out. */
#ifndef TARGET_H
#define TARGET_H

#include <apr/pack.h>

/* The stream into its file or files, which have their names then, and what is
 * to be said about them; exits 1 if that fails. */
void	target_run(struct pack *, struct stream_in *);

#endif
