/* SPDX-License-Identifier: MIT */
/* reader.c -- a stream in: nothing is believed before its sum was seen. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "member.h"

/* What must come, and what came of it.  Index 0 is manifest.json, then
 * files, then tensors, tail.json last. */
struct part {
	const char	*name;		/* the member's */
	uint64_t	 bytes;
	XXH128_hash_t	 sum;
	bool		 seen, listed;
};

struct stream_in {
	struct in	*in;
	struct archive	*a;
	struct err	*e;
	bool		 failed;
	uint64_t	 given;		/* bytes handed to libarchive */
	const unsigned char *last;	/* its last block */
	size_t		 nlast;
	struct manifest	*m;
	struct arena	 arena;
	struct part	*part;
	size_t		 npart, nfile, ntensor;
	bool		 plan;
	struct names	*names;
	struct part	*cur;		/* being read */
	uint64_t	 left;
	const unsigned char *rest;	/* of a block, for stream_read() */
	size_t		 nrest;
	unsigned char	*to;		/* where it wants bytes, or NULL */
	size_t		 room;
	XXH3_state_t	*xxh;
	bool		 tensors_begun, done;
};

static la_ssize_t
on_read(struct archive *a, void *ctx, const void **p)
{
	struct stream_in *s = ctx;
	const unsigned char *b = NULL;
	size_t n = 0;
	int r = s->to ? in_some_to(s->in, s->to, s->room, &b, &n, s->e) :
	    in_some(s->in, IO_CHUNK, &b, &n, s->e);

	if (r < 0) {
		s->failed = true;
		archive_set_error(a, 5, "read");
		return -1;
	}
	if (r == 0)
		return 0;
	*p = s->last = b;
	s->nlast = n;
	s->given += n;
	return (la_ssize_t)n;
}

static int
broken(struct stream_in *s, struct err *e)
{
	const char *why = archive_error_string(s->a);

	return s->failed ? -1 : err_set(e, "stream: %s", why ? why : "cut short");
}

/* The next header that is not a directory: 1, 0 at the archive's end, -1. */
static int
next_entry(struct stream_in *s, struct archive_entry **ep, const char **name,
    struct err *e)
{
	struct archive_entry *en;

	s->e = e;
	for (;;) {
		int r = archive_read_next_header(s->a, &en);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK)
			return broken(s, e);
		*name = archive_entry_pathname(en);
		if (!*name)
			return err_set(e, "stream: a member's name is not ASCII");
		while (!strncmp(*name, "./", 2))
			*name += 2;
		if (archive_entry_hardlink(en) || archive_entry_symlink(en))
			return err_set(e, "stream: %s is a link", *name);
		if (archive_entry_filetype(en) == AE_IFDIR)
			continue;
		if (archive_entry_filetype(en) != AE_IFREG)
			return err_set(e, "stream: %s is no regular file", *name);
		if (archive_entry_sparse_count(en) > 0)
			return err_set(e, "stream: %s is sparse", *name);
		if (!archive_entry_size_is_set(en) || archive_entry_size(en) < 0)
			return err_set(e, "stream: %s has no size", *name);
		*ep = en;
		return 1;
	}
}

/* Bytes of the current entry without a copy: 1, 0, -1. */
static int
block(struct stream_in *s, const void **p, size_t *n, struct err *e)
{
	la_int64_t at;
	int r;

	s->e = e;
	do {
		r = archive_read_data_block(s->a, p, n, &at);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK)
			return broken(s, e);
	} while (*n == 0);
	return 1;
}

static int
read_manifest(struct stream_in *s, struct err *e)
{
	struct manifest_reader *r = NULL;
	struct archive_entry *en;
	const char *name;
	const void *p;
	size_t n;
	int k;

	if ((k = next_entry(s, &en, &name, e)) < 0)
		return -1;
	if (k == 0)
		return err_set(e, "stream: empty");
	if (strcmp(name, "manifest.json"))
		return err_set(e, "stream: begins with %s, not with manifest.json", name);
	if (archive_entry_size(en) > (la_int64_t)STREAM_FILE_MAX)
		return err_set(e, "stream: manifest.json of %" PRId64 " bytes, at most %"
		    PRIu64, (int64_t)archive_entry_size(en), STREAM_FILE_MAX);
	if (!(r = manifest_reader_new(e)))
		return -1;
	XXH3_128bits_reset(s->xxh);
	while ((k = block(s, &p, &n, e)) > 0) {
		XXH3_128bits_update(s->xxh, p, n);
		if (manifest_feed(r, p, n, e) < 0) {
			k = -1;
			break;
		}
	}
	if (k < 0) {
		manifest_reader_free(r);
		return -1;
	}
	return (s->m = manifest_finish(r, e)) ? 0 : -1;
}

static int
add_part(struct stream_in *s, enum member_kind kind, const char *name,
    uint64_t bytes, struct err *e)
{
	char path[MEMBER_NAME];
	struct part *p = &s->part[s->npart];

	member_name(kind, name, path);
	if (!(p->name = arena_strn(&s->arena, path, strlen(path))))
		return err_set(e, "out of memory");
	p->bytes = bytes;
	switch (names_add(s->names, p->name, s->npart, NULL, e)) {
	case 0:
		return err_set(e, "stream: two members would be called %s", p->name);
	case 1:
		s->npart++;
		return 0;
	default:
		return -1;
	}
}

/* The list of what must come is made before a filter can edit the manifest. */
static int
expect(struct stream_in *s, struct err *e)
{
	const struct manifest *m = s->m;
	struct part *first;

	s->plan = m->plan;
	s->nfile = m->nfile;
	s->ntensor = m->plan ? 0 : m->ntensor;
	if (!(s->part = calloc(s->nfile + s->ntensor + 2, sizeof *s->part)))
		return err_set(e, "out of memory");
	if (!(s->names = names_new(s->nfile + s->ntensor + 2, e)))
		return -1;
	first = &s->part[s->npart++];
	first->name = "manifest.json";
	first->seen = true;
	first->sum = XXH3_128bits_digest(s->xxh);
	if (names_add(s->names, first->name, 0, NULL, e) < 0)
		return -1;
	for (size_t i = 0; i < s->nfile; i++) {
		if (m->file[i].bytes > STREAM_FILE_MAX)
			return err_set(e, "%s: a travelling file of %" PRIu64
			    " bytes, at most %" PRIu64, m->file[i].name,
			    m->file[i].bytes, STREAM_FILE_MAX);
		if (add_part(s, MEMBER_FILE, m->file[i].name, m->file[i].bytes, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < s->ntensor; i++)
		if (add_part(s, MEMBER_TENSOR, m->tensor[i].name, m->tensor[i].bytes, e) < 0)
			return -1;
	return add_part(s, MEMBER_TAIL, "", 0, e);
}

struct stream_in *
stream_open(struct in *in, struct err *e)
{
	struct stream_in *s = calloc(1, sizeof *s);
	const unsigned char *p;
	size_t n;

	if (!s) {
		in_close(in);
		err_set(e, "out of memory");
		return NULL;
	}
	s->in = in;
	s->e = e;
	if (in_peek(in, 512, &p, &n, e) < 0)
		goto fail;
	if (n == 0) {
		err_set(e, "stream: empty input");
		goto fail;
	}
	if (!(s->xxh = XXH3_createState()) || !(s->a = archive_read_new())) {
		err_set(e, "out of memory");
		goto fail;
	}
	if (archive_read_support_format_tar(s->a) != ARCHIVE_OK ||
	    archive_read_open(s->a, s, NULL, on_read, NULL) != ARCHIVE_OK) {
		broken(s, e);
		goto fail;
	}
	if (read_manifest(s, e) < 0 || expect(s, e) < 0)
		goto fail;
	return s;
fail:
	stream_close(s);
	return NULL;
}

struct manifest *
stream_manifest(struct stream_in *s)
{
	return s->m;
}

const char *
stream_path(const struct stream_in *s)
{
	return s->cur->name;
}

int
stream_some(struct stream_in *s, const void **p, size_t *n, struct err *e)
{
	int r;

	if (!s->cur || s->left == 0)
		return 0;
	if ((r = block(s, p, n, e)) < 0)
		return err_prefix(e, "%s", s->cur->name);
	if (r == 0 || *n > s->left)
		return err_set(e, "%s: ends %" PRIu64 " bytes early", s->cur->name, s->left);
	XXH3_128bits_update(s->xxh, *p, *n);
	s->left -= *n;
	if (s->left == 0)
		s->cur->sum = XXH3_128bits_digest(s->xxh);
	return 1;
}

static int
check_line(struct stream_in *s, const char *line, size_t n, struct err *e)
{
	char hex[33], text[MEMBER_NAME + 40];
	struct part *p;
	size_t i;

	if (n < 35 || n >= sizeof text || line[32] != ' ' || line[33] != ' ' ||
	    memchr(line, 0, n))
		return err_set(e, "CHECKSUMS: a line is not a sum, two blanks and a name");
	memcpy(text, line, n);
	text[n] = '\0';
	if ((i = names_find(s->names, text + 34)) == SIZE_MAX || !s->part[i].seen)
		return err_set(e, "CHECKSUMS: %s is not in the stream", text + 34);
	p = &s->part[i];
	if (p->listed)
		return err_set(e, "CHECKSUMS: two lines for %s", p->name);
	p->listed = true;
	member_sum_hex(p->sum, hex);
	if (memcmp(hex, text, 32))
		return err_set(e, "%s: checksum %s, CHECKSUMS says %.32s", p->name, hex, text);
	return 0;
}

static int
check_sums(struct stream_in *s, struct err *e)
{
	char line[MEMBER_NAME + 40];
	size_t k = 0, n;
	const void *vp;
	int r;

	while ((r = block(s, &vp, &n, e)) > 0) {
		const char *p = vp;

		for (size_t i = 0; i < n; i++) {
			if (p[i] == '\n') {
				if (check_line(s, line, k, e) < 0)
					return -1;
				k = 0;
			} else if (k == sizeof line) {
				return err_set(e, "CHECKSUMS: a line is too long");
			} else {
				line[k++] = p[i];
			}
		}
	}
	if (r < 0)
		return err_prefix(e, "CHECKSUMS");
	if (k > 0)
		return err_set(e, "CHECKSUMS: the last line is cut");
	for (size_t i = 0; i < s->npart; i++)
		if (s->part[i].seen && !s->part[i].listed)
			return err_set(e, "CHECKSUMS: no line for %s", s->part[i].name);
	return 0;
}

/* Only zeros may follow, to the end of the input: so no upstream dies of
 * SIGPIPE for having finished, and no second stream passes unseen. */
static int
drain(struct stream_in *s, struct err *e)
{
	uint64_t used = (uint64_t)archive_filter_bytes(s->a, 0);
	uint64_t left = s->given - used;
	const unsigned char *p = s->last + (s->nlast - (size_t)left);
	size_t n = (size_t)left;
	int r = 1;

	if (left > s->nlast)
		return err_set(e, "stream: lost count behind CHECKSUMS");
	while (r > 0) {
		for (size_t i = 0; i < n; i++)
			if (p[i])
				return err_set(e, "stream: something follows CHECKSUMS");
		r = in_some(s->in, IO_CHUNK, &p, &n, e);
	}
	return r;
}

static int
finish(struct stream_in *s, struct err *e)
{
	for (size_t i = 0; i + 1 < s->npart; i++)
		if (!s->part[i].seen)
			return err_set(e, "%s: not in the stream", s->part[i].name);
	if (check_sums(s, e) < 0 || drain(s, e) < 0)
		return -1;
	s->done = true;
	return 0;
}

int
stream_next(struct stream_in *s, struct member *m, struct err *e)
{
	struct archive_entry *en;
	const char *name;
	const void *p;
	size_t n, i;
	uint64_t size;
	int r;

	if (s->done)
		return 0;
	while ((r = stream_some(s, &p, &n, e)) > 0)
		;
	if (r < 0 || (r = next_entry(s, &en, &name, e)) < 0)
		return -1;
	s->cur = NULL;
	s->nrest = 0;
	if (r == 0)
		return err_set(e, "stream: ends without CHECKSUMS, so it is cut");
	size = (uint64_t)archive_entry_size(en);
	if (!strcmp(name, "CHECKSUMS"))
		return finish(s, e);
	if ((i = names_find(s->names, name)) == SIZE_MAX)
		return err_set(e, "%s: %s", name, s->plan && !strncmp(name, "tensors/", 8) ?
		    "a plan has no tensors" : "not in the manifest");
	s->cur = &s->part[i];
	if (s->cur->seen)
		return err_set(e, "%s: comes twice", s->cur->name);
	m->kind = i == s->npart - 1 ? MEMBER_TAIL :
	    i > s->nfile ? MEMBER_TENSOR : MEMBER_FILE;
	m->index = m->kind == MEMBER_TENSOR ? i - 1 - s->nfile : i - 1;
	m->bytes = size;
	if (m->kind == MEMBER_TAIL) {
		if (size > 1 << 20)
			return err_set(e, "tail.json: %" PRIu64 " bytes are too many", size);
		s->cur->bytes = size;
	} else if (s->part[s->npart - 1].seen) {
		return err_set(e, "%s: behind tail.json", s->cur->name);
	}
	if (m->kind == MEMBER_FILE && s->tensors_begun)
		return err_set(e, "%s: a file behind tensors", s->cur->name);
	s->tensors_begun |= m->kind == MEMBER_TENSOR;
	if (size != s->cur->bytes)
		return err_set(e, "%s: %" PRIu64 " bytes, the manifest says %" PRIu64,
		    s->cur->name, size, s->cur->bytes);
	s->cur->seen = true;
	s->left = size;
	XXH3_128bits_reset(s->xxh);
	if (size == 0)
		s->cur->sum = XXH3_128bits_digest(s->xxh);
	return 1;
}

int
stream_read(struct stream_in *s, void *dst, size_t n, struct err *e)
{
	unsigned char *d = dst;

	while (n > 0) {
		size_t k;

		if (s->nrest == 0) {
			const void *p;
			int r;

			/* No more than the member has: what follows it is
			 * libarchive's to keep. */
			s->to = d;
			s->room = n < s->left ? n : (size_t)s->left;
			r = stream_some(s, &p, &s->nrest, e);
			s->to = NULL;
			if (r < 0)
				return -1;
			if (r == 0)
				return err_set(e, "%s: read past its end",
				    s->cur ? s->cur->name : "stream");
			s->rest = p;
		}
		k = n < s->nrest ? n : s->nrest;
		if (s->rest != d)
			memcpy(d, s->rest, k);
		s->rest += k;
		s->nrest -= k;
		d += k;
		n -= k;
	}
	return 0;
}

void
stream_close(struct stream_in *s)
{
	if (!s)
		return;
	if (s->a)
		archive_read_free(s->a);
	in_close(s->in);
	manifest_free(s->m);
	names_free(s->names);
	arena_release(&s->arena);
	XXH3_freeState(s->xxh);
	free(s->part);
	free(s);
}
