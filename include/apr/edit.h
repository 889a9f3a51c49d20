/* SPDX-License-Identifier: MIT */
/*
 * edit.h -- a jq program over a model's metadata and its tensors' names.
 *
 * It gets {"metadata": {...}, "tensors": [{"id": 0, "name": ...}, ...]} and
 * gives the same back, changed: config.json whole, where there is one, else the
 * manifest's view.  apr-edit(1) says what may be changed.
 */
#ifndef APR_EDIT_H
#define APR_EDIT_H

#include <apr/manifest.h>

struct program;

/* Compiled, or NULL with jq's complaint. */
struct program *edit_new(const char *program, struct err *);
/*
 * What the program makes of metadata and names, into the manifest, whose files
 * are in file[] (config.json changes there).  name[i] is what the i-th tensor
 * that came is called now, in the manifest's arena; NULL: it is left out.
 */
int	edit_run(struct program *, struct manifest *, struct buf *file, const char **name,
	    struct err *) APR_MUSTCHECK;
void	edit_free(struct program *);

#endif
