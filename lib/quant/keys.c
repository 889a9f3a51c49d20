/* SPDX-License-Identifier: MIT */
/* keys.c -- the metadata keys that say how a model was quantized. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "resolve.h"

int
keys_set_u32(struct manifest *m, const char *key, uint32_t value, struct err *e)
{
	char text[16];

	snprintf(text, sizeof text, "%" PRIu32, value);
	return manifest_set(m, key, "u32", text, e);
}

static size_t
index_of(const struct type *type)
{
	size_t i = 0;

	while (types[i] && types[i] != type)
		i++;
	return i;
}

/* What llama.cpp itself guesses where nobody says it. */
static int
most_common(const struct manifest *m)
{
	uint64_t n[64] = { 0 };
	size_t best = 0;

	for (size_t i = 0; i < m->ntensor; i++)
		n[index_of(m->tensor[i].type)] += m->tensor[i].tied_to ? 0 : m->tensor[i].n;
	for (size_t i = 0; types[i]; i++)
		if (n[i] > n[best])
			best = i;
	return n[best] ? type_file_type(types[best]) : -1;
}

static bool
says(const struct mset *set, size_t n, const char *key)
{
	while (n-- > 0)
		if (!strcmp(set[n].key, key))
			return true;
	return false;
}

/* In llama-quantize's order; what somebody overrides comes where they say. */
int
keys_set(struct manifest *m, const struct quant_opts *o, struct err *e)
{
	static const char version[] = "general.quantization_version",
	    file_type[] = "general.file_type";
	const struct recipe *r = o->recipe;
	int number = r->file_type == FILE_TYPE_COMMON ? most_common(m) : r->file_type;

	/* (Another filter may have set it, in another place.) */
	if (number >= 0 && says(m->set, m->nset, file_type) &&
	    manifest_set(m, file_type, NULL, NULL, e) < 0)
		return -1;
	if (number >= 0 && !says(r->set, r->nset, version) && !says(o->kv, o->nkv, version) &&
	    keys_set_u32(m, version, 2, e) < 0)
		return -1;
	if (number >= 0 && !says(r->set, r->nset, file_type) &&
	    !says(o->kv, o->nkv, file_type) && keys_set_u32(m, file_type, (uint32_t)number, e) < 0)
		return -1;
	for (size_t i = 0; i < r->nset + o->nkv; i++) {
		const struct mset *s = i < r->nset ? &r->set[i] : &o->kv[i - r->nset];

		if (manifest_set(m, s->key, s->type, s->value, e) < 0)
			return -1;
	}
	return 0;
}

/* llama-quantize keeps 127 bytes of a string: here as many whole characters
 * as fit. */
static int
set_string(struct manifest *m, const char *key, const char *value, struct err *e)
{
	size_t n = strlen(value);
	struct buf b = { 0 };
	int r;

	if (n > 127)
		for (n = 127; n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80; n--)
			;
	buf_json(&b, value, n);
	buf_put(&b, "", 1);
	r = buf_check(&b, e) < 0 ? -1 : manifest_set(m, key, "string", (char *)b.p, e);
	buf_release(&b);
	return r;
}

int
quant_set_imatrix(struct manifest *m, const char *file, const char *dataset,
    uint32_t entries, uint32_t chunks, struct err *e)
{
	if (set_string(m, "quantize.imatrix.file", file, e) < 0 ||
	    (dataset && set_string(m, "quantize.imatrix.dataset", dataset, e) < 0) ||
	    keys_set_u32(m, "quantize.imatrix.entries_count", entries, e) < 0)
		return -1;
	return chunks ? keys_set_u32(m, "quantize.imatrix.chunks_count", chunks, e) : 0;
}
