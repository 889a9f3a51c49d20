/* SPDX-License-Identifier: MIT */
/* edit.h -- what edit.c, edit_meta.c and edit_names.c share. */
#ifndef JQ_EDIT_H
#define JQ_EDIT_H

#include <apr/file.h>

#include "program.h"

struct edit {
	struct manifest	*m;
	struct buf	*conf;		/* config.json, or NULL */
	struct header	*gguf;		/* or NULL */
	jv		 raw;		/* the metadata, numbers as numbers */
};

/* What differs between metadata as they were and are; takes both. */
int	edit_metadata(struct edit *, jv was, jv is, struct err *) APR_MUSTCHECK;
/* The names that tensors have now, as edit_run() has them; takes both. */
int	edit_names(struct manifest *, jv was, jv is, const char **name, struct err *)
	    APR_MUSTCHECK;

#endif
