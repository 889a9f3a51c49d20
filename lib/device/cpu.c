/* SPDX-License-Identifier: MIT */
/* cpu.c -- the host: memory is memory, and threads share the columns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/fmath.h>

#include "cpu.h"

static struct cpu *
of(struct device *d)
{
	return (struct cpu *)d;
}

/* Sizes of what reserve() takes; pick, work and tmp in elements or bytes. */
struct sizes {
	size_t	 act, tmp, work, pick, product, mixture;
};

static struct sizes
sizes(const struct device_need *n)
{
	struct mat one = { .cols = n->cols, .fine = n->fine > 0 };
	size_t attend = cpu_attend_work(n->head_dim), most = attend > n->cols ? attend : n->cols;
	size_t act = act_scratch(n->cols, n->n), fine = act_scratch(n->fine, 2 * n->n);

	return (struct sizes){
		.act = (act > fine ? act : fine) + n->experts * sizeof(struct dot_act),
		.tmp = (mat_scratch(&one) + 63) / 64 * 64,
		.work = n->experts > most ? n->experts : most,
		.pick = n->n + 1,
		.product = 2 * n->experts + 3,
		.mixture = cpu_experts_work(n),
	};
}

static void
room(const struct device *d, struct device_room *r)
{
	(void)d;
	*r = (struct device_room){ .most = SIZE_MAX };
}

static uint64_t
scratch(const struct device *d, const struct device_need *n)
{
	const struct cpu *c = (const struct cpu *)d;
	struct sizes s = sizes(n);

	/* And what the caller has for result(). */
	return s.act + 4 * s.pick + 4 * s.mixture +
	    crew_size(c->crew) * (s.tmp + 4 * (uint64_t)s.work) + n->result;
}

static void
release(struct cpu *c)
{
	free(c->act);
	free(c->tmp);
	free(c->work);
	free(c->pick);
	free(c->product);
	free(c->mixture);
	free(c->job);
	c->act = c->tmp = NULL;
	c->work = c->mixture = NULL;
	c->job = NULL;
	c->pick = NULL;
	c->product = NULL;
}

static int
reserve(struct device *d, const struct device_need *n, struct err *e)
{
	struct cpu *c = of(d);
	struct device_need all = device_need_both(n, &c->need);
	struct sizes s = sizes(&all);
	size_t jobs = crew_size(c->crew);

	release(c);
	c->need = all;
	c->tmp_bytes = s.tmp;
	c->work_floats = s.work;
	if ((c->act = malloc(s.act)) && (c->tmp = aligned_alloc(64, s.tmp * jobs)) &&
	    (c->work = malloc(s.work * sizeof *c->work * jobs)) &&
	    (c->pick = malloc(s.pick * sizeof *c->pick)) &&
	    (c->product = calloc(s.product, sizeof *c->product)) &&
	    (c->mixture = malloc(s.mixture * sizeof *c->mixture + 1)) &&
	    (c->job = calloc(s.product, sizeof *c->job)))
		return 0;
	return err_set(e, "out of memory");
}

static void
cpu_close(struct device *d)
{
	struct cpu *c = of(d);

	release(c);
	free(c->sample);
	crew_free(c->crew);
	free(c);
}

/* malloc's, so that pages come as they are written. */
static void *
allocate(struct device *d, size_t bytes, struct err *e)
{
	void *p = malloc(bytes + !bytes);

	(void)d;
	if (!p)
		err_set(e, "out of memory");
	return p;
}

static void
let_go(struct device *d, void *p)
{
	(void)d;
	free(p);
}

static int
place(struct device *d, const void *p, size_t bytes, struct err *e)
{
	(void)d;
	(void)p;
	(void)bytes;
	(void)e;
	return 0;
}

static int
place_all(struct device *d, const void *const *p, size_t n, size_t bytes, struct err *e)
{
	(void)p;
	(void)n;
	return place(d, NULL, bytes, e);
}

static const char *
lacks(const struct device *d, const struct mat *m, bool precise)
{
	(void)d;
	(void)m;
	(void)precise;
	return NULL;
}

static const char *
lacks_experts(const struct device *d, const struct mat *m, size_t n)
{
	(void)n;
	return lacks(d, m, false);
}

static void
copy(struct device *d, void *to, const void *from, size_t bytes)
{
	(void)d;
	if (to != from)
		memcpy(to, from, bytes);
}

static int
read_back(struct device *d, void *to, const void *from, size_t bytes, struct err *e)
{
	(void)d;
	(void)e;
	if (to != from)
		memcpy(to, from, bytes);
	return 0;
}

static int
wait_for(struct device *d, struct err *e)
{
	(void)d;
	(void)e;
	return 0;
}

static void *
result(struct device *d, void *host, size_t bytes, struct err *e)
{
	(void)d;
	(void)bytes;
	(void)e;
	return host;
}

static void
zero(struct device *d, void *p, size_t bytes, size_t n, size_t ld)
{
	(void)d;
	for (size_t i = 0; i < n; i++)
		memset((unsigned char *)p + i * ld, 0, bytes);
}

static void
batch(struct device *d, const struct device_at *at, size_t n)
{
	struct cpu *c = of(d);

	c->at = at;
	c->n = n;
}

/* What some of the crew do: an operation and its device. */
struct job {
	struct cpu	*c;
	const void	*op;
};

static void
embed_some(void *arg, size_t from, size_t to, unsigned who)
{
	const struct job *j = arg;
	const struct device_embed *o = j->op;
	float *pos = j->c->work + who * j->c->work_floats;
	size_t w = o->w->cols;

	for (size_t i = from; i < to; i++) {
		float *x = o->x + i * w;

		mat_row(o->w, (size_t)o->id[i], x);
		if (o->scale != 1)
			for (size_t k = 0; k < w; k++)
				x[k] *= o->scale;
		if (!o->pos->data)
			continue;
		mat_row(o->pos, o->at[i].pos, pos);
		for (size_t k = 0; k < w; k++)
			x[k] += pos[k];
	}
}

static void
embed(struct device *d, const struct device_embed *o)
{
	crew_run(of(d)->crew, of(d)->n, 4, embed_some, &(struct job){ of(d), o });
}

void
cpu_norm(const struct device_norm *m, const float *x, float *y)
{
	size_t n = m->len;
	float mean, inv;

	if (m->centered) {
		mean = sum_f32(x, n) / (float)n;
		for (size_t i = 0; i < n; i++)
			y[i] = x[i] - mean;
		x = y;
	}
	inv = 1 / sqrtf(dot_f32(x, x, n) / (float)n + m->eps);
	kernels()->f.scale(y, x, inv, m->w, m->bias, n);
}

static void
norm_some(void *arg, size_t from, size_t to, unsigned who)
{
	const struct job *j = arg;
	const struct device_norm *m = j->op;

	(void)who;
	for (size_t c = from; c < to; c++) {
		if (m->more)
			kernels()->f.add(m->x + c * m->ldx, m->more + c * m->ldm, m->by, m->width);
		for (size_t i = 0; i < m->width; i += m->len)
			cpu_norm(m, m->x + c * m->ldx + i, m->y + c * m->ldy + i);
	}
}

static void
norm(struct device *d, const struct device_norm *o)
{
	crew_run(of(d)->crew, o->n, 4, norm_some, &(struct job){ of(d), o });
}

static void
gate_some(void *arg, size_t from, size_t to, unsigned who)
{
	const struct job *j = arg;
	const struct device_gate *o = j->op;
	size_t hd = o->head_dim;

	(void)who;
	for (size_t c = from; c < to; c++)
		for (size_t a = 0; a < o->heads; a++)
			for (size_t i = 0; i < hd; i++)
				o->y[c * o->ldy + a * hd + i] *=
				    fm_sigmoid(o->gate[c * o->ldg + a * o->step + i]);
}

static void
gate(struct device *d, const struct device_gate *o)
{
	crew_run(of(d)->crew, o->n, 4, gate_some, &(struct job){ of(d), o });
}

static void
activate_some(void *arg, size_t from, size_t to, unsigned who)
{
	const struct job *j = arg;
	const struct device_activate *o = j->op;

	(void)who;
	for (size_t i = from; i < to; i++)
		kernels()->f.activate(o->y + i * o->ld, o->gate ? o->gate + i * o->ld : NULL,
		    o->width, o->curve);
}

void
cpu_activate(struct device *d, const struct device_activate *o)
{
	crew_run(of(d)->crew, o->n, 4, activate_some, &(struct job){ of(d), o });
}

struct sum {
	float		*y;
	const float	*x;
	size_t		 ldy, ldx, width;
	float		 by;
};

static void
add_some(void *arg, size_t from, size_t to, unsigned who)
{
	const struct sum *o = arg;

	(void)who;
	for (size_t i = from; i < to; i++)
		kernels()->f.add(o->y + i * o->ldy, o->x + i * o->ldx, o->by, o->width);
}

static void
add(struct device *d, float *y, size_t ldy, const float *x, size_t ldx, float by, size_t width,
    size_t n)
{
	crew_run(of(d)->crew, n, 4, add_some, &(struct sum){ y, x, ldy, ldx, width, by });
}

/* In place too, as columns only move down. */
void
cpu_gather(struct device *d, const struct device_gather *o)
{
	(void)d;
	for (size_t i = 0; i < o->n; i++)
		memmove(o->y + i * o->ldy, o->x + o->from[i] * o->ldx, o->width * sizeof *o->y);
}

static const struct device_ops ops = {
	.close = cpu_close, .room = room, .scratch = scratch, .reserve = reserve,
	.alloc = allocate, .free = let_go, .place = place, .place_all = place_all, .lacks = lacks,
	.lacks_experts = lacks_experts, .write = copy, .read = read_back,
	.wait = wait_for, .result = result,
	.copy = copy, .zero = zero, .batch = batch, .embed = embed, .multiply = cpu_multiply,
	.norm = norm, .remember = cpu_remember, .attend = cpu_attend, .gate = gate,
	.activate = cpu_activate, .add = add, .gather = cpu_gather, .route = cpu_route,
	.experts = cpu_experts, .delta = cpu_delta, .choices = cpu_choices, .sample = cpu_sample,
};

static struct device *
cpu_open(unsigned jobs, struct err *e)
{
	struct cpu *c = calloc(1, sizeof *c);

	if (!c) {
		err_set(e, "out of memory");
		return NULL;
	}
	c->d = (struct device){ &ops, "cpu" };
	if ((c->crew = crew_new(jobs, e)))
		return &c->d;
	free(c);
	return NULL;
}

static void
list(void (*line)(const char *))
{
	char s[64];

	snprintf(s, sizeof s, "kernels for %s", kernels()->name);
	line(s);
}

const struct device_kind device_cpu = { "cpu", cpu_open, list };
