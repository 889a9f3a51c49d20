/* SPDX-License-Identifier: MIT */
/* layers.c -- the weights of each layer's parts. */
#include <stdio.h>
#include <string.h>

#include "load.h"

/* What one layer's names are made from. */
struct at {
	struct load	*l;
	struct hparams	*h;
	unsigned	 i;
	char		 name[128];
};

static const char *
block(struct at *a, const char *role)
{
	snprintf(a->name, sizeof a->name, "blk.%u.%s", a->i, role);
	return a->name;
}

static int
norms(struct at *a, struct layer *y, struct err *e)
{
	struct hparams *h = a->h;
	size_t d = h->n_embd, q = h->qk_whole ? (size_t)h->n_head * h->head_dim : h->head_dim;
	size_t k = h->qk_whole ? (size_t)h->n_kv * h->head_dim : h->head_dim;
	bool after = !strcmp(h->arch, "olmo2");
	/* Stored less 1 outside GGUF. */
	float add = a->l->conv != ARCH_GGUF && (!strncmp(h->arch, "gemma", 5) ||
	    !strcmp(h->arch, "qwen35")) ? 1 : 0;

	if (load_maybe(a->l, block(a, "attn_norm.weight"), d, add, &y->attn_norm, e) < 0 ||
	    load_maybe(a->l, block(a, "attn_norm.bias"), d, 0, &y->attn_norm_b, e) < 0 ||
	    load_maybe(a->l, block(a, "ffn_norm.weight"), d, add, &y->ffn_norm, e) < 0 ||
	    load_maybe(a->l, block(a, "ffn_norm.bias"), d, 0, &y->ffn_norm_b, e) < 0 ||
	    load_maybe(a->l, block(a, "post_attention_norm.weight"), d, add, &y->post_attn_norm, e) < 0 ||
	    load_maybe(a->l, block(a, "post_ffw_norm.weight"), d, add, &y->post_ffn_norm, e) < 0 ||
	    load_maybe(a->l, block(a, "attn_q_norm.weight"), q, add, &y->q_norm, e) < 0 ||
	    load_maybe(a->l, block(a, "attn_k_norm.weight"), k, add, &y->k_norm, e) < 0)
		return -1;
	/* Qwen 3.5 has its second norm under the name of gemma's third. */
	if (!strcmp(h->arch, "qwen35")) {
		y->ffn_norm = y->post_attn_norm;
		y->post_attn_norm = NULL;
	}
	if (after ? !y->post_attn_norm || !y->post_ffn_norm : !y->attn_norm || !y->ffn_norm)
		return err_set(e, "layer %u has not its norms", a->i);
	if (h->layer_norm && (!y->attn_norm_b || !y->ffn_norm_b))
		return err_set(e, "layer %u has not its norms' biases", a->i);
	if ((!strncmp(h->arch, "qwen3", 5) || !strcmp(h->arch, "gemma3") || after) &&
	    y->mixer == MIX_ATTENTION && (!y->q_norm || !y->k_norm))
		return err_set(e, "layer %u has not its norms of queries and keys", a->i);
	return 0;
}

/* q, k, v, alone or one behind the other. */
static int
attention(struct at *a, struct layer *y, struct err *e)
{
	struct hparams *h = a->h;
	size_t d = h->n_embd, nq = (size_t)h->n_head * h->head_dim * (h->q_gate ? 2 : 1);
	size_t nk = (size_t)h->n_kv * h->head_dim, no = (size_t)h->n_head * h->head_dim;
	bool conv1d = !strcmp(h->arch, "gpt2") && a->l->conv != ARCH_GGUF;
	struct named *fused = load_find(a->l, block(a, "attn_qkv.weight"), -1, 0);
	const float *b = NULL;
	struct mat m;

	if (fused && fused->at.parts == 3) {
		struct { size_t rows; struct mat *m; const float **b; } part[] = {
			{ nq, &y->q, &y->q_b }, { nk, &y->k, &y->k_b }, { nk, &y->v, &y->v_b },
		};

		for (unsigned i = 0; i < 3; i++) {
			struct named *x = load_find(a->l, block(a, "attn_qkv.weight"), -1, i);

			if (!x)
				return err_set(e, "%s: part %u of 3 is missing", a->name, i + 1);
			if (load_as_matrix(a->l, x, part[i].rows, d, conv1d, part[i].m, e) < 0)
				return -1;
			if (load_find(a->l, block(a, "attn_qkv.bias"), -1, i) &&
			    !(*part[i].b = load_part(a->l, a->name, i, part[i].rows, 0, e)))
				return -1;
		}
	} else if (fused) {
		block(a, "attn_qkv.weight");
		if (load_matrix(a->l, a->name, nq + 2 * nk, d, conv1d, &m, e) < 0 ||
		    load_maybe(a->l, block(a, "attn_qkv.bias"), nq + 2 * nk, 0, &b, e) < 0)
			return -1;
		y->q = mat_slice(&m, 0, nq);
		y->k = mat_slice(&m, nq, nk);
		y->v = mat_slice(&m, nq + nk, nk);
		if (b) {
			y->q_b = b;
			y->k_b = b + nq;
			y->v_b = b + nq + nk;
		}
	} else if (load_matrix(a->l, block(a, "attn_q.weight"), nq, d, conv1d, &y->q, e) < 0 ||
	    load_matrix(a->l, block(a, "attn_k.weight"), nk, d, conv1d, &y->k, e) < 0 ||
	    load_matrix(a->l, block(a, "attn_v.weight"), nk, d, conv1d, &y->v, e) < 0 ||
	    load_maybe(a->l, block(a, "attn_q.bias"), nq, 0, &y->q_b, e) < 0 ||
	    load_maybe(a->l, block(a, "attn_k.bias"), nk, 0, &y->k_b, e) < 0 ||
	    load_maybe(a->l, block(a, "attn_v.bias"), nk, 0, &y->v_b, e) < 0) {
		return -1;
	}
	/* Random models show what a missing bias does; real ones may hide it. */
	if ((!strcmp(h->arch, "qwen2") || h->layer_norm) && (!y->q_b || !y->k_b || !y->v_b))
		return err_set(e, "layer %u has not its biases of queries, keys and values", a->i);
	if (load_matrix(a->l, block(a, "attn_output.weight"), d, no, conv1d, &y->o, e) < 0)
		return -1;
	return load_maybe(a->l, block(a, "attn_output.bias"), d, 0, &y->o_b, e);
}

static int
deltanet(struct at *a, struct layer *y, struct err *e)
{
	struct hparams *h = a->h;
	size_t d = h->n_embd, vals = (size_t)h->nv * h->dv;
	size_t channels = 2 * (size_t)h->nk * h->dk + vals;

	if (load_matrix(a->l, block(a, "attn_qkv.weight"), channels, d, false, &y->qkv, e) < 0 ||
	    load_matrix(a->l, block(a, "attn_gate.weight"), vals, d, false, &y->z, e) < 0 ||
	    load_matrix(a->l, block(a, "ssm_alpha.weight"), h->nv, d, false, &y->alpha, e) < 0 ||
	    load_matrix(a->l, block(a, "ssm_beta.weight"), h->nv, d, false, &y->beta, e) < 0 ||
	    load_matrix(a->l, block(a, "ssm_out.weight"), d, vals, false, &y->out, e) < 0 ||
	    !(y->conv = load_vector(a->l, block(a, "ssm_conv1d.weight"), channels * h->n_conv, 0, e)) ||
	    !(y->ssm_norm = load_vector(a->l, block(a, "ssm_norm.weight"), h->dv, 0, e)) ||
	    !(y->dt_b = load_vector(a->l, block(a, "ssm_dt.bias"), h->nv, 0, e)) ||
	    !(y->a = load_vector(a->l, block(a, "ssm_a"), h->nv, 0, e)))
		return -1;
	if (a->l->conv == ARCH_GGUF)
		return 0;
	/* A_log elsewhere. */
	load_use(a->l, VECTOR_MINUS_EXP, NULL);
	return 0;
}

static int
dense(struct at *a, struct layer *y, struct err *e)
{
	struct hparams *h = a->h;
	size_t d = h->n_embd;
	bool conv1d = !strcmp(h->arch, "gpt2") && a->l->conv != ARCH_GGUF;
	struct named *up = load_find(a->l, block(a, "ffn_up.weight"), -1, 0), *second;
	struct mat both;

	/* GPT-2's inner size is what the matrix says. */
	if (up && conv1d && d)
		h->n_ff = (unsigned)(a->l->w->m->tensor[up->tensor].n / d);
	if (up && up->at.parts == 2) {
		if (!(second = load_find(a->l, a->name, -1, 1)))
			return err_set(e, "%s: part 2 of 2 is missing", a->name);
		if (load_as_matrix(a->l, up, h->n_ff, d, false, &y->gate, e) < 0 ||
		    load_as_matrix(a->l, second, h->n_ff, d, false, &y->up, e) < 0)
			return -1;
	} else if (h->gated && !load_has(a->l, block(a, "ffn_gate.weight"))) {
		if (load_matrix(a->l, block(a, "ffn_up.weight"), 2 * (size_t)h->n_ff, d, false, &both, e) < 0)
			return -1;
		y->gate = mat_slice(&both, 0, h->n_ff);
		y->up = mat_slice(&both, h->n_ff, h->n_ff);
	} else if ((h->gated && load_matrix(a->l, block(a, "ffn_gate.weight"), h->n_ff, d, false,
	    &y->gate, e) < 0) ||
	    load_matrix(a->l, block(a, "ffn_up.weight"), h->n_ff, d, conv1d, &y->up, e) < 0) {
		return -1;
	}
	if (load_maybe(a->l, block(a, "ffn_up.bias"), h->n_ff, 0, &y->up_b, e) < 0 ||
	    load_maybe(a->l, block(a, "ffn_down.bias"), d, 0, &y->down_b, e) < 0)
		return -1;
	if (h->layer_norm && (!y->up_b || !y->down_b))
		return err_set(e, "layer %u has not its biases", a->i);
	return load_matrix(a->l, block(a, "ffn_down.weight"), d, h->n_ff, conv1d, &y->down, e);
}

/* A stack, or one tensor each. */
static int
stack(struct at *a, const char *role, size_t rows, size_t cols, struct mat **out, struct err *e)
{
	unsigned n = a->h->n_expert;
	struct mat *m = arena_alloc(a->l->arena, n * sizeof *m), all;
	struct named *x;

	block(a, role);
	if (!m)
		return err_set(e, "out of memory");
	*out = m;
	if (load_has(a->l, a->name)) {
		if (load_matrix(a->l, a->name, n * rows, cols, false, &all, e) < 0)
			return -1;
		for (unsigned i = 0; i < n; i++)
			m[i] = mat_slice(&all, i * rows, rows);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!(x = load_find(a->l, a->name, (long)i, 0)))
			return err_set(e, "%s: expert %u is missing", a->name, i);
		if (load_as_matrix(a->l, x, rows, cols, false, &m[i], e) < 0)
			return -1;
	}
	return 0;
}

/* Gate's rows, then up's, expert by expert. */
static int
pairs(struct at *a, struct named *x, size_t f, size_t d, struct experts *out, struct err *e)
{
	unsigned n = a->h->n_expert;
	struct mat all;

	if (load_as_matrix(a->l, x, n * 2 * f, d, false, &all, e) < 0)
		return -1;
	if (!(out->gate = arena_alloc(a->l->arena, n * sizeof *out->gate)) ||
	    !(out->up = arena_alloc(a->l->arena, n * sizeof *out->up)))
		return err_set(e, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		out->gate[i] = mat_slice(&all, 2 * i * f, f);
		out->up[i] = mat_slice(&all, (2 * i + 1) * f, f);
	}
	return 0;
}

static int
mixture(struct at *a, struct layer *y, struct err *e)
{
	size_t d = a->h->n_embd, f = a->h->n_ff_exp;
	struct named *both = load_find(a->l, block(a, "ffn_gate_exps.weight"), -1, 0);

	if (both && both->at.stacks == 2)
		return load_matrix(a->l, block(a, "ffn_gate_inp.weight"), a->h->n_expert, d, false,
		    &y->router, e) < 0 || pairs(a, both, f, d, &y->exp, e) < 0 ||
		    stack(a, "ffn_down_exps.weight", d, f, &y->exp.down, e) < 0 ? -1 : 0;

	return load_matrix(a->l, block(a, "ffn_gate_inp.weight"), a->h->n_expert, d, false, &y->router, e) < 0 ||
	    stack(a, "ffn_gate_exps.weight", f, d, &y->exp.gate, e) < 0 ||
	    stack(a, "ffn_up_exps.weight", f, d, &y->exp.up, e) < 0 ||
	    stack(a, "ffn_down_exps.weight", d, f, &y->exp.down, e) < 0 ? -1 : 0;
}

static void
fine(struct model *m, struct mat *w)
{
	w->fine = w->data && mat_packed(w, false);
	if (w->fine && w->cols > m->fine)
		m->fine = w->cols;
}

/*
 * An error of activations mostly stays as small as it is.  Not where a state
 * sums up what comes in; nor where routers choose by what all products before
 * them made: the smallest error may be another expert.
 */
static void
want_fine(struct model *m, struct layer *y)
{
	struct mat *state[] = { &y->qkv, &y->alpha, &y->beta };
	struct mat *rest[] = { &y->q, &y->k, &y->v, &y->o, &y->z, &y->out, &y->gate, &y->up, &y->down };

	for (size_t i = 0; i < sizeof state / sizeof *state; i++)
		fine(m, state[i]);
	for (size_t i = 0; i < sizeof rest / sizeof *rest && m->h.n_expert > 0; i++)
		fine(m, rest[i]);
	for (unsigned i = 0; y->router.data && i < m->h.n_expert; i++) {
		fine(m, &y->exp.gate[i]);
		fine(m, &y->exp.up[i]);
		fine(m, &y->exp.down[i]);
	}
}

int
load_layers(struct load *l, struct model *m, struct err *e)
{
	struct at a = { .l = l, .h = &m->h };

	if (!(m->layer = arena_alloc(&m->arena, m->h.n_layer * sizeof *m->layer)))
		return err_set(e, "out of memory");
	for (unsigned i = 0; i < m->h.n_layer; i++) {
		struct layer *y = &m->layer[i];

		a.i = i;
		if (load_layer_kind(l, &m->h, i, y, e) < 0 || norms(&a, y, e) < 0 ||
		    (y->mixer == MIX_ATTENTION ? attention(&a, y, e) : deltanet(&a, y, e)) < 0)
			return -1;
		if ((load_has(l, block(&a, "ffn_gate_inp.weight")) ? mixture(&a, y, e) :
		    dense(&a, y, e)) < 0)
			return -1;
		want_fine(m, y);
	}
	return 0;
}
