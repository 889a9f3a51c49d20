/* SPDX-License-Identifier: MIT */
/* infer_open.c -- apr-infer's model, vocabulary, threads and memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <apr/vocabulary.h>

#include "infer.h"

double
run_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void
run_timing(struct buf *b, size_t prompt_tokens, double first, double total)
{
	struct rusage u = { 0 };

	getrusage(RUSAGE_SELF, &u);
	buf_printf(b, "\"timing\":{\"prompt_tokens\":%zu,\"first_token_s\":%.6f,"
	    "\"total_s\":%.6f,\"peak_bytes\":%ld}", prompt_tokens, first < 0 ? total : first,
	    total, u.ru_maxrss * 1024);
}

void
run_ids(const char *text, struct ids *ids)
{
	struct err e;

	for (const char *p = text; *p; ) {
		char *end;
		long v;

		if (*p == ',' || *p == ' ' || *p == '\n' || *p == '\t') {
			p++;
			continue;
		}
		v = strtol(p, &end, 10);
		if (end == p || v < 0 || v > INT32_MAX)
			usage("--ids: \"%s\" is no list of ids", text);
		if (ids_add(ids, (int32_t)v, &e) < 0)
			die("%s", e.msg);
		p = end;
	}
	if (ids->n == 0)
		usage("--ids: no id is there");
}

void
run_open(struct run *r, bool text)
{
	struct err e;

	r->start = run_clock();
	if (!(r->w = weights_open(r->path, &e)) ||
	    !(r->m = model_new(r->w, r->o.n_ctx, &e)))
		die("%s: %s", r->path, e.msg);
	if (r->o.n_ctx == 0 || r->o.n_ctx > model_context(r->m)) {
		if (r->o.n_ctx)
			warn("the model knows %u positions, not %u", model_context(r->m), r->o.n_ctx);
		r->o.n_ctx = model_context(r->m) < 4096 || r->o.n_ctx ? model_context(r->m) : 4096;
	}
	if (!(r->device = device_open(r->device_name, r->jobs, &e)))
		die("%s", e.msg);
	/* What serve_run() asks for at most. */
	r->o.n_choose = r->o.nseq * (1 + r->lookup);
	if (r->o.n_batch == 0) {
		r->o.n_batch = 512;
		r->o.n_batch = infer_batch(r->m, &r->o, r->device, (uint64_t)64 << 20);
	}
	if (!text)
		return;
	if (!(r->vocab = vocab_new(&e)) || vocabulary_read(r->vocab, r->w, &e) < 0)
		die("%s: %s", r->path, e.msg);
	if (!(r->tk = tokenizer_new(r->vocab, &e)))
		die("%s: %s (--ids works without)", r->path, e.msg);
}

void
run_close(struct run *r)
{
	infer_free(r->infer);
	device_close(r->device);
	tokenizer_free(r->tk);
	if (r->vocab)
		vocab_free(r->vocab);
	model_free(r->m);
	weights_close(r->w);
}
