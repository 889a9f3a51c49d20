/* SPDX-License-Identifier: MIT */
/* plan.c -- a device's memory, counted before it is taken. */
#include <inttypes.h>
#include <stdio.h>

#include <apr/device.h>

void
device_plan_begin(struct device_plan *p, const struct device *d, uint64_t limit)
{
	*p = (struct device_plan){ .d = d };
	d->op->room(d, &p->room);
	if (limit && limit < p->room.free)
		p->room.free = limit;
}

/* What is too much stays too much. */
static uint64_t
sum(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

void
device_plan_add(struct device_plan *p, enum device_part part, const char *what, uint64_t bytes)
{
	bool large = bytes > p->room.most && p->room.most < p->room.free - p->room.extra;

	bytes = sum(bytes, p->room.extra);
	if (!p->piece[0] && (large || sum(p->total, bytes) > p->room.free)) {
		snprintf(p->piece, sizeof p->piece, "%s", what);
		p->part = part;
		p->piece_bytes = bytes;
		p->large = large;
		p->before = p->total;
	}
	p->bytes[part] = sum(p->bytes[part], bytes);
	p->total = sum(p->total, bytes);
}

void
device_plan_reserve(struct device_plan *p, const struct device_need *n)
{
	uint64_t all = p->d->op->scratch(p->d, n), extra = p->room.extra;

	/* Each of its pieces has its own already. */
	p->room.extra = 0;
	device_plan_add(p, DEVICE_RESERVE, "what the device itself needs", all);
	p->room.extra = extra;
}

int
device_plan_fits(const struct device_plan *p, struct err *e)
{
	if (!p->piece[0])
		return 0;
	if (p->large)
		return err_set(e, "%s: %" PRIu64 " bytes in one piece, %s gives %" PRIu64, p->piece,
		    p->piece_bytes, p->d->name, p->room.most);
	return err_set(e, "%s: %" PRIu64 " bytes do not fit on %s: %" PRIu64 " of %" PRIu64 " are"
	    " free, and %" PRIu64 " are wanted in all%s", p->piece, p->piece_bytes, p->d->name,
	    p->room.free > p->before ? p->room.free - p->before : 0, p->room.free, p->total,
	    p->part == DEVICE_WEIGHTS ? "" : " (a shorter context: -c)");
}
