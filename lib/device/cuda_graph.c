/* SPDX-License-Identifier: MIT */
/*
 * cuda_graph.c -- what a pass does between two transfers, as one launch.
 *
 * Calls and copies wait in a list of words until bytes go to the device or
 * come back.  What a pass computes lies in the device's memory at addresses
 * that stay, so the list of a token is that of the token before: the second
 * time a list comes, the driver makes a graph of it, and from then on a list
 * that is the same word for word is that graph.  Nobody above knows of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_graph.h"

enum {
	KEPT = 32,		/* graphs: batch sizes that come again */
	SEEN = 64,		/* lists that came once */
	HEAD = 5,		/* words of an entry before its arguments */
	MOST = 1 << 20,		/* words that wait at most */
	FEW = 4,		/* entries that are no graph's worth */
};

/*
 * An entry is: function, kernel's name, groups in x and y, groups in z and
 * items of each, number of arguments; arguments.  Of a copy: 0, to, from,
 * bytes, 0.
 */
struct kept {
	uint64_t	 hash, *word, used;
	size_t		 n;
	cu_graph_exec	 exec;
};

struct cuda_graphs {
	const struct cuda_api *a;
	cu_stream	 stream;
	bool		 keep;
	uint64_t	*word;		/* that wait */
	size_t		 n, cap, entries;
	struct kept	 kept[KEPT];
	uint64_t	 seen[SEEN], turn, clock;
	char		 why[256];
};

struct cuda_graphs *
cuda_graphs_new(const struct cuda_api *a, cu_stream stream, bool keep)
{
	struct cuda_graphs *g = calloc(1, sizeof *g);

	if (g) {
		g->a = a;
		g->stream = stream;
		g->keep = keep;
	}
	return g;
}

static void
drop(struct cuda_graphs *g, struct kept *k)
{
	if (k->exec)
		g->a->cuGraphExecDestroy(k->exec);
	free(k->word);
	*k = (struct kept){ 0 };
}

void
cuda_graphs_free(struct cuda_graphs *g)
{
	if (!g)
		return;
	for (int i = 0; i < KEPT; i++)
		drop(g, &g->kept[i]);
	free(g->word);
	free(g);
}

/* Room for an entry, its head filled in; NULL: *why. */
static uint64_t *
enter(struct cuda_graphs *g, const uint64_t head[HEAD], const char **why)
{
	size_t n = HEAD + (size_t)head[HEAD - 1];
	uint64_t *to;

	*why = g->n + n > MOST ? cuda_graphs_flush(g) : NULL;
	if (*why)
		return NULL;
	if (g->n + n > g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 4096;

		if (!(to = realloc(g->word, cap * sizeof *to))) {
			*why = "out of memory";
			return NULL;
		}
		g->word = to;
		g->cap = cap;
	}
	to = g->word + g->n;
	memcpy(to, head, HEAD * sizeof *head);
	g->n += n;
	g->entries++;
	return to + HEAD;
}

const char *
cuda_graphs_call(struct cuda_graphs *g, cu_function f, const char *name, const struct gpu_call *c)
{
	const char *why;
	uint64_t *arg = enter(g, (uint64_t[HEAD]){ (uintptr_t)f, (uintptr_t)name,
	    c->groups[0] | (uint64_t)c->groups[1] << 32, c->groups[2] | (uint64_t)c->group << 32,
	    c->nargs }, &why);

	for (uint32_t i = 0; arg && i < c->nargs; i++) {
		arg[i] = c->arg[i].base ? (uintptr_t)c->arg[i].mem : 0;
		if (!c->arg[i].base)
			memcpy(&arg[i], &c->arg[i].v, c->arg[i].bytes);
	}
	return why;
}

const char *
cuda_graphs_copy(struct cuda_graphs *g, cu_address to, cu_address from, size_t bytes)
{
	const char *why;

	enter(g, (uint64_t[HEAD]){ 0, to, from, bytes, 0 }, &why);
	return why;
}

/* Every entry to the stream, be it captured or not. */
static const char *
launch(struct cuda_graphs *g)
{
	const char *why = NULL;
	void *arg[GPU_ARGS];

	for (uint64_t *w = g->word; g->n > 0 && w < g->word + g->n && !why; w += HEAD + w[HEAD - 1]) {
		size_t n;

		if (!w[0]) {
			why = CU_CALL(g, cuMemcpyDtoDAsync, w[1], w[2], w[3], g->stream);
			continue;
		}
		for (uint64_t i = 0; i < w[4]; i++)
			arg[i] = w + HEAD + i;
		if (!(why = CU_CALL(g, cuLaunchKernel, (cu_function)(uintptr_t)w[0], (unsigned)w[2],
		    (unsigned)(w[2] >> 32), (unsigned)w[3], (unsigned)(w[3] >> 32), 1, 1, 0,
		    g->stream, arg, NULL)))
			continue;
		n = strlen(g->why);
		snprintf(g->why + n, sizeof g->why - n, " (%s)", (const char *)(uintptr_t)w[1]);
	}
	return why;
}

/* The list as a graph, of which nothing has run; k->exec is NULL if it fails. */
static const char *
capture(struct cuda_graphs *g, struct kept *k)
{
	cu_graph graph = NULL;
	const char *why;

	/* Whatever other threads ask of the driver meanwhile is theirs. */
	if ((why = CU_CALL(g, cuStreamBeginCapture, g->stream, CU_CAPTURE_THREAD_LOCAL)))
		return why;
	/* A stream that captures is of no use: that ends in any case. */
	if ((why = launch(g)))
		g->a->cuStreamEndCapture(g->stream, &graph);
	else
		why = CU_CALL(g, cuStreamEndCapture, g->stream, &graph);
	if (!why && (why = CU_CALL(g, cuGraphInstantiate, &k->exec, graph, 0)))
		k->exec = NULL;
	if (graph)
		g->a->cuGraphDestroy(graph);
	return why;
}

static uint64_t
hash(const struct cuda_graphs *g)
{
	uint64_t h = g->n;

	for (size_t i = 0; i < g->n; i++) {
		h = (h ^ g->word[i]) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	return h | 1;		/* 0 is none */
}

static struct kept *
find(struct cuda_graphs *g, uint64_t h)
{
	for (int i = 0; i < KEPT; i++)
		if (g->kept[i].hash == h && g->kept[i].n == g->n &&
		    !memcmp(g->kept[i].word, g->word, g->n * sizeof *g->word))
			return &g->kept[i];
	return NULL;
}

/* Whether such a list came before; it has now. */
static bool
came(struct cuda_graphs *g, uint64_t h)
{
	for (int i = 0; i < SEEN; i++)
		if (g->seen[i] == h)
			return true;
	g->seen[g->turn++ % SEEN] = h;
	return false;
}

/* The place that is free or was of use the longest ago, for this list. */
static const char *
make(struct cuda_graphs *g, uint64_t h, struct kept **to)
{
	struct kept *k = &g->kept[0];
	const char *why;

	for (int i = 1; i < KEPT; i++)
		if (g->kept[i].used < k->used)
			k = &g->kept[i];
	/* It may run still. */
	if (k->exec && (why = CU_CALL(g, cuStreamSynchronize, g->stream)))
		return why;
	drop(g, k);
	if (!(k->word = malloc(g->n * sizeof *k->word)))
		return "out of memory";
	memcpy(k->word, g->word, g->n * sizeof *k->word);
	k->n = g->n;
	if ((why = capture(g, k))) {
		drop(g, k);
		return why;
	}
	k->hash = h;
	*to = k;
	return NULL;
}

const char *
cuda_graphs_flush(struct cuda_graphs *g)
{
	struct kept *k = NULL;
	const char *why = NULL;
	uint64_t h;

	if (g->keep && g->entries >= FEW) {
		h = hash(g);
		if (!(k = find(g, h)) && came(g, h))
			why = make(g, h, &k);
	}
	if (k) {
		k->used = ++g->clock;
		why = CU_CALL(g, cuGraphLaunch, k->exec, g->stream);
	} else if (!why) {
		why = launch(g);
	}
	g->n = g->entries = 0;
	return why;
}
