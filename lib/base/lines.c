/* SPDX-License-Identifier: MIT */
/* lines.c -- the lines of a descriptor, as they come. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <apr/lines.h>

/* 1: some bytes more, or the end; 2: none yet. */
static int
more(struct lines *l, bool wait, struct err *e)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	char part[1 << 16];
	ssize_t n;

	if (!wait && poll(&p, 1, 0) == 0)
		return 2;
	if (l->b.len - l->from >= 1u << 30)
		return err_set(e, "a line of 1 GiB has no end yet");
	while ((n = read(l->fd, part, sizeof part)) < 0)
		if (errno != EINTR)
			return err_sys(e, "reading a line");
	if (l->from > 0) {
		l->b.len -= l->from;
		l->seen -= l->from;
		memmove(l->b.p, l->b.p + l->from, l->b.len);
		l->from = 0;
	}
	l->end = n == 0;
	buf_put(&l->b, part, (size_t)n);
	return buf_check(&l->b, e) < 0 ? -1 : 1;
}

int
lines_next(struct lines *l, bool wait, const char **line, size_t *n, struct err *e)
{
	const unsigned char *nl = NULL;
	int r;

	while (l->b.len == l->seen || !(nl = memchr(l->b.p + l->seen, '\n', l->b.len - l->seen))) {
		l->seen = l->b.len;
		if (l->end)
			break;
		if ((r = more(l, wait, e)) != 1)
			return r;
	}
	if (!nl && l->from == l->b.len)
		return 0;
	*line = (const char *)l->b.p + l->from;
	*n = (size_t)((nl ? nl : l->b.p + l->b.len) - l->b.p) - l->from;
	l->from += *n + (nl != NULL);
	l->seen = l->from;
	return 1;
}

void
lines_release(struct lines *l)
{
	buf_release(&l->b);
}
