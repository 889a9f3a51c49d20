/* SPDX-License-Identifier: MIT */
/* infer_plan.c -- what memory is needed, whether it is there, and then that
 * it is filled. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "infer.h"

/* Bytes that may still be had: of the system, and by the limits of this process
 * and of --memory. */
static uint64_t
available(const struct run *r)
{
	long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t free = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
	struct rlimit lim;
	char line[128];
	unsigned long long kib;
	FILE *f = fopen("/proc/meminfo", "r");

	/* Page cache gives way. */
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			free = (uint64_t)kib * 1024;
	if (f)
		fclose(f);
	if (getrlimit(RLIMIT_DATA, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY && lim.rlim_cur < free)
		free = lim.rlim_cur;
	return r->memory && r->memory < free ? r->memory : free;
}

/* The host's: what is mapped and not read takes no memory. */
struct sizes {
	uint64_t mapped, held, kv, scratch, total, have;
};

static struct sizes
sizes(const struct run *r)
{
	uint64_t all = model_bytes(r->m);
	bool stream = source_is_stream(r->w->source);
	struct sizes s = { .mapped = stream ? 0 : all, .held = stream ? all : 0 };

	infer_size(r->m, &r->o, r->device, &s.kv, &s.scratch);
	s.have = available(r);
	s.total = s.kv + s.scratch + (stream ? all :
	    model_used_bytes(r->m, (uint64_t)r->o.nseq * r->o.n_ctx));
	return s;
}

static void
plan(struct run *r, struct device_plan *p)
{
	struct err e;

	if (infer_plan(r->m, &r->o, r->device, r->memory, p, &e) < 0)
		die("%s", e.msg);
}

static const char *const parts[DEVICE_PARTS] = {
	[DEVICE_WEIGHTS] = "weights", [DEVICE_KV] = "kv", [DEVICE_STATES] = "states",
	[DEVICE_SCRATCH] = "scratch", [DEVICE_RESERVE] = "reserve",
};

static void
print_device(const struct run *r, const struct device_plan *p)
{
	static const char *const words[DEVICE_PARTS] = {
		[DEVICE_WEIGHTS] = "weights", [DEVICE_KV] = "keys and values",
		[DEVICE_STATES] = "states", [DEVICE_SCRATCH] = "scratch",
		[DEVICE_RESERVE] = "reserve",
	};

	for (int i = 0; i < DEVICE_PARTS; i++) {
		printf("%-16s %15" PRIu64, words[i], p->bytes[i]);
		if (i == DEVICE_WEIGHTS)
			printf("  (%s)", r->device->name);
		else if (i == DEVICE_KV)
			printf("  (%u x %u positions)", r->o.nseq, r->o.n_ctx);
		else if (i == DEVICE_SCRATCH)
			printf("  (batches of %u)", r->o.n_batch);
		putchar('\n');
	}
	printf("total            %15" PRIu64 "\navailable        %15" PRIu64 "\n", p->total,
	    p->room.free);
}

static void
json_device(const struct run *r, const struct device_plan *p)
{
	struct buf b = { 0 };
	struct err e;

	buf_printf(&b, "{\"device\":\"%s\"", r->device->name);
	for (int i = 0; i < DEVICE_PARTS; i++)
		buf_printf(&b, ",\"%s\":%" PRIu64, parts[i], p->bytes[i]);
	buf_printf(&b, ",\"total\":%" PRIu64 ",\"available\":%" PRIu64 ",\"fits\":%s", p->total,
	    p->room.free, p->piece[0] ? "false" : "true");
	if (p->piece[0]) {
		buf_str(&b, ",\"lacking\":");
		buf_json(&b, p->piece, strlen(p->piece));
		buf_printf(&b, ",\"lacking_bytes\":%" PRIu64, p->piece_bytes);
	}
	if (buf_check(&b, &e) < 0)
		die("%s", e.msg);
	printf("%.*s}\n", (int)b.len, (char *)b.p);
	buf_release(&b);
}

static int
plan_device(struct run *r)
{
	struct device_plan p;
	struct err e;

	plan(r, &p);
	if (r->json)
		json_device(r, &p);
	else
		print_device(r, &p);
	tool_flush();
	if (device_plan_fits(&p, &e) == 0)
		return STATUS_OK;
	die("%s", e.msg);
}

int
run_plan(struct run *r)
{
	struct device_room room;
	struct sizes s;
	struct err e;

	/* A reader reads to the end. */
	if (weights_skip(r->w, &e) < 0)
		die("%s: %s", r->path, e.msg);
	r->device->op->room(r->device, &room);
	if (room.free)
		return plan_device(r);
	s = sizes(r);
	if (r->json)
		printf("{\"device\":\"%s\",\"weights_mapped\":%" PRIu64 ",\"weights_held\":%" PRIu64
		    ",\"kv\":%" PRIu64 ",\"scratch\":%" PRIu64 ",\"total\":%" PRIu64 ",\"available\":%"
		    PRIu64 ",\"fits\":%s}\n", r->device->name, s.mapped, s.held, s.kv, s.scratch,
		    s.total, s.have, s.total - (s.mapped ? s.total - s.kv - s.scratch : 0) <= s.have ?
		    "true" : "false");
	else
		printf("weights, mapped  %15" PRIu64 "\nweights, held    %15" PRIu64
		    "\nkeys and values  %15" PRIu64 "  (%u x %u positions)\nscratch          %15" PRIu64
		    "  (batches of %u)\ntotal            %15" PRIu64 "\navailable        %15" PRIu64
		    "\n", s.mapped, s.held, s.kv, r->o.nseq, r->o.n_ctx, s.scratch, r->o.n_batch,
		    s.total, s.have);
	tool_flush();
	return s.held + s.kv + s.scratch <= s.have ? STATUS_OK : STATUS_FAIL;
}

static uint64_t loaded;

static void
progress(uint64_t bytes)
{
	loaded += bytes;
	tool_progress(bytes);
}

static void
load(struct run *r)
{
	struct model_load_opts o = { r->jobs < 8 ? r->jobs : 8, r->dump, progress };
	double start = run_clock();
	struct err e;

	loaded = 0;
	if (r->device->op->stage || source_is_stream(r->w->source))
		tool_progress_begin(model_bytes(r->m));
	if (model_load(r->m, r->w, r->device, &o, &e) < 0)
		die("%s: %s", r->path, e.msg);
	tool_progress_end();
	r->load_s = run_clock() - start;
	r->load_bytes = (double)loaded;
	r->load = run_clock() - r->start;
}

void
run_context(struct run *r)
{
	struct device_plan p;
	struct sizes s;
	struct err e;

	r->device->op->room(r->device, &p.room);
	if (p.room.free) {
		plan(r, &p);
		if (device_plan_fits(&p, &e) < 0)
			die("%s", e.msg);
	} else if ((s = sizes(r), s.held + s.kv + s.scratch) > s.have) {
		die("%" PRIu64 " bytes of weights held, %" PRIu64 " of keys and values and %" PRIu64
		    " of scratch are wanted, %" PRIu64 " are there (a shorter context: -c)", s.held,
		    s.kv, s.scratch, s.have);
	}
	if (!(r->infer = infer_new(r->m, &r->o, r->device, &e)))
		die("%s", e.msg);
	if (r->load_s > 0)
		return;		/* another context: the weights stay where they are */
	load(r);
	if (loaded)
		note("weights: %.3f GB in %.3f s, %.2f GB/s", r->load_bytes / 1e9, r->load_s,
		    r->load_bytes / 1e9 / r->load_s);
	if (!p.room.free)
		return;
	r->device->op->room(r->device, &p.room);
	note("%s: %" PRIu64 " bytes of memory taken, %" PRIu64 " planned", r->device->name,
	    p.room.taken, p.total);
}
