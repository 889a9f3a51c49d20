/* SPDX-License-Identifier: MIT */
/* apr-dequant -- a stream's tensors as plain floats again. */
#include <stdlib.h>
#include <unistd.h>

#include <apr/pool.h>
#include <apr/quant.h>

#include "stage.h"

const char usage_text[] =
    "usage: apr-dequant [-qv] [-j N] [--all] [--zstd[=LEVEL]] [f32|f16|bf16]\n"
    "           <stream >stream\n"
    "  -j, --jobs N          threads (as many as there are processors)\n"
    "      --all             to f16 and bf16: also what converters keep F32\n"
    "                        (norms, biases, routers, positions)\n"
    "      --zstd[=LEVEL]    compress the stream\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_ALL = OPT_OWN, OPT_ZSTD };

static const struct option options[] = {
	{ "jobs", required_argument, NULL, 'j' },
	{ "all",  no_argument,       NULL, OPT_ALL },
	{ "zstd", optional_argument, NULL, OPT_ZSTD },
	TOOL_OPTIONS
};

static const struct type *
type_operand(const char *arg)
{
	const struct type *t = type_by_name(arg);

	if (t != &type_f32 && t != &type_f16 && t != &type_bf16)
		usage("%s is none of f32, f16, bf16", arg);
	return t;
}

static void
add_history(struct manifest *m, const struct type *type, bool all)
{
	struct buf b = { 0 };

	buf_printf(&b, "\"type\":\"%s\"%s", type->name, all ? ",\"all\":true" : "");
	stage_history(m, "apr-dequant", &b);
}

int
main(int argc, char **argv)
{
	struct convert_opts run = { .progress = tool_progress };
	const struct type *type = &type_f32;
	struct quant_report report;
	struct quant_from *from;
	struct stream_out *out;
	struct stream_in *s;
	struct manifest *m;
	struct err e;
	bool all = false;
	int zstd = 0, c;

	tool_init(argv);
	run.jobs = pool_cpus();
	while ((c = getopt_long(argc, argv, "j:" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'j': run.jobs = (unsigned)tool_number(optarg, "--jobs", 1, 1024); break;
		case OPT_ALL: all = true; break;
		case OPT_ZSTD: zstd = tool_zstd(optarg); break;
		default: tool_option(c);
		}
	if (argc - optind > 1)
		usage("one type is wanted");
	if (optind < argc)
		type = type_operand(argv[optind]);
	tool_no_terminal(STDOUT_FILENO);

	s = stage_open();
	m = stream_manifest(s);
	if (!(from = dequant_apply(m, type, all, &report, &e)))
		die("%s", e.msg);
	add_history(m, type, all);
	if (!(out = stream_create(STDOUT_FILENO, m, zstd, &e)))
		die("%s", e.msg);
	tool_progress_begin(m->plan ? 0 : report.bytes_in);
	if (convert_run(s, out, from, &run, &e) < 0 ||
	    stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	warn("%s", (char *)report.text.p);
	quant_report_release(&report);
	free(from);
	stream_close(s);
	return STATUS_OK;
}
