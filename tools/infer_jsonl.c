/* SPDX-License-Identifier: MIT */
/*
 * infer_jsonl.c -- a request a line in, an answer a line out, in the order in
 * which they came.  A bad line is answered with an error of its own.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/lines.h>
#include <apr/serve.h>

#include "infer_request.h"

enum { WINDOW = 4096 };		/* answers that wait for an earlier one */

struct work {
	struct request	 q;
	struct answer	 a;
	struct buf	 logprobs, line;	/* the finished answer */
	bool		 finished;
	double		 start, first;
};

struct batch {
	struct run	*r;
	struct work	*w[WINDOW];	/* in order, from `head` on */
	size_t		 head, n;
	struct lines	 in;
	bool		 bad;
};

static void
release(struct work *w)
{
	request_release(&w->q);
	answer_release(&w->a);
	buf_release(&w->logprobs);
	buf_release(&w->line);
	free(w);
}

static int
flush(struct batch *b, struct err *e)
{
	while (b->n > 0 && b->w[b->head]->finished) {
		struct work *w = b->w[b->head];

		if (fwrite(w->line.p, 1, w->line.len, stdout) != w->line.len || fflush(stdout))
			return err_sys(e, "standard output");
		release(w);
		b->head = (b->head + 1) % WINDOW;
		b->n--;
	}
	return 0;
}

static void
begin_line(struct work *w)
{
	buf_str(&w->line, "{");
	if (w->q.id.len) {
		buf_str(&w->line, "\"id\":");
		buf_put(&w->line, w->q.id.p, w->q.id.len);
		buf_str(&w->line, ",");
	}
}

static int
refuse(struct batch *b, struct work *w, const char *why, struct err *e)
{
	b->bad = true;
	w->finished = true;
	begin_line(w);
	buf_str(&w->line, "\"error\":");
	buf_json(&w->line, why, strlen(why));
	buf_str(&w->line, "}\n");
	return buf_check(&w->line, e) < 0 ? -1 : flush(b, e);
}

/* While others are at work nobody waits for a request; and an answer that
 * waits for an early one holds the later ones up. */
static int
next(void *ctx, bool busy, struct serve_job *j, struct err *e)
{
	struct batch *b = ctx;
	const char *line;
	size_t n;
	int r;

	while (b->n < WINDOW && (r = lines_next(&b->in, !busy, &line, &n, e)) != 0) {
		struct work *w;
		struct err why;

		if (r != 1)
			return r;
		while (n > 0 && line[n - 1] == '\r')
			n--;
		if (n == 0)
			continue;
		if (!(w = calloc(1, sizeof *w)))
			return err_set(e, "out of memory");
		b->w[(b->head + b->n++) % WINDOW] = w;
		if (request_read(&w->q, b->r, line, n, &why) < 0) {
			if (refuse(b, w, why.msg, e) < 0)
				return -1;
			continue;
		}
		answer_begin(&w->q.r, &w->a);
		w->start = run_clock();
		*j = (struct serve_job){ .ids = w->q.prompt.p, .n = w->q.prompt.n, .max = w->q.r.n,
		    .sample = w->q.r.s, .logprobs = w->q.logprobs, .user = w };
		return 1;
	}
	return b->n == WINDOW ? 2 : 0;
}

static int
token(void *ctx, void *user, int32_t id, float logprob, struct err *e)
{
	struct work *w = user;

	(void)ctx;
	if (w->first == 0)
		w->first = run_clock();
	if (w->q.logprobs && isfinite(logprob))
		buf_printf(&w->logprobs, "%s%.6g", w->logprobs.len ? "," : "", (double)logprob);
	else if (w->q.logprobs)
		buf_str(&w->logprobs, w->logprobs.len ? ",null" : "null");
	return answer_add(&w->q.r, &w->a, id, e);
}

static int
done(void *ctx, void *user, enum serve_end end, struct err *e)
{
	static const char *const why[] = { "stop", "length", "context" };
	struct batch *b = ctx;
	struct work *w = user;
	struct buf *l = &w->line;

	answer_end(&w->q.r, &w->a);
	begin_line(w);
	buf_str(l, "\"text\":");
	buf_json(l, w->a.text.p, w->a.text.len);
	buf_str(l, ",\"tokens\":[");
	for (size_t i = 0; i < w->a.ids.n; i++)
		buf_printf(l, "%s%d", i ? "," : "", w->a.ids.p[i]);
	buf_printf(l, "],\"finish_reason\":\"%s\"", why[end]);
	if (w->q.logprobs) {
		buf_str(l, ",\"logprobs\":[");
		buf_put(l, w->logprobs.p, w->logprobs.len);
		buf_str(l, "]");
	}
	if (w->q.timing || b->r->timing) {
		buf_str(l, ",");
		run_timing(l, w->q.prompt.n, w->first - w->start, run_clock() - w->start);
	}
	buf_str(l, "}\n");
	w->finished = true;
	return buf_check(l, e) < 0 ? -1 : flush(b, e);
}

int
run_jsonl(struct run *r)
{
	struct batch b = { .r = r, .in.fd = STDIN_FILENO };
	struct serve s = { next, token, done, &b, r->lookup };
	struct serve_count count;
	double start = run_clock(), took;
	struct err e;

	run_context(r);
	if (serve_run(r->infer, &r->o, model_vocab(r->m), &s, &count, &e) < 0)
		die("%s", e.msg);
	tool_flush();
	lines_release(&b.in);
	took = run_clock() - start;
	note("%llu tokens of prompts (%llu of them shared), %llu made in %.2f s (%.1f a second)",
	    (unsigned long long)count.prompt, (unsigned long long)count.reused,
	    (unsigned long long)count.made, took, took > 0 ? (double)count.made / took : 0);
	return b.bad ? STATUS_FAIL : STATUS_OK;
}
