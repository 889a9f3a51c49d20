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

struct pack_target {
	const struct format *format;
	const char	*path;		/* final name; NULL: write to fd */
	int		 fd;		/* if path is NULL; in order, no seeks */
	bool		 dir;		/* a directory of safetensors */
	bool		 force;		/* replace what is there */
	bool		 split;		/* parts as the source has them */
	uint64_t	 shard_size;	/* of a directory's files; 0: as is */
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

#endif
