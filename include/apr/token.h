/* SPDX-License-Identifier: MIT */
/*
 * token.h -- text to ids and back, as Hugging Face's tokenizers and
 * transformers do it for the same files.
 *
 * Special tokens are recognised in text unless told otherwise.  Bytes that
 * are not UTF-8 become U+FFFD first, as they do there.
 */
#ifndef APR_TOKEN_H
#define APR_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/vocab.h>

struct tokenizer;

/* Zero-initialise; ids_release() frees. */
struct ids {
	int32_t	*p;
	size_t	 n;
};
int	ids_add(struct ids *, int32_t, struct err *) APR_MUSTCHECK;
void	ids_release(struct ids *);

/* One tokenizer is for one thread: it remembers words.  The vocabulary is
 * borrowed.  NULL: it has none, or one that cannot be used
 * (an unknown pre-tokenizer, WordPiece), and e says which. */
struct tokenizer *tokenizer_new(const struct vocab *, struct err *);
void	tokenizer_free(struct tokenizer *);

enum {
	TOKEN_NO_BOS = 1,	/* none before or behind, whatever the model wants */
	TOKEN_NO_SPECIAL = 2,	/* "<|im_end|>" in text is text */
};
/* Appends. */
int	tokenizer_encode(struct tokenizer *, const char *text, size_t n,
	    unsigned flags, struct ids *, struct err *) APR_MUSTCHECK;

/* Does this token end an answer (eos, eot, eom, and what the templates end
 * a turn with)? */
bool	tokenizer_ends(const struct tokenizer *, int32_t id);
int32_t	tokenizer_bos(const struct tokenizer *);	/* -1: none */
int32_t	tokenizer_eos(const struct tokenizer *);
/* The id of a token spelt so, or -1. */
int32_t	tokenizer_find(const struct tokenizer *, const char *, size_t);

/* A stream of ids to text: whole UTF-8 characters alone, half ones wait.
 * At a text's beginning SentencePiece's own first blank goes. */
struct detokenizer;
enum { DETOKEN_SPECIAL = 1, DETOKEN_BEGIN = 2 };
struct detokenizer *detokenizer_new(const struct tokenizer *, unsigned flags,
	    struct err *);
/* Text that is ready, onto out; detokenizer_end() gives the rest. */
int	detokenizer_put(struct detokenizer *, int32_t id, struct buf *out, struct err *)
	    APR_MUSTCHECK;
int	detokenizer_end(struct detokenizer *, struct buf *out, struct err *) APR_MUSTCHECK;
void	detokenizer_free(struct detokenizer *);

/*
 * Messages ([{"role":, "content":}...], JSON) through a model's own template,
 * or the one given, as text to be encoded with TOKEN_NO_BOS.  A template that
 * cannot be rendered is an error that says where and why.
 */
int	chat_render(const struct vocab *, const char *tmpl, size_t tmpl_len,
	    const char *messages, size_t n, bool add_generation_prompt, struct buf *out,
	    struct err *) APR_MUSTCHECK;

#endif
