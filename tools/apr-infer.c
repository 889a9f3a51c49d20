/* SPDX-License-Identifier: MIT */
/* apr-infer -- run a model: text, tokens or logits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/pool.h>

#include "infer.h"
#include "infer_sampling.h"
#include "text.h"

const char usage_text[] =
    "usage: apr-infer [options] model [<prompt]\n"
    "  -p, --prompt TEXT     instead of standard input\n"
    "      --ids LIST        instead of text: 5,17,2\n"
    "  -n, --tokens N        to make at most (256)\n"
    "  -c, --context N       positions (the model's, up to 4096)\n"
    "  -b, --batch N         tokens of a prompt at once\n"
    "  -j, --jobs N          threads\n"
    "      --jsonl           a request a line, an answer a line\n"
    "      --parallel N      requests at once (8)\n"
    "      --chat            a conversation; -p is the system's part\n"
    "      --template FILE   chat template instead of the model's\n"
    "      --ppl FILE        perplexity of a text\n"
    "      --logits          every position's, as a tensor stream\n"
    "      --trace GLOB      intermediate values: hidden.*, layer.3.q\n"
    "      --plan            memory, and whether it is there\n"
    "      --dump-weights    as they were loaded, as a tensor stream\n"
    "      --bench           speed, as JSON\n"
    "      --json            the answer with its ids\n"
    "      --timing          seconds and memory in it, as requests ask for them\n"
    "      --kv TYPE         of keys and values: f16, q8_0, f32\n"
    "      --precise         F32 throughout, slowly\n"
    "      --device KIND     where: cpu, opencl, cuda\n"
    "      --devices         what devices are there\n"
    SAMPLING_USAGE
    "      --lookup N        try N tokens of what was there before\n"
    "      --memory BYTES    refuse to need more\n"
    "      --no-bos --no-parse-special --show-special\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum {
	OPT_IDS = OPT_OWN, OPT_JSONL, OPT_PARALLEL, OPT_CHAT, OPT_TEMPLATE, OPT_PPL, OPT_LOGITS,
	OPT_TRACE, OPT_PLAN, OPT_BENCH, OPT_JSON, OPT_KV, OPT_PRECISE, OPT_STOP, OPT_LOOKUP,
	OPT_MEMORY, OPT_NO_BOS, OPT_NO_SPECIAL, OPT_SHOW, OPT_TIMING, OPT_DEVICE, OPT_DEVICES,
	OPT_DUMP
};

static const struct option options[] = {
	{ "prompt",            required_argument, NULL, 'p' },
	{ "ids",               required_argument, NULL, OPT_IDS },
	{ "tokens",            required_argument, NULL, 'n' },
	{ "context",           required_argument, NULL, 'c' },
	{ "batch",             required_argument, NULL, 'b' },
	{ "jobs",              required_argument, NULL, 'j' },
	{ "jsonl",             no_argument,       NULL, OPT_JSONL },
	{ "parallel",          required_argument, NULL, OPT_PARALLEL },
	{ "chat",              no_argument,       NULL, OPT_CHAT },
	{ "template",          required_argument, NULL, OPT_TEMPLATE },
	{ "ppl",               required_argument, NULL, OPT_PPL },
	{ "logits",            no_argument,       NULL, OPT_LOGITS },
	{ "trace",             required_argument, NULL, OPT_TRACE },
	{ "plan",              no_argument,       NULL, OPT_PLAN },
	{ "dump-weights",      no_argument,       NULL, OPT_DUMP },
	{ "bench",             no_argument,       NULL, OPT_BENCH },
	{ "json",              no_argument,       NULL, OPT_JSON },
	{ "timing",            no_argument,       NULL, OPT_TIMING },
	{ "kv",                required_argument, NULL, OPT_KV },
	{ "precise",           no_argument,       NULL, OPT_PRECISE },
	{ "device",            required_argument, NULL, OPT_DEVICE },
	{ "devices",           no_argument,       NULL, OPT_DEVICES },
	SAMPLING_OPTIONS,
	{ "stop",              required_argument, NULL, OPT_STOP },
	{ "lookup",            required_argument, NULL, OPT_LOOKUP },
	{ "memory",            required_argument, NULL, OPT_MEMORY },
	{ "no-bos",            no_argument,       NULL, OPT_NO_BOS },
	{ "no-parse-special",  no_argument,       NULL, OPT_NO_SPECIAL },
	{ "show-special",      no_argument,       NULL, OPT_SHOW },
	TOOL_OPTIONS
};

enum mode { PROMPT, JSONL, CHAT, PPL, STREAM, PLAN, BENCH, DUMP };

static enum mode mode;

static void
set_mode(enum mode m)
{
	if (mode != PROMPT && mode != m)
		usage("two things at once are wanted");
	mode = m;
}

/* Good until the tool ends. */
static const char *
file_text(const char *path)
{
	static struct buf text;
	struct err e;

	text.len = 0;
	text_read(path, &text);
	if (text.len >= ((size_t)1 << 20) - 1)
		die("%s: a template of more than a MiB", path);
	buf_put(&text, "", 1);
	if (buf_check(&text, &e) < 0)
		die("%s", e.msg);
	return (char *)text.p;
}

static enum infer_kv
kv(const char *arg)
{
	if (!strcmp(arg, "f16"))
		return KV_F16;
	if (!strcmp(arg, "q8_0"))
		return KV_Q8_0;
	if (strcmp(arg, "f32"))
		usage("--kv: %s is neither f16 nor q8_0 nor f32", arg);
	return KV_F32;
}

int
main(int argc, char **argv)
{
	struct run r = { .o = { .nseq = 1 }, .s = SAMPLE_DEFAULTS, .n = 256,
	    .jobs = pool_cpus() };
	unsigned parallel = 8, positions;
	const char *ppl = NULL;
	int c, status;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "p:n:c:b:j:" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'p': r.prompt = optarg; break;
		case 'n': r.n = (unsigned)tool_number(optarg, "--tokens", 1, 1u << 30); break;
		case 'c': r.o.n_ctx = (unsigned)tool_number(optarg, "--context", 1, 1u << 30); break;
		case 'b': r.o.n_batch = (unsigned)tool_number(optarg, "--batch", 1, 65536); break;
		case 'j': r.jobs = (unsigned)tool_number(optarg, "--jobs", 1, 1024); break;
		case OPT_IDS: r.ids = optarg; break;
		case OPT_JSONL: set_mode(JSONL); break;
		case OPT_PARALLEL: parallel = (unsigned)tool_number(optarg, "--parallel", 1, 1024); break;
		case OPT_CHAT: set_mode(CHAT); break;
		case OPT_TEMPLATE: r.chat_template = file_text(optarg); break;
		case OPT_PPL: set_mode(PPL); ppl = optarg; break;
		case OPT_LOGITS: set_mode(STREAM); r.logits = true; break;
		case OPT_TRACE: set_mode(STREAM); r.trace = optarg; break;
		case OPT_PLAN: set_mode(PLAN); break;
		case OPT_DUMP: set_mode(DUMP); r.dump = true; break;
		case OPT_BENCH: set_mode(BENCH); break;
		case OPT_JSON: r.json = true; break;
		case OPT_TIMING: r.timing = true; break;
		case OPT_KV: r.o.kv = kv(optarg); break;
		case OPT_PRECISE: r.o.precise = true; break;
		case OPT_DEVICE: r.device_name = run_device(optarg); break;
		case OPT_DEVICES: run_devices(); return STATUS_OK;
		case OPT_STOP:
			if (r.nstop == 16 || !*optarg)
				usage("--stop: up to 16 texts that are not empty");
			r.stop[r.nstop++] = optarg;
			break;
		case OPT_LOOKUP: r.lookup = (unsigned)tool_number(optarg, "--lookup", 0, 16); break;
		case OPT_MEMORY: r.memory = tool_number(optarg, "--memory", 1, UINT64_MAX); break;
		case OPT_NO_BOS: r.flags |= TOKEN_NO_BOS; break;
		case OPT_NO_SPECIAL: r.flags |= TOKEN_NO_SPECIAL; break;
		case OPT_SHOW: r.show_special = true; break;
		default:
			if (!sampling_option(&r.s, c, optarg))
				tool_option(c);
		}
	if (argc - optind != 1)
		usage("one model is wanted");
	r.path = argv[optind];
	if (!strcmp(r.path, "-") && !r.prompt && !r.ids && mode != PPL && mode < PLAN)
		usage("the model is standard input, so the prompt must be -p or --ids");
	if (r.timing && mode != JSONL && (!r.json || (mode != PROMPT && mode != PPL)))
		usage("--timing is part of --json's answer, of --ppl's or of --jsonl's");
	if (mode == JSONL)
		r.o.nseq = parallel;
	positions = r.o.n_ctx;
	run_open(&r, mode < PLAN && (!r.ids || (mode == PROMPT && !r.json)));
	switch (mode) {
	case JSONL: status = run_jsonl(&r); break;
	case CHAT: status = run_chat(&r); break;
	case PPL: status = run_ppl(&r, ppl); break;
	case STREAM: status = run_stream(&r); break;
	case PLAN: status = run_plan(&r); break;
	case BENCH: status = run_bench(&r, positions, parallel); break;
	case DUMP: status = run_dump(&r); break;
	default: status = run_prompt(&r);
	}
	run_close(&r);
	return status;
}
