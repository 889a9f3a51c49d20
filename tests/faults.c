/* SPDX-License-Identifier: MIT */
/*
 * faults.c -- run a tool on thousands of damaged inputs and judge each run.
 *
 *   faults cut|flip STEP MUST IN OUT WANT TOOL [ARG...]
 *     For every STEP-th place of IN: TOOL with IN cut there, or with one bit
 *     flipped there, on its standard input (a pipe).  Right is: exit 1, one
 *     line on standard error that begins with TOOL's name, and no OUT nor
 *     anything like OUT.*; at places from MUST on (-1: IN's length) also exit
 *     0 and OUT equal to WANT.  If OUT is -, the tool writes a stream to its standard
 *     output: then equal sums of all tensors are right, and a failed one has
 *     no CHECKSUMS.
 *   faults size KIB TOOL [ARG...]
 *     TOOL's exit status, or 99 if its resident memory peaked above KIB.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct bytes {
	char	*p;
	size_t	 n;
};

static void
fail(const char *what)
{
	fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* All of a descriptor, from its start if it has one. */
static struct bytes
slurp(int fd)
{
	struct bytes b = { NULL, 0 };
	size_t cap = 0;
	ssize_t k;

	(void)lseek(fd, 0, SEEK_SET);
	do {
		if (b.n + 65536 > cap && !(b.p = realloc(b.p, cap = 2 * cap + 65537)))
			fail("memory");
		if ((k = read(fd, b.p + b.n, cap - b.n - 1)) < 0)
			fail("read");
		b.n += (size_t)k;
	} while (k > 0);
	b.p[b.n] = '\0';
	return b;
}

static struct bytes
load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct bytes b;

	if (fd < 0)
		fail(path);
	b = slurp(fd);
	close(fd);
	return b;
}

static pid_t
start(char **cmd, int in, int out, int err)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		if ((in >= 0 && dup2(in, 0) < 0) || (out >= 0 && dup2(out, 1) < 0) ||
		    (err >= 0 && dup2(err, 2) < 0))
			_exit(126);
		execvp(cmd[0], cmd);
		_exit(127);
	}
	return pid;
}

/* The lines of a stream's CHECKSUMS that are about tensors. */
static struct bytes
sums(struct bytes s)
{
	static const char mark[] = "  tensors/";
	struct bytes r = { malloc(s.n + 1), 0 };
	char *q, *at = s.p, *end = s.p + s.n;

	if (!r.p)
		fail("memory");
	while ((q = memmem(at, (size_t)(end - at), mark, sizeof mark - 1))) {
		char *eol = memchr(q, '\n', (size_t)(end - q));

		at = q + 1;
		if (q - s.p < 32 || !eol || strspn(q - 32, "0123456789abcdef") != 32)
			continue;
		memcpy(r.p + r.n, q - 32, (size_t)(eol + 1 - (q - 32)));
		r.n += (size_t)(eol + 1 - (q - 32));
		at = eol;
	}
	return r;
}

static int
same(struct bytes a, struct bytes b)
{
	return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

static const char *
judge(int status, struct bytes err, struct bytes got, struct bytes want,
    const char *tool, int may, int stream)
{
	const char *nl = err.n ? memchr(err.p, '\n', err.n) : NULL;

	if (WIFSIGNALED(status))
		return "killed by a signal";
	if (WEXITSTATUS(status) == 0)
		return !may ? "accepted" : !same(got, want) ? "accepted, with another output" :
		    err.n > 0 ? "accepted, with a message" : NULL;
	if (WEXITSTATUS(status) != 1)
		return "an exit status that is neither 0 nor 1";
	if (!nl || nl != err.p + err.n - 1)
		return "not one line on standard error";
	if (strncmp(err.p, tool, strlen(tool)) || strncmp(err.p + strlen(tool), ": ", 2))
		return "the line does not begin with the tool's name";
	return got.n > 0 ? stream ? "refused, but there is an end mark" :
	    "refused, but there is an output" : NULL;
}

/* What is there under the output's name or a temporary one; removed. */
static struct bytes
take(const char *out, size_t *others)
{
	struct bytes b = { NULL, 0 };
	char pattern[4096];
	glob_t g;

	if (access(out, F_OK) == 0) {
		b = load(out);
		b.n += b.n == 0;	/* an empty one is there too */
		(void)unlink(out);
	}
	snprintf(pattern, sizeof pattern, "%s.*", out);
	if ((*others = glob(pattern, 0, NULL, &g) == 0 ? g.gl_pathc : 0) > 0)
		globfree(&g);
	return b;
}

static void
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EPIPE)
			return;
		if (k < 0)
			fail("pipe");
		p += k;
		n -= (size_t)k;
	}
}

static int
damage(char **v)
{
	int flip = !strcmp(v[1], "flip"), stream = !strcmp(v[5], "-");
	size_t step = strtoul(v[2], NULL, 10), must, cases = 0, refused = 0, bad = 0;
	struct bytes in = load(v[4]), file = load(v[6]), want = stream ? sums(file) : file;
	const char *tool = strrchr(v[7], '/') ? strrchr(v[7], '/') + 1 : v[7];
	struct rusage u;
	long kib = 0;

	must = v[3][0] == '-' ? in.n : strtoul(v[3], NULL, 10);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < in.n; i += step, cases++) {
		int p[2], err = memfd_create("err", MFD_CLOEXEC), status;
		int out = stream ? memfd_create("out", MFD_CLOEXEC) : -1;
		struct bytes said, got, raw = { NULL, 0 };
		const char *why;
		size_t others = 0;
		pid_t pid;

		if (err < 0 || pipe2(p, O_CLOEXEC) < 0)
			fail("pipe");
		pid = start(v + 7, p[0], out, err);
		close(p[0]);
		if (flip)
			in.p[i] = (char)(in.p[i] ^ 1 << i % 8);
		write_all(p[1], in.p, flip ? in.n : i);
		if (flip)
			in.p[i] = (char)(in.p[i] ^ 1 << i % 8);
		close(p[1]);
		if (wait4(pid, &status, 0, &u) < 0)
			fail("wait");
		kib = u.ru_maxrss > kib ? u.ru_maxrss : kib;
		said = slurp(err);
		if (stream) {
			raw = slurp(out);
			got = sums(raw);
			close(out);
		} else {
			got = take(v[5], &others);
		}
		close(err);
		why = judge(status, said, got, want, tool, i >= must, stream);
		if (!why && others)
			why = "a temporary file is left";
		refused += WIFEXITED(status) && WEXITSTATUS(status) == 1;
		if (why && bad++ < 20)
			fprintf(stderr, "%s at byte %zu: %s (status %d): %s%s", v[1], i, why,
			    status, said.n ? said.p : "", said.n ? "" : "\n");
		free(said.p);
		free(raw.p);
		free(got.p);
	}
	printf("%zu cases, %zu refused, %zu the same, %zu wrong, peak %ld KiB\n",
	    cases, refused, cases - refused - bad, bad, kib);
	if (want.p != file.p)
		free(want.p);
	free(file.p);
	free(in.p);
	return bad > 0 || cases == 0;
}

static int
size(char **v)
{
	struct rusage u;
	int status;

	if (wait4(start(v + 3, -1, -1, -1), &status, 0, &u) < 0)
		fail("wait");
	if (u.ru_maxrss > strtol(v[2], NULL, 10)) {
		fprintf(stderr, "faults: %s: peak %ld KiB\n", v[3], u.ru_maxrss);
		return 99;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
main(int argc, char **argv)
{
	if (argc >= 8 && (!strcmp(argv[1], "cut") || !strcmp(argv[1], "flip")))
		return damage(argv);
	if (argc >= 4 && !strcmp(argv[1], "size"))
		return size(argv);
	fprintf(stderr, "usage: faults cut|flip step must in out want tool [arg...]\n"
	    "       faults size kib tool [arg...]\n");
	return 2;
}
