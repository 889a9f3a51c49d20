/* SPDX-License-Identifier: MIT */
/*
 * spm.c -- tokenizer.model: SentencePiece's ModelProto, in protobuf's wire
 * format.  Read strictly: what is not well formed is an error, fields that
 * do not concern us are passed over.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <apr/size.h>

#include "token.h"

enum wire { VARINT, FIXED64, BYTES, FIXED32 = 5 };

/* sentencepiece_model.proto's numbers. */
enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TRAINER_TYPE = 3, TRAINER_SIZE = 4, TRAINER_FALLBACK = 35,
	TRAINER_UNK = 40, TRAINER_BOS = 41, TRAINER_EOS = 42, TRAINER_PAD = 43,
	TRAINER_UNK_TEXT = 45, TRAINER_BOS_TEXT = 46, TRAINER_EOS_TEXT = 47,
	TRAINER_PAD_TEXT = 48 };
enum { NORMALIZER_NAME = 1, NORMALIZER_MAP = 2, NORMALIZER_PREFIX = 3,
	NORMALIZER_EXTRA = 4, NORMALIZER_ESCAPE = 5 };
enum { UNIGRAM = 1, BPE = 2 };

struct reader {
	const unsigned char *p, *end, *start;
};

struct field {
	uint64_t	 number, value;	/* value: of VARINT and FIXED */
	enum wire	 wire;
	const unsigned char *p;		/* of BYTES */
	size_t		 n;
};

static int
bad(const struct reader *r, const char *what, struct err *e)
{
	return err_set(e, "tokenizer.model: %s at byte %td", what, r->p - r->start);
}

static int
varint(struct reader *r, uint64_t *v, struct err *e)
{
	*v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (r->p == r->end)
			return bad(r, "a number is cut off", e);
		if (shift == 63 && *r->p > 1)
			break;
		*v |= (uint64_t)(*r->p & 0x7f) << shift;
		if (!(*r->p++ & 0x80))
			return 0;
	}
	return bad(r, "a number of more than 64 bits", e);
}

/* 1: *f is the next field; 0: the message is over. */
static int
next(struct reader *r, struct field *f, struct err *e)
{
	uint64_t key;
	size_t fixed;

	if (r->p == r->end)
		return 0;
	if (varint(r, &key, e) < 0)
		return -1;
	f->number = key >> 3;
	f->wire = (enum wire)(key & 7);
	if (f->number == 0 || f->number > 0x1fffffff)
		return bad(r, "no field has this number", e);
	switch ((unsigned)f->wire) {
	case VARINT:
		return varint(r, &f->value, e) < 0 ? -1 : 1;
	case BYTES:
		if (varint(r, &f->value, e) < 0)
			return -1;
		if (f->value > (size_t)(r->end - r->p))
			return err_set(e, "tokenizer.model: a field of %" PRIu64 " bytes at"
			    " byte %td, but %td are left", f->value, r->p - r->start,
			    r->end - r->p);
		f->p = r->p;
		f->n = (size_t)f->value;
		r->p += f->n;
		return 1;
	case FIXED64:
	case FIXED32:
		fixed = f->wire == FIXED32 ? 4 : 8;
		if ((size_t)(r->end - r->p) < fixed)
			return bad(r, "a number is cut off", e);
		f->value = fixed == 4 ? le32_get(r->p) : le64_get(r->p);
		r->p += fixed;
		return 1;
	}
	return bad(r, "a field of a kind that is not used", e);
}

static struct reader
inside(const struct reader *r, const struct field *f)
{
	return (struct reader){ f->p, f->p + f->n, r->start };
}

static int
piece(struct vocab *v, struct reader r, size_t id, bool keep, struct err *e)
{
	const unsigned char *text = NULL;
	size_t n = 0;
	uint64_t type = VOCAB_NORMAL;
	float score = 0;
	struct field f;
	uint32_t u;
	int more;

	while ((more = next(&r, &f, e)) > 0) {
		if (f.number == PIECE_TEXT && f.wire == BYTES) {
			text = f.p;
			n = f.n;
		} else if (f.number == PIECE_SCORE && f.wire == FIXED32) {
			u = (uint32_t)f.value;
			memcpy(&score, &u, sizeof score);
		} else if (f.number == PIECE_TYPE && f.wire == VARINT) {
			type = f.value;
		} else if (f.number <= PIECE_TYPE)
			return err_set(e, "tokenizer.model: piece %zu: field %" PRIu64
			    " is of a wrong kind", id, f.number);
	}
	if (more < 0)
		return -1;
	if (n == 0 || !utf8_valid(text, n))
		return err_set(e, "tokenizer.model: piece %zu is %s", id, n ? "not UTF-8" :
		    "empty");
	if (type < VOCAB_NORMAL || type > VOCAB_BYTE)
		return err_set(e, "tokenizer.model: piece %zu: type %" PRIu64 " is not one of"
		    " 1 to 6", id, type);
	if (!isfinite(score))
		return err_set(e, "tokenizer.model: piece %zu: its score is no finite number", id);
	if (!keep)
		return 0;
	/* Converters do not tell what users defined from other pieces. */
	if (type == VOCAB_USER)
		type = VOCAB_NORMAL;
	if (vocab_room(v, id + 1, e) < 0 ||
	    vocab_token(v, id, text, n, (enum vocab_type)type, score, e) < 0)
		return err_prefix(e, "tokenizer.model");
	return 0;
}

static int
trainer(struct vocab *v, struct reader r, struct err *e)
{
	struct field f;
	int more;

	while ((more = next(&r, &f, e)) > 0) {
		if (f.number == TRAINER_TYPE && f.wire == VARINT) {
			if (f.value != UNIGRAM && f.value != BPE)
				return err_set(e, "tokenizer.model: model type %" PRIu64 " is"
				    " not supported (1, unigram, and 2, BPE, are)", f.value);
			v->kind = f.value == BPE ? VOCAB_SPM : VOCAB_UNIGRAM;
		} else if (f.number == TRAINER_FALLBACK && f.wire == VARINT)
			v->byte_fallback = f.value != 0;
	}
	return more;
}

static int
normalizer(struct vocab *v, struct reader r, struct err *e)
{
	bool prefix = true, extra = true;
	struct field f;
	int more;

	while ((more = next(&r, &f, e)) > 0) {
		if (f.number == NORMALIZER_PREFIX && f.wire == VARINT)
			prefix = f.value != 0;
		else if (f.number == NORMALIZER_EXTRA && f.wire == VARINT)
			extra = f.value != 0;
		else if (f.number == NORMALIZER_MAP && f.wire == BYTES && f.n > 0) {
			v->charsmap = (unsigned char *)arena_strn(&v->arena, f.p, f.n);
			v->ncharsmap = f.n;
			if (!v->charsmap)
				return err_set(e, "out of memory");
		}
	}
	if (v->space_prefix < 0)
		v->space_prefix = prefix;
	v->extra_blanks = extra;
	return more;
}

int
spm_read(struct vocab *v, const void *p, size_t n, size_t max, struct err *e)
{
	struct reader r = { p, n ? (const unsigned char *)p + n : p, p };
	size_t pieces = 0;
	struct field f;
	int more;

	v->kind = VOCAB_UNIGRAM;	/* if the trainer says nothing */
	while ((more = next(&r, &f, e)) > 0) {
		if (f.number > MODEL_NORMALIZER)
			continue;
		if (f.wire != BYTES)
			return bad(&r, "a message is of a wrong kind", e);
		if ((f.number == MODEL_PIECES ?
		    piece(v, inside(&r, &f), pieces, pieces < max, e) :
		    f.number == MODEL_TRAINER ? trainer(v, inside(&r, &f), e) :
		    normalizer(v, inside(&r, &f), e)) < 0)
			return -1;
		pieces += f.number == MODEL_PIECES;
	}
	if (more < 0)
		return -1;
	if (pieces == 0)
		return err_set(e, "tokenizer.model: no pieces");
	if (pieces > max)
		vocab_warn(v, "tokenizer.model has %zu pieces, the model has %zu rows: the"
		    " others are left out", pieces, max);
	v->scores = true;
	return 0;
}

static void
put_varint(struct buf *b, uint64_t v)
{
	unsigned char c;

	do {
		c = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		buf_put(b, &c, 1);
	} while (v >>= 7);
}

static void
put_number(struct buf *b, unsigned field, uint64_t v)
{
	put_varint(b, field << 3 | VARINT);
	put_varint(b, v);
}

static void
put_bytes(struct buf *b, unsigned field, const void *p, size_t n)
{
	put_varint(b, field << 3 | BYTES);
	put_varint(b, n);
	buf_put(b, p, n);
}

int32_t
vocab_unknown(const struct vocab *v)
{
	if (vocab_has(v, v->id[VOCAB_UNK]))
		return v->id[VOCAB_UNK];
	for (size_t i = 0; i < v->ntoken; i++)
		if (v->token[i].type == VOCAB_UNKNOWN)
			return (int32_t)i;
	return -1;
}

static void
put_piece(struct vocab *v, size_t id, int32_t unknown, struct buf *b, struct buf *tmp)
{
	const struct vocab_token *t = &v->token[id];
	unsigned type = t->type;
	float score = t->score;
	unsigned char f[5] = { PIECE_SCORE << 3 | FIXED32 };
	struct buf text = { 0 };
	uint32_t u;

	if (!type) {
		buf_printf(&text, "[PAD%zu]", id);
		put_bytes(b, PIECE_TEXT, text.p, text.len);
		buf_release(&text);
		type = VOCAB_UNUSED;
	} else {
		tmp->len = 0;
		/* Plain ones, as users define them, are not SentencePiece's. */
		vocab_blanks(vocab_bytes(v, id), t->len, tmp);
		put_bytes(b, PIECE_TEXT, tmp->p, tmp->len);
	}
	memcpy(&u, &score, sizeof u);
	le32_put(f + 1, u);
	buf_put(b, f, sizeof f);
	if (vocab_is_user(v, id))
		type = VOCAB_USER;
	/* The library wants one, and just one. */
	if ((int32_t)id == unknown)
		type = VOCAB_UNKNOWN;
	else if (type == VOCAB_UNKNOWN)
		type = VOCAB_CONTROL;
	if (type != VOCAB_NORMAL)
		put_number(b, PIECE_TYPE, type);
}

static void
put_trainer(const struct vocab *v, struct buf *b)
{
	static const struct { enum vocab_special of; unsigned id, text; } names[] = {
		{ VOCAB_UNK, TRAINER_UNK, TRAINER_UNK_TEXT },
		{ VOCAB_BOS, TRAINER_BOS, TRAINER_BOS_TEXT },
		{ VOCAB_EOS, TRAINER_EOS, TRAINER_EOS_TEXT },
		{ VOCAB_PAD, TRAINER_PAD, TRAINER_PAD_TEXT },
	};

	put_number(b, TRAINER_TYPE, v->kind == VOCAB_UNIGRAM ? UNIGRAM : BPE);
	put_number(b, TRAINER_SIZE, v->ntoken);
	put_number(b, TRAINER_FALLBACK, v->byte_fallback);
	for (size_t i = 0; i < 4; i++)
		put_number(b, names[i].id, (uint64_t)(int64_t)v->id[names[i].of]);
	for (size_t i = 0; i < 4; i++) {
		int32_t id = v->id[names[i].of];

		if (vocab_has(v, id))
			put_bytes(b, names[i].text, vocab_bytes(v, (size_t)id),
			    v->token[id].len);
	}
}

static void
put_normalizer(const struct vocab *v, struct buf *b)
{
	put_bytes(b, NORMALIZER_NAME, "identity", v->ncharsmap ? 0 : 8);
	if (v->ncharsmap)
		put_bytes(b, NORMALIZER_MAP, v->charsmap, v->ncharsmap);
	put_number(b, NORMALIZER_PREFIX, v->space_prefix != 0);
	put_number(b, NORMALIZER_EXTRA, v->extra_blanks == 1);
	put_number(b, NORMALIZER_ESCAPE, 1);
}

int
spm_write(struct vocab *v, vocab_put_fn put, void *ctx, struct err *e)
{
	struct buf b = { 0 }, one = { 0 }, tmp = { 0 };
	int32_t unknown = vocab_unknown(v);
	int r = vocab_check(v, "tokenizer.model", e);

	for (size_t id = 0; id < v->ntoken + 2 && r == 0; id++) {
		one.len = 0;
		if (id < v->ntoken)
			put_piece(v, id, unknown, &one, &tmp);
		else if (id == v->ntoken)
			put_trainer(v, &one);
		else
			put_normalizer(v, &one);
		put_bytes(&b, id < v->ntoken ? MODEL_PIECES : id == v->ntoken ?
		    MODEL_TRAINER : MODEL_NORMALIZER, one.p, one.len);
		if (b.len > 65536 || id == v->ntoken + 1) {
			if ((r = buf_check(&one, e)) == 0 && (r = buf_check(&tmp, e)) == 0 &&
			    (r = buf_check(&b, e)) == 0)
				r = put(ctx, b.p, b.len, e);
			b.len = 0;
		}
	}
	buf_release(&b);
	buf_release(&one);
	buf_release(&tmp);
	return r;
}
