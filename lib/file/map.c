/* SPDX-License-Identifier: MIT */
/* map.c -- a source's tensors and files in memory, for those who run it. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/size.h>

#include "source.h"
#include "spot.h"

static int
map(struct part *p, struct err *e)
{
	struct stat st;

	if (p->map)
		return 0;
	if (fstat(p->fd, &st) < 0)
		return err_sys(e, "%s", p->path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(e, "%s: no regular file, so it cannot be mapped", p->path);
	p->mapped = (size_t)st.st_size;
	p->map = mmap(NULL, p->mapped, PROT_READ, MAP_SHARED, p->fd, 0);
	if (p->map != MAP_FAILED)
		return 0;
	p->map = NULL;
	return err_sys(e, "%s", p->path);
}

const void *
source_map(struct source *s, const struct tensor *t, struct err *e)
{
	struct part *p = &s->part[t->shard ? t->shard - 1 : 0];
	uint64_t end;

	if (s->stream || (t->shard ? t->shard - 1 : 0) >= s->npart) {
		err_set(e, "%s: a stream cannot be mapped", t->name);
		return NULL;
	}
	if (p->h.spots) {
		err_set(e, "%s: %s's tensors lie in an archive, or in files of their own: apr-cat"
		    " gives them as a stream", p->path, p->h.format->name);
		return NULL;
	}
	if (map(p, e) < 0)
		return NULL;
	if (u64_add(&end, t->offset, t->bytes) || end > p->mapped) {
		err_set(e, "%s: %s: its %" PRIu64 " bytes at %" PRIu64 " end behind the file's %zu",
		    p->path, t->name, t->bytes, t->offset, p->mapped);
		return NULL;
	}
	return (const unsigned char *)p->map + t->offset;
}

int
source_get(struct source *s, const struct tensor *t, uint64_t at, void *dst, size_t n,
    struct err *e)
{
	const struct part *p = &s->part[t->shard ? t->shard - 1 : 0];
	int r = p->h.spots ? spot_get(p->h.spots, p->fd, t, at, dst, n, e) :
	    io_pread(p->fd, dst, n, t->offset + at, e);

	return r < 0 ? err_prefix(e, "%s", t->name) : 0;
}

bool
source_threads(const struct source *s)
{
	/* What is unpacked is unpacked once, for all. */
	for (size_t k = 0; k < s->npart; k++)
		if (s->part[k].h.spots)
			return false;
	return true;
}

static int
put(void *buf, const void *p, size_t n, struct err *e)
{
	buf_put(buf, p, n);
	return buf_check(buf, e);
}

int
source_open_path(const struct source *s, size_t i, struct buf *path, struct err *e)
{
	int fd;

	buf_printf(path, "%s/%s", s->dir.dir, s->dir.file[i].name);
	buf_put(path, "", 1);
	if (buf_check(path, e) < 0)
		return -1;
	fd = open((char *)path->p, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "%s", (char *)path->p) : fd;
}

static int
read_path(struct source *s, size_t i, struct buf *b, struct err *e)
{
	struct buf path = { 0 };
	struct in *in = NULL;
	const unsigned char *p;
	int fd = source_open_path(s, i, &path, e), r = -1, k;
	size_t n;

	if (fd < 0 || !(in = in_open(fd, e)))
		goto out;
	while ((k = in_some(in, IO_CHUNK, &p, &n, e)) > 0) {
		buf_put(b, p, n);
		if (b->len > STREAM_FILE_MAX) {
			err_set(e, "%s: larger than a travelling file may be", (char *)path.p);
			goto out;
		}
	}
	r = k < 0 ? -1 : buf_check(b, e);
out:
	in_close(in);
	if (fd >= 0)
		close(fd);
	buf_release(&path);
	return r;
}

int
source_file(struct source *s, size_t i, struct buf *b, struct err *e)
{
	const struct where_is *w = &s->file[i];
	const struct header *h = &s->part[w->where == FILE_HEADER ? w->index : 0].h;

	switch (w->where) {
	case FILE_HEADER: return put(b, h->raw.p, h->raw.len, e);
	case FILE_HELD: return held_read(h, w->index, put, b, e);
	default: return read_path(s, w->index, b, e);
	}
}

struct stream_in *
source_stream(struct source *s)
{
	return s->stream;
}
