/* SPDX-License-Identifier: MIT */
/* edit.h -- a jq program over a manifest. */
#ifndef EDIT_H
#define EDIT_H

#include <apr/manifest.h>

int	edit_compile(const char *program, struct err *) APR_MUSTCHECK;
/*
 * What the program makes of metadata and names, into the manifest, whose files
 * are in file[] (config.json changes there).  name[i] is what the i-th tensor
 * that came is called now; NULL: it is left out.  The program is freed.
 */
int	edit_run(struct manifest *, struct buf *file, const char **name, struct err *)
	    APR_MUSTCHECK;

#endif
