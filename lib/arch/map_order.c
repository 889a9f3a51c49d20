/* SPDX-License-Identifier: MIT */
/* map_order.c -- the order in which the converter writes tensors. */
#include <stdlib.h>
#include <string.h>

#include "arch.h"

/* Where the converter writes a tensor: file by file, there by the checkpoint's
 * name; a layer's stacks where the last of its experts stands. */
struct spot {
	size_t	 index;
	unsigned shard;
	char	*name;
};

static int
by_spot(const void *pa, const void *pb)
{
	const struct spot *a = pa, *b = pb;

	if (a->shard != b->shard)
		return a->shard < b->shard ? -1 : 1;
	if (!a->name || !b->name)	/* made ones, as they were */
		return a->name ? 1 : b->name ? -1 : (a->index > b->index) - (a->index < b->index);
	return strcmp(a->name, b->name);
}

int
arch_order_convert(const struct arch_model *m, const struct tensor *t, size_t *which,
    size_t n, struct err *e)
{
	struct spot *v = calloc(n + 1, sizeof *v);
	unsigned *last = calloc(m->layers + 1, sizeof *last);
	char name[TENSOR_NAME + 1], *at;
	struct arena a = { 0 };
	struct arch_hit h;
	int r = 0;

	if (!v || !last)
		r = err_set(e, "out of memory");
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; r == 0 && i < n; i++) {
			const struct tensor *q = &t[which[i]];
			bool stack;

			v[i].index = which[i];
			if (!arch_match(m, ARCH_GGUF, q->name, &h))
				continue;	/* in front, with those that are made */
			stack = strchr(h.row->hf, '@') && h.layer >= 0 &&
			    (uint64_t)h.layer <= m->layers;
			if (pass == 0) {
				if (stack && q->shard > last[h.layer])
					last[h.layer] = q->shard;
				continue;
			}
			if (!strncmp(h.row->hf, "rope_", 5))
				continue;
			h.part = 0;
			h.expert = 0;
			arch_spell(m, ARCH_HF, &h, name);
			/* Behind all experts' names, before any other's. */
			if (stack && (at = strstr(name, ".experts.0.")))
				at[9] = '~';
			v[i].shard = stack ? last[h.layer] : q->shard;
			if (!(v[i].name = arena_strn(&a, name, strlen(name))))
				r = err_set(e, "out of memory");
		}
	if (r == 0) {
		qsort(v, n, sizeof *v, by_spot);
		for (size_t i = 0; i < n; i++)
			which[i] = v[i].index;
	}
	arena_release(&a);
	free(last);
	free(v);
	return r;
}
