/* SPDX-License-Identifier: MIT */
/*
 * cpu_delta.c -- Gated DeltaNet: a state of dk x dv a value head, that each
 * token decays, corrects and reads.
 */
#include <math.h>
#include <string.h>

#include <apr/fmath.h>

#include "cpu.h"

struct delta {
	const struct cpu *cpu;
	const struct device_delta *o;
};

/* A causal convolution over each channel's last n_conv values, then silu;
 * in place, and the channel's history with it. */
static void
convolve(void *arg, size_t from, size_t to, unsigned who)
{
	const struct delta *t = arg;
	const struct device_delta *o = t->o;
	size_t channels = 2 * o->nk * o->dk + o->nv * o->dv, k = o->n_conv;

	(void)who;
	for (size_t i = 0; i < o->n; i++) {
		float *past = o->past + (size_t)t->cpu->at[i].seq * (k - 1) * channels;
		float *x = o->x + i * o->ld;

		for (size_t ch = from; ch < to; ch++) {
			const float *w = o->filter + ch * k;
			float in = x[ch], y = 0;

			for (size_t j = 0; j + 1 < k; j++)
				y = fmaf(past[j * channels + ch], w[j], y);
			y = fmaf(in, w[k - 1], y);
			for (size_t j = 0; j + 2 < k; j++)
				past[j * channels + ch] = past[(j + 1) * channels + ch];
			if (k > 1)
				past[(k - 2) * channels + ch] = in;
			x[ch] = fm_silu(y);
		}
	}
}

/* q and k of unit length, q shorter by sqrt(dk). */
static void
unit(void *arg, size_t from, size_t to, unsigned who)
{
	const struct delta *t = arg;
	const struct device_delta *o = t->o;

	(void)who;
	for (size_t i = from; i < to; i++)
		for (size_t a = 0; a < 2 * o->nk; a++) {
			float *x = o->x + i * o->ld + a * o->dk;
			float inv = 1 / sqrtf(dot_f32(x, x, o->dk) + 1e-6f);
			float scale = a < o->nk ? 1 / sqrtf((float)o->dk) : 1;

			for (size_t d = 0; d < o->dk; d++)
				x[d] = x[d] * inv * scale;
		}
}

/* Value heads [from, to), each through all its tokens in order. */
static void
recur(void *arg, size_t from, size_t to, unsigned who)
{
	const struct delta *t = arg;
	const struct device_delta *g = t->o;
	size_t dk = g->dk, dv = g->dv, nk = g->nk, r = g->nv / g->nk;
	float *mem = t->cpu->work + who * t->cpu->work_floats;	/* dv */

	for (size_t p = from; p < to; p++) {
		size_t kh = g->mod ? p % nk : p / r;

		for (size_t i = 0; i < g->n; i++) {
			const float *q = g->x + i * g->ld + kh * dk, *k = q + nk * dk;
			const float *v = g->x + i * g->ld + 2 * nk * dk + p * dv;
			float *s = g->state + ((size_t)t->cpu->at[i].seq * g->nv + p) * dk * dv;
			const float *gates = g->gates + i * g->ldg;
			float *o = g->out + i * g->ldo + p * dv;
			float decay = fm_exp(g->rate[p] * fm_softplus(gates[p] + g->bias[p]));
			float beta = fm_sigmoid(gates[g->nv + p]);

			memset(mem, 0, dv * sizeof *mem);
			for (size_t a = 0; a < dk; a++)
				for (size_t b = 0; b < dv; b++) {
					s[a * dv + b] *= decay;
					mem[b] = fmaf(s[a * dv + b], k[a], mem[b]);
				}
			for (size_t b = 0; b < dv; b++)
				mem[b] = (v[b] - mem[b]) * beta;
			memset(o, 0, dv * sizeof *o);
			for (size_t a = 0; a < dk; a++)
				for (size_t b = 0; b < dv; b++) {
					s[a * dv + b] = fmaf(k[a], mem[b], s[a * dv + b]);
					o[b] = fmaf(s[a * dv + b], q[a], o[b]);
				}
		}
	}
}

void
cpu_delta(struct device *d, const struct device_delta *o)
{
	struct cpu *c = (struct cpu *)d;
	struct delta t = { c, o };

	crew_run(c->crew, 2 * o->nk * o->dk + o->nv * o->dv, 64, convolve, &t);
	crew_run(c->crew, o->n, 4, unit, &t);
	crew_run(c->crew, o->nv, 1, recur, &t);
}
