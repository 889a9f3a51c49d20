/* SPDX-License-Identifier: MIT */
/* weights.c -- mapped from files, or a stream's members as they come. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <apr/crew.h>
#include <apr/size.h>
#include <apr/weights.h>

/* In pieces, so that a size that the stream does not keep is never asked of
 * the system at once. */
static int
take(struct stream_in *s, uint64_t bytes, struct buf *b, struct err *e)
{
	const void *p;
	size_t n;
	int r;

	while ((r = stream_some(s, &p, &n, e)) > 0) {
		buf_put(b, p, n);
		if (buf_check(b, e) < 0)
			return -1;
	}
	if (r == 0 && b->len != bytes)
		return err_set(e, "%" PRIu64 " bytes were announced, %zu came", bytes, b->len);
	return r;
}

/* To the next tensor; files come before them, the tail behind. */
static int
member(struct weights *w, struct err *e)
{
	struct stream_in *s = source_stream(w->source);

	while ((w->status = stream_next(s, &w->next, e)) > 0) {
		struct buf *b = w->next.kind == MEMBER_FILE ? &w->file[w->next.index] : &w->tail;

		if (w->next.kind == MEMBER_TENSOR)
			break;
		if (take(s, w->next.bytes, b, e) < 0)
			return w->status = -1;
	}
	return w->status;
}

/* Addresses for a stream's tensors, each on pages of its own. */
static int
reserve(struct weights *w, struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), all = 0, one;
	unsigned char *p;

	for (size_t i = 0; i < w->m->ntensor; i++)
		if (u64_align(&one, w->m->tensor[i].bytes, page) || u64_add(&all, all, one) ||
		    all > SIZE_MAX / 2)
			return err_set(e, "%s: %" PRIu64 " bytes and those before it are too many",
			    w->m->tensor[i].name, w->m->tensor[i].bytes);
	if (all == 0)
		return 0;
	p = mmap(NULL, (size_t)all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return err_set(e, "%" PRIu64 " bytes of tensors are more than addresses are", all);
	w->room = p;
	w->room_bytes = (size_t)all;
	for (size_t i = 0; i < w->m->ntensor; i++) {
		w->data[i] = w->m->tensor[i].bytes ? p : NULL;
		u64_align(&one, w->m->tensor[i].bytes, page);
		p += one;
	}
	return 0;
}

static int
from_stream(struct weights *w, struct err *e)
{
	if (reserve(w, e) < 0 || member(w, e) < 0)
		return -1;
	w->asked = true;
	return 0;
}

static int
from_files(struct weights *w, struct err *e)
{
	for (size_t i = 0; i < w->m->ntensor; i++) {
		w->here[i] = true;
		if (w->m->tensor[i].bytes &&
		    !(w->data[i] = source_map(w->source, &w->m->tensor[i], e)))
			return -1;
	}
	return 0;
}

struct weights *
weights_open(const char *path, struct err *e)
{
	struct weights *w = calloc(1, sizeof *w);
	char *copy = strdup(path);
	int r = -1;

	if (!w || !copy) {
		err_set(e, "out of memory");
		goto out;
	}
	if (!(w->source = source_open(&copy, 1, e)))
		goto out;
	w->m = source_manifest(w->source);
	if (w->m->plan) {
		err_set(e, "%s: a plan has no weights", path);
		goto out;
	}
	if (!(w->data = calloc(w->m->ntensor + 1, sizeof *w->data)) ||
	    !(w->here = calloc(w->m->ntensor + 1, sizeof *w->here)) ||
	    !(w->file = calloc(w->m->nfile + 1, sizeof *w->file))) {
		err_set(e, "out of memory");
		goto out;
	}
	r = source_is_stream(w->source) ? from_stream(w, e) : from_files(w, e);
out:
	free(copy);
	if (r == 0)
		return w;
	weights_close(w);
	return NULL;
}

int
weights_next(struct weights *w, size_t *tensor, struct err *e)
{
	w->from = 0;
	if (!source_is_stream(w->source)) {
		while (w->at < w->m->ntensor && !w->m->tensor[w->at].bytes)
			w->at++;
		*tensor = w->at;
		return w->at++ < w->m->ntensor;
	}
	do {
		if (!w->asked && member(w, e) < 0)
			return -1;
		w->asked = false;
	} while (w->status > 0 && w->next.bytes == 0);
	*tensor = w->next.index;
	return w->status;
}

/* Pieces of a file that threads read side by side. */
enum { PIECE = 1 << 20 };

struct reading {
	struct weights	*w;
	const struct tensor *t;
	unsigned char	*to;
	size_t		 n;
	atomic_flag	 failed;
	struct err	 e;
};

static void
read_some(void *arg, size_t from, size_t to, unsigned who)
{
	struct reading *r = arg;
	size_t at = from * PIECE, end = to * PIECE < r->n ? to * PIECE : r->n;
	struct err e;

	(void)who;
	if (source_get(r->w->source, r->t, r->w->from + at, r->to + at, end - at, &e) < 0 &&
	    !atomic_flag_test_and_set(&r->failed))
		r->e = e;
}

int
weights_read(struct weights *w, void *to, size_t n, struct err *e)
{
	struct reading r = { .w = w, .to = to, .n = n, .failed = ATOMIC_FLAG_INIT };
	size_t pieces = (n + PIECE - 1) / PIECE;

	if (source_is_stream(w->source))
		return stream_read(source_stream(w->source), to, n, e);
	r.t = &w->m->tensor[w->at - 1];
	if (w->crew && pieces > 1 && source_threads(w->source))
		crew_run(w->crew, pieces, 1, read_some, &r);
	else
		read_some(&r, 0, pieces, 0);
	if (atomic_flag_test_and_set(&r.failed)) {
		*e = r.e;
		return -1;
	}
	w->from += n;
	return 0;
}

void *
weights_keep(struct weights *w, size_t tensor, uint64_t at, size_t n, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = (unsigned char *)w->room +
	    ((const unsigned char *)w->data[tensor] - (unsigned char *)w->room) + at;
	size_t before = (uintptr_t)p % page;

	if (mprotect(p - before, before + n, PROT_READ | PROT_WRITE) == 0)
		return p;
	err_sys(e, "memory for %zu bytes", n);
	return NULL;
}

void
weights_drop(struct weights *w, size_t tensor)
{
	unsigned char *p = (unsigned char *)w->room +
	    ((const unsigned char *)w->data[tensor] - (unsigned char *)w->room);

	w->here[tensor] = false;
	/* Only what would keep the memory is lost by a failure. */
	(void)madvise(p, (size_t)w->m->tensor[tensor].bytes, MADV_DONTNEED);
}

int
weights_skip(struct weights *w, struct err *e)
{
	size_t i;
	int r;

	if (!source_is_stream(w->source))
		return 0;
	while ((r = weights_next(w, &i, e)) > 0)
		;
	return r;
}

const unsigned char *
weights_file(struct weights *w, const char *name, size_t *n, bool *bad, struct err *e)
{
	*n = 0;
	*bad = false;
	for (size_t i = 0; i < w->m->nfile; i++) {
		if (strcmp(w->m->file[i].name, name))
			continue;
		if (!w->file[i].p && !source_is_stream(w->source) &&
		    source_file(w->source, i, &w->file[i], e) < 0) {
			*bad = true;
			return NULL;
		}
		*n = w->file[i].len;
		return w->file[i].p ? w->file[i].p : (const unsigned char *)"";
	}
	return NULL;
}

const struct tensor *
weights_tensor(const struct weights *w, const char *name)
{
	for (size_t i = 0; i < w->m->ntensor; i++)
		if (!strcmp(w->m->tensor[i].name, name))
			return &w->m->tensor[i];
	return NULL;
}

void
weights_close(struct weights *w)
{
	if (!w)
		return;
	if (w->room)
		munmap(w->room, w->room_bytes);
	for (size_t i = 0; w->file && i < w->m->nfile; i++)
		buf_release(&w->file[i]);
	buf_release(&w->tail);
	free(w->data);
	free(w->here);
	free(w->file);
	source_close(w->source);
	free(w);
}
