/* SPDX-License-Identifier: MIT */
/* infer_bench.c -- speed: prompts, one sequence, several at once, and how fast
 * weights come to a device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"

enum { PROMPT = 512, ROUNDS = 3, STEPS = 16 };

struct bench {
	struct run	*r;
	struct infer_token *tok;	/* of the longest prompt, or of all sequences */
	float		*logits;	/* of all sequences */
	double		*seconds;	/* of each step */
	struct buf	 out;
};

/* n tokens of `sequences`, or of one that goes on at `pos`: seconds. */
static double
step(struct bench *b, unsigned n, unsigned pos, bool sequences)
{
	unsigned vocab = model_vocab(b->r->m);
	double start;
	struct err e;

	for (unsigned i = 0; i < n; i++)
		b->tok[i] = (struct infer_token){ (int32_t)(((pos + i) * 7919u + 13) % vocab),
		    sequences ? i : 0, sequences ? pos : pos + i, sequences || i + 1 == n };
	start = run_clock();
	if (infer_run(b->r->infer, b->tok, n, b->logits, &e) < 0)
		die("%s", e.msg);
	return run_clock() - start;
}

/* The best round, in tokens a second; a long prompt goes in batches. */
static double
prompt(struct bench *b, unsigned len)
{
	double best = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		double t = 0;

		infer_clear(b->r->infer, 0);
		for (unsigned at = 0, n; at < len; at += n) {
			n = len - at < b->r->o.n_batch ? len - at : b->r->o.n_batch;
			t += step(b, n, at, false);
		}
		best = t < best ? t : best;
	}
	return len / best;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* An element of a list that was begun with '['. */
static void
item(struct buf *out, const char *form, unsigned n, double tokens, double gops)
{
	if (((char *)out->p)[out->len - 1] != '[')
		buf_printf(out, ",");
	buf_printf(out, form, n, tokens, gops);
}

static double
gops(const struct bench *b, double tokens)
{
	return 2 * (double)model_token_weights(b->r->m) * tokens / 1e9;
}

/* Prompts, and one sequence behind the first. */
static void
one(struct bench *b, unsigned first, unsigned longest, unsigned made)
{
	struct run *r = b->r;
	struct infer_opts o = r->o;
	uint64_t bytes, scratch;
	double p, t;

	p = prompt(b, first);
	for (unsigned i = 0; i < made; i++)
		b->seconds[i] = step(b, 1, first + i, false);
	qsort(b->seconds, made, sizeof *b->seconds, by_size);
	t = b->seconds[0];
	/* What a token reads: weights, and keys and values behind the prompt. */
	o.nseq = 1;
	o.n_ctx = first;
	infer_size(r->m, &o, r->device, &bytes, &scratch);
	bytes += model_token_bytes(r->m);
	buf_printf(&b->out, "\"token_bytes\":%llu,\"token_weights\":%llu,\"prompt\":%u,"
	    "\"prompt_tokens_s\":%.2f,\"prompt_gops\":%.2f,\"decode_tokens_s\":%.2f,"
	    "\"decode_gb_s\":%.3f,\"decode_median_tokens_s\":%.2f,\"prompts\":[",
	    (unsigned long long)bytes, (unsigned long long)model_token_weights(r->m), first, p,
	    gops(b, p), 1 / t, (double)bytes / t / 1e9, 1 / b->seconds[made / 2]);
	item(&b->out, "{\"tokens\":%u,\"tokens_s\":%.2f,\"gops\":%.2f}", first, p, gops(b, p));
	if (longest > first) {
		p = prompt(b, longest);
		item(&b->out, "{\"tokens\":%u,\"tokens_s\":%.2f,\"gops\":%.2f}", longest, p,
		    gops(b, p));
	}
}

/* 2, 4, ... sequences from their begin: tokens a second of them all. */
static void
many(struct bench *b, unsigned sequences)
{
	double rate = 0;

	buf_printf(&b->out, "],\"batches\":[");
	for (unsigned n = 2;; n = 2 * n < sequences ? 2 * n : sequences) {
		double best = 1e9;

		n = n < sequences ? n : sequences;
		for (unsigned i = 0; i < n; i++)
			infer_clear(b->r->infer, i);
		for (unsigned at = 0; at < b->r->o.n_ctx; at++) {
			double t = step(b, n, at, true);

			best = t < best ? t : best;
		}
		rate = n / best;
		item(&b->out, "{\"sequences\":%u,\"tokens_s\":%.2f}", n, rate, 0);
		if (n == sequences)
			break;
	}
	buf_printf(&b->out, "],\"batch\":%u,\"batch_tokens_s\":%.2f}\n", sequences, rate);
}

int
run_bench(struct run *r, unsigned positions, unsigned sequences)
{
	unsigned first = r->o.n_ctx < PROMPT ? r->o.n_ctx : PROMPT, made = r->n, longest;
	unsigned room = r->o.n_ctx;
	struct bench b = { .r = r };
	struct err e;

	if (room < 2)
		die("--bench wants two positions at least");
	if (first == room)
		first--;
	if (made > room - first)
		made = room - first;
	longest = positions > PROMPT && positions <= room ? positions : first;
	r->o.nseq = r->o.n_logits = 1;
	r->o.n_choose = 0;
	r->o.n_ctx = first + made > longest ? first + made : longest;
	if (r->o.n_batch < first)
		r->o.n_batch = first;
	run_context(r);
	b.tok = calloc(r->o.n_batch > sequences ? r->o.n_batch : sequences, sizeof *b.tok);
	b.logits = malloc((size_t)sequences * model_vocab(r->m) * sizeof *b.logits);
	b.seconds = calloc(made, sizeof *b.seconds);
	if (!b.tok || !b.logits || !b.seconds)
		die("out of memory");
	buf_printf(&b.out, "{\"device\":\"%s\",\"threads\":%u,", r->device->name, r->jobs);
	if (r->load_bytes > 0)
		buf_printf(&b.out, "\"load_bytes\":%.0f,\"load_s\":%.4f,\"load_gb_s\":%.3f,", r->load_bytes,
		    r->load_s, r->load_bytes / 1e9 / r->load_s);
	one(&b, first, longest, made);
	infer_free(r->infer);
	r->infer = NULL;
	r->o.nseq = r->o.n_logits = sequences;
	r->o.n_ctx = STEPS < room ? STEPS : room;
	r->o.n_batch = sequences;
	run_context(r);
	many(&b, sequences);
	if (buf_check(&b.out, &e) < 0)
		die("%s", e.msg);
	fwrite(b.out.p, 1, b.out.len, stdout);
	tool_flush();
	buf_release(&b.out);
	free(b.tok);
	free(b.logits);
	free(b.seconds);
	return STATUS_OK;
}
