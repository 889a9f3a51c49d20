/* SPDX-License-Identifier: MIT */
/* infer_ppl.c -- perplexity of a text, and speed. */
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

/* Prompts of 512, single tokens, and eight sequences at once. */
int
run_bench(struct run *r)
{
	unsigned prompt = r->o.n_ctx < 512 ? r->o.n_ctx : 512, made = r->n ? r->n : 64, at;
	struct infer_token *tok;
	double t, best_p = 1e9, best_d = 1e9, best_b = 1e9;
	struct infer_opts one;
	uint64_t bytes, scratch;
	unsigned vocab = model_vocab(r->m), nb = 8;
	float *logits;
	struct err e;

	if (prompt + made > r->o.n_ctx)
		made = r->o.n_ctx > prompt ? r->o.n_ctx - prompt : 1;
	r->o.nseq = nb;
	r->o.n_ctx = prompt + made;
	if (r->o.n_batch < prompt)
		r->o.n_batch = prompt;
	run_context(r);
	tok = calloc(prompt > nb ? prompt : nb, sizeof *tok);
	logits = malloc((size_t)nb * vocab * sizeof *logits);
	if (!tok || !logits)
		die("out of memory");
	for (int round = 0; round < 3; round++) {
		infer_clear(r->infer, 0);
		for (unsigned i = 0; i < prompt; i++)
			tok[i] = (struct infer_token){ (int32_t)((i * 7919u + 13) % vocab), 0, i, i + 1 == prompt };
		t = run_clock();
		if (infer_run(r->infer, tok, prompt, logits, &e) < 0)
			die("%s", e.msg);
		t = run_clock() - t;
		best_p = t < best_p ? t : best_p;
	}
	for (at = 0; at < made; at++) {
		tok[0] = (struct infer_token){ (int32_t)((at * 31u + 5) % vocab), 0, prompt + at, true };
		if (prompt + at >= r->o.n_ctx)
			break;
		t = run_clock();
		if (infer_run(r->infer, tok, 1, logits, &e) < 0)
			die("%s", e.msg);
		t = run_clock() - t;
		best_d = t < best_d ? t : best_d;
	}
	for (unsigned i = 0; i < nb; i++)
		infer_clear(r->infer, i);
	for (at = 0; at < 16 && at < r->o.n_ctx; at++) {
		for (unsigned i = 0; i < nb; i++)
			tok[i] = (struct infer_token){ (int32_t)((at * 31u + i) % vocab), i, at, true };
		t = run_clock();
		if (infer_run(r->infer, tok, nb, logits, &e) < 0)
			die("%s", e.msg);
		t = run_clock() - t;
		best_b = t < best_b ? t : best_b;
	}
	/* What a token reads: weights, and keys and values behind the prompt. */
	one = r->o;
	one.nseq = 1;
	one.n_ctx = prompt;
	infer_size(r->m, &one, r->device, &bytes, &scratch);
	bytes += model_token_bytes(r->m);
	printf("{\"threads\":%u,\"token_bytes\":%llu,\"token_weights\":%llu,\"prompt\":%u,"
	    "\"prompt_tokens_s\":%.2f,\"prompt_gops\":%.2f,\"decode_tokens_s\":%.2f,\"decode_gb_s\":%.3f,\"batch\":%u,\"batch_tokens_s\":%.2f,"
	    "\"load_bytes\":%.0f,\"load_s\":%.4f,\"load_gb_s\":%.3f}\n",
	    r->jobs, (unsigned long long)bytes,
	    (unsigned long long)model_token_weights(r->m), prompt, prompt / best_p,
	    2 * (double)model_token_weights(r->m) * prompt / best_p / 1e9, 1 / best_d,
	    (double)bytes / best_d / 1e9, nb, nb / best_b,
	    r->load_bytes, r->load_s, r->load_s > 0 ? r->load_bytes / 1e9 / r->load_s : 0);
	tool_flush();
	free(tok);
	free(logits);
	return STATUS_OK;
}
