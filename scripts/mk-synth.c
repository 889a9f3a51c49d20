/* SPDX-License-Identifier: MIT */
/*
 * mk-synth -- synthetic models of named shapes, for memory and speed work.
 *
 * Writes .apr, .gguf, .safetensors and Hugging Face directories with code of
 * its own, so that our readers meet a second writer; only block types are
 * encoded by lib/type.  A value depends on the seed, the tensor's name in the
 * format (for .gguf: its Hugging Face name) and its place, so that files of
 * several formats and of F32 and F16 hold equal weights.  Not so where a
 * converter moves them: rows of q and k of Llama in .gguf, all of gpt2.
 *
 * qwen3-coder-30b-a3b by hand: 48 layers of 4 norms, q k v o, a router and
 * 128 * 3 expert tensors, and 3 more = 48 * 393 + 3 = 18,867 tensors.
 * Two-dimensional without the embedding: 48 * (2 * 8388608 + 2 * 1048576 +
 * 262144 + 384 * 1572864) + 311164928 = 30220746752, * 144/256 = 16999170048;
 * F32: 4 * (311164928 + 48 * (2 * 2048 + 2 * 128) + 2048) = 1245503488;
 * together 18,244,673,536.  (-n prints the same sums from the tables.)
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "synth/synth.h"

struct options opt = { .seed = 1, .shards = 1 };

/* The sums of a consumer that makes 1-D tensors, norms, biases and names
 * with "embed" F32 and all others Q4_K. */
static void
check(const struct shape *s)
{
	uint64_t q = 0, f = 0, bytes = 0;

	for (struct tensor *t = tensors; t < tensors + ntensors; t++) {
		uint64_t rows = 1, cols = t->dim[t->ndim - 1];
		for (unsigned i = 0; i + 1 < t->ndim; i++)
			rows *= t->dim[i];
		if (t->ndim == 1 || strstr(t->name, "norm") != NULL ||
		    strstr(t->name, "bias") || strstr(t->name, "embed")) {
			f++;
			bytes += rows * cols * 4;
		} else {
			q++;
			bytes += rows * ((cols + 255) / 256) * 144;
		}
	}
	printf("%s: as Q4_K: %" PRIu64 " Q4_K, %" PRIu64 " F32, %" PRIu64
	    " bytes\n", s->name, q, f, bytes);
}

static _Noreturn void
usage(FILE *f)
{
	fputs("usage: mk-synth SHAPE [options] OUT\n"
	    "Make a synthetic model.  OUT ends in .apr, .gguf or .safetensors, or\n"
	    "in / for a Hugging Face directory.  Shapes:\n", f);
	for (size_t i = 0; i < nshapes; i++)
		fprintf(f, "%s%s", i == 0 ? "  " : i == 4 ? "\n  " : " ",
		    shapes[i].name);
	fputs("\noptions:\n"
	    "  --type T         f16 (default), f32, bf16, q4_k ...: 1-D tensors of\n"
	    "                   block types, and what llama.cpp needs, are F32;\n"
	    "                   q4_k_m: llama-quantize's mix, in .gguf\n"
	    "  --keep-f32 GLOB  tensors with such names are F32; may be repeated\n"
	    "  --seed N         other values (default 1)\n"
	    "  --sparse         zeros, as holes in the file\n"
	    "  --walk           token u + 1 follows token u, whatever the quantization;\n"
	    "                   a directory in f32, of a dense shape with tied embedding\n"
	    "  --tokenizer N    add a tokenizer of about N bytes\n"
	    "  --no-vocab       .gguf: it says that it has none\n"
	    "  --shards N       directory: N files and an index\n"
	    "  --rows N, --cols N   of one-tensor\n"
	    "  --layers N       only so many, of a shape's own widths\n"
	    "  -n, --check      write nothing, print the sums; OUT may be absent\n"
	    "  -h, --help\n"
	    "exit status: 0, 1 (cannot write), 2 (usage)\n", f);
	exit(f == stdout ? 0 : 2);
}

static uint64_t
number(const char *s, uint64_t min)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end != '\0' || errno != 0 || v < min ||
	    v > UINT64_C(1) << 40)
		die(2, "%s: not a number from %" PRIu64 " to 2^40", s, min);
	return v;
}

static int
kind_of(const char *out)
{
	static const char suffix[][16] = { ".apr", ".gguf", ".safetensors", "/" };
	size_t n = strlen(out);

	for (int i = APR; i <= DIR; i++) {
		size_t k = strlen(suffix[i]);
		if (n > k && strcmp(out + n - k, suffix[i]) == 0)
			return i;
	}
	die(2, "%s: want a name in .apr, .gguf, .safetensors or /", out);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "type", 1, 0, 't' }, { "keep-f32", 1, 0, 'k' },
		{ "seed", 1, 0, 's' }, { "sparse", 0, 0, 'z' },
		{ "walk", 0, 0, 'w' }, { "no-vocab", 0, 0, 'V' },
		{ "tokenizer", 1, 0, 'T' }, { "shards", 1, 0, 'S' },
		{ "rows", 1, 0, 'r' }, { "cols", 1, 0, 'c' },
		{ "layers", 1, 0, 'l' },
		{ "check", 0, 0, 'n' }, { "help", 0, 0, 'h' }, { 0 }
	};
	struct shape *s = NULL;
	struct timespec t0, t1;
	const char *out;
	uint64_t layers = 0;
	bool walk = false;
	double sec;
	int c, kind;

	opt.type = F16;
	while ((c = getopt_long(argc, argv, "hn", longs, NULL)) != -1)
		switch (c) {
		case 't':
			opt.mix = !strcmp(optarg, "q4_k_m");
			if ((opt.type = type_named(opt.mix ? "q4_k" : optarg)) == NULL)
				die(2, "%s: no such type here", optarg);
			break;
		case 'k':
			if (opt.nkeep == sizeof opt.keep / sizeof *opt.keep)
				die(2, "too many --keep-f32");
			opt.keep[opt.nkeep++] = optarg;
			break;
		case 's': opt.seed = number(optarg, 0); break;
		case 'z': opt.sparse = true; break;
		case 'w': walk = true; break;
		case 'V': opt.no_vocab = true; break;
		case 'T': opt.tokenizer = number(optarg, 1); break;
		case 'S': opt.shards = number(optarg, 1); break;
		case 'r': opt.rows = number(optarg, 1); break;
		case 'c': opt.cols = number(optarg, 1); break;
		case 'l': layers = number(optarg, 1); break;
		case 'n': opt.check = true; break;
		case 'h': usage(stdout);
		default: usage(stderr);
		}
	if (argc - optind != 2 && !(opt.check && argc - optind == 1))
		usage(stderr);
	out = argv[optind + 1];			/* NULL: absent */
	kind = out ? kind_of(out) : APR;
	for (size_t i = 0; i < nshapes; i++)
		if (strcmp(argv[optind], shapes[i].name) == 0)
			s = &shapes[i];
	if (s == NULL)
		die(2, "%s: no such shape", argv[optind]);
	if ((s->parts == synth_one) != (opt.rows && opt.cols) ||
	    (s->parts != synth_one && (opt.rows || opt.cols)))
		die(2, "--rows and --cols belong to one-tensor");
	if (s->parts == synth_one) {
		s->hidden = s->head_dim = opt.rows;
		s->ffn = opt.cols;
	}
	if (layers > s->layers)
		die(2, "%s has %" PRIu64 " layers", s->name, s->layers);
	if (layers)
		s->layers = layers;
	if (walk && (kind != DIR || opt.type != F32 || s->parts == synth_one ||
	    s->flags & (MOE | UNTIED)))
		die(2, "--walk is for a directory in f32, dense and tied");
	if (opt.mix && kind != GGUF)
		die(2, "q4_k_m is for .gguf");
	opt.walk = walk ? s : NULL;
	if (opt.shards > 1 && kind != DIR)
		die(2, "--shards is for a directory");
	if (kind == APR ? apr_code(opt.type) < 0 : kind == GGUF ?
	    opt.type->ggml < 0 : opt.type->safetensors == NULL)
		die(2, "%s: the format has no %s", out ? out : ".apr",
		    opt.type->name);

	clock_gettime(CLOCK_MONOTONIC, &t0);
	add_all(s, kind);
	printf("%s: %zu tensors, %" PRIu64 " weights, %" PRIu64 " bytes of them\n",
	    s->name, ntensors, weights, payload);
	if (opt.check) {
		check(s);
		return 0;
	}
	switch (kind) {
	case APR: write_apr(s, out); break;
	case GGUF: write_gguf(s, out); break;
	case ST:
		qsort(tensors, ntensors, sizeof *tensors, by_shard);
		write_st("", out, tensors, ntensors);
		break;
	case DIR: write_dir(s, out); break;
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	sec = (double)(t1.tv_sec - t0.tv_sec) +
	    (double)(t1.tv_nsec - t0.tv_nsec) * 1e-9;
	printf("%s: %" PRIu64 " bytes, %.2f s, %.0f MB/s\n", out, written, sec,
	    (double)written / 1e6 / sec);
	return 0;
}
