/* SPDX-License-Identifier: MIT */
/* relay.c -- a client's output, its signals and its end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr/io.h>

#include "relay.h"
#include "tool.h"

#define MARK	(RELAY_DIGITS + 2)

static pid_t client;

static void
on_signal(int sig)
{
	(void)kill(client, sig);
}

/* Its output comes through us. */
static int
start(char **command)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;
	int fd[2];

	if (pipe(fd) < 0 || (client = fork()) < 0)
		die("%s", strerror(errno));
	if (client == 0) {
		/* If we are killed it must not stay. */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)dup2(fd[1], STDOUT_FILENO);
		(void)close(fd[0]);
		(void)close(fd[1]);
		execvp(command[0], command);
		die("%s: %s", command[0], strerror(errno));
	}
	for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++)
		if (sigaction(sigs[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(sigs[i], &sa, NULL);
	(void)close(fd[1]);
	return fd[0];
}

/* Passes on all but the mark; was it there? */
static bool
pass(int fd, const char *digits)
{
	char mark[MARK] = { 0 }, b[65536], *at;
	bool seen = false;
	size_t n = 0;
	ssize_t r;

	memcpy(mark + 1, digits, RELAY_DIGITS);
	while ((r = read(fd, b + n, sizeof b - n)) > 0) {
		size_t out;
		struct err e;

		n += (size_t)r;
		if (!seen && (at = memmem(b, n, mark, MARK))) {
			n -= MARK;
			memmove(at, at + MARK, n - (size_t)(at - b));
			seen = true;
		}
		/* A NUL near the end may be the mark's. */
		out = seen || n < MARK ? 0 : n - MARK + 1;
		at = seen ? NULL : memchr(b + out, 0, n - out);
		out = at ? (size_t)(at - b) : n;
		if (io_write(STDOUT_FILENO, b, out, &e) < 0)
			die("%s", e.msg);
		memmove(b, b + out, n -= out);
	}
	fwrite(b, 1, n, stdout);
	tool_flush();
	return seen;
}

int
relay(char **command, const char *digits, bool *ended)
{
	int fd = start(command), status;

	*ended = pass(fd, digits);
	(void)close(fd);
	while (waitpid(client, &status, 0) < 0)
		if (errno != EINTR)
			die("%s: %s", command[0], strerror(errno));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
