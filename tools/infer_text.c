/* SPDX-License-Identifier: MIT */
/* infer_text.c -- one prompt, and the answer as it comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/serve.h>

#include "infer.h"

void
answer_begin(struct run *r, struct answer *a)
{
	struct err e;

	*a = (struct answer){ 0 };
	if (r->tk && !(a->d = detokenizer_new(r->tk, r->show_special ? DETOKEN_SPECIAL : 0, &e)))
		die("%s", e.msg);
}

/* Where the first stop string begins, or SIZE_MAX. */
static size_t
find_stop(const struct run *r, const struct answer *a, size_t from)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < r->nstop; i++) {
		size_t n = strlen(r->stop[i]), at = from > n ? from - n : 0;

		for (; at + n <= a->text.len && at < best; at++)
			if (!memcmp(a->text.p + at, r->stop[i], n)) {
				best = at;
				break;
			}
	}
	return best;
}

int
answer_add(struct run *r, struct answer *a, int32_t id, struct err *e)
{
	size_t before = a->text.len, at;

	if (r->tk && tokenizer_ends(r->tk, id))
		return 0;
	if (ids_add(&a->ids, id, e) < 0)
		return -1;
	if (!a->d)
		return 1;
	if (detokenizer_put(a->d, id, &a->text, e) < 0)
		return -1;
	if ((at = find_stop(r, a, before)) == SIZE_MAX)
		return 1;
	a->text.len = at;
	a->stopped = true;
	return 0;
}

size_t
answer_safe(const struct run *r, const struct answer *a)
{
	size_t hold = 0;

	/* The longest end of the text that a stop string begins with. */
	for (size_t i = 0; i < r->nstop; i++)
		for (size_t k = strlen(r->stop[i]) - 1; k > hold; k--)
			if (k <= a->text.len && !memcmp(a->text.p + a->text.len - k, r->stop[i], k))
				hold = k;
	return a->text.len - hold;
}

void
answer_end(struct run *r, struct answer *a)
{
	struct err e;

	(void)r;
	if (a->d && !a->stopped && detokenizer_end(a->d, &a->text, &e) < 0)
		die("%s", e.msg);
}

void
answer_release(struct answer *a)
{
	if (a->d)
		detokenizer_free(a->d);
	buf_release(&a->text);
	ids_release(&a->ids);
}

struct one {
	struct run	*r;
	struct ids	 ids;
	struct answer	 a;
	bool		 given;
	enum serve_end	 why;
	double		 first;		/* when the first token came */
};

static int
next(void *ctx, bool busy, struct serve_job *j, struct err *e)
{
	struct one *o = ctx;

	(void)busy;
	(void)e;
	if (o->given)
		return 0;
	o->given = true;
	j->ids = o->ids.p;
	j->n = o->ids.n;
	j->max = o->r->n;
	j->sample = o->r->s;
	return 1;
}

static void
show(struct one *o, size_t upto)
{
	if (o->r->json || upto <= o->a.shown)
		return;
	fwrite(o->a.text.p + o->a.shown, 1, upto - o->a.shown, stdout);
	fflush(stdout);
	o->a.shown = upto;
}

static int
token(void *ctx, void *user, int32_t id, float logprob, struct err *e)
{
	struct one *o = ctx;
	int r;

	(void)user;
	(void)logprob;
	if (o->first == 0)
		o->first = run_clock();
	if ((r = answer_add(o->r, &o->a, id, e)) < 0)
		return -1;
	if (!o->r->tk && !o->r->json) {
		printf("%s%d", o->a.ids.n > 1 ? " " : "", id);
		fflush(stdout);
	}
	show(o, answer_safe(o->r, &o->a));
	if (ferror(stdout))
		return err_sys(e, "standard output");
	return r;
}

static int
done(void *ctx, void *user, enum serve_end why, struct err *e)
{
	(void)user;
	(void)e;
	((struct one *)ctx)->why = why;
	return 0;
}

static void
print_ids(const struct ids *ids)
{
	printf("[");
	for (size_t i = 0; i < ids->n; i++)
		printf("%s%d", i ? "," : "", ids->p[i]);
	printf("]");
}

static void
print_json(struct one *o, double start, double end)
{
	static const char *const why[] = { "stop", "length", "context" };
	struct buf text = { 0 };
	struct err e;

	printf("{\"prompt_ids\":");
	print_ids(&o->ids);
	printf(",\"tokens\":");
	print_ids(&o->a.ids);
	buf_json(&text, o->a.text.p, o->a.text.len);
	buf_printf(&text, ",\"finish_reason\":\"%s\"", why[o->why]);
	if (o->r->timing) {
		buf_str(&text, ",");
		run_timing(&text, o->ids.n, o->first - start, end - start);
	}
	if (buf_check(&text, &e) < 0)
		die("%s", e.msg);
	printf(",\"text\":%.*s}\n", (int)text.len, (char *)text.p);
	buf_release(&text);
}

/* All of standard input. */
static void
read_all(struct buf *b)
{
	char chunk[65536];
	ssize_t n;
	struct err e;

	while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) != 0) {
		if (n < 0) {
			err_sys(&e, "standard input");
			die("%s", e.msg);
		}
		buf_put(b, chunk, (size_t)n);
		if (buf_check(b, &e) < 0)
			die("%s", e.msg);
		if (b->len > (size_t)256 << 20)
			die("standard input: a prompt of more than 256 MiB");
	}
	/* echo's newline is no part of the prompt. */
	if (b->len && b->p[b->len - 1] == '\n')
		b->len--;
}

void
prompt_ids(struct run *r, struct ids *ids)
{
	struct buf text = { 0 };
	struct err e;

	if (r->ids) {
		run_ids(r->ids, ids);
		return;
	}
	if (!r->prompt)
		read_all(&text);
	if (tokenizer_encode(r->tk, r->prompt ? r->prompt : (char *)text.p,
	    r->prompt ? strlen(r->prompt) : text.len, r->flags, ids, &e) < 0)
		die("%s", e.msg);
	buf_release(&text);
	if (ids->n == 0)
		die("the prompt is empty");
}

int
run_prompt(struct run *r)
{
	struct one o = { .r = r };
	struct serve s = { next, token, done, &o, r->lookup };
	struct serve_count count;
	double start, end;
	struct err e;

	prompt_ids(r, &o.ids);
	if (o.ids.n >= r->o.n_ctx)
		die("the prompt has %zu tokens, the context %u", o.ids.n, r->o.n_ctx);
	/* More positions are never filled. */
	if (r->n && r->n < r->o.n_ctx - o.ids.n)
		r->o.n_ctx = (unsigned)o.ids.n + r->n;
	run_context(r);
	answer_begin(r, &o.a);
	start = run_clock();
	if (serve_run(r->infer, &r->o, model_vocab(r->m), &s, &count, &e) < 0)
		die("%s", e.msg);
	end = run_clock();
	if (o.first == 0)
		o.first = end;
	answer_end(r, &o.a);
	show(&o, o.a.text.len);
	if (r->json)
		print_json(&o, start, end);
	else
		putchar('\n');
	tool_flush();
	note("loaded in %.2f s; %llu tokens of prompt in %.2f s, %llu made in %.2f s (%.1f a second)",
	    r->load, (unsigned long long)count.prompt, o.first - start,
	    (unsigned long long)count.made, end - o.first,
	    count.made > 1 && end > o.first ? (double)(count.made - 1) / (end - o.first) : 0);
	if (r->lookup)
		note("%llu tokens were looked up, %llu of them held",
		    (unsigned long long)count.tried, (unsigned long long)count.kept);
	answer_release(&o.a);
	ids_release(&o.ids);
	return STATUS_OK;
}
