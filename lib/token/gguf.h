/* SPDX-License-Identifier: MIT */
/* gguf.h -- names of GGUF's tokenizer keys, and types of its values. */
#ifndef TOKEN_GGUF_H
#define TOKEN_GGUF_H

#include "token.h"

#define GGML		"tokenizer.ggml."
#define TEMPLATE	"tokenizer.chat_template"

enum kv_type {
	KV_U8, KV_I8, KV_U16, KV_I16, KV_U32, KV_I32, KV_F32, KV_BOOL,
	KV_STRING, KV_ARRAY, KV_U64, KV_I64, KV_F64, KV_TYPES
};

/* Bytes of a value; 0: a string. */
extern const unsigned char kv_size[KV_TYPES];

/* Keys of ids, by enum vocab_special; NULL: GGUF has none. */
extern const char *const gguf_id_key[VOCAB_SPECIALS];
/* tokenizer.ggml.model of a kind, or NULL. */
extern const char *const gguf_model[VOCAB_UNIGRAM + 1];

#endif
