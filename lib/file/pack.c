/* SPDX-License-Identifier: MIT */
/* pack.c -- writing an output: each tensor to its place, the name last. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libdeflate.h>
#include <zlib.h>

#include <apr/size.h>

#include "pack.h"

#define INDEX	"model.safetensors.index.json"

static int
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

struct pack *
pack_open(const struct pack_target *t, const struct manifest *m, struct err *e)
{
	struct pack *p = calloc(1, sizeof *p);

	if (!p) {
		err_set(e, "out of memory");
		return NULL;
	}
	p->t = *t;
	p->in = p->m = m;
	p->spill = -1;
	if (t->path && !t->cut && !t->force && !m->plan && exists(t->path)) {
		err_set(e, "%s: exists; -f replaces it", t->path);
		free(p);
		return NULL;
	}
	return p;
}

static void
said(const struct pack_target *t, const char *path, bool dir)
{
	if (t->temp)
		t->temp(path, dir);
}

/* PATH.XXXXXX in the same directory, made exclusively. */
static char *
temp_name(const char *path, struct err *e)
{
	char *s = malloc(strlen(path) + 8);

	if (s)
		sprintf(s, "%s.XXXXXX", path);
	else
		err_set(e, "out of memory");
	return s;
}

static char *
join(const char *dir, const char *name, struct err *e)
{
	char *s = malloc(strlen(dir) + strlen(name) + 2);

	if (s)
		sprintf(s, "%s/%s", dir, name);
	else
		err_set(e, "out of memory");
	return s;
}

static int
open_dir(struct pack *p, struct err *e)
{
	if (!p->t.dir || p->tempdir || p->m->plan)
		return 0;
	if (!(p->tempdir = temp_name(p->t.path, e)))
		return -1;
	if (!mkdtemp(p->tempdir)) {
		err_sys(e, "%s", p->tempdir);
		free(p->tempdir);
		p->tempdir = NULL;
		return -1;
	}
	(void)chmod(p->tempdir, 0755);
	said(&p->t, p->tempdir, true);
	return 0;
}

/* A file of the directory, written by itself. */
static int
open_in_dir(struct pack *p, const char *name, char **path, struct err *e)
{
	int fd;

	if (strchr(name, '/') || *name == '.')
		return err_set(e, "%s: is no name of a file in a directory", name);
	if (open_dir(p, e) < 0 || !(*path = join(p->tempdir, name, e)))
		return -1;
	said(&p->t, *path, false);
	if ((fd = open(*path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)) < 0)
		return err_sys(e, "%s", *path);
	return fd;
}

int
output_close(int fd, const char *path, struct err *e)
{
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS) {
		err_sys(e, "%s", path);
		close(fd);
		return -1;
	}
	return close(fd) < 0 ? err_sys(e, "%s", path) : 0;
}

static mode_t
usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

int
output_open(const struct pack_target *t, struct output *o, const char *name, struct err *e)
{
	if (!(o->temp = temp_name(name, e)))
		return -1;
	if ((o->fd = mkostemp(o->temp, O_CLOEXEC)) < 0) {
		err_sys(e, "%s", o->temp);
		free(o->temp);
		o->temp = NULL;
		return -1;
	}
	said(t, o->temp, false);
	(void)fchmod(o->fd, usual_mode());
	o->seek = true;
	return 0;
}

static int
open_output(struct pack *p, struct output *o, struct err *e)
{
	struct stat st;

	if (p->t.dir) {
		o->seek = true;
		o->fd = open_in_dir(p, o->name, &o->temp, e);
		return o->fd < 0 ? -1 : 0;
	}
	if (!p->t.path) {
		o->fd = p->t.fd;
		io_widen_pipe(o->fd);
		return 0;
	}
	if (!p->t.split && !p->t.cut && stat(p->t.path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* A device or a FIFO is written, not replaced. */
		if ((o->fd = open(p->t.path, O_WRONLY | O_CLOEXEC)) < 0)
			return err_sys(e, "%s", p->t.path);
		io_widen_pipe(o->fd);
		return 0;
	}
	return output_open(&p->t, o, o->name ? o->name : p->t.path, e);
}

static int
emit(struct output *o, const void *b, size_t n, uint64_t at, struct err *e)
{
	if (o->seek)
		return io_place(&o->place, b, n, at, e);
	o->at += n;
	return io_write(o->fd, b, n, e);
}

/* Zeros up to `to`, in a pipe; a file has them by itself. */
static int
zeros(struct output *o, uint64_t to, struct err *e)
{
	static const unsigned char zero[4096];

	while (!o->seek && o->at < to) {
		uint64_t n = to - o->at;

		if (emit(o, zero, n < sizeof zero ? (size_t)n : sizeof zero, 0, e) < 0)
			return -1;
	}
	return 0;
}

/* CRC of n zeros: by doubling, as padding may be any length. */
static uint32_t
crc_zeros(uint64_t n)
{
	static const unsigned char zero[4096];
	uint32_t piece = libdeflate_crc32(0, zero, sizeof zero), crc = 0;
	uint64_t len = sizeof zero;

	for (uint64_t k = n / sizeof zero; k; k >>= 1) {
		if (k & 1)
			crc = (uint32_t)crc32_combine(crc, piece, (z_off_t)len);
		piece = (uint32_t)crc32_combine(piece, piece, (z_off_t)len);
		len *= 2;
	}
	return libdeflate_crc32(crc, zero, n % sizeof zero);
}

/* The footer: the pieces' CRCs and the zeros between, in order of place. */
static uint32_t
footer(const struct pack *p, const struct output *o)
{
	uint32_t crc = libdeflate_crc32(0, o->l.head.p, o->l.head.len);
	uint64_t at = o->l.head.len;

	for (size_t i = 0; i <= o->n; i++) {
		const struct tensor *t = i < o->n ? &p->m->tensor[o->which[i]] : NULL;
		uint64_t to = t ? o->l.offset[i] : o->l.end;

		if (t && (t->tied_to || t->bytes == 0))
			continue;
		if (to > at) {
			crc = (uint32_t)crc32_combine(crc, crc_zeros(to - at), (z_off_t)(to - at));
			at = to;
		}
		if (t) {
			crc = (uint32_t)crc32_combine(crc, o->crc[i], (z_off_t)t->bytes);
			at += t->bytes;
		}
	}
	return crc;
}

/* Open it, and write what stands before the data. */
static int
begin_output(struct pack *p, struct output *o, struct err *e)
{
	o->later = false;
	if (open_output(p, o, e) < 0)
		return -1;
	io_place_init(&o->place, o->fd, o->l.end);
	return emit(o, o->l.head.p, o->l.head.len, 0, e);
}

static int
begin(struct pack *p, struct err *e)
{
	if (pack_plan(p, e) < 0)
		return -1;
	for (size_t k = 0; k < p->nout && !p->m->plan; k++) {
		struct output *o = &p->out[k];

		if (p->t.split && p->t.path) {
			free(o->name);
			if (!(o->name = malloc(strlen(p->t.path) + 32)))
				return err_set(e, "out of memory");
			sprintf(o->name, "%.*s-%05zu-of-%05zu.gguf",
			    (int)(strlen(p->t.path) - strlen(p->t.format->suffix)),
			    p->t.path, k + 1, p->nout);
			if (!p->t.force && exists(o->name))
				return err_set(e, "%s: exists; -f replaces it", o->name);
		}
		if (p->t.cut && !p->t.force && exists(o->name))
			return err_set(e, "%s: exists; -f replaces it", o->name);
		if (p->t.cut || p->t.dir) {
			/* There may be more files than descriptors.  (How a
			 * verbatim one ends is known at the end.) */
			for (size_t i = 0; i < o->n && !o->verbatim; i++)
				o->left += p->m->tensor[o->which[i]].bytes;
			o->later = o->seek = true;
			continue;
		}
		if (begin_output(p, o, e) < 0)
			return -1;
	}
	return p->m->plan ? 0 : pack_made(p, e);
}

static const char *
why_order(const struct pack *p)
{
	if (p->t.format != &format_gguf)
		return "the order of the manifest is what a pipe needs: apr-cat --order source";
	for (size_t i = 0; i < p->m->nset; i++)
		if (!strcmp(p->m->set[i].key, "general.quantization_version") &&
		    p->t.opts.order != ORDER_CONVERT)
			return "apr-cat --as gguf --order quantize gives the order that a pipe needs";
	return p->t.opts.order == ORDER_QUANTIZE ?
	    "apr-cat --as gguf --order quantize gives the order that a pipe needs" :
	    "apr-cat --as gguf --order convert gives the order that a pipe needs";
}

/* In a pipe a tensor can begin only when it is its turn. */
static int
take_turn(struct pack *p, struct output *o, size_t i, struct err *e)
{
	const struct tensor *t = &p->m->tensor[o->which[i]];

	while (o->next < i && p->m->tensor[o->which[o->next]].bytes == 0)
		o->next++;
	if (i != o->next)
		return err_set(e, "%s: comes out of order for an output that"
		    " cannot seek; %s", t->name, why_order(p));
	o->next = i + 1;
	return zeros(o, o->l.offset[i], e);
}

/* Tensors whose bytes came in another order than they lie: for the sum. */
static int
read_again(const struct pack *p, struct output *o, struct err *e)
{
	unsigned char b[65536];

	for (size_t i = 0; i < o->n; i++) {
		uint64_t left = p->m->tensor[o->which[i]].bytes;

		if (o->crc_at[i] != CRC_SCATTERED)
			continue;
		o->crc[i] = 0;
		while (left > 0) {
			size_t k = left < sizeof b ? (size_t)left : sizeof b;

			if (io_pread(o->fd, b, k, o->l.offset[i] +
			    p->m->tensor[o->which[i]].bytes - left, e) < 0)
				return -1;
			o->crc[i] = libdeflate_crc32(o->crc[i], b, k);
			left -= k;
		}
	}
	return 0;
}

static int
finish_output(struct pack *p, struct output *o, struct err *e)
{
	unsigned char crc[4];

	o->done = true;
	if (o->later && begin_output(p, o, e) < 0)
		return -1;
	if (zeros(o, o->l.end, e) < 0)
		return -1;
	if (o->seek && ftruncate(o->fd, (off_t)o->l.end) < 0)
		return err_sys(e, "write");
	if (o->l.footer) {
		if (read_again(p, o, e) < 0)
			return -1;
		le32_put(crc, footer(p, o));
		if (emit(o, crc, 4, o->l.end, e) < 0)
			return -1;
	}
	if (o->temp || p->t.path) {
		int fd = o->fd;

		o->fd = -1;
		return output_close(fd, o->temp ? o->temp : p->t.path, e);
	}
	return 0;
}

int
pack_put(struct pack *p, size_t tensor, const void *b, uint64_t off, size_t n, struct err *e)
{
	const struct tensor *t = &p->m->tensor[tensor];
	size_t k = p->place[tensor].out, i = p->place[tensor].pos;
	struct output *o;
	uint64_t at;

	if (k == SIZE_MAX || n == 0)
		return 0;
	o = &p->out[k];
	at = o->l.offset[i] + off;
	if (o->later && begin_output(p, o, e) < 0)
		return -1;
	if (!o->seek) {
		if (off == 0 && take_turn(p, o, i, e) < 0)
			return -1;
		if (o->at != at)
			return err_set(e, "%s: comes in pieces that an output that cannot seek"
			    " cannot put together; %s", t->name, why_order(p));
	}
	if (o->crc && o->crc_at[i] != CRC_SCATTERED) {
		if (o->crc_at[i] == off) {
			o->crc[i] = libdeflate_crc32(o->crc[i], b, n);
			o->crc_at[i] += n;
		} else {
			o->crc_at[i] = CRC_SCATTERED;
		}
	}
	if (p->t.format == &format_lattice && lattice_check(&o->check, t, b, n, off, e) < 0)
		return err_prefix(e, "%s", t->name);
	if (emit(o, b, n, at, e) < 0)
		return err_prefix(e, "%s", t->name);
	if (p->t.progress)
		p->t.progress(n);
	return o->left && (o->left -= n) == 0 ? finish_output(p, o, e) : 0;
}

static int
tensor(struct pack *p, struct stream_in *in, const struct member *m, struct err *e)
{
	const void *b;
	uint64_t at = 0;
	size_t n;
	int r;

	if (p->map)
		return pack_mapped(p, in, m, e);
	if (p->place[m->index].out == SIZE_MAX || p->m->tensor[m->index].tied_to)
		return 0;	/* only .apr has ghosts, and they have no bytes */
	while ((r = stream_some(in, &b, &n, e)) > 0) {
		if (pack_put(p, m->index, b, at, n, e) < 0)
			return -1;
		at += n;
	}
	return r;
}

static int
slurp(struct stream_in *in, struct buf *b, struct err *e)
{
	const void *q;
	size_t n;
	int r;

	while ((r = stream_some(in, &q, &n, e)) > 0)
		buf_put(b, q, n);
	return r < 0 ? -1 : buf_check(b, e);
}

bool
pack_same_format(const struct pack *p)
{
	const char *s = p->in->source;

	return s && (!strcmp(s, p->t.format->name) ||
	    (!strcmp(s, "hf") && p->t.format == &format_safetensors));
}

const struct carried *
pack_file(const struct pack *p, const char *name)
{
	for (size_t i = 0; i < p->nfile; i++)
		if (!strcmp(p->file[i].name, name))
			return &p->file[i];
	return NULL;
}

/* What says something about the model or its tokenizer. */
static bool
tells(const char *name)
{
	static const char *const names[] = {
		"README.md", "added_tokens.json", "chat_template.jinja", "chat_template.json",
		"config.json", "generation_config.json", "merges.txt",
		"special_tokens_map.json", "tokenizer.json", "tokenizer.model",
		"tokenizer_config.json", "vocab.json",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* Is it needed later: the header it has, or to make one of it? */
static bool
holds(const struct pack *p, const char *name)
{
	bool header = !strncmp(name, ".source/", 8);

	if (pack_same_format(p))
		return header || (!p->t.opts.raw && !strcmp(name, "config.json"));
	if (header)
		return !p->t.opts.raw && (!strcmp(name, ".source/header") ||
		    !strcmp(name, ".source/header.00001"));
	return p->t.format == &format_apr || (!p->t.opts.raw && tells(name));
}

static int
write_file(struct pack *p, const char *name, const struct buf *held, struct stream_in *in,
    struct err *e)
{
	const void *q = held ? held->p : NULL;
	size_t n = held ? held->len : 0;
	char *path = NULL;
	int fd, r = 0;

	if ((fd = open_in_dir(p, name, &path, e)) < 0) {
		free(path);
		return -1;
	}
	free(path);
	if (held)
		r = n > 0 ? io_write(fd, q, n, e) : 0;
	else
		while ((r = stream_some(in, &q, &n, e)) > 0)
			if ((r = io_write(fd, q, n, e)) < 0)
				break;
	if (r < 0) {
		close(fd);
		return err_prefix(e, "%s", name);
	}
	return output_close(fd, name, e);
}

int
pack_write_file(struct pack *p, const char *name, const struct buf *b, struct err *e)
{
	return write_file(p, name, b, NULL, e);
}

/* Does config.json speak of scales that are in the values now? */
static bool
stale(const struct pack *p, const char *name)
{
	if (strcmp(name, "config.json"))
		return false;
	for (size_t i = 0; i < p->in->nunset; i++)
		if (!strcmp(p->in->unset[i], "quantization_config"))
			return true;
	return false;
}

static int
freshen(struct buf *b, struct err *e)
{
	struct buf new = { 0 };

	json_without(&new, b->p, b->len, "quantization_config");
	buf_release(b);
	*b = new;
	return buf_check(b, e);
}

static const char *
index_name(const struct pack *p)
{
	return p->t.format == &format_lattice ? LATTICE_INDEX : INDEX;
}

/* A travelling file: held for what is made of it, written into the
 * directory, or dropped by a sink that has no place for it. */
static int
file(struct pack *p, struct stream_in *in, const struct member *m, struct err *e)
{
	const char *name = p->in->file[m->index].name;
	bool header = !strncmp(name, ".source/", 8);
	struct buf *held = NULL;

	/* An index is for shards: no other sink gets one. */
	if ((!strcmp(name, INDEX) || !strcmp(name, LATTICE_INDEX)) &&
	    (!p->t.dir || strcmp(name, index_name(p))))
		return 0;
	if (holds(p, name) || stale(p, name)) {
		if (array_room(&p->file, p->nfile, sizeof *p->file, e) < 0 ||
		    array_room(&p->held, p->nfile, sizeof *p->held, e) < 0)
			return -1;
		held = &p->held[p->nfile];
		memset(held, 0, sizeof *held);
		p->nfile++;
		if (slurp(in, held, e) < 0 || (stale(p, name) && freshen(held, e) < 0))
			return -1;
		p->file[p->nfile - 1] = (struct carried){ name, held->p, held->len };
	}
	if (!p->t.dir || header || p->in->plan)
		return 0;
	/* The index is judged when the shards are known. */
	if (!strcmp(name, index_name(p)))
		return slurp(in, &p->index, e);
	return write_file(p, name, held, in, e);
}

static int
write_index(struct pack *p, struct err *e)
{
	char *path = NULL;
	int fd, r;

	/* Shards without the old files' names have a new index, or none. */
	if (p->index.len == 0 || (p->nout < 2 && !p->keep_index))
		return 0;
	if ((fd = open_in_dir(p, index_name(p), &path, e)) < 0) {
		free(path);
		return -1;
	}
	if ((r = io_write(fd, p->index.p, p->index.len, e)) < 0)
		close(fd);
	else
		r = output_close(fd, path, e);
	free(path);
	return r;
}

static void
sync_parent(const char *path)
{
	char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
	int fd;

	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(dir);
}

/* Give it its name: over what is there only with -f. */
int
output_name(const struct pack_target *t, const char *temp, const char *name, struct err *e)
{
	unsigned flags = t->force ? 0 : RENAME_NOREPLACE;

	if (renameat2(AT_FDCWD, temp, AT_FDCWD, name, flags) == 0)
		goto done;
	if (errno == EEXIST && !t->force)
		return err_set(e, "%s: exists; -f replaces it", name);
	if ((errno == EINVAL || errno == ENOSYS) && (t->force || !exists(name)) &&
	    rename(temp, name) == 0)
		goto done;
	return err_sys(e, "%s", name);
done:
	sync_parent(name);
	return 0;
}

/* The directory that was there, whatever is in it. */
static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_old(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int
put_dir(const struct pack *p, struct err *e)
{
	if (p->t.force && exists(p->t.path)) {
		if (renameat2(AT_FDCWD, p->tempdir, AT_FDCWD, p->t.path, RENAME_EXCHANGE) < 0)
			return err_sys(e, "%s", p->t.path);
		sync_parent(p->t.path);
		remove_old(p->tempdir);
		return 0;
	}
	return output_name(&p->t, p->tempdir, p->t.path, e);
}

int
output_name_all(const struct pack_target *t, const struct output *out, size_t n,
    struct err *e)
{
	size_t k = 0;
	int r = 0;

	for (; r == 0 && k < n; k++)
		r = output_name(t, out[k].temp, out[k].name, e);
	/* Those that had no name before have none after. */
	while (r < 0 && !t->force && k-- > 0)
		if (access(out[k].temp, F_OK) != 0)
			(void)unlink(out[k].name);
	return r;
}

static int
finish_parts(struct pack *p, struct err *e)
{
	struct output *x;
	char *prefix;
	size_t n;
	int fd;

	if (p->index.len > 0) {
		if (!(x = pack_add_output(p, 0, e)) || !(prefix = cut_prefix(p->t.path, e)))
			return -1;
		n = strlen(prefix) - 1;
		x->name = malloc(n + sizeof ".safetensors.index.json");
		if (x->name)
			sprintf(x->name, "%.*s.safetensors.index.json", (int)n, prefix);
		free(prefix);
		if (!x->name)
			return err_set(e, "out of memory");
		if (output_open(&p->t, x, x->name, e) < 0 ||
		    io_write(x->fd, p->index.p, p->index.len, e) < 0)
			return -1;
		fd = x->fd;
		x->fd = -1;
		if (output_close(fd, x->temp, e) < 0)
			return -1;
	}
	return output_name_all(&p->t, p->out, p->nout, e);
}

static int
finish(struct pack *p, struct err *e)
{
	for (size_t k = 0; k < p->nout; k++)
		if (!p->out[k].done && finish_output(p, &p->out[k], e) < 0)
			return -1;
	if (p->t.cut)
		return finish_parts(p, e);
	if (p->t.dir) {
		if (write_index(p, e) < 0 || pack_make_files(p, e) < 0 || open_dir(p, e) < 0)
			return -1;
		return put_dir(p, e);
	}
	for (size_t k = 0; k < p->nout; k++)
		if (p->out[k].temp && output_name(&p->t, p->out[k].temp,
		    p->out[k].name ? p->out[k].name : p->t.path, e) < 0)
			return -1;
	return 0;
}

int
pack_run(struct pack *p, struct stream_in *in, struct err *e)
{
	struct buf tail = { 0 };
	struct member m;
	bool begun = false;
	int r;

	while ((r = stream_next(in, &m, e)) > 0) {
		if (m.kind != MEMBER_FILE && !begun) {
			if (begin(p, e) < 0)
				goto fail;
			begun = true;
		}
		if (m.kind == MEMBER_TAIL ? slurp(in, &tail, e) < 0 ||
		    pack_tail(p, tail.p, tail.len, e) < 0 :
		    m.kind == MEMBER_FILE ? file(p, in, &m, e) < 0 : tensor(p, in, &m, e) < 0)
			goto fail;
	}
	if (r < 0 || (!begun && begin(p, e) < 0))
		goto fail;
	buf_release(&tail);
	return p->m->plan ? 0 : finish(p, e);
fail:
	buf_release(&tail);
	return -1;
}

size_t
pack_files(const struct pack *p, size_t i, const char **name, uint64_t *size)
{
	if (i < p->nout) {
		*name = p->out[i].name;
		*size = p->out[i].size;
	}
	return p->nout;
}

const struct manifest *
pack_manifest(const struct pack *p)
{
	return p->m;
}

const char *
pack_notes(struct pack *p)
{
	buf_put(&p->notes, "", 1);
	p->notes.len -= p->notes.len > 0;
	return p->notes.p ? (const char *)p->notes.p : "";
}

void
pack_free(struct pack *p)
{
	if (!p)
		return;
	for (size_t k = 0; k < p->nout; k++) {
		struct output *o = &p->out[k];

		if (o->fd >= 0 && (o->temp || p->t.path))
			close(o->fd);
		free(o->name);
		free(o->temp);
		free(o->which);
		free(o->crc);
		free(o->crc_at);
		free(o->l.offset);
		buf_release(&o->l.head);
	}
	free(p->out);
	for (size_t k = 0; k < p->nsrc; k++) {
		header_release(&p->src[k]);
		manifest_free(p->srcm[k]);
	}
	free(p->src);
	free(p->srcm);
	for (size_t i = 0; i < p->nfile; i++)
		buf_release(&p->held[i]);
	free(p->held);
	free(p->file);
	if (p->has_made) {
		header_release(&p->made);
		manifest_free(p->mademan);
	}
	vocab_free(p->vocab);
	header_release(&p->foreign);
	manifest_free(p->foreignman);
	buf_release(&p->members);
	arch_map_free(p->map);
	arch_close(p->model);
	scatter_free(p->scatter);
	if (p->spill >= 0)
		close(p->spill);
	for (size_t i = 0; i < p->ncaptured; i++)
		buf_release(&p->captured[i].data);
	buf_release(&p->notes);
	buf_release(&p->index);
	buf_release(&p->part_meta);
	free(p->place);
	free(p->padding);
	free(p->footer);
	free(p->tempdir);
	free(p);
}
