/* SPDX-License-Identifier: MIT */
/* diff.h -- what the modes of apr-diff share. */
#ifndef TOOL_DIFF_H
#define TOOL_DIFF_H

#include <apr/diff.h>
#include <apr/logits.h>

#include "put.h"
#include "tool.h"

enum { OPT_JSON = OPT_OWN, OPT_BYTES, OPT_TYPES, OPT_METADATA, OPT_TOP, OPT_LOGITS, OPT_RUN,
	OPT_TRACE, OPT_MAX_NMSE, OPT_MAX_RMSE, OPT_MAX_ABS, OPT_MIN_COSINE, OPT_MIN_SQNR,
	OPT_MIN_EQUAL, OPT_MAX_KL, OPT_MIN_AGREE, OPT_TIE, OPT_CONTEXT, OPT_PRECISE };

enum diff_meta { META_MODEL, META_ALL, META_IGNORE };

/* What the command line said. */
struct diff_opts {
	const char	*path[2];
	unsigned	 jobs, top;
	const char	*run;		/* the text, or NULL */
	unsigned	 context;
	bool		 json, bytes, types, precise;
	enum diff_meta	 metadata;
};

/* diff_limits.c: the bounds that were asked for.  Without one, all must be
 * equal. */
bool	limit_option(int c, const char *arg);
bool	limits_given(void);
/* Is what was measured within them?  NaN never is. */
bool	limits_hold(const struct diff_error *);

/* diff_json.c: members of an object. */
void	put_error(struct buf *, const struct diff_error *, const struct tensor *shape);
/* To standard output. */
void	put_out(struct buf *);

/* "[3, 17]" of element i, into a caller's buffer, which is returned. */
const char *place_of(const struct tensor *, uint64_t i, char *, size_t);

/* Operands opened as apr-cat does. */
void	open_two(const struct diff_opts *, struct source *s[2]);

/* diff_vocab.c: what their tokenizers disagree about; *n: of how many things. */
void	diff_vocab(const struct diff_opts *, struct source *s[2], diff_key *, void *ctx, size_t *n);

/* The modes; each returns the exit status. */
int	diff_models(const struct diff_opts *);
int	diff_logits(const struct diff_opts *);
int	diff_run_models(const struct diff_opts *);
int	diff_trace(const struct diff_opts *);

/* Two kernels' roundings, and no more. */
#define DIFF_TRACE_NMSE	1e-6

/* diff_logits.c: bounds of predictions, and what all of them say, as the rest
 * of an object whose positions were printed if it is begun.  Frees the sums;
 * the exit status. */
bool	logits_option(int c, const char *arg);
double	logits_tie(void);
int	logits_report(const struct diff_opts *, struct logits_sums *, uint64_t first, bool begun);

#endif
