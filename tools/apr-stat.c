/* SPDX-License-Identifier: MIT */
/* apr-stat -- what the numbers in a model are like, and what is wrong. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/arch.h>
#include <apr/pool.h>
#include <apr/stat.h>

#include "globs.h"
#include "piped.h"
#include "plot.h"
#include "stage.h"
#include "stat_print.h"

const char usage_text[] =
    "usage: apr-stat [-fqv] [-j N] [--check] [--hist GLOB] [--json] [--plot SVG]\n"
    "           [source ... | <stream]\n"
    "       apr-stat --errors JSONL --plot SVG\n"
    "      --check           exit 1 if a tensor breaks a contract\n"
    "      --errors JSONL    of apr-quant --stats: plot them, by layer and role\n"
    "      --hist GLOB       histograms of these tensors (repeatable)\n"
    "      --json            one JSON object\n"
    "      --plot SVG        pictures of the histograms (of everything, without\n"
    "                        --hist: 64 tensors at most)\n"
    "  -f, --force           replace the picture\n"
    "  -j, --jobs N          threads (as many as there are processors)\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_CHECK = OPT_OWN, OPT_ERRORS, OPT_HIST, OPT_JSON, OPT_PLOT };

static const struct option options[] = {
	{ "check",  no_argument,       NULL, OPT_CHECK },
	{ "errors", required_argument, NULL, OPT_ERRORS },
	{ "hist",   required_argument, NULL, OPT_HIST },
	{ "json",   no_argument,       NULL, OPT_JSON },
	{ "plot",   required_argument, NULL, OPT_PLOT },
	{ "force",  no_argument,       NULL, 'f' },
	{ "jobs",   required_argument, NULL, 'j' },
	TOOL_OPTIONS
};

enum { PLOTS = 64 };

struct run {
	const struct manifest *m;
	struct arch_model *arch;
	struct globs	 hist;
	size_t		 bad, plots;
	bool		 json, check, any;
	struct buf	 found;		/* what --check found, JSON */
	struct buf	 text;
	struct plot	*plot;
};

static bool
wants(void *ctx, size_t i)
{
	const struct run *r = ctx;

	if (r->hist.n == 0)
		return r->plot && r->plots < PLOTS && r->m->tensor[i].ndim > 1;
	return globs_match(&r->hist, r->m->tensor[i].name);
}

static int
bad(void *ctx, const struct tensor *t, const char *contract, const char *got,
    const char *expected)
{
	struct run *r = ctx;

	if (r->json) {
		buf_str(&r->found, r->bad ? ",\n" : "\n");
		stat_put_bad(&r->found, t, contract, got, expected);
	}
	warn("%s: %s: %s, expected %s", t->name, contract, got, expected);
	r->bad++;
	return 0;
}

static int
done(void *ctx, size_t i, const struct stat_tensor *st, struct err *e)
{
	struct run *r = ctx;
	const struct tensor *t = &r->m->tensor[i];
	struct stat_hist h, *hist = st && st->hist && isfinite(st->all.min) ? &h : NULL;

	if (hist)
		stat_bins(st->hist, (double)st->all.min, (double)st->all.max, STAT_SHOWN, h.edge,
		    h.count);
	if (hist && r->plot) {
		plot_hist(r->plot, t->name, h.edge, h.count, STAT_SHOWN);
		r->plots++;
	}
	if (r->json) {
		r->text.len = 0;
		buf_str(&r->text, r->any ? ",\n" : "\n");
		stat_put(&r->text, t, st, hist);
		if (buf_check(&r->text, e) < 0)
			return -1;
		fwrite(r->text.p, 1, r->text.len, stdout);
	} else if (st) {
		if (!r->any)
			stat_table_head();
		stat_table(t, st, hist);
	}
	r->any = true;
	if (r->check)
		(void)stat_check_shape(r->arch, r->m, t, bad, r);
	if (r->check && st)
		(void)stat_check(t, st, bad, r);
	return 0;
}

int
main(int argc, char **argv)
{
	struct run r = { 0 };
	struct stat_opts o = { .progress = tool_progress, .wants_hist = wants, .done = done, .ctx = &r };
	const char *svg = NULL, *errors = NULL;
	struct piped in;
	bool force = false, unknown;
	struct err e;
	int c;

	tool_init(argv);
	o.jobs = pool_cpus();
	while ((c = getopt_long(argc, argv, "fj:" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'f': force = true; break;
		case 'j': o.jobs = (unsigned)tool_number(optarg, "--jobs", 1, 1024); break;
		case OPT_CHECK: r.check = true; break;
		case OPT_ERRORS: errors = optarg; break;
		case OPT_HIST: globs_add(&r.hist, optarg); break;
		case OPT_JSON: r.json = true; break;
		case OPT_PLOT: svg = optarg; break;
		default: tool_option(c);
		}
	if (errors) {
		if (!svg || optind < argc)
			usage("--errors: --plot says where the picture goes, and there is no source");
		plot_errors(errors, svg, force);
		return STATUS_OK;
	}
	if (optind == argc)
		tool_no_terminal(STDIN_FILENO);
	r.plot = svg ? plot_new() : NULL;
	if (r.check)
		tool_predicate();
	piped_open(&in, argv + optind, (size_t)(argc - optind), NULL);
	r.m = stream_manifest(in.in);
	if (r.m->plan)
		die("a plan has no tensors to look at");
	r.arch = arch_of(r.m, &unknown, &e);
	if (r.check && !r.arch)
		note("shapes are not checked: %s", e.msg);
	if (r.json)
		printf("{\"tensors\":[");
	tool_progress_begin(stage_total(r.m));
	if (stat_run(in.in, &o, &e) < 0)
		piped_fail(&in, &e);
	tool_progress_end();
	if (r.json) {
		printf("\n],\"check\":");
		if (r.check)
			printf("[%.*s]}\n", (int)r.found.len, r.found.p ? (char *)r.found.p : "");
		else
			printf("null}\n");
	}
	if (svg)
		plot_write(r.plot, svg, force);
	tool_flush();
	buf_release(&r.found);
	buf_release(&r.text);
	arch_close(r.arch);
	piped_close(&in);
	free(r.hist.v);
	return r.check && r.bad > 0 ? STATUS_FAIL : STATUS_OK;
}
