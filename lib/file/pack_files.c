/* SPDX-License-Identifier: MIT */
/*
 * pack_files.c -- the files that travel with tensors: what an output is made
 * of is kept, a directory gets the others.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pack.h"

#define INDEX	"model.safetensors.index.json"

int
pack_slurp(struct stream_in *in, struct buf *b, struct err *e)
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
copy_file(struct pack *p, const char *name, struct stream_in *in, struct err *e)
{
	int fd = pack_open_in_dir(p, name, NULL, e), r;
	const void *q;
	size_t n;

	if (fd < 0)
		return -1;
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
	int fd = pack_open_in_dir(p, name, NULL, e);

	return fd < 0 ? -1 : output_write(fd, name, b, e);
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
int
pack_take_file(struct pack *p, struct stream_in *in, const struct member *m, struct err *e)
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
		if (pack_slurp(in, held, e) < 0 || (stale(p, name) && freshen(held, e) < 0))
			return -1;
		p->file[p->nfile - 1] = (struct carried){ name, held->p, held->len };
	}
	if (!p->t.dir || header || p->in->plan)
		return 0;
	/* The index is judged when the shards are known. */
	if (!strcmp(name, index_name(p)))
		return pack_slurp(in, &p->index, e);
	return held ? pack_write_file(p, name, held, e) : copy_file(p, name, in, e);
}

int
pack_write_index(struct pack *p, struct err *e)
{
	/* Shards without the old files' names have a new index, or none. */
	if (p->index.len == 0 || (p->nout < 2 && !p->keep_index))
		return 0;
	return pack_write_file(p, index_name(p), &p->index, e);
}

struct pair {
	struct carried	 file;
	struct buf	 held;
};

static int
by_file_name(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->file.name,
	    ((const struct pair *)b)->file.name);
}

/* Files come in any order; header k is shard k's all the same. */
static int
sort_files(struct pack *p, struct err *e)
{
	struct pair *v = calloc(p->nfile + 1, sizeof *v);

	if (!v)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < p->nfile; i++)
		v[i] = (struct pair){ p->file[i], p->held[i] };
	qsort(v, p->nfile, sizeof *v, by_file_name);
	for (size_t i = 0; i < p->nfile; i++) {
		p->file[i] = v[i].file;
		p->held[i] = v[i].held;
	}
	free(v);
	return 0;
}

int
pack_parse_sources(struct pack *p, struct err *e)
{
	size_t n = 0;

	if (sort_files(p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->nfile; i++)
		n += !strncmp(p->file[i].name, ".source/header", 14);
	if (n == 0 || !pack_same_format(p))
		return 0;
	if (!(p->src = calloc(n, sizeof *p->src)) || !(p->srcm = calloc(n, sizeof *p->srcm)))
		return err_set(e, "out of memory");
	for (size_t i = 0, keep = 0; i < p->nfile; i++) {
		if (strncmp(p->file[i].name, ".source/header", 14)) {
			p->file[keep] = p->file[i];
			p->held[keep] = p->held[i];
			if (keep != i)
				memset(&p->held[i], 0, sizeof p->held[i]);
			keep++;
		} else {
			size_t k = p->nsrc;

			if (!(p->srcm[k] = manifest_new(e)))
				return -1;
			p->nsrc++;
			if (header_parse_mem(&p->src[k], p->t.format, &p->held[i],
			    p->srcm[k], 0, e) < 0)
				return err_prefix(e, "%s", p->file[i].name);
			header_sort(p->srcm[k], 0);
			/* It may become the output's: no stream is trusted. */
			if (header_check(p->srcm[k], 0, p->src[k].raw.len, UINT64_MAX, e) < 0)
				return err_prefix(e, "%s", p->file[i].name);
		}
		if (i + 1 == p->nfile) {
			p->nfile = keep;
			break;
		}
	}
	return 0;
}
