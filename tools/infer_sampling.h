/* SPDX-License-Identifier: MIT */
/* infer_sampling.h -- which token comes next, as the command line says it. */
#ifndef INFER_SAMPLING_H
#define INFER_SAMPLING_H

#include <stdbool.h>

#include <apr/sample.h>

enum {
	OPT_TEMPERATURE = 400, OPT_TOP_K, OPT_TOP_P, OPT_MIN_P, OPT_TYPICAL, OPT_REPETITION,
	OPT_PRESENCE, OPT_FREQUENCY, OPT_SEED, OPT_BIAS
};

#define SAMPLING_OPTIONS \
	{ "temperature",         required_argument, NULL, OPT_TEMPERATURE }, \
	{ "top-k",               required_argument, NULL, OPT_TOP_K }, \
	{ "top-p",               required_argument, NULL, OPT_TOP_P }, \
	{ "min-p",               required_argument, NULL, OPT_MIN_P }, \
	{ "typical-p",           required_argument, NULL, OPT_TYPICAL }, \
	{ "repetition-penalty",  required_argument, NULL, OPT_REPETITION }, \
	{ "presence-penalty",    required_argument, NULL, OPT_PRESENCE }, \
	{ "frequency-penalty",   required_argument, NULL, OPT_FREQUENCY }, \
	{ "seed",                required_argument, NULL, OPT_SEED }, \
	{ "logit-bias",          required_argument, NULL, OPT_BIAS }
#define SAMPLING_USAGE \
    "      --temperature X --top-k N --top-p X --min-p X --typical-p X\n" \
    "      --repetition-penalty X --presence-penalty X --frequency-penalty X\n" \
    "      --seed N --stop TEXT --logit-bias ID=X\n"

/* Act on an option; false: it is another's. */
bool	sampling_option(struct sample_opts *, int c, const char *arg);

#endif
