/* SPDX-License-Identifier: MIT */
/* source.h -- what opening a source and copying it share. */
#ifndef FILE_SOURCE_H
#define FILE_SOURCE_H

#include <apr/arch.h>
#include <apr/source.h>

/* One file of a model. */
struct part {
	char		*path;
	int		 fd;
	bool		 owned;		/* fd is ours to close */
	struct in	*in;
	struct header	 h;
	uint64_t	 data;		/* where the header ended */
	size_t		 count;		/* tensors that it has */
	void		*map;		/* of the whole file, or NULL */
	size_t		 mapped;
};

/* Where a travelling file is. */
enum where { FILE_HEADER, FILE_HELD, FILE_PATH };
struct where_is {
	enum where	 where;
	size_t		 index;
};

struct source {
	struct manifest	*m;
	struct stream_in *stream;	/* a saved stream: then nothing else */
	struct stream_in **more;	size_t nmore;	/* but its other parts */
	struct part	*part;
	size_t		 npart;
	struct where_is	*file;		/* as m->file */
	struct hfdir	 dir;
	bool		 reordered;
	/* In another convention: what the files hold, and the way from it to
	 * m->tensor, whose offsets are then places in as->out. */
	struct arch_model *model;	/* opened when first wanted */
	struct arch_map	*as;
	struct tensor	*from;
	size_t		 nfrom;
};

/* as_copy.c: all tensors in the order of the manifest. */
int	as_copy(struct source *, struct stream_out *, void (*progress)(uint64_t),
	    struct err *);

/* map.c: file i of the directory, opened; path is it, for messages. */
int	source_open_path(const struct source *, size_t i, struct buf *path, struct err *);

/* copy.c: the end of a part, as tail.json has it ("" is as usual). */
int	part_tail(const struct part *, const struct manifest *, uint64_t end,
	    bool plan, struct buf *, struct err *);

#endif
