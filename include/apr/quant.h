/* SPDX-License-Identifier: MIT */
/*
 * quant.h -- which tensors get which number type, and a stream in which they
 * have it.  Rules edit the manifest before there is any data; convert_run()
 * then does what they said.
 */
#ifndef APR_QUANT_H
#define APR_QUANT_H

#include <apr/stream.h>

enum quant_rules { RULES_GGML, RULES_APR };
/* What becomes of rows that are not whole blocks. */
enum quant_fallback { FALLBACK_TABLE, FALLBACK_ERROR, FALLBACK_F16, FALLBACK_PAD };

struct quant_opts {
	const struct type	*type;
	enum quant_rules	 rules;
	enum quant_fallback	 fallback;
	bool			 requantize;	/* sources that are quantized too */
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
};

/* What the rules did, for people. */
struct quant_report {
	struct buf		 text;
	uint64_t		 bytes_in;	/* of all tensors, before */
	size_t			 changed;
};

/* llama-quantize's mixes: the name of the type most of it has, or NULL if
 * the name is none. */
const char *quant_mix(const char *name);
/* llama-quantize's number of the mix called like this type; -1: none. */
int	quant_file_type(const struct type *);
/* Does the name say that converters keep the tensor F32, and quantizers
 * leave it alone (norms, routers, positions, what is no weight)? */
bool	quant_never(const struct tensor *);

/* Retype m's tensors, and set the keys that say so.  Returns one entry a
 * tensor, to be freed, or NULL.  The report's text is to be released. */
struct quant_from *quant_apply(struct manifest *, const struct quant_opts *,
	    struct quant_report *, struct err *);
/* The way back, to F32, F16, BF16; what converters keep F32 becomes F32
 * unless `all`. */
struct quant_from *dequant_apply(struct manifest *, const struct type *, bool all,
	    struct quant_report *, struct err *);

/*
 * Copy a stream, converting the tensors that `from` names with `jobs`
 * threads.  The bytes depend on neither jobs nor chunks (APR_CHUNK_ROWS).
 * *tiny counts blocks whose scale is too small for an f16.
 */
int	convert_run(struct stream_in *, struct stream_out *,
	    const struct quant_from *from, unsigned jobs,
	    void (*progress)(uint64_t more), uint64_t *tiny, struct err *)
	    APR_MUSTCHECK;

#endif
