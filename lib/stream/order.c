/* SPDX-License-Identifier: MIT */
/* order.c -- the order in which llama-quantize visits tensors. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr/manifest.h>

/* One too long to count is the last. */
int64_t
name_layer(const char *name)
{
	int64_t n = 0;

	if (strncmp(name, "blk.", 4) != 0 || name[4] < '0' || name[4] > '9')
		return -1;
	for (name += 4; *name >= '0' && *name <= '9'; name++) {
		if (n > INT32_MAX / 10)
			return INT32_MAX;
		n = n * 10 + (*name - '0');
	}
	return n;
}

int
order_quantize(const char *a, const char *b)
{
	int64_t la = name_layer(a), lb = name_layer(b);

	if (la != lb)
		return la < lb ? -1 : 1;
	return strcmp(a, b);
}

static int
by_quantize(const void *a, const void *b, void *ctx)
{
	const struct tensor *t = ctx;

	return order_quantize(t[*(const size_t *)a].name, t[*(const size_t *)b].name);
}

void
order_sort_quantize(const struct tensor *t, size_t *which, size_t n)
{
	if (n > 1)
		qsort_r(which, n, sizeof *which, by_quantize, (void *)t);
}
