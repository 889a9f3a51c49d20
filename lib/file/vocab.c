/* SPDX-License-Identifier: MIT */
/* vocab.c -- the tokenizer that a header holds. */
#include <stdlib.h>
#include <string.h>

#include "apr.h"
#include "gguf.h"

static int
gguf_vocab(const struct header *h, struct vocab *v, struct err *e)
{
	const struct gguf *g = h->priv;
	struct vocab_kv *kv = calloc(g->nkv + 1, sizeof *kv);
	int r;

	if (!kv)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < g->nkv; i++) {
		size_t key = 8 + strlen(g->kv[i].key);	/* its length stands before it */

		kv[i] = (struct vocab_kv){ g->kv[i].key, h->raw.p + g->kv[i].from + key,
		    g->kv[i].len - key };
	}
	r = vocab_from_gguf(v, kv, g->nkv, e);
	free(kv);
	return r;
}

int
header_vocab(const struct header *h, struct vocab *v, struct err *e)
{
	const struct apr *a = h->priv;

	if (h->format == &format_gguf)
		return gguf_vocab(h, v, e);
	if (h->format == &format_apr)
		return vocab_from_apr(v, h->raw.p + a->meta, a->meta_len, e);
	return 0;
}
