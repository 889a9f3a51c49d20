/* SPDX-License-Identifier: MIT */
/* scale.c -- which tensors are scales, of what, and what they do. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "scale.h"

#define SCALES_MAX	((uint64_t)32 << 20)	/* bytes of one tensor's */

static bool
is_f8(const struct tensor *t)
{
	return t->type == type_by_name("F8_E4M3") || t->type == type_by_name("F8_E5M2");
}

static uint64_t
blocks(uint64_t n)
{
	return n / SCALE_BLOCK + (n % SCALE_BLOCK != 0);
}

/* One for all, or one for each block of the last two dimensions. */
static int
check(const struct tensor *t, const struct tensor *s, struct err *e)
{
	char a[192], b[192];
	bool fits = s->ndim == t->ndim && t->ndim >= 2;

	for (unsigned d = 0; fits && d < t->ndim; d++)
		fits = s->dim[d] == (d + 2 < t->ndim ? t->dim[d] : blocks(t->dim[d]));
	if (s->type->block != 1 || !(s->type->flags & TYPE_PLAIN))
		return err_set(e, "%s: its scales, %s, are %s and not floats", t->name, s->name,
		    s->type->name);
	if (fits || s->n == 1)
		return 0;
	return err_set(e, "%s: %s has the shape %s, which is not one scale for each %d by %d of"
	    " %s", t->name, s->name, tensor_shape(s, a, sizeof a), SCALE_BLOCK, SCALE_BLOCK,
	    tensor_shape(t, b, sizeof b));
}

static size_t
find(const struct names *names, const struct tensor *t, const char *end)
{
	char name[TENSOR_NAME + 16];
	size_t k = strlen(t->name);

	if (k > TENSOR_NAME)
		return SIZE_MAX;
	memcpy(name, t->name, k);
	strcpy(name + k, end);
	return names_find(names, name);
}

static int
pair(const struct manifest *m, const struct names *names, struct scales *s, struct err *e)
{
	for (size_t i = 0; i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];
		size_t k;

		s->of[i] = s->whose[i] = NO_SCALE;
		if (!is_f8(t))
			continue;
		if ((k = find(names, t, "_scale")) != SIZE_MAX)
			return err_set(e, "%s: its values want the scales of %s, which are of a"
			    " kind that is not known (%s_scale_inv is)", t->name,
			    m->tensor[k].name, t->name);
		if ((k = find(names, t, "_scale_inv")) == SIZE_MAX)
			continue;
		if (check(t, &m->tensor[k], e) < 0)
			return -1;
		s->of[i] = (uint32_t)k;
	}
	for (size_t i = 0; i < m->ntensor; i++)
		if (s->of[i] != NO_SCALE)
			s->whose[s->of[i]] = (uint32_t)i;
	return 0;
}

int
scales_find(const struct manifest *m, struct scales *s, struct err *e)
{
	struct names *names;
	size_t n = 0;
	int r = 0;

	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < m->ntensor; i++)
		n += is_f8(&m->tensor[i]);
	if (n == 0)
		return 0;
	if (!(names = names_new(m->ntensor, e)))
		return -1;
	for (size_t i = 0; i < m->ntensor && r == 0; i++)
		r = names_add(names, m->tensor[i].name, i, NULL, e) < 0 ? -1 : 0;
	s->of = malloc((m->ntensor + 1) * sizeof *s->of);
	s->whose = malloc((m->ntensor + 1) * sizeof *s->whose);
	if (r == 0 && (!s->of || !s->whose))
		r = err_set(e, "out of memory");
	if (r == 0)
		r = pair(m, names, s, e);
	names_free(names);
	if (r < 0)
		scales_release(s);
	return r;
}

void
scales_release(struct scales *s)
{
	free(s->of);
	free(s->whose);
	memset(s, 0, sizeof *s);
}

void
scale_drop(struct scale_values **s)
{
	if (*s && --(*s)->users == 0)
		free(*s);
	*s = NULL;
}

struct scale_values *
scale_read(struct stream_in *in, const char *name, const struct type *type, uint64_t bytes,
    struct err *e)
{
	uint64_t n = bytes / type->bytes, room;
	struct scale_values *s = NULL;
	unsigned char b[4096];
	size_t k;

	if (u64_mul(&room, n, sizeof *s->v) || room > SCALES_MAX ||
	    !(s = malloc(sizeof *s + (size_t)room))) {
		err_set(e, "%s: %" PRIu64 " scales are too many", name, n);
		return NULL;
	}
	s->users = 1;
	s->n = n;
	for (uint64_t i = 0; i < n; i += k) {
		k = sizeof b / type->bytes;
		k = n - i < k ? (size_t)(n - i) : k;
		if (stream_read(in, b, k * type->bytes, e) < 0) {
			free(s);
			return NULL;
		}
		type_decoder(type)(s->v + i, b, k);
	}
	return s;
}

void
scales_apply(const struct tensor *t, const float *s, uint64_t ns, float *x, size_t n,
    uint64_t at)
{
	uint64_t cols, rows, across;

	if (ns == 1) {
		for (size_t i = 0; i < n; i++)
			x[i] *= s[0];
		return;
	}
	cols = t->dim[t->ndim - 1];
	rows = t->dim[t->ndim - 2];
	across = blocks(cols);
	while (n > 0) {
		uint64_t row = at / cols, col = at % cols;
		uint64_t left = SCALE_BLOCK - col % SCALE_BLOCK;
		float f = s[(row / rows * blocks(rows) + row % rows / SCALE_BLOCK) * across +
		    col / SCALE_BLOCK];
		size_t k = n;

		left = cols - col < left ? cols - col : left;
		k = left < k ? (size_t)left : k;
		for (size_t i = 0; i < k; i++)
			x[i] *= f;
		x += k;
		at += k;
		n -= k;
	}
}
