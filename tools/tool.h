/* SPDX-License-Identifier: MIT */
/* tool.h -- what every main() shares: name, messages, options, status. */
#ifndef TOOL_H
#define TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

#define NORETURN __attribute__((__noreturn__))

#define TOOL_VERSION	"0.1.0"

enum { STATUS_OK = 0, STATUS_FAIL = 1, STATUS_USAGE = 2 };
/* Of tools that answer a question, where 1 is an answer. */
enum { STATUS_SAME = 0, STATUS_DIFFERENT = 1, STATUS_TROUBLE = 2 };

/* Options all tools have; TOOL_OPTIONS ends the table. */
enum { OPT_HELP = 256, OPT_VERSION, OPT_OWN };
#define TOOL_OPTSTRING	"qv"
#define TOOL_OPTIONS \
	{ "quiet",   no_argument, NULL, 'q' }, \
	{ "verbose", no_argument, NULL, 'v' }, \
	{ "help",    no_argument, NULL, OPT_HELP }, \
	{ "version", no_argument, NULL, OPT_VERSION }, \
	{ NULL,      0,           NULL, 0 }

extern const char usage_text[];		/* each tool defines its own */

/* Call first.  Takes the name for messages and puts SIGPIPE back. */
void	tool_init(char **argv);
/* Act on a shared option, or on getopt's '?'. */
void	tool_option(int c);
bool	tool_quiet(void);
bool	tool_verbose(void);

/* The message, if fmt is not NULL, then the usage; exits 2. */
void	usage(const char *fmt, ...) APR_PRINTF(1, 2) NORETURN;
void	die(const char *fmt, ...) APR_PRINTF(1, 2) NORETURN;	/* exits 1 */
/* From now on, since 1 is an answer, die() and tool_flush() exit 2. */
void	tool_predicate(void);
void	warn(const char *fmt, ...) APR_PRINTF(1, 2);	/* unless --quiet */
void	note(const char *fmt, ...) APR_PRINTF(1, 2);	/* if --verbose */

/* A whole number in [min, max], with K, M, G (decimal) behind it, or usage(). */
uint64_t tool_number(const char *arg, const char *what, uint64_t min, uint64_t max);
/* A number in [min, max], or usage(). */
double	tool_real(const char *arg, const char *what, double min, double max);
/* Bytes, as "4.2G" or "600Mi": rounded down. */
uint64_t tool_size(const char *arg, const char *what);
/* --zstd[=LEVEL]: 1 to 19, 3 without one. */
int	tool_zstd(const char *arg);
/* A stream is not for the screen, nor comes from it: exits 2 if fd (standard
 * input or output) is a terminal. */
void	tool_no_terminal(int fd);
/* stdout, flushed and checked; exits 1 if it could not be written. */
void	tool_flush(void);

/* A temporary name to remove if the tool is interrupted or dies; drop it, or
 * all of them, when the output has its final name. */
void	tool_temp(const char *path, bool dir);
void	tool_temp_drop(const char *path);
void	tool_temp_done(void);

/* One line for a whole pipe: shown by the stage whose stdout is no pipe, if
 * stderr is a terminal (or -v). */
void	tool_progress_begin(uint64_t total);
void	tool_progress(uint64_t more);
void	tool_progress_end(void);

#endif
