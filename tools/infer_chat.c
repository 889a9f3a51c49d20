/* SPDX-License-Identifier: MIT */
/* infer_chat.c -- a conversation, a line of the user's at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/serve.h>

#include "infer.h"

struct talk {
	struct run	*r;
	struct ids	 ids;
	struct answer	 a;
	bool		 given;
};

static int
next(void *ctx, bool busy, struct serve_job *j, struct err *e)
{
	struct talk *t = ctx;

	(void)busy;
	(void)e;
	if (t->given)
		return 0;
	t->given = true;
	*j = (struct serve_job){ .ids = t->ids.p, .n = t->ids.n, .max = t->r->n, .sample = t->r->s };
	return 1;
}

static int
token(void *ctx, void *user, int32_t id, float logprob, struct err *e)
{
	struct talk *t = ctx;
	size_t upto;
	int r = answer_add(t->r, &t->a, id, e);

	(void)user;
	(void)logprob;
	if (r < 0)
		return -1;
	upto = answer_safe(t->r, &t->a);
	if (upto > t->a.shown) {
		fwrite(t->a.text.p + t->a.shown, 1, upto - t->a.shown, stdout);
		fflush(stdout);
		t->a.shown = upto;
	}
	return r;
}

static int
done(void *ctx, void *user, enum serve_end why, struct err *e)
{
	(void)ctx;
	(void)user;
	(void)why;
	(void)e;
	return 0;
}

static void
say(struct buf *b, const char *role, const void *text, size_t n)
{
	buf_printf(b, "%s{\"role\":\"%s\",\"content\":", b->len > 1 ? "," : "", role);
	buf_json(b, text, n);
	buf_str(b, "}");
}

/* The whole conversation through the template each time: what of it is old
 * is in the cache. */
static void
answer(struct run *r, struct buf *log)
{
	struct talk t = { .r = r };
	struct serve s = { next, token, done, &t, r->lookup };
	struct serve_count count;
	struct buf text = { 0 }, all = { 0 };
	const char *tmpl = r->chat_template;
	struct err e;

	buf_put(&all, log->p, log->len);
	buf_str(&all, "]");
	if (buf_check(&all, &e) < 0 || chat_render(r->vocab, tmpl, tmpl ? strlen(tmpl) : 0,
	    (char *)all.p, all.len, true, &text, &e) < 0 ||
	    tokenizer_encode(r->tk, (char *)text.p, text.len, TOKEN_NO_BOS, &t.ids, &e) < 0)
		die("%s", e.msg);
	if (t.ids.n >= r->o.n_ctx)
		die("the conversation has %zu tokens, the context %u", t.ids.n, r->o.n_ctx);
	answer_begin(r, &t.a);
	if (serve_run(r->infer, &r->o, model_vocab(r->m), &s, &count, &e) < 0)
		die("%s", e.msg);
	answer_end(r, &t.a);
	if (t.a.text.len > t.a.shown)
		fwrite(t.a.text.p + t.a.shown, 1, t.a.text.len - t.a.shown, stdout);
	putchar('\n');
	fflush(stdout);
	say(log, "assistant", t.a.text.p, t.a.text.len);
	answer_release(&t.a);
	ids_release(&t.ids);
	buf_release(&text);
	buf_release(&all);
}

int
run_chat(struct run *r)
{
	bool tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct buf log = { 0 };
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	run_context(r);
	buf_str(&log, "[");
	if (r->prompt)
		say(&log, "system", r->prompt, strlen(r->prompt));
	for (;;) {
		if (tty) {
			fputs("> ", stderr);
			fflush(stderr);
		}
		if ((n = getline(&line, &cap, stdin)) < 0)
			break;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			n--;
		if (n == 0)
			continue;
		say(&log, "user", line, (size_t)n);
		answer(r, &log);
	}
	free(line);
	buf_release(&log);
	tool_flush();
	return STATUS_OK;
}
