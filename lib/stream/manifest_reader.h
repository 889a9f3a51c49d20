/* SPDX-License-Identifier: MIT */
/* manifest_reader.h -- what reading a manifest and a tensor's entry share. */
#ifndef STREAM_MANIFEST_READER_H
#define STREAM_MANIFEST_READER_H

#include <apr/json.h>
#include <apr/manifest.h>

enum where {
	START, TOP, SHARDS, FILES, FILE_ENTRY, HISTORY, SET, SET_ENTRY, UNSET,
	TENSORS, TENSOR, SHAPE, DONE,
};

struct manifest_reader {
	struct manifest	*m;
	struct json	*json;
	enum where	 at;
	int		 key;		/* of the top level, or a bit of an entry's */
	unsigned	 top_seen, seen;
	/* The entry being read. */
	struct tensor	*t;
	uint64_t	 bytes, row_bytes;
	const struct type *type;
	bool		 blocks_flat;
	char		*name;		/* of a file or of a set key */
	char		*set_type;
	/* A value kept as text. */
	bool		 capturing;
	struct buf	 text;
	struct json_writer w;
	int		 depth;		/* of the captured value */
	struct buf	 extra, entry_extra;
	char		*other;		/* an unknown key */
};

int	manifest_wrong(const struct manifest_reader *, const char *what, struct err *);
/* The value that comes next is kept as text. */
int	manifest_capture(struct manifest_reader *);
/* *to = the key or value, instead of what was there. */
int	manifest_keep(char **to, const char *, size_t, struct err *);

/* manifest_entry.c: the events of a tensor's entry, and of its shape. */
int	entry_begin(struct manifest_reader *, struct err *);
int	entry_event(struct manifest_reader *, enum json_ev, const char *, size_t,
	    struct err *);
int	entry_shape(struct manifest_reader *, enum json_ev, const char *, size_t,
	    struct err *);

#endif
