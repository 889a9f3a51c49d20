/* SPDX-License-Identifier: MIT */
/* hf_put.h -- what the writers of a directory's files agree on. */
#ifndef TOKEN_HF_PUT_H
#define TOKEN_HF_PUT_H

#include "token.h"

/* A writer that hands on what has gathered. */
struct sink {
	struct buf	 b;
	vocab_put_fn	 put;
	void		*ctx;
};

int	sink_flush(struct sink *, size_t atleast, struct err *) APR_MUSTCHECK;

/* What is put around a text, and how a reader of the files is told. */
struct around {
	int32_t		 bos, eos, sep;		/* in templates; -1: not */
	bool		 bytelevel;		/* a ByteLevel processor says no */
	signed char	 say_bos, say_eos, say_sep;	/* in tokenizer_config */
};

struct around around(const struct vocab *);

/* Is it in added_tokens? */
bool	hf_is_added(const struct vocab *, size_t id, const struct around *);
bool	hf_is_special(const struct vocab *, size_t id);
/* Its text, or some other, as files have it, onto b as a JSON string. */
void	hf_text(const struct vocab *, size_t id, struct buf *);
void	hf_put_text(const struct vocab *, const char *, size_t, struct buf *);
/* "lstrip":false,... of an added token. */
void	hf_put_flags(const struct vocab *, size_t id, struct buf *);

int	hf_put_json(struct vocab *, struct sink *, struct err *) APR_MUSTCHECK;

#endif
