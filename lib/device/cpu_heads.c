/* SPDX-License-Identifier: MIT */
/* cpu_heads.c -- queries, keys and values before attention, column by column. */
#include "cpu.h"

struct heads {
	const struct cpu *cpu;
	const struct device_remember *o;
};

static void
turn(const struct device_rope *r, size_t column, float *v)
{
	const float *cs = r->cos + column * r->ldt, *sn = r->sin + column * r->ldt;

	if (!r->adjacent) {
		kernels()->f.turn(v, v + r->half, cs, sn, r->half);
		return;
	}
	for (size_t i = 0; i < r->half; i++) {
		float p = v[2 * i], q = v[2 * i + 1];

		v[2 * i] = p * cs[i] - q * sn[i];
		v[2 * i + 1] = q * cs[i] + p * sn[i];
	}
}

/* A column's heads, `step` floats apart: norm and turn. */
static void
prepare(const struct device_remember *o, size_t column, float *x, size_t n, size_t step,
    const float *w)
{
	struct device_norm norm = { .w = w, .len = o->c.head_dim, .eps = o->eps };

	for (size_t a = 0; a < n; a++, x += step) {
		if (w)
			cpu_norm(&norm, x, x);
		if (o->turn.half > 0)
			turn(&o->turn, column, x);
	}
}

static void
remember(void *arg, size_t from, size_t to, unsigned who)
{
	const struct heads *h = arg;
	const struct device_remember *o = h->o;
	const struct device_cache *c = &o->c;
	const struct device_at *at = h->cpu->at;
	type_encode *put = type_encoder(c->type, EFFORT_REFERENCE);

	(void)who;
	for (size_t i = from; i < to; i++) {
		float *k = o->k + i * o->ld, *v = o->v + i * o->ld;

		prepare(o, i, o->q + i * o->ld, o->n_head, o->step, o->q_norm);
		prepare(o, i, k, c->n_kv, c->head_dim, o->k_norm);
		for (size_t a = 0; a < c->n_kv; a++, k += c->head_dim, v += c->head_dim) {
			size_t to_at = cpu_cache_at(c, at[i].seq, a, at[i].pos);

			put(c->k + to_at, k, c->head_dim, NULL);
			put(c->v + to_at, v, c->head_dim, NULL);
		}
	}
}

void
cpu_remember(struct device *d, const struct device_remember *o)
{
	struct cpu *c = (struct cpu *)d;

	crew_run(c->crew, c->n, 4, remember, &(struct heads){ c, o });
}
