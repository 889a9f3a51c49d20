/* SPDX-License-Identifier: MIT */
/* piped.c -- an operand as a stream, which another process reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr/source.h>

#include "piped.h"

/* The tensors of m as `like` has them. */
static void
arrange(struct source *s, const struct manifest *like, const char *path)
{
	int conv = arch_conv_by_name(like->convention);
	struct manifest *m = source_manifest(s);
	char a[192], b[192];
	struct names *names;
	struct tensor *t;
	struct err e;

	if (conv >= 0 && m->convention && strcmp(m->convention, like->convention) &&
	    !source_is_stream(s) && source_as(s, (enum arch_conv)conv, &e) < 0)
		die("%s: %s", path, e.msg);
	m = source_manifest(s);
	/* Any order will do, once it is one. */
	if (!source_is_stream(s) && source_order(s, ORDER_NAME, &e) < 0)
		die("%s: %s", path, e.msg);
	if (!(t = calloc(m->ntensor + like->ntensor + 1, sizeof *t)) ||
	    !(names = names_new(m->ntensor, &e)))
		die("out of memory");
	for (size_t i = 0; i < m->ntensor; i++)
		if (names_add(names, m->tensor[i].name, i, NULL, &e) < 0)
			die("%s", e.msg);
	for (size_t i = 0; i < like->ntensor; i++) {
		const struct tensor *l = &like->tensor[i];
		size_t k = names_find(names, l->name);

		if (k == SIZE_MAX)
			die("%s: has no tensor %s", path, l->name);
		t[i] = m->tensor[k];
		if (!tensor_same_shape(l, &t[i]))
			die("%s: %s: shape %s, not %s", path, l->name,
			    tensor_shape(&t[i], a, sizeof a), tensor_shape(l, b, sizeof b));
		if (!l->tied_to != !t[i].tied_to)
			die("%s: %s: is tied in one model, not in the other", path, l->name);
	}
	if (like->ntensor != m->ntensor) {
		struct names *has = names_new(like->ntensor, &e);

		if (!has)
			die("out of memory");
		for (size_t i = 0; i < like->ntensor; i++)
			if (names_add(has, like->tensor[i].name, i, NULL, &e) < 0)
				die("%s", e.msg);
		for (size_t i = 0; i < m->ntensor; i++)
			if (names_find(has, m->tensor[i].name) == SIZE_MAX)
				die("%s: has %s, the other model has not", path, m->tensor[i].name);
		names_free(has);
	}
	names_free(names);
	if (!source_is_stream(s))
		memcpy(m->tensor, t, like->ntensor * sizeof *t);
	free(t);
}

static void
copy(char **path, size_t n, const struct manifest *like, int fd)
{
	struct stream_out *out;
	struct source *s;
	struct err e;

	if (!(s = source_open(path, n, &e)))
		die("%s", e.msg);
	if (like)
		arrange(s, like, path[0]);
	if (!(out = stream_create(fd, source_manifest(s), 0, &e)) ||
	    source_copy(s, out, NULL, &e) < 0 || stream_end(out, &e) < 0)
		die("%s", e.msg);
	source_close(s);
}

/* Those of earlier calls, which a child must not keep open: who writes there
 * is to see that nobody reads any more. */
static int readers[8];
static size_t nreaders;

void
piped_open(struct piped *p, char **path, size_t n, const struct manifest *like)
{
	int fd[2] = { STDIN_FILENO, -1 };
	struct in *in;
	struct err e;

	*p = (struct piped){ 0 };
	if (n > 0) {
		if (pipe(fd) < 0 || (p->pid = fork()) < 0)
			die("pipe: %s", strerror(errno));
		if (p->pid == 0) {
			close(fd[0]);
			while (nreaders > 0)
				close(readers[--nreaders]);
			copy(path, n, like, fd[1]);
			_exit(STATUS_OK);
		}
		close(fd[1]);
		if (nreaders < sizeof readers / sizeof *readers)
			readers[nreaders++] = fd[0];
		io_widen_pipe(fd[0]);
	}
	p->fd = fd[0];
	if (!(in = in_open(p->fd, &e)) || !(p->in = stream_open(in, &e)))
		piped_fail(p, &e);
}

void
piped_fail(struct piped *p, const struct err *e)
{
	int st;

	if (p->pid > 0) {
		close(p->fd);
		if (waitpid(p->pid, &st, 0) == p->pid && WIFEXITED(st) && WEXITSTATUS(st))
			exit(WEXITSTATUS(st));
	}
	die("%s", e->msg);
}

void
piped_close(struct piped *p)
{
	stream_close(p->in);
	if (p->pid > 0) {
		close(p->fd);
		(void)waitpid(p->pid, NULL, 0);
	}
}
