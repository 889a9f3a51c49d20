/* SPDX-License-Identifier: MIT */
/* imatrix_gguf.c -- for each weight two tensors: NAME.in_sum2, a row for each
 * expert, and NAME.counts, one for each. */
#include <inttypes.h>
#include <string.h>

#include <apr/size.h>

#include "gguf.h"
#include "imatrix.h"

/* A key's type and value. */
static const unsigned char *
value(const struct header *h, const char *key, uint32_t *type, size_t *len, struct err *e)
{
	const struct gguf *g = h->priv;

	for (size_t i = 0; i < g->nkv; i++)
		if (!strcmp(g->kv[i].key, key)) {
			size_t skip = 8 + strlen(key) + 4;

			*type = le32_get(h->raw.p + g->kv[i].from + skip - 4);
			*len = g->kv[i].len - skip;
			return h->raw.p + g->kv[i].from + skip;
		}
	err_set(e, "no key %s", key);
	return NULL;
}

/* The three keys that llama-quantize wants, and their values. */
static int
read_keys(struct imatrix *m, const struct header *h, struct err *e)
{
	const unsigned char *p;
	uint32_t type, chunk_size;
	size_t len;

	if (!(p = value(h, "general.type", &type, &len, e)))
		return err_prefix(e, "no imatrix");
	if (type != GGUF_STRING || len != 8 + 7 || memcmp(p + 8, "imatrix", 7))
		return err_set(e, "no imatrix: its general.type is another");
	if (!(p = value(h, "imatrix.datasets", &type, &len, e)))
		return -1;
	if (type != GGUF_ARRAY || le32_get(p) != GGUF_STRING)
		return err_set(e, "imatrix.datasets is no array of strings");
	if (le64_get(p + 4) > 0 && !(m->dataset = arena_strn(&m->arena, p + 20,
	    (size_t)le64_get(p + 12))))
		return err_set(e, "out of memory");
	if (!(p = value(h, "imatrix.chunk_count", &type, &len, e)))
		return -1;
	if (type != GGUF_U32)
		return err_set(e, "imatrix.chunk_count is no u32");
	m->chunks = le32_get(p);
	if (!(p = value(h, "imatrix.chunk_size", &type, &len, e)))
		return -1;
	chunk_size = le32_get(p);
	if (type != GGUF_U32 || chunk_size == 0)
		return err_set(e, "imatrix.chunk_size is no u32 above 0");
	return 0;
}

static bool
ends(const char *name, const char *tail, size_t *len)
{
	size_t n = strlen(name), k = strlen(tail);

	*len = n - k;
	return n > k && !strcmp(name + n - k, tail);
}

/* One of a weight's two tensors: where it is, and that they agree. */
static int
note(struct imatrix *m, const struct tensor *t, struct in *in,
    struct err *e)
{
	uint64_t experts, zeros = 0;
	char name[TENSOR_NAME + 1];
	struct entry *x;
	size_t len, old;
	bool sums;

	if (!(sums = ends(t->name, ".in_sum2", &len)) && !ends(t->name, ".counts", &len))
		return err_set(e, "%s: neither a weight's .in_sum2 nor its .counts", t->name);
	if (t->type != &type_f32 || t->n == 0)
		return err_set(e, "%s: %" PRIu64 " values of %s, not some of F32", t->name,
		    t->n, t->type->name);
	experts = t->ndim > 1 ? t->n / t->dim[t->ndim - 1] : 1;
	if (imatrix_look(in, t->n, t->name, &zeros, e) < 0)
		return -1;
	memcpy(name, t->name, len);
	name[len] = '\0';
	if ((old = names_find(m->names, name)) == SIZE_MAX) {
		old = m->n;
		if (!imatrix_add(m, name, len, e))
			return -1;
	}
	x = &m->entry[old];
	if ((x->have_sums || x->have_counts) && x->e.experts != (sums ? experts : t->n))
		return err_set(e, "%s: sums and counts are not of as many experts", x->e.name);
	if (sums) {
		x->have_sums = true;
		x->e.n = t->n;
		x->e.experts = experts;
		x->at = t->offset;
	} else {
		x->have_counts = true;
		x->e.experts = t->n;
		x->e.cold = zeros;
		x->counts = t->offset;
	}
	return 0;
}

int
imatrix_read_gguf(struct imatrix *m, struct in *in, struct err *e)
{
	struct manifest *mf = manifest_new(e);
	struct header h = { 0 };
	int r = -1;

	m->gguf = true;
	if (!mf || header_parse(&h, &format_gguf, in, mf, 0, e) < 0 ||
	    read_keys(m, &h, e) < 0)
		goto out;
	header_sort(mf, 0);
	if (header_check(mf, 0, in_pos(in), in_size(in), e) < 0 || manifest_check(mf, e) < 0)
		goto out;
	for (size_t i = 0; i < mf->ntensor; i++)
		if (in_skip(in, mf->tensor[i].offset - in_pos(in), e) < 0 ||
		    note(m, &mf->tensor[i], in, e) < 0)
			goto out;
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *x = &m->entry[i];

		if (!x->have_sums || !x->have_counts) {
			err_set(e, "%s: has %s and no %s", x->e.name,
			    x->have_sums ? "sums" : "counts", x->have_sums ? "counts" : "sums");
			goto out;
		}
	}
	r = 0;
out:
	header_release(&h);
	manifest_free(mf);
	return r;
}
