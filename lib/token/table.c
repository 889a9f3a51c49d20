/* SPDX-License-Identifier: MIT */
/* table.c -- bytes to an id, by open addressing. */
#include <stdlib.h>
#include <string.h>

#include "match.h"

uint64_t
table_hash(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = n * 0x9e3779b97f4a7c15, w;

	for (; n >= 8; n -= 8, s += 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0xbf58476d1ce4e5b9;
		h ^= h >> 29;
	}
	w = 0;
	memcpy(&w, s, n);
	h = (h ^ w) * 0x94d049bb133111eb;
	return h ^ h >> 32;
}

int
table_new(struct table *t, size_t n, struct err *e)
{
	size_t cap = 16;

	while (cap < 2 * n)
		cap *= 2;
	t->slot = malloc(cap * sizeof *t->slot);
	if (!t->slot)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < cap; i++)
		t->slot[i].id = -1;
	t->mask = cap - 1;
	return 0;
}

void
table_free(struct table *t)
{
	free(t->slot);
}

void
table_put(struct table *t, const void *p, size_t n, int32_t id)
{
	size_t i = table_hash(p, n) & t->mask;

	for (; t->slot[i].id >= 0; i = (i + 1) & t->mask)
		if (t->slot[i].n == n && !memcmp(t->slot[i].p, p, n))
			return;
	t->slot[i] = (struct entry){ p, (uint32_t)n, id };
}

int32_t
table_find(const struct table *t, const void *p, size_t n)
{
	for (size_t i = table_hash(p, n) & t->mask; t->slot[i].id >= 0; i = (i + 1) & t->mask)
		if (t->slot[i].n == n && !memcmp(t->slot[i].p, p, n))
			return t->slot[i].id;
	return -1;
}
