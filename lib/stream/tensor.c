/* SPDX-License-Identifier: MIT */
/* tensor.c -- the one place that turns a shape and a type into bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <apr/manifest.h>
#include <apr/size.h>

const char *
tensor_shape(const struct tensor *t, char *s, size_t n)
{
	size_t k = 0;

	k += (size_t)snprintf(s, n, "[");
	for (unsigned i = 0; i < t->ndim && k < n; i++)
		k += (size_t)snprintf(s + k, n - k, "%s%" PRIu64, i ? ", " : "", t->dim[i]);
	if (k < n)
		snprintf(s + k, n - k, "]");
	return s;
}

int
tensor_set(struct tensor *t, const struct type *type, enum tensor_layout how,
    struct err *e)
{
	uint64_t n = 1, rows = 1, cols, blocks, row, bytes;
	char shape[192];

	if (t->ndim > TENSOR_DIMS)
		return err_set(e, "%s: %u dimensions, at most %d are known",
		    t->name, t->ndim, TENSOR_DIMS);
	for (unsigned i = 0; i < t->ndim; i++)
		if (u64_mul(&n, n, t->dim[i]))
			goto overflow;
	/* A zero among huge ones must not hide the overflow of the others. */
	for (unsigned i = 0; i + 1 < t->ndim; i++)
		if (u64_mul(&rows, rows, t->dim[i] ? t->dim[i] : 1))
			goto overflow;
	cols = t->ndim ? t->dim[t->ndim - 1] : 1;
	if (u64_mul(&row, rows, cols))
		goto overflow;
	if (n == 0)
		rows = 0;
	if (how == TENSOR_FLAT || (type->flags & TYPE_FLAT)) {
		blocks = n / type->block + (n % type->block != 0);
		if (u64_mul(&bytes, blocks, type->bytes))
			goto overflow;
		row = 0;
	} else {
		if (cols % type->block != 0 && how != TENSOR_PADDED)
			return err_set(e, "%s: rows of %" PRIu64 " are not whole %s"
			    " blocks of %u", t->name, cols, type->name, type->block);
		blocks = cols / type->block + (cols % type->block != 0);
		if (u64_mul(&row, blocks, type->bytes) || u64_mul(&bytes, rows, row))
			goto overflow;
	}
	if ((type->flags & TYPE_WHOLE) && n > 0 && u64_add(&bytes, bytes, 4))
		goto overflow;
	if (bytes > INT64_MAX)
		goto overflow;
	t->type = type;
	t->n = n;
	t->bytes = bytes;
	t->flat = how == TENSOR_FLAT || (type->flags & TYPE_FLAT);
	t->row_bytes = how == TENSOR_PADDED && cols % type->block ? row : 0;
	t->tied_to = NULL;
	return 0;
overflow:
	return err_set(e, "%s: shape %s of %s overflows", t->name,
	    tensor_shape(t, shape, sizeof shape), type->name);
}

uint64_t
tensor_rows(const struct tensor *t)
{
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1;

	return cols ? t->n / cols : 0;
}

uint64_t
tensor_row_bytes(const struct tensor *t)
{
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1;

	if (t->flat || t->tied_to)
		return 0;
	if (t->row_bytes)
		return t->row_bytes;
	return cols / t->type->block * t->type->bytes;
}

bool
tensor_has_flat_mark(const struct tensor *t)
{
	return t->flat && !t->tied_to && t->n > 0 && t->ndim > 0 &&
	    t->dim[t->ndim - 1] % t->type->block != 0;
}

bool
tensor_same_shape(const struct tensor *a, const struct tensor *b)
{
	return a->ndim == b->ndim &&
	    !memcmp(a->dim, b->dim, a->ndim * sizeof *a->dim);
}

const char *
tensor_role(const struct tensor *t)
{
	return t->role ? t->role : t->name;
}

bool
name_is_embedding(const char *name)
{
	static const char *const tails[] = {
		"embed_tokens.weight", "wte.weight", "word_embeddings.weight",
		"token_embd.weight",
	};
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		size_t k = strlen(tails[i]);

		if (n >= k && !strcmp(name + n - k, tails[i]) &&
		    (n == k || name[n - k - 1] == '.'))
			return true;
	}
	return false;
}
