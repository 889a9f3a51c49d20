/* SPDX-License-Identifier: MIT */
/*
 * decode.c -- an instruction's name and operands to a function and where its
 * operands are.  As the driver's assembler does it refuses what it does not
 * know, and operands of another size or kind than the name says.
 *
 * Of a table's entry each letter is an operand:
 *	s i l	integers of 16, 32, 64 bits	e f d	floats of them
 *	B W Q	any of 16, 32, 64 bits		P	a predicate
 *	^	none: the q of the p|q before	!	a predicate that may be negated
 *	#	a number
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

#define BAD(...) parse_fail(s, CUDA_INVALID_PTX, __VA_ARGS__)
enum { MODIFIERS = 12, MODIFIER = 24, NAME = 96 };

/* A name in its parts. */
struct parts {
	char		 all[NAME];
	char		 part[MODIFIERS][MODIFIER];
	unsigned	 n;
};

static void
split(struct parser *s, struct name name, struct parts *p)
{
	unsigned at = 0;

	if (name.n >= NAME)
		BAD("an instruction's name is too long");
	memcpy(p->all, name.p, name.n);
	p->all[name.n] = '\0';
	p->n = 0;
	p->part[0][0] = '\0';
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '.') {
			if (++p->n == MODIFIERS)
				BAD("an instruction has too many parts");
			at = 0;
		} else if (at + 1 < MODIFIER) {
			p->part[p->n][at++] = name.p[i];
		} else {
			BAD("an instruction's part is too long");
		}
		p->part[p->n][at] = '\0';
	}
	p->n++;
}

static bool
is(const struct parts *p, unsigned k, const char *what)
{
	return k < p->n && !strcmp(p->part[k], what);
}

/* Takes a part out, if it is there. */
static bool
has(struct parts *p, const char *what)
{
	for (unsigned k = 1; k < p->n; k++)
		if (is(p, k, what)) {
			memmove(p->part[k], p->part[k + 1], (--p->n - k) * sizeof p->part[0]);
			return true;
		}
	return false;
}

static struct kind
wanted(char letter)
{
	static const char letters[] = "sileWBQfdP!#";
	static const struct kind kinds[] = { { 'i', 16 }, { 'i', 32 }, { 'i', 64 }, { 'f', 16 },
		{ 'b', 32 }, { 'b', 16 }, { 'b', 64 }, { 'f', 32 }, { 'f', 64 }, { 'p', 1 }, { 'p', 1 },
		{ 'i', 32 } };

	return kinds[strchr(letters, letter) - letters];
}

/* A float in the text, as one of that many bits. */
static uint64_t
value(struct parser *s, const struct operand *o, struct kind k)
{
	double d;
	float f;
	uint32_t bits;

	if (o->is == SYMBOL && (k.bits == 64 || k.bits == 32))
		return o->v;
	if (o->kind.of != 'f')
		return k.of == 'f' ? (BAD("a float is wanted"), 0) : o->v;
	if (k.of == 'i' || k.bits < 32)
		BAD("no float is wanted");
	if (o->kind.bits == k.bits)
		return o->v;
	if (o->kind.bits == 32)
		BAD("a float of 64 bits is wanted");
	memcpy(&d, &o->v, sizeof d);
	f = (float)d;
	memcpy(&bits, &f, sizeof bits);
	return bits;
}

/* Where an operand of that kind is; a number gets a register. */
static int32_t
place(struct parser *s, const struct operand *o, struct kind k, bool wider)
{
	int32_t at;

	switch (o->is) {
	case REGISTER:
		if ((o->kind.of == 'p') != (k.of == 'p') ||
		    (wider ? o->kind.bits < k.bits : o->kind.bits != k.bits) ||
		    (k.of != 'b' && o->kind.of != 'b' && k.of != o->kind.of))
			BAD("Arguments mismatch for instruction (.%c%u for .%c%u)", o->kind.of, o->kind.bits, k.of,
			    k.bits);
		return o->at;
	case NUMBER: case SYMBOL:
		if (k.of == 'p')
			return parse_constant(s, PTX_PRED, o->v ? EVERY : 0);
		if (o->dynamic) {
			/* One of its own, that changes in the end. */
			at = parse_constant(s, k.bits == 64 ? PTX_64 : PTX_32, (uint64_t)1 << 40 | s->dynamics);
			s->f->constant[s->f->constants - 1].v = 0;
			s->dynamic = parse_grow(s, s->dynamic, s->dynamics, sizeof *s->dynamic);
			s->dynamic[s->dynamics++] = at;
			s->f->constant[s->f->constants - 1].kind = k.bits == 64 ? PTX_64 : PTX_32;
			return at;
		}
		return parse_constant(s, k.bits == 64 ? PTX_64 : PTX_32, value(s, o, k));
	default:
		BAD("Arguments mismatch for instruction");
	}
}

static int32_t
result(struct parser *s, const struct operand *o, struct kind k, bool wider)
{
	if (o->is == SINK)
		return -1;
	if (o->is != REGISTER)
		BAD("the result is no register");
	for (uint32_t c = 0; c < s->f->constants; c++)
		if (s->f->constant[c].at == o->at)
			BAD("the result is a special register");
	return place(s, o, k, wider);
}

static bool
type_of(const char *name, struct kind *k, bool *is_signed)
{
	static const struct { const char *name; struct kind k; } types[] = {
		{ "b8", { 'b', 8 } }, { "u8", { 'i', 8 } }, { "s8", { 'i', 8 } }, { "b16", { 'b', 16 } },
		{ "u16", { 'i', 16 } }, { "s16", { 'i', 16 } }, { "f16", { 'f', 16 } }, { "bf16", { 'b', 16 } },
		{ "b32", { 'b', 32 } }, { "u32", { 'i', 32 } }, { "s32", { 'i', 32 } }, { "f32", { 'f', 32 } },
		{ "b64", { 'b', 64 } }, { "u64", { 'i', 64 } }, { "s64", { 'i', 64 } }, { "f64", { 'f', 64 } },
		{ "pred", { 'p', 1 } }, { "f16x2", { 'b', 32 } },
	};

	*is_signed = name[0] == 's';
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(types[i].name, name)) {
			*k = types[i].k;
			return true;
		}
	return false;
}

static struct kind
last_type(struct parser *s, const struct parts *p, bool *is_signed)
{
	struct kind k;

	if (!type_of(p->part[p->n - 1], &k, is_signed))
		BAD("unknown type of %s", p->all);
	return k;
}

/* An address's base, rest and width: operand k of the instruction. */
static void
address(struct parser *s, struct ins *i, int k, const struct operand *o, enum ptx_space space)
{
	if (o->is != ADDRESS)
		BAD("an address is wanted");
	if (o->space != PTX_GENERIC && o->space != space)
		BAD("a symbol of another space");
	i->space = (uint8_t)space;
	i->imm = (int64_t)o->v;
	if (o->at < 0) {
		struct operand base = *o;

		base.is = SYMBOL;
		i->o[k] = place(s, &base, (struct kind){ 'i', 64 }, false);
		i->imm = 0;
		if (o->dynamic)
			i->imm = (int64_t)o->v;
		return;
	}
	if (o->kind.of == 'f' || o->kind.bits < 32 || (o->kind.bits == 32 && space != PTX_SHARED && space != PTX_LOCAL))
		BAD("an address of .%c%u", o->kind.of, o->kind.bits);
	i->o[k] = o->at;
	i->narrow = o->kind.bits == 32;
}

/* What says only how far and how a cache goes about it. */
static void
caches(struct parts *p)
{
	static const char *const words[] = { "volatile", "relaxed", "acquire", "release", "acq_rel", "weak",
		"gpu", "cta", "sys", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "L1::no_allocate", "L1::evict_first",
		"L1::evict_last", "L1::evict_normal", "L1::evict_unchanged", "L2::64B", "L2::128B", "L2::256B" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		has(p, words[i]);
}

static enum ptx_space
space_of(struct parts *p)
{
	if (has(p, "global"))
		return PTX_GLOBAL;
	if (has(p, "shared") || has(p, "shared::cta"))
		return PTX_SHARED;
	if (has(p, "const"))
		return PTX_CONST;
	if (has(p, "param") || has(p, "param::entry"))
		return PTX_PARAM;
	if (has(p, "local"))
		return PTX_LOCAL;
	return PTX_GENERIC;
}

/* The registers of a load or a store, from the instruction's operand `at` on. */
static bool
vector(struct parser *s, struct ins *i, const struct operand *o, struct kind k, unsigned n, int at,
    bool to)
{
	const struct operand *part = o->is == LIST ? o->part : o;
	bool wide = k.bits == 64;

	if ((o->is == LIST ? o->parts : 1) != n)
		BAD("%u operands are wanted", n);
	for (unsigned j = 0; j < n; j++) {
		if (part[j].is == REGISTER && j == 0)
			wide = part[j].kind.bits == 64;
		else if (part[j].is == REGISTER && (part[j].kind.bits == 64) != wide)
			BAD("registers of one width are wanted");
		if (part[j].is == REGISTER && k.of == 'f' && part[j].kind.bits != k.bits)
			BAD("Arguments mismatch for instruction");
		i->o[at + (int)j] = to ? result(s, &part[j], k, true) :
		    place(s, &part[j], wide ? (struct kind){ 'b', 64 } : k, true);
	}
	return wide;
}

static void
loads(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	bool load = is(p, 0, "ld"), nc = has(p, "nc"), is_signed, wide;
	enum ptx_space space = space_of(p);
	unsigned many = has(p, "v2") ? 2 : has(p, "v4") ? 4 : 1;
	const struct operand *at = load ? &o[1] : &o[0], *r = load ? &o[0] : &o[1];
	struct kind k;

	caches(p);
	k = last_type(s, p, &is_signed);
	if (p->n != 2 || n != 2 || k.of == 'p' || k.bits * many > 128 || (nc && space != PTX_GLOBAL) ||
	    (!load && (space == PTX_CONST || space == PTX_PARAM)))
		BAD("Unknown instruction '%s'", p->all);
	if (at->is != ADDRESS)
		BAD("an address is wanted");
	i->n = (uint8_t)many;
	if (space == PTX_PARAM) {
		if (at->space != PTX_PARAM || at->v + k.bits / 8 * many > s->f->param_bytes ||
		    at->v % (k.bits / 8 * many))
			BAD("no parameter is there");
		i->op = ptx_load_param;
		i->narrow = !vector(s, i, r, k, many, 0, true);
		i->mask = k.bits / 8;
		i->space = is_signed;
		i->imm = (int64_t)at->v;
		return;
	}
	address(s, i, 0, at, space);
	i->slot = s->f->slots++;
	wide = vector(s, i, r, k, many, 1, load);
	i->op = load ? ptx_loader(k.bits / 8, is_signed, wide) : ptx_storer(k.bits / 8, wide);
	if (!i->op)
		BAD("Unknown instruction '%s'", p->all);
}

static void
atomics(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	unsigned d = is(p, 0, "atom"), more;
	enum ptx_space space = space_of(p);
	bool is_signed;
	struct kind k;

	caches(p);
	k = last_type(s, p, &is_signed);
	if (p->n != 3 || !(i->op = ptx_atomic(p->part[1], p->part[2])) || (space != PTX_GENERIC &&
	    space != PTX_GLOBAL && space != PTX_SHARED))
		BAD("Unknown instruction '%s'", p->all);
	more = is(p, 1, "cas") ? 2 : 1;
	if (n != d + 1 + more)
		BAD("%u operands are wanted", d + 1 + more);
	if (d)
		i->o[0] = result(s, &o[0], k, false);
	address(s, i, 1, &o[d], space);
	i->slot = s->f->slots++;
	for (unsigned j = 0; j < more; j++)
		i->o[2 + j] = place(s, &o[d + 1 + j], k, false);
}

static void
copies(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	bool cg;
	struct ins from = { 0 };
	struct kind word = { 'i', 32 };

	if (is(p, 2, "commit_group") && p->n == 3 && n == 0) {
		i->op = ptx_copy_commit;
		return;
	}
	if (is(p, 2, "wait_all") && p->n == 3 && n == 0) {
		i->op = ptx_copy_wait_all;
		return;
	}
	if (is(p, 2, "wait_group") && p->n == 3 && n == 1 && o[0].is == NUMBER) {
		i->op = ptx_copy_wait;
		i->imm = (int64_t)o[0].v;
		return;
	}
	cg = is(p, 2, "cg");
	has(p, "L2::64B");
	has(p, "L2::128B");
	has(p, "L2::256B");
	if (p->n != 5 || !(cg || is(p, 2, "ca")) || !(is(p, 3, "shared") || is(p, 3, "shared::cta")) ||
	    !is(p, 4, "global") || n < 3 || n > 4 || o[2].is != NUMBER)
		BAD("Unknown instruction '%s'", p->all);
	i->n = (uint8_t)o[2].v;
	if (o[2].v != 16 && (cg || (o[2].v != 4 && o[2].v != 8)))
		BAD("%s of %llu bytes", p->all, (unsigned long long)o[2].v);
	memset(from.o, 0xff, sizeof from.o);
	address(s, &from, 1, &o[1], PTX_GLOBAL);
	address(s, i, 0, &o[0], PTX_SHARED);
	i->o[1] = from.o[1];
	i->mask = i->narrow;
	i->imm = (int64_t)((uint64_t)from.imm << 32 | (uint32_t)i->imm);
	i->slot = s->f->slots++;
	i->op = ptx_copy_async;
	if (n == 4)
		i->o[2] = place(s, &o[3], word, false);
}

static void
matrices(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	bool turned = has(p, "trans");
	unsigned many = has(p, "x1") ? 1 : has(p, "x2") ? 2 : has(p, "x4") ? 4 : 0;

	if (!is(p, 1, "sync") || !is(p, 2, "aligned") || !is(p, 3, "m8n8") ||
	    !(is(p, 4, "shared") || is(p, 4, "shared::cta")) || !is(p, 5, "b16") || p->n != 6 || !many || n != 2)
		BAD("Unknown instruction '%s'", p->all);
	address(s, i, 0, &o[1], PTX_SHARED);
	i->imm = (int64_t)((uint64_t)turned << 32 | (uint32_t)i->imm);
	i->slot = s->f->slots++;
	i->n = (uint8_t)many;
	vector(s, i, &o[0], (struct kind){ 'b', 32 }, many, 1, true);
	for (unsigned j = 0; j < many; j++)
		if (i->o[1 + j] < 0)
			BAD("registers are wanted");
	i->op = ptx_ldmatrix;
	i->kind = PTX_WHOLE;
}

/* D, A, B and C as lists one after the other. */
static void
products(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	static const struct { const char *shape; unsigned d, a, b, k; } shapes[] = {
		{ "m16n8k32", 4, 4, 2, 32 }, { "m16n8k16", 4, 2, 1, 16 }, { "m8n8k16", 2, 1, 1, 16 },
		{ "m16n8k16", 4, 4, 2, 16 } };
	unsigned k = 0, at = 0, want[4];
	/* The order of their sums is the card's own: nobody may count on them. */
	bool floats = is(p, 7, "bf16") && is(p, 8, "bf16") && getenv("STUB_CUDA_FLOATS");
	struct kind word = { 'b', 32 }, sum = { floats ? 'f' : 'i', 32 };

	while (k < 3 && !is(p, 3, shapes[k].shape))
		k++;
	k = floats && k == 1 ? 3 : k == 3 ? 4 : k;
	if (p->n != 10 || k == 4 || floats != (k == 3) || !is(p, 1, "sync") || !is(p, 2, "aligned") ||
	    !is(p, 4, "row") || !is(p, 5, "col") || !is(p, 6, floats ? "f32" : "s32") ||
	    !is(p, 9, floats ? "f32" : "s32") || n != 4 || (!floats &&
	    (!(is(p, 7, "s8") || is(p, 7, "u8")) || !(is(p, 8, "s8") || is(p, 8, "u8")))))
		BAD("Unknown instruction '%s'", p->all);
	want[0] = want[3] = shapes[k].d;
	want[1] = shapes[k].a;
	want[2] = shapes[k].b;
	for (unsigned j = 0; j < 4; j++) {
		struct operand *part = o[j].is == LIST ? o[j].part : &o[j];

		if ((o[j].is == LIST ? o[j].parts : 1) != want[j])
			BAD("%u registers are wanted", want[j]);
		for (unsigned e = 0; e < want[j]; e++) {
			if (part[e].is != REGISTER && !(j == 3 && part[e].is == NUMBER))
				BAD("registers are wanted");
			i->o[at++] = j == 0 ? result(s, &part[e], sum, false) :
			    place(s, &part[e], j == 3 ? sum : word, false);
		}
	}
	i->n = (uint8_t)shapes[k].k;
	i->imm = is(p, 7, "u8") | is(p, 8, "u8") << 1 | (k == 2) << 2;
	i->op = floats ? ptx_mma_bf16 : ptx_mma;
	i->kind = PTX_WHOLE;
}

static void
moves(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	bool is_signed;
	struct kind k = last_type(s, p, &is_signed), part;
	const struct operand *list = n == 2 && o[0].is == LIST ? &o[0] : n == 2 && o[1].is == LIST ? &o[1] : NULL;

	if (p->n != 2 || n != 2 || k.bits == 8)
		BAD("Unknown instruction '%s'", p->all);
	if (!list) {
		i->o[0] = result(s, &o[0], k, false);
		i->o[1] = place(s, &o[1], k, false);
		i->op = k.of == 'p' ? ptx_mov_pred : k.bits == 64 ? ptx_mov_64 : ptx_mov_32;
		return;
	}
	if (k.of != 'b' || k.bits % list->parts || (list->parts != 2 && list->parts != 4))
		BAD("Arguments mismatch for instruction 'mov'");
	part = (struct kind){ 'b', (uint8_t)(k.bits / list->parts) };
	i->n = (uint8_t)list->parts;
	i->imm = part.bits;
	i->op = list == &o[0] ? ptx_unpack : ptx_pack;
	i->o[0] = list == &o[0] ? place(s, &o[1], k, false) : result(s, &o[0], k, false);
	for (unsigned j = 0; j < list->parts; j++)
		i->o[1 + j] = list == &o[0] ? result(s, &list->part[j], part, false) :
		    place(s, &list->part[j], part, false);
}

static void
converts(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	bool sat = has(p, "sat"), is_signed;
	const char *round = p->n == 4 ? p->part[1] : "";
	struct kind to, from;

	if (p->n < 3 || p->n > 4 || n != 2 || !type_of(p->part[p->n - 2], &to, &is_signed) ||
	    !type_of(p->part[p->n - 1], &from, &is_signed))
		BAD("Unknown instruction '%s'", p->all);
	i->o[0] = result(s, &o[0], to, to.of == 'i');
	i->o[1] = place(s, &o[1], from, from.of == 'i');
	if (i->o[0] < 0)
		BAD("a register is wanted");
	i->n = (uint8_t)((o[1].is == REGISTER ? o[1].kind.bits == 64 : from.bits == 64) |
	    (o[0].kind.bits == 64) << 1);
	i->op = ptx_convert(i, p->part[p->n - 2], p->part[p->n - 1], round, sat);
	if (!i->op)
		BAD("Unknown instruction '%s'", p->all);
}

static void
windows(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	bool from = has(p, "to");
	enum ptx_space space = space_of(p);
	static const struct kind k = { 'i', 64 };

	if (p->n != 2 || !is(p, 1, "u64") || n != 2 || space == PTX_GENERIC || space == PTX_PARAM)
		BAD("Unknown instruction '%s'", p->all);
	i->o[0] = result(s, &o[0], k, false);
	i->o[1] = place(s, &o[1], k, false);
	i->imm = space == PTX_SHARED ? (int64_t)PTX_SHARED_WINDOW : space == PTX_LOCAL ?
	    (int64_t)PTX_LOCAL_WINDOW : 0;
	i->op = from ? ptx_from_window : ptx_to_window;
}

static void
barriers(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	static const struct kind k = { 'i', 32 };

	has(p, "cta");
	has(p, "aligned");
	if (p->n != 2 || !is(p, 1, "sync") || n < 1 || n > 2)
		BAD("Unknown instruction '%s'", p->all);
	i->o[0] = place(s, &o[0], k, false);
	if (n == 2)
		i->o[1] = place(s, &o[1], k, false);
	i->op = ptx_barrier;
	i->kind = PTX_BARRIER;
}

/* A comparison that is combined: setp.lt.and.s32 p|q, a, b, c. */
static bool
combined(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned *n)
{
	static const char *const words[] = { "and", "or", "xor" };

	for (int k = 0; k < 3; k++) {
		if (p->n != 4 || !is(p, 2, words[k]))
			continue;
		if (*n != 4 || o[3].kind.of != 'p')
			BAD("Arguments mismatch for instruction 'setp'");
		i->imm = k;
		i->n = o[3].not;
		i->o[4] = place(s, &o[3], (struct kind){ 'p', 1 }, false);
		(*n)--;
		snprintf(p->all, sizeof p->all, "setp.%s.%s", p->part[1], p->part[3]);
		return true;
	}
	return false;
}

static const struct ptx_entry *
entry(const char *name)
{
	static const struct ptx_entry *const tables[] = { ptx_integers, ptx_floats, ptx_lanes };

	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (const struct ptx_entry *e = tables[t]; e->name; e++)
			if (!strcmp(e->name, name))
				return e;
	return NULL;
}

/* By a table's letters. */
static void
plain(struct parser *s, struct ins *i, struct parts *p, struct operand *o, unsigned n)
{
	const struct ptx_entry *e;
	bool setp = is(p, 0, "setp"), with = setp && combined(s, i, p, o, &n);
	unsigned k = 0, letters;

	if (!(e = entry(p->all)))
		BAD("Unknown instruction '%s'", p->all);
	(void)with;
	letters = (unsigned)strlen(e->wants);
	if (setp) {
		if (n != 3)
			BAD("Arguments mismatch for instruction '%s'", p->all);
		i->o[0] = result(s, &o[0], wanted('P'), false);
		i->o[1] = o[0].other ? result(s, o[0].other, wanted('P'), false) : -1;
		i->o[2] = place(s, &o[1], wanted(e->wants[2]), false);
		i->o[3] = place(s, &o[2], wanted(e->wants[3]), false);
		i->op = e->op;
		if (i->o[0] < 0) {
			i->o[0] = s->f->registers;
			s->f->registers += 64;
		}
		return;
	}
	for (unsigned j = 0; j < letters; j++) {
		char c = e->wants[j];

		if (c == '^') {
			i->o[j] = o[0].other ? result(s, o[0].other, wanted('P'), false) : -1;
			continue;
		}
		if (k == n)
			BAD("Arguments mismatch for instruction '%s'", p->all);
		if (c == '#' && o[k].is != NUMBER)
			BAD("a number is wanted");
		if (c == '!')
			i->n = o[k].not;
		else if (o[k].not)
			BAD("'!' is not wanted");
		if (j == 0 && e->op != ptx_warp_sync) {
			i->o[0] = result(s, &o[k], wanted(c), false);
			if (i->o[0] < 0)
				BAD("a register is wanted");
		} else {
			i->o[j] = place(s, &o[k], wanted(c), false);
		}
		k++;
	}
	if (k != n)
		BAD("Arguments mismatch for instruction '%s'", p->all);
	i->op = e->op;
	i->kind = (uint8_t)e->kind;
	i->mask = e->mask;
	/* How many halves. */
	if (strstr(p->all, ".f16") && p->all[0] != 'c')
		i->n = strstr(p->all, "f16x2") ? 32 : 16;
}

/* What is of a later version, or of later cards. */
static void
age(struct parser *s, const char *name)
{
	static const struct { const char *begin; unsigned version, target; } since[] = {
		{ "griddepcontrol.", 78, 90 }, { "cp.async.", 70, 80 }, { "mma.sync.", 70, 80 },
		{ "redux.sync.", 70, 80 }, { "ldmatrix.", 65, 75 }, { "cvt.rn.bf16x2.f32", 70, 80 },
		{ "cvt.rn.bf16.f32", 70, 80 }, { "cvt.rn.f16x2.f32", 70, 80 }, { "min.NaN", 70, 80 },
		{ "max.NaN", 70, 80 }, { "cvt.f32.bf16", 71, 90 },
	};

	for (size_t k = 0; k < sizeof since / sizeof *since; k++) {
		if (strncmp(name, since[k].begin, strlen(since[k].begin)) != 0)
			continue;
		if (s->m->version < since[k].version)
			BAD("Feature '%s' requires PTX ISA .version %u.%u or later", name, since[k].version / 10,
			    since[k].version % 10);
		if (s->m->target < since[k].target)
			BAD("Feature '%s' requires .target sm_%u or higher", name, since[k].target);
	}
}

static bool
silent(const struct parts *p)
{
	static const char *const begins[] = { "griddepcontrol", "membar", "fence", "prefetch", "nanosleep" };

	for (size_t k = 0; k < sizeof begins / sizeof *begins; k++)
		if (is(p, 0, begins[k]))
			return true;
	return false;
}

void
decode(struct parser *s, struct name name, struct operand *o, unsigned n, int32_t guard, bool unless)
{
	static const struct {
		const char *name;
		void (*decode)(struct parser *, struct ins *, struct parts *, struct operand *, unsigned);
	} families[] = {
		{ "ld", loads }, { "st", loads }, { "atom", atomics }, { "red", atomics }, { "cp", copies },
		{ "ldmatrix", matrices }, { "mma", products }, { "mov", moves }, { "cvta", windows },
		{ "bar", barriers }, { "barrier", barriers },
	};
	struct parts p;
	struct ins *i = parse_add(s);

	split(s, name, &p);
	i->guard = guard;
	i->unless = unless;
	age(s, p.all);
	if (silent(&p)) {
		i->op = ptx_nothing;
		return;
	}
	if ((is(&p, 0, "ret") || is(&p, 0, "exit")) && n == 0) {
		i->kind = PTX_EXIT;
		return;
	}
	if (is(&p, 0, "cp") && !is(&p, 1, "async"))
		BAD("Unknown instruction '%s'", p.all);
	if (is(&p, 0, "cvt") && !entry(p.all)) {
		converts(s, i, &p, o, n);
		return;
	}
	for (size_t k = 0; k < sizeof families / sizeof *families; k++)
		if (is(&p, 0, families[k].name) && !entry(p.all)) {
			families[k].decode(s, i, &p, o, n);
			return;
		}
	plain(s, i, &p, o, n);
}
