/* SPDX-License-Identifier: MIT */
/* apr-diff -- are two models the same, and if not, where and how far? */
#include <stdlib.h>
#include <string.h>

#include <apr/pool.h>

#include "diff.h"

const char usage_text[] =
    "usage: apr-diff [options] a b\n"
    "       apr-diff --logits | --trace | --run TEXT [options] a b\n"
    "      --logits          files of apr-infer --logits: argmax, KL, cosine\n"
    "      --run FILE        run both models on a text: KL, perplexity\n"
    "      --trace           files of apr-infer --trace: the first that differs\n"
    "      --max-nmse X      mean squared error over mean square, of each tensor\n"
    "      --max-rmse X      root of the mean squared error\n"
    "      --max-abs X       largest difference\n"
    "      --min-cosine X    cosine of the angle between them\n"
    "      --min-sqnr X      signal over noise, in dB\n"
    "      --min-equal X     share of equal values, 0 to 1\n"
    "                        (without any of these all values must be equal)\n"
    "      --max-kl X        mean Kullback-Leibler divergence (--logits, --run)\n"
    "      --min-agree X     share of positions with the same argmax\n"
    "      --tie X           a difference of logits that is a tie (0.001)\n"
    "  -c, --context N       positions of a window (--run)\n"
    "      --precise         F32 throughout, slowly (--run)\n"
    "      --types           another number type is a difference\n"
    "      --metadata MODE   model (default): hyper-parameters; all; ignore\n"
    "      --bytes           compare bytes as they are stored\n"
    "      --json            one object\n"
    "      --top N           lines of the table (20)\n"
    "  -j, --jobs N          threads\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n"
    "exit status: 0 same, 1 different, 2 trouble\n";

static const struct option options[] = {
	{ "jobs",       required_argument, NULL, 'j' },
	{ "json",       no_argument,       NULL, OPT_JSON },
	{ "bytes",      no_argument,       NULL, OPT_BYTES },
	{ "types",      no_argument,       NULL, OPT_TYPES },
	{ "metadata",   required_argument, NULL, OPT_METADATA },
	{ "top",        required_argument, NULL, OPT_TOP },
	{ "max-nmse",   required_argument, NULL, OPT_MAX_NMSE },
	{ "max-rmse",   required_argument, NULL, OPT_MAX_RMSE },
	{ "max-abs",    required_argument, NULL, OPT_MAX_ABS },
	{ "min-cosine", required_argument, NULL, OPT_MIN_COSINE },
	{ "min-sqnr",   required_argument, NULL, OPT_MIN_SQNR },
	{ "min-equal",  required_argument, NULL, OPT_MIN_EQUAL },
	{ "logits",     no_argument,       NULL, OPT_LOGITS },
	{ "run",        required_argument, NULL, OPT_RUN },
	{ "trace",      no_argument,       NULL, OPT_TRACE },
	{ "max-kl",     required_argument, NULL, OPT_MAX_KL },
	{ "min-agree",  required_argument, NULL, OPT_MIN_AGREE },
	{ "tie",        required_argument, NULL, OPT_TIE },
	{ "context",    required_argument, NULL, 'c' },
	{ "precise",    no_argument,       NULL, OPT_PRECISE },
	TOOL_OPTIONS
};

void
open_two(const struct diff_opts *o, struct source *s[2])
{
	struct err e;

	for (int k = 0; k < 2; k++) {
		char *path = strdup(o->path[k]);

		if (!path)
			die("out of memory");
		if (!(s[k] = source_open(&path, 1, &e)))
			die("%s", e.msg);
		free(path);
	}
}

static enum diff_meta
metadata(const char *arg)
{
	static const char *const modes[] = { "model", "all", "ignore" };

	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(modes[i], arg))
			return (enum diff_meta)i;
	usage("--metadata: %s is none of model, all, ignore", arg);
}

int
main(int argc, char **argv)
{
	struct diff_opts o = { .jobs = pool_cpus(), .top = 20 };
	int (*mode)(const struct diff_opts *) = diff_models, (*asked)(const struct diff_opts *);
	int c;

	tool_init(argv);
	tool_predicate();
	while ((c = getopt_long(argc, argv, "c:j:" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'j': o.jobs = (unsigned)tool_number(optarg, "--jobs", 1, 1024); break;
		case OPT_JSON: o.json = true; break;
		case OPT_BYTES: o.bytes = true; break;
		case OPT_TYPES: o.types = true; break;
		case OPT_METADATA: o.metadata = metadata(optarg); break;
		case OPT_TOP: o.top = (unsigned)tool_number(optarg, "--top", 0, 1u << 30); break;
		case 'c': o.context = (unsigned)tool_number(optarg, "--context", 2, 1u << 30); break;
		case OPT_PRECISE: o.precise = true; break;
		case OPT_LOGITS:
		case OPT_RUN:
		case OPT_TRACE:
			asked = c == OPT_LOGITS ? diff_logits : c == OPT_RUN ? diff_run_models :
			    diff_trace;
			if (mode != diff_models && mode != asked)
				usage("two things at once are wanted");
			mode = asked;
			o.run = c == OPT_RUN ? optarg : NULL;
			break;
		default:
			if (logits_option(c, optarg))
				break;
			if (!limit_option(c, optarg))
				tool_option(c);
		}
	if (argc - optind != 2)
		usage("two models are wanted");
	o.path[0] = argv[optind];
	o.path[1] = argv[optind + 1];
	if (!strcmp(o.path[0], "-") && !strcmp(o.path[1], "-"))
		usage("standard input is one model, not two");
	return mode(&o);
}
