/* SPDX-License-Identifier: MIT */
/* serve.c -- continuous batching. */
#include <stdlib.h>
#include <string.h>

#include <apr/serve.h>

enum { GUESS = 16 };		/* tokens that are looked up at most */

struct slot {
	bool		 used;
	struct serve_job job;
	struct sampler	*sampler;
	int32_t		*ids;		/* prompt and answer; n_ctx */
	size_t		 n;		/* known */
	size_t		 done;		/* gone through the model */
	unsigned	 made;
	size_t		 guess;		/* of ids behind n, tried this time */
};

struct batch {
	struct infer		*f;
	const struct infer_opts	*o;
	const struct serve	*s;
	struct serve_count	*count;
	unsigned		 n_vocab;
	struct slot		*slot;
	struct infer_token	*tok;
	struct device_choice	*choice;	/* `room` */
	struct device_chosen	*chosen;
	struct device_mark	*mark;		/* of all choices */
	size_t			 marks;		/* of which there is room for */
	size_t			 room;		/* tokens at once, at most */
	size_t			 n, wanted;
	bool			 dry;		/* no more jobs */
};

/* The slot, busy or not, that begins most like the new prompt; at least one
 * token of the prompt must still go through. */
static size_t
shared(const struct batch *b, const struct serve_job *j, unsigned to, unsigned *from)
{
	size_t best = 0;

	for (unsigned i = 0; i < b->o->nseq; i++) {
		const struct slot *s = &b->slot[i];
		size_t k = 0, max = s->done < j->n - 1 ? s->done : j->n - 1;

		while (k < max && s->ids[k] == j->ids[k])
			k++;
		if (k > best || (k == best && i == to && k > 0)) {
			best = k;
			*from = i;
		}
	}
	return best;
}

static int
begin(struct batch *b, unsigned i, struct serve_job *j, struct err *e)
{
	struct slot *s = &b->slot[i];
	unsigned from = i;
	size_t k = shared(b, j, i, &from);
	struct err no;

	/* Where the state cannot be cut there, it is computed anew. */
	if (k == 0 || (from == i && k == s->done ? 0 : infer_fork(b->f, i, from, (uint32_t)k, &no)) < 0) {
		infer_clear(b->f, i);
		k = 0;
	}
	b->count->reused += k;
	b->count->prompt += j->n;
	memmove(s->ids, j->ids, j->n * sizeof *s->ids);
	s->n = j->n;
	s->done = k;
	s->made = 0;
	s->guess = 0;
	s->job = *j;
	if (!(s->sampler = sampler_new(&j->sample, b->n_vocab, e)))
		return -1;
	for (size_t t = 0; t < j->n; t++)
		sampler_saw(s->sampler, j->ids[t], 0);
	s->used = true;
	return 0;
}

static int
fill(struct batch *b, struct err *e)
{
	bool busy = false;

	for (unsigned i = 0; i < b->o->nseq; i++)
		busy |= b->slot[i].used;
	for (unsigned i = 0; i < b->o->nseq && !b->dry; i++) {
		struct serve_job j = { .sample = SAMPLE_DEFAULTS };
		int r;

		if (b->slot[i].used)
			continue;
		if ((r = b->s->next(b->s->ctx, busy, &j, e)) < 0)
			return -1;
		if (r == 2)
			break;
		busy = true;
		if (r == 0)
			b->dry = true;
		else if (j.n == 0 || j.n > b->o->n_ctx)
			return err_set(e, "a prompt of %zu tokens: the context has %u", j.n,
			    b->o->n_ctx);
		else if (begin(b, i, &j, e) < 0)
			return -1;
	}
	return 0;
}

static int
finish(struct batch *b, struct slot *s, enum serve_end why, struct err *e)
{
	sampler_free(s->sampler);
	s->sampler = NULL;
	s->used = false;
	return b->s->done(b->s->ctx, s->job.user, why, e);
}

/* The longest end (of up to 3 tokens) that was there before, and what came
 * behind it then. */
static size_t
look_up(const struct slot *s, size_t want, size_t room)
{
	if (want > GUESS)
		want = GUESS;
	if (want > room)
		want = room;
	for (size_t len = 3; len > 0 && want > 0; len--)
		for (size_t at = s->n; len < s->n && at-- > len; ) {
			size_t k;

			if (at == s->n || memcmp(s->ids + at - len, s->ids + s->n - len, len * sizeof *s->ids))
				continue;
			for (k = 0; k < want && at + k < s->n; k++)
				s->ids[s->n + k] = s->ids[at + k];
			return k;
		}
	return 0;
}

/* Columns of one slot: what is known and not done, and guesses behind it. */
static void
add(struct batch *b, unsigned i, size_t share)
{
	struct slot *s = &b->slot[i];
	size_t n = s->n - s->done;

	s->guess = 0;
	if (n > share)
		n = share;
	else if (b->s->lookup && n == 1 && s->job.sample.temperature <= 0)
		s->guess = look_up(s, b->s->lookup < share - n ? b->s->lookup : share - n,
		    b->o->n_ctx - s->n);
	for (size_t k = 0; k < n + s->guess; k++) {
		size_t at = s->done + k;
		bool want = at + 1 >= s->n;

		if (want && b->wanted == b->room) {
			s->guess = k > n ? k - n : 0;
			if (k < n)
				n = k;
			break;
		}
		b->tok[b->n++] = (struct infer_token){ s->ids[at], i, (uint32_t)at, want };
		b->wanted += want;
	}
}

/* One token of an answer: 1 go on, 0 the job ended, -1. */
static int
accept(struct batch *b, struct slot *s, int32_t id, float logprob, struct err *e)
{
	int r;

	s->ids[s->n++] = id;
	s->made++;
	b->count->made++;
	sampler_saw(s->sampler, id, 1);
	if ((r = b->s->token(b->s->ctx, s->job.user, id, logprob, e)) < 0)
		return -1;
	if (r == 0)
		return finish(b, s, SERVE_STOP, e);
	if (s->made >= s->job.max)
		return finish(b, s, SERVE_LENGTH, e);
	if (s->n >= b->o->n_ctx)
		return finish(b, s, SERVE_CONTEXT, e);
	return 1;
}

/* How to choose behind one slot's columns, from *at on: behind a guess, as if
 * it had come true. */
static int
choices(struct batch *b, size_t *at, size_t *row, size_t *marks, struct err *e)
{
	unsigned i = b->tok[*at].seq;
	struct slot *s = &b->slot[i];
	size_t guesses = 0;

	for (; *at < b->n && b->tok[*at].seq == i; ++*at) {
		const struct infer_token *t = &b->tok[*at];
		size_t more;

		if (t->pos >= s->n) {
			sampler_saw(s->sampler, t->id, 1);
			guesses++;
		}
		if (!t->logits)
			continue;
		more = *marks + sampler_marks(s->sampler);
		if (more > b->marks) {
			struct device_mark *p = realloc(b->mark, 2 * more * sizeof *p);

			if (!p)
				return err_set(e, "out of memory");
			b->mark = p;
			b->marks = 2 * more;
		}
		sampler_choice(s->sampler, s->job.logprobs, &b->choice[(*row)++],
		    b->mark + *marks);
		*marks = more;
	}
	for (size_t k = 0; k < guesses; k++)
		sampler_undo(s->sampler, s->ids[s->n + k]);
	return 0;
}

static int
run(struct batch *b, struct err *e)
{
	size_t at = 0, row = 0, marks = 0;

	while (at < b->n)
		if (choices(b, &at, &row, &marks, e) < 0)
			return -1;
	/* Where they lie now. */
	marks = 0;
	for (size_t i = 0; i < row; i++) {
		b->choice[i].mark = b->mark + marks;
		marks += b->choice[i].nmark;
	}
	return infer_choose(b->f, b->tok, b->n, b->choice, b->chosen, e);
}

/* What the batch said about one slot: columns from *at, tokens from *row on. */
static int
settle(struct batch *b, unsigned i, size_t *at, size_t *row, struct err *e)
{
	struct slot *s = &b->slot[i];
	size_t first = *at, guess = s->guess, known = s->n, g;
	int32_t guessed[GUESS], id;
	bool live = true;

	memcpy(guessed, s->ids + s->n, guess * sizeof *guessed);
	while (*at < b->n && b->tok[*at].seq == i)
		++*at;
	s->done += *at - first - guess;
	s->guess = 0;
	b->count->tried += guess;
	for (size_t k = first; k < *at; k++) {
		const struct device_chosen *got;
		int r;

		if (!b->tok[k].logits)
			continue;
		got = &b->chosen[(*row)++];
		if (!live)
			continue;	/* behind a guess that was wrong */
		id = got->id;
		if ((r = accept(b, s, id, got->logprob, e)) < 0)
			return -1;
		/* A guess that came true has been through the model. */
		g = b->tok[k].pos + 1 - known;
		live = g < guess && guessed[g] == id;
		s->done += live;
		b->count->kept += live;
		live = live && r > 0;
	}
	if (guess)
		infer_rewind(b->f, i, (uint32_t)s->done);
	return 0;
}

static int
turn(struct batch *b, struct err *e)
{
	size_t at = 0, row = 0, live = 0;

	b->n = b->wanted = 0;
	for (unsigned i = 0; i < b->o->nseq; i++)
		live += b->slot[i].used;
	if (live == 0)
		return 0;
	/* Those that generate first, so that no prompt holds them up. */
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < b->o->nseq; i++) {
			struct slot *s = &b->slot[i];

			if (s->used && (s->n - s->done > 1) == pass && b->n < b->o->n_batch)
				add(b, i, b->o->n_batch - b->n);
		}
	if (run(b, e) < 0)
		return -1;
	while (at < b->n)
		if (settle(b, b->tok[at].seq, &at, &row, e) < 0)
			return -1;
	return 1;
}

int
serve_run(struct infer *f, const struct infer_opts *o, unsigned n_vocab, const struct serve *s,
    struct serve_count *count, struct err *e)
{
	struct batch b = { .f = f, .o = o, .s = s, .count = count, .n_vocab = n_vocab };
	int r = -1;

	memset(count, 0, sizeof *count);
	if (s->lookup && !infer_can_rewind(f))
		return err_set(e, "this model's state cannot go back, so nothing can be tried"
		    " ahead");
	b.room = (size_t)o->nseq * (1 + (s->lookup < GUESS ? s->lookup : GUESS));
	b.slot = calloc(o->nseq, sizeof *b.slot);
	b.tok = calloc(o->n_batch, sizeof *b.tok);
	b.choice = calloc(b.room, sizeof *b.choice);
	b.chosen = calloc(b.room, sizeof *b.chosen);
	b.mark = malloc(sizeof *b.mark);
	b.marks = 1;
	if (!b.slot || !b.tok || !b.choice || !b.chosen || !b.mark) {
		err_set(e, "out of memory");
		goto out;
	}
	for (unsigned i = 0; i < o->nseq; i++)
		if (!(b.slot[i].ids = malloc((o->n_ctx + GUESS + 1) * sizeof *b.slot[i].ids))) {
			err_set(e, "out of memory");
			goto out;
		}
	do
		r = fill(&b, e) < 0 ? -1 : turn(&b, e);
	while (r > 0);
out:
	for (unsigned i = 0; b.slot && i < o->nseq; i++) {
		sampler_free(b.slot[i].sampler);
		free(b.slot[i].ids);
	}
	free(b.slot);
	free(b.tok);
	free(b.choice);
	free(b.chosen);
	free(b.mark);
	return r;
}
