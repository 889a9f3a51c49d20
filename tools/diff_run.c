/* SPDX-License-Identifier: MIT */
/* diff_run.c -- two models read a text, side by side: no file of logits. */
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "infer.h"
#include "text.h"

static void
tokens(struct run *r, const struct buf *text, struct ids *ids)
{
	struct err e;

	if (tokenizer_encode(r->tk, (char *)text->p, text->len, 0, ids, &e) < 0)
		die("%s: %s", r->path, e.msg);
}

/* Of the two, what both can do. */
static void
agree(struct run r[2], const struct buf *text, struct ids *ids)
{
	struct ids other = { 0 };
	size_t i = 0;

	if (model_vocab(r[0].m) != model_vocab(r[1].m))
		die("%s has %u logits a position, %s %u", r[0].path, model_vocab(r[0].m), r[1].path,
		    model_vocab(r[1].m));
	tokens(&r[0], text, ids);
	tokens(&r[1], text, &other);
	while (i < ids->n && i < other.n && ids->p[i] == other.p[i])
		i++;
	if (i < ids->n || i < other.n)
		die("the tokenizers differ: at token %zu of the text", i);
	if (ids->n < 2)
		die("%zu tokens: nothing to predict", ids->n);
	ids_release(&other);
	for (int k = 0; k < 2; k++)
		if (r[k].o.n_ctx < r[!k].o.n_ctx)
			r[!k].o.n_ctx = r[k].o.n_ctx;
}

/* Windows of the context's length, each beginning anew, as apr-infer --ppl. */
int
diff_run_models(const struct diff_opts *o)
{
	struct run r[2] = { 0 };
	struct logits_sums sums = { 0 };
	struct infer_token *tok;
	struct buf text = { 0 };
	struct ids ids = { 0 };
	uint64_t first = UINT64_MAX;
	size_t vocab, step, ctx;
	float *x[2];
	struct err e;
	int status;

	if (!strcmp(o->path[0], "-") || !strcmp(o->path[1], "-"))
		usage("--run: models are files");
	text_read(o->run, &text);
	for (int k = 0; k < 2; k++) {
		r[k] = (struct run){ .path = o->path[k], .jobs = o->jobs, .o = { .n_batch = 512,
		    .nseq = 1, .n_ctx = o->context, .precise = o->precise } };
		run_open(&r[k], true);
	}
	agree(r, &text, &ids);
	vocab = model_vocab(r[0].m);
	ctx = r[0].o.n_ctx;
	/* 16 MiB of logits a model. */
	step = ((size_t)16 << 20) / (vocab * 4);
	step = step < 1 ? 1 : step > 512 ? 512 : step;
	for (int k = 0; k < 2; k++) {
		r[k].o.n_batch = r[k].o.n_logits = (unsigned)step;
		r[k].o.n_choose = 0;
		run_context(&r[k]);
		if (!(x[k] = malloc(step * vocab * sizeof **x)))
			die("out of memory");
	}
	if (!(tok = calloc(step, sizeof *tok)))
		die("out of memory");
	tool_progress_begin(ids.n);
	for (size_t w = 0; w + 1 < ids.n; w += ctx) {
		size_t len = ids.n - w < ctx ? ids.n - w : ctx;

		infer_clear(r[0].infer, 0);
		infer_clear(r[1].infer, 0);
		for (size_t i = 0, n; i < len; i += n) {
			n = len - i < step ? len - i : step;
			for (size_t j = 0; j < n; j++)
				tok[j] = (struct infer_token){ ids.p[w + i + j], 0, (uint32_t)(i + j),
				    i + j + 1 < len };
			for (int k = 0; k < 2; k++)
				if (infer_run(r[k].infer, tok, n, x[k], &e) < 0)
					die("%s: %s", r[k].path, e.msg);
			for (size_t j = 0; j < n && i + j + 1 < len; j++) {
				struct logits_pair p;

				logits_compare(x[0] + j * vocab, x[1] + j * vocab, vocab,
				    ids.p[w + i + j + 1], logits_tie(), &p);
				if (logits_add(&sums, &p, true, &e) < 0)
					die("%s", e.msg);
				if (p.class >= LOGITS_DIVERGED && first == UINT64_MAX)
					first = w + i + j;
			}
			tool_progress(n);
		}
	}
	tool_progress_end();
	status = logits_report(o, &sums, first, false);
	for (int k = 0; k < 2; k++) {
		run_close(&r[k]);
		free(x[k]);
	}
	free(tok);
	ids_release(&ids);
	buf_release(&text);
	return status;
}
