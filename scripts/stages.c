/* SPDX-License-Identifier: MIT */
/*
 * stages -- run a pipeline with 1 MiB pipes; what each stage took.
 *
 *	stages [-o FILE] COMMAND... [: COMMAND...]...
 *
 * Wall seconds of the whole, then a line a stage: its name, its seconds of
 * CPU (user and system), its peak memory in MiB.  Standard output of the last
 * goes to FILE, or is dropped.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 8 };

static struct stage {
	char		**argv;
	pid_t		 pid;
	double		 user, sys, rss;
} stage[MOST];

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static void
run(struct stage *s, int in, int out, int unused)
{
	if ((s->pid = fork()) != 0)
		return;
	if (in >= 0)
		dup2(in, 0);
	dup2(out, 1);
	if (in >= 0)
		close(in);
	close(out);
	if (unused >= 0)
		close(unused);
	execvp(s->argv[0], s->argv);
	perror(s->argv[0]);
	_exit(127);
}

int
main(int argc, char **argv)
{
	const char *file = "/dev/null";
	int n = 0, in = -1, bad = 0, status, pipefd[2] = { -1, -1 }, out;
	struct rusage u;
	double begin;
	pid_t pid;

	argv++;
	if (argc > 2 && strcmp(*argv, "-o") == 0) {
		file = argv[1];
		argv += 2;
	}
	stage[n++].argv = argv;
	for (; *argv; argv++)
		if (strcmp(*argv, ":") == 0 && n < MOST) {
			*argv = NULL;
			stage[n++].argv = argv + 1;
		}
	begin = now();
	for (int i = 0; i < n; i++) {
		if (!*stage[i].argv)
			return 2;
		if (i + 1 < n) {
			if (pipe(pipefd) < 0)
				return 1;
			(void)fcntl(pipefd[1], F_SETPIPE_SZ, 1 << 20);
			out = pipefd[1];
		} else {
			pipefd[0] = -1;
			if ((out = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644)) < 0)
				return 1;
		}
		run(&stage[i], in, out, pipefd[0]);
		if (in >= 0)
			close(in);
		close(out);
		in = pipefd[0];
	}
	for (int left = n; left > 0; left--) {
		if ((pid = wait4(-1, &status, 0, &u)) < 0)
			return 1;
		bad |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
		for (int i = 0; i < n; i++)
			if (stage[i].pid == pid) {
				stage[i].user = of(u.ru_utime);
				stage[i].sys = of(u.ru_stime);
				stage[i].rss = (double)u.ru_maxrss / 1024;
			}
	}
	printf("%.3f\n", now() - begin);
	for (int i = 0; i < n; i++)
		printf("%s %.2f %.2f %.1f\n", stage[i].argv[0], stage[i].user, stage[i].sys, stage[i].rss);
	return bad;
}
