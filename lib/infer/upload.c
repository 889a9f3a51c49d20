/* SPDX-License-Identifier: MIT */
/*
 * upload.c -- bytes to where they are multiplied, and back.
 *
 * A device reads from its own buffers, into which they come straight from a
 * file or a pipe: the host keeps nothing of them.
 */
#include <stdlib.h>
#include <string.h>

#include <apr/crew.h>
#include <apr/device.h>
#include <apr/model.h>

#include "model.h"

struct loading {
	struct model	*m;
	struct weights	*w;
	struct device	*d;
	const struct model_load_opts *o;
	bool		*held;		/* of each tensor: the host wants its bytes */
};

static int
placed(void *ctx, const struct mat *w, struct err *e)
{
	(void)e;
	model_part(ctx, w->data)->placed = true;
	return 0;
}

static bool
on_device(const struct model *m, const struct weights *w, size_t i)
{
	const struct part *p = w->data[i] ? model_part(m, w->data[i]) : NULL;

	return m->nparts > 0 && p && p->t == &w->m->tensor[i] && p->placed;
}

static int
keep(struct loading *l, size_t i, uint64_t at, const void *p, size_t n, struct err *e)
{
	void *to = weights_keep(l->w, i, at, n, e);

	if (!to)
		return -1;
	memcpy(to, p, n);
	return 0;
}

/* A tensor that the host has for itself, or that becomes numbers. */
static int
to_host(struct loading *l, size_t i, struct err *e)
{
	uint64_t bytes = l->w->m->tensor[i].bytes;

	for (uint64_t at = 0, n; at < bytes; at += n) {
		void *to;

		n = bytes - at < 1 << 24 ? bytes - at : 1 << 24;
		if (!(to = weights_keep(l->w, i, at, (size_t)n, e)) ||
		    weights_read(l->w, to, (size_t)n, e) < 0)
			return -1;
		if (l->o->progress)
			l->o->progress(n);
	}
	l->w->here[i] = true;
	if (model_take(l->m, l->w, i, l->w->data[i], e) < 0)
		return -1;
	if (!l->held[i])
		weights_drop(l->w, i);
	return 0;
}

/* Whole blocks at a time, through the device's buffers. */
static int
to_device(struct loading *l, size_t i, struct err *e)
{
	const struct tensor *t = &l->w->m->tensor[i];
	bool stream = source_is_stream(l->w->source), held = stream && l->held[i];
	size_t n;

	for (uint64_t at = 0; at < t->bytes; at += n) {
		unsigned char *p = l->d->op->stage(l->d, &n, e);

		if (!p)
			return -1;
		if (!(t->type->flags & TYPE_WHOLE))
			n -= n % t->type->bytes;
		if (t->bytes - at < n)
			n = (size_t)(t->bytes - at);
		if (weights_read(l->w, p, n, e) < 0 || (held && keep(l, i, at, p, n, e) < 0))
			return -1;
		if (stream && at == 0 && t->type->flags & TYPE_WHOLE &&
		    model_take(l->m, l->w, i, p, e) < 0)
			return -1;
		l->d->op->send(l->d, (const unsigned char *)l->w->data[i] + at, n);
		if (l->o->progress)
			l->o->progress(n);
	}
	l->w->here[i] |= held;
	return 0;
}

static int
tensors(struct loading *l, struct err *e)
{
	bool stream = source_is_stream(l->w->source);
	size_t i;
	int r;

	while ((r = weights_next(l->w, &i, e)) > 0)
		if (on_device(l->m, l->w, i)) {
			if (to_device(l, i, e) < 0)
				return err_prefix(e, "%s", l->w->m->tensor[i].name);
		} else if (stream && (l->held[i] || model_wants_bytes(l->m, i)) &&
		    to_host(l, i, e) < 0) {
			return err_prefix(e, "%s", l->w->m->tensor[i].name);
		}
	return r < 0 || !stream ? r : model_set_scales(l->m, e);
}

static bool
of_device(const struct vector *v)
{
	return v->use != VECTOR_DIVIDES && v->n > 0;
}

static int
load(struct loading *l, struct err *e)
{
	const struct model *m = l->m;
	bool apart = l->d->op->stage != NULL;

	if (apart && model_walk(m, placed, l->m, e) < 0)
		return -1;
	for (size_t i = 0; i < l->w->m->ntensor && source_is_stream(l->w->source); i++)
		if (l->o->keep ? !on_device(m, l->w, i) : !apart && model_uses(m, l->w, i))
			l->held[i] = true;
	if ((apart || source_is_stream(l->w->source)) && tensors(l, e) < 0)
		return -1;
	for (size_t i = 0; apart && i < m->nvectors; i++)
		if (of_device(&m->vector[i]))
			l->d->op->write(l->d, m->vector[i].v, m->vector[i].v,
			    m->vector[i].n * sizeof(float));
	return l->d->op->wait(l->d, e);
}

int
model_load(struct model *m, struct weights *w, struct device *d, const struct model_load_opts *o,
    struct err *e)
{
	struct loading l = { m, w, d, o, calloc(w->m->ntensor + 1, sizeof *l.held) };
	int r = -1;

	if (!l.held)
		return err_set(e, "out of memory");
	if (o->jobs > 1 && d->op->stage && !(w->crew = crew_new(o->jobs, e)))
		goto out;
	r = load(&l, e);
	crew_free(w->crew);
	w->crew = NULL;
out:
	free(l.held);
	return r;
}

int
model_fetch(const struct model *m, const struct weights *w, struct device *d, size_t tensor,
    uint64_t at, void *to, size_t n, struct err *e)
{
	const unsigned char *from = (const unsigned char *)w->data[tensor] + at;

	if (on_device(m, w, tensor))
		return d->op->read(d, to, from, n, e);
	if (!w->here[tensor])
		return err_set(e, "%s was not kept", w->m->tensor[tensor].name);
	memcpy(to, from, n);
	return 0;
}

int
model_verify(const struct model *m, struct device *d, struct err *e)
{
	for (size_t i = 0; d->op->stage && i < m->nvectors; i++) {
		const struct vector *v = &m->vector[i];
		float *x;
		bool same;

		if (!of_device(v))
			continue;
		if (!(x = malloc(v->n * sizeof *x)))
			return err_set(e, "out of memory");
		if (d->op->read(d, x, v->v, v->n * sizeof *x, e) < 0) {
			free(x);
			return err_prefix(e, "%s", v->name);
		}
		same = !memcmp(x, v->v, v->n * sizeof *x);
		free(x);
		if (!same)
			return err_set(e, "%s: %s has not what it was given", v->name, d->name);
	}
	return 0;
}
