/* SPDX-License-Identifier: MIT */
/* quant_mix.h -- apr-quant's options that say which tensor gets which type. */
#ifndef QUANT_MIX_H
#define QUANT_MIX_H

#include <apr/quant.h>

enum { OPT_RULES = 600, OPT_FALLBACK, OPT_EFFORT, OPT_REQUANTIZE, OPT_PURE, OPT_SHOW,
	OPT_RESOLVE, OPT_STRICT, OPT_LEAVE, OPT_OUTPUT, OPT_EMBEDDING, OPT_TENSOR,
	OPT_TENSOR_FILE, OPT_KV };

#define MIX_OPTSTRING	"fr:"
#define MIX_OPTIONS \
	{ "recipe",               required_argument, NULL, 'r' }, \
	{ "force",                no_argument,       NULL, 'f' }, \
	{ "show-recipe",          required_argument, NULL, OPT_SHOW }, \
	{ "resolve",              required_argument, NULL, OPT_RESOLVE }, \
	{ "strict",               no_argument,       NULL, OPT_STRICT }, \
	{ "rules",                required_argument, NULL, OPT_RULES }, \
	{ "fallback",             required_argument, NULL, OPT_FALLBACK }, \
	{ "effort",               required_argument, NULL, OPT_EFFORT }, \
	{ "allow-requantize",     no_argument,       NULL, OPT_REQUANTIZE }, \
	{ "pure",                 no_argument,       NULL, OPT_PURE }, \
	{ "leave-output-tensor",  no_argument,       NULL, OPT_LEAVE }, \
	{ "output-tensor-type",   required_argument, NULL, OPT_OUTPUT }, \
	{ "token-embedding-type", required_argument, NULL, OPT_EMBEDDING }, \
	{ "tensor-type",          required_argument, NULL, OPT_TENSOR }, \
	{ "tensor-type-file",     required_argument, NULL, OPT_TENSOR_FILE }, \
	{ "override-kv",          required_argument, NULL, OPT_KV }
#define MIX_USAGE \
    "  -r, --recipe FILE     which tensor gets which type: see apr-recipe(5)\n" \
    "      --show-recipe NAME  print the recipe that a mix is\n" \
    "      --resolve FILE    write what was decided as a recipe of exact names\n" \
    "  -f, --force           replace FILE\n" \
    "      --strict          a rule that matches nothing is an error\n" \
    "      --rules RULES     which tensors: ggml (llama-quantize's) or apr\n" \
    "                        (aprender's: 1-D tensors, norms, biases become F32)\n" \
    "      --fallback HOW    for rows that are not whole blocks: table\n" \
    "                        (llama-quantize's), error, f16 or pad\n" \
    "      --effort HOW      reference (ggml's bytes), high (a smaller error) or\n" \
    "                        apr (aprender's Q4_K)\n" \
    "      --allow-requantize  also what is quantized already\n" \
    "      --pure            the mix's main type for all\n" \
    "      --leave-output-tensor      output.weight as it is\n" \
    "      --output-tensor-type T     another type for it\n" \
    "      --token-embedding-type T   and for the embedding\n" \
    "      --tensor-type REGEX=T      and for names like this (repeatable)\n" \
    "      --tensor-type-file FILE    the same, from a file\n" \
    "      --override-kv KEY=TYPE:VALUE  set a metadata key (repeatable)\n"

/* Act on an option; false: it is another's. */
bool	mix_option(int c, const char *arg);
/* Behind all options: the type that was named, or NULL; an importance matrix,
 * or NULL.  Borrowed, and good until mix_free(). */
const struct quant_opts *mix_settle(const char *operand, const struct imatrix *);
/* The manifest retyped; see quant_apply(). */
struct quant_from *mix_apply(struct stream_in *, struct quant_report *);
/* When all keys are set: warnings, --resolve, history. */
void	mix_done(struct manifest *, const struct quant_from *, const struct quant_report *);
/* Was -f said? */
bool	mix_force(void);
/* At the end: says what was done. */
void	mix_free(struct quant_report *);

#endif
