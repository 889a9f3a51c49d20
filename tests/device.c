/* SPDX-License-Identifier: MIT */
/*
 * device.c -- each operation of a device against the CPU's, bit for bit:
 * columns of any number and length, extreme values, every type.
 *
 *	device KIND [--rounds N] [--seed N] [--only PART]
 *	device KIND --product TYPE [--columns N]	64 rows of 4096, once
 *
 * Prints TAP.  With APR_CPU=scalar it is the plain C that a device is held to.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/device.h>

#include "../lib/device/gpu.h"
#include "random.h"

enum { POOL = 1 << 21, SEQS = 3, CONTEXT = 700, COLUMNS = 96, INNER = 4352 };

static struct device *dev[2];	/* the CPU, and what is tested */
static int tests, failed, rounds = 12;
static const char *alone;	/* of a type alone */
static size_t alone_columns = 1;
static struct err e;

static void
must(bool ok)
{
	if (ok)
		return;
	fprintf(stderr, "device: %s\n", e.msg);
	exit(1);
}

static void *
memory(size_t n)
{
	void *p = malloc(n + 1);

	err_set(&e, "out of memory");
	must(p);
	return p;
}

/* What devices know by its address, as they know weights: it stays until they
 * are closed. */
static struct named {
	struct named	*next;
	_Alignas(max_align_t) unsigned char bytes[];
} *named;

static void *
name(size_t n)
{
	struct named *p = memory(sizeof *p + n);

	p->next = named;
	named = p;
	return p->bytes;
}

static void
forget(void)
{
	for (struct named *p; (p = named); free(p))
		named = p->next;
}

/* An array of floats that both have. */
struct both {
	float	*at[2];
	size_t	 n;
};

static struct both
both(const float *x, size_t n)
{
	struct both b = { .n = n };

	for (int i = 0; i < 2; i++) {
		must((b.at[i] = dev[i]->op->alloc(dev[i], n * sizeof *x, &e)));
		dev[i]->op->write(dev[i], b.at[i], x, n * sizeof *x);
	}
	return b;
}

static void
drop(struct both *b)
{
	for (int i = 0; i < 2; i++)
		dev[i]->op->free(dev[i], b->at[i]);
}

/* Numbers as activations are, of one size or many, ties, tiny, and none. */
static void
fill(float *x, size_t n, size_t how)
{
	float scale = ldexpf(1, (int)below(12) - 6);

	for (size_t i = 0; i < n; i++)
		switch (how) {
		case 0: case 1: case 2: x[i] = (float)normal() * scale; break;
		case 3: x[i] = (float)normal() * ldexpf(1, (int)below(60) - 30); break;
		case 4: x[i] = (float)below(255) - 127; break;
		case 5: x[i] = below(3) ? 0 : -(float)normal() * 1e-38f; break;
		default: x[i] = below(4000) ? (float)normal() : below(2) ? INFINITY : NAN;
		}
}

static struct both
some(size_t n, size_t how)
{
	float *x = memory(n * sizeof *x);
	struct both b;

	fill(x, n, how);
	b = both(x, n);
	free(x);
	return b;
}

/* Weights by the host's address, in pieces of odd sizes. */
static void
place(struct device *d, const void *p, size_t bytes)
{
	size_t n, room;
	unsigned char *back = memory(bytes);

	must(d->op->place(d, p, bytes, &e) == 0);
	for (size_t at = 0; d->op->stage && at < bytes; at += n) {
		void *to = d->op->stage(d, &room, &e);

		must(to != NULL);
		n = 1 + below(100000);
		n = n < bytes - at ? n : bytes - at;
		n = n < room ? n : room;
		memcpy(to, (const unsigned char *)p + at, n);
		d->op->send(d, (const unsigned char *)p + at, n);
	}
	must(d->op->wait(d, &e) == 0);
	must(d->op->read(d, back, p, bytes, &e) == 0 && !memcmp(back, p, bytes));
	free(back);
}

/* Vectors of a model. */
static const float *
vector(size_t n)
{
	float *x = name(n * sizeof *x);

	fill(x, n, 0);
	for (int i = 0; i < 2; i++)
		place(dev[i], x, n * sizeof *x);
	return x;
}

/* The number of floats that differ; an error of the device's is one. */
static size_t
differ(const struct both *b, const char *what)
{
	float *x[2];
	size_t bad = 0;

	for (int i = 0; i < 2; i++) {
		x[i] = memory(b->n * sizeof(float));
		must(dev[i]->op->read(dev[i], x[i], b->at[i], b->n * sizeof(float), &e) == 0);
	}
	for (size_t i = 0; i < b->n; i++)
		if (memcmp(&x[0][i], &x[1][i], 4) && !(isnan(x[0][i]) && isnan(x[1][i])) && !bad++)
			printf("# %s: float %zu of %zu: %a, not %a\n", what, i, b->n,
			    (double)x[1][i], (double)x[0][i]);
	free(x[0]);
	free(x[1]);
	return bad;
}

static void
verdict(const char *what, size_t bad)
{
	printf("%sok %d - %s: %zu differ\n", bad ? "not " : "", ++tests, what, bad);
	fflush(stdout);
	failed += bad > 0;
}

#define EACH(op_, ...) \
	for (int i = 0; i < 2; i++) \
		dev[i]->op->op_(dev[i], __VA_ARGS__)

/* Bytes with scales that are numbers of a usual size, but for one in `odd`; 0:
 * all are. */
static unsigned char *
bytes_of(const struct type *t, size_t odd)
{
	unsigned char *p = name(POOL);

	for (size_t i = 0; i < POOL; i++)
		p[i] = (unsigned char)(next() >> 56);
	for (size_t b = 0; t->block > 1 && b + t->bytes <= POOL; b += t->bytes)
		for (size_t i = 0; (!odd || below(odd)) && i < 2; i++) {
			size_t at = t->ggml == 10 ? 80 + 2 * i : t->ggml == 11 ? 108 :
			    t->ggml == 14 ? 208 : t->ggml == 34 ? 52 : t->ggml == 35 ? 64 : 2 * i;

			if (at + 1 < t->bytes && (i == 0 || at != 2 || t->ggml == 12 ||
			    t->ggml == 13 || t->ggml == 3 || t->ggml == 7 ||
			    t == &type_lattice_q4))
				p[b + at + 1] = (unsigned char)((p[b + at + 1] & 0x83) | 0x20);
		}
	for (size_t i = t->bytes - 1u; t->block == 1 && i < POOL; i += t->bytes)
		if (t == &type_f64)
			p[i] = below(500) ? (unsigned char)((p[i] & 0x80) | (below(9) ? 0x3f : 0x38)) : p[i];
		else if (t->bytes > 1)
			p[i] = (unsigned char)((p[i] & 0x83) | 0x38);
		else if ((p[i] & 0x7f) > 0x7b && below(5000))	/* F8 that is none */
			p[i] &= 0xbf;
	for (int i = 0; i < 2; i++)
		place(dev[i], p, POOL);
	return p;
}

static unsigned char *
pool(const struct type *t)
{
	return bytes_of(t, 8);
}

static size_t
product(const struct type *t, const unsigned char *p, const float *bias)
{
	struct mat w = { .type = t, .rows = 1 + below(40), .cols = 1 + below(700), .scale = 0.0123f };
	size_t n = 1 + below(below(5) ? 20 : 80), bad;
	bool precise = below(3) == 0;
	struct device_product job = { .w = &w, .n = n, .bias = below(2) ? bias : NULL };
	struct both x, y;

	if (below(6) == 0)	/* as many as the largest tile of anyone's, and more */
		w.rows = 60 + below(80), w.cols = 1 + below(100);
	if (below(6) == 0)	/* more than a segment */
		w.cols = 4096 + below(5000), w.rows = 1 + below(9);
	if (below(4))
		w.cols = (w.cols + t->block - 1) / t->block * t->block;
	if (w.rows * w.cols > POOL / 32)
		w.rows = 1;
	/* As it lies: whole, one that begins inside of others, padded, across. */
	if (t->flags & TYPE_FLAT)
		w.skip = below(2) * below(100) * (below(2) ? t->block : 1);
	w.stride = ((w.cols + t->block - 1) / t->block + below(3)) * t->bytes;
	if (below(3) == 0) {
		w.transposed = true;
		w.skip = below(2) * below(70);
		w.stride = (w.rows + w.skip + t->block - 1) / t->block + below(3);
		w.stride *= t->flags & TYPE_FLAT ? t->block : t->bytes;
		if (w.stride * w.cols > POOL / 2)
			w.cols = POOL / 2 / w.stride;
	}
	job.ldx = w.cols + below(3);
	job.ldy = w.rows + below(3);
	w.data = p + below(20) * t->bytes;
	if (t->block == 1 && below(2)) {	/* as models have them: at multiples of 16 bytes */
		w.cols = (w.cols + 15) / 16 * 16;
		w.transposed = false;
		w.stride = w.cols * t->bytes;
		w.skip = w.cols * below(3);
		w.data = p;
		job.ldx = w.cols + 4 * below(2);
		job.ldy = w.rows + below(3);
	}
	w.fine = mat_packed(&w, precise) && below(3) == 0;
	if (dev[1]->op->lacks(dev[1], &w, precise)) {
		printf("# %s lacks %s\n", dev[1]->name, dev[1]->op->lacks(dev[1], &w, precise));
		return 1;
	}
	x = some(n * job.ldx, below(7));
	y = some(n * job.ldy, 0);
	for (int i = 0; i < 2; i++) {
		job.x = x.at[i];
		job.y = y.at[i];
		dev[i]->op->multiply(dev[i], &job, 1, precise);
	}
	bad = differ(&y, t->name);
	drop(&x);
	drop(&y);
	return bad;
}

/* Rows of one matrix by number, and of another by position. */
static size_t
lookups(const struct type *t, const unsigned char *p, const float *places)
{
	struct mat w = { .type = t, .cols = 1 + below(300), .scale = 0.0123f };
	struct mat pos = { .type = &type_f32, .data = below(2) ? places : NULL, .rows = 8 };
	uint32_t id[9];
	struct device_at at[9];
	size_t n = 1 + below(9), bad;
	struct both x = some(n * w.cols, 0), ids;
	float scale = below(2) ? 1 : 31.7f;

	pos.cols = w.cols;
	pos.stride = w.cols * sizeof(float);
	w.stride = (w.cols + t->block - 1) / t->block * t->bytes;
	w.rows = POOL / 2 / w.stride;
	w.data = p + below(20) * t->bytes;
	if (t->flags & TYPE_FLAT)
		w.skip = below(100);
	for (size_t i = 0; i < n; i++) {
		id[i] = (uint32_t)below(w.rows);
		at[i] = (struct device_at){ (uint32_t)below(SEQS), (uint32_t)below(8) };
	}
	ids = both((float *)id, n);
	for (int i = 0; i < 2; i++) {
		dev[i]->op->batch(dev[i], at, n);
		dev[i]->op->embed(dev[i], &(struct device_embed){ .w = &w, .pos = &pos,
		    .id = (const int32_t *)ids.at[i], .at = at, .scale = scale, .x = x.at[i] });
	}
	bad = differ(&x, "rows");
	drop(&x);
	drop(&ids);
	return bad;
}

static void
one_product(const char *name, size_t n)
{
	struct device_product job = { .n = n, .ldx = 4096, .ldy = 64 };
	struct mat w = { .rows = 64, .cols = 4096, .scale = 1 };
	struct both x = some(n * job.ldx, 0), y = some(n * job.ldy, 0);

	for (size_t i = 0; types[i]; i++)
		if (!strcmp(types[i]->name, name))
			w.type = types[i];
	err_set(&e, "%s is no type", name);
	must(w.type != NULL);
	w.data = pool(w.type);
	w.stride = w.cols / w.type->block * w.type->bytes;
	job.w = &w;
	for (int i = 0; i < 2; i++) {
		job.x = x.at[i];
		job.y = y.at[i];
		dev[i]->op->multiply(dev[i], &job, 1, false);
	}
	verdict(name, differ(&y, name));
	drop(&x);
	drop(&y);
}

static void
products(void)
{
	const float *places = vector(8 * 300);
	const float *bias = vector(160);

	for (size_t i = 0; types[i]; i++) {
		const struct type *t = types[i];
		const unsigned char *p;
		size_t bad = 0;

		if (!t->to_f32 && !(t->flags & TYPE_WHOLE))
			continue;
		p = pool(t);
		for (int r = 0; r < rounds; r++)
			bad += product(t, p, bias) + lookups(t, p, places);
		verdict(t->name, bad);
	}
}

static void
norms(void)
{
	size_t bad = 0;

	for (int r = 0; r < rounds; r++) {
		size_t parts = 1 + below(3), n = 1 + below(9), len = 1 + below(r % 3 ? 200 : 3000);
		size_t ld = parts * len + below(3);
		const float *w = vector(len), *b = vector(len);
		struct both x = some(n * ld, below(6)), y = some(n * ld, 0), more = some(n * ld, 0);
		bool in_place = below(2), add = below(2);

		for (int i = 0; i < 2; i++)
			dev[i]->op->norm(dev[i], &(struct device_norm){ .w = r % 5 ? w : NULL,
			    .bias = r % 2 ? b : NULL, .x = x.at[i], .y = in_place ? x.at[i] : y.at[i],
			    .ldx = ld, .ldy = ld, .n = n, .width = parts * len, .len = len,
			    .eps = 1e-5f, .centered = r % 4 == 1, .more = add ? more.at[i] : NULL,
			    .ldm = ld, .by = r % 2 ? 1 : 0.22f });
		bad += differ(&x, "norm's x") + differ(&y, "norm's y");
		drop(&more);
		drop(&x);
		drop(&y);
	}
	verdict("norm", bad);
}

/* Several matrices that take one x: those that are alike go together. */
static void
several(void)
{
	const struct type *types2[] = { type_by_ggml(8), type_by_ggml(12), &type_f16 };
	const unsigned char *p[3];
	size_t bad = 0;

	for (int i = 0; i < 3; i++)
		p[i] = pool(types2[i]);
	for (int r = 0; r < 2 * rounds; r++) {
		size_t n = 1 + below(20), cols = 256 * (1 + below(3)), many = 2 + below(4), ld = 0;
		const float *bias = vector(100);
		bool fine = r % 4 == 1;
		struct mat w[5];
		size_t at[5];
		struct both x = some(n * cols, below(7)), y;

		for (size_t k = 0; k < many; k++) {
			size_t t = below(6) < 4 ? 0 : below(3);

			w[k] = (struct mat){ .type = types2[t], .rows = 1 + below(90), .cols = cols,
			    .data = p[t] + (t == 1 ? 144 * below(9) : 0), .scale = 1,
			    .stride = cols / types2[t]->block * types2[t]->bytes, .fine = fine && t < 2 };
			at[k] = ld;
			ld += w[k].rows;
		}
		y = some(n * ld, 0);
		for (int i = 0; i < 2; i++) {
			struct device_product job[5];

			for (size_t k = 0; k < many; k++)
				job[k] = (struct device_product){ .w = &w[k], .x = x.at[i], .ldx = cols,
				    .n = n, .bias = ((size_t)r + k) % 3 ? bias + k : NULL, .y = y.at[i] + at[k],
				    .ldy = ld };
			dev[i]->op->multiply(dev[i], job, many, false);
		}
		bad += differ(&y, "several");
		drop(&x);
		drop(&y);
	}
	verdict("several matrices of one x", bad);
}

/* What makes y and is told of the product that follows, with that product:
 * activations are quantized in between, or before by the same kernel. */
static void
followed(void)
{
	const struct type *t = type_by_ggml(8);
	const unsigned char *p = pool(t);
	size_t bad = 0;

	for (int r = 0; r < 2 * rounds; r++) {
		size_t n = 1 + below(9), cols = 32 * (1 + below(r % 3 ? 20 : 100)), ld = cols + below(3);
		struct mat w = { .type = t, .rows = 1 + below(9), .cols = cols, .data = p, .scale = 1,
		    .stride = cols / 32 * 34, .fine = r % 4 == 1 };
		const float *v = vector(cols);
		struct both x = some(n * ld, below(7)), more = some(n * ld, 0), y = some(n * ld, 0);
		struct both z = some(2 * n * w.rows, 0);

		for (int i = 0; i < 2; i++) {
			struct device *d = dev[i];
			float *out = r % 2 ? y.at[i] : x.at[i];
			struct device_product job = { .w = &w, .x = out, .ldx = ld, .n = n,
			    .y = z.at[i], .ldy = w.rows };

			if (r % 3)
				d->op->norm(d, &(struct device_norm){ .w = v, .x = x.at[i], .y = out,
				    .ldx = ld, .ldy = ld, .n = n, .width = cols, .len = cols,
				    .eps = 1e-5f, .more = r % 5 ? more.at[i] : NULL, .ldm = ld,
				    .by = r % 7 ? 1 : 0.22f, .next = &w });
			else
				d->op->activate(d, &(struct device_activate){ .y = out,
				    .gate = more.at[i], .ld = ld, .n = n, .width = cols, .next = &w });
			d->op->multiply(d, &job, 1, false);
			/* Once more, of what is other by now. */
			d->op->add(d, out, ld, more.at[i], ld, 1, cols, n);
			job.y += n * w.rows;
			d->op->multiply(d, &job, 1, false);
		}
		bad += differ(&x, "x") + differ(&y, "y") + differ(&z, "product");
		drop(&x);
		drop(&more);
		drop(&y);
		drop(&z);
	}
	verdict("norm and activation with a product", bad);
}

/* Codes of 3 columns: what lies behind them is nobody's to write. */
static size_t
behind(size_t cols, int how)
{
	struct device *d = dev[1];
	struct gpu *g = (struct gpu *)d;
	const struct type *t = type_by_ggml(8);
	struct mat w = { .type = t, .rows = 1, .cols = cols, .data = pool(t), .scale = 1,
	    .stride = cols / 32 * 34, .fine = true };
	struct both x = some(3 * cols, 0), y = some(3, 0);
	unsigned char mark[256], got[256];
	size_t bad = 0;

	memset(mark, 0xaa, sizeof mark);
	for (int i = 0; i < 2; i++)
		d->op->write(d, (unsigned char *)(i ? g->codes2 : g->codes) + 3 * cols, mark,
		    sizeof mark);
	if (how == 0)
		d->op->norm(d, &(struct device_norm){ .w = vector(cols), .x = x.at[1], .y = x.at[1],
		    .ldx = cols, .ldy = cols, .n = 3, .width = cols, .len = cols, .eps = 1e-5f,
		    .next = &w });
	else if (how == 1)
		d->op->activate(d, &(struct device_activate){ .y = x.at[1], .ld = cols, .n = 3,
		    .width = cols, .next = &w });
	d->op->multiply(d, &(struct device_product){ .w = &w, .x = x.at[1], .ldx = cols, .n = 3,
	    .y = y.at[1], .ldy = 1 }, 1, false);
	for (int i = 0; i < 2; i++) {
		must(d->op->read(d, got, (unsigned char *)(i ? g->codes2 : g->codes) + 3 * cols,
		    sizeof got, &e) == 0);
		for (size_t k = 0; k < sizeof got; k++)
			bad += got[k] != mark[k];
	}
	drop(&x);
	drop(&y);
	return bad;
}

static void
edges(void)
{
	static const size_t cols[] = { 32, 96, 224, 288, 544, 1056, 2080 };
	size_t bad = 0;

	for (size_t i = 0; dev[1]->op == &gpu_ops && i < sizeof cols / sizeof *cols; i++)
		for (int how = 0; how < 3; how++)
			bad += behind(cols[i], how);
	verdict("codes stay in their columns", bad);
}

static void
elements(void)
{
	size_t bad[3] = { 0 };

	for (int r = 0; r < rounds; r++) {
		size_t heads = 1 + below(5), hd = 1 + below(130), n = 1 + below(7), w = heads * hd;
		size_t ld = 2 * w + below(3);
		struct both x = some(n * ld, below(7)), g = some(n * ld, below(7));

		for (int i = 0; i < 2; i++)
			dev[i]->op->gate(dev[i], &(struct device_gate){ .y = x.at[i],
			    .gate = g.at[i] + hd, .ldy = ld, .ldg = ld, .n = n, .heads = heads,
			    .head_dim = hd, .step = hd });
		bad[0] += differ(&x, "gate");
		for (int i = 0; i < 2; i++)
			dev[i]->op->activate(dev[i], &(struct device_activate){ .y = x.at[i],
			    .gate = r % 3 ? g.at[i] : NULL, .ld = ld, .n = n, .width = w,
			    .curve = r % 2 ? KERNEL_GELU : KERNEL_SILU });
		bad[1] += differ(&x, "activate");
		for (int i = 0; i < 2; i++)
			dev[i]->op->add(dev[i], x.at[i], ld, g.at[i], ld, r % 2 ? 1 : 0.22f, w, n);
		bad[2] += differ(&x, "add");
		drop(&x);
		drop(&g);
	}
	verdict("gate", bad[0]);
	verdict("activate", bad[1]);
	verdict("add", bad[2]);
}

static void
columns(void)
{
	size_t bad = 0;

	for (int r = 0; r < rounds; r++) {
		size_t n = 1 + below(9), w = 1 + below(200), ld = w + below(3);
		struct both x = some(n * ld, 0), y = some(n * ld, 0);
		struct both from;
		uint32_t list[9];
		size_t m = 0;

		for (uint32_t i = 0; i < n; i++)
			if (below(3))
				list[m++] = i;
		if (m == 0)
			list[m++] = 0;
		from = both((float *)list, m);
		EACH(gather, &(struct device_gather){ .y = r % 2 ? x.at[i] : y.at[i], .x = x.at[i],
		    .ldy = ld, .ldx = ld, .n = m, .width = w, .from = (uint32_t *)from.at[i] });
		bad += differ(r % 2 ? &x : &y, "gather");
		drop(&from);
		EACH(zero, y.at[i], w / 2 * 4, n, ld * 4);
		bad += differ(&y, "zero");
		EACH(copy, y.at[i], x.at[i] + 1, (n * ld - 1) * 4);
		bad += differ(&y, "copy");
		drop(&x);
		drop(&y);
	}
	verdict("gather, zero, copy", bad);
}

/* Several sequences' tokens, some to a batch, until a context is half full. */
static void
attention(const struct type *t, uint32_t window, float cap)
{
	static struct device_at at[64];
	size_t n_kv = 1 + below(2), per = 1 + below(4), hd = t == &type_f16 ? 1 + below(130) : 64;
	size_t bytes = t == &type_f32 ? hd * 4 : t == &type_f16 ? hd * 2 : hd / 32 * 34;
	size_t all = SEQS * n_kv * CONTEXT * bytes / 4 + 1, step = hd + below(2) * hd, bad = 0;
	size_t ld = n_kv * per * step + 2 * n_kv * hd + below(3);
	size_t half = below(3) * (hd / 4), ldt = half + below(2);
	const float *qw = below(2) ? vector(hd) : NULL, *kw = below(2) ? vector(hd) : NULL;
	uint32_t len[SEQS] = { 0 };
	struct both k = some(all, 0), v = some(all, 0);
	char what[64];

	for (int r = 0; r < 24; r++) {
		size_t n = 1 + below(r % 4 ? 48 : 3);
		struct both q, x, cs, sn, out;

		for (size_t i = 0; i < n; i++) {
			uint32_t s = (uint32_t)below(r % 3 ? 1 : SEQS);

			at[i] = (struct device_at){ s, len[s]++ };
		}
		/* Tokens of one sequence follow one another. */
		for (size_t i = 1; i < n; i++)
			for (size_t j = i; j > 0 && at[j].seq < at[j - 1].seq; j--) {
				struct device_at swap = at[j];

				at[j] = at[j - 1];
				at[j - 1] = swap;
			}
		q = some(n * ld, below(4) == 3 ? 6 : 0);
		x = some(n * ld, 0);
		cs = some(n * ldt + 1, 0);
		sn = some(n * ldt + 1, 0);
		out = some(n * ld, 0);
		for (int i = 0; i < 2; i++) {
			struct device_cache c = { (unsigned char *)k.at[i], (unsigned char *)v.at[i],
			    t, n_kv, CONTEXT, hd, bytes };

			dev[i]->op->batch(dev[i], at, n);
			dev[i]->op->remember(dev[i], &(struct device_remember){ .c = c, .q = q.at[i],
			    .k = x.at[i], .v = x.at[i] + n_kv * hd, .ld = ld,
			    .n_head = n_kv * per, .step = step, .q_norm = qw, .k_norm = kw,
			    .eps = 1e-6f, .turn = { .half = half, .cos = cs.at[i], .sin = sn.at[i],
			    .ldt = ldt, .adjacent = r % 2 } });
			dev[i]->op->attend(dev[i], &(struct device_attend){ .c = c, .q = q.at[i],
			    .out = out.at[i], .ldq = ld, .ldo = ld, .step = step, .n_head = n_kv * per,
			    .window = window, .scale = 0.3f, .cap = cap });
		}
		bad += differ(&q, "queries") + differ(&x, "heads") + differ(&out, "attend");
		drop(&q);
		drop(&x);
		drop(&cs);
		drop(&sn);
		drop(&out);
	}
	bad += differ(&k, "keys");
	bad += differ(&v, "values");
	drop(&k);
	drop(&v);
	snprintf(what, sizeof what, "attention, %s, window %u, cap %g", t->name, window, (double)cap);
	verdict(what, bad);
}

/* Keys and values of all sequences to the end, made by the CPU. */
static void
remember(const struct device_cache *c, struct both *k, struct both *v, size_t bytes)
{
	size_t row = c->n_kv * c->head_dim;
	unsigned char *p = memory(bytes);
	struct both x = some(2 * 64 * row, 0);

	for (uint32_t i = 0; i < SEQS * CONTEXT; i += 50) {
		static struct device_at at[50];
		struct device_cache here = *c;

		for (uint32_t j = 0; j < 50; j++)
			at[j] = (struct device_at){ (i + j) / CONTEXT, (i + j) % CONTEXT };
		here.k = (unsigned char *)k->at[0];
		here.v = (unsigned char *)v->at[0];
		dev[0]->op->batch(dev[0], at, 50);
		dev[0]->op->remember(dev[0], &(struct device_remember){ .c = here,
		    .q = x.at[0], .k = x.at[0] + i % 700 / 50 * row, .v = x.at[0] + 64 * row + i % 350 / 50, .ld = row });
	}
	for (int i = 0; i < 2; i++) {
		struct both *b = i ? v : k;

		must(dev[0]->op->read(dev[0], p, b->at[0], bytes, &e) == 0);
		dev[1]->op->write(dev[1], b->at[1], p, bytes);
	}
	free(p);
	drop(&x);
}

/* A batch that begins there and has n columns of each of so many sequences. */
static size_t
look(const struct device_attend *o, const struct both *k, const struct both *v, uint32_t pos,
    uint32_t n, uint32_t sequences)
{
	static struct device_at at[80];
	struct both q = some(n * sequences * o->ldq, 0), out = some(n * sequences * o->ldo, 0);
	char what[96];
	size_t bad;

	for (uint32_t i = 0; i < n * sequences; i++)
		at[i] = (struct device_at){ i / n, pos + i % n - i / n * 100 % (pos + 1) };
	for (int i = 0; i < 2; i++) {
		struct device_attend a = *o;

		a.c.k = (unsigned char *)k->at[i];
		a.c.v = (unsigned char *)v->at[i];
		a.q = q.at[i];
		a.out = out.at[i];
		dev[i]->op->batch(dev[i], at, n * sequences);
		dev[i]->op->attend(dev[i], &a);
	}
	snprintf(what, sizeof what, "%u times %u of head_dim %zu, %zu heads to %zu, at %u, window %u",
	    sequences, n, o->c.head_dim, o->n_head, o->c.n_kv, pos, o->window);
	bad = differ(&out, what);
	drop(&q);
	drop(&out);
	return bad;
}

/* Blocks of keys, their begins and ends; windows that begin in one and end in
 * another; as many heads as share keys, or do not fit at once; few columns and
 * many, of one sequence and of several. */
static void
blocks(const struct type *t)
{
	static const struct { size_t hd, n_kv, per; } shapes[] = {
		{ 128, 1, 4 }, { 64, 2, 1 }, { 96, 1, 7 }, { 256, 1, 8 }, { 32, 1, 20 }, { 160, 2, 2 },
		{ 32, 2, 2 }
	};
	static const uint32_t places[] = { 0, 255, 256, 257, 512, 699 };
	size_t bad = 0;
	char what[64];

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		size_t hd = shapes[i].hd, n_kv = shapes[i].n_kv, head = hd / t->block * t->bytes;
		size_t bytes = SEQS * n_kv * CONTEXT * head;
		struct both k = some((bytes + 3) / 4, 0), v = some((bytes + 3) / 4, 0);
		struct device_attend o = { .c = { .type = t, .n_kv = n_kv, .n_ctx = CONTEXT,
		    .head_dim = hd, .head_bytes = head }, .n_head = n_kv * shapes[i].per,
		    .step = hd + i % 2 * 4, .scale = 0.1f, .cap = i % 3 == 1 ? 5 : 0 };

		o.ldq = o.n_head * o.step;
		o.ldo = o.n_head * hd + i % 2;
		remember(&o.c, &k, &v, bytes);
		for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
			o.window = j % 3 == 1 ? 37 : j % 3 == 2 ? 300 : 0;
			bad += look(&o, &k, &v, places[(i + j) % 6], 1, 1);
		}
		for (int w = 0; w < 3; w++) {
			o.window = w == 1 ? 20 : w == 2 ? 257 : 0;
			bad += look(&o, &k, &v, w == 1 ? 510 : 253, 5, 1);
			bad += look(&o, &k, &v, 512, 1, SEQS);
			bad += look(&o, &k, &v, 254, w == 2 ? 6 : 3, SEQS);
			if (hd > 32 || shapes[i].per > 2)
				continue;
			bad += look(&o, &k, &v, 630, 66, 1);
			bad += look(&o, &k, &v, 230, 23, SEQS);
		}
		drop(&k);
		drop(&v);
	}
	snprintf(what, sizeof what, "attention by blocks, %s", t->name);
	verdict(what, bad);
}

static void
delta(bool mod)
{
	static struct device_at at[16];
	size_t nk = 1 + below(3), nv = nk * (1 + below(3)), dk = 1 + below(70), dv = 1 + below(70);
	size_t conv = 1 + below(5), channels = 2 * nk * dk + nv * dv, ld = channels + 2 * nv, bad = 0;
	const float *filter = vector(channels * conv), *rate = vector(nv), *bias = vector(nv);
	struct both past = some(SEQS * conv * channels, 0), held = some(SEQS * nv * dk * dv, 0);

	for (int r = 0; r < rounds; r++) {
		size_t n = 1 + below(16);
		struct both x = some(n * ld, 0), g = some(n * ld, 0), out = some(n * ld, 0);

		for (size_t i = 0; i < n; i++)
			at[i] = (struct device_at){ (uint32_t)(i * SEQS / n), (uint32_t)i };
		for (int i = 0; i < 2; i++) {
			dev[i]->op->batch(dev[i], at, n);
			dev[i]->op->delta(dev[i], &(struct device_delta){ .x = x.at[i], .ld = ld, .n = n,
			    .n_conv = conv, .nk = nk, .nv = nv, .dk = dk, .dv = dv, .filter = filter,
			    .past = past.at[i], .state = held.at[i], .gates = g.at[i], .rate = rate,
			    .bias = bias, .out = out.at[i], .ldg = ld, .ldo = ld, .mod = mod });
		}
		bad += differ(&out, "delta") + differ(&x, "convolution");
		drop(&x);
		drop(&g);
		drop(&out);
	}
	bad += differ(&held, "state") + differ(&past, "past");
	drop(&past);
	drop(&held);
	verdict(mod ? "Gated DeltaNet, heads in turn" : "Gated DeltaNet", bad);
}

/* Logits with ties, gaps and many that count for nothing; rows that each want
 * something else. */
static size_t
tokens(size_t n, size_t rows)
{
	struct device_choice c[2][4];
	struct device_mark mark[2][4][20];
	struct device_chosen got[2][4] = { 0 };
	float *x = memory(n * rows * sizeof *x), wide = (float)below(30);
	struct both l;
	size_t bad = 0;

	for (size_t i = 0; i < n * rows; i++)
		x[i] = below(3) ? (float)normal() * wide : (float)below(8) - 4;
	if (below(8) == 0)
		x[below(n * rows)] = below(2) ? INFINITY : NAN;
	for (size_t r = 0; r < rows; r++) {
		struct device_choice *o = &c[0][r];

		*o = (struct device_choice){ .temperature = below(4) ? 0.2f + (float)below(30) / 10 : 0,
		    .top_k = below(2) ? (uint32_t)below(n < 60 ? n + 2 : 60) : 0,
		    .top_p = below(2) ? 1 : (float)below(1001) / 1000,
		    .typical = below(3) ? 1 : (float)below(1001) / 1000,
		    .min_p = below(3) ? 0 : (float)below(300) / 1000,
		    .repetition = below(2) ? 1 : 1.3f, .presence = below(2) ? 0 : 0.7f,
		    .frequency = below(2) ? 0 : 0.3f, .random = next(), .logprob = below(2),
		    .mark = mark[0][r], .nmark = below(3) ? 0 : below(n < 20 ? n : 21) };
		for (size_t i = 0; i < o->nmark; i++)
			mark[0][r][i] = (struct device_mark){ (uint32_t)i * (uint32_t)(n / (o->nmark + 1)),
			    below(2) ? 0 : (float)normal() * 9, (uint32_t)below(3), (uint32_t)below(3) };
		c[1][r] = *o;
		c[1][r].mark = memcpy(mark[1][r], mark[0][r], sizeof *mark[0]);
	}
	l = both(x, n * rows);
	for (int i = 0; i < 2; i++)
		must(dev[i]->op->sample(dev[i], &(struct device_sample){ .logits = l.at[i], .n = rows,
		    .n_vocab = n, .scale = n % 2 ? 1 : 2.5f, .cap = n % 3 ? 0 : 30, .choice = c[i] },
		    got[i], &e) == 0);
	for (size_t r = 0; r < rows; r++)
		if (got[0][r].id != got[1][r].id || (memcmp(&got[0][r].logprob, &got[1][r].logprob, 4) &&
		    !(isnan(got[0][r].logprob) && isnan(got[1][r].logprob)))) {
			printf("# of %zu tokens %d (%a), not %d (%a)\n", n, (int)got[1][r].id,
			    (double)got[1][r].logprob, (int)got[0][r].id, (double)got[0][r].logprob);
			bad++;
		}
	drop(&l);
	free(x);
	return bad;
}

static void
sampling(void)
{
	size_t bad = 0;

	for (int r = 0; r < 4 * rounds; r++)
		bad += tokens(1 + below(r % 3 ? 400 : 5000), 1 + below(4));
	verdict("tokens from logits", bad);
}

/* A router's numbers for n columns: any, few different ones, far apart, none. */
static struct both
router(size_t n, size_t experts)
{
	float *x = memory(n * experts * sizeof *x);
	struct both b;

	for (size_t c = 0; c < n; c++) {
		size_t how = below(6);

		fill(x + c * experts, experts, how == 5 ? 6 : 0);
		for (size_t i = 0; i < experts; i++)
			if (how == 0 || (how == 1 && below(2)))
				x[c * experts + i] = (float)below(3) - 1;
			else if (how == 2)
				x[c * experts + i] *= 300;
	}
	b = both(x, n * experts);
	free(x);
	return b;
}

static void
routes(void)
{
	size_t bad = 0;

	for (int r = 0; r < 4 * rounds; r++) {
		size_t experts = r % 3 ? 1 + below(r % 3 == 1 ? 130 : 1024) : 128;
		size_t used = r % 3 ? 1 + below(r % 5 ? experts : experts < 9 ? experts : 9) : 8;
		size_t n = 1 + below(9);
		struct both p = router(n, experts), x = some(n * used, 0), w = some(n * used, 0);

		EACH(route, &(struct device_route){ .p = p.at[i], .n = n, .n_expert = experts,
		    .n_used = used, .norm = r % 2, .expert = (uint32_t *)x.at[i],
		    .weight = w.at[i] });
		bad += differ(&x, "expert") + differ(&w, "weight");
		drop(&p);
		drop(&x);
		drop(&w);
	}
	verdict("route", bad);
}

/* n matrices, of one tensor or of their own. */
static void
matrices(struct mat *m, size_t n, const struct type *t, const unsigned char *p, size_t rows,
    size_t cols, bool fine, bool apart)
{
	size_t stride = (cols + t->block - 1) / t->block * t->bytes, bytes = rows * stride;
	const void *own[16];

	m[0] = (struct mat){ .type = t, .data = p + below(20) * t->bytes, .rows = n * rows,
	    .cols = cols, .stride = stride, .scale = 0.02f };
	m[0].fine = fine && mat_packed(m, false);
	for (size_t i = n; i-- > 0; ) {
		m[i] = mat_slice(m, i * rows, rows);
		if (!apart)
			continue;
		own[i] = memcpy(name(bytes), (const unsigned char *)m[0].data + i * bytes, bytes);
		m[i].data = own[i];
	}
	for (int i = 0; apart && i < 2; i++) {
		must(dev[i]->op->place_all(dev[i], own, n, bytes, &e) == 0);
		for (size_t k = 0; k < n; k++)
			place(dev[i], own[k], bytes);
	}
}

/* Columns of whole blocks or not; so few that all experts are rather full, or
 * so many that some have none; now and then more than a segment. */
static size_t
mixture(const struct type *t, const unsigned char *p, int r)
{
	struct mat gate[16], up[16], down[16];
	size_t inner = 1 + below(90), outer = 1 + below(70);
	size_t n_expert = 1 + below(below(3) ? 16 : 2), used, n, bad, ldx, ldy, zeros;
	bool apart = below(4) == 0, fine = r % 2;
	struct both p0, x, y, expert, weight;
	const float none[2] = { 0, 0 };

	if (t->block > 1 && r % 4 != 3) {
		size_t many = t->block < 256 ? 9 : 2;

		inner = t->block * (1 + below(many));
		outer = t->block * (1 + below(many));
		if (r % 4 == 1) {
			inner = INNER;
			outer = t->block;
		}
		while (n_expert > 1 && n_expert * inner * outer > POOL)
			n_expert /= 2;
	}
	used = 1 + below(n_expert < 8 ? n_expert : 8);
	n = r % 3 == 0 ? 1 : r % 3 == 1 ? 2 + below(30) : 1 + below(COLUMNS);
	ldx = outer + below(3);
	ldy = outer + below(3);
	zeros = n * used > 1 && below(2) ? 8 : 4;
	p0 = router(n, n_expert);
	x = some(n * ldx, below(6));
	y = some(n * ldy, 0);
	expert = some(n * used, 0);
	weight = some(n * used, 0);
	matrices(gate, n_expert, t, p, inner, outer, fine, apart);
	matrices(up, n_expert, t, p, inner, outer, fine, apart);
	matrices(down, n_expert, t, p, outer, inner, fine, apart);
	EACH(route, &(struct device_route){ .p = p0.at[i], .n = n, .n_expert = n_expert,
	    .n_used = used, .norm = true, .expert = (uint32_t *)expert.at[i],
	    .weight = weight.at[i] });
	/* Some that do not count, and sometimes none that does. */
	EACH(write, weight.at[i] + (n * used - zeros / 4) / 2, none, zeros);
	for (int i = 0; i < 2; i++)
		dev[i]->op->experts(dev[i], &(struct device_experts){ .gate = gate, .up = up,
		    .down = down, .n = n, .n_expert = n_expert, .n_used = used,
		    .expert = (const uint32_t *)expert.at[i], .weight = weight.at[i], .x = x.at[i],
		    .ldx = ldx, .y = y.at[i], .ldy = ldy,
		    .curve = r % 5 ? KERNEL_SILU : KERNEL_GELU });
	bad = differ(&y, t->name);
	drop(&p0);
	drop(&x);
	drop(&y);
	drop(&expert);
	drop(&weight);
	return bad;
}

static void
mixtures(void)
{
	/* Those that CUDA has products of its own for, and others. */
	const struct type *list[] = { type_by_ggml(2), type_by_ggml(8), type_by_ggml(20),
	    type_by_ggml(11), type_by_ggml(12), type_by_ggml(13), type_by_ggml(14),
	    type_by_ggml(23), &type_f32, &type_f16, type_by_ggml(10), type_by_ggml(18) };

	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		/* What is no number in one of three products is none anywhere. */
		const unsigned char *p = bytes_of(list[i], 0);
		char what[64];
		size_t bad = 0;

		for (int r = 0; r < rounds; r++)
			bad += mixture(list[i], p, r);
		snprintf(what, sizeof what, "experts, %s", list[i]->name);
		verdict(what, bad);
	}
}

/* What was not given to the device is an error that is kept, and no crash. */
static void
strangers(const char *kind)
{
	struct device *d;
	float here[4], back[4];

	must((d = device_open(kind, 1, &e)));
	d->op->add(d, here, 4, here, 4, 1, 4, 1);
	verdict("memory that is not its own", d->op->read(d, back, here, sizeof back, &e) == 0);
	device_close(d);
}

static void
attentions(void)
{
	static const float caps[] = { 0, 5 };
	const struct type *kv[] = { &type_f16, &type_f32, type_by_ggml(8) };

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 2; j++)
			attention(kv[i], j ? 37 : 0, caps[(i + j) % 2]);
}

static void
by_blocks(void)
{
	const struct type *kv[] = { &type_f16, &type_f32, type_by_ggml(8) };

	for (int i = 0; i < 3; i++)
		blocks(kv[i]);
}

static void
deltas(void)
{
	delta(false);
	delta(true);
}

static const struct {
	const char	*name;
	void		(*run)(void);
} parts[] = {
	{ "products", products }, { "norms", norms }, { "followed", followed },
	{ "edges", edges },
	{ "several", several }, { "elements", elements }, { "columns", columns },
	{ "routes", routes }, { "mixtures", mixtures }, { "attention", attentions },
	{ "blocks", by_blocks }, { "delta", deltas }, { "sampling", sampling },
};

static void *
everything(void *only)
{
	if (alone)
		one_product(alone, alone_columns);
	for (size_t i = 0; !alone && i < sizeof parts / sizeof *parts; i++)
		if (!only || !strcmp(only, parts[i].name))
			parts[i].run();
	return NULL;
}

int
main(int argc, char **argv)
{
	/* Fewer heads and keys than there are: their blocks go in parts. */
	const struct device_need need = { .cols = 9216, .fine = 9216, .n = COLUMNS, .experts = 1024,
	    .used = 8, .inner = INNER, .outer = 512, .head_dim = 256, .n_head = 1, .n_ctx = 257 };
	pthread_t thread;
	char *only = NULL;

	if (argc < 2) {
		fputs("usage: device KIND [--rounds N] [--seed N] [--only PART]\n"
		    "       device KIND --product TYPE [--columns N]\n", stderr);
		return 2;
	}
	for (int i = 2; i + 1 < argc; i += 2)
		if (!strcmp(argv[i], "--rounds"))
			rounds = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--only"))
			only = argv[i + 1];
		else if (!strcmp(argv[i], "--product"))
			alone = argv[i + 1];
		else if (!strcmp(argv[i], "--columns"))
			alone_columns = strtoul(argv[i + 1], NULL, 10);
		else
			state = strtoull(argv[i + 1], NULL, 10);
	must((dev[0] = device_open("cpu", 2, &e)));
	must((dev[1] = device_open(argv[1], 2, &e)));
	for (int i = 0; i < 2; i++)
		must(dev[i]->op->reserve(dev[i], &need, &e) == 0);
	/* A device is used by one thread at a time, whichever that is. */
	err_set(&e, "no thread");
	must(pthread_create(&thread, NULL, everything, only) == 0);
	pthread_join(thread, NULL);
	device_close(dev[0]);
	device_close(dev[1]);
	forget();
	strangers(argv[1]);
	printf("1..%d\n", tests);
	return failed > 0;
}
