/* SPDX-License-Identifier: MIT */
/* apr.h -- the keys of an .apr's metadata that are a tokenizer's. */
#ifndef TOKEN_APR_H
#define TOKEN_APR_H

#include "token.h"

enum apr_rule {
	VOCABULARY, MERGES, SCORES, TYPES, MODEL_TYPE, MODEL, PRE, SIZE,
	NORMS, WHOLE, CHARSMAP, CHAT, CHAT2, TEMPLATES,
	ADD_BOS, ADD_EOS, ADD_SEP, SPACE_PREFIX, EXTRA_BLANKS,
	IDS, APR_RULES = IDS + VOCAB_SPECIALS
};

/* Every key of ours, and how it is read. */
extern const struct walk_rule apr_rule[APR_RULES];

struct apr_norm {
	const char	*name;
	unsigned	 norm;
};
#define APR_NORMS	6
extern const struct apr_norm apr_norm[APR_NORMS];

#endif
