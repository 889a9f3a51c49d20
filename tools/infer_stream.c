/* SPDX-License-Identifier: MIT */
/*
 * infer_stream.c -- logits and intermediate values as a tensor stream.
 *
 * A manifest comes before the data, so values are kept (in an unlinked file)
 * until all are known.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/io.h>
#include <apr/stream.h>

#include "infer.h"

struct kept {
	char		 name[64];
	size_t		 width, rows;
	uint64_t	 *at;		/* of each piece, and its rows */
	size_t		 *n, pieces;
};

struct keep {
	struct run	*r;
	int		 fd;		/* what is kept, and its length */
	uint64_t	 end;
	struct kept	*k;
	size_t		 n;
	size_t		 base;		/* tokens before this batch */
};

static struct kept *
find(struct keep *k, const char *name, size_t width)
{
	struct err e;

	for (size_t i = 0; i < k->n; i++)
		if (!strcmp(k->k[i].name, name))
			return &k->k[i];
	if (array_room(&k->k, k->n, sizeof *k->k, &e) < 0)
		die("%s", e.msg);
	k->k[k->n] = (struct kept){ .width = width };
	snprintf(k->k[k->n].name, sizeof k->k[k->n].name, "%s", name);
	return &k->k[k->n++];
}

static int
keep(void *ctx, const char *name, const float *x, size_t n, size_t width, size_t ld,
    struct err *e)
{
	struct keep *k = ctx;
	struct kept *t;

	if (strcmp(name, "logits") && (!k->r->trace || fnmatch(k->r->trace, name, 0)))
		return 0;
	t = find(k, name, width);
	if (array_room(&t->at, t->pieces, sizeof *t->at, e) < 0 ||
	    array_room(&t->n, t->pieces, sizeof *t->n, e) < 0)
		return -1;
	t->at[t->pieces] = k->end;
	t->n[t->pieces++] = n;
	t->rows += n;
	for (size_t i = 0; i < n; i++, k->end += width * sizeof *x)
		if (io_temp_put(k->fd, x + i * ld, width * sizeof *x, k->end, e) < 0)
			return -1;
	return 0;
}

static void
describe(struct manifest *m, const struct kept *t, struct err *e)
{
	struct tensor *x = manifest_add_tensor(m, t->name, strlen(t->name), e);

	if (!x)
		die("%s", e->msg);
	x->ndim = 2;
	x->dim[0] = t->rows;
	x->dim[1] = t->width;
	if (tensor_set(x, &type_f32, TENSOR_ROWS, e) < 0)
		die("%s", e->msg);
}

static void
put(struct keep *k, struct stream_out *out, const struct kept *t, struct err *e)
{
	float row[4096];

	if (stream_member(out, MEMBER_TENSOR, t->name, t->rows * t->width * 4, e) < 0)
		die("%s", e->msg);
	for (size_t p = 0; p < t->pieces; p++) {
		size_t left = t->n[p] * t->width, n;

		for (uint64_t at = t->at[p]; left > 0; left -= n, at += n * sizeof *row) {
			n = left < 4096 ? left : 4096;
			if (io_pread(k->fd, row, n * sizeof *row, at, e) < 0)
				die("$TMPDIR: %s", e->msg);
			if (stream_write(out, row, n * sizeof *row, e) < 0)
				die("%s", e->msg);
		}
	}
}

int
run_stream(struct run *r)
{
	size_t vocab = model_vocab(r->m), step;
	struct keep k = { .r = r };
	struct infer_token *tok;
	struct stream_out *out;
	struct manifest *m;
	struct ids ids = { 0 };
	float *logits;
	struct err e;

	tool_no_terminal(STDOUT_FILENO);
	if ((k.fd = io_temp(&e)) < 0)
		die("%s", e.msg);
	prompt_ids(r, &ids);
	if (ids.n > r->o.n_ctx)
		die("the prompt has %zu tokens, the context %u", ids.n, r->o.n_ctx);
	/* All positions' logits of a batch at once: 64 MiB of them at most. */
	step = ((size_t)64 << 20) / (vocab * 4);
	if (r->logits && step < r->o.n_batch)
		r->o.n_batch = step ? (unsigned)step : 1;
	r->o.n_logits = r->logits ? r->o.n_batch : 0;
	r->o.n_choose = 0;
	run_context(r);
	infer_set_trace(r->infer, keep, &k);
	tok = calloc(r->o.n_batch, sizeof *tok);
	logits = malloc(r->logits ? r->o.n_batch * vocab * sizeof *logits : 1);
	if (!tok || !logits)
		die("out of memory");
	for (size_t i = 0, n; i < ids.n; i += n) {
		n = ids.n - i < r->o.n_batch ? ids.n - i : r->o.n_batch;
		for (size_t j = 0; j < n; j++)
			tok[j] = (struct infer_token){ ids.p[i + j], 0, (uint32_t)(i + j), r->logits };
		if (infer_run(r->infer, tok, n, logits, &e) < 0)
			die("%s", e.msg);
		if (r->logits && keep(&k, "logits", logits, n, vocab, vocab, &e) < 0)
			die("%s", e.msg);
	}
	if (k.n == 0)
		die("--trace=%s: nothing is called so", r->trace);
	if (!(m = manifest_new(&e)))
		die("%s", e.msg);
	m->source = "safetensors";
	for (size_t i = 0; i < k.n; i++)
		describe(m, &k.k[i], &e);
	if (!(out = stream_create(STDOUT_FILENO, m, 0, &e)))
		die("%s", e.msg);
	for (size_t i = 0; i < k.n; i++)
		put(&k, out, &k.k[i], &e);
	if (stream_end(out, &e) < 0)
		die("%s", e.msg);
	for (size_t i = 0; i < k.n; i++) {
		free(k.k[i].at);
		free(k.k[i].n);
	}
	manifest_free(m);
	close(k.fd);
	free(k.k);
	free(tok);
	free(logits);
	ids_release(&ids);
	return STATUS_OK;
}
