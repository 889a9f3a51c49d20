/* SPDX-License-Identifier: MIT */
/* names.c -- names to indices; seeded, so that no file can choose collisions. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include <apr/manifest.h>

struct names {
	size_t		 mask, used;
	XXH64_hash_t	 seed;
	struct slot { const char *name; size_t index; } *slot;
};

struct names *
names_new(size_t n, struct err *e)
{
	struct names *t = calloc(1, sizeof *t);
	size_t size = 64;

	while (size / 4 * 3 < n && size < SIZE_MAX / 4 / sizeof(struct slot))
		size *= 2;
	if (!t || !(t->slot = calloc(size, sizeof *t->slot))) {
		free(t);
		err_set(e, "out of memory");
		return NULL;
	}
	t->mask = size - 1;
	if (getrandom(&t->seed, sizeof t->seed, GRND_NONBLOCK) < 0)
		t->seed = (XXH64_hash_t)(uintptr_t)t;
	return t;
}

static struct slot *
find(const struct names *t, const char *name)
{
	size_t i = XXH3_64bits_withSeed(name, strlen(name), t->seed) & t->mask;

	while (t->slot[i].name && strcmp(t->slot[i].name, name))
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

static int
grow(struct names *t, struct err *e)
{
	struct slot *old = t->slot, *s;
	size_t n = t->mask + 1;

	if (!(s = calloc(n * 2, sizeof *s)))
		return err_set(e, "out of memory");
	t->slot = s;
	t->mask = n * 2 - 1;
	for (size_t i = 0; i < n; i++)
		if (old[i].name)
			*find(t, old[i].name) = old[i];
	free(old);
	return 0;
}

int
names_add(struct names *t, const char *name, size_t index, size_t *old,
    struct err *e)
{
	struct slot *s;

	if (t->used > t->mask / 4 * 3 && grow(t, e) < 0)
		return -1;
	s = find(t, name);
	if (s->name) {
		if (old)
			*old = s->index;
		return 0;
	}
	*s = (struct slot){ name, index };
	t->used++;
	return 1;
}

size_t
names_find(const struct names *t, const char *name)
{
	const struct slot *s = find(t, name);

	return s->name ? s->index : SIZE_MAX;
}

void
names_free(struct names *t)
{
	if (t)
		free(t->slot);
	free(t);
}
