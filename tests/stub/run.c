/* SPDX-License-Identifier: MIT */
/* run.c -- a kernel: block after block, warp after warp as far as the next
 * barrier. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx.h"

void
ptx_fault(struct warp *w, const struct ins *i, int status, const char *format, ...)
{
	const struct ptx_function *f = w->block->launch->f;
	const char *line = f->module->text, *end;
	va_list ap;

	if (w->block->status)
		return;
	w->block->status = status;
	for (uint32_t n = 1; n < i->line && line; n++)
		line = (line = strchr(line, '\n')) ? line + 1 : NULL;
	while (line && (*line == ' ' || *line == '\t'))
		line++;
	end = line ? strchr(line, '\n') : NULL;
	fprintf(stderr, "libcuda: %s, block %u %u %u, warp %u, line %u (%.*s): ", f->name,
	    w->block->index[0], w->block->index[1], w->block->index[2], w->number, i->line,
	    end ? (int)(end - line) : 0, line ? line : "");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* Which of the lanes that are here may go on. */
static uint32_t
ready(struct warp *w, const struct ins *i, uint32_t lanes)
{
	const uint32_t *mask;
	uint32_t r = 0;

	switch (i->kind) {
	case PTX_BARRIER:
		return lanes == w->alive ? lanes : 0;
	case PTX_WHOLE:
		return lanes == EVERY ? lanes : 0;
	case PTX_MASKED:
		mask = r32(w, i, i->mask);
		for (uint32_t left = lanes; left; left &= left - 1) {
			int l = __builtin_ctz(left);

			if (!(mask[l] >> l & 1)) {
				ptx_fault(w, i, CUDA_ILLEGAL_INSTRUCTION, "lane %d is not among lanes %#x", l, mask[l]);
				return 0;
			}
			if (!(mask[l] & w->alive & ~lanes))
				r |= 1u << l;
		}
		return r;
	}
	return lanes;
}

/* The lanes at the lowest place, of those who hold nobody up; then of the held
 * the first that now may go on.  Nobody: 0. */
static uint32_t
choose(struct warp *w, uint32_t *pc, uint32_t *stop)
{
	const struct ins *code = w->block->launch->f->code;
	uint32_t lanes = w->alive & ~w->held, set = 0;

	*pc = *stop = EVERY;
	for (uint32_t left = lanes; left; left &= left - 1) {
		uint32_t at = w->at[__builtin_ctz(left)];

		if (at < *pc) {
			*stop = *pc;
			*pc = at;
		} else if (at > *pc && at < *stop) {
			*stop = at;
		}
	}
	for (uint32_t left = lanes; left; left &= left - 1)
		if (w->at[__builtin_ctz(left)] == *pc)
			set |= left & -left;
	if (set)
		return set;
	/* Lanes that are held at the same place, place after place. */
	for (uint32_t left = w->held & w->alive; left;) {
		uint32_t at = w->at[__builtin_ctz(left)], here = 0;

		for (uint32_t m = left; m; m &= m - 1)
			if (w->at[__builtin_ctz(m)] == at)
				here |= m & -m;
		if (ready(w, &code[at], here)) {
			*pc = at;
			w->held &= ~here;
			return here;
		}
		left &= ~here;
	}
	return 0;
}

static void
keep(struct warp *w, uint32_t lanes, uint32_t pc)
{
	EACH(w->at[l] = pc)
}

/* Until the warp has ended, or all of it is at a barrier. */
static void
run_warp(struct warp *w)
{
	const struct ins *code = w->block->launch->f->code;
	uint32_t pc, stop, lanes;

	while (w->alive && w->barrier < 0 && !w->block->status) {
		if (!(lanes = choose(w, &pc, &stop))) {
			if (!w->block->status)
				ptx_fault(w, &code[w->at[__builtin_ctz(w->alive)]], CUDA_ILLEGAL_INSTRUCTION,
				    "lanes %#x wait at different places, or for some that have gone", w->alive);
			return;
		}
		while (pc < stop) {
			const struct ins *i = &code[pc];
			uint32_t go = lanes;

			w->did++;
			if (i->guard >= 0) {
				uint32_t p = *(const uint32_t *)(w->r + i->guard);

				go &= i->unless ? ~p : p;
			}
			if (i->kind == PTX_PLAIN) {
				if (go) {
					i->op(w, i, go);
					if (w->block->status)
						return;
				}
				pc++;
				continue;
			}
			if (!go) {
				pc++;
				continue;
			}
			if (i->kind == PTX_BRANCH) {
				if (go == lanes) {
					pc = (uint32_t)i->imm;
					continue;
				}
				keep(w, go, (uint32_t)i->imm);
				keep(w, lanes & ~go, pc + 1);
				lanes = 0;
				break;
			}
			if (i->kind == PTX_EXIT) {
				ptx_arrive(w, go, 0);
				w->alive &= ~go;
				lanes &= ~go;
				pc++;
				if (!lanes)
					break;
				continue;
			}
			/* Those that wait here already come along. */
			for (uint32_t left = w->held & w->alive; left; left &= left - 1)
				if (w->at[__builtin_ctz(left)] == pc)
					go |= left & -left;
			keep(w, lanes & ~go, pc + 1);
			keep(w, go, pc);
			lanes = ready(w, i, go);
			if (w->block->status)
				return;
			w->held = (w->held | go) & ~lanes;
			if (lanes) {
				i->op(w, i, lanes);
				if (w->block->status)
					return;
				keep(w, lanes, pc + 1);
			}
			lanes = 0;
			break;
		}
		keep(w, lanes, pc);
	}
}

/* bar.sync: the number, and of how many threads. */
void
ptx_barrier(struct warp *w, const struct ins *i, uint32_t lanes)
{
	struct block *b = w->block;
	int first = __builtin_ctz(lanes);
	uint32_t id = r32(w, i, 0)[first], n = i->o[1] < 0 ? 0 : r32(w, i, 1)[first];

	if (id >= PTX_BARRIERS || n % WARP || n > b->warps * WARP) {
		ptx_fault(w, i, CUDA_ILLEGAL_INSTRUCTION, "barrier %u of %u threads", id, n);
		return;
	}
	/* Of all that are there, if nobody says how many. */
	if (b->arrived[id] && b->expected[id] != n / WARP)
		ptx_fault(w, i, CUDA_ILLEGAL_INSTRUCTION, "barrier %u of %u threads is of %u", id, n,
		    b->expected[id] * WARP);
	b->expected[id] = n / WARP;
	b->arrived[id]++;
	w->barrier = (int)id;
}

static bool
open_barriers(struct block *b)
{
	uint32_t alive = 0;
	bool any = false;

	for (uint32_t k = 0; k < b->warps; k++)
		alive += b->warp[k].alive != 0;
	for (int id = 0; id < PTX_BARRIERS; id++) {
		if (!b->arrived[id] || b->arrived[id] < (b->expected[id] ? b->expected[id] : alive))
			continue;
		b->arrived[id] = 0;
		ptx_trace_open(b);
		for (uint32_t k = 0; k < b->warps; k++)
			if (b->warp[k].barrier == id) {
				b->warp[k].barrier = -1;
				any = true;
			}
	}
	return any;
}

static void
fill(struct warp *w, const struct ptx_constant *c)
{
	const struct ptx_launch *launch = w->block->launch;
	const unsigned *n = launch->block, *grid = launch->grid;
	uint32_t *r = (uint32_t *)(w->r + c->at);

	if (c->kind == PTX_PRED) {
		*r = (uint32_t)c->v;
		return;
	}
	for (uint32_t l = 0; l < WARP; l++) {
		uint32_t thread = w->number * WARP + l;

		switch (c->kind) {
		case PTX_64: ((uint64_t *)r)[l] = c->v; break;
		case PTX_32: case PTX_PRED: r[l] = (uint32_t)c->v; break;
		case PTX_SHARED_SIZE: r[l] = w->block->shared_bytes; break;
		case PTX_TID_X: r[l] = thread % n[0]; break;
		case PTX_TID_Y: r[l] = thread / n[0] % n[1]; break;
		case PTX_TID_Z: r[l] = thread / n[0] / n[1]; break;
		case PTX_LANE: r[l] = l; break;
		case PTX_WARP: r[l] = w->number; break;
		case PTX_EQ: r[l] = 1u << l; break;
		case PTX_LT: r[l] = (1u << l) - 1; break;
		case PTX_LE: r[l] = (2u << l) - 1; break;
		case PTX_GT: r[l] = ~((2u << l) - 1); break;
		case PTX_GE: r[l] = ~((1u << l) - 1); break;
		case PTX_NTID_X: case PTX_NTID_Y: case PTX_NTID_Z: r[l] = n[c->kind - PTX_NTID_X]; break;
		case PTX_NCTAID_X: case PTX_NCTAID_Y: case PTX_NCTAID_Z: r[l] = grid[c->kind - PTX_NCTAID_X]; break;
		case PTX_CTAID_X: case PTX_CTAID_Y: case PTX_CTAID_Z:
			r[l] = w->block->index[c->kind - PTX_CTAID_X];
			break;
		}
	}
}

static void
run_block(struct block *b)
{
	const struct ptx_function *f = b->launch->f;
	unsigned threads = b->launch->block[0] * b->launch->block[1] * b->launch->block[2];
	bool any = true;

	memset(b->shared, 0xff, b->shared_bytes);
	memset(b->arrived, 0, sizeof b->arrived);
	if (b->trace)
		memset(b->trace, 0, b->shared_bytes * ptx_trace_bytes());
	b->clock = b->opened = 1;
	for (uint32_t k = 0; k < b->warps; k++) {
		struct warp *w = &b->warp[k];
		uint32_t n = threads - k * WARP;

		w->alive = n >= WARP ? EVERY : (1u << n) - 1;
		w->held = 0;
		w->barrier = -1;
		w->copies = 0;
		w->synced = 1;
		memset(w->at, 0, sizeof w->at);
		memset(w->group, 0, sizeof w->group);
		if (f->local)
			memset(w->local, 0xff, (size_t)f->local * WARP);
		for (uint32_t c = 0; c < f->constants; c++)
			if (f->constant[c].kind >= PTX_CTAID_X)
				fill(w, &f->constant[c]);
	}
	while (any && !b->status) {
		for (uint32_t k = 0; k < b->warps && !b->status; k++)
			run_warp(&b->warp[k]);
		any = open_barriers(b);
	}
	for (uint32_t k = 0; k < b->warps && !b->status; k++)
		if (b->warp[k].alive)
			ptx_fault(&b->warp[k], &f->code[b->warp[k].at[__builtin_ctz(b->warp[k].alive)]],
			    CUDA_LAUNCH_FAILED, "barrier %d is never reached by all", b->warp[k].barrier);
}

static int
prepare(struct block *b)
{
	const struct ptx_launch *launch = b->launch;
	const struct ptx_function *f = launch->f;
	unsigned threads = launch->block[0] * launch->block[1] * launch->block[2];

	b->warps = (threads + WARP - 1) / WARP;
	b->shared_bytes = f->shared + launch->dynamic;
	b->warp = calloc(b->warps, sizeof *b->warp);
	b->hit = calloc(f->slots + 1, sizeof *b->hit);
	b->shared = aligned_alloc(256, b->shared_bytes / 256 * 256 + 256);
	if (getenv("STUB_CUDA_RACES") && !(b->trace = calloc(b->shared_bytes + 1, ptx_trace_bytes())))
		return 2;
	if (!b->warp || !b->hit || !b->shared)
		return 2;
	for (uint32_t k = 0; k < b->warps; k++) {
		struct warp *w = &b->warp[k];

		w->block = b;
		w->number = k;
		w->r = aligned_alloc(256, (size_t)f->registers / 256 * 256 + 256);
		w->local = f->local ? malloc((size_t)f->local * WARP) : NULL;
		if (!w->r || (f->local && !w->local))
			return 2;
		/* No register has a value that nobody gave it. */
		memset(w->r, 0xa5, (size_t)f->registers);
		for (uint32_t c = 0; c < f->constants; c++)
			fill(w, &f->constant[c]);
	}
	return 0;
}

/* A line of its own, whoever writes there too. */
static void
tell(const struct block *b, const char *path)
{
	FILE *f = fopen(path, "a");
	uint64_t did = 0;

	for (uint32_t k = 0; k < b->warps; k++)
		did += b->warp[k].did;
	if (!f)
		return;
	fprintf(f, "%s %llu\n", b->launch->f->name, (unsigned long long)did);
	fclose(f);
}

int
ptx_run(const struct ptx_launch *launch)
{
	const char *path = getenv("STUB_CUDA_INSTRUCTIONS");
	struct block b = { .launch = launch };

	b.status = prepare(&b);
	for (unsigned z = 0; z < launch->grid[2]; z++)
		for (unsigned y = 0; y < launch->grid[1]; y++)
			for (unsigned x = 0; x < launch->grid[0] && !b.status; x++) {
				b.index[0] = x;
				b.index[1] = y;
				b.index[2] = z;
				run_block(&b);
			}
	if (path && b.warp)
		tell(&b, path);
	for (uint32_t k = 0; b.warp && k < b.warps; k++) {
		free(b.warp[k].r);
		free(b.warp[k].local);
		free(b.warp[k].copy);
	}
	free(b.warp);
	free(b.hit);
	free(b.shared);
	free(b.trace);
	return b.status;
}
