/* SPDX-License-Identifier: MIT */
/*
 * quant.h -- which tensors get which number type, and a stream in which they
 * have it.  Rules edit the manifest before there is any data; convert_run()
 * then does what they said.
 */
#ifndef APR_QUANT_H
#define APR_QUANT_H

#include <apr/imatrix.h>
#include <apr/recipe.h>
#include <apr/stream.h>

enum quant_rules { RULES_GGML, RULES_APR, RULES_LATTICE };
/* What becomes of rows that are not whole blocks. */
enum quant_fallback { FALLBACK_TABLE, FALLBACK_ERROR, FALLBACK_F16, FALLBACK_PAD };
/* Their names, and those of enum effort; NULL at the end. */
extern const char *const quant_fallbacks[], *const quant_efforts[];

/* All borrowed. */
struct quant_opts {
	const struct recipe	*recipe;
	enum quant_rules	 rules;		/* but ggml's: of recipe_type() only */
	enum quant_fallback	 fallback;
	enum effort		 effort;
	const struct imatrix	*imatrix;	/* or NULL */
	bool			 requantize;	/* sources that are quantized too */
	/* llama-quantize's options of these names. */
	bool			 pure;
	bool			 leave_output;
	const struct type	*output_type, *embedding_type;	/* or NULL */
	const struct mset	*kv;		/* --override-kv */
	size_t			 nkv;
};

/* A tensor's type and layout before the rules; type NULL: unchanged. */
struct quant_from {
	const struct type	*type;
	uint64_t		 bytes, row_bytes;
	const char		*absmax;
	/* What the rules wanted, where rows are no whole blocks of it; else
	 * NULL. */
	const struct type	*wanted;
	/* Importance of the columns: nqw weights of an entry of the imatrix,
	 * from qw_at on: a row's length, or that times the slices of the
	 * slowest dimension (experts).  nqw 0: none.  They are read when they
	 * are needed. */
	size_t			 qw;
	uint64_t		 qw_at, nqw;
	/* 8-bit floats: 1 + the tensor of their scales, else 0; of that tensor,
	 * which is read and goes no further: 1 + theirs. */
	size_t			 scale;
	bool			 used_up;
	bool			 needs_qw;	/* it cannot do without */
	bool			 kept;		/* the rules leave it as it is */
};

/* What the rules did, for people. */
struct quant_report {
	struct buf		 text;
	struct buf		 warnings;	/* each with a NUL behind it */
	uint64_t		 bytes_in;	/* of all tensors, before */
	size_t			 changed;
};
void	quant_report_release(struct quant_report *);

/* Does the name say that converters keep the tensor F32, and quantizers
 * leave it alone (norms, routers, positions, what is no weight)? */
bool	quant_never(const struct tensor *);

/* Retype m's tensors, and set the keys that say so.  Returns one entry a
 * tensor, to be freed, or NULL.  The report is to be released. */
struct quant_from *quant_apply(struct manifest *, const struct quant_opts *,
	    struct quant_report *, struct err *);
/* The way back, to F32, F16, BF16; what converters keep F32 becomes F32
 * unless `all`. */
struct quant_from *dequant_apply(struct manifest *, const struct type *, bool all,
	    struct quant_report *, struct err *);

/* llama-quantize's keys about an importance matrix, behind those that
 * quant_apply() set; chunks 0: no such key. */
int	quant_set_imatrix(struct manifest *, const char *file, const char *dataset,
	    uint32_t entries, uint32_t chunks, struct err *) APR_MUSTCHECK;

/* What quant_apply() made of a manifest, as a recipe: every tensor by its
 * name, and `set`.  It gives the same bytes for any part of the model. */
int	quant_resolved(const struct manifest *, const struct quant_from *,
	    const struct quant_opts *, const char *about, struct buf *, struct err *)
	    APR_MUSTCHECK;

/* Fails, naming the tensor and its type, if one that `from` names cannot be
 * made with that effort. */
int	quant_check_effort(const struct manifest *, const struct quant_from *from,
	    enum effort, struct err *) APR_MUSTCHECK;

/* How far an importance matrix reaches. */
struct quant_coverage {
	size_t		 with, without;	/* tensors made into blocks */
	size_t		 unused;	/* entries for no tensor of the stream */
	uint64_t	 experts, cold;	/* in stacks; no token reached them */
	struct buf	 missing;	/* "NAME, ...": the first ones without */
	struct buf	 text;		/* "NAME (2 of 8), ...": the cold ones */
};

/*
 * Give the tensors of `from` their entries, after the rules, by role.  A
 * stream whose names are nobody's is refused, and so is an entry of another
 * length than columns times experts (but for token_embd.weight, which then
 * goes without), a tensor whose columns are not in GGUF's order, and one
 * without an entry that cannot do without.
 * Experts that no token reached weigh 1 everywhere (a .dat: what it says).
 * The texts are to be released, in any case.
 */
int	quant_weigh(const struct manifest *, struct quant_from *, struct imatrix *im,
	    struct quant_coverage *, struct err *) APR_MUSTCHECK;
/*
 * What a conversion did to a tensor's n values, x before and y after: sums in
 * F64 over tiles of 4096 elements of each row (of the whole tensor where
 * blocks run over row ends), the tiles added in order; so they depend on
 * neither threads nor chunks nor the processor.
 */
struct quant_error {
	uint64_t	 n;
	double		 xx, yy, dd;		/* of x^2, y^2, (x-y)^2 */
	double		 max;			/* |x-y| */
	uint64_t	 tiny;		/* blocks with a scale too small for an f16 */
	uint64_t	 misread;	/* that ggml's IQ3_S has in disorder */
};

/* Of n values; the sum of two; dd / xx; the cosine. */
struct quant_error quant_error_of(const float *x, const float *y, size_t n);
void	quant_error_add(struct quant_error *, const struct quant_error *);
double	quant_nmse(const struct quant_error *);
double	quant_cosine(const struct quant_error *);

struct convert_opts {
	unsigned		 jobs;		/* threads */
	enum effort		 effort;
	struct imatrix		*imatrix;	/* what `from` refers to, or NULL */
	bool			 measure;	/* errors, not only `tiny` */
	void			(*progress)(uint64_t more);
	/* Told of every tensor, in the stream's order, when it was written;
	 * the error is NULL where it went through unchanged.  -1: stop. */
	int			(*done)(void *ctx, size_t tensor,
				    const struct quant_error *, struct err *);
	void			*ctx;
};

/*
 * Copy a stream, converting the tensors that `from` names.  The bytes depend
 * on neither jobs nor chunks (APR_CHUNK_ROWS).
 */
int	convert_run(struct stream_in *, struct stream_out *,
	    const struct quant_from *from, const struct convert_opts *,
	    struct err *) APR_MUSTCHECK;

#endif
