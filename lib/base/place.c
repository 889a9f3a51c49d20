/* SPDX-License-Identifier: MIT */
/*
 * place.c -- a large file on its way to the disk: room is taken some way
 * ahead of what is written, and the disk has begun with what is some way
 * behind.  Both are hints, so nothing here fails.
 */
#include <fcntl.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <apr/io.h>

#define AHEAD	((uint64_t)32 << 20)
#define BEHIND	((uint64_t)8 << 20)

void
io_place_init(struct place *p, int fd, uint64_t size)
{
	struct statfs fs;

	*p = (struct place){ .fd = fd, .size = size };
	/* Memory would be cleared for it, only to be written again. */
	p->disk = fstatfs(fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC && size <= INT64_MAX;
}

static void
reserve(struct place *p, uint64_t at, size_t n)
{
	uint64_t end = p->size - at < AHEAD ? p->size : at + AHEAD;

	if (at >= p->room && at + n <= p->room_end)
		return;
	p->room = at;
	p->room_end = end;
	/* Where this cannot be done it need not be tried again. */
	p->disk = fallocate(p->fd, 0, (off_t)at, (off_t)(end - at)) == 0;
}

int
io_place(struct place *p, const void *src, size_t n, uint64_t at, struct err *e)
{
	bool next = at == p->to;

	if (p->disk && at < p->size && n <= p->size - at)
		reserve(p, at, n);
	if (io_pwrite(p->fd, src, n, at, e) < 0)
		return -1;
	if (next)
		p->to += n;
	if (!next || p->to - p->from >= BEHIND) {
		if (p->to > p->from)
			(void)sync_file_range(p->fd, (off_t)p->from,
			    (off_t)(p->to - p->from), SYNC_FILE_RANGE_WRITE);
		p->from = next ? p->to : at;
		p->to = next ? p->to : at + n;
	}
	return 0;
}
