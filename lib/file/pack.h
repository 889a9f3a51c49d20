/* SPDX-License-Identifier: MIT */
/* pack.h -- what planning an output and writing it share. */
#ifndef FILE_PACK_H
#define FILE_PACK_H

#include <apr/pack.h>

/* One file of the output. */
struct output {
	char		*name;		/* within the directory, or NULL */
	char		*temp;		/* path while it is written */
	int		 fd;
	bool		 seek;		/* else strictly in order */
	struct place	 place;
	size_t		*which;		/* tensors, in the order of data */
	size_t		 n;
	struct layout	 l;
	bool		 verbatim;	/* the source's header as it is */
	uint64_t	 align;		/* verbatim: natural padding */
	uint64_t	 end;		/* of the data, unpadded */
	uint64_t	 size;
	/* In order: how far it is.  CRCs of the pieces, for a footer. */
	size_t		 next;
	uint64_t	 at;
	uint32_t	*crc;
};

struct pack {
	struct pack_target t;
	const struct manifest *m;
	char		*tempdir;	/* directory: out.XXXXXX */
	struct carried	*file;		/* held: headers, and files for an .apr */
	size_t		 nfile;
	struct buf	*held;		/* their bytes */
	struct header	*src;		/* parsed headers, by shard */
	struct manifest	**srcm;
	size_t		 nsrc;
	struct output	*out;
	size_t		 nout;
	struct buf	 index;		/* a new index.json, or nothing */
	bool		 keep_index;	/* the old one is right */
	struct { size_t out, pos; } *place;	/* of each tensor */
	uint64_t	*padding;	/* from tail.json, by shard; UINT64_MAX */
	bool		*footer;
};

/* plan.c: outputs and layouts, when all files have come. */
int	pack_plan(struct pack *, struct err *);
/* What the tail says, and from it the sizes. */
int	pack_tail(struct pack *, const void *, size_t, struct err *);
void	pack_sizes(struct pack *);

#endif
