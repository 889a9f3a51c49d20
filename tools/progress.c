/* SPDX-License-Identifier: MIT */
/* progress.c -- how far a whole pipe is, from the manifest's exact total. */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static bool shown;
static uint64_t total, done;
static double start, last;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
line(char end)
{
	double s = now() - start, share = total ? (double)done / (double)total : 1;
	double rate = s > 0 ? (double)done / s : 0;

	fprintf(stderr, "\r%6.1f of %.1f MB  %3.0f %%  %.0f MB/s  %s %.0f s \033[K%s",
	    (double)done / 1e6, (double)total / 1e6, share * 100, rate / 1e6,
	    end ? "in" : "left", end ? s : rate > 0 ? (double)(total - done) / rate : 0,
	    end ? "\n" : "");
}

void
tool_progress_begin(uint64_t bytes)
{
	struct stat st;
	bool pipe = fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);

	shown = !tool_quiet() && ((isatty(STDERR_FILENO) && !pipe) || tool_verbose());
	total = bytes;
	done = 0;
	start = last = now();
}

void
tool_progress(uint64_t more)
{
	double t;

	done += more;
	/* Six times a second is as often as anybody reads. */
	if (shown && (t = now()) - last > 0.16) {
		last = t;
		line(0);
	}
}

void
tool_progress_end(void)
{
	if (shown)
		line(1);
	shown = false;
}
