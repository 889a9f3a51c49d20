/* SPDX-License-Identifier: MIT */
/* token.h -- what the readers and writers of tokenizers share. */
#ifndef TOKEN_TOKEN_H
#define TOKEN_TOKEN_H

#include <apr/vocab.h>

#include "walk.h"

#define LOW_LINE	"\xe2\x96\x81"	/* U+2581, SentencePiece's blank */

/* vocab.c */

/* Room for ids below n; fails beyond VOCAB_MAX. */
int	vocab_room(struct vocab *, size_t n, struct err *) APR_MUSTCHECK;
/* Bytes of a token or merge: *at is where they stand. */
int	vocab_text(struct vocab *, const void *, size_t, uint32_t *at,
	    struct err *) APR_MUSTCHECK;
/* Token id is these bytes; there must be room.  An older one is replaced. */
int	vocab_token(struct vocab *, size_t id, const void *, size_t,
	    enum vocab_type, float score, struct err *) APR_MUSTCHECK;
int	vocab_merge(struct vocab *, const void *left, size_t, const void *right,
	    size_t, struct err *) APR_MUSTCHECK;
/* Parts that stand together in v->text already. */
int	vocab_merge_at(struct vocab *, uint32_t at, size_t left, size_t right,
	    struct err *) APR_MUSTCHECK;
/* "left right", cut at the first blank behind the first byte. */
int	vocab_merge_text(struct vocab *, const char *, size_t, struct err *)
	    APR_MUSTCHECK;
/* Make vocab_find() work; *twice is an id whose bytes an id before it has,
 * or -1.  (The first one is found.) */
int	vocab_index(struct vocab *, int32_t *twice, struct err *) APR_MUSTCHECK;
void	vocab_unindex(struct vocab *);

/* The same, and no bytes twice. */
int	vocab_once(struct vocab *, const char *what, struct err *) APR_MUSTCHECK;
/* May a file that names tokens by their text hold them?  Each once as it is
 * written there, UTF-8, not empty; this makes the index anew. */
int	vocab_check(struct vocab *, const char *what, struct err *) APR_MUSTCHECK;
/* Onto b: text with its blanks as SentencePiece writes them. */
void	vocab_blanks(const char *, size_t, struct buf *);

static inline bool
vocab_has(const struct vocab *v, int32_t id)
{
	return id >= 0 && (size_t)id < v->ntoken && v->token[id].type != 0;
}

static inline const char *
vocab_bytes(const struct vocab *v, size_t id)
{
	return (const char *)v->text.p + v->token[id].at;
}

/* "<0x0A>": the byte, or -1. */
int	vocab_byte(const char *, size_t);
/* Does a converter take it for a control token whatever its file says? */
bool	vocab_looks_special(const char *, size_t);
/* Note that the key has a value; its place is that of the first time. */
void	vocab_key(struct vocab *, unsigned key);
/* First come stays. */
void	vocab_id(struct vocab *, enum vocab_special, int64_t);
void	vocab_flag(struct vocab *, unsigned key, bool);
int	vocab_chat(struct vocab *, const char *name, const char *, size_t,
	    struct err *) APR_MUSTCHECK;
/* One more line of what is lost; when memory is short, none. */
void	vocab_warn(struct vocab *, const char *fmt, ...) APR_PRINTF(2, 3);
/* "bos" "eos" "unk" ..., as configurations spell them. */
extern const char *const vocab_special_name[VOCAB_SPECIALS];

/* base64.c: bytes in the arena, or NULL. */
unsigned char *vocab_base64(struct vocab *, const char *, size_t, size_t *n);
void	vocab_put_base64(struct buf *, const unsigned char *, size_t);

/* merges.c */

/* An error, with NAME, unless each merge's parts and result are tokens (as
 * the tokenizers library asks of a tokenizer.json); needs vocab_index(). */
int	vocab_check_merges(const struct vocab *, const char *name, struct err *) APR_MUSTCHECK;

/* Scores from the merges' ranks; needs vocab_index(). */
int	vocab_rank(struct vocab *, struct err *) APR_MUSTCHECK;
/* Merges from scores; needs vocab_index(). */
int	vocab_merges(struct vocab *, struct err *) APR_MUSTCHECK;
/* A piece that its trainer's user defined: marked so, or, since converters
 * unmark it, without a score and not to be made of two others. */
bool	vocab_is_user(const struct vocab *, size_t id);
/* The next cut of a token behind byte *at (0: the first) into two normal
 * tokens: 1, or 0 if there is none. */
int	vocab_split(const struct vocab *, size_t id, size_t *at, int32_t *left,
	    int32_t *right);

/* The id that stands for what has none, or -1. */
int32_t	vocab_unknown(const struct vocab *);

/* spm.c: tokenizer.model.  At most max pieces are kept. */
int	spm_read(struct vocab *, const void *, size_t, size_t max, struct err *)
	    APR_MUSTCHECK;
int	spm_write(struct vocab *, vocab_put_fn, void *, struct err *) APR_MUSTCHECK;

/* pre.c */

/* What a pre_tokenizer does, as far as it was understood. */
struct pre_steps {
	struct vocab_pre p;		/* its steps alone */
	size_t		 n;
	bool		 bytes;		/* a ByteLevel is among them */
	bool		 metaspace;
	bool		 prefix;	/* a blank is put before the text */
	char		 why[256];	/* not understood: what */
};
int	pre_read(struct vocab *, struct pre_steps *, const struct node *,
	    struct err *) APR_MUSTCHECK;
/* The row of these steps and v->norm; else v->pre_why. */
int	pre_choose(struct vocab *, const struct pre_steps *, struct err *)
	    APR_MUSTCHECK;
/* As tokenizer.json's pre_tokenizer. */
void	pre_write(const struct vocab_pre *, struct buf *);

#endif
