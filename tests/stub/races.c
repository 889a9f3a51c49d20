/* SPDX-License-Identifier: MIT */
/*
 * races.c -- with STUB_CUDA_RACES=1 a kernel fails if two threads meet at a byte
 * of shared memory, one of them writing, with no barrier in between: warps run
 * one after the other here, so that a missing one would not show.
 *
 * Between warps only a barrier of the block orders what they do; within one a
 * bar.warp.sync does too.  Writes of one instruction are taken for the same
 * value.
 */
#include "ptx.h"

struct ptx_trace {
	uint32_t	 wrote, read;		/* when; 0: never */
	uint32_t	 wrote_line, read_line;
	uint16_t	 writer, reader;
	bool		 many;			/* warps have read it since a barrier */
};

size_t
ptx_trace_bytes(void)
{
	return sizeof(struct ptx_trace);
}

/* Has what that thread did then nothing to do with the warp's thread now? */
static bool
apart(const struct warp *w, unsigned thread, unsigned then, unsigned when)
{
	return when && then != thread && when >= (then / WARP == w->number ? w->synced : w->block->opened);
}

void
ptx_trace(struct warp *w, const struct ins *i, uint32_t lanes, unsigned char *const *p, unsigned n,
    bool write)
{
	struct block *b = w->block;

	for (uint32_t left = lanes; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left), thread = w->number * WARP + l;
		size_t at = (size_t)(p[l] - b->shared);

		if (p[l] < b->shared || at >= b->shared_bytes)
			continue;
		for (unsigned k = 0; k < n; k++) {
			struct ptx_trace *t = &b->trace[at + k];

			if (apart(w, thread, t->writer, t->wrote) && !(write && t->wrote_line == i->line)) {
				ptx_fault(w, i, CUDA_LAUNCH_FAILED, "thread %u %s shared %#zx, where thread %u wrote by line %u"
				    " with no barrier since", thread, write ? "writes" : "reads", at + k, t->writer,
				    t->wrote_line);
				return;
			}
			if (write && (apart(w, thread, t->reader, t->read) || (t->many && t->read >= b->opened))) {
				ptx_fault(w, i, CUDA_LAUNCH_FAILED, "thread %u writes shared %#zx, where thread %u read by line %u"
				    " with no barrier since", thread, at + k, t->reader, t->read_line);
				return;
			}
			if (write) {
				t->wrote = b->clock;
				t->wrote_line = i->line;
				t->writer = (uint16_t)thread;
			} else {
				t->many = t->read >= b->opened && (t->many || t->reader / WARP != w->number);
				t->read = b->clock;
				t->read_line = i->line;
				t->reader = (uint16_t)thread;
			}
		}
	}
}

/* A barrier of the block has opened, or one of a warp. */
void
ptx_trace_open(struct block *b)
{
	b->opened = ++b->clock;
	for (uint32_t k = 0; k < b->warps; k++)
		b->warp[k].synced = b->clock;
}

void
ptx_warp_sync(struct warp *w, const struct ins *i, uint32_t lanes)
{
	(void)i;
	(void)lanes;
	w->synced = ++w->block->clock;
}
