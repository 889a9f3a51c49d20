/* SPDX-License-Identifier: MIT */
/* match.h -- between the parts that turn text into ids.  Private. */
#ifndef TOKEN_MATCH_H
#define TOKEN_MATCH_H

#include <apr/token.h>

/* table.c: bytes to an id, by open addressing over texts that live elsewhere. */
struct table {
	struct entry { const unsigned char *p; uint32_t n; int32_t id; } *slot;
	size_t	mask, used;
};
uint64_t table_hash(const void *, size_t);
int	table_new(struct table *, size_t n, struct err *) APR_MUSTCHECK;
void	table_free(struct table *);
/* The first one of equal texts stays. */
void	table_put(struct table *, const void *, size_t, int32_t id);
int32_t	table_find(const struct table *, const void *, size_t);	/* or -1 */

/* Two ids that merge: the smaller rank first. */
struct pair {
	int32_t	left, right;		/* left < 0: free */
	int32_t	id;
	uint32_t rank;
};
struct pairs {
	struct pair *slot;
	size_t	mask;
};

/* cut.c: pieces of a text, by the steps of a pre-tokenizer. */
struct cutter;
struct cutter *cutter_new(const struct vocab_pre *, struct err *);
void	cutter_free(struct cutter *);
int	cutter_run(struct cutter *, const char *, size_t,
	    int (*piece)(void *, const char *, size_t, struct err *), void *, struct err *)
	    APR_MUSTCHECK;

struct memory;			/* words and their ids */

/* tokenizer.c makes it, merge.c, encode.c and decode.c use it. */
struct tokenizer {
	const struct vocab	*v;
	struct arena		 arena;
	struct table		 tokens;	/* as bytes of text */
	struct pairs		 pairs;
	int32_t			 byte[256];	/* of single bytes, or -1 */
	int32_t			 unk;		/* or -1 */
	bool			 words;		/* no token goes over a word's end (SPM) */
	int32_t			*added;		/* longest first */
	size_t			 nadded;
	bool			 begins[256];	/* an added token may begin so */
	struct cutter		*cutter;
	struct memory		*memory;
	size_t			 longest;	/* token, bytes (unigram) */
	float			 lowest;	/* score */
	unsigned char		*out;		/* decoded bytes of byte-level tokens */
	uint32_t		*out_at;	/* ntoken + 1 */
};

/* merge.c: one piece to ids. */
int	merge_bpe(struct tokenizer *, const char *, size_t, struct ids *, struct err *)
	    APR_MUSTCHECK;
int	merge_spm(struct tokenizer *, const char *, size_t, struct ids *, struct err *)
	    APR_MUSTCHECK;
int	merge_unigram(struct tokenizer *, const char *, size_t, struct ids *, struct err *)
	    APR_MUSTCHECK;
struct memory *memory_new(struct err *);
void	memory_free(struct memory *);

/* normal.c: text as the model has it, onto out. */
int	normal_utf8(const char *, size_t, struct buf *out, struct err *) APR_MUSTCHECK;
int	normal_form(const struct vocab *, const char *, size_t, struct buf *out,
	    struct err *) APR_MUSTCHECK;
/* Bytes of the character at p (of n). */
size_t	utf8_len(const unsigned char *p, size_t n);

#endif
