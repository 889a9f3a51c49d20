/* SPDX-License-Identifier: MIT */
/* pack.h -- what planning an output and writing it share. */
#ifndef FILE_PACK_H
#define FILE_PACK_H

#include <apr/arch.h>
#include <apr/pack.h>

#include "lattice.h"

/* One file of the output. */
struct output {
	char		*name;		/* within the directory, or NULL */
	char		*temp;		/* path while it is written */
	int		 fd;
	bool		 seek;		/* else strictly in order */
	bool		 later, done;	/* opened with its first byte, closed with its last */
	uint64_t	 left;		/* bytes to come; 0: closed at the end */
	struct place	 place;
	size_t		*which;		/* tensors, in the order of data */
	size_t		 n;
	struct layout	 l;
	bool		 verbatim;	/* the source's header as it is */
	uint64_t	 align;		/* verbatim: natural padding */
	uint64_t	 end;		/* of the data, unpadded */
	uint64_t	 size;
	struct lattice_check check;
	/* In order: how far it is.  CRCs of the pieces, for a footer. */
	size_t		 next;
	uint64_t	 at;
	uint32_t	*crc;
	uint64_t	*crc_at;	/* bytes in it; a tensor that came in another
					 * order is read again */
};

#define CRC_SCATTERED	UINT64_MAX

/* A small tensor that goes into config.json instead of a file. */
struct captured {
	const char	*name;
	struct buf	 data;
};

struct pack {
	struct pack_target t;
	const struct manifest *in;	/* the stream's */
	const struct manifest *m;	/* the output's: in, or own */
	struct manifest	 own;		/* tensors are map's, the rest is borrowed */
	/* Where conventions differ; see remap.c. */
	struct arch_model *model;
	struct arch_map	*map;
	struct scatter	*scatter;	/* the source tensor that is coming */
	int		 spill;		/* a group's run, or -1 */
	struct captured	 captured[4];
	size_t		 ncaptured;
	struct header	 made;		/* metadata in the output's format */
	struct manifest	*mademan;
	bool		 has_made;
	struct header	 foreign;	/* the source's, of another format */
	struct manifest	*foreignman;
	struct buf	 members;	/* of an .apr's metadata, from { on */
	bool		 has_members, tied;
	struct vocab	*vocab;		/* the source's tokenizer, or NULL */
	struct buf	 notes;		/* lines for people */
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
	struct buf	 part_meta;	/* what layouts of parts share */
};

/* pack_files.c: what travels is kept, written into the directory, or dropped. */
int	pack_take_file(struct pack *, struct stream_in *, const struct member *, struct err *);
/* All of the member, onto the buffer. */
int	pack_slurp(struct stream_in *, struct buf *, struct err *);
/* Headers among them, when all have come, and if they are of use. */
int	pack_parse_sources(struct pack *, struct err *);
/* Is the source's own header of the output's format? */
bool	pack_same_format(const struct pack *);
/* A travelling file that was kept, or NULL. */
const struct carried *pack_file(const struct pack *, const char *name);
/* A file of the directory. */
int	pack_write_file(struct pack *, const char *name, const struct buf *, struct err *);
int	pack_write_index(struct pack *, struct err *);

/* remap.c: what the output's tensors are, before there are outputs. */
int	pack_remap(struct pack *, struct err *);
/* One source tensor to where its bytes belong. */
int	pack_mapped(struct pack *, struct stream_in *, const struct member *, struct err *);
/* Is it a small tensor that config.json will hold instead of a file? */
struct captured *pack_captured(struct pack *, const char *name);
/* Tensors that no source has, as far as they can be written now. */
int	pack_made(struct pack *, struct err *);

/* pack_put.c: open one of the outputs, and write what stands before its data. */
int	pack_begin_output(struct pack *, struct output *, struct err *);
/* Bytes [at, at + n) of a tensor of the output. */
int	pack_put(struct pack *, size_t tensor, const void *, uint64_t at, size_t n,
	    struct err *);
/* What stands behind it; then it is closed. */
int	pack_finish_output(struct pack *, struct output *, struct err *);

/* meta.c: the metadata for an output of another format. */
int	pack_metadata(struct pack *, struct err *);
/* Files that a directory needs and that did not travel, made at the end. */
int	pack_make_files(struct pack *, struct err *);

/* cut.c: one file's order, already in out[0], as parts of it. */
int	pack_cut(struct pack *, struct err *);
/* "model-" and the like in front of a part's number; to be freed. */
char	*cut_prefix(const char *path, struct err *);
/* "PREFIX00001-of-00003.suffix" or "PREFIX00001-NAME.suffix"; to be freed. */
char	*cut_name(const char *prefix, size_t k, size_t n, const char *tensor,
	    const char *suffix, struct err *);
/* Does tensor t begin a new part? */
struct cut {
	enum pack_cut	 how;
	uint64_t	 most, align, bytes;
	int64_t		 layer;
	size_t		 count;
};
bool	cut_here(struct cut *, const struct tensor *);

/* output.c: an output of its own, which will be `name`. */
int	output_open(const struct pack_target *, struct output *, const char *name,
	    struct err *);
int	output_close(int fd, const char *path, struct err *);
/* All of the buffer, and close. */
int	output_write(int fd, const char *path, const struct buf *, struct err *);
/* All of them, or none that was not there before. */
int	output_name_all(const struct pack_target *, const struct output *, size_t n,
	    struct err *);
/* One of the target's; its directory, a file in that (*path, if it is wanted,
 * is to be freed), and the directory's name. */
int	pack_open_output(struct pack *, struct output *, struct err *);
int	pack_open_dir(struct pack *, struct err *);
int	pack_open_in_dir(struct pack *, const char *name, char **path, struct err *);
int	pack_name_dir(const struct pack *, struct err *);

/* plan_files.c: the outputs, each with its tensors. */
int	pack_divide(struct pack *, struct err *);
/* Has a GGUF its tensors where llama-quantize would have them? */
bool	pack_by_quantize(const struct pack *);
struct output *pack_add_output(struct pack *, size_t tensors, struct err *);

/* plan.c: outputs and layouts, when all files have come. */
int	pack_plan(struct pack *, struct err *);
/* plan_tail.c: what the tail says, and from it the sizes. */
int	pack_tail(struct pack *, const void *, size_t, struct err *);
void	pack_sizes(struct pack *);

#endif
