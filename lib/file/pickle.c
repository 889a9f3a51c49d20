/* SPDX-License-Identifier: MIT */
/* pickle.c -- a machine that can build tensors and dicts of them only. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "pickle_machine.h"

#define STACK		65536	/* values at once */
#define VALUES		(1u << 21)	/* in all */
#define MEMO		(1u << 24)
#define ITEMS		(1u << 24)	/* of one list */

int
pickle_fail(struct machine *m, const char *what)
{
	return err_set(m->e, "data.pkl: %s at byte %td", what, m->p - m->start);
}

static const unsigned char *
take(struct machine *m, uint64_t n)
{
	const unsigned char *p = m->p;

	if (n > (uint64_t)(m->end - p)) {
		pickle_fail(m, "is cut off");
		return NULL;
	}
	m->p += n;
	return p;
}

struct pickle_value *
pickle_make(struct machine *m, enum pickle_kind kind)
{
	struct pickle_value *v;

	if (++m->made > VALUES) {
		pickle_fail(m, "too many values");
		return NULL;
	}
	if (!(v = arena_alloc(m->arena, sizeof *v))) {
		err_set(m->e, "out of memory");
		return NULL;
	}
	v->kind = kind;
	return v;
}

int
pickle_push(struct machine *m, struct pickle_value *v)
{
	if (!v)
		return -1;
	if (m->n == STACK)
		return pickle_fail(m, "too many values");
	if (array_room(&m->stack, m->n, sizeof *m->stack, m->e) < 0)
		return -1;
	m->stack[m->n++] = v;
	return 0;
}

/* The top, taken off; a mark is not for taking. */
struct pickle_value *
pickle_pop(struct machine *m)
{
	if (m->n == 0 || m->stack[m->n - 1]->kind == PICKLE_MARK) {
		pickle_fail(m, "a value is missing");
		return NULL;
	}
	return m->stack[--m->n];
}

/* How many values stand above the last mark; it goes, they stay there. */
static int
to_mark(struct machine *m, size_t *count)
{
	size_t i = m->n;

	while (i > 0 && m->stack[i - 1]->kind != PICKLE_MARK)
		i--;
	if (i == 0)
		return pickle_fail(m, "a mark is missing");
	*count = m->n - i;
	memmove(m->stack + i - 1, m->stack + i, *count * sizeof *m->stack);
	m->n--;
	return 0;
}

static int
push_int(struct machine *m, enum pickle_kind kind, int64_t i)
{
	struct pickle_value *v = pickle_make(m, kind);

	if (v)
		v->u.i = i;
	return pickle_push(m, v);
}

static int
push_string(struct machine *m, uint64_t n)
{
	const unsigned char *p = take(m, n);
	struct pickle_value *v;

	if (!p)
		return -1;
	if (n > UINT32_MAX || !utf8_valid(p, (size_t)n))
		return pickle_fail(m, "a string is not UTF-8");
	if (!(v = pickle_make(m, PICKLE_STRING)))
		return -1;
	v->n = (uint32_t)n;
	if (!(v->u.s = arena_strn(m->arena, p, (size_t)n)))
		return err_set(m->e, "out of memory");
	return pickle_push(m, v);
}

/* The top n values, in a tuple or a list of their own. */
static int
gather(struct machine *m, enum pickle_kind kind, size_t n)
{
	struct pickle_value *v = pickle_make(m, kind);

	if (!v)
		return -1;
	if (m->n < n)
		return pickle_fail(m, "a value is missing");
	for (size_t i = 0; i < n; i++)
		if (m->stack[m->n - 1 - i]->kind == PICKLE_MARK)
			return pickle_fail(m, "a value is missing");
	if (n == 0)
		return pickle_push(m, v);
	if (!(v->u.item = arena_alloc(m->arena, n * sizeof *v->u.item)))
		return err_set(m->e, "out of memory");
	m->n -= n;
	memcpy(v->u.item, m->stack + m->n, n * sizeof *v->u.item);
	v->n = (uint32_t)n;
	return pickle_push(m, v);
}

/* The top n values onto the list or dict below them. */
static int
append(struct machine *m, enum pickle_kind kind, size_t n)
{
	struct pickle_value *v, **more;
	size_t room = 4;	/* it has a power of two */

	if (m->n < n + 1 || (v = m->stack[m->n - n - 1])->kind != kind)
		return pickle_fail(m, "items for what takes none");
	if (kind == PICKLE_DICT && n % 2)
		return pickle_fail(m, "a key without a value");
	if (n > ITEMS - v->n)
		return pickle_fail(m, "too many items");
	while (room < v->n)
		room *= 2;
	if (v->n == 0 || v->n + n > room) {
		while (room < v->n + n)
			room *= 2;
		if (!(more = arena_alloc(m->arena, room * sizeof *more)))
			return err_set(m->e, "out of memory");
		if (v->n)
			memcpy(more, v->u.item, v->n * sizeof *more);
		v->u.item = more;
	}
	m->n -= n;
	if (n)
		memcpy(v->u.item + v->n, m->stack + m->n, n * sizeof *v->u.item);
	v->n += (uint32_t)n;
	return 0;
}

/* "module\nname\n" */
static int
global(struct machine *m)
{
	const unsigned char *a = m->p, *b = memchr(a, '\n', (size_t)(m->end - a)), *c;

	if (!b || !(c = memchr(b + 1, '\n', (size_t)(m->end - b - 1))))
		return pickle_fail(m, "is cut off");
	m->p = c + 1;
	return pickle_global(m, (const char *)a, (size_t)(b - a), (const char *)b + 1,
	    (size_t)(c - b - 1));
}

static int
stack_global(struct machine *m)
{
	struct pickle_value *name = pickle_pop(m), *module = name ? pickle_pop(m) : NULL;

	if (!module)
		return -1;
	if (name->kind != PICKLE_STRING || module->kind != PICKLE_STRING)
		return pickle_fail(m, "a name is no string");
	return pickle_global(m, module->u.s, module->n, name->u.s, name->n);
}

static int
memo_put(struct machine *m, uint64_t i)
{
	if (m->n == 0 || m->stack[m->n - 1]->kind == PICKLE_MARK)
		return pickle_fail(m, "a value is missing");
	/* Numbers go up by one; a gap is no reason for memory. */
	if (i > m->nmemo || i >= MEMO)
		return pickle_fail(m, "a memo out of order");
	if (i == m->nmemo) {
		if (array_room(&m->memo, m->nmemo, sizeof *m->memo, m->e) < 0)
			return -1;
		m->nmemo++;
	}
	m->memo[i] = m->stack[m->n - 1];
	return 0;
}

static int
memo_get(struct machine *m, uint64_t i)
{
	return i < m->nmemo ? pickle_push(m, m->memo[i]) : pickle_fail(m, "a memo that is not there");
}

/* A number of up to 8 bytes, little-endian, two's complement. */
static int
long1(struct machine *m)
{
	const unsigned char *n = take(m, 1), *p = n ? take(m, *n) : NULL;
	uint64_t v = 0;

	if (!p)
		return -1;
	if (*n > 8)
		return pickle_fail(m, "a number of more than 64 bits");
	for (unsigned i = 0; i < *n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	if (*n > 0 && *n < 8 && p[*n - 1] & 0x80)
		v |= UINT64_MAX << (8 * *n);
	return push_int(m, PICKLE_INT, (int64_t)v);
}

/* The opcode's number: n bytes, or -1. */
static int
number(struct machine *m, size_t n, uint64_t *v)
{
	const unsigned char *p = take(m, n);

	if (!p)
		return -1;
	*v = n == 1 ? *p : n == 2 ? le16_get(p) : n == 4 ? le32_get(p) : le64_get(p);
	return 0;
}

/* One instruction: 1, 0 behind the last, -1. */
static int
step(struct machine *m)
{
	const unsigned char *op = take(m, 1);
	struct pickle_value *v;
	uint64_t x = 0;
	size_t n;

	if (!op)
		return -1;
	switch (*op) {
	case 0x80:	/* PROTO */
		if (number(m, 1, &x) < 0)
			return -1;
		return x >= 2 && x <= 5 ? 1 : pickle_fail(m, "another version of pickle");
	case 0x95:	/* FRAME */
		return number(m, 8, &x) < 0 ? -1 : 1;
	case '(':
		return pickle_push(m, &m->mark) < 0 ? -1 : 1;
	case 'N':
		return push_int(m, PICKLE_NONE, 0) < 0 ? -1 : 1;
	case 0x88:
	case 0x89:
		return push_int(m, PICKLE_BOOL, *op == 0x88) < 0 ? -1 : 1;
	case 'K':
	case 'M':
	case 'J':
		if (number(m, *op == 'K' ? 1 : *op == 'M' ? 2 : 4, &x) < 0)
			return -1;
		return push_int(m, PICKLE_INT, *op == 'J' ? (int64_t)(int32_t)x :
		    (int64_t)x) < 0 ? -1 : 1;
	case 0x8a:
		return long1(m) < 0 ? -1 : 1;
	case 'G':
		return !take(m, 8) || push_int(m, PICKLE_FLOAT, 0) < 0 ? -1 : 1;
	case 'X':
	case 0x8c:
	case 0x8d:
		if (number(m, *op == 'X' ? 4 : *op == 0x8c ? 1 : 8, &x) < 0)
			return -1;
		return push_string(m, x) < 0 ? -1 : 1;
	case 'c':
		return global(m) < 0 ? -1 : 1;
	case 0x93:
		return stack_global(m) < 0 ? -1 : 1;
	case ')':
		return gather(m, PICKLE_TUPLE, 0) < 0 ? -1 : 1;
	case 0x85:
	case 0x86:
	case 0x87:
		return gather(m, PICKLE_TUPLE, *op - 0x84u) < 0 ? -1 : 1;
	case 't':
	case 'l':
		return to_mark(m, &n) < 0 || gather(m, *op == 't' ? PICKLE_TUPLE : PICKLE_LIST,
		    n) < 0 ? -1 : 1;
	case '}':
		return pickle_push(m, pickle_make(m, PICKLE_DICT)) < 0 ? -1 : 1;
	case ']':
		return pickle_push(m, pickle_make(m, PICKLE_LIST)) < 0 ? -1 : 1;
	case 's':
		return append(m, PICKLE_DICT, 2) < 0 ? -1 : 1;
	case 'u':
		return to_mark(m, &n) < 0 || append(m, PICKLE_DICT, n) < 0 ? -1 : 1;
	case 'a':
		return append(m, PICKLE_LIST, 1) < 0 ? -1 : 1;
	case 'e':
		return to_mark(m, &n) < 0 || append(m, PICKLE_LIST, n) < 0 ? -1 : 1;
	case 'Q':
		return pickle_persistent(m) < 0 ? -1 : 1;
	case 'R':
		return pickle_call(m) < 0 ? -1 : 1;
	case 'b':	/* attributes of a dict: versions of modules */
		if (!pickle_pop(m))
			return -1;
		return m->n > 0 && m->stack[m->n - 1]->kind == PICKLE_DICT ? 1 :
		    pickle_fail(m, "attributes of what is no dict");
	case 'q':
	case 'r':
		return number(m, *op == 'q' ? 1 : 4, &x) < 0 || memo_put(m, x) < 0 ? -1 : 1;
	case 0x94:
		return memo_put(m, m->nmemo) < 0 ? -1 : 1;
	case 'h':
	case 'j':
		return number(m, *op == 'h' ? 1 : 4, &x) < 0 || memo_get(m, x) < 0 ? -1 : 1;
	case '0':
		return (v = pickle_pop(m)) ? 1 : -1;
	case '.':
		return m->n == 1 && m->stack[0]->kind != PICKLE_MARK ? 0 :
		    pickle_fail(m, "more or less than one value");
	}
	return err_set(m->e, "data.pkl: instruction 0x%02x at byte %td is not one that tensors"
	    " need", *op, op - m->start);
}

const struct pickle_value *
pickle_read(struct arena *a, const void *p, size_t n, struct err *e)
{
	struct machine m = { .arena = a, .start = p, .p = p, .e = e,
	    .end = n ? (const unsigned char *)p + n : p, .mark = { .kind = PICKLE_MARK } };
	const struct pickle_value *v = NULL;
	int r;

	while ((r = step(&m)) > 0)
		;
	if (r == 0)
		v = m.stack[0];
	free(m.stack);
	free(m.memo);
	return v;
}

const struct pickle_value *
pickle_get(const struct pickle_value *d, const char *key)
{
	if (d->kind != PICKLE_DICT)
		return NULL;
	for (uint32_t i = 0; i + 1 < d->n; i += 2)
		if (d->u.item[i]->kind == PICKLE_STRING && !strcmp(d->u.item[i]->u.s, key))
			return d->u.item[i + 1];
	return NULL;
}

const char *
pickle_what(const struct pickle_value *v)
{
	static const char *const names[] = {
		[PICKLE_NONE] = "None", [PICKLE_BOOL] = "a bool", [PICKLE_INT] = "a number",
		[PICKLE_FLOAT] = "a number", [PICKLE_STRING] = "a string",
		[PICKLE_TUPLE] = "a tuple", [PICKLE_LIST] = "a list", [PICKLE_DICT] = "a dict",
		[PICKLE_GLOBAL] = "a name", [PICKLE_STORAGE] = "a storage",
		[PICKLE_TENSOR] = "a tensor", [PICKLE_MARK] = "nothing",
	};

	return names[v->kind];
}
