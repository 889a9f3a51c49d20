/* SPDX-License-Identifier: MIT */
/*
 * pack.h -- a stream into a file, files or a directory: offsets first, then
 * every tensor to its place in whatever order it arrives, and a final name
 * only at the end.
 */
#ifndef APR_PACK_H
#define APR_PACK_H

#include <apr/file.h>
#include <apr/stream.h>

/* Where an output that is many files begins a new one. */
enum pack_cut {
	CUT_NONE,
	CUT_SIZE,	/* before the tensor that would make its data too large */
	CUT_COUNT,	/* after so many tensors */
	CUT_LAYER,	/* where another layer begins */
	CUT_EACH,	/* one tensor a file, whose name is in the file's */
};
#define CUT_MAX	65535u		/* files, at most: what split.count holds */

struct pack_target {
	const struct format *format;
	const char	*path;		/* final name; NULL: write to fd */
	int		 fd;		/* if path is NULL; in order, no seeks */
	bool		 dir;		/* a directory of safetensors */
	bool		 force;		/* replace what is there */
	bool		 split;		/* parts as the source has them */
	uint64_t	 shard_size;	/* of a directory's files; 0: as is */
	/* Parts PATH-00001-of-0000N.SUFFIX (CUT_EACH: PATH-00001-NAME.SUFFIX),
	 * with an index if they are safetensors. */
	enum pack_cut	 cut;
	uint64_t	 most;		/* bytes or tensors of each */
	struct pack_opts opts;
	/* Told of every temporary name, before it exists. */
	void		(*temp)(const char *path, bool dir);
	void		(*progress)(uint64_t more);
};

struct pack;

/* The manifest is borrowed and must not change.  Fails if the output
 * exists and may not be replaced. */
struct pack *pack_open(const struct pack_target *, const struct manifest *,
	    struct err *);
/* All of the stream, its end included: then the output has its name.  On a
 * plan nothing is written.  Fails without leaving anything. */
int	pack_run(struct pack *, struct stream_in *, struct err *) APR_MUSTCHECK;
/* After pack_run(): the files and their exact sizes. */
size_t	pack_files(const struct pack *, size_t i, const char **name, uint64_t *size);
/* What the output holds, which may be other tensors than the stream's; and
 * lines, each with its newline, that people should read. */
const struct manifest *pack_manifest(const struct pack *);
const char *pack_notes(struct pack *);
void	pack_free(struct pack *);

/* The same cuts of a stream into streams, PATH-....tar, each with some of the
 * tensors, the first with all the files; source_open() puts them together.
 * The tensors must come in the manifest's order. */
int	split_stream(const struct pack_target *, struct stream_in *, struct err *)
	    APR_MUSTCHECK;

#endif
