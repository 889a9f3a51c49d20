/* SPDX-License-Identifier: MIT */
/* quant_opts.h -- options of apr-quant that have a file of their own. */
#ifndef QUANT_OPTS_H
#define QUANT_OPTS_H

#include <apr/quant.h>

enum { OPT_IMATRIX = 400, OPT_INCLUDE, OPT_EXCLUDE, OPT_STATS, OPT_REPORT, OPT_MAX_NMSE };

#define IMATRIX_OPTIONS \
	{ "imatrix",         required_argument, NULL, OPT_IMATRIX }, \
	{ "include-weights", required_argument, NULL, OPT_INCLUDE }, \
	{ "exclude-weights", required_argument, NULL, OPT_EXCLUDE }
#define IMATRIX_USAGE \
    "      --imatrix FILE    how much each column counts (GGUF or .dat)\n" \
    "      --include-weights TEXT  only its entries with this in their name\n" \
    "      --exclude-weights TEXT  not these (both repeatable)\n"

/* Act on an option; false: it is another's. */
bool	imatrix_option(int c, const char *arg);
/* The one that was asked for, opened, or NULL.  Dies if it cannot be read. */
struct imatrix *imatrix_given(void);
/* After the rules: the weights' entries, the keys, and a word on coverage. */
void	imatrix_apply(struct manifest *, struct quant_from *);
/* The keys alone, for who wants to know how long a header gets. */
void	imatrix_keys(struct manifest *);
void	imatrix_done(void);

#define REPORT_OPTIONS \
	{ "stats",    required_argument, NULL, OPT_STATS }, \
	{ "report",   required_argument, NULL, OPT_REPORT }, \
	{ "max-nmse", required_argument, NULL, OPT_MAX_NMSE }
#define REPORT_USAGE \
    "      --stats FILE      what each tensor lost, a line of JSON each\n" \
    "      --report FILE     the summary as JSON\n" \
    "      --max-nmse X      fail if a tensor loses more\n"

bool	report_option(int c, const char *arg);
/* Does anything asked for need the errors measured? */
bool	report_measures(void);
/* Before the first tensor: opens files, over others only with force.  `type`
 * is the one that was asked for, for its bits per weight, or NULL. */
void	report_begin(const struct manifest *, const struct quant_from *,
	    const struct quant_report *, const struct type *, bool force);
/* convert_run()'s done. */
int	report_tensor(void *, size_t, const struct quant_error *, struct err *);
/* The stream has ended: the summary, and files get their names. */
void	report_end(void);

#endif
