/* SPDX-License-Identifier: MIT */
/* values.c -- tensors as F32, by the way of a chunk's source. */
#include <stdlib.h>

#include <apr/values.h>

#include "convert.h"

struct values {
	struct feed		 feed;
	struct quant_from	 from;
	unsigned char		 raw[TILE * sizeof(float)];
};

bool
values_of(const struct tensor *t)
{
	return type_decoder(t->type) || t->type->flags & TYPE_WHOLE;
}

int
values_retype(struct tensor *t, struct err *e)
{
	t->absmax = NULL;
	if (t->type->flags & TYPE_PLAIN && !t->row_bytes && type_encoder(t->type, EFFORT_REFERENCE))
		return 0;
	t->source = t->source ? t->source : t->type;
	t->row_bytes = 0;
	t->flat = false;
	return tensor_set(t, &type_f32, TENSOR_ROWS, e);
}

struct values *
values_new(struct stream_in *in, void (*progress)(uint64_t), struct err *e)
{
	struct values *v = calloc(1, sizeof *v);

	if (!v) {
		err_set(e, "out of memory");
		return NULL;
	}
	v->feed.in = in;
	v->feed.progress = progress;
	v->feed.spill = -1;
	return v;
}

int
values_begin(struct values *v, const struct tensor *t, bool twice, struct err *e)
{
	feed_end(&v->feed);
	v->from = (struct quant_from){ .type = t->type, .bytes = t->bytes,
		.row_bytes = t->row_bytes };
	v->feed.t = t;
	v->feed.from = &v->from;
	if (t->n == 0)
		return 0;
	if (twice && feed_spill(&v->feed, e) < 0)
		return -1;
	return feed_begin(&v->feed, true, e);
}

int
values_read(struct values *v, float *dst, size_t n, struct err *e)
{
	for (size_t k; n > 0; n -= k, dst += k) {
		k = n < TILE ? n : TILE;
		if (feed_read(&v->feed, v->raw, k * sizeof(float), e) < 0)
			return -1;
		type_f32.to_f32(dst, v->raw, k);
	}
	return 0;
}

int
values_again(struct values *v, struct err *e)
{
	if (v->feed.t->n == 0)
		return 0;
	feed_rewind(&v->feed);
	return feed_begin(&v->feed, true, e);
}

void
values_free(struct values *v)
{
	if (v)
		feed_end(&v->feed);
	free(v);
}
