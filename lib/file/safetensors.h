/* SPDX-License-Identifier: MIT */
/* safetensors.h -- what its reader and its writer share. */
#ifndef APR_FILE_SAFETENSORS_H
#define APR_FILE_SAFETENSORS_H

#include <apr/file.h>

#define SAFETENSORS_HEADER	((uint64_t)100000000)	/* of JSON, at most */
#define SAFETENSORS_METADATA	"__metadata__"

/* A header's priv. */
struct safetensors {
	size_t	 metadata;	/* place of __metadata__ from 1; 0: none */
};

/* The header's bytes as they pass by, for what yajl is lenient about: it
 * turns lone surrogates into '?' and knows but half of UTF-8. */
struct safetensors_text {
	uint64_t pos;		/* in the file */
	unsigned more;		/* bytes of a character to come, */
	unsigned lo, hi;	/* the next one in this range */
	unsigned left;		/* hex digits of an escape to come */
	unsigned value;
	bool	 backslash;	/* the byte before was one that escapes */
	bool	 high;		/* a low surrogate must follow */
};

/* A piece of it: 0, or -1 if it is not UTF-8 or half a surrogate pair. */
int	safetensors_text(struct safetensors_text *, const unsigned char *,
	    size_t, struct err *);
/* Do the tensors of a header fill the data from `base` on, without a hole
 * or an overlap? */
int	safetensors_tiles(const struct header *, uint64_t base, struct err *);

int	safetensors_holds(const struct tensor *, struct err *);
int	safetensors_layout(const struct layout_in *, struct layout *,
	    struct err *);

#endif
