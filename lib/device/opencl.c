/* SPDX-License-Identifier: MIT */
/* opencl.c -- the operations, as kernels in one queue. */
#include <stdlib.h>
#include <string.h>

#include "opencl.h"

static struct opencl *
of(struct device *d)
{
	return (struct opencl *)d;
}

void
opencl_fail(struct opencl *o, const char *what, cl_status s)
{
	if (s == 0 || o->failed)
		return;
	err_set(&o->first, "%s: %s: %s", o->choice.name, what, opencl_status(s));
	o->failed = true;
}

#define ITEMS(a, b, c)	((size_t[]){ a, b, c })
#define P(p)		((const void *)(p))
#define U(v)		((unsigned)(v))

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t
groups(const struct device_need *n)
{
	return n->n * ((n->cols + DOT_GROUP - 1) / DOT_GROUP);
}

static uint64_t
scratch(const struct device *d, const struct device_need *n)
{
	(void)d;
	return (uint64_t)groups(n) * 48 + (uint64_t)n->n * 16;
}

static uint64_t
memory(const struct device *d)
{
	return ((const struct opencl *)d)->choice.memory;
}

static int
reserve(struct device *d, const struct device_need *n, struct err *e)
{
	struct opencl *o = of(d);
	struct device_need all = { larger(n->cols, o->need.cols), larger(n->n, o->need.n),
	    larger(n->experts, o->need.experts), larger(n->head_dim, o->need.head_dim) };
	void **old[] = { &o->at, &o->list, &o->weight, &o->codes, &o->scales };

	for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
		if (*old[i])
			opencl_free(d, *old[i]);
		*old[i] = NULL;
	}
	free(o->row);
	o->need = all;
	if (!(o->row = malloc(2 * all.cols * sizeof *o->row)))
		return err_set(e, "out of memory");
	return (o->at = opencl_alloc(d, all.n * 8, e)) &&
	    (o->list = opencl_alloc(d, all.n * 4, e)) &&
	    (o->weight = opencl_alloc(d, all.n * 4, e)) &&
	    (o->codes = opencl_alloc(d, groups(&all) * 32, e)) &&
	    (o->scales = opencl_alloc(d, groups(&all) * 16, e)) ? 0 : -1;
}

static void
opencl_close(struct device *d)
{
	struct opencl *o = of(d);

	if (o->queue)
		o->a->clFinish(o->queue);
	opencl_memory_release(o);
	opencl_kernels_release(o);
	if (o->queue)
		o->a->clReleaseCommandQueue(o->queue);
	if (o->context)
		o->a->clReleaseContext(o->context);
	free(o->row);
	free(o);
}

static void *
result(struct device *d, void *host, size_t bytes, struct err *e)
{
	struct opencl *o = of(d);

	(void)host;
	if (bytes > o->result_bytes) {
		if (o->result)
			opencl_free(d, o->result);
		o->result_bytes = 0;
		if ((o->result = opencl_alloc(d, bytes, e)))
			o->result_bytes = bytes;
	}
	return o->result;
}

static void
zero(struct device *d, void *p, size_t bytes, size_t n, size_t ld)
{
	opencl_run(of(d), of(d)->kernel[K_ZERO], ITEMS(bytes / 4, n, 1), 64, "pzz", P(p), ld / 4,
	    bytes / 4);
}

static void
batch(struct device *d, const struct device_at *at, size_t n)
{
	of(d)->columns = n;
	opencl_write(d, of(d)->at, at, n * sizeof *at);
}

/* Few rows of many: the host looks them up. */
static void
embed(struct device *d, const struct device_embed *o)
{
	struct opencl *c = of(d);
	size_t w = o->w->cols;
	float *x = c->row, *pos = x + w;

	for (size_t i = 0; i < c->columns; i++) {
		mat_row(o->w, (size_t)o->id[i], x);
		if (o->scale != 1)
			for (size_t k = 0; k < w; k++)
				x[k] *= o->scale;
		if (o->pos->data) {
			mat_row(o->pos, o->at[i].pos, pos);
			for (size_t k = 0; k < w; k++)
				x[k] += pos[k];
		}
		opencl_write(d, o->x + i * w, x, w * sizeof *x);
	}
}

static void
norm(struct device *d, const struct device_norm *o)
{
	opencl_run(of(d), of(d)->kernel[K_NORM], ITEMS(o->width / o->len * 64, o->n, 1), 64,
	    "ppppuuufu", P(o->w), P(o->bias), P(o->x), P(o->y), U(o->ldx), U(o->ldy), U(o->len),
	    (double)o->eps, U(o->centered));
}

static void
rope(struct device *d, const struct device_rope *o)
{
	opencl_run(of(d), of(d)->kernel[K_ROPE], ITEMS(o->half, o->heads, o->n), 16, "puuuppuu",
	    P(o->x), U(o->ld), U(o->step), U(o->half), P(o->cos), P(o->sin), U(o->ldt),
	    U(o->adjacent));
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
	struct opencl *c = of(d);
	const struct device_cache *k = &o->c;

	for (int i = 0; i < 2; i++)
		opencl_run(c, c->kernel[K_REMEMBER], ITEMS((k->head_dim + 31) / 32, k->n_kv, c->columns),
		    1, "pppuuuuuu", P(i ? k->v : k->k), P(i ? o->v : o->k), P(c->at), U(o->ld),
		    kind(k->type), U(k->n_kv), U(k->n_ctx), U(k->head_dim), U(k->head_bytes));
}

static void
attend(struct device *d, const struct device_attend *o)
{
	struct opencl *c = of(d);
	const struct device_cache *k = &o->c;

	opencl_run(c, c->kernel[K_ATTEND], ITEMS(o->n_head * 64, c->columns, 1), 64,
	    "pppppuuuuuuuuuuff", P(k->k), P(k->v), P(o->q), P(o->out), P(c->at), U(o->ldq),
	    U(o->ldo), U(o->step), U(o->n_head / k->n_kv), kind(k->type), U(k->n_kv), U(k->n_ctx),
	    U(k->head_dim), U(k->head_bytes), U(o->window), (double)o->scale, (double)o->cap);
}

static void
gate(struct device *d, const struct device_gate *o)
{
	opencl_run(of(d), of(d)->kernel[K_GATE], ITEMS(o->head_dim, o->heads, o->n), 32, "ppuuuu",
	    P(o->y), P(o->gate), U(o->ldy), U(o->ldg), U(o->head_dim), U(o->step));
}

static void
activate(struct device *d, const struct device_activate *o)
{
	opencl_run(of(d), of(d)->kernel[K_ACTIVATE], ITEMS(o->width, o->n, 1), 64, "ppuuu",
	    P(o->y), P(o->gate), U(o->ld), U(o->width), U(o->curve == KERNEL_GELU));
}

static void
add(struct device *d, float *y, size_t ldy, const float *x, size_t ldx, float by, size_t width,
    size_t n)
{
	opencl_run(of(d), of(d)->kernel[K_ADD], ITEMS(width, n, 1), 64, "pupufu", P(y), U(ldy),
	    P(x), U(ldx), (double)by, U(width));
}

static void
gather(struct device *d, const struct device_gather *o)
{
	struct opencl *c = of(d);

	opencl_write(d, c->list, o->from, o->n * sizeof *o->from);
	opencl_run(c, c->kernel[K_GATHER], ITEMS(o->width, 1, 1), 64, "pppuuuu", P(o->y), P(o->x),
	    P(c->list), U(o->ldy), U(o->ldx), U(o->n), U(o->width));
}

static void
scatter(struct device *d, const struct device_scatter *o)
{
	struct opencl *c = of(d);

	opencl_write(d, c->list, o->to, o->n * sizeof *o->to);
	opencl_write(d, c->weight, o->w, o->n * sizeof *o->w);
	opencl_run(c, c->kernel[K_SCATTER], ITEMS(o->width, 1, 1), 64, "ppppuuuu", P(o->y),
	    P(o->x), P(c->list), P(c->weight), U(o->ldy), U(o->ldx), U(o->n), U(o->width));
}

static void
delta(struct device *d, const struct device_delta *o)
{
	struct opencl *c = of(d);
	size_t channels = 2 * o->nk * o->dk + o->nv * o->dv;

	opencl_run(c, c->kernel[K_CONVOLVE], ITEMS(channels, 1, 1), 64, "ppppuuuu", P(o->x),
	    P(o->filter), P(o->past), P(c->at), U(o->ld), U(o->n), U(o->n_conv), U(channels));
	opencl_run(c, c->kernel[K_UNIT], ITEMS(2 * o->nk * 16, o->n, 1), 16, "puuu", P(o->x),
	    U(o->ld), U(o->nk), U(o->dk));
	opencl_run(c, c->kernel[K_RECUR], ITEMS(o->dv, o->nv, 1), 32, "pppppppuuuuuuuuu", P(o->x),
	    P(o->state), P(o->gates), P(o->rate), P(o->bias), P(o->out), P(c->at), U(o->ld),
	    U(o->ldg), U(o->ldo), U(o->n), U(o->nk), U(o->nv), U(o->dk), U(o->dv), U(o->mod));
}

static const struct device_ops ops = {
	.close = opencl_close, .memory = memory, .scratch = scratch, .reserve = reserve,
	.alloc = opencl_alloc, .free = opencl_free, .place = opencl_place, .lacks = opencl_lacks,
	.write = opencl_write, .read = opencl_read, .result = result, .copy = opencl_copy,
	.zero = zero, .batch = batch, .embed = embed, .multiply = opencl_multiply, .norm = norm,
	.rope = rope, .remember = remember, .attend = attend, .gate = gate,
	.activate = activate, .add = add, .gather = gather, .scatter = scatter, .delta = delta,
};

static int
begin(struct opencl *o, struct err *e)
{
	cl_status s = 0;

	if (!(o->a = opencl_api(e)) || opencl_choose(o->a, &o->choice, e) < 0)
		return -1;
	if (!(o->context = o->a->clCreateContext(NULL, 1, &o->choice.device, NULL, NULL, &s)))
		return err_set(e, "%s: a context: %s", o->choice.name, opencl_status(s));
	if (!(o->queue = o->a->clCreateCommandQueue(o->context, o->choice.device, 0, &s)))
		return err_set(e, "%s: a queue: %s", o->choice.name, opencl_status(s));
	return opencl_build(o, e);
}

static struct device *
opencl_open(unsigned jobs, struct err *e)
{
	struct opencl *o = calloc(1, sizeof *o);

	(void)jobs;
	if (!o) {
		err_set(e, "out of memory");
		return NULL;
	}
	o->d = (struct device){ &ops, "opencl" };
	if (begin(o, e) == 0)
		return &o->d;
	opencl_close(&o->d);
	return NULL;
}

const struct device_kind device_opencl = { "opencl", opencl_open, opencl_list };
