/* SPDX-License-Identifier: MIT */
/* infer_request.c -- a request as JSON: what is asked, and how it is sampled. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jv.h>

#include <apr/json.h>

#include "infer_request.h"

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
messages(jv v, struct request *q, struct err *e)
{
	struct buf text = { 0 };
	const char *t = q->r.chat_template;
	jv json = jv_dump_string(jv_copy(v), 0);
	int r;

	r = chat_render(q->r.vocab, t, t ? strlen(t) : 0, jv_string_value(json),
	    strlen(jv_string_value(json)), true, &text, e);
	jv_free(json);
	if (r == 0)
		r = tokenizer_encode(q->r.tk, (char *)text.p, text.len, TOKEN_NO_BOS, &q->prompt, e);
	buf_release(&text);
	return r;
}

static int
prompt(jv o, struct request *q, struct err *e)
{
	int r;
	jv v;

	if (member(o, "ids", &v)) {
		r = ids_of(v, q, e);
	} else if (member(o, "messages", &v)) {
		r = messages(v, q, e);
	} else if (member(o, "prompt", &v)) {
		r = jv_get_kind(v) != JV_KIND_STRING ? err_set(e, "prompt is no string") :
		    tokenizer_encode(q->r.tk, jv_string_value(v),
		    (size_t)jv_string_length_bytes(jv_copy(v)), q->r.flags, &q->prompt, e);
	} else {
		return err_set(e, "neither prompt nor messages nor ids");
	}
	jv_free(v);
	if (r == 0 && q->prompt.n == 0)
		r = err_set(e, "the prompt is empty");
	if (r == 0 && q->prompt.n >= q->r.o.n_ctx)
		r = err_set(e, "the prompt has %zu tokens, the context %u", q->prompt.n,
		    q->r.o.n_ctx);
	for (size_t i = 0; r == 0 && i < q->prompt.n; i++)
		if ((uint32_t)q->prompt.p[i] >= model_vocab(q->r.m))
			r = err_set(e, "token %d: the model knows 0 to %u", q->prompt.p[i],
			    model_vocab(q->r.m) - 1);
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

int
request_read(struct request *q, const struct run *r, const char *line, size_t n, struct err *e)
{
	jv o, v;
	int status = 0;

	*q = (struct request){ .r = *r };
	if (n > INT_MAX / 2)
		return err_set(e, "a line of %zu bytes", n);
	o = jv_parse_sized(line, (int)n);
	if (!jv_is_valid(o) || jv_get_kind(o) != JV_KIND_OBJECT) {
		jv_free(o);
		return err_set(e, "no JSON object");
	}
	if (member(o, "id", &v))
		take_id(line, n, v, &q->id);
	if (sampling(o, q, e) < 0 || stops(o, q, e) < 0 || biases(o, q, e) < 0 ||
	    prompt(o, q, e) < 0)
		status = -1;
	if (status == 0 && member(o, "logprobs", &v)) {
		q->logprobs = jv_get_kind(v) == JV_KIND_TRUE || jv_get_kind(v) == JV_KIND_NUMBER;
		jv_free(v);
	}
	if (status == 0 && member(o, "timing", &v)) {
		q->timing = jv_get_kind(v) == JV_KIND_TRUE;
		jv_free(v);
	}
	jv_free(o);
	return status;
}

void
request_release(struct request *q)
{
	ids_release(&q->prompt);
	buf_release(&q->id);
	for (size_t i = 0; i < 16; i++)
		free(q->stop[i]);
	free(q->bias);
}
