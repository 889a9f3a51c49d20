/* SPDX-License-Identifier: MIT */
/*
 * lattice.c -- lattice's files of one tensor: KHQ4, blocks with a scale and
 * a bias, and KHF1, F16.  (Their directories: lattice_dir.c.)
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "lattice.h"
#include "spot.h"

/* magic, version, ndim, dims, number of elements. */
int
lattice_head(const unsigned char *p, size_t n, uint64_t size, struct tensor *t,
    size_t *head, struct err *e)
{
	bool q4 = n >= 4 && !memcmp(p, "KHQ4", 4);
	uint64_t want, count;
	uint32_t version, ndim;

	if (!q4 && (n < 4 || memcmp(p, "KHF1", 4)))
		return err_set(e, "is neither lattice's Q4 (KHQ4) nor its F16 (KHF1)");
	if (n < 12)
		return err_set(e, "its header is cut off");
	version = le32_get(p + 4);
	if (q4 && version == 1)
		return err_set(e, "is lattice's Q4 of version 1, symmetric blocks of 18 bytes:"
		    " quantize it again");
	if (version != (q4 ? 2 : 1))
		return err_set(e, "is lattice's %s of version %" PRIu32 ", not %d",
		    q4 ? "Q4" : "F16", version, q4 ? 2 : 1);
	ndim = le32_get(p + 8);
	if (ndim > TENSOR_DIMS)
		return err_set(e, "%" PRIu32 " dimensions, at most %d are known", ndim,
		    TENSOR_DIMS);
	*head = 20 + (size_t)ndim * 8;
	if (n < *head)
		return err_set(e, "its header is cut off");
	t->ndim = ndim;
	for (uint32_t i = 0; i < ndim; i++)
		t->dim[i] = le64_get(p + 12 + i * 8);
	if (tensor_set(t, q4 ? &type_lattice_q4 : &type_f16, TENSOR_ROWS, e) < 0)
		return -1;
	count = le64_get(p + *head - 8);
	if (count != t->n)
		return err_set(e, "its dimensions make %" PRIu64 " elements, its header says %"
		    PRIu64, t->n, count);
	want = *head + t->bytes;	/* far from 2^64: tensor_set() */
	if (size != want)
		return err_set(e, "%" PRIu64 " bytes, its header says %" PRIu64, size, want);
	return 0;
}

static bool
is_finite(const unsigned char *half)
{
	return (le16_get(half) & 0x7c00) != 0x7c00;
}

/* One block, or number. */
static int
judge(const struct tensor *t, const unsigned char *p, uint64_t at, struct err *e)
{
	uint64_t i = at / t->type->bytes;
	float d;

	if (t->type != &type_lattice_q4)
		return is_finite(p) ? 0 : err_set(e, "%s at index %" PRIu64,
		    le16_get(p) & 0x3ff ? "NaN" : "Inf", i);
	d = type_f16_to(le16_get(p));
	if (!is_finite(p) || !(d > 0))
		return err_set(e, "block %" PRIu64 " has the scale %g", i, (double)d);
	if (!is_finite(p + 2))
		return err_set(e, "block %" PRIu64 " has the bias %g", i,
		    (double)type_f16_to(le16_get(p + 2)));
	return 0;
}

int
lattice_judge(const struct tensor *t, const void *b, size_t n, uint64_t at, struct err *e)
{
	const unsigned char *p = b;
	size_t unit = t->type->bytes;

	for (; n >= unit; n -= unit, p += unit, at += unit)
		if (judge(t, p, at, e) < 0)
			return -1;
	return 0;
}

int
lattice_check(struct lattice_check *c, const struct tensor *t, const void *b, size_t n,
    uint64_t at, struct err *e)
{
	const unsigned char *p = b;
	size_t unit = t->type->bytes, k;

	for (; n > 0; n -= k, p += k, at += k) {
		size_t in = (size_t)(at % unit);

		if (in == 0 && n >= unit) {
			k = n / unit * unit;
			if (lattice_judge(t, p, k, at, e) < 0)
				return -1;
			continue;
		}
		k = unit - in < n ? unit - in : n;
		memcpy(c->part + in, p, k);
		if (in + k == unit && judge(t, c->part, at - in, e) < 0)
			return -1;
	}
	return 0;
}

/* One file by itself, whose name is its tensor's. */
static int
parse(struct in *in, struct header *h, struct err *e)
{
	const unsigned char *p;
	struct tensor *t;
	struct spot *s;
	size_t n, head;

	in_tee(in, NULL);
	if (!h->m->convention)
		h->m->convention = "hf";
	if (!h->m->source)
		h->m->source = "lattice";
	if (!in_seekable(in))
		return err_set(e, "lattice's files are judged by their length: a file is"
		    " wanted, not a pipe, nor compressed");
	if (in_peek(in, LATTICE_HEAD, &p, &n, e) < 0 ||
	    !(h->spots = spots_new(e)) || !(s = spots_add(h->spots, e)) ||
	    !(t = manifest_add_tensor(h->m, "tensor", 6, e)))
		return -1;
	t->offset = 0;
	if (lattice_head(p, n, in_size(in), t, &head, e) < 0)
		return -1;
	s->from = head;
	s->judge = lattice_judge;
	return 0;
}

static int
probe(const unsigned char *p, size_t n)
{
	return n >= 4 && (!memcmp(p, "KHQ4", 4) || !memcmp(p, "KHF1", 4)) ? 32 : 0;
}

static int
holds(const struct tensor *t, struct err *e)
{
	if (t->type != &type_lattice_q4 && t->type != &type_f16)
		return err_set(e, "%s: lattice has no %s; apr-quant --rules=lattice makes it"
		    " lattice_q4 or F16", t->name, t->type->name);
	return 0;
}

static int
layout(const struct layout_in *in, struct layout *l, struct err *e)
{
	const struct tensor *t = &in->m->tensor[in->which[0]];
	unsigned char b[LATTICE_HEAD];
	size_t n = 12;

	if (in->n != 1)
		return err_set(e, "%zu tensors, and one of lattice's files has one: a directory"
		    " (out/) has them all", in->n);
	if (holds(t, e) < 0)
		return -1;
	memcpy(b, t->type == &type_f16 ? "KHF1" : "KHQ4", 4);
	le32_put(b + 4, t->type == &type_f16 ? 1 : 2);
	le32_put(b + 8, t->ndim);
	for (unsigned i = 0; i < t->ndim; i++, n += 8)
		le64_put(b + n, t->dim[i]);
	le64_put(b + n, t->n);
	n += 8;
	buf_put(&l->head, b, n);
	if (!(l->offset = calloc(2, sizeof *l->offset)))
		return err_set(e, "out of memory");
	l->offset[0] = n;
	l->end = n + t->bytes;
	l->footer = false;
	return buf_check(&l->head, e);
}

static bool
has_key(const char *key)
{
	(void)key;
	return false;
}

const struct format format_lattice = {
	.name = "lattice", .suffix = ".q4", .alone = true, .probe = probe, .parse = parse,
	.holds = holds, .layout = layout, .has_key = has_key,
};
