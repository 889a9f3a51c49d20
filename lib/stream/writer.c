/* SPDX-License-Identifier: MIT */
/* writer.c -- a stream out: members, their sums, and the end said aloud. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "member.h"

struct stream_out {
	struct archive	*a;
	struct archive_entry *entry;
	struct out	*out;
	struct err	*e;		/* of the call under way */
	int		 file;		/* that holds src at `at`, or -1 */
	uint64_t	 at;
	const unsigned char *src;
	size_t		 nsrc;
	bool		 failed;	/* the callback set *e */
	bool		 mute;		/* nothing is written any more */
	XXH3_state_t	*xxh;
	uint64_t	 left;		/* of the current member */
	bool		 open;
	char		 name[MEMBER_NAME];
	struct buf	 sums;
};

static la_ssize_t
on_write(struct archive *a, void *ctx, const void *p, size_t n)
{
	struct stream_out *s = ctx;
	const unsigned char *b = p;

	if (s->mute)
		return (la_ssize_t)n;
	/* libarchive hands a member's bytes on where they are. */
	if (s->file >= 0 && b >= s->src && n <= s->nsrc &&
	    (size_t)(b - s->src) <= s->nsrc - n) {
		if (out_file(s->out, p, n, s->file, s->at + (uint64_t)(b - s->src), s->e) == 0)
			return (la_ssize_t)n;
	} else if (out_write(s->out, p, n, s->e) == 0)
		return (la_ssize_t)n;
	s->failed = true;
	archive_set_error(a, 5, "write");
	return -1;
}

static int
broken(struct stream_out *s, struct err *e)
{
	if (s->failed)
		return -1;
	return err_set(e, "stream: %s", archive_error_string(s->a));
}

static int
begin(struct stream_out *s, const char *path, uint64_t bytes, struct err *e)
{
	archive_entry_clear(s->entry);
	archive_entry_set_pathname(s->entry, path);
	archive_entry_set_filetype(s->entry, AE_IFREG);
	archive_entry_set_perm(s->entry, 0644);
	archive_entry_set_size(s->entry, (la_int64_t)bytes);
	archive_entry_set_mtime(s->entry, 0, 0);
	s->e = e;
	if (archive_write_header(s->a, s->entry) != ARCHIVE_OK)
		return broken(s, e);
	memmove(s->name, path, strlen(path) + 1);
	s->left = bytes;
	s->open = true;
	XXH3_128bits_reset(s->xxh);
	return 0;
}

/* The current member is complete: its line. */
static int
finish(struct stream_out *s, struct err *e)
{
	char hex[33];

	if (!s->open)
		return 0;
	if (s->left > 0)
		return err_set(e, "%s: %" PRIu64 " bytes are missing", s->name, s->left);
	member_sum_hex(XXH3_128bits_digest(s->xxh), hex);
	buf_printf(&s->sums, "%s  %s\n", hex, s->name);
	s->open = false;
	return buf_check(&s->sums, e);
}

int
stream_member(struct stream_out *s, enum member_kind kind, const char *name,
    uint64_t bytes, struct err *e)
{
	char path[MEMBER_NAME];

	if (bytes > INT64_MAX)
		return err_set(e, "%s: too large", name);
	if (finish(s, e) < 0)
		return -1;
	return begin(s, member_name(kind, name, path), bytes, e);
}

int
stream_write(struct stream_out *s, const void *p, size_t n, struct err *e)
{
	const unsigned char *b = p;

	if (n > s->left)
		return err_set(e, "%s: more bytes than it was said to have", s->name);
	s->e = e;
	XXH3_128bits_update(s->xxh, p, n);
	s->left -= n;
	while (n > 0) {
		la_ssize_t r = archive_write_data(s->a, b, n);

		if (r <= 0)
			return broken(s, e);
		b += r;
		n -= (size_t)r;
	}
	return 0;
}

int
stream_write_file(struct stream_out *s, const void *p, size_t n, int file, uint64_t at,
    struct err *e)
{
	int r;

	s->src = p;
	s->nsrc = n;
	s->at = at;
	s->file = file;
	r = stream_write(s, p, n, e);
	s->file = -1;
	return r;
}

struct stream_out *
stream_create(int fd, const struct manifest *m, int level, struct err *e)
{
	struct stream_out *s = calloc(1, sizeof *s);
	struct buf text = { 0 };

	if (!s || !(s->xxh = XXH3_createState()) || !(s->a = archive_write_new()) ||
	    !(s->entry = archive_entry_new())) {
		err_set(e, "out of memory");
		goto fail;
	}
	s->file = -1;
	if (!(s->out = out_open(fd, level, e)))
		goto fail;
	s->e = e;
	if (archive_write_set_format_pax_restricted(s->a) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(s->a, 0) != ARCHIVE_OK ||
	    archive_write_open(s->a, s, NULL, on_write, NULL) != ARCHIVE_OK) {
		broken(s, e);
		goto fail;
	}
	if (manifest_write(m, &text, e) < 0 ||
	    begin(s, "manifest.json", text.len, e) < 0 ||
	    stream_write(s, text.p, text.len, e) < 0)
		goto fail;
	buf_release(&text);
	return s;
fail:
	buf_release(&text);
	if (s)
		stream_abandon(s);
	return NULL;
}

int
stream_copy(struct stream_out *s, struct stream_in *in, const struct member *m,
    struct err *e)
{
	const void *p;
	size_t n;
	int r;

	if (finish(s, e) < 0 || begin(s, stream_path(in), m->bytes, e) < 0)
		return -1;
	while ((r = stream_some(in, &p, &n, e)) > 0)
		if (stream_write(s, p, n, e) < 0)
			return -1;
	return r;
}

int
stream_end(struct stream_out *s, struct err *e)
{
	struct buf sums = { 0 };
	int r = finish(s, e);

	/* The lines must not be among themselves. */
	sums = s->sums;
	s->sums = (struct buf){ 0 };
	if (r == 0 && (r = begin(s, "CHECKSUMS", sums.len, e)) == 0)
		r = stream_write(s, sums.p, sums.len, e);
	buf_release(&sums);
	s->e = e;
	if (r == 0 && archive_write_close(s->a) != ARCHIVE_OK)
		r = broken(s, e);
	if (r == 0) {
		r = out_close(s->out, e);
		s->out = NULL;
	}
	stream_abandon(s);
	return r;
}

void
stream_abandon(struct stream_out *s)
{
	static struct err ignored;

	if (s->a) {
		/* Freeing closes, and closing would write an end.  (An archive
		 * that was made to fail is not freed to the last byte.) */
		s->e = &ignored;
		s->mute = true;
		archive_write_free(s->a);
	}
	archive_entry_free(s->entry);
	out_abandon(s->out);
	XXH3_freeState(s->xxh);
	buf_release(&s->sums);
	free(s);
}
