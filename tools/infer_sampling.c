/* SPDX-License-Identifier: MIT */
/* infer_sampling.c -- which token comes next, as the command line says it. */
#include <stdlib.h>

#include "infer_sampling.h"
#include "tool.h"

static void
bias(struct sample_opts *s, const char *arg)
{
	static struct sample_bias list[256];
	char *end;
	long id = strtol(arg, &end, 10);

	if (end == arg || *end != '=' || id < 0 || id > INT32_MAX || s->nbias == 256)
		usage("--logit-bias: %s is not ID=X", arg);
	list[s->nbias++] = (struct sample_bias){ (int32_t)id,
	    (float)tool_real(end + 1, "--logit-bias", -1e9, 1e9) };
	s->bias = list;
}

bool
sampling_option(struct sample_opts *s, int c, const char *arg)
{
	switch (c) {
	case OPT_TEMPERATURE: s->temperature = (float)tool_real(arg, "--temperature", 0, 100); break;
	case OPT_TOP_K: s->top_k = (unsigned)tool_number(arg, "--top-k", 0, 1u << 30); break;
	case OPT_TOP_P: s->top_p = (float)tool_real(arg, "--top-p", 0, 1); break;
	case OPT_MIN_P: s->min_p = (float)tool_real(arg, "--min-p", 0, 1); break;
	case OPT_TYPICAL: s->typical = (float)tool_real(arg, "--typical-p", 0, 1); break;
	case OPT_REPETITION: s->repetition = (float)tool_real(arg, "--repetition-penalty", 0.01, 100); break;
	case OPT_PRESENCE: s->presence = (float)tool_real(arg, "--presence-penalty", -100, 100); break;
	case OPT_FREQUENCY: s->frequency = (float)tool_real(arg, "--frequency-penalty", -100, 100); break;
	case OPT_SEED: s->seed = tool_number(arg, "--seed", 0, UINT64_MAX); break;
	case OPT_BIAS: bias(s, arg); break;
	default: return false;
	}
	return true;
}
