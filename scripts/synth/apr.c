/* SPDX-License-Identifier: MIT */
/* apr.c -- .apr. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "synth.h"

void
write_apr(const struct shape *s, const char *path)
{
	struct mem meta, index, head;
	struct out o;
	uint64_t meta_end, index_end;
	uint32_t crc;
	uint8_t h[64];
	FILE *f = mem_open(&meta);

	qsort(tensors, ntensors, sizeof *tensors, by_name);
	place(tensors, ntensors, 64);
	fprintf(f, "{\"model_type\":\"%s\",\"name\":\"%s\",\"total_size\":%" PRIu64
	    ",\"param_count\":%" PRIu64 ",\"architecture\":\"%s\","
	    "\"hf_architecture\":\"%s\",\"hf_model_type\":\"%s\"",
	    s->model_type, s->name, payload, weights, s->model_type, s->class,
	    s->model_type);
	json_fields(f, s, 0, "rms_norm_eps");
	if (s->theta > 0)
		fputs(",\"rope_type\":2", f);
	if (!(s->flags & UNTIED))
		fputs(",\"tied_embeddings\":true", f);
	if (opt.tokenizer) {
		size_t w = token_width(s, 3);
		fputs(",\"tokenizer.model_type\":\"BPE\",\"tokenizer.merges\":[]"
		    ",\"tokenizer.vocabulary\":[", f);
		for (uint64_t i = 0; i < s->vocab; i++) {
			fputs(i ? ",\"" : "\"", f);
			token(f, i, w);
			putc('"', f);
		}
		putc(']', f);
	}
	putc('}', f);
	fflush(f);
	meta_end = 64 + ((meta.len + 63) & ~(uint64_t)63);
	if (meta.len > UINT32_MAX)
		die(1, "metadata of %zu bytes does not fit", meta.len);

	f = mem_open(&index);
	for (struct tensor *t = tensors; t < tensors + ntensors; t++) {
		le(f, strlen(t->name), 2);
		fputs(t->name, f);
		le(f, (uint64_t)apr_code(t->type), 1);
		le(f, t->ndim, 1);
		for (unsigned i = 0; i < t->ndim; i++)
			le(f, t->dim[i], 8);
		le(f, t->off, 8);
		le(f, t->bytes, 8);
	}
	fflush(f);
	index_end = meta_end + ((index.len + 63) & ~(uint64_t)63);

	f = mem_open(&head);
	fwrite("APR\0\2\0\0\4", 8, 1, f);	/* version 2.0, row-major */
	le(f, ntensors, 4);
	le(f, 64, 8);
	le(f, meta.len, 4);
	le(f, meta_end, 8);
	le(f, index_end, 8);
	le(f, 0, 24);
	if (fclose(f) != 0 || head.len != sizeof h)
		die(1, "out of memory");
	memcpy(h, head.buf, sizeof h);
	free(head.buf);
	crc = (uint32_t)crc32(crc32(0, h, 40), h + 44, 20);
	memcpy(h + 40, &crc, 4);

	out_open(&o, "", path, true);
	put(&o, h, sizeof h);
	mem_put(&meta, &o);
	pad(&o, 64);
	mem_put(&index, &o);
	pad(&o, 64);
	put_data(&o, tensors, ntensors, 64);
	crc = o.crc;
	put(&o, &crc, 4);
	out_close(&o);
}
