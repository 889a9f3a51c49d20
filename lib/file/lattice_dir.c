/* SPDX-License-Identifier: MIT */
/*
 * lattice_dir.c -- a directory of lattice's: its index, a list or an object
 * that has one beside what it says of rotated weights.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/size.h>

#include "lattice.h"
#include "spot.h"

enum { HAS_NAME = 1, HAS_FILE = 2, HAS_QUANTIZED = 4, HAS_SHAPE = 8, HAS_NUMEL = 16,
	HAS_ALL = 31 };

/* One tensor's, as the index says it. */
struct entry {
	char		 name[TENSOR_NAME + 1], file[256];
	bool		 quantized;
	uint64_t	 dim[TENSOR_DIMS], numel;
	unsigned	 ndim;
};

typedef int entry_fn(void *ctx, const struct entry *, struct err *);

/* Reading one. */
struct index {
	entry_fn	*fn;
	void		*ctx;
	int		 depth;
	int		 list;		/* how deep the entries lie; 0: not now */
	bool		 seen;		/* the list */
	bool		 next, online;	/* what the last key was: tensors, online */
	unsigned	 key, have;	/* the entry's last key, and all */
	struct entry	 en;
};

static int
take_string(char *to, size_t size, const char *what, const char *s, size_t n, struct err *e)
{
	if (n == 0 || n >= size || memchr(s, 0, n))
		return err_set(e, "a %s of %zu bytes", what, n);
	memcpy(to, s, n);
	to[n] = '\0';
	return 0;
}

static unsigned
key_of(const char *s, size_t n)
{
	static const char *const keys[] = { "name", "file", "quantized", "shape", "numel" };

	for (unsigned i = 0; i < 5; i++)
		if (strlen(keys[i]) == n && !memcmp(keys[i], s, n))
			return 1u << i;
	return 0;
}

/* A value in an entry. */
static int
field(struct index *x, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct entry *en = &x->en;

	if (x->key && (x->have & x->key))
		return err_set(e, "says something twice of %s", en->name);
	x->have |= x->key;
	switch (x->key) {
	case HAS_NAME:
		if (ev == JSON_STRING)
			return take_string(en->name, sizeof en->name, "name", s, n, e);
		break;
	case HAS_FILE:
		if (ev == JSON_STRING)
			return take_string(en->file, sizeof en->file, "file's name", s, n, e);
		break;
	case HAS_QUANTIZED:
		en->quantized = ev == JSON_TRUE;
		if (ev == JSON_TRUE || ev == JSON_FALSE)
			return 0;
		break;
	case HAS_NUMEL:
		if (ev == JSON_NUMBER && json_u64(s, n, &en->numel))
			return 0;
		break;
	case HAS_SHAPE:
		if (ev == JSON_ARRAY)
			return 0;
		break;
	default:
		return 0;
	}
	return err_set(e, "an entry's name, file, quantized, shape or numel is none");
}

static int
dimension(struct entry *en, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	if (en->ndim == TENSOR_DIMS)
		return err_set(e, "%s: more than %d dimensions", en->name, TENSOR_DIMS);
	if (ev != JSON_NUMBER || !json_u64(s, n, &en->dim[en->ndim]))
		return err_set(e, "%s: its shape is no list of numbers", en->name);
	en->ndim++;
	return 0;
}

/* What stands outside of the list. */
static int
outside(struct index *x, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	if (x->depth == 0 && ev != JSON_ARRAY && ev != JSON_OBJECT)
		return err_set(e, "is neither a list of tensors nor an object");
	if (x->depth == 1 && ev == JSON_KEY) {
		x->next = n == 7 && !memcmp(s, "tensors", 7);
		x->online = n == 6 && !memcmp(s, "online", 6);
		return 0;
	}
	if (x->depth == 1 && x->online && ev != JSON_NULL)
		return err_set(e, "says that activations are to be rotated while the model"
		    " runs: its weights alone are not the model");
	if (x->depth == 1 && x->next && ev != JSON_ARRAY)
		return err_set(e, "its tensors are no list");
	if (ev == JSON_ARRAY && (x->depth == 0 || (x->depth == 1 && x->next))) {
		if (x->seen)
			return err_set(e, "has two lists of tensors");
		x->seen = true;
		x->list = x->depth + 1;
	}
	return 0;
}

static int
inside(struct index *x, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	int in = x->depth - x->list;

	if (in == 0 && ev != JSON_OBJECT && ev != JSON_ARRAY_END)
		return err_set(e, "an entry is no object");
	if (in == 0 && ev == JSON_OBJECT) {
		memset(&x->en, 0, sizeof x->en);
		x->have = x->key = 0;
	} else if (in == 1 && ev == JSON_KEY) {
		x->key = key_of(s, n);
	} else if (in == 1 && ev == JSON_OBJECT_END) {
		if (x->have != HAS_ALL)
			return err_set(e, "an entry lacks its name, file, quantized, shape or"
			    " numel");
		return x->fn(x->ctx, &x->en, e);
	} else if (in == 1) {
		return field(x, ev, s, n, e);
	} else if (in == 2 && x->key == HAS_SHAPE && ev != JSON_ARRAY_END) {
		return dimension(&x->en, ev, s, n, e);
	}
	return 0;
}

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct index *x = ctx;
	bool closes = ev == JSON_OBJECT_END || ev == JSON_ARRAY_END;
	int r = x->list ? inside(x, ev, s, n, e) : outside(x, ev, s, n, e);

	x->depth += ev == JSON_OBJECT || ev == JSON_ARRAY ? 1 : closes ? -1 : 0;
	if (x->list && x->depth < x->list)
		x->list = 0;
	return r;
}

static int
index_read(const struct buf *b, entry_fn *fn, void *ctx, struct err *e)
{
	struct index *x = calloc(1, sizeof *x);
	int r;

	if (!x)
		return err_set(e, "out of memory");
	x->fn = fn;
	x->ctx = ctx;
	r = json_text(LATTICE_INDEX, b->p, b->len, event, x, e);
	if (r == 0 && !x->seen)
		r = err_set(e, LATTICE_INDEX ": has no list of tensors");
	free(x);
	return r;
}

struct opening {
	struct header	*h;
	const char	*dir;
};

/* The first bytes of an entry's file, and its length. */
static int
look(const char *path, unsigned char b[LATTICE_HEAD], size_t *n, uint64_t *size,
    struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;
	struct stat st;

	if (fd < 0)
		return err_sys(e, "%s", path);
	if (fstat(fd, &st) < 0)
		r = err_sys(e, "%s", path);
	else if (!S_ISREG(st.st_mode))
		r = err_set(e, "%s: not a regular file", path);
	if (r == 0) {
		*size = (uint64_t)st.st_size;
		*n = *size < LATTICE_HEAD ? (size_t)*size : LATTICE_HEAD;
		if ((r = io_pread(fd, b, *n, 0, e)) < 0)
			err_prefix(e, "%s", path);
	}
	close(fd);
	return r;
}

static bool
same_shape(const struct entry *en, const struct tensor *t)
{
	return en->ndim == t->ndim && en->numel == t->n &&
	    !memcmp(en->dim, t->dim, t->ndim * sizeof *t->dim);
}

static int
add(void *ctx, const struct entry *en, struct err *e)
{
	struct opening *o = ctx;
	struct header *h = o->h;
	unsigned char b[LATTICE_HEAD];
	struct buf path = { 0 };
	struct tensor *t;
	struct spot *s;
	char shape[192];
	uint64_t size = 0;
	size_t n = 0, head;
	int r = -1;

	if (strchr(en->file, '/') || en->file[0] == '.')
		return err_set(e, "%s: \"%s\" is no plain file name", en->name, en->file);
	buf_printf(&path, "%s/%s", o->dir, en->file);
	buf_put(&path, "", 1);
	if (buf_check(&path, e) < 0 || look((char *)path.p, b, &n, &size, e) < 0 ||
	    !(s = spots_add(h->spots, e)) ||
	    !(t = manifest_add_tensor(h->m, en->name, strlen(en->name), e)))
		goto out;
	t->offset = h->spots->n - 1;
	if (lattice_head(b, n, size, t, &head, e) < 0) {
		err_prefix(e, "%s", (char *)path.p);
		goto out;
	}
	if ((t->type == &type_lattice_q4) != en->quantized) {
		err_set(e, "%s: is %s, but " LATTICE_INDEX " says that it is %squantized",
		    (char *)path.p, t->type->name, en->quantized ? "" : "not ");
		goto out;
	}
	if (!same_shape(en, t)) {
		err_set(e, "%s: has the shape %s, and not that which " LATTICE_INDEX " says",
		    (char *)path.p, tensor_shape(t, shape, sizeof shape));
		goto out;
	}
	s->from = head;
	s->judge = lattice_judge;
	if ((s->path = arena_strn(&h->m->arena, (char *)path.p, path.len - 1)))
		r = 0;
	else
		err_set(e, "out of memory");
out:
	buf_release(&path);
	return r;
}

int
lattice_dir(struct header *h, const char *dir, const struct buf *index, struct err *e)
{
	struct opening o = { h, dir };

	h->first = h->m->ntensor;
	if (!h->m->convention)
		h->m->convention = "hf";
	if (!h->m->source)
		h->m->source = "lattice";
	if (!(h->spots = spots_new(e)))
		return -1;
	return index_read(index, add, &o, e);
}

/* Each character but letters, digits and '-' is a '_'. */
void
lattice_file(const struct tensor *t, struct buf *b)
{
	for (const char *p = t->name; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || *p == '-';

		if ((*p & 0xc0) != 0x80)	/* (a character's further bytes) */
			buf_put(b, plain ? p : "_", 1);
	}
	buf_str(b, t->type == &type_lattice_q4 ? ".q4" : ".f16");
}

int
lattice_names(const struct manifest *m, struct err *e)
{
	struct buf all = { 0 };
	size_t *at = calloc(m->ntensor + 1, sizeof *at), old;
	struct names *names = names_new(m->ntensor, e);
	int r = 0;

	if (!at || !names) {
		r = err_set(e, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < m->ntensor; i++) {
		at[i] = all.len;
		lattice_file(&m->tensor[i], &all);
		buf_put(&all, "", 1);
	}
	r = buf_check(&all, e);
	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const char *file = (char *)all.p + at[i];

		if (m->tensor[i].tied_to)
			continue;
		if (strlen(file) > 255)
			r = err_set(e, "%s: too long a name for a file", m->tensor[i].name);
		else if ((r = names_add(names, file, i, &old, e)) == 0)
			r = err_set(e, "%s and %s would both be %s", m->tensor[old].name,
			    m->tensor[i].name, file);
		else
			r = r < 0 ? -1 : 0;
	}
out:
	names_free(names);
	buf_release(&all);
	free(at);
	return r;
}

struct comparing {
	const struct manifest *m;
	const struct names *names;
	size_t		 n;
};

static int
compare(void *ctx, const struct entry *en, struct err *e)
{
	struct comparing *c = ctx;
	size_t i = names_find(c->names, en->name);
	struct buf file = { 0 };
	bool same;

	if (i == SIZE_MAX)
		return err_set(e, "another");
	lattice_file(&c->m->tensor[i], &file);
	buf_put(&file, "", 1);
	same = !file.bad && !strcmp((char *)file.p, en->file) &&
	    same_shape(en, &c->m->tensor[i]);
	buf_release(&file);
	c->n++;
	return same ? 0 : err_set(e, "another");
}

/* Is it the index of just these tensors? */
static bool
is_index_of(const struct manifest *m, const struct buf *b)
{
	struct comparing c = { .m = m };
	struct names *names;
	struct err ignored;
	size_t n = 0;
	bool same = true;

	if (!(names = names_new(m->ntensor, &ignored)))
		return false;
	for (size_t i = 0; same && i < m->ntensor; i++)
		if (!m->tensor[i].tied_to) {
			same = names_add(names, m->tensor[i].name, i, NULL, &ignored) > 0;
			n++;
		}
	c.names = names;
	same = same && index_read(b, compare, &c, &ignored) == 0 && c.n == n;
	names_free(names);
	return same;
}

static bool
is_list(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (!strchr(" \t\r\n", b->p[i]))
			return b->p[i] == '[';
	return false;
}

static int
by_name(const void *pa, const void *pb)
{
	const struct tensor *a = *(const struct tensor *const *)pa;
	const struct tensor *b = *(const struct tensor *const *)pb;

	return strcmp(a->name, b->name);
}

static void
put_entry(struct buf *b, const struct tensor *t)
{
	buf_str(b, "\n  {\n    \"name\": ");
	buf_json(b, t->name, strlen(t->name));
	buf_str(b, ",\n    \"file\": \"");
	lattice_file(t, b);
	buf_printf(b, "\",\n    \"quantized\": %s,\n    \"shape\": [",
	    t->type == &type_lattice_q4 ? "true" : "false");
	for (unsigned i = 0; i < t->ndim; i++)
		buf_printf(b, "%s\n      %" PRIu64, i ? "," : "", t->dim[i]);
	buf_printf(b, "%s],\n    \"numel\": %" PRIu64 "\n  }", t->ndim ? "\n    " : "", t->n);
}

int
lattice_index(const struct manifest *m, struct buf *b, struct err *e)
{
	const struct tensor **t;
	size_t n = 0;

	if (b->len > 0 && is_index_of(m, b))
		return 0;
	if (b->len > 0 && !is_list(b))
		return err_set(e, LATTICE_INDEX " says more than a list of tensors (rotated"
		    " weights), and these are not its tensors: apr-dequant, and a directory of"
		    " safetensors, come before other ones");
	b->len = 0;
	if (!(t = calloc(m->ntensor + 1, sizeof *t)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < m->ntensor; i++)
		if (!m->tensor[i].tied_to)
			t[n++] = &m->tensor[i];
	qsort(t, n, sizeof *t, by_name);
	buf_str(b, "[");
	for (size_t i = 0; i < n; i++) {
		buf_str(b, i ? "," : "");
		put_entry(b, t[i]);
	}
	buf_str(b, n ? "\n]" : "]");
	free(t);
	return buf_check(b, e);
}
