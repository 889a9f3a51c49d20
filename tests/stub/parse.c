/* SPDX-License-Identifier: MIT */
/* parse.c -- the form of PTX: directives, variables, registers, labels and the
 * operands of instructions. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

void
parse_fail(struct parser *s, int status, const char *format, ...)
{
	va_list ap;
	int n = snprintf(s->why, s->room, "ptxas application ptx input, line %u; error : ", s->line);

	va_start(ap, format);
	if (n > 0 && (size_t)n < s->room)
		vsnprintf(s->why + n, s->room - (size_t)n, format, ap);
	va_end(ap);
	s->status = status;
	longjmp(s->out, 1);
}
#define BAD(...) parse_fail(s, CUDA_INVALID_PTX, __VA_ARGS__)

/* Doubles what is a power of two of things. */
void *
parse_grow(struct parser *s, void *p, uint32_t have, size_t size)
{
	if (have & (have - 1) || (have > 0 && have < 8))
		return p;
	if (!(p = realloc(p, (have ? 2 * have : 8) * size)))
		parse_fail(s, 2, "out of memory");
	return p;
}

bool
parse_same(struct name a, const char *b)
{
	return strlen(b) == a.n && memcmp(a.p, b, a.n) == 0;
}

static bool
equal(struct name a, struct name b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static void
space(struct parser *s)
{
	for (;; s->p++) {
		if (*s->p == '\n') {
			s->line++;
		} else if (s->p[0] == '/' && s->p[1] == '/') {
			s->p += strcspn(s->p, "\n") - 1;
		} else if (s->p[0] == '/' && s->p[1] == '*') {
			const char *end = strstr(s->p + 2, "*/");

			if (!end)
				BAD("a comment has no end");
			for (; s->p < end + 1; s->p++)
				s->line += *s->p == '\n';
		} else if (!strchr(" \t\r", *s->p) || !*s->p) {
			return;
		}
	}
}

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	    c == '$' || c == '%';
}

/* A name; with `dots` an instruction's or a directive's. */
static struct name
name(struct parser *s, bool dots)
{
	struct name n = { s->p, 0 };

	space(s);
	n.p = s->p;
	while (letter(*s->p) || (dots && (*s->p == '.' || (s->p[0] == ':' && s->p[1] == ':')))) {
		if (*s->p == ':')
			s->p++;
		s->p++;
	}
	n.n = (size_t)(s->p - n.p);
	space(s);
	return n;
}

static bool
take(struct parser *s, char c)
{
	space(s);
	if (*s->p != c)
		return false;
	s->p++;
	space(s);
	return true;
}

static void
want(struct parser *s, char c)
{
	if (!take(s, c))
		BAD("'%c' is wanted before \"%.20s\"", c, s->p);
}

static void
skip(struct parser *s, char end)
{
	while (*s->p && *s->p != end) {
		s->line += *s->p == '\n';
		s->p++;
	}
	if (*s->p == '\n')
		s->line++;
	if (*s->p)
		s->p++;
	space(s);
}

/* Integers, 0fXXXXXXXX, 0dXXXXXXXXXXXXXXXX, decimal fractions (as doubles). */
static struct operand
number(struct parser *s)
{
	struct operand o = { .is = NUMBER, .kind = { 'i', 64 }, .at = -1 };
	bool minus = take(s, '-');
	char *end;

	if (s->p[0] == '0' && (s->p[1] == 'f' || s->p[1] == 'F')) {
		o.kind = (struct kind){ 'f', 32 };
		o.v = strtoull(s->p + 2, &end, 16);
		o.v ^= minus ? 0x80000000u : 0;
		if (end != s->p + 10)
			BAD("0f and 8 digits are wanted");
	} else if (s->p[0] == '0' && (s->p[1] == 'd' || s->p[1] == 'D')) {
		o.kind = (struct kind){ 'f', 64 };
		o.v = strtoull(s->p + 2, &end, 16);
		o.v ^= minus ? 1ull << 63 : 0;
	} else {
		size_t digits = strspn(s->p, "0123456789");

		if (s->p[digits] == '.' || (digits && strchr("eE", s->p[digits]) && s->p[digits])) {
			double d = strtod(s->p, &end);

			d = minus ? -d : d;
			o.kind = (struct kind){ 'f', 64 };
			memcpy(&o.v, &d, sizeof o.v);
		} else {
			o.v = strtoull(s->p, &end, 0);
			o.v = minus ? 0 - o.v : o.v;
			if (end == s->p)
				BAD("a number is wanted before \"%.20s\"", s->p);
			if (*end == 'U')
				end++;
		}
	}
	s->p = end;
	space(s);
	return o;
}

static uint64_t
whole(struct parser *s)
{
	struct operand o = number(s);

	if (o.kind.of != 'i')
		BAD("a whole number is wanted");
	return o.v;
}

/* .u32 and its like. */
static bool
kind_of(struct name n, struct kind *k)
{
	static const struct { const char *name; struct kind k; } kinds[] = {
		{ ".pred", { 'p', 1 } }, { ".b8", { 'b', 8 } }, { ".u8", { 'i', 8 } }, { ".s8", { 'i', 8 } },
		{ ".b16", { 'b', 16 } }, { ".u16", { 'i', 16 } }, { ".s16", { 'i', 16 } },
		{ ".f16", { 'f', 16 } }, { ".b32", { 'b', 32 } }, { ".u32", { 'i', 32 } },
		{ ".s32", { 'i', 32 } }, { ".f32", { 'f', 32 } }, { ".f16x2", { 'b', 32 } },
		{ ".b64", { 'b', 64 } }, { ".u64", { 'i', 64 } }, { ".s64", { 'i', 64 } }, { ".f64", { 'f', 64 } },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (parse_same(n, kinds[i].name)) {
			*k = kinds[i].k;
			return true;
		}
	return false;
}

int32_t
parse_constant(struct parser *s, enum ptx_fill fill, uint64_t v)
{
	struct ptx_function *f = s->f;

	for (uint32_t i = 0; i < f->constants; i++)
		if (f->constant[i].kind == fill && f->constant[i].v == v)
			return f->constant[i].at;
	f->constant = parse_grow(s, f->constant, f->constants, sizeof *f->constant);
	f->constant[f->constants++] = (struct ptx_constant){ f->registers, fill, v };
	f->registers += fill == PTX_64 ? 8 * WARP : fill == PTX_PRED ? 64 : 4 * WARP;
	return f->registers - (fill == PTX_64 ? 8 * WARP : fill == PTX_PRED ? 64 : 4 * WARP);
}

struct ins *
parse_add(struct parser *s)
{
	struct ptx_function *f = s->f;
	struct ins *i;

	f->code = parse_grow(s, f->code, f->instructions, sizeof *f->code);
	i = &f->code[f->instructions++];
	memset(i, 0, sizeof *i);
	for (int k = 0; k < PTX_OPERANDS; k++)
		i->o[k] = -1;
	i->guard = -1;
	i->line = s->line;
	return i;
}

/* A scope sees its own names and those around it. */
static bool
sees(const struct parser *s, unsigned scope)
{
	for (unsigned i = 0; i <= s->depth; i++)
		if (s->scope[i] == scope)
			return true;
	return false;
}

static void
registers(struct parser *s)
{
	struct kind k;
	struct name n = name(s, true);

	if (!kind_of(n, &k) || k.bits == 8)
		BAD("registers of what type?");
	do {
		struct declared d = { .kind = k, .scope = s->scope[s->depth], .at = s->f->registers };
		uint64_t count = 1;

		d.name = name(s, false);
		if (take(s, '<')) {
			count = d.n = (uint32_t)whole(s);
			want(s, '>');
		}
		if (d.name.n == 0 || count == 0 || count > 100000)
			BAD("a register has no name");
		s->f->registers += (int32_t)count * (k.of == 'p' ? 64 : k.bits == 64 ? 8 * WARP : 4 * WARP);
		s->declared = parse_grow(s, s->declared, s->declareds, sizeof d);
		s->declared[s->declareds++] = d;
	} while (take(s, ','));
	want(s, ';');
}

/* The innermost of that name. */
static bool
find_register(struct parser *s, struct name n, struct operand *o)
{
	size_t digits = 0;
	uint64_t number = 0;

	while (digits < n.n && digits < 9 && n.p[n.n - digits - 1] >= '0' && n.p[n.n - digits - 1] <= '9')
		digits++;
	for (size_t i = n.n - digits; i < n.n; i++)
		number = number * 10 + (uint64_t)(n.p[i] - '0');
	for (uint32_t i = s->declareds; i-- > 0;) {
		const struct declared *d = &s->declared[i];
		int32_t step = d->kind.of == 'p' ? 64 : d->kind.bits == 64 ? 8 * WARP : 4 * WARP;

		if (!sees(s, d->scope))
			continue;
		if (d->n == 0 ? equal(d->name, n) :
		    digits && d->name.n == n.n - digits && !memcmp(d->name.p, n.p, d->name.n) && number < d->n) {
			*o = (struct operand){ .is = REGISTER, .kind = d->kind, .at = d->at + (d->n ? (int32_t)number * step : 0) };
			return true;
		}
	}
	return false;
}

static bool
find_special(struct parser *s, struct name n, struct operand *o)
{
	static const struct { const char *name; enum ptx_fill fill; } special[] = {
		{ "%tid.x", PTX_TID_X }, { "%tid.y", PTX_TID_Y }, { "%tid.z", PTX_TID_Z },
		{ "%ntid.x", PTX_NTID_X }, { "%ntid.y", PTX_NTID_Y }, { "%ntid.z", PTX_NTID_Z },
		{ "%ctaid.x", PTX_CTAID_X }, { "%ctaid.y", PTX_CTAID_Y }, { "%ctaid.z", PTX_CTAID_Z },
		{ "%nctaid.x", PTX_NCTAID_X }, { "%nctaid.y", PTX_NCTAID_Y }, { "%nctaid.z", PTX_NCTAID_Z },
		{ "%laneid", PTX_LANE }, { "%warpid", PTX_WARP }, { "%lanemask_eq", PTX_EQ },
		{ "%lanemask_lt", PTX_LT }, { "%lanemask_le", PTX_LE }, { "%lanemask_gt", PTX_GT },
		{ "%lanemask_ge", PTX_GE }, { "%total_smem_size", PTX_SHARED_SIZE },
	};

	for (size_t i = 0; i < sizeof special / sizeof *special; i++)
		if (parse_same(n, special[i].name)) {
			*o = (struct operand){ .is = REGISTER, .kind = { 'i', 32 },
				.at = parse_constant(s, special[i].fill, 0) };
			return true;
		}
	if (parse_same(n, "WARP_SZ")) {
		*o = (struct operand){ .is = NUMBER, .kind = { 'i', 64 }, .at = -1, .v = WARP };
		return true;
	}
	return false;
}

/* Where a function first names shared memory it gets its place. */
static bool
find_symbol(struct parser *s, struct name n, struct operand *o)
{
	struct ptx_function *f = s->f;

	*o = (struct operand){ .is = SYMBOL, .at = -1, .kind = { 'i', 64 } };
	for (uint32_t i = 0; i < f->params; i++)
		if (parse_same(n, f->param[i].name)) {
			o->space = PTX_PARAM;
			o->v = f->param[i].at;
			return true;
		}
	for (uint32_t i = s->m->symbols; i-- > 0;) {
		struct ptx_symbol *y = &s->m->symbol[i];

		if (!equal(y->name, n) || !sees(s, y->scope))
			continue;
		if (y->space == PTX_SHARED && !y->dynamic && y->user != f) {
			y->user = f;
			y->address = (f->shared + y->align - 1) / y->align * y->align;
			f->shared = (uint32_t)(y->address + y->bytes);
		}
		if (y->dynamic && f->shared_align < y->align)
			f->shared_align = y->align;
		o->space = y->space;
		o->v = y->dynamic ? 0 : y->address;
		o->dynamic = y->dynamic;
		return true;
	}
	return false;
}

static struct operand operand(struct parser *);

static struct operand *
pooled(struct parser *s, struct operand o)
{
	if (s->pooled == sizeof s->pool / sizeof *s->pool)
		BAD("too many operands");
	s->pool[s->pooled] = o;
	return &s->pool[s->pooled++];
}

static struct operand
list(struct parser *s)
{
	struct operand o = { .is = LIST, .at = -1 }, part[OPERAND_LIST];

	do {
		if (o.parts == OPERAND_LIST)
			BAD("too many operands in braces");
		part[o.parts++] = operand(s);
	} while (take(s, ','));
	want(s, '}');
	for (unsigned i = 0; i < o.parts; i++)
		if (i == 0)
			o.part = pooled(s, part[i]);
		else
			pooled(s, part[i]);
	return o;
}

static struct operand
address(struct parser *s)
{
	struct operand o = operand(s);
	uint64_t rest = 0;

	if (o.is != REGISTER && o.is != SYMBOL && o.is != NUMBER)
		BAD("no address");
	if (take(s, '+'))
		rest = whole(s);
	else if (*s->p == '-')
		rest = whole(s);
	want(s, ']');
	o.v = (o.is == REGISTER ? 0 : o.v) + rest;
	if (o.is != REGISTER)
		o.at = -1;
	o.space = o.is == SYMBOL ? o.space : PTX_GENERIC;
	o.is = ADDRESS;
	return o;
}

static struct operand
operand(struct parser *s)
{
	struct operand o = { .is = NOTHING, .at = -1 };
	struct name n;

	if (take(s, '['))
		return address(s);
	if (take(s, '{'))
		return list(s);
	if (take(s, '!')) {
		o = operand(s);
		o.not = true;
		return o;
	}
	if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
		return number(s);
	n = name(s, false);
	/* Special registers have a part. */
	if (n.n && n.p[0] == '%' && n.p[n.n] == '.' && strchr("xyz", n.p[n.n + 1])) {
		s->p = n.p + n.n + 2;
		space(s);
		n.n += 2;
	}
	if (parse_same(n, "_"))
		return (struct operand){ .is = SINK, .at = -1 };
	if (n.n == 0)
		BAD("an operand is wanted before \"%.20s\"", s->p);
	if (!find_register(s, n, &o) && !find_special(s, n, &o) && !find_symbol(s, n, &o))
		BAD("Unknown symbol '%.*s'", (int)n.n, n.p);
	if (take(s, '|'))
		o.other = pooled(s, operand(s));
	return o;
}

/* [.align N] .TYPE NAME[N][M] = {...}, in a space. */
static void
variable(struct parser *s, enum ptx_space space_is, bool external)
{
	struct ptx_symbol y = { .space = space_is, .scope = s->f ? s->scope[s->depth] : 0 };
	struct name n = name(s, true);
	struct kind k;
	unsigned char *bytes = NULL;
	uint64_t count = 1;
	const struct ptx_range *r;

	if (parse_same(n, ".align")) {
		y.align = (uint32_t)whole(s);
		n = name(s, true);
	}
	if (!kind_of(n, &k) || k.of == 'p')
		BAD("a variable of what type?");
	if (!y.align)
		y.align = k.bits / 8;
	if (y.align & (y.align - 1) || y.align > 1024)
		BAD("alignment %u", y.align);
	y.name = name(s, false);
	if (y.name.n == 0)
		BAD("a variable has no name");
	while (take(s, '[')) {
		if (take(s, ']')) {
			if (space_is != PTX_SHARED || !external)
				BAD("a variable has no size");
			y.dynamic = true;
			continue;
		}
		count *= whole(s);
		want(s, ']');
		if (count > 1u << 28)
			BAD("a variable is too large");
	}
	y.bytes = count * (k.bits / 8);
	switch (space_is) {
	case PTX_GLOBAL: case PTX_CONST:
		if (!(y.address = ptx_allocate(y.bytes, space_is == PTX_CONST ? PTX_CONSTANT : PTX_DEVICE)))
			parse_fail(s, 2, "out of memory");
		r = ptx_range(y.address, 0);
		bytes = r->host;
		memset(bytes, 0, y.bytes);
		break;
	case PTX_LOCAL:
		y.address = (s->f->local + y.align - 1) / y.align * y.align;
		s->f->local = (uint32_t)(y.address + y.bytes);
		break;
	default:
		break;
	}
	s->m->symbol = parse_grow(s, s->m->symbol, s->m->symbols, sizeof y);
	s->m->symbol[s->m->symbols++] = y;
	if (take(s, '=')) {
		size_t at = 0;

		if (!bytes)
			BAD("only .global and .const have values");
		while (!take(s, ';')) {
			struct operand v;

			if (take(s, '{') || take(s, '}') || take(s, ','))
				continue;
			v = number(s);
			if (at + k.bits / 8 > y.bytes || (v.kind.of == 'f' && v.kind.bits != k.bits))
				BAD("a value does not fit");
			memcpy(bytes + at, &v.v, k.bits / 8);
			at += k.bits / 8;
		}
		return;
	}
	want(s, ';');
}

static void
params(struct parser *s)
{
	struct ptx_function *f = s->f;

	if (!take(s, '(') || take(s, ')'))
		return;
	do {
		struct ptx_param q = { 0 };
		struct name n = name(s, true);
		struct kind k;
		uint32_t align = 0;
		uint64_t count = 1;

		if (!parse_same(n, ".param"))
			BAD(".param is wanted");
		n = name(s, true);
		if (parse_same(n, ".align")) {
			align = (uint32_t)whole(s);
			n = name(s, true);
		}
		if (!kind_of(n, &k) || k.of == 'p')
			BAD("a parameter of what type?");
		n = name(s, true);
		while (n.n && n.p[0] == '.') {		/* .ptr .global .align 4 */
			if (parse_same(n, ".align"))
				whole(s);
			n = name(s, true);
		}
		align = align ? align : k.bits / 8;
		if (take(s, '[')) {
			count = whole(s);
			want(s, ']');
		}
		if (align == 0 || align & (align - 1) || align > 128 || count > 4096)
			BAD("a parameter that is none");
		q.at = (f->param_bytes + align - 1) / align * align;
		q.bytes = (uint32_t)count * (k.bits / 8);
		f->param_bytes = q.at + q.bytes;
		if (f->param_bytes > 4096)
			BAD("Formal parameter space overflowed");
		q.name = strndup(n.p, n.n);
		f->param = parse_grow(s, f->param, f->params, sizeof q);
		f->param[f->params++] = q;
	} while (take(s, ','));
	want(s, ')');
}

/* A place to go to: the name is read. */
static bool
jump(struct parser *s, struct name op, int32_t guard, bool unless)
{
	struct ins *i;
	struct name to;

	if (!parse_same(op, "bra") && !parse_same(op, "bra.uni"))
		return false;
	i = parse_add(s);
	i->kind = PTX_BRANCH;
	i->guard = guard;
	i->unless = unless;
	to = name(s, false);
	s->jump = parse_grow(s, s->jump, s->jumps, sizeof *s->jump);
	s->jump[s->jumps++] = (struct label){ to, s->scope[s->depth], s->f->instructions - 1 };
	want(s, ';');
	return true;
}

static void
statement(struct parser *s, struct name n)
{
	struct operand o[OPERANDS_READ], guard = { .at = -1 };
	unsigned k = 0;

	s->pooled = 0;
	if (n.n == 0 && take(s, '@')) {
		guard = operand(s);
		if (guard.is != REGISTER || guard.kind.of != 'p')
			BAD("a predicate is wanted");
		n = name(s, true);
	}
	if (jump(s, n, guard.at, guard.not))
		return;
	if (n.n == 0)
		BAD("syntax error before \"%.20s\"", s->p);
	if (*s->p != ';')
		do {
			if (k == OPERANDS_READ)
				BAD("too many operands");
			o[k++] = operand(s);
		} while (take(s, ','));
	if (*s->p != ';')
		BAD("syntax error before \"%.20s\"", s->p);
	decode(s, n, o, k, guard.at, guard.not);
	want(s, ';');
}

static void
enter(struct parser *s)
{
	if (s->depth + 1 == SCOPES)
		BAD("too many braces");
	s->parent = parse_grow(s, s->parent, s->scopes, sizeof *s->parent);
	s->parent[s->scopes] = s->depth ? s->scope[s->depth] : 0;
	s->scope[++s->depth] = ++s->scopes;
}

/* Jumps go to the label that their scope, or one around it, has. */
static void
link(struct parser *s)
{
	for (uint32_t j = 0; j < s->jumps; j++) {
		struct label *to = NULL;

		for (unsigned scope = s->jump[j].scope; scope && !to; scope = s->parent[scope - 1])
			for (uint32_t i = 0; i < s->labels; i++)
				if (s->label[i].scope == scope && equal(s->label[i].name, s->jump[j].name))
					to = &s->label[i];
		if (!to) {
			s->line = s->f->code[s->jump[j].at].line;
			BAD("Label '%.*s' is not there", (int)s->jump[j].name.n, s->jump[j].name.p);
		}
		s->f->code[s->jump[j].at].imm = to->at;
	}
}

static void
body(struct parser *s)
{
	struct ptx_function *f = s->f;

	enter(s);
	while (s->depth) {
		struct name n;

		if (take(s, '{')) {
			enter(s);
			continue;
		}
		if (take(s, '}')) {
			s->depth--;
			continue;
		}
		if (!*s->p)
			BAD("the body has no end");
		n = name(s, true);
		if (parse_same(n, ".reg")) {
			registers(s);
		} else if (parse_same(n, ".shared")) {
			variable(s, PTX_SHARED, false);
		} else if (parse_same(n, ".local")) {
			variable(s, PTX_LOCAL, false);
		} else if (parse_same(n, ".pragma")) {
			skip(s, ';');
		} else if (parse_same(n, ".loc")) {
			skip(s, '\n');
		} else if (n.n && *s->p == ':') {
			want(s, ':');
			s->label = parse_grow(s, s->label, s->labels, sizeof *s->label);
			s->label[s->labels++] = (struct label){ n, s->scope[s->depth], f->instructions };
		} else {
			statement(s, n);
		}
	}
	parse_add(s)->kind = PTX_EXIT;
	link(s);
	/* Shared memory of the launch begins where the function's own ends. */
	if (f->shared_align)
		f->shared = (f->shared + f->shared_align - 1) / f->shared_align * f->shared_align;
	for (uint32_t i = 0; i < f->constants; i++)
		for (uint32_t j = 0; j < s->dynamics; j++)
			if (f->constant[i].at == s->dynamic[j])
				f->constant[i].v += f->shared;
	if (f->shared > 48 << 10)
		BAD("Entry function '%s' uses too much shared data (%#x bytes, 0xc000 max)", f->name, f->shared);
	s->declareds = s->labels = s->jumps = s->dynamics = 0;
}

static void
entry(struct parser *s)
{
	struct ptx_function *f = calloc(1, sizeof *f), **last = &s->m->first;
	struct name n = name(s, false);

	if (!f)
		parse_fail(s, 2, "out of memory");
	while (*last)
		last = &(*last)->next;
	*last = s->f = f;
	f->name = strndup(n.p, n.n);
	f->module = s->m;
	f->threads = 1024;
	params(s);
	while (!take(s, '{')) {
		uint64_t product;

		n = name(s, true);
		if (parse_same(n, ".maxntid") || parse_same(n, ".reqntid")) {
			product = whole(s);
			while (take(s, ','))
				product *= whole(s);
			f->threads = product < 1024 ? (uint32_t)product : 1024;
			f->exact = parse_same(n, ".reqntid");
		} else if (parse_same(n, ".minnctapersm") || parse_same(n, ".maxnreg")) {
			whole(s);
		} else {
			BAD("unknown directive %.*s", (int)n.n, n.p);
		}
	}
	body(s);
	s->f = NULL;
}

static void
version(struct parser *s, int driver)
{
	char *end;
	unsigned major = (unsigned)strtoul(s->p, &end, 10), minor = 0;

	if (*end == '.')
		minor = (unsigned)strtoul(end + 1, &end, 10);
	s->p = end;
	space(s);
	s->m->version = 10 * major + minor;
	/* 7.0 came with CUDA 11.0, 8.0 with 12.0. */
	if (s->m->version < 10 || (int)(major + 4) * 1000 + (int)minor * 10 > driver)
		parse_fail(s, CUDA_OLD_PTX, "Unsupported .version %u.%u", major, minor);
}

static void
target(struct parser *s)
{
	struct name n = name(s, false);

	if (n.n < 5 || memcmp(n.p, "sm_", 3) != 0)
		BAD("unknown .target %.*s", (int)n.n, n.p);
	s->m->target = (unsigned)strtoul(n.p + 3, NULL, 10);
	if (s->m->target > s->arch || (n.p[n.n - 1] == 'a' && s->m->target != s->arch))
		parse_fail(s, CUDA_NO_BINARY, "sm_%u has no code here", s->arch);
	while (take(s, ','))
		name(s, false);
}

static void
module(struct parser *s, int driver)
{
	bool external = false;

	for (space(s); *s->p;) {
		struct name n = name(s, true);

		if (parse_same(n, ".version"))
			version(s, driver);
		else if (!s->m->version)
			BAD("Missing .version directive at start of file");
		else if (parse_same(n, ".target"))
			target(s);
		else if (parse_same(n, ".address_size")) {
			if (whole(s) != 64)
				BAD("addresses are of 64 bits");
		} else if (parse_same(n, ".file") || parse_same(n, ".loc"))
			skip(s, '\n');
		else if (parse_same(n, ".extern"))
			external = true;
		else if (parse_same(n, ".visible") || parse_same(n, ".weak") || parse_same(n, ".common"))
			external = false;
		else if (parse_same(n, ".shared")) {
			variable(s, PTX_SHARED, external);
			external = false;
		} else if (parse_same(n, ".global"))
			variable(s, PTX_GLOBAL, false);
		else if (parse_same(n, ".const"))
			variable(s, PTX_CONST, false);
		else if (parse_same(n, ".entry"))
			entry(s);
		else
			BAD("\"%.*s\" is not known here", n.n ? (int)n.n : 10, n.p);
	}
	if (!s->m->target)
		BAD("Missing .target directive");
}

struct ptx_module *
ptx_load(const char *text, unsigned arch, int driver, int *status, char *why, size_t n)
{
	struct parser *s = calloc(1, sizeof *s);
	struct ptx_module *volatile m = calloc(1, sizeof *m);

	*status = 2;
	if (!s || !m || !(m->text = strdup(text))) {
		free(s);
		free(m);
		return NULL;
	}
	s->p = m->text;
	s->line = 1;
	s->m = m;
	s->arch = arch;
	s->why = why;
	s->room = n;
	*status = 0;
	if (setjmp(s->out) == 0)
		module(s, driver);
	*status = s->status;
	free(s->declared);
	free(s->label);
	free(s->jump);
	free(s->parent);
	free(s->dynamic);
	free(s);
	if (*status == 0)
		return m;
	ptx_unload(m);
	return NULL;
}

void
ptx_unload(struct ptx_module *m)
{
	for (struct ptx_function *f = m->first, *next; f; f = next) {
		next = f->next;
		for (uint32_t i = 0; i < f->params; i++)
			free(f->param[i].name);
		free(f->param);
		free(f->code);
		free(f->constant);
		free(f->name);
		free(f);
	}
	for (uint32_t i = 0; i < m->symbols; i++)
		if (m->symbol[i].space == PTX_GLOBAL || m->symbol[i].space == PTX_CONST)
			ptx_free(m->symbol[i].address);
	free(m->symbol);
	free(m->text);
	free(m);
}

struct ptx_function *
ptx_find(struct ptx_module *m, const char *name)
{
	struct ptx_function *f = m->first;

	while (f && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

uint64_t
ptx_variable(struct ptx_module *m, const char *name, size_t *bytes)
{
	for (uint32_t i = 0; i < m->symbols; i++)
		if (parse_same(m->symbol[i].name, name) && m->symbol[i].space != PTX_SHARED) {
			*bytes = m->symbol[i].bytes;
			return m->symbol[i].address;
		}
	return 0;
}
