/* SPDX-License-Identifier: MIT */
/* hf.h -- what a Hugging Face directory's files say, before it is decided
 * which of them is believed. */
#ifndef TOKEN_HF_H
#define TOKEN_HF_H

#include "token.h"

/* An entry of added_tokens, added_tokens_decoder or added_tokens.json. */
struct added {
	const char	*s;		/* in v->arena */
	size_t		 n;
	uint32_t	 id;
	uint8_t		 flags;		/* VOCAB_ADDED and others */
};

struct added_list {
	struct added	*p;
	size_t		 n;
};

struct string {
	const char	*s;		/* in v->arena, or NULL */
	size_t		 n;
};

enum hf_model { MODEL_NONE, MODEL_BPE, MODEL_UNIGRAM, MODEL_OTHER };

struct hf {
	struct vocab	*v;
	const struct vocab_file *file;	size_t nfile;

	/* config.json */
	uint64_t	 vocab_size;	/* 0: it does not say */
	int64_t		 config_id[2][VOCAB_SPECIALS];	/* top, text_config; -1 */
	struct string	 model_type;

	/* tokenizer_config.json */
	bool		 config;	/* it is there */
	struct string	 special[VOCAB_SPECIALS];
	signed char	 add[VOCAB_SPECIALS];
	signed char	 prefix;	/* add_prefix_space */
	struct string	 class;
	struct added_list named;	/* additional and extra special tokens */
	struct added_list decoder;	/* added_tokens_decoder */
	struct added_list legacy;	/* added_tokens.json */
	bool		 templates;	/* it has chat_template */

	/* tokenizer.json */
	bool		 json;		/* it is there */
	bool		 take;		/* its vocabulary is wanted */
	enum hf_model	 model;
	struct string	 model_name;
	struct string	 unk;		/* model.unk_token */
	int64_t		 unk_id;	/* unigram's */
	bool		 byte_fallback, ignore_merges;
	bool		 decoder_bytes;	/* decoder is ByteLevel */
	bool		 decoder_seq;	/* decoder is a Sequence */
	size_t		 nbase;		/* of model.vocab */
	struct added_list added;
	struct pre_steps pre;
	bool		 prepend;	/* normalizer puts U+2581 before */
	bool		 blanks;	/* ... and for blanks */
	struct string	 other;		/* a normalizer that nothing records */
};

const struct vocab_file *hf_file(const struct hf *, const char *name);
int	hf_string(struct hf *, struct string *, const struct node *, struct err *)
	    APR_MUSTCHECK;
int	hf_add(struct hf *, struct added_list *, uint64_t id, const struct node *text,
	    unsigned flags, struct err *) APR_MUSTCHECK;
/* Flags of an object with special, lstrip ... */
unsigned hf_flags(const struct node *);
/* A non-negative integer, or -1. */
int64_t	hf_integer(const struct node *);

/* hf_config.c: config.json, tokenizer_config.json and the small ones. */
int	hf_configs(struct hf *, struct err *) APR_MUSTCHECK;
/* Ids and templates, when added_tokens are known. */
int	hf_specials(struct hf *, bool spm, struct err *) APR_MUSTCHECK;
/* hf_json.c */
int	hf_json(struct hf *, const struct vocab_file *, struct err *) APR_MUSTCHECK;
/* hf_post.c: flags from a post_processor. */
void	hf_post(struct hf *, const struct node *);

#endif
