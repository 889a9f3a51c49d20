/* SPDX-License-Identifier: MIT */
/* map.h -- what the files of a map to another convention share. */
#ifndef ARCH_MAP_H
#define ARCH_MAP_H

#include "arch.h"

#define MAP_NONE	SIZE_MAX

/* Groups while they are being found. */
struct found {
	struct arch_hit	 hit;		/* of its first tensor */
	size_t		 n, first;	/* sources; the one that came first */
	bool		 alone;		/* one to one, nothing moves */
	/* Its sources' places in the run of all: chained through next. */
	size_t		 head;
};

struct mapper {
	const struct arch_model	*model;
	const struct manifest	*m;
	enum arch_conv		 from, to;
	struct arch_map		*map;
	struct found		*f;	size_t nf;
	struct { size_t next, place; } *src;	/* one a source */
	size_t			*order;	/* sources of one group, by place */
	size_t			 cap;	/* of map->out */
	struct names		*names;
};

/* map_move.c: how bytes move within a tensor.  What a packed type does not
 * survive is done before packing: that it was not is the error. */
int	map_packed(const struct mapper *, const struct tensor *, struct err *);
int	map_misfit(const struct tensor *, const char *what, uint64_t n, uint64_t by, struct err *);
bool	map_is_plain(const struct tensor *);
/* The convention to go to, by name. */
const char *map_target(const struct mapper *);
/*
 * The shuffle from Hugging Face's layout (or, with n parts, .apr's) to
 * GGUF's, for a tensor of Hugging Face's shape.  Its type is the target's.
 */
int	map_shuffle(const struct mapper *, enum arch_op, const struct tensor *, unsigned parts,
	    struct shuffle *, struct err *) APR_MUSTCHECK;
/* Lengths of the parts of GGUF's rows, in .apr. */
int	map_part_rows(const struct mapper *, const struct arch_tensor *, const struct tensor *,
	    uint64_t rows[3], struct err *) APR_MUSTCHECK;
/* A matrix's shape the other way round. */
void	map_swap(struct tensor *);

/* map_out.c: what comes out.  One more, with `like`'s shape, type and name. */
struct tensor *map_add(struct mapper *, size_t group, uint64_t at, const struct tensor *like,
	    struct err *);
int	map_name(struct mapper *, struct tensor *, const struct arch_hit *, struct err *)
	    APR_MUSTCHECK;
/* One tensor to one. */
int	map_one(struct mapper *, size_t group, const struct tensor *, const struct arch_hit *,
	    enum arch_op, struct err *) APR_MUSTCHECK;

/* map_parts.c: experts, each a tensor, into a stack, and back; GGUF's one
 * tensor, or Hugging Face's, that is several in .apr, and together again. */
int	map_stack(struct mapper *, size_t group, const struct found *, struct err *) APR_MUSTCHECK;
int	map_unstack(struct mapper *, size_t group, const struct tensor *, struct arch_hit *,
	    struct err *) APR_MUSTCHECK;
int	map_take_apart(struct mapper *, size_t group, const struct tensor *, struct arch_hit *,
	    struct err *) APR_MUSTCHECK;
int	map_join(struct mapper *, size_t group, const struct found *, struct err *) APR_MUSTCHECK;

/* map_out.c, for those: type and shape are there, so bytes are set, and the
 * type that it was; the largest of several maxima; the type that it is to have. */
int	map_set(struct tensor *, const struct type *, const struct tensor *src, struct err *)
	    APR_MUSTCHECK;
const char *map_absmax(const struct mapper *, const struct found *);
const struct type *map_type(const struct mapper *, const struct tensor *, const struct arch_hit *,
	    unsigned ndim, struct err *);

#endif
