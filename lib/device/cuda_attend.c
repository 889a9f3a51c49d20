/* SPDX-License-Identifier: MIT */
/*
 * cuda_attend.c -- how queries and blocks of keys are dealt out to work-groups.
 *
 * By what a pass to the next does not change: a context's blocks, be there keys
 * in them or not.
 */
#include <string.h>

#include "cuda_attend.h"

/* The first three as attend.cl counts types of keys. */
const char *const cuda_attends[CUDA_ATTENDS] = {
	"attend_f16", "attend_f32", "attend_q8_0", "attend_join"
};
enum { JOIN = 3 };

/* As attend.cu has them. */
enum { TILE = 16, KEYS = 256, ELEMENTS = 2048, ITEMS = 256, JOIN_ITEMS = 128 };
/* Columns of which each block of keys has a work-group of its own, if they are
 * no more: of more there is enough to do without.  And bytes of their parts. */
enum { FEW = 64, PARTS = 32 << 20 };

/* attend.cl's arguments, an address being two. */
enum {
	KEYS_AT = 0, VALUES_AT = 2, QUERIES = 4, OUT = 6, PLACES = 8, LDQ = 10, LDO = 11, PER = 13,
	KIND = 14, N_KV = 15, N_CTX = 16, HEAD_DIM = 17, WINDOW = 19, ALL = 22
};

static size_t
blocks(size_t n_ctx)
{
	return (n_ctx + KEYS - 1) / KEYS;
}

static bool
takes(size_t head_dim)
{
	return head_dim % 32 == 0 && head_dim > 0 && head_dim <= 256;
}

/* Of a block a maximum, a sum, two that keep what follows at 16 bytes, values. */
static size_t
column_bytes(size_t n_head, size_t n_blocks, size_t head_dim)
{
	return n_head * n_blocks * (head_dim + 4) * sizeof(float);
}

size_t
cuda_attend_bytes(const struct device_need *n)
{
	size_t one = column_bytes(n->n_head, blocks(n->n_ctx), n->head_dim), few = n->n;

	if (one == 0 || few == 0 || blocks(n->n_ctx) == 1 || !takes(n->head_dim))
		return 0;
	few = few < FEW ? few : FEW;
	if (few > PARTS / one)
		few = PARTS / one;
	return one * (few ? few : 1);
}

/* An address, as of that column; `each` floats of one. */
static void
address(struct gpu_call *to, const struct gpu_arg a[2], size_t column, size_t each)
{
	to->arg[to->nargs++] = (struct gpu_arg){ .bytes = 8,
	    .v.u64 = (uintptr_t)a[0].mem + a[1].v.u64 + column * each * sizeof(float) };
}

static void
number(struct gpu_call *to, uint32_t v)
{
	to->arg[to->nargs++] = (struct gpu_arg){ .bytes = 4, .v.u32 = v };
}

bool
cuda_attend_begin(struct cuda_attend *to, struct gpu *g, const struct gpu_call *c)
{
	const struct gpu_arg *a = c->arg;
	const struct gpu_range *r = g->parts ? gpu_range(g, g->parts) : NULL;
	uint32_t hd = a[HEAD_DIM].v.u32, per = a[PER].v.u32, window = a[WINDOW].v.u32;
	uint32_t tile = hd <= ELEMENTS / TILE ? TILE : TILE / 2, n = c->groups[1], parts = 1, few;
	size_t all = cuda_attend_bytes(&g->need), n_blocks = blocks(a[N_CTX].v.u32);

	if (!takes(hd) || !gpu_at_multiple(a + KEYS_AT, 16) || !gpu_at_multiple(a + VALUES_AT, 16))
		return false;
	/* Heads that share keys, in parts that a tile holds; columns of a
	 * sequence as many as there are, if it has room. */
	while (per % parts != 0 || per / parts > tile)
		parts++;
	*to = (struct cuda_attend){ .call = c, .heads = per / parts, .most = n };
	to->cols = tile / to->heads;
	few = (uint32_t)((n + g->runs - 1) / g->runs);
	to->cols = to->cols < few ? to->cols : few;
	/* As many as a window of these columns may touch. */
	if (window && n_blocks > ((size_t)window + to->cols + KEYS - 3) / KEYS + 1)
		n_blocks = ((size_t)window + to->cols + KEYS - 3) / KEYS + 1;
	all /= column_bytes((size_t)a[N_KV].v.u32 * per, n_blocks, hd);
	if (n > FEW || n_blocks == 1 || all == 0 || !r)
		return true;
	to->parts[0] = (struct gpu_arg){ .base = true, .mem = r->mem };
	to->parts[1] = (struct gpu_arg){ .bytes = 8, .v.u64 = r->from };
	to->blocks = (uint32_t)n_blocks;
	if (all < n)
		to->most = all < to->cols ? (uint32_t)all : (uint32_t)all / to->cols * to->cols;
	return true;
}

int
cuda_attend_next(struct cuda_attend *a, struct gpu_call *to)
{
	const struct gpu_arg *given = a->call->arg;
	uint32_t n = a->call->groups[1] - a->done, n_head = a->call->groups[0];

	if (n == 0)
		return -1;
	n = n < a->most ? n : a->most;
	*to = (struct gpu_call){ .kernel = a->call->kernel };
	if (!a->join) {
		address(to, given + KEYS_AT, 0, 0);
		address(to, given + VALUES_AT, 0, 0);
		address(to, given + QUERIES, a->done, given[LDQ].v.u32);
	}
	address(to, given + OUT, a->done, given[LDO].v.u32);
	address(to, a->parts, 0, 0);
	address(to, given + PLACES, a->done, sizeof(struct device_at) / sizeof(float));
	if (a->join) {
		a->join = false;
		a->done += n;
		number(to, given[LDO].v.u32);
		number(to, given[HEAD_DIM].v.u32);
		number(to, given[WINDOW].v.u32);
		number(to, n_head);
		number(to, a->blocks);
		memcpy(to->groups, (uint32_t[]){ n_head, n, 1 }, sizeof to->groups);
		to->group = JOIN_ITEMS;
		return JOIN;
	}
	for (int i = LDQ; i < ALL; i++)
		if (i != KIND)
			to->arg[to->nargs++] = given[i];
	number(to, a->heads);
	number(to, a->cols);
	number(to, n);
	number(to, a->blocks);
	memcpy(to->groups, (uint32_t[]){ n_head / a->heads, (n + a->cols - 1) / a->cols,
	    a->blocks ? a->blocks : 1 }, sizeof to->groups);
	to->group = ITEMS;
	a->join = a->blocks > 0;
	a->done += a->join ? 0 : n;
	return (int)given[KIND].v.u32;
}
