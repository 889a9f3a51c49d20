/* SPDX-License-Identifier: MIT */
/* weights.c -- mapped from files, or a stream's members in memory. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/weights.h>

/* In pieces, so that a size that the stream does not keep is never asked of
 * the system at once. */
static int
take(struct stream_in *s, uint64_t bytes, void (*progress)(uint64_t), struct buf *b,
    struct err *e)
{
	const void *p;
	size_t n;
	int r;

	while ((r = stream_some(s, &p, &n, e)) > 0) {
		buf_put(b, p, n);
		if (buf_check(b, e) < 0)
			return -1;
		if (progress)
			progress(n);
	}
	if (r == 0 && b->len != bytes)
		return err_set(e, "%" PRIu64 " bytes were announced, %zu came", bytes, b->len);
	return r;
}

static int
from_stream(struct weights *w, struct stream_in *s, void (*progress)(uint64_t), struct err *e)
{
	struct member m;
	int r;

	while ((r = stream_next(s, &m, e)) > 0) {
		struct buf b = { 0 };

		if (m.kind == MEMBER_TAIL)
			continue;
		if (take(s, m.bytes, progress, &b, e) < 0) {
			buf_release(&b);
			return -1;
		}
		if (m.kind == MEMBER_FILE) {
			w->file[m.index] = b;
		} else if (b.len) {
			void *p = realloc(b.p, b.len);

			w->data[m.index] = w->owned[m.index] = p ? p : b.p;
		} else {
			buf_release(&b);
		}
	}
	return r;
}

static int
from_files(struct weights *w, struct err *e)
{
	for (size_t i = 0; i < w->m->ntensor; i++)
		if (w->m->tensor[i].bytes &&
		    !(w->data[i] = source_map(w->source, &w->m->tensor[i], e)))
			return -1;
	return 0;
}

struct weights *
weights_open(const char *path, void (*progress)(uint64_t), struct err *e)
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
	    !(w->owned = calloc(w->m->ntensor + 1, sizeof *w->owned)) ||
	    !(w->file = calloc(w->m->nfile + 1, sizeof *w->file))) {
		err_set(e, "out of memory");
		goto out;
	}
	r = source_is_stream(w->source) ? from_stream(w, source_stream(w->source), progress, e) :
	    from_files(w, e);
out:
	free(copy);
	if (r == 0)
		return w;
	weights_close(w);
	return NULL;
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
	for (size_t i = 0; w->owned && i < w->m->ntensor; i++)
		free(w->owned[i]);
	for (size_t i = 0; w->file && i < w->m->nfile; i++)
		buf_release(&w->file[i]);
	free(w->owned);
	free(w->data);
	free(w->file);
	source_close(w->source);
	free(w);
}
