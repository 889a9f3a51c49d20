/* SPDX-License-Identifier: MIT */
/* pack.c -- a stream into an output: what comes, and what is done when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pack.h"

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
	if (t->path && !t->cut && !m->plan && whole_may_be(t->path, t->force, e) < 0) {
		free(p);
		return NULL;
	}
	return p;
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
		}
		if (o->name && p->t.path && !p->t.dir && whole_may_be(o->name, p->t.force, e) < 0)
			return -1;
		if (p->t.cut || p->t.dir) {
			/* There may be more files than descriptors.  (How a
			 * verbatim one ends is known at the end.) */
			for (size_t i = 0; i < o->n && !o->verbatim; i++)
				o->left += p->m->tensor[o->which[i]].bytes;
			o->later = o->seek = true;
			continue;
		}
		if (pack_begin_output(p, o, e) < 0)
			return -1;
	}
	return p->m->plan ? 0 : pack_made(p, e);
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
		if (output_open(&p->t, x, x->name, e) < 0)
			return -1;
		fd = x->fd;
		x->fd = -1;
		if (output_write(fd, x->temp, &p->index, e) < 0)
			return -1;
	}
	return output_name_all(&p->t, p->out, p->nout, e);
}

static int
finish(struct pack *p, struct err *e)
{
	for (size_t k = 0; k < p->nout; k++)
		if (!p->out[k].done && pack_finish_output(p, &p->out[k], e) < 0)
			return -1;
	if (p->t.cut)
		return finish_parts(p, e);
	if (p->t.dir) {
		if (pack_write_index(p, e) < 0 || pack_make_files(p, e) < 0 || pack_open_dir(p, e) < 0)
			return -1;
		return pack_name_dir(p, e);
	}
	for (size_t k = 0; k < p->nout; k++)
		if (p->out[k].temp && whole_name(p->out[k].temp,
		    p->out[k].name ? p->out[k].name : p->t.path, p->t.force, e) < 0)
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
		if (m.kind == MEMBER_TAIL ? pack_slurp(in, &tail, e) < 0 ||
		    pack_tail(p, tail.p, tail.len, e) < 0 :
		    m.kind == MEMBER_FILE ? pack_take_file(p, in, &m, e) < 0 : tensor(p, in, &m, e) < 0)
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
