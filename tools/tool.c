/* SPDX-License-Identifier: MIT */
/* tool.c -- what every main() shares. */
#include <errno.h>
#ifdef __GLIBC__
# include <malloc.h>
#endif
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr/io.h>
#include <apr/size.h>

#include "tool.h"

#define TEMPS	(1 << 17)	/* a file a tensor: lattice, parts */

static const char *progname = "apr";
static int level = 1;		/* 0 quiet, 1 warnings, 2 notes */
static int failed = STATUS_FAIL;

/* Read by a signal handler: entries are complete before the count grows. */
static struct { const char *path; bool dir; } temps[TEMPS];
static volatile sig_atomic_t ntemps;

static void
remove_temps(void)
{
	for (int i = (int)ntemps; i-- > 0; )
		if (temps[i].dir)
			(void)rmdir(temps[i].path);
		else
			(void)unlink(temps[i].path);
	ntemps = 0;
}

static void
on_signal(int sig)
{
	remove_temps();
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

void
tool_temp(const char *path, bool dir)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	static bool ready;
	char *copy;

	if (!ready) {
		struct sigaction sa = { .sa_handler = on_signal }, old;

		sigemptyset(&sa.sa_mask);
		for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++)
			sigaddset(&sa.sa_mask, sigs[i]);
		for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++)
			/* What nohup ignores stays ignored. */
			if (sigaction(sigs[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
				(void)sigaction(sigs[i], &sa, NULL);
		(void)atexit(remove_temps);
		ready = true;
	}
	if (ntemps == TEMPS || !(copy = strdup(path)))
		return;
	temps[ntemps].path = copy;
	temps[ntemps].dir = dir;
	ntemps++;
}

/* A signal in between finds the last one twice, which does no harm. */
void
tool_temp_drop(const char *path)
{
	for (int i = (int)ntemps; i-- > 0; )
		if (!strcmp(temps[i].path, path)) {
			const char *gone = temps[i].path;

			temps[i] = temps[ntemps - 1];
			ntemps--;
			free((void *)gone);
			return;
		}
}

void
tool_temp_done(void)
{
	ntemps = 0;
}

static void
message(const char *fmt, va_list ap)
{
	struct err e = { "" };
	char text[sizeof e.msg];

	vsnprintf(text, sizeof text, fmt, ap);
	err_set(&e, "%s", text);
	fprintf(stderr, "%s: %s\n", progname, e.msg);
}

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
	exit(failed);
}

void
tool_predicate(void)
{
	failed = STATUS_TROUBLE;
}

void
warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (level >= 1)
		message(fmt, ap);
	va_end(ap);
}

void
note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (level >= 2)
		message(fmt, ap);
	va_end(ap);
}

void
usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (fmt)
		message(fmt, ap);
	va_end(ap);
	fputs(usage_text, stderr);
	exit(STATUS_USAGE);
}

void
tool_flush(void)
{
	int bad = ferror(stdout);

	if (fclose(stdout) || bad)
		die("write: %s", strerror(errno ? errno : EIO));
}

void
tool_option(int c)
{
	switch (c) {
	case 'q':
		level = 0;
		break;
	case 'v':
		level = 2;
		break;
	case OPT_HELP:
		fputs(usage_text, stdout);
		tool_flush();
		exit(STATUS_OK);
	case OPT_VERSION:
		printf("%s %s\n", progname, TOOL_VERSION);
		tool_flush();
		exit(STATUS_OK);
	default:
		usage(NULL);
	}
}

bool
tool_quiet(void)
{
	return level == 0;
}

bool
tool_verbose(void)
{
	return level >= 2;
}

void
tool_init(char **argv)
{
	if (argv[0])
		progname = path_base(argv[0]);
#ifdef __GLIBC__
	/* What was freed goes back: peaks are promised, not just usual. */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 16);
	(void)mallopt(M_ARENA_MAX, 1);
#endif
	/* Parents forget: a pipe that closes must end us quietly. */
	(void)signal(SIGPIPE, SIG_DFL);
}

uint64_t
tool_number(const char *arg, const char *what, uint64_t min, uint64_t max)
{
	uint64_t v = 0, unit = 1;
	const char *p = arg;

	for (; *p >= '0' && *p <= '9'; p++)
		if (u64_mul(&v, v, 10) || u64_add(&v, v, (uint64_t)(*p - '0')))
			usage("%s: %s is too large", what, arg);
	if (p > arg && *p && !p[1]) {
		unit = *p == 'K' || *p == 'k' ? 1000 : *p == 'M' ? 1000000 :
		    *p == 'G' ? 1000000000 : 0;
		p++;
	}
	if (p == arg || *p || unit == 0 || u64_mul(&v, v, unit))
		usage("%s: %s is no number", what, arg);
	if (v < min || v > max)
		usage("%s: %s is not between %llu and %llu", what, arg,
		    (unsigned long long)min, (unsigned long long)max);
	return v;
}

double
tool_real(const char *arg, const char *what, double min, double max)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !isfinite(v))
		usage("%s: %s is no number", what, arg);
	if (!(v >= min && v <= max))
		usage("%s: %s is not between %g and %g", what, arg, min, max);
	return v;
}

uint64_t
tool_size(const char *arg, const char *what)
{
	static const char units[] = "KMGT";
	uint64_t v = 0, unit = 1, part = 1;
	const char *p = arg, *u;
	bool point = false, some = false;

	for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		some = true;
		if (u64_mul(&v, v, 10) || u64_add(&v, v, (uint64_t)(*p - '0')) ||
		    (point && u64_mul(&part, part, 10)))
			usage("%s: %s has too many digits", what, arg);
	}
	if (*p && (u = strchr(units, *p >= 'a' ? *p - 'a' + 'A' : *p))) {
		uint64_t step = p[1] == 'i' ? 1024 : 1000;

		for (; u >= units; u--)
			unit *= step;
		p += p[1] == 'i' ? 2 : 1;
	}
	if (!some || *p)
		usage("%s: %s is no size", what, arg);
	/* Whole units, then what the decimals add. */
	if (v / part > INT64_MAX / unit)
		usage("%s: %s is too large", what, arg);
	return v / part * unit + (uint64_t)((double)(v % part) / (double)part * (double)unit);
}

int
tool_zstd(const char *arg)
{
	return arg ? (int)tool_number(arg, "--zstd", 1, 19) : 3;
}

void
tool_no_terminal(int fd)
{
	if (isatty(fd))
		usage(fd == STDIN_FILENO ?
		    "standard input is a terminal: a stream comes through a pipe" :
		    "standard output is a terminal, and a stream is not for reading");
}
