/* SPDX-License-Identifier: MIT */
/* apr-stat -- what the numbers in a model are like, and what is wrong. */
#include <inttypes.h>
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

enum { BINS = 64, LINES = 16, PLOTS = 64 };

struct run {
	const struct manifest *m;
	struct arch_model *arch;
	struct globs	 hist;
	size_t		 bad, plots;
	bool		 json, check, any;
	struct buf	 found;		/* what --check found, JSON */
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

static void
number(const char *key, double v)
{
	struct buf b = { 0 };

	buf_real(&b, v);
	printf(",\"%s\":%.*s", key, (int)b.len, (char *)b.p);
	buf_release(&b);
}

static void
string(const char *s)
{
	struct buf b = { 0 };

	buf_json(&b, s, strlen(s));
	fwrite(b.p, 1, b.len, stdout);
	buf_release(&b);
}

static int
bad(void *ctx, const struct tensor *t, const char *contract, const char *got,
    const char *expected)
{
	struct run *r = ctx;

	if (r->json) {
		buf_str(&r->found, r->bad ? ",\n{\"tensor\":" : "\n{\"tensor\":");
		buf_json(&r->found, t->name, strlen(t->name));
		buf_printf(&r->found, ",\"contract\":\"%s\",\"got\":\"%s\",\"expected\":\"%s\"}",
		    contract, got, expected);
	}
	warn("%s: %s: %s, expected %s", t->name, contract, got, expected);
	r->bad++;
	return 0;
}

static void
json_sums(const struct stat_sums *s)
{
	struct stat_values v = stat_values(s);

	number("mean", v.mean);
	number("std", v.std);
	number("min", v.min);
	number("max", v.max);
	number("l2", v.l2);
	number("row_mean", v.row_mean);
	printf(",\"zeros\":%" PRIu64 ",\"nan\":%" PRIu64 ",\"inf\":%" PRIu64, s->zero, s->nan, s->inf);
}

static void
json(const struct run *r, const struct tensor *t, const struct stat_tensor *st,
    const double *edge, const uint64_t *count)
{
	char shape[192];

	printf(r->any ? ",\n{\"name\":" : "\n{\"name\":");
	string(t->name);
	printf(",\"dtype\":\"%s\",\"shape\":%s,\"n\":%" PRIu64, t->type->name,
	    tensor_shape(t, shape, sizeof shape), t->n);
	if (t->tied_to) {
		printf(",\"tied_to\":");
		string(t->tied_to);
	}
	if (st) {
		json_sums(&st->all);
		printf(",\"first\":[");
		for (unsigned i = 0; i < st->nfirst; i++)
			if (isfinite(st->first[i]))
				printf("%s%.9g", i ? "," : "", (double)st->first[i]);
			else
				printf("%snull", i ? "," : "");
		printf("]");
		for (unsigned k = 0; k < st->parts; k++) {
			printf(",\"%s\":{\"n\":%" PRIu64, st->part_name[k], st->part[k].n);
			json_sums(&st->part[k]);
			printf("}");
		}
	}
	for (unsigned i = 0; edge && i <= BINS; i++)
		printf("%s%.9g", i ? "," : ",\"edges\":[", edge[i]);
	for (unsigned i = 0; edge && i < BINS; i++)
		printf("%s%" PRIu64, i ? "," : "],\"counts\":[", count[i]);
	printf(edge ? "]}" : "}");
}

static void
line(const char *name, const char *part, const char *type, const struct stat_sums *s)
{
	struct stat_values v = stat_values(s);
	struct err tame;

	err_set(&tame, "%s%s%s", name, *part ? " " : "", part);
	printf("%-8s %11.4g %11.4g %11.4g %11.4g %6.2f%% %9.3g  %s", type, v.mean, v.std, v.min,
	    v.max, v.zeros * 100, v.row_mean, tame.msg);
	if (s->nan)
		printf("  %" PRIu64 " NaN", s->nan);
	if (s->inf)
		printf("  %" PRIu64 " Inf", s->inf);
	printf("\n");
}

/* Lines of four bins each: their edge, and a bar. */
static void
draw(const double *edge, const uint64_t *count)
{
	uint64_t most = 1, sum[LINES] = { 0 };

	for (unsigned i = 0; i < BINS; i++)
		sum[i / (BINS / LINES)] += count[i];
	for (unsigned i = 0; i < LINES; i++)
		most = sum[i] > most ? sum[i] : most;
	for (unsigned i = 0; i < LINES; i++) {
		int n = (int)(60.0 * (double)sum[i] / (double)most + 0.5);

		printf("%12.4g |%.*s %" PRIu64 "\n", edge[i * (BINS / LINES)], n,
		    "############################################################", sum[i]);
	}
	printf("%12.4g\n", edge[BINS]);
}

static int
done(void *ctx, size_t i, const struct stat_tensor *st, struct err *e)
{
	struct run *r = ctx;
	const struct tensor *t = &r->m->tensor[i];
	uint64_t count[BINS];
	double edge[BINS + 1];
	bool hist = st && st->hist && isfinite(st->all.min);

	(void)e;
	if (hist)
		stat_bins(st->hist, (double)st->all.min, (double)st->all.max, BINS, edge, count);
	if (hist && r->plot) {
		plot_hist(r->plot, t->name, edge, count, BINS);
		r->plots++;
	}
	if (r->json) {
		json(r, t, st, hist ? edge : NULL, count);
	} else if (st) {
		if (!r->any)
			printf("type            mean         std         min         max   zeros"
			    "  row mean  tensor\n");
		line(t->name, "", t->type->name, &st->all);
		for (unsigned k = 0; k < st->parts; k++)
			line(t->name, st->part_name[k], "", &st->part[k]);
		if (hist)
			draw(edge, count);
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
	arch_close(r.arch);
	piped_close(&in);
	free(r.hist.v);
	return r.check && r.bad > 0 ? STATUS_FAIL : STATUS_OK;
}
