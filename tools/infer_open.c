/* SPDX-License-Identifier: MIT */
/* infer_open.c -- apr-infer's model, vocabulary, threads and memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <apr/vocabulary.h>

#include "infer.h"

double
run_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void
run_timing(struct buf *b, size_t prompt_tokens, double first, double total)
{
	struct rusage u = { 0 };

	getrusage(RUSAGE_SELF, &u);
	buf_printf(b, "\"timing\":{\"prompt_tokens\":%zu,\"first_token_s\":%.6f,"
	    "\"total_s\":%.6f,\"peak_bytes\":%ld}", prompt_tokens, first < 0 ? total : first,
	    total, u.ru_maxrss * 1024);
}

void
run_ids(const char *text, struct ids *ids)
{
	struct err e;

	for (const char *p = text; *p; ) {
		char *end;
		long v;

		if (*p == ',' || *p == ' ' || *p == '\n' || *p == '\t') {
			p++;
			continue;
		}
		v = strtol(p, &end, 10);
		if (end == p || v < 0 || v > INT32_MAX)
			usage("--ids: \"%s\" is no list of ids", text);
		if (ids_add(ids, (int32_t)v, &e) < 0)
			die("%s", e.msg);
		p = end;
	}
	if (ids->n == 0)
		usage("--ids: no id is there");
}

void
run_open(struct run *r, bool text)
{
	double start = run_clock();
	struct err e;

	if (!(r->w = weights_open(r->path, tool_progress, &e)) ||
	    !(r->m = model_new(r->w, r->o.n_ctx, &e)))
		die("%s: %s", r->path, e.msg);
	if (r->o.n_ctx == 0 || r->o.n_ctx > model_context(r->m)) {
		if (r->o.n_ctx)
			warn("the model knows %u positions, not %u", model_context(r->m), r->o.n_ctx);
		r->o.n_ctx = model_context(r->m) < 4096 || r->o.n_ctx ? model_context(r->m) : 4096;
	}
	if (!(r->device = device_open(r->device_name, r->jobs, &e)))
		die("%s", e.msg);
	if (r->o.n_batch == 0) {
		r->o.n_batch = 512;
		r->o.n_batch = infer_batch(r->m, &r->o, r->device, (uint64_t)64 << 20);
	}
	if (!text)
		return;
	if (!(r->vocab = vocab_new(&e)) || vocabulary_read(r->vocab, r->w, &e) < 0)
		die("%s: %s", r->path, e.msg);
	if (!(r->tk = tokenizer_new(r->vocab, &e)))
		die("%s: %s (--ids works without)", r->path, e.msg);
	r->load = run_clock() - start;
}

/* Bytes that may still be had: of the device, or of the system and the limits
 * of this process, and of --memory. */
static uint64_t
available(const struct run *r)
{
	long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t free = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
	struct rlimit lim;
	uint64_t own = r->device->op->memory(r->device);
	char line[128];
	unsigned long long kib;
	FILE *f = fopen("/proc/meminfo", "r");

	/* Page cache gives way. */
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			free = (uint64_t)kib * 1024;
	if (f)
		fclose(f);
	if (own)
		free = own;
	else if (getrlimit(RLIMIT_DATA, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY && lim.rlim_cur < free)
		free = lim.rlim_cur;
	return r->memory && r->memory < free ? r->memory : free;
}

/* wanted: what must be there, and is not yet. */
struct sizes {
	uint64_t mapped, held, placed, kv, scratch, wanted;
};

static struct sizes
sizes(const struct run *r)
{
	uint64_t all = model_bytes(r->m);
	bool stream = source_is_stream(r->w->source);
	struct sizes s = { .mapped = stream ? 0 : all, .held = stream ? all : 0,
	    .placed = r->device->op->memory(r->device) ? all : 0 };

	infer_size(r->m, &r->o, r->device, &s.kv, &s.scratch);
	s.wanted = s.placed + s.kv + s.scratch;
	return s;
}

int
run_plan(struct run *r)
{
	struct sizes s = sizes(r);
	uint64_t total, have = available(r);
	bool fits;

	/* What is mapped and not read takes no memory. */
	total = s.held + s.wanted +
	    (s.mapped ? model_used_bytes(r->m, (uint64_t)r->o.nseq * r->o.n_ctx) : 0);
	fits = (s.placed ? 0 : s.held) + s.wanted <= have;
	if (r->json)
		printf("{\"device\":\"%s\",\"weights_mapped\":%" PRIu64 ",\"weights_held\":%" PRIu64
		    ",\"weights_placed\":%" PRIu64 ",\"kv\":%" PRIu64 ",\"scratch\":%" PRIu64
		    ",\"total\":%" PRIu64 ",\"available\":%" PRIu64 ",\"fits\":%s}\n", r->device->name,
		    s.mapped, s.held, s.placed, s.kv, s.scratch, total, have, fits ? "true" : "false");
	else {
		printf("weights, mapped  %15" PRIu64 "\nweights, held    %15" PRIu64 "\n", s.mapped,
		    s.held);
		if (s.placed)
			printf("weights, placed  %15" PRIu64 "  (%s)\n", s.placed, r->device->name);
		printf("keys and values  %15" PRIu64 "  (%u x %u positions)\nscratch          %15" PRIu64
		    "  (batches of %u)\ntotal            %15" PRIu64 "\navailable        %15" PRIu64
		    "\n", s.kv, r->o.nseq, r->o.n_ctx, s.scratch, r->o.n_batch, total, have);
	}
	tool_flush();
	return fits ? STATUS_OK : STATUS_FAIL;
}

void
run_context(struct run *r)
{
	struct sizes s = sizes(r);
	uint64_t have = available(r);
	struct err e;

	/* What a stream holds is there already. */
	if (s.wanted > have)
		die("%" PRIu64 " bytes of weights on %s, %" PRIu64 " of keys and values and %" PRIu64
		    " of scratch are wanted, %" PRIu64 " are there (a shorter context: -c)",
		    s.placed, r->device->name, s.kv, s.scratch, have);
	if (!(r->infer = infer_new(r->m, &r->o, r->device, &e)))
		die("%s", e.msg);
}

void
run_close(struct run *r)
{
	infer_free(r->infer);
	device_close(r->device);
	tokenizer_free(r->tk);
	if (r->vocab)
		vocab_free(r->vocab);
	model_free(r->m);
	weights_close(r->w);
}
