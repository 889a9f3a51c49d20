/* SPDX-License-Identifier: MIT */
/*
 * memory.c -- what a card without a card has of memory, and PTX's instructions
 * that go to it.
 *
 * Addresses are no pointers of the host, and none is given out twice, so that
 * what goes past an allocation, or to one that is gone, is found.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ptx.h"

enum { STEP = 512 };
#define FIRST 0x700000000000u

static struct ptx_range *range;		/* by address */
static size_t ranges, room;
static uint64_t next = FIRST;

static size_t
place(uint64_t at)
{
	size_t low = 0, high = ranges;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (range[mid].start <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int
enter(struct ptx_range r)
{
	size_t k = place(r.start);

	if (ranges == room) {
		struct ptx_range *p = realloc(range, (2 * room + 16) * sizeof *p);

		if (!p)
			return -1;
		range = p;
		room = 2 * room + 16;
	}
	memmove(range + k + 1, range + k, (ranges - k) * sizeof *range);
	range[k] = r;
	ranges++;
	return 0;
}

__attribute__((destructor)) static void
end(void)
{
	free(range);
	range = NULL;
	ranges = room = 0;
}

/* With STUB_CUDA_FAR a card's bytes are pages that this process does not keep
 * once they were written, so that its own memory can be told from theirs. */
static int
far(enum ptx_owner owner)
{
	return owner == PTX_DEVICE && getenv("STUB_CUDA_FAR");
}

enum { PAGE = 4096 };

void
ptx_put_away(void *p, size_t bytes)
{
	uintptr_t from = (uintptr_t)p / PAGE * PAGE, to = ((uintptr_t)p + bytes) / PAGE * PAGE;

	if (far(PTX_DEVICE) && to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

/* What nobody has written is a NaN in every type. */
uint64_t
ptx_allocate(size_t bytes, enum ptx_owner owner)
{
	struct ptx_range r = { next, bytes, NULL, owner };

	if (far(owner)) {
		r.host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (r.host == MAP_FAILED || enter(r) < 0)
			return 0;
		next += (bytes + 2 * STEP - 1) / STEP * STEP;
		return r.start;
	}
	r.host = malloc(bytes ? bytes : 1);
	if (!r.host || enter(r) < 0) {
		free(r.host);
		return 0;
	}
	memset(r.host, owner == PTX_CONSTANT || getenv("STUB_CUDA_IDLE") ? 0 : 0xff, bytes);
	next += (bytes + 2 * STEP - 1) / STEP * STEP;
	return r.start;
}

int
ptx_reveal(void *host, size_t bytes)
{
	return enter((struct ptx_range){ (uintptr_t)host, bytes, host, PTX_HOST });
}

int
ptx_free(uint64_t start)
{
	size_t k = place(start);

	if (k == 0 || range[k - 1].start != start)
		return -1;
	if (far(range[k - 1].owner))
		munmap(range[k - 1].host, range[k - 1].bytes);
	else if (range[k - 1].owner != PTX_HOST)
		free(range[k - 1].host);
	memmove(range + k - 1, range + k, (ranges - k) * sizeof *range);
	ranges--;
	return 0;
}

const struct ptx_range *
ptx_range(uint64_t at, size_t bytes)
{
	size_t k = place(at);

	if (k == 0 || at - range[k - 1].start > range[k - 1].bytes ||
	    range[k - 1].bytes - (at - range[k - 1].start) < bytes)
		return NULL;
	return &range[k - 1];
}

static const char *
name_of(int space)
{
	static const char *const names[] = { "generic", "global", "shared", "const", "param", "local" };

	return names[space];
}

/* The bytes of one lane's address; NULL: the kernel has ended. */
static unsigned char *
one(struct warp *w, const struct ins *i, int lane, int space, uint64_t at, unsigned size)
{
	struct block *b = w->block;
	const struct ptx_range *r;
	uint32_t local = b->launch->f->local;

	if (at % size) {
		ptx_fault(w, i, CUDA_MISALIGNED_ADDRESS, "%u bytes at %#llx", size, (unsigned long long)at);
		return NULL;
	}
	if (space == PTX_GENERIC && at >= PTX_SHARED_WINDOW && at - PTX_SHARED_WINDOW < (1u << 24)) {
		at -= PTX_SHARED_WINDOW;
		space = PTX_SHARED;
	} else if (space == PTX_GENERIC && at >= PTX_LOCAL_WINDOW && at - PTX_LOCAL_WINDOW < (1u << 24)) {
		at -= PTX_LOCAL_WINDOW;
		space = PTX_LOCAL;
	}
	switch (space) {
	case PTX_SHARED:
		if (at <= b->shared_bytes && b->shared_bytes - at >= size)
			return b->shared + at;
		break;
	case PTX_LOCAL:
		if (at <= local && local - at >= size)
			return w->local + (size_t)lane * local + at;
		break;
	default:
		r = ptx_range(at, size);
		if (r && (space == PTX_GENERIC || (space == PTX_CONST) == (r->owner == PTX_CONSTANT))) {
			b->hit[i->slot] = *r;
			return r->host + (at - r->start);
		}
		break;
	}
	ptx_fault(w, i, CUDA_ILLEGAL_ADDRESS, "lane %d: %u bytes at %s %#llx are in no allocation", lane,
	    size, name_of(space), (unsigned long long)at);
	return NULL;
}

/* Where each lane's bytes are; false: the kernel has ended. */
static WIDE bool
where(struct warp *w, const struct ins *i, uint32_t lanes, int k, unsigned size, unsigned char **p)
{
	struct block *b = w->block;
	uint64_t at[WARP], start = 0, last, bad = 0, mis = 0;
	unsigned char *host;
	const struct ptx_range *r = &b->hit[i->slot];

	if (i->narrow) {
		const uint32_t *a = r32(w, i, k);

		EACH(at[l] = (uint32_t)(a[l] + (uint32_t)i->imm))
	} else {
		const uint64_t *a = r64(w, i, k);

		EACH(at[l] = a[l] + (uint64_t)i->imm)
	}
	switch (i->space) {
	case PTX_SHARED:
		host = b->shared;
		last = b->shared_bytes;
		break;
	case PTX_LOCAL:
		last = 0;
		host = NULL;
		break;
	default:
		start = r->start;
		host = r->host;
		last = r->bytes;
	}
	if (last >= size) {
		last -= size;
		EACH(uint64_t off = at[l] - start; bad |= (uint64_t)(off > last); mis |= at[l];
		    p[l] = host + off)
		if (!bad && !(mis & (size - 1)))
			return true;
	}
	for (uint32_t left = lanes; left; left &= left - 1) {
		int l = __builtin_ctz(left);

		if (!(p[l] = one(w, i, l, i->space, at[l], size)))
			return false;
	}
	return true;
}

/* n registers from a place, or to it: the address is the first operand. */
#define LOAD(name, T, V, R) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	unsigned char *p[WARP]; \
	if (!where(w, i, lanes, 0, i->n * (unsigned)sizeof(T), p)) \
		return; \
	if (w->block->trace) \
		ptx_trace(w, i, lanes, p, i->n * (unsigned)sizeof(T), false); \
	for (unsigned k = 0; k < i->n; k++) { \
		uint##R##_t *d; \
		if (i->o[1 + k] < 0) \
			continue; \
		d = r##R(w, i, 1 + (int)k); \
		EACH(T v; memcpy(&v, p[l] + k * sizeof(T), sizeof v); d[l] = (uint##R##_t)(V)v) \
	} \
}
LOAD(load_u8, uint8_t, uint8_t, 32)
LOAD(load_s8, int8_t, int32_t, 32)
LOAD(load_u16, uint16_t, uint16_t, 32)
LOAD(load_s16, int16_t, int32_t, 32)
LOAD(load_32, uint32_t, uint32_t, 32)
LOAD(load_64, uint64_t, uint64_t, 64)
LOAD(load_u8_64, uint8_t, uint8_t, 64)
LOAD(load_s8_64, int8_t, int64_t, 64)
LOAD(load_u16_64, uint16_t, uint16_t, 64)
LOAD(load_s16_64, int16_t, int64_t, 64)
LOAD(load_u32_64, uint32_t, uint32_t, 64)
LOAD(load_s32_64, int32_t, int64_t, 64)

ptx_op *
ptx_loader(int bytes, bool is_signed, bool wide)
{
	static ptx_op *const ops[2][2][4] = {
		{ { load_u8, load_u16, load_32, NULL }, { load_s8, load_s16, load_32, NULL } },
		{ { load_u8_64, load_u16_64, load_u32_64, load_64 },
		  { load_s8_64, load_s16_64, load_s32_64, load_64 } },
	};

	return ops[wide][is_signed][__builtin_ctz((unsigned)bytes)];
}

#define STORE(name, T, R) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	unsigned char *p[WARP]; \
	if (!where(w, i, lanes, 0, i->n * (unsigned)sizeof(T), p)) \
		return; \
	if (w->block->trace) \
		ptx_trace(w, i, lanes, p, i->n * (unsigned)sizeof(T), true); \
	for (unsigned k = 0; k < i->n; k++) { \
		const uint##R##_t *a = r##R(w, i, 1 + (int)k); \
		for (uint32_t left = lanes; left; left &= left - 1) { \
			int l = __builtin_ctz(left); \
			T v = (T)a[l]; \
			memcpy(p[l] + k * sizeof(T), &v, sizeof v); \
		} \
	} \
}
STORE(store_8, uint8_t, 32)
STORE(store_16, uint16_t, 32)
STORE(store_32, uint32_t, 32)
STORE(store_64, uint64_t, 64)
STORE(store_8_64, uint8_t, 64)
STORE(store_16_64, uint16_t, 64)
STORE(store_32_64, uint32_t, 64)

ptx_op *
ptx_storer(int bytes, bool wide)
{
	static ptx_op *const ops[2][4] = {
		{ store_8, store_16, store_32, NULL }, { store_8_64, store_16_64, store_32_64, store_64 },
	};

	return ops[wide][__builtin_ctz((unsigned)bytes)];
}

/* The same for all lanes: imm is where among the parameters; n of them, of
 * `mask` bytes, signed if the space says so. */
void
ptx_load_param(struct warp *w, const struct ins *i, uint32_t lanes)
{
	const unsigned char *p = w->block->launch->param + i->imm;

	for (unsigned k = 0; k < i->n; k++) {
		uint64_t v = 0;

		memcpy(&v, p + k * i->mask, i->mask);
		if (i->space && i->mask < 8)
			v = (uint64_t)((int64_t)(v << (64 - 8 * i->mask)) >> (64 - 8 * i->mask));
		if (i->narrow) {
			uint32_t *d = r32(w, i, (int)k);

			EACH(d[l] = (uint32_t)v)
		} else {
			uint64_t *d = r64(w, i, (int)k);

			EACH(d[l] = v)
		}
	}
}

/* d (or none), the address, b, c. */
#define ATOMIC(name, T, R, expr) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	unsigned char *p[WARP]; \
	const uint##R##_t *b_ = r##R(w, i, 2), *c_ = i->o[3] < 0 ? b_ : r##R(w, i, 3); \
	uint##R##_t *d = i->o[0] < 0 ? NULL : r##R(w, i, 0); \
	if (!where(w, i, lanes, 1, sizeof(T), p)) \
		return; \
	for (uint32_t left = lanes; left; left &= left - 1) { \
		int l = __builtin_ctz(left); \
		T b = (T)b_[l], c = (T)c_[l], a = __atomic_load_n((T *)p[l], __ATOMIC_SEQ_CST); \
		(void)b; \
		(void)c; \
		while (!__atomic_compare_exchange_n((T *)p[l], &a, (T)(expr), false, __ATOMIC_SEQ_CST, \
		    __ATOMIC_SEQ_CST)) \
			; \
		if (d) \
			d[l] = (uint##R##_t)a; \
	} \
}
ATOMIC(atom_add_32, uint32_t, 32, a + b)
ATOMIC(atom_add_64, uint64_t, 64, a + b)
ATOMIC(atom_exch_32, uint32_t, 32, b)
ATOMIC(atom_exch_64, uint64_t, 64, b)
ATOMIC(atom_cas_32, uint32_t, 32, a == b ? c : a)
ATOMIC(atom_cas_64, uint64_t, 64, a == b ? c : a)
ATOMIC(atom_inc, uint32_t, 32, a >= b ? 0 : a + 1)
ATOMIC(atom_dec, uint32_t, 32, a == 0 || a > b ? b : a - 1)
ATOMIC(atom_min_u32, uint32_t, 32, a < b ? a : b)
ATOMIC(atom_max_u32, uint32_t, 32, a > b ? a : b)
ATOMIC(atom_min_s32, int32_t, 32, a < b ? a : b)
ATOMIC(atom_max_s32, int32_t, 32, a > b ? a : b)
ATOMIC(atom_min_u64, uint64_t, 64, a < b ? a : b)
ATOMIC(atom_max_u64, uint64_t, 64, a > b ? a : b)
ATOMIC(atom_min_s64, int64_t, 64, a < b ? a : b)
ATOMIC(atom_max_s64, int64_t, 64, a > b ? a : b)
ATOMIC(atom_and_32, uint32_t, 32, a & b)
ATOMIC(atom_or_32, uint32_t, 32, a | b)
ATOMIC(atom_xor_32, uint32_t, 32, a ^ b)

/* Integers only: sums of floats would have no order. */
ptx_op *
ptx_atomic(const char *what, const char *type)
{
	static const struct { const char *what, *type; ptx_op *op; } ops[] = {
		{ "add", "u32", atom_add_32 }, { "add", "s32", atom_add_32 }, { "add", "u64", atom_add_64 },
		{ "exch", "b32", atom_exch_32 }, { "exch", "b64", atom_exch_64 },
		{ "cas", "b32", atom_cas_32 }, { "cas", "b64", atom_cas_64 }, { "inc", "u32", atom_inc },
		{ "dec", "u32", atom_dec }, { "min", "u32", atom_min_u32 }, { "max", "u32", atom_max_u32 },
		{ "min", "s32", atom_min_s32 }, { "max", "s32", atom_max_s32 }, { "min", "u64", atom_min_u64 },
		{ "max", "u64", atom_max_u64 }, { "min", "s64", atom_min_s64 }, { "max", "s64", atom_max_s64 },
		{ "and", "b32", atom_and_32 }, { "or", "b32", atom_or_32 }, { "xor", "b32", atom_xor_32 },
	};

	for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
		if (!strcmp(ops[k].what, what) && !strcmp(ops[k].type, type))
			return ops[k].op;
	return NULL;
}

/*
 * From global to shared memory, and there only once somebody waits: until then
 * the place is noise.  To, from, how many bytes are read (or none: all); n are
 * written.
 */
void
ptx_copy_async(struct warp *w, const struct ins *i, uint32_t lanes)
{
	struct ins to = *i, from = *i;
	unsigned char *p[WARP], *q[WARP];

	to.space = PTX_SHARED;
	to.imm = (int32_t)i->imm;
	to.narrow = i->mask;
	from.space = PTX_GLOBAL;
	from.imm = i->imm >> 32;
	from.narrow = false;
	if (!where(w, &to, lanes, 0, i->n, p))
		return;
	if (w->block->trace)
		ptx_trace(w, i, lanes, p, i->n, true);
	for (uint32_t left = lanes; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		unsigned n = i->o[2] < 0 ? i->n : r32(w, i, 2)[l];
		struct copy *c;

		if (n > i->n) {
			ptx_fault(w, i, CUDA_ILLEGAL_INSTRUCTION, "lane %d: %u of %u bytes", l, n, i->n);
			return;
		}
		if (n > 0 && !where(w, &from, 1u << l, 1, i->n, q))
			return;
		if (w->copies == w->room) {
			w->room = 2 * w->room + 64;
			w->copy = realloc(w->copy, w->room * sizeof *w->copy);
			if (!w->copy)
				abort();
		}
		c = &w->copy[w->copies++];
		*c = (struct copy){ .from = i, .to = p[l], .group = w->group[l], .n = i->n, .lane = (uint8_t)l };
		if (n > 0)
			memcpy(c->bytes, q[l], n);
		memset(p[l], 0xff, i->n);
	}
}

void
ptx_arrive(struct warp *w, uint32_t lanes, uint32_t n)
{
	uint32_t k = 0;

	for (uint32_t j = 0; j < w->copies; j++) {
		struct copy *c = &w->copy[j];

		if (lanes >> c->lane & 1 && c->group + n < w->group[c->lane]) {
			unsigned char *p[WARP];

			p[c->lane] = c->to;
			if (w->block->trace)
				ptx_trace(w, c->from, 1u << c->lane, p, c->n, true);
			memcpy(c->to, c->bytes, c->n);
		} else {
			w->copy[k++] = *c;
		}
	}
	w->copies = k;
}

void
ptx_copy_commit(struct warp *w, const struct ins *i, uint32_t lanes)
{
	(void)i;
	EACH(w->group[l]++)
}

/* At most the last imm groups are still on their way. */
void
ptx_copy_wait(struct warp *w, const struct ins *i, uint32_t lanes)
{
	ptx_arrive(w, lanes, (uint32_t)i->imm);
}

void
ptx_copy_wait_all(struct warp *w, const struct ins *i, uint32_t lanes)
{
	ptx_copy_commit(w, i, lanes);
	ptx_arrive(w, lanes, 0);
}

/*
 * n matrices of 8 x 8 halves: lane 8 j + r has row r's address in matrix j, and
 * lane l gets of each the two halves of row l / 4 from 2 (l % 4) on -- or, turned,
 * of rows 2 (l % 4) and the next in column l / 4.  imm's bit 32: turned.
 */
void
ptx_ldmatrix(struct warp *w, const struct ins *i, uint32_t lanes)
{
	struct ins at = *i;
	unsigned char *p[WARP];
	bool turned = i->imm >> 32 & 1;

	(void)lanes;
	at.imm = (int32_t)i->imm;
	at.space = PTX_SHARED;
	if (!where(w, &at, i->n == 4 ? EVERY : (1u << 8 * i->n) - 1, 0, 16, p))
		return;
	if (w->block->trace)
		ptx_trace(w, i, i->n == 4 ? EVERY : (1u << 8 * i->n) - 1, p, 16, false);
	for (int j = 0; j < i->n; j++) {
		uint32_t *d = r32(w, i, 1 + j), v[WARP];

		for (int l = 0; l < WARP; l++) {
			int row = turned ? l % 4 * 2 : l / 4, column = turned ? l / 4 : l % 4 * 2;
			uint16_t low, high;

			memcpy(&low, p[8 * j + row] + 2 * column, 2);
			memcpy(&high, turned ? p[8 * j + row + 1] + 2 * column : p[8 * j + row] + 2 * column + 2, 2);
			v[l] = low | (uint32_t)high << 16;
		}
		memcpy(d, v, sizeof v);
	}
}
