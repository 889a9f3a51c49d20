/* SPDX-License-Identifier: MIT */
/* infer_dump.c -- the weights as a tensor stream, from where they are used. */
#include <stdlib.h>
#include <unistd.h>

#include <apr/stream.h>

#include "infer.h"

#define PIECE	((size_t)4 << 20)

static void
put_files(struct run *r, struct stream_out *out)
{
	const struct manifest *m = r->w->m;
	struct err e;

	for (size_t i = 0; i < m->nfile; i++) {
		const unsigned char *p;
		size_t n;
		bool bad;

		p = weights_file(r->w, m->file[i].name, &n, &bad, &e);
		if (bad || stream_member(out, MEMBER_FILE, m->file[i].name, m->file[i].bytes, &e) < 0 ||
		    stream_write(out, p, n, &e) < 0)
			die("%s: %s", m->file[i].name, e.msg);
	}
}

static void
put_tensor(struct run *r, struct stream_out *out, size_t i, unsigned char *piece)
{
	const struct tensor *t = &r->w->m->tensor[i];
	size_t n, step = t->type->flags & TYPE_WHOLE ? PIECE : PIECE - PIECE % t->type->bytes;
	struct err e;

	if (stream_member(out, MEMBER_TENSOR, t->name, t->bytes, &e) < 0)
		die("%s", e.msg);
	for (uint64_t at = 0; at < t->bytes; at += n) {
		n = t->bytes - at < step ? (size_t)(t->bytes - at) : step;
		if (model_fetch(r->m, r->w, r->device, i, at, piece, n, &e) < 0 ||
		    stream_write(out, piece, n, &e) < 0)
			die("%s: %s", t->name, e.msg);
		tool_progress(n);
	}
}

int
run_dump(struct run *r)
{
	unsigned char *piece = malloc(PIECE);
	struct stream_out *out;
	struct err e;

	tool_no_terminal(STDOUT_FILENO);
	if (!piece)
		die("out of memory");
	r->o.n_choose = 0;
	run_context(r);
	if (model_verify(r->m, r->device, &e) < 0)
		die("%s", e.msg);
	if (!(out = stream_create(STDOUT_FILENO, r->w->m, 0, &e)))
		die("%s", e.msg);
	tool_progress_begin(model_bytes(r->m));
	put_files(r, out);
	for (size_t i = 0; i < r->w->m->ntensor; i++)
		put_tensor(r, out, i, piece);
	if ((r->w->tail.len > 0 && (stream_member(out, MEMBER_TAIL, "tail.json", r->w->tail.len, &e) < 0 ||
	    stream_write(out, r->w->tail.p, r->w->tail.len, &e) < 0)) || stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	free(piece);
	return STATUS_OK;
}
