/* SPDX-License-Identifier: MIT */
/*
 * vocab.h -- a tokenizer as data: tokens, scores, types, merges, and what the
 * rest of a model says about them; read from a Hugging Face directory's
 * files, from GGUF's keys and from an .apr's metadata, written as any of them.
 *
 * Nothing here splits text: that is for the code that reads this.  What
 * converts, and by which rule, is written in apr-tokenizer(7).
 */
#ifndef APR_VOCAB_H
#define APR_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/buf.h>
#include <apr/err.h>

#define VOCAB_MAX	(1u << 20)	/* tokens; the largest known has 262,208 */
#define VOCAB_TEXT	4096		/* bytes of one, at most */

enum vocab_kind {
	VOCAB_NONE,		/* the source has no tokenizer */
	VOCAB_BPE,		/* byte-level: tokens in the alphabet of bytes */
	VOCAB_SPM,		/* SentencePiece's, merged by score */
	VOCAB_UNIGRAM,
};

/* As SentencePiece and GGUF number them. */
enum vocab_type {
	VOCAB_NORMAL = 1, VOCAB_UNKNOWN, VOCAB_CONTROL, VOCAB_USER,
	VOCAB_UNUSED, VOCAB_BYTE
};

/* In the order in which converters look for them. */
enum vocab_special {
	VOCAB_BOS, VOCAB_EOS, VOCAB_UNK, VOCAB_SEP, VOCAB_PAD, VOCAB_CLS,
	VOCAB_MASK, VOCAB_EOT, VOCAB_EOM, VOCAB_SPECIALS
};

/* Which of its files a family's converter believes (hf-gguf's table). */
enum vocab_family {
	VOCAB_FAMILY_BPE,	/* tokenizer.json alone: gpt2, olmo2, qwen3moe... */
	VOCAB_FAMILY_LLAMA,	/* llama, granite */
	VOCAB_FAMILY_QWEN,	/* qwen2, qwen3 */
	VOCAB_FAMILY_GEMMA,	/* gemma, gemma2: tokenizer.model is required */
	VOCAB_FAMILY_GEMMA3,
	VOCAB_FAMILY_PHI3,
};

/* Flags of a token that tokenizer.json lists in added_tokens. */
enum {
	VOCAB_ADDED = 1, VOCAB_SPECIAL = 2, VOCAB_LSTRIP = 4,
	VOCAB_RSTRIP = 8, VOCAB_WORD = 16, VOCAB_NORMALIZED = 32,
};

/* Normalizers that are more than SentencePiece's own handling of blanks. */
enum {
	VOCAB_NFC = 1, VOCAB_NFD = 2, VOCAB_NFKC = 4, VOCAB_NFKD = 8,
	VOCAB_LOWERCASE = 16, VOCAB_STRIP_ACCENTS = 32,
};

struct vocab_token {
	uint32_t	 at, len;	/* its bytes, in text */
	float		 score;
	uint8_t		 type;		/* enum vocab_type; 0: no such id */
	uint8_t		 flags;
};

/* Two parts, one behind the other; the first has `left` bytes. */
struct vocab_merge {
	uint32_t	 at;
	uint16_t	 left, right;
};

/* One way of cutting text before merging. */
enum vocab_cut {
	VOCAB_CUT_END, VOCAB_CUT_REGEX, VOCAB_CUT_DIGIT, VOCAB_CUT_DIGITS,
	VOCAB_CUT_PUNCTUATION, VOCAB_CUT_BYTES /* ByteLevel's own regex */
};

#define VOCAB_STEPS	8

/* What tokenizer.ggml.pre names: steps, each cutting the former's pieces. */
struct vocab_pre {
	const char	*name;		/* as the converter writes it */
	const char	*alias[20];	/* others with the same steps */
	struct { enum vocab_cut cut; const char *regex; } step[VOCAB_STEPS];
	unsigned	 norm;		/* of the published tokenizers */
	bool		 whole;		/* words found whole are not merged */
	bool		 bos;		/* if nothing says whether */
};

struct vocab_template {
	const char	*name;		/* NULL: the default one */
	const char	*text;
	size_t		 n;
};

/* GGUF's keys, in the order in which the source gave cause to write them;
 * ids are VOCAB_KEY_ID + enum vocab_special. */
enum vocab_key {
	VOCAB_KEY_TOKENS,	/* model, pre, tokens, scores, types, merges */
	VOCAB_KEY_SPACE_PREFIX, VOCAB_KEY_EXTRA_BLANKS, VOCAB_KEY_CHARSMAP,
	VOCAB_KEY_ADD_BOS, VOCAB_KEY_ADD_EOS, VOCAB_KEY_ADD_SEP,
	VOCAB_KEY_LOWERCASE, VOCAB_KEY_STRIP_ACCENTS,
	VOCAB_KEY_TEMPLATES,
	VOCAB_KEY_ID,
	VOCAB_KEYS = VOCAB_KEY_ID + VOCAB_SPECIALS
};

struct vocab {
	struct arena		 arena;		/* strings with a NUL */
	struct buf		 text;		/* tokens' and merges' bytes */
	enum vocab_kind		 kind;
	struct vocab_token	*token;		size_t ntoken, cap;	/* by id */
	size_t			 rows;		/* ids to write: padded up to it */
	struct vocab_merge	*merge;		size_t nmerge, capmerge; /* by rank */
	bool			 scores;	/* they say something */

	const struct vocab_pre	*pre;		/* VOCAB_BPE; NULL: unknown */
	const char		*pre_name;	/* as the source spells it, or NULL */
	const char		*pre_why;	/* unknown: what was not recognised */
	unsigned		 norm;		/* VOCAB_NFC... */
	bool			 whole;		/* words found whole stay whole */
	bool			 byte_fallback;
	const unsigned char	*charsmap;	size_t ncharsmap; /* unigram's */

	int32_t			 id[VOCAB_SPECIALS];	/* -1: none */
	/* 0, 1, or -1: nothing says so. */
	signed char		 add_bos, add_eos, add_sep;
	signed char		 space_prefix;	/* a blank before the text */
	signed char		 extra_blanks;	/* runs of blanks are removed */
	uint8_t			 key[VOCAB_KEYS];	size_t nkey;

	struct vocab_template	*chat;		size_t nchat;
	const char		**warning;	size_t nwarning;

	struct vocab_index	*index;		/* vocab_find()'s */
};

/* The file called `name` of a model, in memory. */
struct vocab_file {
	const char		*name;
	const unsigned char	*p;
	size_t			 n;
};

/* One GGUF key-value: its type (u32) and value as in the file. */
struct vocab_kv {
	const char		*key;
	const unsigned char	*p;
	size_t			 n;
};

struct vocab *vocab_new(struct err *);
void	vocab_free(struct vocab *);

/*
 * Read.  Files and keys are borrowed for the call.  What is not the
 * tokenizer's is passed over; without a tokenizer the kind is VOCAB_NONE.
 */

/* config.json, generation_config.json, tokenizer.json, tokenizer.model,
 * tokenizer_config.json, special_tokens_map.json, added_tokens.json,
 * chat_template.jinja, chat_template.json, vocab.json, merges.txt.
 * rows: of the embedding, if config.json has no vocab_size; or 0. */
int	vocab_from_hf(struct vocab *, const struct vocab_file *, size_t,
	    enum vocab_family, uint64_t rows, struct err *) APR_MUSTCHECK;
int	vocab_from_gguf(struct vocab *, const struct vocab_kv *, size_t,
	    struct err *) APR_MUSTCHECK;
/* The whole metadata, JSON text. */
int	vocab_from_apr(struct vocab *, const void *, size_t, struct err *)
	    APR_MUSTCHECK;

/*
 * Write.  Each checks that the target can hold it: 0, or -1 naming what it
 * cannot; what is lost without changing a token appends to v->warning.
 */

/* GGUF's tokenizer.* keys onto out, in the converter's order.  want() is
 * asked about each key first (NULL: all are wanted). */
int	vocab_put_gguf(struct vocab *, struct buf *out, uint64_t *nkv,
	    bool (*want)(void *, const char *key), void *, struct err *)
	    APR_MUSTCHECK;
/* Members of an .apr's metadata, each with a comma before it. */
int	vocab_put_apr(struct vocab *, struct buf *out, struct err *)
	    APR_MUSTCHECK;
/* The name of the i-th file of a directory, or NULL: as many as are needed
 * of tokenizer.json, tokenizer.model, tokenizer_config.json,
 * special_tokens_map.json and chat_template.jinja. */
const char *vocab_file_name(const struct vocab *, size_t i);
/* Its bytes, in pieces. */
typedef int (*vocab_put_fn)(void *ctx, const void *, size_t, struct err *);
int	vocab_put_file(struct vocab *, const char *name, vocab_put_fn, void *,
	    struct err *) APR_MUSTCHECK;
/* bos_token_id, eos_token_id, pad_token_id ... of config.json, if they are
 * known: members, each with a comma before it. */
void	vocab_put_config(const struct vocab *, struct buf *out);

/* The id with these bytes, or -1. */
int32_t	vocab_find(const struct vocab *, const void *, size_t);
/* By tokenizer.ggml.pre's name or alias; NULL: none. */
const struct vocab_pre *vocab_pre_by_name(const char *);

#endif
