/* SPDX-License-Identifier: MIT */
/* apr-merge -- two models into one, tensor by tensor. */
#include <float.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <apr/merge.h>

#include "piped.h"
#include "stage.h"

const char usage_text[] =
    "usage: apr-merge [-qv] [--linear | --slerp | --task BASE] [-w WEIGHT]\n"
    "           [--zstd[=LEVEL]] source... <stream >stream\n"
    "      --linear        (1 - w) stream + w source\n"
    "      --slerp         between the two on a sphere, tensor by tensor\n"
    "      --task BASE     stream + w (source - base)\n"
    "  -w, --weight W      0.5 is the default, and 1 that of --task\n"
    "      --zstd[=LEVEL]  compress the stream\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_LINEAR = OPT_OWN, OPT_SLERP, OPT_TASK, OPT_ZSTD };

static const struct option options[] = {
	{ "linear", no_argument,       NULL, OPT_LINEAR },
	{ "slerp",  no_argument,       NULL, OPT_SLERP },
	{ "task",   required_argument, NULL, OPT_TASK },
	{ "weight", required_argument, NULL, 'w' },
	{ "zstd",   optional_argument, NULL, OPT_ZSTD },
	TOOL_OPTIONS
};

static void
add_history(struct manifest *m, const char *how, double w)
{
	struct buf b = { 0 };

	buf_printf(&b, "\"method\":\"%s\",\"weight\":%.17g", how, w);
	stage_history(m, "apr-merge", &b);
}

int
main(int argc, char **argv)
{
	struct merge_opts o = { .w = NAN, .progress = tool_progress };
	struct piped side[MERGE_SIDES];
	struct stream_in *in[MERGE_SIDES];
	const char *how = NULL;
	char *base = NULL;
	struct stream_out *out;
	struct manifest *m;
	struct merge *merge;
	struct err e;
	uint64_t total;
	unsigned n, bad;
	int zstd = 0, c;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "w:" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case OPT_LINEAR:
		case OPT_SLERP:
		case OPT_TASK:
			if (how)
				usage("more than one of --linear, --slerp, --task");
			how = c == OPT_LINEAR ? "linear" : c == OPT_SLERP ? "slerp" : "task";
			o.sphere = c == OPT_SLERP;
			base = c == OPT_TASK ? optarg : NULL;
			break;
		case 'w': o.w = tool_real(optarg, "--weight", -DBL_MAX, DBL_MAX); break;
		case OPT_ZSTD: zstd = tool_zstd(optarg); break;
		default: tool_option(c);
		}
	if (optind == argc)
		usage("no source");
	for (int i = optind; i < argc; i++)
		if (!strcmp(argv[i], "-") || (base && !strcmp(base, "-")))
			usage("-: the standard input is the stream");
	tool_no_terminal(STDOUT_FILENO);
	if (isnan(o.w))
		o.w = base ? 1 : 0.5;
	if (o.sphere && !(o.w >= 0 && o.w <= 1))
		usage("--weight: %g is not between 0 and 1", o.w);
	piped_open(&side[0], NULL, 0, NULL);
	m = stream_manifest(side[0].in);
	if (m->plan)
		die("a plan has no tensors to merge");
	piped_open(&side[1], argv + optind, (size_t)(argc - optind), m);
	if (base)
		piped_open(&side[2], &base, 1, m);
	n = base ? 3 : 2;
	for (unsigned k = 0; k < n; k++)
		in[k] = side[k].in;
	total = stage_total(m);
	if (!(merge = merge_new(in, n, &o, &e)))
		die("%s", e.msg);
	add_history(m, how ? how : "linear", o.w);
	if (!(out = stream_create(STDOUT_FILENO, m, zstd, &e)))
		die("%s", e.msg);
	tool_progress_begin(total);
	if (merge_run(merge, out, &bad, &e) < 0)
		piped_fail(&side[bad], &e);
	if (stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	merge_free(merge);
	for (unsigned k = 0; k < n; k++)
		piped_close(&side[k]);
	return STATUS_OK;
}
