/* SPDX-License-Identifier: MIT */
/*
 * manifest.h -- what a stream says first: every tensor's name, type, shape
 * and length, and what travels with them.  apr-stream(5) is the reference.
 */
#ifndef APR_MANIFEST_H
#define APR_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/buf.h>
#include <apr/err.h>
#include <apr/type.h>

#define TENSOR_DIMS	8
#define TENSOR_NAME	1024		/* bytes of a name, at most */
#define TENSOR_COUNT	(1u << 20)	/* more is refused */

/* One tensor.  Strings belong to the manifest.  n and bytes are set by
 * tensor_set() alone and trusted afterwards.  There may be 20,000. */
struct tensor {
	const char		*name;
	const struct type	*type;
	unsigned		 code;		/* the format's own dtype code */
	unsigned		 shard;		/* from 1; 0: one file */
	uint64_t		 dim[TENSOR_DIMS];	/* slowest first */
	uint64_t		 n;		/* elements */
	uint64_t		 bytes;		/* of data in the stream */
	const char		*tied_to;	/* 0 bytes, equal to that one */
	uint64_t		 row_bytes;	/* rows padded to whole blocks; 0 */
	unsigned		 ndim;
	bool			 flat;		/* blocks run over row ends */
	bool			 gone;		/* a filter uses it up: not written */
	const struct type	*source;	/* source_dtype, or NULL */
	const char		*absmax;	/* number text, or NULL */
	const char		*extra;		/* ,"key":value of unknown keys */
	uint64_t		 offset;	/* in its source file (not written) */
	/* What it is in GGUF's words, where arch_roles() found that the name says
	 * it otherwise; and which piece of that it is (an expert of a stack, a
	 * part of a fused one), -1: all of it.  Not written. */
	const char		*role;
	int32_t			 piece;
	bool			 turned;	/* its columns are not GGUF's in order */
};

/* The name in GGUF, by which rules go: its own, if there is no other. */
const char *tensor_role(const struct tensor *);

/* What tensor_set() is to make of rows that are not whole blocks. */
enum tensor_layout { TENSOR_ROWS, TENSOR_PADDED, TENSOR_FLAT };

/* Set type, and with it rows and bytes; shape must be there.  Fails, naming
 * the tensor, if sizes overflow or rows are not whole blocks. */
int	tensor_set(struct tensor *, const struct type *, enum tensor_layout,
	    struct err *) APR_MUSTCHECK;
/* n / the last dimension; 0 if there is nothing. */
uint64_t tensor_rows(const struct tensor *);
/* Bytes of one row in the stream (flat: 0, it has none). */
uint64_t tensor_row_bytes(const struct tensor *);
/* Do its blocks run over row ends, so that shape x type is not its length? */
bool	tensor_has_flat_mark(const struct tensor *);
/* Same shape? */
bool	tensor_same_shape(const struct tensor *, const struct tensor *);
/* Its entry, as JSON. */
void	tensor_write(const struct tensor *, struct buf *);
/* "[1024, 576]" into a caller's buffer, which is returned. */
const char *tensor_shape(const struct tensor *, char *, size_t);

struct mfile {
	const char	*name;		/* ".source/header", "config.json" */
	uint64_t	 bytes;
};

struct mset {
	const char	*key, *type, *value;	/* value: JSON text */
};

struct manifest {
	struct arena	 arena;
	const char	*source;	/* "apr" "gguf" "safetensors" "hf" */
	const char	*convention;	/* "hf" "gguf" "apr" or NULL */
	const char	*name;		/* a directory's, an .apr's, or NULL */
	bool		 plan, roles;	/* roles: arch_roles() was here */
	const char	*metadata;	/* JSON text of an object, or NULL */
	const char	*extra;		/* ,"key":value of unknown keys */
	const char	**shard;	size_t nshard;
	struct mfile	*file;		size_t nfile;
	const char	**history;	size_t nhistory;	/* JSON objects */
	struct mset	*set;		size_t nset;
	const char	**unset;	size_t nunset;
	struct tensor	*tensor;	size_t ntensor;
};

struct manifest *manifest_new(struct err *);
void	manifest_free(struct manifest *);
/* Lets them go; their names stay. */
void	manifest_no_tensors(struct manifest *);

/* A reader that takes the text in pieces. */
struct manifest_reader;
struct manifest_reader *manifest_reader_new(struct err *);
int	manifest_feed(struct manifest_reader *, const void *, size_t,
	    struct err *) APR_MUSTCHECK;
/* The finished, checked manifest (the caller's); the reader is freed. */
struct manifest *manifest_finish(struct manifest_reader *, struct err *);
void	manifest_reader_free(struct manifest_reader *);

/* As text. */
int	manifest_write(const struct manifest *, struct buf *, struct err *)
	    APR_MUSTCHECK;

/* Append; strings are copied.  The pointer is good until the next one. */
struct tensor *manifest_add_tensor(struct manifest *, const char *name,
	    size_t len, struct err *);
int	manifest_add_file(struct manifest *, const char *name, uint64_t bytes,
	    struct err *) APR_MUSTCHECK;
int	manifest_add_shard(struct manifest *, const char *name, struct err *)
	    APR_MUSTCHECK;
int	manifest_add_history(struct manifest *, const char *json, struct err *)
	    APR_MUSTCHECK;
/* Set replaces an older one, and takes the key out of unset.  Without a type
 * the key is unset. */
int	manifest_set(struct manifest *, const char *key, const char *type,
	    const char *value, struct err *) APR_MUSTCHECK;
/* Duplicates, ties, marks: what must hold between entries. */
int	manifest_check(const struct manifest *, struct err *) APR_MUSTCHECK;

/* Names to indices, by a seeded hash; borrowed names. */
struct names;
struct names *names_new(size_t n, struct err *);
/* 1 added, 0 was there (*old its index), -1 no memory. */
int	names_add(struct names *, const char *, size_t index, size_t *old,
	    struct err *);
/* The index, or SIZE_MAX. */
size_t	names_find(const struct names *, const char *);
void	names_free(struct names *);

/* Marks an .apr's ghost and GGUF's and HF's absent output share: is it a
 * name of the embedding that a tied output copies? */
bool	name_is_embedding(const char *);

/* The N of a GGUF name's leading "blk.N", else -1. */
int64_t	name_layer(const char *);
/* Where llama-quantize visits a tensor: by layer, then by the name's bytes.
 * strcmp's contract. */
int	order_quantize(const char *a, const char *b);
/* Indices of tensors in that order. */
void	order_sort_quantize(const struct tensor *, size_t *which, size_t n);

#endif
