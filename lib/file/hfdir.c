/* SPDX-License-Identifier: MIT */
/*
 * hfdir.c -- a Hugging Face directory: which files are weights, and which
 * travel with them.  (The index is written by safetensors_write.c.)
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/file.h>
#include <apr/size.h>

#include "lattice.h"

#define INDEX		"model.safetensors.index.json"
#define SINGLE		"model.safetensors"
#define INDEX_SUFFIX	".index.json"
#define TORCH		"pytorch_model.bin"	/* if there is nothing better */
#define INDEX_MAX	((uint64_t)256 << 20)	/* bytes of an index */
#define FILE_MAX	((uint64_t)256 << 20)	/* of a file that travels */

static bool
ends(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n >= k && strcmp(s + n - k, tail) == 0;
}

/* Weights of any kind, and indices of such. */
static bool
is_weight(const char *name)
{
	static const char *const tails[] = {
		".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack",
		".onnx", ".npz", ".gguf", ".apr", ".q4", ".f16", INDEX_SUFFIX,
	};

	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
		if (ends(name, tails[i]))
			return true;
	return false;
}

static const char *
keep(struct hfdir *d, const char *s, size_t n, struct err *e)
{
	const char *p = arena_strn(&d->arena, s, n);

	if (!p)
		err_set(e, "out of memory");
	return p;
}

static int
skip(struct hfdir *d, const char *name, struct err *e)
{
	if (array_room(&d->skipped, d->nskipped, sizeof *d->skipped, e) < 0 ||
	    !(d->skipped[d->nskipped] = keep(d, name, strlen(name), e)))
		return -1;
	d->nskipped++;
	return 0;
}

static int
travel(struct hfdir *d, const char *name, uint64_t bytes, struct err *e)
{
	if (!utf8_valid(name, strlen(name)))
		return err_set(e, "%s/%s: the file's name is not UTF-8", d->dir, name);
	if (array_room(&d->file, d->nfile, sizeof *d->file, e) < 0 ||
	    !(d->file[d->nfile].name = keep(d, name, strlen(name), e)))
		return -1;
	d->file[d->nfile++].bytes = bytes;
	return 0;
}

/* Where name is, or would be, among the shards, which are sorted. */
static size_t
place(const struct hfdir *d, const char *name, bool *there)
{
	size_t lo = 0, hi = d->nshard;

	*there = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(name, d->shard[mid]);

		if (c == 0)
			*there = true;
		if (c <= 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static int
add_shard(struct hfdir *d, int fd, const char *name, struct err *e)
{
	struct stat st;
	bool there;
	size_t at = place(d, name, &there);

	if (there)
		return 0;
	/* Now, so that there are never more of them than files. */
	if (fstatat(fd, name, &st, 0) < 0)
		return err_sys(e, "%s/%s", d->dir, name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, "%s/%s: not a regular file", d->dir, name);
	if (array_room(&d->shard, d->nshard, sizeof *d->shard, e) < 0 ||
	    !(name = keep(d, name, strlen(name), e)))
		return -1;
	memmove(d->shard + at + 1, d->shard + at,
	    (d->nshard - at) * sizeof *d->shard);
	d->shard[at] = name;
	d->nshard++;
	return 0;
}

/* Reading an index: only weight_map's values matter here. */
struct index {
	struct hfdir	*d;
	int		 fd;		/* of the folder */
	int		 depth;
	bool		 map_next, in_map, seen;
};

static int
index_event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct index *x = ctx;
	bool opens = ev == JSON_OBJECT || ev == JSON_ARRAY;
	char name[256];

	if (x->depth == 0 && ev != JSON_OBJECT)
		return err_set(e, "not a JSON object");
	if (x->depth == 1 && ev == JSON_KEY) {
		x->map_next = n == 10 && memcmp(s, "weight_map", n) == 0;
		if (x->map_next && x->seen)
			return err_set(e, "weight_map is there twice");
		x->seen |= x->map_next;
		return 0;
	}
	if (x->depth == 1 && x->map_next) {
		if (ev != JSON_OBJECT)
			return err_set(e, "weight_map is not an object");
		x->map_next = false;
		x->in_map = true;
	} else if (x->in_map && ev == JSON_OBJECT_END) {
		x->in_map = false;
	} else if (x->in_map && ev != JSON_KEY) {
		if (ev != JSON_STRING)
			return err_set(e, "weight_map holds a value that is not a "
			    "string");
		if (n == 0 || n >= sizeof name || memchr(s, 0, n) ||
		    memchr(s, '/', n) || s[0] == '.' || !utf8_valid(s, n))
			return err_set(e, "weight_map names \"%.*s\", which is not a "
			    "plain file name", n < 80 ? (int)n : 80, s);
		memcpy(name, s, n);
		name[n] = '\0';
		return add_shard(x->d, x->fd, name, e);
	}
	x->depth += opens ? 1 : ev == JSON_OBJECT_END || ev == JSON_ARRAY_END ? -1 : 0;
	return 0;
}

/* In large pieces: yajl looks again at all of a string that is cut. */
static int
index_text(int fd, struct json *j, struct err *e)
{
	char *b = malloc(IO_CHUNK);
	uint64_t all = 0;
	ssize_t n;
	int r = b ? 0 : err_set(e, "out of memory");

	while (r == 0 && (n = read(fd, b, IO_CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_sys(e, "read");
		else if ((all += (uint64_t)n) > INDEX_MAX)
			r = err_set(e, "more than %" PRIu64 " bytes", INDEX_MAX);
		else
			r = json_feed(j, b, (size_t)n, e);
	}
	free(b);
	return r < 0 ? -1 : json_end(j, e);
}

/* The shards of an index in the folder fd.  1: there is no such file. */
static int
index_read(struct hfdir *d, int dirfd_, const char *name, uint64_t *bytes,
    struct err *e)
{
	struct index x = { .d = d, .fd = dirfd_ };
	int fd = openat(dirfd_, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = -1;
	struct json *j = NULL;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(e, "%s/%s", d->dir, name);
	} else if (!S_ISREG(st.st_mode)) {
		err_set(e, "%s/%s: not a regular file", d->dir, name);
	} else if ((j = json_new("index", index_event, &x, e))) {
		r = index_text(fd, j, e);
		if (r == 0 && d->nshard == 0)
			r = err_set(e, "no weight_map that names a file");
		if (r < 0)
			err_prefix(e, "%s/%s", d->dir, name);
		*bytes = (uint64_t)st.st_size;
	}
	json_free(j);
	if (fd >= 0)
		close(fd);
	return r;
}

/* One name of the folder, before or after the shards are known. */
static int
entry(struct hfdir *d, int fd, const char *name, bool index, struct err *e)
{
	struct stat st;
	bool shard;

	place(d, name, &shard);
	if (d->lattice && (ends(name, ".q4") || ends(name, ".f16")))
		return 0;	/* its index knows them */
	if (shard || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (name[0] == '.' ||
	    (is_weight(name) && !(index && strcmp(name, INDEX) == 0)))
		return skip(d, name, e);
	if (fstatat(fd, name, &st, 0) < 0)
		return err_sys(e, "%s/%s", d->dir, name);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_MAX)
		return skip(d, name, e);
	return travel(d, name, (uint64_t)st.st_size, e);
}

/* Without an index: model.safetensors, else the only *.safetensors, else
 * pytorch_model.bin. */
static int
single(struct hfdir *d, int fd, DIR *dp, struct err *e)
{
	const char *found = NULL;
	struct dirent *de;
	struct stat st;
	size_t n = 0;

	if (fstatat(fd, SINGLE, &st, 0) == 0)
		return add_shard(d, fd, SINGLE, e);
	if (errno != ENOENT)
		return err_sys(e, "%s/" SINGLE, d->dir);
	rewinddir(dp);
	while (errno = 0, (de = readdir(dp))) {
		if (de->d_name[0] == '.' || !ends(de->d_name, ".safetensors") ||
		    fstatat(fd, de->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (n++ == 0 &&
		    !(found = keep(d, de->d_name, strlen(de->d_name), e)))
			return -1;
	}
	if (errno)
		return err_sys(e, "%s", d->dir);
	if (n == 0 && fstatat(fd, TORCH, &st, 0) == 0)
		return add_shard(d, fd, TORCH, e);
	if (n == 0)
		return err_set(e, "%s: neither *.safetensors nor " TORCH " in this directory",
		    d->dir);
	if (n > 1)
		return err_set(e, "%s: %zu *.safetensors, but neither " SINGLE
		    " nor " INDEX, d->dir, n);
	return add_shard(d, fd, found, e);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct mfile *)a)->name,
	    ((const struct mfile *)b)->name);
}

static int
by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
folder(struct hfdir *d, int fd, DIR *dp, struct err *e)
{
	struct dirent *de;
	struct stat st;
	uint64_t bytes;
	int r, index;

	if ((r = index_read(d, fd, INDEX, &bytes, e)) < 0)
		return -1;
	index = r == 0;
	d->lattice = !index && fstatat(fd, SINGLE, &st, 0) < 0 &&
	    fstatat(fd, LATTICE_INDEX, &st, 0) == 0;
	if (!index && !d->lattice && fstatat(fd, SINGLE, &st, 0) < 0 &&
	    (r = index_read(d, fd, TORCH INDEX_SUFFIX, &bytes, e)) < 0)
		return -1;
	if (r > 0 && !d->lattice && single(d, fd, dp, e) < 0)
		return -1;
	rewinddir(dp);
	while (errno = 0, (de = readdir(dp)))
		if (entry(d, fd, de->d_name, index, e) < 0)
			return -1;
	if (errno)
		return err_sys(e, "%s", d->dir);
	if (d->nfile > 1)
		qsort(d->file, d->nfile, sizeof *d->file, by_name);
	if (d->nskipped > 1)
		qsort(d->skipped, d->nskipped, sizeof *d->skipped, by_string);
	return 0;
}

/* path is a folder (base NULL), or an index called base in d->dir. */
static int
open_in(struct hfdir *d, const char *base, struct err *e)
{
	uint64_t bytes;
	DIR *dp = opendir(d->dir);
	int r;

	if (!dp)
		return err_sys(e, "%s", d->dir);
	if (!base) {
		r = folder(d, dirfd(dp), dp, e);
	} else if ((r = index_read(d, dirfd(dp), base, &bytes, e)) == 0) {
		/* Other shards' index is wrong wherever they go. */
		if (strcmp(base, TORCH INDEX_SUFFIX))
			r = travel(d, base, bytes, e);
	} else if (r > 0) {
		errno = ENOENT;
		r = err_sys(e, "%s/%s", d->dir, base);
	}
	closedir(dp);
	return r;
}

int
hfdir_open(struct hfdir *d, const char *path, struct err *e)
{
	const char *base = NULL;
	size_t n = strlen(path);
	struct stat st;
	int r = -1;

	memset(d, 0, sizeof *d);
	if (stat(path, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		if (!ends(path, INDEX_SUFFIX))
			return err_set(e, "%s: neither a directory nor an *"
			    INDEX_SUFFIX, path);
		base = path_base(path);
		n = (size_t)(base - path);
		n -= n > 1;	/* its slash, but for the root's */
	}
	if ((d->dir = n ? keep(d, path, n, e) : "."))
		r = open_in(d, base, e);
	if (r < 0)
		hfdir_release(d);
	return r;
}

void
hfdir_release(struct hfdir *d)
{
	free(d->shard);
	free(d->file);
	free(d->skipped);
	arena_release(&d->arena);
	memset(d, 0, sizeof *d);
}
