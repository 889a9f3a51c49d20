/* SPDX-License-Identifier: MIT */
/* diff_logits.c -- two files of logits, position by position; and what all
 * positions together say. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

/* Rows of the tensor `logits`, from a file or as a stream brings them. */
struct rows {
	struct source		*s;
	struct stream_in	*in;
	const struct tensor	*t;
	uint64_t		 n, vocab;
};

static double max_kl = INFINITY, min_agree = -1, tie = 1e-3;

bool
logits_option(int c, const char *arg)
{
	switch (c) {
	case OPT_MAX_KL: max_kl = tool_real(arg, "--max-kl", 0, 1e300); break;
	case OPT_MIN_AGREE: min_agree = tool_real(arg, "--min-agree", 0, 1); break;
	case OPT_TIE: tie = tool_real(arg, "--tie", 0, 1e300); break;
	default: return false;
	}
	return true;
}

double
logits_tie(void)
{
	return tie;
}

/* With a share to agree, the others may diverge. */
static bool
holds(struct logits_sums *s)
{
	uint64_t measured = s->n[LOGITS_IDENTICAL] + s->n[LOGITS_TIE_BREAK] + s->n[LOGITS_DIVERGED];

	if (measured == 0 || s->n[LOGITS_UNMEASURED] > 0 || !(logits_kl_mean(s) <= max_kl))
		return false;
	return min_agree >= 0 ? logits_agreement(s) >= min_agree :
	    max_kl < INFINITY || s->n[LOGITS_DIVERGED] == 0;
}

static void
put_position(struct buf *b, uint64_t at, const struct logits_pair *p)
{
	bool there = p->class != LOGITS_UNMEASURED;

	buf_str(b, "{");
	put_whole(b, "position", at);
	put_text(b, "class", logits_classes[p->class]);
	put_key(b, "argmax");
	there ? buf_printf(b, "[%" PRId32 ",%" PRId32 "]", p->top[0], p->top[1]) :
	    buf_str(b, "null");
	put_real(b, "margin_a", there ? p->margin[0] : (double)NAN);
	put_real(b, "margin_b", there ? p->margin[1] : (double)NAN);
	put_real(b, "gap", there ? p->gap : (double)NAN);
	put_real(b, "cosine", there ? p->cosine : (double)NAN);
	put_real(b, "max", there ? p->max : (double)NAN);
	put_real(b, "kl", there ? p->kl : (double)NAN);
	buf_str(b, "}");
}

/* Perplexity, and its standard error. */
static double
perplexity(const struct logits_sums *s, int k, double *error)
{
	double n = (double)s->predicted, mean = s->loss[k] / n;
	double var = s->square[k] / n - mean * mean;

	*error = exp(mean) * sqrt(var > 0 ? var / n : 0);
	return exp(mean);
}

static void
put_sums(struct buf *b, struct logits_sums *s)
{
	static const struct { const char *key; double q; } q[] = {
		{ "median", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 }, { "max", 1 },
	};
	static const char *const keys[] = { "identical", "tie_break", "diverged", "unmeasured" };
	double error;

	for (int k = 0; k < LOGITS_CLASSES; k++)
		put_whole(b, keys[k], s->n[k]);
	put_real(b, "agreement", logits_agreement(s));
	put_key(b, "kl");
	buf_str(b, "{");
	put_real(b, "mean", logits_kl_mean(s));
	for (size_t i = 0; i < sizeof q / sizeof *q; i++)
		put_real(b, q[i].key, logits_kl_quantile(s, q[i].q));
	buf_str(b, "}");
	put_real(b, "cosine_mean", s->nkl ? s->cosine / (double)s->nkl : (double)NAN);
	put_real(b, "cosine_min", s->nkl ? s->min_cosine : (double)NAN);
	put_real(b, "max", s->nkl ? s->max : (double)NAN);
	for (int k = 0; k < 2 && s->predicted; k++) {
		put_real(b, k ? "perplexity_b" : "perplexity_a", perplexity(s, k, &error));
		put_real(b, k ? "error_b" : "error_a", error);
	}
	if (s->predicted)
		put_whole(b, "predicted", s->predicted);
}

static void
put_paths(struct buf *b, const struct diff_opts *o)
{
	buf_str(b, "{");
	put_text(b, "a", o->path[0]);
	put_text(b, "b", o->path[1]);
}

int
logits_report(const struct diff_opts *o, struct logits_sums *s, uint64_t first, bool begun)
{
	bool same = holds(s);
	struct buf b = { 0 };
	double error;

	if (o->json) {
		if (begun)
			buf_str(&b, "]");
		else
			put_paths(&b, o);
		put_text(&b, "verdict", same ? "same" : "different");
		put_sums(&b, s);
		put_key(&b, "first_divergence");
		first == UINT64_MAX ? buf_str(&b, "null") : buf_printf(&b, "%" PRIu64, first);
		buf_str(&b, "}\n");
		put_out(&b);
	} else if (!tool_quiet()) {
		printf("KL         mean %.6g, median %.6g, 90 %% %.6g, 99 %% %.6g, max %.6g\n",
		    logits_kl_mean(s), logits_kl_quantile(s, 0.5), logits_kl_quantile(s, 0.9),
		    logits_kl_quantile(s, 0.99), logits_kl_quantile(s, 1));
		printf("cosine     mean %.9f, min %.9f; max |d| %.6g\n", s->nkl ?
		    s->cosine / (double)s->nkl : (double)NAN, s->min_cosine, s->max);
		for (int k = 0; k < 2 && s->predicted; k++) {
			double v = perplexity(s, k, &error);

			printf("perplexity %.6f +- %.4f of %s\n", v, error, o->path[k]);
		}
		printf("%s:", same ? "same" : "different");
		for (int k = 0; k < LOGITS_CLASSES; k++)
			printf("%s %" PRIu64 " %s", k ? "," : "", s->n[k], logits_classes[k]);
		printf(first == UINT64_MAX ? "\n" : "; the first divergence is at %" PRIu64 "\n", first);
	}
	tool_flush();
	buf_release(&b);
	logits_release(s);
	return same ? STATUS_SAME : STATUS_DIFFERENT;
}

static void
open_rows(struct rows *r, struct source *s, const char *path)
{
	const struct manifest *m = source_manifest(s);
	struct member mem;
	struct err e;
	int k;

	r->s = s;
	r->in = source_stream(s);
	for (size_t i = 0; i < m->ntensor; i++)
		if (!strcmp(m->tensor[i].name, "logits"))
			r->t = &m->tensor[i];
	if (!r->t)
		die("%s: has no tensor called logits: nothing is measured", path);
	if (r->t->type != &type_f32 || r->t->ndim != 2 || r->t->dim[1] == 0 ||
	    r->t->dim[1] > (1u << 24))
		die("%s: logits are not F32 [positions, vocabulary]", path);
	if (m->plan || (!r->in && !source_seekable(s)))
		die("%s: neither a file nor a stream with its tensors", path);
	r->n = r->t->dim[0];
	r->vocab = r->t->dim[1];
	if (!r->in)
		return;
	while ((k = stream_next(r->in, &mem, &e)) > 0)
		if (mem.kind == MEMBER_TENSOR && &m->tensor[mem.index] == r->t)
			return;
	die("%s: %s", path, k < 0 ? e.msg : "logits do not come");
}

static void
read_row(struct rows *r, uint64_t i, unsigned char *raw, float *x, const char *path)
{
	size_t n = (size_t)r->vocab * 4;
	struct err e;

	if (r->in ? stream_read(r->in, raw, n, &e) < 0 :
	    source_get(r->s, r->t, i * n, raw, n, &e) < 0)
		die("%s: %s", path, e.msg);
	type_f32.to_f32(x, raw, (size_t)r->vocab);
}

/* A stream that was cut is no evidence. */
static void
close_rows(struct rows *r, const char *path)
{
	struct member mem;
	struct err e;
	int k = 0;

	while (r->in && (k = stream_next(r->in, &mem, &e)) > 0)
		;
	if (k < 0)
		die("%s: %s", path, e.msg);
	source_close(r->s);
}

int
diff_logits(const struct diff_opts *o)
{
	struct logits_sums sums = { 0 };
	struct buf list = { 0 };
	struct source *s[2];
	struct rows r[2] = { 0 };
	uint64_t first = UINT64_MAX, n;
	unsigned char *raw;
	float *x[2];
	struct err e;

	open_two(o, s);
	for (int k = 0; k < 2; k++)
		open_rows(&r[k], s[k], o->path[k]);
	if (r[0].vocab != r[1].vocab)
		die("%s has %" PRIu64 " logits a position, %s %" PRIu64, o->path[0], r[0].vocab,
		    o->path[1], r[1].vocab);
	raw = malloc((size_t)r[0].vocab * 4);
	x[0] = malloc((size_t)r[0].vocab * sizeof **x);
	x[1] = malloc((size_t)r[0].vocab * sizeof **x);
	if (!raw || !x[0] || !x[1])
		die("out of memory");
	n = r[0].n > r[1].n ? r[0].n : r[1].n;
	if (o->json) {
		put_paths(&list, o);
		buf_str(&list, ",\"positions\":[");
	}
	for (uint64_t i = 0; i < n; i++) {
		struct logits_pair p = { .class = LOGITS_UNMEASURED };

		for (int k = 0; k < 2; k++)
			if (i < r[k].n)
				read_row(&r[k], i, raw, x[k], o->path[k]);
		if (i < r[0].n && i < r[1].n)
			logits_compare(x[0], x[1], (size_t)r[0].vocab, -1, tie, &p);
		if (logits_add(&sums, &p, false, &e) < 0)
			die("%s", e.msg);
		if (p.class >= LOGITS_DIVERGED && first == UINT64_MAX)
			first = i;
		if (o->json) {
			buf_str(&list, i ? ",\n" : "\n");
			put_position(&list, i, &p);
			put_out(&list);
		} else if (p.class >= LOGITS_TIE_BREAK && !tool_quiet() &&
		    sums.n[LOGITS_TIE_BREAK] + sums.n[LOGITS_DIVERGED] +
		    sums.n[LOGITS_UNMEASURED] <= o->top) {
			printf("%-10s at %" PRIu64 ": %" PRId32 " and %" PRId32 ", which is %.6g less"
			    " (margins %.6g, %.6g), cosine %.6f, KL %.6g\n", logits_classes[p.class], i,
			    p.top[0], p.top[1], p.gap, p.margin[0], p.margin[1], p.cosine, p.kl);
		}
	}
	for (int k = 0; k < 2; k++)
		close_rows(&r[k], o->path[k]);
	free(raw);
	free(x[0]);
	free(x[1]);
	put_out(&list);
	n = (uint64_t)logits_report(o, &sums, first, o->json);
	buf_release(&list);
	return (int)n;
}
