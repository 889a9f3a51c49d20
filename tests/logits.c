/* SPDX-License-Identifier: MIT */
/*
 * logits.c -- logits against somebody else's, or against each other.
 *
 *	logits ref MODEL REF [N]	--precise against a .safetensors file with
 *		input_ids, logits and hidden.*, its first N positions: the
 *		largest difference by the largest |value|, of each
 *	logits same MODEL ID...		the default kernels: the logits' bits for
 *		several threads, batches and cuts, which must be one; prints a
 *		hash of them, so that CPUs and builds can be compared
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/infer.h>
#include <apr/model.h>

static void
fail(const struct err *e)
{
	fprintf(stderr, "logits: %s\n", e->msg);
	exit(1);
}

static void *
need(void *p)
{
	if (!p)
		abort();
	return p;
}

struct trace {
	struct weights	*ref;
	double		 worst;
	size_t		 seen, limit;
};

/* The largest difference by the largest value of rows [0, n). */
static double
apart(const float *x, size_t ld, const float *y, size_t n, size_t width)
{
	double d = 0, max = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < width; k++) {
			double a = (double)x[i * ld + k], b = (double)y[i * width + k];

			/* Written so that NaN counts. */
			if (!(fabs(a - b) <= d))
				d = fabs(a - b);
			if (fabs(b) > max)
				max = fabs(b);
		}
	return d / max;
}

static int
hidden(void *ctx, const char *name, const float *x, size_t n, size_t width, size_t ld,
    struct err *e)
{
	struct trace *t = ctx;
	const struct tensor *r = weights_tensor(t->ref, name);
	double d;

	(void)e;
	if (strncmp(name, "hidden.", 7))
		return 0;
	if (!r || r->n < n * width)
		return err_set(e, "%s is not in the reference", name);
	d = apart(x, ld, t->ref->data[r - t->ref->m->tensor], t->limit < n ? t->limit : n, width);
	if (!(d <= t->worst))
		t->worst = d;
	t->seen++;
	return 0;
}

static int32_t *
input_ids(struct weights *ref, size_t *n)
{
	const struct tensor *t = weights_tensor(ref, "input_ids");
	const unsigned char *p;
	int32_t *ids;

	if (!t || (t->bytes != t->n * 4 && t->bytes != t->n * 8))
		abort();
	p = ref->data[t - ref->m->tensor];
	ids = need(calloc(t->n, sizeof *ids));
	for (size_t i = 0; i < t->n; i++)
		memcpy(&ids[i], p + t->bytes / t->n * i, 4);
	*n = t->n;
	return ids;
}

static float *
run(const struct model *m, const int32_t *ids, size_t n, unsigned jobs, unsigned batch,
    bool precise, infer_trace trace, void *ctx)
{
	struct infer_opts o = { .n_ctx = (unsigned)n, .nseq = 1, .n_batch = batch,
	    .precise = precise };
	size_t vocab = model_vocab(m);
	float *logits = need(malloc(n * vocab * sizeof *logits));
	struct infer_token *tok = need(calloc(n, sizeof *tok));
	struct device *d;
	struct infer *f = NULL;
	struct err e;

	if (!(d = device_open("cpu", jobs, &e)) || !(f = infer_new(m, &o, d, &e)))
		fail(&e);
	infer_set_trace(f, trace, ctx);
	for (size_t i = 0; i < n; i++)
		tok[i] = (struct infer_token){ ids[i], 0, (uint32_t)i, true };
	for (size_t i = 0; i < n; i += batch)
		if (infer_run(f, tok + i, n - i < batch ? n - i : batch, logits + i * vocab, &e) < 0)
			fail(&e);
	infer_free(f);
	device_close(d);
	free(tok);
	return logits;
}

static int
reference(const char *path, const char *ref_path, size_t limit)
{
	struct trace t = { 0 };
	const struct tensor *want;
	struct weights *w;
	struct model *m;
	struct err e;
	int32_t *ids;
	float *logits;
	size_t n;
	double d;

	if (!(w = weights_open(path, &e)) || !(t.ref = weights_open(ref_path, &e)))
		fail(&e);
	ids = input_ids(t.ref, &n);
	if (!(m = model_new(w, (unsigned)n, &e)))
		fail(&e);
	t.limit = limit < n ? limit : n;
	logits = run(m, ids, n, 2, (unsigned)n, true, hidden, &t);
	want = weights_tensor(t.ref, "logits");
	if (!want || want->n != n * model_vocab(m) || t.seen != model_layers(m) + 1)
		abort();
	d = apart(logits, model_vocab(m), t.ref->data[want - t.ref->m->tensor], t.limit,
	    model_vocab(m));
	printf("logits %.2e hidden %.2e\n", d, t.worst);
	free(logits);
	free(ids);
	model_free(m);
	weights_close(w);
	weights_close(t.ref);
	return d <= 1e-4 && t.worst <= 1e-4 ? 0 : 1;
}

/* FNV-1a over words. */
static uint64_t
hash(const float *x, size_t n)
{
	uint64_t h = 0xcbf29ce484222325;
	uint32_t u;

	for (size_t i = 0; i < n; i++) {
		memcpy(&u, x + i, sizeof u);
		h = (h ^ u) * 0x100000001b3;
	}
	return h;
}

static int
same(const char *path, char **arg, size_t n)
{
	static const struct { unsigned jobs, batch; } how[] = {
		{ 1, 0 }, { 2, 0 }, { 1, 1 }, { 2, 3 }, { 2, 7 }, { 3, 16 },
	};
	int32_t *ids = need(calloc(n, sizeof *ids));
	float *first = NULL, *x;
	struct weights *w;
	struct model *m;
	struct err e;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		ids[i] = atoi(arg[i]);
	if (!(w = weights_open(path, &e)) || !(m = model_new(w, (unsigned)n, &e)))
		fail(&e);
	for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
		x = run(m, ids, n, how[i].jobs, how[i].batch ? how[i].batch : (unsigned)n, false,
		    NULL, NULL);
		if (first && memcmp(first, x, n * model_vocab(m) * sizeof *x)) {
			printf("%u threads, batches of %u: other bits\n", how[i].jobs, how[i].batch);
			r = 1;
		}
		if (first)
			free(x);
		else
			first = x;
	}
	printf("%016" PRIx64 "\n", hash(first, n * model_vocab(m)));
	free(first);
	free(ids);
	model_free(m);
	weights_close(w);
	return r;
}

int
main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "ref"))
		return reference(argv[2], argv[3], argc > 4 ? (size_t)atoi(argv[4]) : SIZE_MAX);
	if (argc >= 4 && !strcmp(argv[1], "same"))
		return same(argv[2], argv + 3, (size_t)argc - 3);
	fprintf(stderr, "usage: logits ref MODEL REF [N] | same MODEL ID...\n");
	return 2;
}
