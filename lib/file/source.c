/* SPDX-License-Identifier: MIT */
/* source.c -- opening a model: which files, which format, one manifest. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lattice.h"
#include "source.h"

#define LATTICE_INDEX_MAX	((uint64_t)16 << 20)

static struct part *
add_part(struct source *s, const char *path, struct err *e)
{
	struct part *p;

	if (array_room(&s->part, s->npart, sizeof *p, e) < 0)
		return NULL;
	p = &s->part[s->npart];
	memset(p, 0, sizeof *p);
	p->fd = -1;
	if (!(p->path = strdup(path))) {
		err_set(e, "out of memory");
		return NULL;
	}
	s->npart++;
	if (!strcmp(path, "-")) {
		p->fd = STDIN_FILENO;
	} else {
		if ((p->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
			err_sys(e, "%s", path);
			return NULL;
		}
		p->owned = true;
	}
	if (!(p->in = in_open(p->fd, e))) {
		err_prefix(e, "%s", path);
		return NULL;
	}
	return p;
}

static bool
is_tar(const unsigned char *p, size_t n)
{
	return n >= 512 && !memcmp(p + 257, "ustar", 5);
}

/* A file that is one tensor says what it is called; standard input does not. */
static int
name_alone(struct source *s, const struct part *p, struct err *e)
{
	const char *name = path_base(p->path), *dot = strrchr(name, '.');
	size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
	struct tensor *t = &s->m->tensor[p->h.first];

	if (!strcmp(p->path, "-"))
		return 0;
	if (!utf8_valid(name, n) || n > TENSOR_NAME)
		return err_set(e, "its file's name can be no tensor's");
	t->name = arena_strn(&s->m->arena, name, n);
	return t->name ? 0 : err_set(e, "out of memory");
}

/* Parse part k's header; several parts are numbered from 1. */
static int
parse(struct source *s, size_t k, const struct format *want, bool shards, struct err *e)
{
	struct part *p = &s->part[k];
	const struct format *f;
	const unsigned char *b;
	size_t n;

	if (in_peek(p->in, 512, &b, &n, e) < 0)
		goto bad;
	if (n == 0) {
		err_set(e, "empty");
		goto bad;
	}
	if (!(f = format_probe(b, n))) {
		err_set(e, "neither .apr, GGUF, safetensors, PyTorch, NumPy, lattice nor a stream");
		goto bad;
	}
	if (want && f != want) {
		err_set(e, "is %s, the first part is %s", f->name, want->name);
		goto bad;
	}
	if (f->parse && strcmp(f->name, "apr") == 0)
		in_crc_start(p->in);
	if (header_parse(&p->h, f, p->in, s->m, shards ? (unsigned)k + 1 : 0, e) < 0)
		goto bad;
	if (f->alone && name_alone(s, p, e) < 0)
		goto bad;
	p->data = in_pos(p->in);
	p->count = s->m->ntensor - p->h.first;
	header_sort(s->m, p->h.first);
	if (!p->h.spots && header_check(s->m, p->h.first, p->data, in_size(p->in), e) < 0)
		goto bad;
	return 0;
bad:
	return err_prefix(e, "%s", strcmp(p->path, "-") ? p->path : "standard input");
}

/* The other parts of a split GGUF, by the name of the first. */
static int
open_split(struct source *s, struct err *e)
{
	const char *path = s->part[0].path, *tail;
	uint64_t count = s->part[0].h.split;
	size_t n = strlen(path), head;
	unsigned no, of;
	char *name;

	if (count > 99999)
		return err_set(e, "%s: a split into %" PRIu64 " parts", path, count);
	if (n < 20 || sscanf(tail = path + n - 20, "-%5u-of-%5u.gguf", &no, &of) != 2 ||
	    of != count)
		return err_set(e, "%s: one of %" PRIu64 " parts, but its name does not"
		    " end in -00001-of-%05" PRIu64 ".gguf, so the others are not found",
		    path, count, count);
	if (no != 1)
		return err_set(e, "%s: part %u of %u; the first is the operand", path, no, of);
	head = (size_t)(tail - path);
	if (!(name = malloc(n + 32)))
		return err_set(e, "out of memory");
	for (unsigned i = 2; i <= of; i++) {
		snprintf(name, n + 32, "%.*s-%05u-of-%05u.gguf", (int)head, path, i, of);
		if (!add_part(s, name, e)) {
			free(name);
			return -1;
		}
	}
	free(name);
	return 0;
}

static int
add_file(struct source *s, const char *name, uint64_t bytes, enum where w,
    size_t index, struct err *e)
{
	if (array_room(&s->file, s->m->nfile, sizeof *s->file, e) < 0)
		return -1;
	s->file[s->m->nfile] = (struct where_is){ w, index };
	return manifest_add_file(s->m, name, bytes, e);
}

static int
add_files(struct source *s, bool shards, struct err *e)
{
	char name[64];

	for (size_t k = 0; k < s->npart; k++) {
		if (s->part[k].h.spots)
			continue;	/* nothing stands before the data */
		if (shards)
			snprintf(name, sizeof name, ".source/header.%05zu", k + 1);
		else
			snprintf(name, sizeof name, ".source/header");
		if (add_file(s, name, s->part[k].h.raw.len, FILE_HEADER, k, e) < 0)
			return -1;
	}
	for (size_t i = 0; s->npart > 0 && i < s->part[0].h.nheld; i++)
		if (add_file(s, s->part[0].h.held[i].name, s->part[0].h.held[i].bytes,
		    FILE_HELD, i, e) < 0)
			return -1;
	for (size_t i = 0; i < s->dir.nfile; i++)
		if (add_file(s, s->dir.file[i].name, s->dir.file[i].bytes, FILE_PATH, i, e) < 0)
			return -1;
	return 0;
}

/* config.json is what a directory's metadata shows. */
static int
read_config(struct source *s, const char *path, struct err *e)
{
	struct view *v = NULL;
	struct json *j = NULL;
	const unsigned char *p;
	const char *text;
	struct in *in = NULL;
	size_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = -1, k;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	if (!(in = in_open(fd, e)) || !(v = view_new(e)) ||
	    !(j = json_new("config.json", view_event, v, e)))
		goto out;
	while ((k = in_some(in, 65536, &p, &n, e)) > 0)
		if (json_feed(j, p, n, e) < 0)
			goto out;
	if (k < 0 || json_end(j, e) < 0 || !(text = view_text(v, e)))
		goto out;
	if (*text != '{') {
		err_set(e, "%s: no JSON object", path);
		goto out;
	}
	s->m->metadata = arena_strn(&s->m->arena, text, strlen(text));
	r = s->m->metadata ? 0 : err_set(e, "out of memory");
out:
	json_free(j);
	view_free(v);
	in_close(in);
	close(fd);
	return r;
}

/* What the folder is called: a model's name, if nothing else says it. */
static int
name_dir(struct source *s, struct err *e)
{
	char *path = realpath(s->dir.dir, NULL);
	const char *last = path ? path_base(path) : "";

	if (*last && utf8_valid(last, strlen(last)) &&
	    !(s->m->name = arena_strn(&s->m->arena, last, strlen(last)))) {
		free(path);
		return err_set(e, "out of memory");
	}
	free(path);
	return 0;
}

/* Each tensor is a file, and all of them are one part. */
static int
open_lattice(struct source *s, const char *index, struct err *e)
{
	struct part *p = add_part(s, index, e);
	struct buf b = { 0 };
	uint64_t size;
	int r;

	if (!p)
		return -1;
	s->m->source = "lattice";
	p->h = (struct header){ .format = &format_lattice, .m = s->m };
	size = in_size(p->in);
	if (size > LATTICE_INDEX_MAX)
		return err_set(e, "%s: more than %" PRIu64 " bytes", index, LATTICE_INDEX_MAX);
	if ((r = in_append(p->in, &b, size, e)) < 0)
		err_prefix(e, "%s", index);
	else if ((r = lattice_dir(&p->h, s->dir.dir, &b, e)) < 0)
		err_prefix(e, "%s", s->dir.dir);
	p->count = s->m->ntensor;
	buf_release(&b);
	return r;
}

static int
open_dir(struct source *s, const char *path, struct err *e)
{
	struct buf name = { 0 };
	int r = -1;

	if (hfdir_open(&s->dir, path, e) < 0 || name_dir(s, e) < 0)
		return -1;
	buf_printf(&name, "%s/config.json", s->dir.dir);
	buf_put(&name, "", 1);
	if (buf_check(&name, e) < 0 || read_config(s, (char *)name.p, e) < 0)
		goto out;
	s->m->source = "hf";
	if (s->dir.lattice) {
		name.len = 0;
		buf_printf(&name, "%s/" LATTICE_INDEX, s->dir.dir);
		buf_put(&name, "", 1);
		if (buf_check(&name, e) < 0 || open_lattice(s, (char *)name.p, e) < 0)
			goto out;
	}
	for (size_t i = 0; i < s->dir.nshard; i++) {
		name.len = 0;
		buf_printf(&name, "%s/%s", s->dir.dir, s->dir.shard[i]);
		buf_put(&name, "", 1);
		if (buf_check(&name, e) < 0 || !add_part(s, (char *)name.p, e) ||
		    manifest_add_shard(s->m, s->dir.shard[i], e) < 0 ||
		    parse(s, i, i ? s->part[0].h.format : NULL, true, e) < 0)
			goto out;
		if (s->part[i].h.format != &format_safetensors &&
		    s->part[i].h.format != &format_torch) {
			err_set(e, "%s: is %s, which is no directory's", s->part[i].path,
			    s->part[i].h.format->name);
			goto out;
		}
	}
	r = 0;
out:
	buf_release(&name);
	return r;
}

static bool
is_dir(const char *path)
{
	struct stat st;
	size_t n = strlen(path);

	return strcmp(path, "-") && ((stat(path, &st) == 0 && S_ISDIR(st.st_mode)) ||
	    (n > 11 && !strcmp(path + n - 11, ".index.json")));
}

/* The other parts of a stream: their tensors behind the first one's, and
 * nothing else that they might have. */
static int
open_streams(struct source *s, struct err *e)
{
	struct manifest *m = stream_manifest(s->stream);

	if (s->npart > 1 && !(s->more = calloc(s->npart - 1, sizeof *s->more)))
		return err_set(e, "out of memory");
	for (size_t k = 1; k < s->npart; k++) {
		struct part *p = &s->part[k];
		struct manifest *o;
		const unsigned char *b;
		size_t got;

		if (in_peek(p->in, 512, &b, &got, e) < 0)
			return err_prefix(e, "%s", p->path);
		if (!is_tar(b, got))
			return err_set(e, "%s: is no stream, the first part is one", p->path);
		s->more[s->nmore] = stream_open(p->in, e);
		p->in = NULL;
		if (!s->more[s->nmore])
			return err_prefix(e, "%s", p->path);
		o = stream_manifest(s->more[s->nmore++]);
		if (o->nfile > 0 || o->plan || m->plan)
			return err_set(e, "%s: has files of its own or is a plan, so it is no part"
			    " of %s", p->path, s->part[0].path);
		if ((o->convention && m->convention && strcmp(o->convention, m->convention)) ||
		    o->nshard != m->nshard)
			return err_set(e, "%s: is of another model than %s", p->path,
			    s->part[0].path);
		for (size_t i = 0; i < o->ntensor; i++) {
			const struct tensor *from = &o->tensor[i];
			struct tensor *t = manifest_add_tensor(m, from->name, strlen(from->name), e);
			const char *name = t ? t->name : NULL;

			if (!t)
				return -1;
			*t = *from;	/* that manifest stays until the end */
			t->name = name;
		}
	}
	return manifest_check(m, e);
}

static int
open_files(struct source *s, char *const *path, size_t n, struct err *e)
{
	const unsigned char *b;
	bool shards;
	size_t got;

	for (size_t i = 0; i < n; i++) {
		if (is_dir(path[i]))
			return err_set(e, "%s: a directory is no part of a model", path[i]);
		if (!add_part(s, path[i], e))
			return -1;
	}
	if (in_peek(s->part[0].in, 512, &b, &got, e) < 0)
		return err_prefix(e, "%s", path[0]);
	if (is_tar(b, got)) {
		s->stream = stream_open(s->part[0].in, e);
		s->part[0].in = NULL;
		return s->stream ? open_streams(s, e) : err_prefix(e, "%s", path[0]);
	}
	if (n == 1) {
		/* How many parts there are is in the first one's header. */
		if (parse(s, 0, NULL, false, e) < 0)
			return -1;
		if (s->part[0].h.split > 1 && open_split(s, e) < 0)
			return -1;
	} else if (parse(s, 0, NULL, true, e) < 0) {
		return -1;
	}
	shards = s->npart > 1;
	for (size_t i = 0; shards && i < s->part[0].count; i++)
		s->m->tensor[i].shard = 1;
	for (size_t i = 1; i < s->npart; i++)
		if (parse(s, i, s->part[0].h.format, true, e) < 0)
			return -1;
	for (size_t i = 0; shards && i < s->npart; i++)
		if (manifest_add_shard(s->m, path_base(s->part[i].path), e) < 0)
			return -1;
	return 0;
}

struct source *
source_open(char *const *path, size_t n, struct err *e)
{
	struct source *s = calloc(1, sizeof *s);
	bool dir = n == 1 && is_dir(path[0]);

	if (!s || !(s->m = manifest_new(e))) {
		free(s);
		err_set(e, "out of memory");
		return NULL;
	}
	if ((dir ? open_dir(s, path[0], e) : open_files(s, path, n, e)) < 0)
		goto fail;
	if (s->stream)
		return s;
	if (add_files(s, dir || s->npart > 1, e) < 0)
		goto fail;
	if (manifest_check(s->m, e) < 0) {
		err_prefix(e, "%s", path[0]);
		goto fail;
	}
	return s;
fail:
	source_close(s);
	return NULL;
}

struct manifest *
source_manifest(struct source *s)
{
	return s->stream ? stream_manifest(s->stream) : s->m;
}

const char *const *
source_skipped(const struct source *s, size_t *n)
{
	*n = s->dir.nskipped;
	return s->dir.skipped;
}

bool
source_is_stream(const struct source *s)
{
	return s->stream != NULL;
}

bool
source_seekable(const struct source *s)
{
	for (size_t i = 0; i < s->npart; i++)
		if (!s->part[i].in || !in_seekable(s->part[i].in))
			return false;
	return !s->stream;
}

void
source_close(struct source *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nmore; i++)
		stream_close(s->more[i]);
	free(s->more);
	stream_close(s->stream);
	for (size_t i = 0; i < s->npart; i++) {
		struct part *p = &s->part[i];

		in_close(p->in);
		if (p->map)
			munmap(p->map, p->mapped);
		header_release(&p->h);
		if (p->owned)
			close(p->fd);
		free(p->path);
	}
	free(s->part);
	free(s->file);
	arch_map_free(s->as);
	arch_close(s->model);
	free(s->from);
	hfdir_release(&s->dir);
	manifest_free(s->m);
	free(s);
}
