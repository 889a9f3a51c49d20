/* SPDX-License-Identifier: MIT */
/* apr-quant -- change the number type of the tensors in a stream. */
#include <stdlib.h>
#include <unistd.h>

#include <apr/pool.h>

#include "quant_fit.h"
#include "quant_mix.h"
#include "quant_opts.h"
#include "stage.h"

const char usage_text[] =
    "usage: apr-quant [-fqv] [-j N] [options] type <stream >stream\n"
    "       apr-quant [-fqv] [-j N] [options] -r recipe.json <stream >stream\n"
    "       apr-quant [-fqv] [-j N] [options] --target-size N <stream >stream\n"
    "       apr-quant --show-recipe NAME\n"
    "type is a number type (q4_k), or one of llama-quantize's mixes (q4_k_m)\n"
    "  -j, --jobs N          threads (as many as there are processors)\n"
    MIX_USAGE
    FIT_USAGE
    IMATRIX_USAGE
    REPORT_USAGE
    "      --zstd[=LEVEL]    compress the stream\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_ZSTD = OPT_OWN };

static const struct option options[] = {
	{ "jobs", required_argument, NULL, 'j' },
	{ "zstd", optional_argument, NULL, OPT_ZSTD },
	MIX_OPTIONS,
	FIT_OPTIONS,
	IMATRIX_OPTIONS,
	REPORT_OPTIONS,
	TOOL_OPTIONS
};

int
main(int argc, char **argv)
{
	struct convert_opts run = { .progress = tool_progress, .done = report_tensor };
	const struct quant_opts *o;
	struct quant_report report;
	struct quant_from *from;
	struct stream_out *out;
	struct stream_in *s;
	struct manifest *m;
	struct err e;
	int zstd = 0, c;

	tool_init(argv);
	run.jobs = pool_cpus();
	while ((c = getopt_long(argc, argv, "j:" MIX_OPTSTRING TOOL_OPTSTRING, options,
	    NULL)) != -1)
		switch (c) {
		case 'j': run.jobs = (unsigned)tool_number(optarg, "--jobs", 1, 1024); break;
		case OPT_ZSTD: zstd = tool_zstd(optarg); break;
		default:
			if (!mix_option(c, optarg) && !fit_option(c, optarg) &&
			    !imatrix_option(c, optarg) && !report_option(c, optarg))
				tool_option(c);
		}
	if (argc - optind > 1)
		usage("one type is wanted");
	tool_no_terminal(STDOUT_FILENO);
	run.imatrix = imatrix_given();
	o = mix_settle(argv[optind], run.imatrix);
	run.effort = o->effort;
	run.measure = report_measures();

	s = stage_open();
	m = stream_manifest(s);
	from = mix_apply(s, &report);
	imatrix_apply(m, from);
	mix_done(m, from, &report);
	report_begin(m, from, &report, recipe_base(o->recipe), mix_force());
	if (!(out = stream_create(STDOUT_FILENO, m, zstd, &e)))
		die("%s", e.msg);
	fit_files(out);
	tool_progress_begin(m->plan ? 0 : report.bytes_in);
	if (convert_run(s, out, from, &run, &e) < 0 ||
	    stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	report_end();
	mix_free(&report);
	imatrix_done();
	free(from);
	stream_close(s);
	return STATUS_OK;
}
