/* SPDX-License-Identifier: MIT */
/* manifest.c -- building a manifest, checking it, writing it as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/json.h>
#include <apr/manifest.h>

struct manifest *
manifest_new(struct err *e)
{
	struct manifest *m = calloc(1, sizeof *m);

	if (!m)
		err_set(e, "out of memory");
	return m;
}

void
manifest_free(struct manifest *m)
{
	if (!m)
		return;
	arena_release(&m->arena);
	free(m->shard);
	free(m->file);
	free(m->history);
	free(m->set);
	free(m->unset);
	free(m->tensor);
	free(m);
}

void
manifest_no_tensors(struct manifest *m)
{
	free(m->tensor);
	m->tensor = NULL;
	m->ntensor = 0;
}

static const char *
keep(struct manifest *m, const char *s, struct err *e)
{
	const char *p = arena_strn(&m->arena, s, strlen(s));

	if (!p)
		err_set(e, "out of memory");
	return p;
}

struct tensor *
manifest_add_tensor(struct manifest *m, const char *name, size_t n, struct err *e)
{
	struct tensor *t;

	const char *why = n == 0 ? "is empty" : n > TENSOR_NAME ? "is too long" :
	    memchr(name, 0, n) ? "has a NUL in it" :
	    utf8_valid(name, n) ? NULL : "is not UTF-8";

	if (why) {
		err_set(e, "tensor %zu: the name, of %zu bytes, %s", m->ntensor, n, why);
		return NULL;
	}
	if (m->ntensor >= TENSOR_COUNT) {
		err_set(e, "more than %u tensors", TENSOR_COUNT);
		return NULL;
	}
	if (array_room(&m->tensor, m->ntensor, sizeof *t, e) < 0)
		return NULL;
	t = &m->tensor[m->ntensor];
	memset(t, 0, sizeof *t);
	t->piece = -1;
	if (!(t->name = arena_strn(&m->arena, name, n))) {
		err_set(e, "out of memory");
		return NULL;
	}
	m->ntensor++;
	return t;
}

int
manifest_add_file(struct manifest *m, const char *name, uint64_t bytes, struct err *e)
{
	struct mfile *f;

	if (!*name || !utf8_valid(name, strlen(name)))
		return err_set(e, "file %zu: the name is empty or not UTF-8", m->nfile);
	if (array_room(&m->file, m->nfile, sizeof *f, e) < 0)
		return -1;
	f = &m->file[m->nfile];
	f->bytes = bytes;
	if (!(f->name = keep(m, name, e)))
		return -1;
	m->nfile++;
	return 0;
}

static int
add_string(struct manifest *m, const char ***v, size_t *n, const char *s,
    struct err *e)
{
	if (array_room(v, *n, sizeof **v, e) < 0 || !((*v)[*n] = keep(m, s, e)))
		return -1;
	++*n;
	return 0;
}

int
manifest_add_shard(struct manifest *m, const char *name, struct err *e)
{
	return add_string(m, &m->shard, &m->nshard, name, e);
}

int
manifest_add_history(struct manifest *m, const char *json, struct err *e)
{
	return add_string(m, &m->history, &m->nhistory, json, e);
}

int
manifest_set(struct manifest *m, const char *key, const char *type,
    const char *value, struct err *e)
{
	struct mset *s = NULL;

	if (!type)
		return add_string(m, &m->unset, &m->nunset, key, e);
	for (size_t i = 0; i < m->nunset; i++)
		if (!strcmp(m->unset[i], key)) {
			m->unset[i] = m->unset[--m->nunset];
			break;
		}
	for (size_t i = 0; i < m->nset; i++)
		if (!strcmp(m->set[i].key, key))
			s = &m->set[i];
	if (!s) {
		if (array_room(&m->set, m->nset, sizeof *s, e) < 0)
			return -1;
		s = &m->set[m->nset];
		if (!(s->key = keep(m, key, e)))
			return -1;
		m->nset++;
	}
	if (!(s->type = keep(m, type, e)) || !(s->value = keep(m, value, e)))
		return -1;
	return 0;
}

static int
check_tie(const struct manifest *m, const struct names *names,
    const struct tensor *t, struct err *e)
{
	size_t i = names_find(names, t->tied_to);

	if (i == SIZE_MAX)
		return err_set(e, "%s: tied to %s, which is not there", t->name, t->tied_to);
	if (m->tensor[i].tied_to || !tensor_same_shape(t, &m->tensor[i]))
		return err_set(e, "%s: tied to %s, which has another shape or is"
		    " tied itself", t->name, t->tied_to);
	return 0;
}

int
manifest_check(const struct manifest *m, struct err *e)
{
	struct names *names = names_new(m->ntensor + m->nfile, e);
	int r = names ? 0 : -1;
	uint64_t total = 0;

	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];

		if ((r = names_add(names, t->name, i, NULL, e)) == 0)
			r = err_set(e, "%s: there are two tensors of this name", t->name);
		else if (r > 0)
			r = 0;
		if (r == 0 && (t->bytes > INT64_MAX - total))
			r = err_set(e, "%s: more than 2^63 bytes of tensors", t->name);
		total += r == 0 ? t->bytes : 0;
		if (r == 0 && m->nshard ? t->shard < 1 || t->shard > m->nshard : r == 0 && t->shard)
			r = err_set(e, "%s: shard %u of %zu", t->name, t->shard, m->nshard);
	}
	for (size_t i = 0; r == 0 && i < m->ntensor; i++)
		if (m->tensor[i].tied_to)
			r = check_tie(m, names, &m->tensor[i], e);
	names_free(names);
	if (r < 0 || !(names = names_new(m->nfile, e)))
		return -1;
	for (size_t i = 0; r == 0 && i < m->nfile; i++) {
		if ((r = names_add(names, m->file[i].name, i, NULL, e)) == 0)
			r = err_set(e, "%s: there are two files of this name", m->file[i].name);
		else if (r > 0)
			r = 0;
	}
	names_free(names);
	return r;
}

static void
put_string(struct buf *b, const char *s)
{
	buf_json(b, s, strlen(s));
}

static void
put_strings(struct buf *b, const char *key, const char *const *v, size_t n, bool raw)
{
	buf_printf(b, ",\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		buf_str(b, i ? "," : "");
		if (raw)
			buf_str(b, v[i]);
		else
			put_string(b, v[i]);
	}
	buf_str(b, "]");
}

void
tensor_write(const struct tensor *t, struct buf *b)
{
	buf_str(b, "{\"name\":");
	put_string(b, t->name);
	buf_printf(b, ",\"dtype\":\"%s\",\"shape\":[", t->type->name);
	for (unsigned i = 0; i < t->ndim; i++)
		buf_printf(b, "%s%" PRIu64, i ? "," : "", t->dim[i]);
	buf_printf(b, "],\"bytes\":%" PRIu64, t->bytes);
	if (t->tied_to) {
		buf_str(b, ",\"tied_to\":");
		put_string(b, t->tied_to);
	}
	if (t->row_bytes)
		buf_printf(b, ",\"row_bytes\":%" PRIu64, t->row_bytes);
	if (tensor_has_flat_mark(t))
		buf_str(b, ",\"blocks\":\"flat\"");
	if (t->shard)
		buf_printf(b, ",\"shard\":%u", t->shard);
	if (t->source)
		buf_printf(b, ",\"source_dtype\":\"%s\"", t->source->name);
	if (t->absmax)
		buf_printf(b, ",\"absmax\":%s", t->absmax);
	if (t->extra)
		buf_str(b, t->extra);
	buf_str(b, "}");
}

/* Readers go JSON_DEPTH deep: what is written at `level` may take the rest. */
static int
check_depth(const char *what, const char *s, int level, struct err *e)
{
	bool quoted = false;

	for (; *s; s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (quoted)
			s += *s == '\\' && s[1];
		else if (*s == ']' || *s == '}')
			level--;
		else if ((*s == '[' || *s == '{') && ++level > JSON_DEPTH)
			return err_set(e, "%s: nested too deep for a manifest, which nests %d deep",
			    what, JSON_DEPTH);
	}
	return 0;
}

/* Keys in the order of apr-stream(5); absent where empty. */
int
manifest_write(const struct manifest *m, struct buf *b, struct err *e)
{
	buf_str(b, "{\"apr_stream\":1");
	if (m->source) {
		buf_str(b, ",\"source\":");
		put_string(b, m->source);
	}
	if (m->convention) {
		buf_str(b, ",\"convention\":");
		put_string(b, m->convention);
	}
	if (m->name) {
		buf_str(b, ",\"name\":");
		put_string(b, m->name);
	}
	if (m->plan)
		buf_str(b, ",\"plan\":true");
	if (m->nshard)
		put_strings(b, "shards", m->shard, m->nshard, false);
	buf_str(b, ",\"files\":[");
	for (size_t i = 0; i < m->nfile; i++) {
		buf_str(b, i ? ",{\"name\":" : "{\"name\":");
		put_string(b, m->file[i].name);
		buf_printf(b, ",\"bytes\":%" PRIu64 "}", m->file[i].bytes);
	}
	buf_str(b, "]");
	put_strings(b, "history", m->history, m->nhistory, true);
	if (m->metadata && check_depth("metadata", m->metadata, 1, e) < 0)
		return -1;
	buf_printf(b, ",\"metadata\":%s", m->metadata ? m->metadata : "{}");
	buf_str(b, ",\"set\":{");
	for (size_t i = 0; i < m->nset; i++) {
		buf_str(b, i ? "," : "");
		put_string(b, m->set[i].key);
		buf_str(b, ":{\"type\":");
		put_string(b, m->set[i].type);
		if (check_depth(m->set[i].key, m->set[i].value, 3, e) < 0)
			return -1;
		buf_printf(b, ",\"value\":%s}", m->set[i].value);
	}
	buf_str(b, "}");
	put_strings(b, "unset", m->unset, m->nunset, false);
	if (m->extra)
		buf_str(b, m->extra);
	buf_str(b, ",\"tensors\":[");
	for (size_t i = 0, n = 0; i < m->ntensor; i++) {
		if (m->tensor[i].gone)
			continue;
		buf_str(b, n++ ? ",\n" : "\n");
		tensor_write(&m->tensor[i], b);
	}
	buf_str(b, "\n]}\n");
	return buf_check(b, e);
}
