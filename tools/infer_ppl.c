/* SPDX-License-Identifier: MIT */
/* infer_ppl.c -- perplexity of a text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "infer.h"
#include "text.h"

/* -ln p of token id. */
static double
loss(const float *x, size_t n, int32_t id)
{
	double sum = 0, max = (double)x[0];

	for (size_t i = 1; i < n; i++)
		if ((double)x[i] > max)
			max = (double)x[i];
	for (size_t i = 0; i < n; i++)
		sum += exp((double)x[i] - max);
	return max + log(sum) - (double)x[id];
}

/* In windows of the context's length, each beginning anew; every token but a
 * window's first is predicted from those before it in the window. */
int
run_ppl(struct run *r, const char *path)
{
	size_t vocab = model_vocab(r->m), step = ((size_t)64 << 20) / (vocab * 4), counted = 0;
	struct infer_token *tok;
	struct buf text = { 0 }, timing = { 0 };
	struct ids ids = { 0 };
	double sum = 0, sq = 0, start;
	float *logits;
	struct err e;

	if (strcmp(path, "-"))
		text_read(path, &text);
	else
		text_rest(stdin, path, &text);
	if (tokenizer_encode(r->tk, (char *)text.p, text.len, r->flags, &ids, &e) < 0)
		die("%s: %s", path, e.msg);
	buf_release(&text);
	if (ids.n < 2)
		die("%s: %zu tokens: nothing to predict", path, ids.n);
	if (step < r->o.n_batch)
		r->o.n_batch = step ? (unsigned)step : 1;
	r->o.n_logits = r->o.n_batch;
	r->o.n_choose = 0;
	run_context(r);
	tok = calloc(r->o.n_batch, sizeof *tok);
	logits = malloc(r->o.n_batch * vocab * sizeof *logits);
	if (!tok || !logits)
		die("out of memory");
	start = run_clock();
	tool_progress_begin(ids.n);
	for (size_t w = 0; w + 1 < ids.n; w += r->o.n_ctx) {
		size_t len = ids.n - w < r->o.n_ctx ? ids.n - w : r->o.n_ctx;

		infer_clear(r->infer, 0);
		for (size_t i = 0, n; i < len; i += n) {
			n = len - i < r->o.n_batch ? len - i : r->o.n_batch;
			for (size_t j = 0; j < n; j++)
				tok[j] = (struct infer_token){ ids.p[w + i + j], 0, (uint32_t)(i + j),
				    i + j + 1 < len };
			if (infer_run(r->infer, tok, n, logits, &e) < 0)
				die("%s", e.msg);
			for (size_t j = 0; j < n && i + j + 1 < len; j++) {
				double l = loss(logits + j * vocab, vocab, ids.p[w + i + j + 1]);

				sum += l;
				sq += l * l;
				counted++;
			}
			tool_progress(n);
		}
	}
	tool_progress_end();
	sum /= (double)counted;
	sq = sqrt((sq / (double)counted - sum * sum) / (double)counted);
	if (r->timing)
		run_timing(&timing, ids.n, -1, run_clock() - start);
	if (buf_check(&timing, &e) < 0)
		die("%s", e.msg);
	if (r->json)
		printf("{\"tokens\":%zu,\"loss\":%.9g,\"perplexity\":%.9g,\"error\":%.3g%s%.*s}\n",
		    counted, sum, exp(sum), exp(sum) * sq, timing.len ? "," : "", (int)timing.len,
		    timing.p ? (char *)timing.p : "");
	else
		printf("perplexity %.4f +- %.4f over %zu tokens in windows of %u\n", exp(sum),
		    exp(sum) * sq, counted, r->o.n_ctx);
	tool_flush();
	note("%.1f tokens a second", (double)counted / (run_clock() - start));
	buf_release(&timing);
	free(tok);
	free(logits);
	ids_release(&ids);
	return STATUS_OK;
}
