/* SPDX-License-Identifier: MIT */
/* torch.c -- PyTorch's checkpoints: a zip archive with a pickle that says
 * what tensors there are, and a file for each storage.  Read only. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "pickle.h"
#include "spot.h"
#include "zip.h"

#define PICKLE_LIMIT	((uint64_t)32 << 20)	/* bytes of data.pkl */

/* Keys under which training scripts keep a model beside other things. */
static const char *const roots[] = { "state_dict", "model_state_dict", "model", "module" };

struct reader {
	struct header	*h;
	struct zip	 zip;
	char		*prefix;	/* "archive/" */
	size_t		*sum;		/* of each entry, NO_SUM: not yet */
};

static const struct zip_entry *
find(const struct reader *r, const char *name, struct err *e)
{
	struct buf b = { 0 };
	const struct zip_entry *en = NULL;

	buf_printf(&b, "%s%s", r->prefix, name);
	buf_put(&b, "", 1);
	if (buf_check(&b, e) == 0 && !(en = zip_find(&r->zip, (char *)b.p)))
		err_set(e, "no %s in the archive", (char *)b.p);
	buf_release(&b);
	return en;
}

/* The sum of a storage's bytes: one, however many tensors view it. */
static size_t
sum_of(struct reader *r, const struct zip_entry *en, struct err *e)
{
	size_t i = (size_t)(en - r->zip.entry);

	if (r->sum[i] == NO_SUM)
		r->sum[i] = spots_sum(r->h->spots, en->from, en->bytes, en->crc, e);
	return r->sum[i];
}

static bool
is_contiguous(const struct pickle_tensor *p)
{
	uint64_t want = 1;

	for (unsigned d = p->ndim; d > 0; d--) {
		if (p->dim[d - 1] != 1 && p->stride[d - 1] != want)
			return false;
		want *= p->dim[d - 1];	/* n of the whole did not overflow */
	}
	return true;
}

/* All of it lies in its storage. */
static int
inside(const struct pickle_tensor *p, uint64_t n, struct err *e)
{
	uint64_t last = p->offset, x;

	for (unsigned d = 0; d < p->ndim; d++) {
		if (p->dim[d] == 0)
			return 0;
		if (p->stride[d] == 0 && p->dim[d] > 1)
			return err_set(e, "is a view that repeats its numbers");
		if (u64_mul(&x, p->dim[d] - 1, p->stride[d]) || u64_add(&last, last, x))
			last = UINT64_MAX;
	}
	return last < n ? 0 : err_set(e, "reaches to number %" PRIu64 " of a storage of %" PRIu64,
	    last, n);
}

/* Where t's numbers are: *pl, which is zeroed. */
static int
locate(struct reader *r, const struct tensor *t, const struct pickle_tensor *p,
    struct spot *pl, struct err *e)
{
	const struct zip_entry *en;
	char path[64];

	if (strlen(p->storage->key) > 40 || strchr(p->storage->key, '/'))
		return err_set(e, "its storage has no proper name");
	strcpy(path, "data/");
	strcat(path, p->storage->key);
	if (!(en = find(r, path, e)))
		return -1;
	if (en->deflated)
		return err_set(e, "%s is packed: PyTorch stores plainly", en->name);
	/* (Its type may be seen as another of the same bytes.) */
	if (inside(p, en->bytes / t->type->bytes, e) < 0)
		return -1;
	pl->from = en->from + p->offset * t->type->bytes;
	pl->strided = !is_contiguous(p);
	memcpy(pl->stride, p->stride, p->ndim * sizeof *pl->stride);
	return (pl->sum = sum_of(r, en, e)) == NO_SUM ? -1 : 0;
}

static int
add(struct reader *r, const char *name, size_t len, const struct pickle_tensor *p,
    struct err *e)
{
	struct tensor *t = manifest_add_tensor(r->h->m, name, len, e);
	struct spot *pl;

	if (!t)
		return -1;
	t->ndim = p->ndim;
	memcpy(t->dim, p->dim, p->ndim * sizeof *t->dim);
	if (tensor_set(t, type_by_name(p->type), TENSOR_ROWS, e) < 0)
		return -1;
	t->offset = r->h->spots->n;
	if (!(pl = spots_add(r->h->spots, e)))
		return -1;
	return locate(r, t, p, pl, e) < 0 ? err_prefix(e, "%s", t->name) : 0;
}

/* The dict of tensors: all of it, or under a key that is known. */
static int
dict(struct reader *r, const struct pickle_value *v, struct err *e)
{
	const struct pickle_value *inner;

	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
		if ((inner = pickle_get(v, roots[i])) && inner->kind == PICKLE_DICT) {
			v = inner;
			break;
		}
	if (v->kind != PICKLE_DICT)
		return err_set(e, "data.pkl: %s, not a dict of tensors", pickle_what(v));
	if (v->n == 0)
		return err_set(e, "data.pkl: no tensors");
	for (uint32_t i = 0; i + 1 < v->n; i += 2) {
		const struct pickle_value *key = v->u.item[i], *x = v->u.item[i + 1];

		if (key->kind != PICKLE_STRING)
			return err_set(e, "data.pkl: a tensor's name is %s", pickle_what(key));
		if (x->kind != PICKLE_TENSOR)
			return err_set(e, "data.pkl: %s is %s, no tensor", key->u.s,
			    pickle_what(x));
		if (add(r, key->u.s, key->n, x->u.tensor, e) < 0)
			return -1;
	}
	return 0;
}

/* "NAME/data.pkl": its folder is that of all. */
static const struct zip_entry *
find_pickle(struct reader *r, struct err *e)
{
	for (size_t i = 0; i < r->zip.n; i++) {
		const char *name = r->zip.entry[i].name, *slash = strchr(name, '/');

		if (!slash || strcmp(slash, "/data.pkl"))
			continue;
		if (!(r->prefix = strndup(name, (size_t)(slash - name) + 1)))
			err_set(e, "out of memory");
		return r->prefix ? &r->zip.entry[i] : NULL;
	}
	err_set(e, "a zip archive without data.pkl or arrays: neither PyTorch's nor NumPy's");
	return NULL;
}

static int
read_all(struct reader *r, struct in *in, struct err *e)
{
	const struct zip_entry *pkl, *order;
	const struct pickle_value *v;
	struct arena arena = { 0 };
	struct buf b = { 0 };
	struct err ignored;
	int ret = -1;

	if (zip_read(&r->zip, in, e) < 0 || !(pkl = find_pickle(r, e)))
		return -1;
	if (find(r, "constants.pkl", &ignored))
		return err_set(e, "a TorchScript archive, which is a program: save its"
		    " state_dict() instead");
	if (!(r->sum = malloc((r->zip.n + 1) * sizeof *r->sum)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < r->zip.n; i++)
		r->sum[i] = NO_SUM;
	if ((order = find(r, "byteorder", &ignored))) {
		if (zip_get(in, order, 16, &b, e) < 0) {
			err_prefix(e, "byteorder");
			goto out;
		}
		if (b.len != 6 || memcmp(b.p, "little", 6)) {
			err_set(e, "its numbers are big-endian");
			goto out;
		}
		b.len = 0;
	}
	if (pkl->bytes > PICKLE_LIMIT) {
		err_set(e, "data.pkl has %" PRIu64 " bytes: at most %" PRIu64 " are read",
		    pkl->bytes, PICKLE_LIMIT);
		goto out;
	}
	if (zip_get(in, pkl, PICKLE_LIMIT, &b, e) < 0)
		err_prefix(e, "data.pkl");
	else if ((v = pickle_read(&arena, b.p, b.len, e)))
		ret = dict(r, v, e);
out:
	buf_release(&b);
	arena_release(&arena);
	return ret;
}

static struct spots *sorting;

static int
by_place(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;
	uint64_t i = sorting->p[x->offset].from, k = sorting->p[y->offset].from;

	return i != k ? (i < k ? -1 : 1) : strcmp(x->name, y->name);
}

/* Places in the order of the data, as tensors will be. */
static int
sort(struct header *h, struct err *e)
{
	size_t n = h->spots->n;
	struct spot *p = malloc((n + 1) * sizeof *p);
	struct tensor *t = h->m->tensor + h->first;

	if (!p)
		return err_set(e, "out of memory");
	sorting = h->spots;
	if (n > 0)
		qsort(t, n, sizeof *t, by_place);
	for (size_t i = 0; i < n; i++) {
		p[i] = h->spots->p[t[i].offset];
		t[i].offset = i;
	}
	free(h->spots->p);
	h->spots->p = p;
	return 0;
}

static bool
is_old(const unsigned char *p, size_t n)
{
	return n >= 14 && !memcmp(p, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);
}

static int
parse(struct in *in, struct header *h, struct err *e)
{
	struct reader r = { .h = h };
	const unsigned char *p;
	size_t n;
	int ret;

	if (in_peek(in, 14, &p, &n, e) < 0)
		return -1;
	if (is_old(p, n))
		return err_set(e, "PyTorch's format from before 1.6: load it there and save it"
		    " again");
	in_tee(in, NULL);
	if (!h->m->convention)
		h->m->convention = "hf";
	if (!h->m->source)
		h->m->source = "torch";
	if (!(h->spots = spots_new(e)))
		return -1;
	ret = read_all(&r, in, e);
	if (ret == 0)
		ret = sort(h, e);
	zip_release(&r.zip);
	free(r.prefix);
	free(r.sum);
	return ret;
}

/* Any other zip archive gets its refusal here. */
static int
probe(const unsigned char *p, size_t n)
{
	return is_old(p, n) ? 64 : n >= 4 && !memcmp(p, "PK\3\4", 4) ? 32 : 0;
}

static bool
has_key(const char *key)
{
	(void)key;
	return false;
}

const struct format format_torch = {
	.name = "torch", .suffix = ".pt", .probe = probe, .parse = parse,
	.has_key = has_key,
};
