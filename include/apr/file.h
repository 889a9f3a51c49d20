/* SPDX-License-Identifier: MIT */
/*
 * file.h -- model files: one `const struct format` each, found by content.
 *
 * A format does two things: parse() turns a header into a manifest, and
 * layout() turns a manifest into a header with an offset for every tensor.
 * All the rest (gaps, order, tails, checksums, temporary names) is shared:
 * source.c for reading, pack.c for writing.
 */
#ifndef APR_FILE_H
#define APR_FILE_H

#include <apr/io.h>
#include <apr/json.h>
#include <apr/manifest.h>
#include <apr/vocab.h>

#define HEADER_MAX	((uint64_t)256 << 20)	/* metadata and index */

/* A file that a header holds (an .apr's apr_tools.files): where its JSON
 * string stands in raw, and how long it is. */
struct held {
	const char	*name;		/* in the header's manifest */
	size_t		 from, to;	/* between the quotes */
	bool		 base64;
	uint64_t	 bytes;		/* decoded */
};

/* Onto b: a JSON object's text with one member more, put at its end; one
 * that has the key already gives way. */
void	json_with(struct buf *b, const void *text, size_t n, const char *key,
	    const char *value);

/* Onto b: the object's text without a member, its other bytes as they are. */
void	json_without(struct buf *b, const void *text, size_t n, const char *key);

/* Onto b: the same with the value in its old place, if there is one. */
void	json_put(struct buf *b, const void *text, size_t n, const char *key,
	    const char *value);
/* A source's own metadata, JSON, with what `unset` and entries of `set` of the
 * type "json" say: in other words than GGUF's, which a sink of the source's
 * format heeds. */
#define JSON_SET	"json"
void	json_edited(struct buf *b, const void *text, size_t n, const struct manifest *);
bool	json_is_edited(const struct manifest *);

/* Onto b: the object's text without the members whose text is longer than
 * `most`. */
void	json_short(struct buf *b, const void *text, size_t n, size_t most);

/* Where --provenance puts the stream's history, in every format; as set by
 * apr-pack: the JSON text of a string, or NULL. */
#define HISTORY_KEY	"apr_tools.history"
const char *history_of(const struct manifest *);

/*
 * A parsed header.  parse() appends to m: tensors (in the index's order,
 * offsets absolute in the file) and, if wanted, the metadata view.
 */
struct header {
	const struct format	*format;
	struct buf		 raw;	/* every byte before the data */
	struct manifest		*m;	/* borrowed; tensors from `first` on */
	size_t			 first;
	unsigned		 shard;	/* put into the entries; 0: one file */
	uint64_t		 align;	/* natural padding behind the data */
	bool			 footer; /* the format ends with a CRC-32 */
	uint64_t		 split;	/* GGUF: parts of the model, else 0 */
	struct held		*held;	size_t nheld;	/* sorted by name */
	struct spots		*spots; /* tensors lie anywhere, t->offset is a
					 * spot's number, and raw is empty */
	void			*priv;	/* the format's own, freed by free() */
};

/* Find them in the JSON text at raw[from, to), which is valid JSON. */
int	held_find(struct header *, size_t from, size_t to, struct err *)
	    APR_MUSTCHECK;
/* One file's bytes, in pieces. */
int	held_read(const struct header *, size_t i,
	    int (*put)(void *ctx, const void *, size_t, struct err *), void *ctx,
	    struct err *) APR_MUSTCHECK;

/* Where everything goes in a file to be written. */
struct layout {
	struct buf	 head;		/* the bytes before the data */
	uint64_t	*offset;	/* one a tensor, absolute; ghosts: unused */
	uint64_t	 end;		/* of the padded data: where a footer goes */
	bool		 footer;
};

struct pack_opts {
	bool		 raw;		/* --raw: names as they are */
	bool		 legacy;	/* --apr-codes=legacy */
	int		 order;		/* enum order */
};

/* A file that travels, or NULL: `files` of the stream, held by pack.c. */
struct carried {
	const char	*name;
	const unsigned char *p;
	size_t		 n;
};

/* What layout() gets. */
struct layout_in {
	const struct manifest	*m;
	const size_t		*which;		/* tensors, in the order of data */
	size_t			 n;
	struct header		*source;	/* parsed, of the same format, or NULL;
						 * layout() may let its index, and
						 * its tensors if they are not m's, go */
	const struct carried	*files;		size_t nfiles;
	const struct pack_opts	*opts;
	/* An .apr's, if its source was none: its metadata without what travels
	 * and the end, which layout() takes over, and whether lm_head is the
	 * embedding; NULL: as far as the manifest says. */
	struct buf		*members;
	bool			 tied;
	/* One of several files, part (from 0) of parts; 0: it is whole. */
	size_t			 part, parts;
	uint64_t		 bytes;		/* of all parts' tensors */
	const char		*pattern;	/* how they are called */
	struct buf		*cache;		/* the format's, from part to part */
};

struct format {
	const char	*name;		/* "gguf", as in --format */
	const char	*suffix;	/* ".gguf": only to choose an output */
	bool		 alone;		/* a file is one tensor, called like it */
	/* How sure: bits of content that matched; 0: it is not. */
	int		(*probe)(const unsigned char *, size_t);
	/* From the file's first byte to the first of the data (padding too,
	 * as far as it belongs to the header).  The caller tees it into raw. */
	int		(*parse)(struct in *, struct header *, struct err *);
	void		(*free)(struct header *);
	/* May this type be held?  0, or -1 naming tensor, type and remedy.
	 * This and layout are NULL where a format is only read. */
	int		(*holds)(const struct tensor *, struct err *);
	int		(*layout)(const struct layout_in *, struct layout *,
			    struct err *);
	/* Does this key of set/unset mean anything here? */
	bool		(*has_key)(const char *key);
};

extern const struct format format_apr, format_gguf, format_safetensors;
extern const struct format format_lattice;
extern const struct format format_npz, format_torch;	/* only read */
extern const struct format *const formats[];	/* NULL at the end */

const struct format *format_by_name(const char *);
const struct format *format_by_suffix(const char *path);
const struct format *format_probe(const unsigned char *, size_t);

/* Parse a header from in, which stands at the file's first byte; or from
 * memory, whose buffer is taken, in any case. */
int	header_parse(struct header *, const struct format *, struct in *,
	    struct manifest *, unsigned shard, struct err *) APR_MUSTCHECK;
int	header_parse_mem(struct header *, const struct format *, struct buf *,
	    struct manifest *, unsigned shard, struct err *) APR_MUSTCHECK;
void	header_release(struct header *);
/* The tokenizer among a GGUF's keys or in an .apr's metadata; the kind is
 * VOCAB_NONE if there is none. */
int	header_vocab(const struct header *, struct vocab *, struct err *)
	    APR_MUSTCHECK;
/* The type of a GGUF's key, as sets spell it ("u32", "[string]"); NULL: there is
 * no such key. */
const char *header_key_type(const struct header *, const char *key, char type[16]);
/* Sort m's tensors from `first` on into the order of their data. */
void	header_sort(struct manifest *, size_t first);
/* Overlaps, and data behind the file's end (size UINT64_MAX: unknown). */
int	header_check(const struct manifest *, size_t first, uint64_t data,
	    uint64_t size, struct err *) APR_MUSTCHECK;

/*
 * A Hugging Face directory (or an *.index.json): which files are its weights
 * and which travel.  Names are relative to dir; all owned by the struct.
 */
struct hfdir {
	struct arena	 arena;
	const char	*dir;
	bool		 lattice;	/* no shards, but lattice's index */
	const char	**shard;	size_t nshard;	/* by name */
	struct mfile	*file;		size_t nfile;	/* by bytes of the name */
	const char	**skipped;	size_t nskipped;
};

/* A directory, or the path of an *.index.json (its shards and itself). */
int	hfdir_open(struct hfdir *, const char *path, struct err *) APR_MUSTCHECK;
void	hfdir_release(struct hfdir *);
/* model.safetensors.index.json as transformers makes it: shard[i] is the
 * file name of tensor[i] (NULL: not written). */
int	hfdir_index(const struct manifest *, const char *const *shard,
	    struct buf *, struct err *) APR_MUSTCHECK;

enum order { ORDER_SOURCE, ORDER_NAME, ORDER_QUANTIZE, ORDER_CONVERT };

#endif
