/* SPDX-License-Identifier: MIT */
/* apr-quant -- change the number type of the tensors in a stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/pool.h>

#include "quant_opts.h"
#include "tool.h"

const char usage_text[] =
    "usage: apr-quant [-qv] [-j N] [options] type <stream >stream\n"
    "  -j, --jobs N          threads (as many as there are processors)\n"
    "      --rules RULES     which tensors: ggml (llama-quantize's) or apr\n"
    "                        (aprender's: 1-D tensors, norms, biases become F32)\n"
    "      --fallback HOW    for rows that are not whole blocks: table\n"
    "                        (llama-quantize's), error, f16 or pad\n"
    "      --allow-requantize  also what is quantized already\n"
    "      --pure            the type itself, no mix: so it is anyway\n"
    IMATRIX_USAGE
    REPORT_USAGE
    "      --zstd[=LEVEL]    compress the stream\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_RULES = OPT_OWN, OPT_FALLBACK, OPT_REQUANTIZE, OPT_PURE, OPT_ZSTD };

static const struct option options[] = {
	{ "jobs",             required_argument, NULL, 'j' },
	{ "rules",            required_argument, NULL, OPT_RULES },
	{ "fallback",         required_argument, NULL, OPT_FALLBACK },
	{ "allow-requantize", no_argument,       NULL, OPT_REQUANTIZE },
	{ "pure",             no_argument,       NULL, OPT_PURE },
	{ "zstd",             optional_argument, NULL, OPT_ZSTD },
	IMATRIX_OPTIONS,
	REPORT_OPTIONS,
	TOOL_OPTIONS
};

static const char *const rules[] = { "ggml", "apr", NULL };
static const char *const fallbacks[] = { "table", "error", "f16", "pad", NULL };

static int
choice(const char *const *list, const char *arg, const char *what)
{
	for (int i = 0; list[i]; i++)
		if (!strcmp(arg, list[i]))
			return i;
	usage("%s: there is no %s", what, arg);
}

static const struct type *
type_operand(const char *arg)
{
	const struct type *t = type_by_name(arg);
	const char *mix = quant_mix(arg);

	if (mix)
		usage("%s is a mix of types, and mixes come later; %s is a type", arg, mix);
	if (!t)
		usage("%s: no such type", arg);
	if (!t->from_f32 && !(t->flags & TYPE_WHOLE))
		usage("%s can be read, not made", t->name);
	return t;
}

/* The options that change bytes, and nothing else. */
static void
add_history(struct manifest *m, const struct quant_opts *o)
{
	char json[256];
	struct err e;

	snprintf(json, sizeof json, "{\"tool\":\"apr-quant\",\"version\":\"%s\",\"options\":"
	    "{\"type\":\"%s\",\"rules\":\"%s\",\"fallback\":\"%s\"}}", TOOL_VERSION,
	    o->type->name, rules[o->rules], fallbacks[o->fallback]);
	if (manifest_add_history(m, json, &e) < 0)
		die("%s", e.msg);
}

int
main(int argc, char **argv)
{
	struct convert_opts run = { .progress = tool_progress, .done = report_tensor };
	struct quant_opts o = { .rules = RULES_GGML };
	struct quant_report report;
	struct quant_from *from;
	struct stream_out *out;
	struct stream_in *s;
	struct manifest *m;
	struct in *in;
	struct err e;
	int zstd = 0, fallback = -1, c;

	tool_init(argv);
	run.jobs = pool_cpus();
	while ((c = getopt_long(argc, argv, "j:" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'j': run.jobs = (unsigned)tool_number(optarg, "--jobs", 1, 1024); break;
		case OPT_RULES:
			o.rules = (enum quant_rules)choice(rules, optarg, "--rules");
			break;
		case OPT_FALLBACK: fallback = choice(fallbacks, optarg, "--fallback"); break;
		case OPT_REQUANTIZE: o.requantize = true; break;
		case OPT_PURE: break;
		case OPT_ZSTD: zstd = tool_zstd(optarg); break;
		default:
			if (!imatrix_option(c, optarg) && !report_option(c, optarg))
				tool_option(c);
		}
	if (argc - optind != 1)
		usage("one type is wanted");
	o.type = type_operand(argv[optind]);
	o.fallback = fallback >= 0 ? (enum quant_fallback)fallback :
	    o.rules == RULES_APR ? FALLBACK_PAD : FALLBACK_TABLE;
	tool_no_terminal(STDOUT_FILENO);
	run.imatrix = imatrix_given();
	run.measure = report_measures();

	if (!(in = in_open(STDIN_FILENO, &e)) || !(s = stream_open(in, &e)))
		die("%s", e.msg);
	m = stream_manifest(s);
	if (!(from = quant_apply(m, &o, &report, &e)))
		die("%s", e.msg);
	imatrix_apply(m, from, false);
	add_history(m, &o);
	report_begin(m, from, &report, o.type);
	if (!(out = stream_create(STDOUT_FILENO, m, zstd, &e)))
		die("%s", e.msg);
	tool_progress_begin(m->plan ? 0 : report.bytes_in);
	if (convert_run(s, out, from, &run, &e) < 0 ||
	    stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	warn("rules %s: %s", rules[o.rules], (char *)report.text.p);
	report_end();
	imatrix_done();
	buf_release(&report.text);
	free(from);
	stream_close(s);
	return STATUS_OK;
}
