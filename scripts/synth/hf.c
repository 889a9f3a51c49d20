/* SPDX-License-Identifier: MIT */
/* hf.c -- .safetensors, Hugging Face directory, tokenizer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "synth.h"

/* Length of a token so that all with `extra` bytes each make up the size. */
size_t
token_width(const struct shape *s, size_t extra)
{
	uint64_t w = opt.tokenizer / s->vocab;

	return w < extra + 10 ? 10 : (size_t)w - extra;
}

void
token(FILE *f, uint64_t i, size_t width)
{
	int n = fprintf(f, "t%" PRIu64 "_", i);

	for (size_t k = n < 0 ? 0 : (size_t)n; k < width; k++)
		putc('x', f);
}

void
put_tokenizer_json(const struct shape *s, const char *dir)
{
	static const char tail[] = "},\"merges\":[]}}";
	size_t w = token_width(s, 11);
	struct out o;
	struct mem m;
	FILE *f = mem_open(&m);

	fputs("{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
	    "\"added_tokens\":[],\"normalizer\":null,\"pre_tokenizer\":{"
	    "\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
	    "\"trim_offsets\":true,\"use_regex\":true},"
	    "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\","
	    "\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},"
	    "\"model\":{\"type\":\"BPE\",\"vocab\":{", f);
	for (uint64_t i = 0; i < s->vocab &&
	    (uint64_t)ftello(f) + w + sizeof tail + 11 < opt.tokenizer; i++) {
		fputs(i ? ",\"" : "\"", f);
		token(f, i, w);
		fprintf(f, "\":%" PRIu64, i);
	}
	fputs(tail, f);
	while ((uint64_t)ftello(f) < opt.tokenizer)
		putc(' ', f);
	out_open(&o, dir, "tokenizer.json", false);
	mem_put(&m, &o);
	out_close(&o);
}

void
write_st(const char *dir, const char *name, struct tensor *t, size_t n)
{
	struct out o;
	struct mem m, len;
	FILE *f = mem_open(&m);

	place(t, n, 1);
	fputs("{\"__metadata__\":{\"format\":\"pt\"}", f);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t[i].name,
		    t[i].type->safetensors);
		for (unsigned d = 0; d < t[i].ndim; d++)
			fprintf(f, "%s%" PRIu64, d ? "," : "", t[i].dim[d]);
		fprintf(f, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
		    t[i].off, t[i].off + t[i].bytes);
	}
	putc('}', f);
	while (ftello(f) % 8 != 0)
		putc(' ', f);
	fflush(f);
	le(mem_open(&len), m.len, 8);
	out_open(&o, dir, name, false);
	mem_put(&len, &o);
	mem_put(&m, &o);
	put_data(&o, t, n, 1);
	out_close(&o);
}

static void
write_config(const struct shape *s, const char *dir)
{
	struct out o;
	struct mem m;
	FILE *f = mem_open(&m);
	const char *dtype = opt.type == F32 ? "float32" :
	    opt.type == F16 ? "float16" : "bfloat16";

	fprintf(f, "{\"architectures\":[\"%s\"],\"model_type\":\"%s\","
	    "\"torch_dtype\":\"%s\",\"tie_word_embeddings\":%s", s->class,
	    s->model_type, dtype, s->flags & UNTIED ? "false" : "true");
	if (s->parts == synth_gpt2) {
		json_fields(f, s, 3, "layer_norm_epsilon");
		fputs(",\"activation_function\":\"gelu_new\"", f);
	} else {
		json_fields(f, s, 2, "rms_norm_eps");
		fputs(",\"hidden_act\":\"silu\"", f);
	}
	if (s->experts)
		fputs(",\"decoder_sparse_step\":1,\"mlp_only_layers\":[],"
		    "\"norm_topk_prob\":true", f);
	fputs("}\n", f);
	out_open(&o, dir, "config.json", false);
	mem_put(&m, &o);
	out_close(&o);
}

void
write_dir(const struct shape *s, const char *dir)
{
	uint64_t before = 0, n = opt.shards;
	struct out o;
	struct mem m;
	FILE *f;

	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		die(1, "%s: %s", dir, strerror(errno));
	write_config(s, dir);
	if (opt.tokenizer)
		put_tokenizer_json(s, dir);
	for (size_t i = 0; i < ntensors; i++) {	/* by where it begins */
		tensors[i].shard = before / (payload / n + 1);
		before += tensors[i].bytes;
	}
	if (n == 1) {
		qsort(tensors, ntensors, sizeof *tensors, by_shard);
		write_st(dir, "model.safetensors", tensors, ntensors);
		return;
	}
	/* A tensor larger than a shard's share leaves empty shards. */
	n = 0;
	for (size_t i = 0; i < ntensors; i++) {
		n += i == 0 || tensors[i].shard != before;
		before = tensors[i].shard;
		tensors[i].shard = n;
	}
	f = mem_open(&m);
	qsort(tensors, ntensors, sizeof *tensors, by_name);
	fprintf(f, "{\n\t\"metadata\": {\"total_size\": %" PRIu64 "},"
	    "\n\t\"weight_map\": {", payload);
	for (size_t i = 0; i < ntensors; i++)
		fprintf(f, "%s\n\t\t\"%s\": \"model-%05" PRIu64 "-of-%05" PRIu64
		    ".safetensors\"", i ? "," : "", tensors[i].name,
		    tensors[i].shard, n);
	fputs("\n\t}\n}\n", f);
	out_open(&o, dir, "model.safetensors.index.json", false);
	mem_put(&m, &o);
	out_close(&o);
	qsort(tensors, ntensors, sizeof *tensors, by_shard);
	for (size_t a = 0, b; a < ntensors; a = b) {
		char name[64];
		for (b = a; b < ntensors &&
		    tensors[b].shard == tensors[a].shard; b++)
			;
		snprintf(name, sizeof name, "model-%05" PRIu64 "-of-%05" PRIu64
		    ".safetensors", tensors[a].shard, n);
		write_st(dir, name, tensors + a, b - a);
	}
}
