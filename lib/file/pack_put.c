/* SPDX-License-Identifier: MIT */
/* pack_put.c -- an output's bytes to their places, and the sum behind them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libdeflate.h>
#include <zlib.h>

#include <apr/size.h>

#include "pack.h"

static int
emit(struct output *o, const void *b, size_t n, uint64_t at, struct err *e)
{
	if (o->seek)
		return io_place(&o->place, b, n, at, e);
	o->at += n;
	return io_write(o->fd, b, n, e);
}

/* Zeros up to `to`, in a pipe; a file has them by itself. */
static int
zeros(struct output *o, uint64_t to, struct err *e)
{
	static const unsigned char zero[4096];

	while (!o->seek && o->at < to) {
		uint64_t n = to - o->at;

		if (emit(o, zero, n < sizeof zero ? (size_t)n : sizeof zero, 0, e) < 0)
			return -1;
	}
	return 0;
}

/* Open it, and write what stands before the data. */
int
pack_begin_output(struct pack *p, struct output *o, struct err *e)
{
	o->later = false;
	if (pack_open_output(p, o, e) < 0)
		return -1;
	io_place_init(&o->place, o->fd, o->l.end);
	return emit(o, o->l.head.p, o->l.head.len, 0, e);
}

static const char *
why_order(const struct pack *p)
{
	if (p->t.format != &format_gguf)
		return "the order of the manifest is what a pipe needs: apr-cat --order source";
	return pack_by_quantize(p) ?
	    "apr-cat --as gguf --order quantize gives the order that a pipe needs" :
	    "apr-cat --as gguf --order convert gives the order that a pipe needs";
}

/* In a pipe a tensor can begin only when it is its turn. */
static int
take_turn(struct pack *p, struct output *o, size_t i, struct err *e)
{
	const struct tensor *t = &p->m->tensor[o->which[i]];

	while (o->next < i && p->m->tensor[o->which[o->next]].bytes == 0)
		o->next++;
	if (i != o->next)
		return err_set(e, "%s: comes out of order for an output that"
		    " cannot seek; %s", t->name, why_order(p));
	o->next = i + 1;
	return zeros(o, o->l.offset[i], e);
}

/* CRC of n zeros: by doubling, as padding may be any length. */
static uint32_t
crc_zeros(uint64_t n)
{
	static const unsigned char zero[4096];
	uint32_t piece = libdeflate_crc32(0, zero, sizeof zero), crc = 0;
	uint64_t len = sizeof zero;

	for (uint64_t k = n / sizeof zero; k; k >>= 1) {
		if (k & 1)
			crc = (uint32_t)crc32_combine(crc, piece, (z_off_t)len);
		piece = (uint32_t)crc32_combine(piece, piece, (z_off_t)len);
		len *= 2;
	}
	return libdeflate_crc32(crc, zero, n % sizeof zero);
}

/* The footer: the pieces' CRCs and the zeros between, in order of place. */
static uint32_t
footer(const struct pack *p, const struct output *o)
{
	uint32_t crc = libdeflate_crc32(0, o->l.head.p, o->l.head.len);
	uint64_t at = o->l.head.len;

	for (size_t i = 0; i <= o->n; i++) {
		const struct tensor *t = i < o->n ? &p->m->tensor[o->which[i]] : NULL;
		uint64_t to = t ? o->l.offset[i] : o->l.end;

		if (t && (t->tied_to || t->bytes == 0))
			continue;
		if (to > at) {
			crc = (uint32_t)crc32_combine(crc, crc_zeros(to - at), (z_off_t)(to - at));
			at = to;
		}
		if (t) {
			crc = (uint32_t)crc32_combine(crc, o->crc[i], (z_off_t)t->bytes);
			at += t->bytes;
		}
	}
	return crc;
}

/* Tensors whose bytes came in another order than they lie: for the sum. */
static int
read_again(const struct pack *p, struct output *o, struct err *e)
{
	unsigned char b[65536];

	for (size_t i = 0; i < o->n; i++) {
		uint64_t left = p->m->tensor[o->which[i]].bytes;

		if (o->crc_at[i] != CRC_SCATTERED)
			continue;
		o->crc[i] = 0;
		while (left > 0) {
			size_t k = left < sizeof b ? (size_t)left : sizeof b;

			if (io_pread(o->fd, b, k, o->l.offset[i] +
			    p->m->tensor[o->which[i]].bytes - left, e) < 0)
				return -1;
			o->crc[i] = libdeflate_crc32(o->crc[i], b, k);
			left -= k;
		}
	}
	return 0;
}

int
pack_finish_output(struct pack *p, struct output *o, struct err *e)
{
	unsigned char crc[4];

	o->done = true;
	if (o->later && pack_begin_output(p, o, e) < 0)
		return -1;
	if (zeros(o, o->l.end, e) < 0)
		return -1;
	if (o->seek && ftruncate(o->fd, (off_t)o->l.end) < 0)
		return err_sys(e, "write");
	if (o->l.footer) {
		if (read_again(p, o, e) < 0)
			return -1;
		le32_put(crc, footer(p, o));
		if (emit(o, crc, 4, o->l.end, e) < 0)
			return -1;
	}
	if (o->temp || p->t.path) {
		int fd = o->fd;

		o->fd = -1;
		return output_close(fd, o->temp ? o->temp : p->t.path, e);
	}
	return 0;
}

int
pack_put(struct pack *p, size_t tensor, const void *b, uint64_t off, size_t n, struct err *e)
{
	const struct tensor *t = &p->m->tensor[tensor];
	size_t k = p->place[tensor].out, i = p->place[tensor].pos;
	struct output *o;
	uint64_t at;

	if (k == SIZE_MAX || n == 0)
		return 0;
	o = &p->out[k];
	at = o->l.offset[i] + off;
	if (o->later && pack_begin_output(p, o, e) < 0)
		return -1;
	if (!o->seek) {
		if (off == 0 && take_turn(p, o, i, e) < 0)
			return -1;
		if (o->at != at)
			return err_set(e, "%s: comes in pieces that an output that cannot seek"
			    " cannot put together; %s", t->name, why_order(p));
	}
	if (o->crc && o->crc_at[i] != CRC_SCATTERED) {
		if (o->crc_at[i] == off) {
			o->crc[i] = libdeflate_crc32(o->crc[i], b, n);
			o->crc_at[i] += n;
		} else {
			o->crc_at[i] = CRC_SCATTERED;
		}
	}
	if (p->t.format == &format_lattice && lattice_check(&o->check, t, b, n, off, e) < 0)
		return err_prefix(e, "%s", t->name);
	if (emit(o, b, n, at, e) < 0)
		return err_prefix(e, "%s", t->name);
	if (p->t.progress)
		p->t.progress(n);
	return o->left && (o->left -= n) == 0 ? pack_finish_output(p, o, e) : 0;
}
