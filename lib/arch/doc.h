/* SPDX-License-Identifier: MIT */
/*
 * doc.h -- a small JSON object, flat: "rope_parameters.rope_theta" is a path.
 * For config.json and its like, never for tokenizers.
 */
#ifndef ARCH_DOC_H
#define ARCH_DOC_H

#include <apr/json.h>

#define DOC_ITEMS	4096	/* members at most */
#define DOC_TEXT	((size_t)4 << 20)

struct doc_item {
	const char	*path;
	enum json_ev	 kind;	/* scalars, or JSON_ARRAY, JSON_OBJECT (empty) */
	const char	*text;	/* a string's own, else JSON */
};

/* Zero-initialise; doc_release() frees. */
struct doc {
	struct arena	 arena;
	struct doc_item	*item;	size_t n;
};

/* The members of a JSON object, behind those that are there. */
int	doc_read(struct doc *, const char *what, const void *, size_t, struct err *)
	    APR_MUSTCHECK;
void	doc_release(struct doc *);
/* NULL if it is not there, or is null. */
const struct doc_item *doc_find(const struct doc *, const char *path);
/* Set or replace.  kind JSON_NULL takes it away. */
int	doc_put(struct doc *, const char *path, enum json_ev, const char *text,
	    struct err *) APR_MUSTCHECK;
int	doc_put_u64(struct doc *, const char *path, uint64_t, struct err *)
	    APR_MUSTCHECK;
/* A whole number (512 or 512.0), a number, a string; false if there is none. */
bool	doc_u64(const struct doc *, const char *path, uint64_t *);
bool	doc_double(const struct doc *, const char *path, double *);
const char *doc_string(const struct doc *, const char *path);
bool	doc_true(const struct doc *, const char *path);
/* The k-th element of an array as a number; how many there are. */
size_t	doc_array(const struct doc *, const char *path);
bool	doc_element(const struct doc *, const char *path, size_t k, double *);
/* The k-th element of an array of strings, kept in the document's arena. */
const char *doc_element_string(struct doc *, const char *path, size_t k);
/* Members whose path begins so (up to a dot) move to another beginning, or
 * are copied where there is none of that name. */
int	doc_copy(struct doc *, const char *from, const char *to, bool over,
	    struct err *) APR_MUSTCHECK;
/* As transformers writes it: keys sorted, indented by two. */
int	doc_write(const struct doc *, struct buf *, struct err *) APR_MUSTCHECK;

#endif
