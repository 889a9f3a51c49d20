/* SPDX-License-Identifier: MIT */
/* table.c -- tensors as lines for people. */
#include <inttypes.h>
#include <stdio.h>

#include "table.h"

const char *
tame(const char *s, struct err *e)
{
	err_set(e, "%s", s);
	return e->msg;
}

void
table_tensor(const struct tensor *t)
{
	char shape[192];
	struct err e;

	printf("%-8s %14" PRIu64 "  %-20s %s", t->type->name, t->bytes,
	    tensor_shape(t, shape, sizeof shape), tame(t->name, &e));
}

struct table_sums
table_sums(const struct manifest *m)
{
	struct table_sums s = { 0 };

	for (size_t i = 0; i < m->ntensor; i++) {
		s.n += m->tensor[i].tied_to ? 0 : m->tensor[i].n;
		s.bytes += m->tensor[i].bytes;
	}
	s.bpw = s.n ? 8.0 * (double)s.bytes / (double)s.n : 0;
	return s;
}
