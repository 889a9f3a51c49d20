/* SPDX-License-Identifier: MIT */
/* diff.h -- what matching, reading and comparing share. */
#ifndef DIFF_DIFF_H
#define DIFF_DIFF_H

#include <apr/diff.h>

/* A tensor of a source in a run of several, whose element `at` is its first. */
struct piece {
	size_t		 tensor;
	uint64_t	 at;
};

/*
 * A tensor as it is compared, seen in a source: n elements of a run (from
 * `at` on), which is pieces one behind the other, shuffled.  In F32, so that
 * blocks are no obstacle: the shuffle counts in bytes of that.
 */
struct view {
	unsigned	 side;
	struct shuffle	 sh;
	enum arch_value	 value;
	const unsigned char *data;	/* made from the config; or NULL */
	uint64_t	 at;
	bool		 strips;	/* turned in whole rows of the pair */
	struct piece	*piece;		/* in the diff's arena, by `at` */
	size_t		 npiece;
};

/* What a side has to offer, under GGUF's name or its own.  In the arena. */
struct out {
	const struct tensor *t;		/* its shape as compared */
	const struct type *type;	/* the source's */
	const char	*name, *source;
	const char	*why;		/* incomplete: what is missing */
	bool		 several, taken;
	struct view	 v;
};

struct side {
	struct source		*s;
	const struct manifest	*m;
	struct stream_in	*stream;	/* NULL: files that can seek */
	int			 conv;		/* enum arch_conv, or -1 */
	struct arch_model	*own;		/* what it says that it is, or NULL */
	const struct arch_model	*model;		/* whose tables fit it best, or NULL */
	struct out		**out;
	size_t			 nout;
	size_t			 left;
	struct names		*names;		/* of all, where 8-bit floats are */
	int			*spill;		/* one a tensor of a stream, or -1 */
};

struct pair {
	struct diff_entry	 e;
	struct view		*v[2];
	bool			 wide;		/* as F64 */
	uint64_t		 cols;		/* of a row, as compared */
	uint64_t		 n, done;	/* elements, or bytes if raw */
	struct diff_sums	*sums;		/* while it is under way */
};

struct diff {
	struct arena		 arena;
	struct side		 side[2];
	struct pair		*pair;
	size_t			 npair;
	bool			 bytes;
};

/* pair.c: an entry of what one or both sides (the other NULL) have.  Good
 * until the next. */
struct pair *diff_pair(struct diff *, struct out *a, struct out *b, const char *name,
	    struct err *);
/* Names of a side's tensors, if any may have scales. */
int	diff_find_scaled(struct side *, struct err *) APR_MUSTCHECK;

/* match.c: pairs of tensors with one name, which are then taken; of all others,
 * by role; all: there are no pairs yet. */
int	diff_match_names(struct diff *, bool *taken[2], struct err *) APR_MUSTCHECK;
int	diff_match_roles(struct diff *, bool *taken[2], bool all, struct err *) APR_MUSTCHECK;

/* roles.c: offers of some of a side's tensors, by GGUF's names as far as the
 * model's tables know them; all: what the config implies too. */
int	diff_offer(struct diff *, unsigned side, const size_t *which, size_t n, bool all,
	    struct err *) APR_MUSTCHECK;
/* One of them, as it is. */
struct out *diff_offer_one(struct diff *, unsigned side, size_t tensor, struct err *);

/* read.c.  Bytes of a tensor that are in memory already. */
struct held_bytes {
	size_t			 tensor;
	uint64_t		 at;
	const unsigned char	*p;
};
/* Elements [at, at + n) of a view to floats, or doubles if wide. */
int	diff_view_get(struct diff *, const struct view *, const struct held_bytes *, bool wide,
	    uint64_t at, size_t n, void *dst, struct err *) APR_MUSTCHECK;
/* Are its cells so small that whole rows of `cols` must be turned at once? */
bool	diff_view_strips(const struct view *, uint64_t cols);
/* Does nothing move, so that bytes can be taken as they come? */
bool	diff_view_plain(const struct diff *, const struct view *);
/* n bytes of a tensor as they are stored. */
int	diff_side_bytes(struct diff *, unsigned side, size_t tensor, const struct held_bytes *,
	    uint64_t at, void *dst, size_t n, struct err *) APR_MUSTCHECK;
/* Where element e is, which begins a block. */
uint64_t diff_tensor_at(const struct tensor *, uint64_t e);

#endif
