/* SPDX-License-Identifier: MIT */
/* gpu.c -- the operations, as kernels in one queue. */
#include <stdlib.h>
#include <string.h>

#include "gpu.h"

static struct gpu *
of(struct device *d)
{
	return (struct gpu *)d;
}

void
gpu_fail(struct gpu *g, const char *what, const char *why)
{
	if (!why || g->failed)
		return;
	err_set(&g->first, "%s: %s: %s", g->name, what, why);
	g->failed = true;
}

#define ITEMS(a, b, c)	((size_t[]){ a, b, c })
#define P(p)		((const void *)(p))
#define U(v)		((unsigned)(v))

static size_t
groups(size_t cols, size_t n)
{
	return n * ((cols + DOT_GROUP - 1) / DOT_GROUP);
}

/* What reserve() takes: the bytes of each piece. */
enum { PIECES = 6 + GPU_MIXTURE };

static void
pieces(const struct gpu *g, const struct device_need *n, size_t bytes[PIECES])
{
	size_t all = groups(n->cols, n->n), fine = groups(n->fine, n->n);
	size_t inner = groups(n->inner, n->n * n->used);

	all = all > inner ? all : inner;
	if (fine > 0)
		fine = fine > inner ? fine : inner;
	memcpy(bytes, (size_t[]){ n->n * 8, all * 32, all * 16, fine * 32, fine * 16,
	    g->driver->attend_bytes ? g->driver->attend_bytes(n) : 0 }, 6 * sizeof *bytes);
	gpu_experts_pieces(n, bytes + 6);
}

/* Points of codebooks, each list once. */
static uint64_t
grids(uint64_t set)
{
	const uint16_t *seen[64];
	uint64_t bytes = 0;
	size_t n = 0, points;

	for (int i = 0; i < 64; i++) {
		const struct type *t = set >> i & 1 ? type_by_ggml((unsigned)i) : NULL;
		const uint16_t *grid = t ? gpu_type_grid(t, &points) : NULL;
		size_t k = 0;

		while (k < n && seen[k] != grid)
			k++;
		if (!grid || k < n)
			continue;
		seen[n++] = grid;
		bytes += gpu_takes(points * sizeof *grid);
	}
	return bytes;
}

static uint64_t
scratch(const struct device *d, const struct device_need *n)
{
	uint64_t all = grids(n->types) + (n->result ? gpu_takes(n->result) : 0) +
	    gpu_sample_bytes(n->rows, n->vocab);
	size_t bytes[PIECES];

	pieces((const struct gpu *)d, n, bytes);
	for (int i = 0; i < PIECES; i++)
		all += bytes[i] ? gpu_takes(bytes[i]) : 0;
	return all;
}

static void *
result(struct device *d, void *host, size_t bytes, struct err *e)
{
	struct gpu *g = of(d);

	(void)host;
	if (bytes > g->result_bytes) {
		if (g->result)
			gpu_free(d, g->result);
		g->result_bytes = 0;
		if ((g->result = gpu_alloc(d, bytes, e)))
			g->result_bytes = bytes;
	}
	return g->result;
}

static int
reserve(struct device *d, const struct device_need *n, struct err *e)
{
	struct gpu *g = of(d);
	struct device_need all = device_need_both(n, &g->need);
	void **to[PIECES] = { &g->at, &g->codes, &g->scales, &g->codes2, &g->scales2,
	    &g->parts };
	size_t bytes[PIECES];

	for (int i = 0; i < GPU_MIXTURE; i++)
		to[6 + i] = &g->mixture[i];
	for (int i = 0; i < PIECES; i++) {
		if (*to[i])
			gpu_free(d, *to[i]);
		*to[i] = NULL;
	}
	g->coded.x = NULL;
	g->need = all;
	pieces(g, &all, bytes);
	for (int i = 0; i < PIECES; i++)
		if (bytes[i] && !(*to[i] = gpu_alloc(d, bytes[i], e)))
			return -1;
	for (int i = 0; i < 64; i++)
		if (all.types >> i & 1 && gpu_grid(g, type_by_ggml((unsigned)i), e) < 0)
			return -1;
	if (all.rows && gpu_sample_reserve(g, all.rows, all.vocab, e) < 0)
		return -1;
	return all.result && !result(d, NULL, all.result, e) ? -1 : 0;
}

static void
gpu_close(struct device *d)
{
	struct gpu *g = of(d);

	gpu_memory_release(g);
	g->driver->close(g);
}

static void
zero(struct device *d, void *p, size_t bytes, size_t n, size_t ld)
{
	gpu_run(of(d), K_ZERO, NULL, ITEMS(bytes / 4, n, 1), 64, "pzz", P(p), ld / 4,
	    bytes / 4);
}

static void
batch(struct device *d, const struct device_at *at, size_t n)
{
	struct gpu *g = of(d);

	g->columns = n;
	g->runs = 1;
	for (size_t i = 1; i < n; i++)
		g->runs += at[i].seq != at[i - 1].seq;
	gpu_write(d, g->at, at, n * sizeof *at);
}

/* Codes of what comes next, for a kernel that makes them too. */
struct codes {
	const void	*q, *s, *q2, *s2;
	unsigned	 groups;
};

static struct codes
codes(const struct gpu *g, const struct mat *next, size_t width)
{
	size_t n;

	if (!gpu_coded(next, &n) || next->cols != width)
		return (struct codes){ 0 };
	return (struct codes){ g->codes, g->scales, next->fine ? g->codes2 : NULL,
	    next->fine ? g->scales2 : NULL, U(n) };
}

static void
coded(struct gpu *g, const struct codes *c, const struct mat *next, const float *x, size_t ld,
    size_t n)
{
	if (c->groups > 0)
		g->coded = (struct gpu_coded){ x, ld, n, next->cols, next->fine };
}

static void
norm(struct device *d, const struct device_norm *o)
{
	struct gpu *g = of(d);
	const struct mat *next = o->width == o->len ? o->next : NULL;
	size_t group = o->len < 1024 ? 64 : 256;
	struct codes c = codes(g, next, o->width);

	gpu_run(g, K_NORM, NULL, ITEMS(o->width / o->len * group, o->n, 1), group,
	    "ppppuuufupufppppu", P(o->w), P(o->bias), P(o->x), P(o->y), U(o->ldx), U(o->ldy),
	    U(o->len), (double)o->eps, U(o->centered), P(o->more), U(o->ldm), (double)o->by,
	    c.q, c.s, c.q2, c.s2, c.groups);
	coded(g, &c, next, o->y, o->ldy, o->n);
}

/* As attend.cl counts them. */
static unsigned
kind(const struct type *t)
{
	return t == &type_f16 ? 0 : t == &type_f32 ? 1 : 2;
}

static void
remember(struct device *d, const struct device_remember *o)
{
	struct gpu *g = of(d);
	const struct device_cache *c = &o->c;
	const struct device_rope *r = &o->turn;

	gpu_run(g, K_REMEMBER, NULL, ITEMS((o->n_head + 2 * c->n_kv) * 64, g->columns, 1), 64,
	    "ppppppuuuuuuuuppfuppuu", P(o->q), P(o->k), P(o->v), P(c->k), P(c->v), P(g->at),
	    U(o->ld), U(o->n_head), U(o->step), kind(c->type), U(c->n_kv), U(c->n_ctx),
	    U(c->head_dim), U(c->head_bytes), P(o->q_norm), P(o->k_norm), (double)o->eps,
	    U(r->half), P(r->half ? r->cos : NULL), P(r->half ? r->sin : NULL), U(r->ldt),
	    U(r->adjacent));
}

static void
attend(struct device *d, const struct device_attend *o)
{
	struct gpu *c = of(d);
	const struct device_cache *k = &o->c;

	gpu_run(c, K_ATTEND, NULL, ITEMS(o->n_head * 64, c->columns, 1), 64,
	    "pppppuuuuuuuuuuff", P(k->k), P(k->v), P(o->q), P(o->out), P(c->at), U(o->ldq),
	    U(o->ldo), U(o->step), U(o->n_head / k->n_kv), kind(k->type), U(k->n_kv), U(k->n_ctx),
	    U(k->head_dim), U(k->head_bytes), U(o->window), (double)o->scale, (double)o->cap);
}

static void
gate(struct device *d, const struct device_gate *o)
{
	gpu_run(of(d), K_GATE, NULL, ITEMS(o->head_dim, o->heads, o->n), 32, "ppuuuu",
	    P(o->y), P(o->gate), U(o->ldy), U(o->ldg), U(o->head_dim), U(o->step));
}

static void
activate(struct device *d, const struct device_activate *o)
{
	struct gpu *g = of(d);
	struct codes c = codes(g, o->next, o->width);

	/* A mixture's columns are more than a second dimension takes. */
	gpu_run(g, K_ACTIVATE, NULL, ITEMS((o->width + 31) / 32 * 8 * o->n, 1, 1), 64,
	    "ppuuuppppuu", P(o->y), P(o->gate), U(o->ld), U(o->width), U(o->curve == KERNEL_GELU),
	    c.q, c.s, c.q2, c.s2, c.groups, U(o->n));
	coded(g, &c, o->next, o->y, o->ld, o->n);
}

static void
add(struct device *d, float *y, size_t ldy, const float *x, size_t ldx, float by, size_t width,
    size_t n)
{
	gpu_run(of(d), K_ADD, NULL, ITEMS(width, n, 1), 64, "pupufu", P(y), U(ldy),
	    P(x), U(ldx), (double)by, U(width));
}

static void
gather(struct device *d, const struct device_gather *o)
{
	struct gpu *c = of(d);

	gpu_run(c, K_GATHER, NULL, ITEMS(o->width, 1, 1), 64, "pppuuuu", P(o->y), P(o->x),
	    P(o->from), U(o->ldy), U(o->ldx), U(o->n), U(o->width));
}

static void
delta(struct device *d, const struct device_delta *o)
{
	struct gpu *c = of(d);
	size_t channels = 2 * o->nk * o->dk + o->nv * o->dv;

	gpu_run(c, K_CONVOLVE, NULL, ITEMS(channels, 1, 1), 64, "ppppuuuu", P(o->x),
	    P(o->filter), P(o->past), P(c->at), U(o->ld), U(o->n), U(o->n_conv), U(channels));
	gpu_run(c, K_UNIT, NULL, ITEMS(2 * o->nk * 16, o->n, 1), 16, "puuu", P(o->x),
	    U(o->ld), U(o->nk), U(o->dk));
	gpu_run(c, K_RECUR, NULL, ITEMS(o->dv, o->nv, 1), 32, "pppppppuuuuuuuuu", P(o->x),
	    P(o->state), P(o->gates), P(o->rate), P(o->bias), P(o->out), P(c->at), U(o->ld),
	    U(o->ldg), U(o->ldo), U(o->n), U(o->nk), U(o->nv), U(o->dk), U(o->dv), U(o->mod));
}

const struct device_ops gpu_ops = {
	.close = gpu_close, .room = gpu_room, .scratch = scratch, .reserve = reserve,
	.alloc = gpu_alloc, .free = gpu_free, .place = gpu_place, .place_all = gpu_place_all,
	.lacks = gpu_lacks, .lacks_experts = gpu_lacks_experts,
	.stage = gpu_stage, .send = gpu_send, .wait = gpu_wait,
	.write = gpu_write, .read = gpu_read, .result = result, .copy = gpu_copy,
	.zero = zero, .batch = batch, .embed = gpu_embed, .multiply = gpu_multiply, .norm = norm,
	.remember = remember, .attend = attend, .gate = gate,
	.activate = activate, .add = add, .gather = gather, .route = gpu_route,
	.experts = gpu_experts, .delta = delta, .choices = gpu_choices, .sample = gpu_sample,
};
