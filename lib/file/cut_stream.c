/* SPDX-License-Identifier: MIT */
/* cut_stream.c -- a stream into streams: each with some of its tensors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pack.h"

struct split {
	const struct pack_target *t;
	struct stream_in *in;
	struct manifest	*m;
	struct names	*names;
	uint32_t	*part;		/* of each tensor */
	struct output	*out;
	size_t		 n, at;		/* parts; the one being written */
	struct stream_out *s;
	size_t		 next;		/* tensor that must come */
};

/* Which part each tensor is in; a tied one is where what it equals is. */
static int
assign(struct split *x, struct err *e)
{
	struct cut c = { .how = x->t->cut, .most = x->t->most };
	const struct manifest *m = x->m;
	size_t k;

	x->n = 1;
	if (!(x->part = calloc(m->ntensor + 1, sizeof *x->part)) ||
	    !(x->names = names_new(m->ntensor, e)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < m->ntensor; i++) {
		if (m->tensor[i].tied_to)
			continue;
		x->n += cut_here(&c, &m->tensor[i]);
		x->part[i] = (uint32_t)x->n - 1;
		if (names_add(x->names, m->tensor[i].name, i, NULL, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < m->ntensor; i++)
		if (m->tensor[i].tied_to &&
		    (k = names_find(x->names, m->tensor[i].tied_to)) != SIZE_MAX)
			x->part[i] = x->part[k];
	return x->n > CUT_MAX ? err_set(e, "more than %u parts", CUT_MAX) : 0;
}

static int
name_parts(struct split *x, struct err *e)
{
	char *prefix = cut_prefix(x->t->path, e);
	size_t first = 0;
	int r = prefix ? 0 : -1;

	if (r == 0 && !(x->out = calloc(x->n, sizeof *x->out)))
		r = err_set(e, "out of memory");
	for (size_t k = 0; r == 0 && k < x->n; k++) {
		const char *tensor = NULL;

		while (first < x->m->ntensor &&
		    (x->part[first] < k || x->m->tensor[first].tied_to))
			first++;
		if (x->t->cut == CUT_EACH && first < x->m->ntensor)
			tensor = x->m->tensor[first].name;
		x->out[k].fd = -1;
		x->out[k].name = cut_name(prefix, k, x->n, tensor, ".tar", e);
		if (!x->out[k].name)
			r = -1;
		else
			r = whole_may_be(x->out[k].name, x->t->force, e);
	}
	free(prefix);
	return r;
}

/* The manifest of part x->at, and the members that only the first one has. */
static int
begin(struct split *x, struct err *e)
{
	struct output *o = &x->out[x->at];
	struct manifest part = *x->m;

	part.ntensor = 0;
	if (!(part.tensor = calloc(x->m->ntensor + 1, sizeof *part.tensor)))
		return err_set(e, "out of memory");
	for (int tied = 0; tied < 2; tied++)
		for (size_t i = 0; i < x->m->ntensor; i++)
			if (x->part[i] == x->at && !x->m->tensor[i].tied_to == !tied)
				part.tensor[part.ntensor++] = x->m->tensor[i];
	if (x->at > 0)
		part.nfile = 0;
	if (output_open(x->t, o, o->name, e) == 0)
		x->s = stream_create(o->fd, &part, 0, e);
	free(part.tensor);
	return x->s ? 0 : -1;
}

static int
end(struct split *x, const struct member *tail, struct err *e)
{
	struct output *o = &x->out[x->at];
	struct stream_out *s = x->s;
	int fd = o->fd;

	for (size_t i = 0; i < x->m->ntensor; i++)
		if (x->part[i] == x->at && x->m->tensor[i].tied_to &&
		    stream_member(s, MEMBER_TENSOR, x->m->tensor[i].name, 0, e) < 0)
			return -1;
	if (tail && stream_copy(s, x->in, tail, e) < 0)
		return -1;
	x->s = NULL;
	if (stream_end(s, e) < 0)
		return err_prefix(e, "%s", o->temp);
	o->fd = -1;
	o->done = true;
	return output_close(fd, o->temp, e);
}

static int
tensor(struct split *x, const struct member *m, struct err *e)
{
	while (x->next < x->m->ntensor && x->m->tensor[x->next].tied_to)
		x->next++;
	if (m->index != x->next)
		return err_set(e, "%s: comes out of order; parts that are streams are written in"
		    " that of the manifest", x->m->tensor[m->index].name);
	x->next++;
	if (x->part[m->index] != x->at) {
		if (end(x, NULL, e) < 0)
			return -1;
		x->at++;
		if (begin(x, e) < 0)
			return -1;
	}
	if (stream_copy(x->s, x->in, m, e) < 0)
		return -1;
	if (x->t->progress)
		x->t->progress(m->bytes);
	return 0;
}

static int
run(struct split *x, struct err *e)
{
	struct member m;
	int r;

	if (assign(x, e) < 0 || name_parts(x, e) < 0 || begin(x, e) < 0)
		return -1;
	while ((r = stream_next(x->in, &m, e)) > 0) {
		if (m.kind == MEMBER_TENSOR && x->m->tensor[m.index].tied_to)
			continue;	/* no bytes; its part ends with it */
		if (m.kind == MEMBER_TENSOR ? tensor(x, &m, e) < 0 :
		    m.kind == MEMBER_TAIL ? end(x, &m, e) < 0 :
		    stream_copy(x->s, x->in, &m, e) < 0)
			return -1;
	}
	if (r < 0 || (!x->out[x->at].done && end(x, NULL, e) < 0))
		return -1;
	return output_name_all(x->t, x->out, x->n, e);
}

int
split_stream(const struct pack_target *t, struct stream_in *in, struct err *e)
{
	struct split x = { .t = t, .in = in, .m = stream_manifest(in) };
	int r = run(&x, e);

	if (x.s)
		stream_abandon(x.s);
	for (size_t k = 0; x.out && k < x.n; k++) {
		if (x.out[k].fd >= 0)
			close(x.out[k].fd);
		free(x.out[k].name);
		free(x.out[k].temp);
	}
	free(x.out);
	free(x.part);
	names_free(x.names);
	return r;
}
