/* SPDX-License-Identifier: MIT */
/*
 * infer_jsonl.c -- a request a line in, an answer a line out, in the order in
 * which they came.  A bad line is answered with an error of its own.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jv.h>

#include <apr/json.h>
#include <apr/serve.h>

#include "infer.h"

enum { WINDOW = 4096 };		/* answers that wait for an earlier one */

struct request {
	struct run	 r;		/* with this request's stop strings */
	struct buf	 id;		/* JSON text, or empty */
	struct ids	 prompt;
	struct answer	 a;
	struct buf	 logprobs;
	struct buf	 line;		/* the finished answer */
	bool		 wants, timing, finished;
	double		 start, first;
	char		*stop[16];
	struct sample_bias *bias;
};

struct batch {
	struct run	*r;
	struct request	*q[WINDOW];	/* in order, from `head` on */
	size_t		 head, n;
	char		*line;
	size_t		 cap;
	bool		 bad;
};

static void
release(struct request *q)
{
	answer_release(&q->a);
	ids_release(&q->prompt);
	buf_release(&q->id);
	buf_release(&q->logprobs);
	buf_release(&q->line);
	for (size_t i = 0; i < 16; i++)
		free(q->stop[i]);
	free(q->bias);
	free(q);
}

static int
flush(struct batch *b, struct err *e)
{
	while (b->n > 0 && b->q[b->head]->finished) {
		struct request *q = b->q[b->head];

		if (fwrite(q->line.p, 1, q->line.len, stdout) != q->line.len || fflush(stdout))
			return err_sys(e, "standard output");
		release(q);
		b->head = (b->head + 1) % WINDOW;
		b->n--;
	}
	return 0;
}

static int
refuse(struct batch *b, struct request *q, const char *why, struct err *e)
{
	b->bad = true;
	q->finished = true;
	buf_str(&q->line, "{");
	if (q->id.len) {
		buf_str(&q->line, "\"id\":");
		buf_put(&q->line, q->id.p, q->id.len);
		buf_str(&q->line, ",");
	}
	buf_str(&q->line, "\"error\":");
	buf_json(&q->line, why, strlen(why));
	buf_str(&q->line, "}\n");
	return flush(b, e);
}

/* A member, freed by the caller; false if it is not there or null. */
static bool
member(jv o, const char *key, jv *v)
{
	*v = jv_object_get(jv_copy(o), jv_string(key));
	if (jv_is_valid(*v) && jv_get_kind(*v) != JV_KIND_NULL)
		return true;
	jv_free(*v);
	return false;
}

static int
number(jv o, const char *key, double min, double max, double *out, struct err *e)
{
	double d;
	jv v;

	if (!member(o, key, &v))
		return 0;
	if (jv_get_kind(v) != JV_KIND_NUMBER) {
		jv_free(v);
		return err_set(e, "%s is no number", key);
	}
	d = jv_number_value(v);
	jv_free(v);
	if (!(d >= min && d <= max))
		return err_set(e, "%s is %g, not between %g and %g", key, d, min, max);
	*out = d;
	return 0;
}

static int
sampling(jv o, struct request *q, struct err *e)
{
	struct sample_opts *s = &q->r.s;
	struct { const char *key; double min, max; float *v; } real[] = {
		{ "temperature", 0, 100, &s->temperature }, { "top_p", 0, 1, &s->top_p },
		{ "min_p", 0, 1, &s->min_p }, { "typical_p", 0, 1, &s->typical },
		{ "repetition_penalty", 0.01, 100, &s->repetition },
		{ "presence_penalty", -100, 100, &s->presence },
		{ "frequency_penalty", -100, 100, &s->frequency },
	};
	double k = s->top_k, seed = (double)s->seed, n = q->r.n;

	for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
		double d = (double)*real[i].v;

		if (number(o, real[i].key, real[i].min, real[i].max, &d, e) < 0)
			return -1;
		*real[i].v = (float)d;
	}
	if (number(o, "top_k", 0, 1e9, &k, e) < 0 || number(o, "seed", 0, 0x1p53, &seed, e) < 0 ||
	    number(o, "max_tokens", 1, 1e9, &n, e) < 0)
		return -1;
	if (k != floor(k) || seed != floor(seed) || n != floor(n))
		return err_set(e, "top_k, seed and max_tokens are whole numbers");
	s->top_k = (unsigned)k;
	s->seed = (uint64_t)seed;
	q->r.n = (unsigned)n;
	return 0;
}

static int
stops(jv o, struct request *q, struct err *e)
{
	jv v, s;
	int n;

	if (!member(o, "stop", &v))
		return 0;
	if (jv_get_kind(v) == JV_KIND_STRING)
		v = jv_array_set(jv_array(), 0, v);
	n = jv_get_kind(v) == JV_KIND_ARRAY ? jv_array_length(jv_copy(v)) : -1;
	q->r.nstop = 0;
	for (int i = 0; i < n && i < 16; i++) {
		s = jv_array_get(jv_copy(v), i);
		if (jv_get_kind(s) != JV_KIND_STRING || !*jv_string_value(s) ||
		    strlen(jv_string_value(s)) != (size_t)jv_string_length_bytes(jv_copy(s))) {
			n = -1;
			jv_free(s);
			break;
		}
		q->stop[i] = strdup(jv_string_value(s));
		q->r.stop[q->r.nstop++] = q->stop[i];
		jv_free(s);
	}
	jv_free(v);
	return n < 0 || n > 16 ? err_set(e, "stop is neither a string nor up to 16 of them, not"
	    " empty, without a NUL") : 0;
}

static int
biases(jv o, struct request *q, struct err *e)
{
	int bad = 0;
	size_t n = 0;
	jv v;

	if (!member(o, "logit_bias", &v))
		return 0;
	if (jv_get_kind(v) != JV_KIND_OBJECT) {
		jv_free(v);
		return err_set(e, "logit_bias is no object");
	}
	q->bias = calloc((size_t)jv_object_length(jv_copy(v)) + 1, sizeof *q->bias);
	jv_object_foreach(v, key, add) {
		const char *s = jv_string_value(key);
		double x = jv_get_kind(add) == JV_KIND_NUMBER ? jv_number_value(add) : NAN;
		uint64_t id;

		/* (As --logit-bias bounds them: what is no number has no place.) */
		if (!json_u64(s, strlen(s), &id) || id > INT32_MAX || !(fabs(x) <= 1e9))
			bad = 1;
		else if (q->bias)
			q->bias[n++] = (struct sample_bias){ (int32_t)id, (float)x };
		jv_free(key);
		jv_free(add);
	}
	jv_free(v);
	q->r.s.bias = q->bias;
	q->r.s.nbias = n;
	return bad ? err_set(e, "logit_bias: ids and numbers are wanted") : 0;
}

static int
ids_of(jv v, struct request *q, struct err *e)
{
	int n = jv_get_kind(v) == JV_KIND_ARRAY ? jv_array_length(jv_copy(v)) : -1;

	for (int i = 0; i < n; i++) {
		jv x = jv_array_get(jv_copy(v), i);
		double d = jv_get_kind(x) == JV_KIND_NUMBER ? jv_number_value(x) : -1;

		jv_free(x);
		if (d < 0 || d > INT32_MAX || d != floor(d)) {
			n = -1;
			break;
		}
		if (ids_add(&q->prompt, (int32_t)d, e) < 0)
			return -1;
	}
	return n < 0 ? err_set(e, "ids is no list of ids") : 0;
}

static int
messages(struct batch *b, jv v, struct request *q, struct err *e)
{
	struct buf text = { 0 };
	const char *t = b->r->chat_template;
	jv json = jv_dump_string(jv_copy(v), 0);
	int r;

	r = chat_render(b->r->vocab, t, t ? strlen(t) : 0, jv_string_value(json),
	    strlen(jv_string_value(json)), true, &text, e);
	jv_free(json);
	if (r == 0)
		r = tokenizer_encode(b->r->tk, (char *)text.p, text.len, TOKEN_NO_BOS, &q->prompt, e);
	buf_release(&text);
	return r;
}

static int
prompt(struct batch *b, jv o, struct request *q, struct err *e)
{
	int r;
	jv v;

	if (member(o, "ids", &v)) {
		r = ids_of(v, q, e);
	} else if (member(o, "messages", &v)) {
		r = messages(b, v, q, e);
	} else if (member(o, "prompt", &v)) {
		r = jv_get_kind(v) != JV_KIND_STRING ? err_set(e, "prompt is no string") :
		    tokenizer_encode(b->r->tk, jv_string_value(v),
		    (size_t)jv_string_length_bytes(jv_copy(v)), b->r->flags, &q->prompt, e);
	} else {
		return err_set(e, "neither prompt nor messages nor ids");
	}
	jv_free(v);
	if (r == 0 && q->prompt.n == 0)
		r = err_set(e, "the prompt is empty");
	if (r == 0 && q->prompt.n >= b->r->o.n_ctx)
		r = err_set(e, "the prompt has %zu tokens, the context %u", q->prompt.n,
		    b->r->o.n_ctx);
	for (size_t i = 0; r == 0 && i < q->prompt.n; i++)
		if ((uint32_t)q->prompt.p[i] >= model_vocab(b->r->m))
			r = err_set(e, "token %d: the model knows 0 to %u", q->prompt.p[i],
			    model_vocab(b->r->m) - 1);
	return r;
}

/* The id's own text: jq's numbers are doubles, ids may have 64 bits. */
struct own {
	struct json_writer w;
	int	 depth;
	bool	 on;
};

static int
own_text(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct own *o = ctx;

	if (ev == JSON_KEY && o->depth == 1) {
		if ((o->on = n == 2 && !memcmp(s, "id", 2)))
			*o = (struct own){ { .out = o->w.out }, 1, true };
		o->w.out->len = o->on ? 0 : o->w.out->len;
		return 0;
	}
	o->depth -= ev == JSON_OBJECT_END || ev == JSON_ARRAY_END;
	if (o->on && o->depth > 0 && json_write(&o->w, ev, s, n, e) < 0)
		return -1;
	o->depth += ev == JSON_OBJECT || ev == JSON_ARRAY;
	return 0;
}

static void
take_id(const char *line, size_t n, jv id, struct buf *out)
{
	struct own o = { .w.out = out };
	struct err e;

	/* (What jq alone understands, jq repeats.) */
	if (json_text("id", line, n, own_text, &o, &e) < 0) {
		out->len = 0;
		id = jv_dump_string(id, 0);
		buf_str(out, jv_string_value(id));
	}
	jv_free(id);
}

static int
parse(struct batch *b, const char *line, size_t n, struct request *q, struct err *e)
{
	jv o = jv_parse_sized(line, (int)n), v;
	int r = 0;

	if (!jv_is_valid(o) || jv_get_kind(o) != JV_KIND_OBJECT) {
		jv_free(o);
		return err_set(e, "no JSON object");
	}
	if (member(o, "id", &v))
		take_id(line, n, v, &q->id);
	if (sampling(o, q, e) < 0 || stops(o, q, e) < 0 || biases(o, q, e) < 0 ||
	    prompt(b, o, q, e) < 0)
		r = -1;
	if (r == 0 && member(o, "logprobs", &v)) {
		q->wants = jv_get_kind(v) == JV_KIND_TRUE || jv_get_kind(v) == JV_KIND_NUMBER;
		jv_free(v);
	}
	if (r == 0 && member(o, "timing", &v)) {
		q->timing = jv_get_kind(v) == JV_KIND_TRUE;
		jv_free(v);
	}
	jv_free(o);
	return r;
}

static int
next(void *ctx, struct serve_job *j, struct err *e)
{
	struct batch *b = ctx;
	ssize_t n;

	/* An answer that waits for an early one holds the later ones up. */
	while (b->n < WINDOW && (n = getline(&b->line, &b->cap, stdin)) >= 0) {
		struct request *q;
		struct err why;

		while (n > 0 && (b->line[n - 1] == '\n' || b->line[n - 1] == '\r'))
			n--;
		if (n == 0)
			continue;
		if (!(q = calloc(1, sizeof *q)))
			return err_set(e, "out of memory");
		q->r = *b->r;
		b->q[(b->head + b->n++) % WINDOW] = q;
		if (n > INT_MAX / 2 ? (err_set(&why, "a line of %zd bytes", n), true) :
		    parse(b, b->line, (size_t)n, q, &why) < 0) {
			if (refuse(b, q, why.msg, e) < 0)
				return -1;
			continue;
		}
		answer_begin(&q->r, &q->a);
		q->start = run_clock();
		*j = (struct serve_job){ .ids = q->prompt.p, .n = q->prompt.n, .max = q->r.n,
		    .sample = q->r.s, .logprobs = q->wants, .user = q };
		return 1;
	}
	return ferror(stdin) ? err_sys(e, "standard input") : 0;
}

static int
token(void *ctx, void *user, int32_t id, float logprob, struct err *e)
{
	struct request *q = user;

	(void)ctx;
	if (q->first == 0)
		q->first = run_clock();
	if (q->wants && isfinite(logprob))
		buf_printf(&q->logprobs, "%s%.6g", q->logprobs.len ? "," : "", (double)logprob);
	else if (q->wants)
		buf_str(&q->logprobs, q->logprobs.len ? ",null" : "null");
	return answer_add(&q->r, &q->a, id, e);
}

static int
done(void *ctx, void *user, enum serve_end end, struct err *e)
{
	static const char *const why[] = { "stop", "length", "context" };
	struct batch *b = ctx;
	struct request *q = user;
	struct buf *l = &q->line;

	answer_end(&q->r, &q->a);
	buf_str(l, "{");
	if (q->id.len) {
		buf_str(l, "\"id\":");
		buf_put(l, q->id.p, q->id.len);
		buf_str(l, ",");
	}
	buf_str(l, "\"text\":");
	buf_json(l, q->a.text.p, q->a.text.len);
	buf_str(l, ",\"tokens\":[");
	for (size_t i = 0; i < q->a.ids.n; i++)
		buf_printf(l, "%s%d", i ? "," : "", q->a.ids.p[i]);
	buf_printf(l, "],\"finish_reason\":\"%s\"", why[end]);
	if (q->wants) {
		buf_str(l, ",\"logprobs\":[");
		buf_put(l, q->logprobs.p, q->logprobs.len);
		buf_str(l, "]");
	}
	if (q->timing || b->r->timing) {
		buf_str(l, ",");
		run_timing(l, q->prompt.n, q->first - q->start, run_clock() - q->start);
	}
	buf_str(l, "}\n");
	q->finished = true;
	return buf_check(l, e) < 0 ? -1 : flush(b, e);
}

int
run_jsonl(struct run *r)
{
	struct batch b = { .r = r };
	struct serve s = { next, token, done, &b, r->lookup };
	struct serve_count count;
	double start = run_clock(), took;
	struct err e;

	run_context(r);
	if (serve_run(r->infer, &r->o, model_vocab(r->m), &s, &count, &e) < 0)
		die("%s", e.msg);
	tool_flush();
	free(b.line);
	took = run_clock() - start;
	note("%llu tokens of prompts (%llu of them shared), %llu made in %.2f s (%.1f a second)",
	    (unsigned long long)count.prompt, (unsigned long long)count.reused,
	    (unsigned long long)count.made, took, took > 0 ? (double)count.made / took : 0);
	return b.bad ? STATUS_FAIL : STATUS_OK;
}
