/* SPDX-License-Identifier: MIT */
/*
 * deltanet.c -- Gated DeltaNet: a state of dk x dv a value head, that each
 * token decays, corrects and reads.
 */
#include <math.h>
#include <string.h>

#include <apr/fmath.h>

#include "infer.h"

struct delta {
	struct infer		*f;
	const struct layer	*l;
	struct cache		*c;
};

/* A causal convolution over each channel's last n_conv values, then silu;
 * in place, and the channel's history with it. */
static void
convolve(void *arg, size_t from, size_t to, unsigned who)
{
	const struct delta *t = arg;
	struct infer *f = t->f;
	const struct hparams *h = &f->m->h;
	size_t channels = 2 * (size_t)h->nk * h->dk + (size_t)h->nv * h->dv, k = h->n_conv;

	(void)who;
	for (size_t i = 0; i < f->n; i++) {
		float *past = t->c->conv + (size_t)f->tok[i].seq * (k - 1) * channels;
		float *x = f->a + i * f->wide;

		for (size_t ch = from; ch < to; ch++) {
			const float *w = t->l->conv + ch * k;
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
unit(float *x, size_t n, float scale)
{
	float inv = 1 / sqrtf(dot_f32(x, x, n) + 1e-6f);

	for (size_t i = 0; i < n; i++)
		x[i] = x[i] * inv * scale;
}

/* Value heads [from, to), each through all its tokens in order. */
static void
recur(void *arg, size_t from, size_t to, unsigned who)
{
	const struct delta *t = arg;
	struct infer *f = t->f;
	const struct hparams *h = &f->m->h;
	size_t dk = h->dk, dv = h->dv, nk = h->nk, r = h->nv / h->nk;
	float *mem = f->work + who * f->work_floats;	/* dv */

	for (size_t p = from; p < to; p++) {
		size_t kh = h->v_mod ? p % nk : p / r;

		for (size_t i = 0; i < f->n; i++) {
			const float *q = f->a + i * f->wide + kh * dk, *k = q + nk * dk;
			const float *v = f->a + i * f->wide + 2 * nk * dk + p * dv;
			float *s = t->c->state + ((size_t)f->tok[i].seq * h->nv + p) * dk * dv;
			float *gates = f->c + i * f->wide, *o = f->b + i * f->wide + p * dv;
			float decay = fm_exp(t->l->a[p] *
			    fm_softplus(gates[p] + t->l->dt_b[p]));
			float beta = fm_sigmoid(gates[h->nv + p]);

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

int
infer_deltanet(struct infer *f, const struct layer *l, struct cache *c, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t d = h->n_embd, keys = (size_t)h->nk * h->dk, vals = (size_t)h->nv * h->dv;
	struct delta t = { f, l, c };

	infer_mul_all(f, (struct product[]){
		times(&l->qkv, NULL, f->h, d, f->n, f->a, f->wide),
		times(&l->alpha, NULL, f->h, d, f->n, f->c, f->wide),
		times(&l->beta, NULL, f->h, d, f->n, f->c + h->nv, f->wide),
	}, 3);
	if (infer_traced(f, "qkv", f->a, 2 * keys + vals, f->wide, e) < 0)
		return -1;
	crew_run(f->crew, 2 * keys + vals, 64, convolve, &t);
	for (size_t i = 0; i < f->n; i++)
		for (size_t a = 0; a < 2 * (size_t)h->nk; a++)
			unit(f->a + i * f->wide + a * h->dk, h->dk,
			    a < h->nk ? 1 / sqrtf((float)h->dk) : 1);
	crew_run(f->crew, h->nv, 1, recur, &t);
	if (infer_traced(f, "heads", f->b, vals, f->wide, e) < 0)
		return -1;
	infer_norm(f, l->ssm_norm, NULL, f->b, f->wide, f->b, f->wide, f->n, vals, h->dv);
	infer_mul(f, &l->z, NULL, f->h, d, f->n, f->c, f->wide);
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < vals; k++)
			f->b[i * f->wide + k] *= fm_silu(f->c[i * f->wide + k]);
	infer_mul(f, &l->out, NULL, f->b, f->wide, f->n, f->a, f->wide);
	return infer_traced(f, "attn", f->a, d, f->wide, e);
}
