/* SPDX-License-Identifier: MIT */
/* as.c -- what a source's tensors are in another convention or another order. */
#include <stdlib.h>
#include <string.h>

#include "source.h"

/* config.json, wherever it travels; b stays empty if it does not. */
static int
read_config(struct source *s, struct buf *b, struct err *e)
{
	for (size_t i = 0; i < s->m->nfile; i++)
		if (!strcmp(s->m->file[i].name, "config.json") && s->file[i].where != FILE_HEADER)
			return source_file(s, i, b, e);
	return 0;
}

/* Do these have metadata of their own? */
static bool
says_architecture(const char *source)
{
	return !strcmp(source, "gguf") || !strcmp(source, "apr");
}

static const struct arch_model *
source_model(struct source *s, struct err *e)
{
	struct buf config = { 0 };
	const char *source = s->m->source;
	bool unknown;

	if (s->model)
		return s->model;
	if (read_config(s, &config, e) < 0)
		goto out;
	if (config.len > 0)
		s->model = arch_open("hf", config.p, config.len, &unknown, e);
	else if (!says_architecture(source))
		err_set(e, "no config.json says what architecture it is");
	else
		s->model = arch_open(source, s->m->metadata ? s->m->metadata : "{}",
		    s->m->metadata ? strlen(s->m->metadata) : 2, &unknown, e);
out:
	buf_release(&config);
	return s->model;
}

/* m->tensor anew, in the order of `which`. */
static int
arrange(struct source *s, const struct tensor *t, const size_t *which, size_t n,
    struct err *e)
{
	struct tensor *v = calloc(n + 8, sizeof *v);

	if (!v)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < n; i++)
		v[i] = t[which[i]];
	free(s->m->tensor);
	s->m->tensor = v;
	s->m->ntensor = n;
	return 0;
}

static size_t *
counted(size_t n, struct err *e)
{
	size_t *v = calloc(n + 1, sizeof *v);

	if (!v)
		err_set(e, "out of memory");
	for (size_t i = 0; v && i < n; i++)
		v[i] = i;
	return v;
}

int
source_as(struct source *s, enum arch_conv to, struct err *e)
{
	struct manifest *m = s->m;
	const struct arch_model *model;
	struct tensor *from;
	size_t *which;
	int conv, r = -1;

	if (s->stream)
		return err_set(e, "a saved stream keeps its convention; apr-pack maps it");
	if ((conv = arch_conv_by_name(m->convention)) < 0)
		return err_set(e, "the source does not say what its tensors are called after");
	if (conv == (int)to)
		return 0;
	if (!(model = source_model(s, e)) ||
	    !(s->as = arch_map_new(model, m, (enum arch_conv)conv, to, e)))
		return -1;
	if (!(which = counted(s->as->nout, e)))
		return -1;
	if (!(from = malloc((m->ntensor + 1) * sizeof *from))) {
		err_set(e, "out of memory");
		goto out;
	}
	memcpy(from, m->tensor, m->ntensor * sizeof *from);
	s->from = from;
	s->nfrom = m->ntensor;
	if (to == ARCH_GGUF && arch_order_convert(model, s->as->out, which, s->as->nout, e) < 0)
		goto out;
	if (arrange(s, s->as->out, which, s->as->nout, e) < 0)
		goto out;
	m->convention = arch_conv_name(to);
	s->reordered = true;
	r = 0;
out:
	free(which);
	return r;
}

static int
by_tensor_name(const void *a, const void *b)
{
	return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int
by_quantize(const void *a, const void *b)
{
	return order_quantize(((const struct tensor *)a)->name,
	    ((const struct tensor *)b)->name);
}

struct rank {
	size_t	 index, out;
	uint64_t at;
};

static int
by_rank(const void *pa, const void *pb)
{
	const struct rank *a = pa, *b = pb;

	if (a->out != b->out)
		return a->out < b->out ? -1 : 1;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

/* Tensors that keep their names, in the order in which a sink that writes
 * GGUF needs them. */
static int
order_for_gguf(struct source *s, const struct arch_model *model, enum order o, struct err *e)
{
	size_t n = s->m->ntensor, *which = NULL, *place = NULL;
	struct rank *v = calloc(n + 1, sizeof *v);
	struct arch_map *map = arch_map_new(model, s->m,
	    (enum arch_conv)arch_conv_by_name(s->m->convention), ARCH_GGUF, e);
	int r = -1;

	if (!map || !v || !(which = counted(map->nout, e)) ||
	    !(place = counted(map->ngroup, e)))
		goto out;
	if (o != ORDER_CONVERT)
		order_sort_quantize(map->out, which, map->nout);
	else if (arch_order_convert(model, map->out, which, map->nout, e) < 0)
		goto out;
	for (size_t i = map->nout; i-- > 0; )
		place[map->of[which[i]].group] = i;
	for (size_t i = 0; i < n; i++) {
		uint32_t g = map->in[i].group;

		v[i] = (struct rank){ i, g == ARCH_LEFT_OUT ? SIZE_MAX : place[g],
		    map->in[i].at };
	}
	qsort(v, n, sizeof *v, by_rank);
	free(which);
	if (!(which = counted(n, e)))
		goto out;
	for (size_t i = 0; i < n; i++)
		which[i] = v[i].index;
	r = arrange(s, s->m->tensor, which, n, e);
out:
	if (!v)
		err_set(e, "out of memory");
	arch_map_free(map);
	free(v);
	free(which);
	free(place);
	return r;
}

int
source_order(struct source *s, enum order o, struct err *e)
{
	struct manifest *m = source_manifest(s);
	const struct arch_model *model = NULL;
	struct err ignored;
	size_t *which;
	int r;

	if (o == ORDER_SOURCE)
		return 0;
	if (s->stream)
		return err_set(e, "a saved stream keeps its order");
	if (!m->plan && !source_seekable(s))
		return err_set(e, "another order needs a source that can seek, not a pipe");
	s->reordered = true;
	if (o == ORDER_CONVERT && !(model = source_model(s, e)))
		return err_prefix(e, "--order convert");
	if (!strcmp(m->convention, "gguf") && o == ORDER_CONVERT) {
		if (!(which = counted(m->ntensor, e)))
			return -1;
		r = arch_order_convert(model, m->tensor, which, m->ntensor, e);
		if (r == 0)
			r = arrange(s, m->tensor, which, m->ntensor, e);
		free(which);
		return r;
	}
	if (o != ORDER_NAME && strcmp(m->convention, "gguf") &&
	    (model || (model = source_model(s, &ignored)))) {
		r = order_for_gguf(s, model, o, o == ORDER_CONVERT ? e : &ignored);
		/* What can never be GGUF is still in order of some kind. */
		if (r == 0 || o == ORDER_CONVERT)
			return r;
	}
	qsort(m->tensor, m->ntensor, sizeof *m->tensor,
	    o == ORDER_NAME ? by_tensor_name : by_quantize);
	return 0;
}
