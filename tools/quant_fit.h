/* SPDX-License-Identifier: MIT */
/* quant_fit.h -- apr-quant's --target-size and what belongs to it. */
#ifndef QUANT_FIT_H
#define QUANT_FIT_H

#include <apr/quant.h>

enum { OPT_SIZE = 500, OPT_BPW, OPT_ERRORS, OPT_TYPES, OPT_FORMAT };

#define FIT_OPTIONS \
	{ "target-size", required_argument, NULL, OPT_SIZE }, \
	{ "target-bpw",  required_argument, NULL, OPT_BPW }, \
	{ "errors",      required_argument, NULL, OPT_ERRORS }, \
	{ "types",       required_argument, NULL, OPT_TYPES }, \
	{ "format",      required_argument, NULL, OPT_FORMAT }
#define FIT_USAGE \
    "      --target-size N   types such that the file has at most N bytes (4.2G)\n" \
    "      --target-bpw X    or at most X bits per weight\n" \
    "      --errors FILE     by what --stats measured (repeatable)\n" \
    "      --types LIST      choose from these (q4_k,q6_k)\n" \
    "      --format FORMAT   of the file: apr, gguf, safetensors (the source's)\n"

/* Act on an option; false: it is another's. */
bool	fit_option(int c, const char *arg);
/* Was a size or a number of bits given? */
bool	fit_wanted(void);
/* The same choice, in history; nothing if there was none. */
void	fit_history(struct buf *);
/* Picks for the recipe.  The stream's files are read, and held. */
void	fit_run(struct stream_in *, const struct quant_opts *, struct recipe *);
/* Those files, to where they belong; before convert_run(). */
void	fit_files(struct stream_out *);

#endif
