/* SPDX-License-Identifier: MIT */
/*
 * quant.h -- which tensors get which number type, and a stream in which they
 * have it.  Rules edit the manifest before there is any data; convert_run()
 * then does what they said.
 */
#ifndef APR_QUANT_H
#define APR_QUANT_H

#include <apr/recipe.h>
#include <apr/stream.h>

enum quant_rules { RULES_GGML, RULES_APR };
/* What becomes of rows that are not whole blocks. */
enum quant_fallback { FALLBACK_TABLE, FALLBACK_ERROR, FALLBACK_F16, FALLBACK_PAD };
/* Their names, and those of enum effort; NULL at the end. */
extern const char *const quant_fallbacks[], *const quant_efforts[];

struct imatrix;

/* All borrowed. */
struct quant_opts {
	const struct recipe	*recipe;
	enum quant_rules	 rules;		/* RULES_APR: of recipe_type() only */
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
	/* Importance of the columns, borrowed: nqw is the row's length, or
	 * that times the experts (slices of the slowest dimension).  NULL: none. */
	const float		*qw;
	uint64_t		 nqw;
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

/* llama-quantize's number of the mix called like this type; -1: none. */
int	quant_file_type(const struct type *);
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

/*
 * Copy a stream, converting the tensors that `from` names with `jobs`
 * threads.  The bytes depend on neither jobs nor chunks (APR_CHUNK_ROWS).
 * *tiny counts blocks whose scale is too small for an f16.
 */
int	convert_run(struct stream_in *, struct stream_out *,
	    const struct quant_from *from, enum effort, unsigned jobs,
	    void (*progress)(uint64_t more), uint64_t *tiny, struct err *)
	    APR_MUSTCHECK;

#endif
