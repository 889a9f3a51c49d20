/* SPDX-License-Identifier: MIT */
/* readme.h -- the front matter of a model card, as far as GGUF wants it. */
#ifndef ARCH_README_H
#define ARCH_README_H

#include <stddef.h>

#include <apr/buf.h>

struct card_item {
	const char	*key, *value;	/* one each element of a list */
};

/* Zero-initialise; card_release() frees. */
struct card {
	struct arena	 arena;
	struct card_item *item;	size_t n;
};

/* Plain keys with scalars and lists; what is nested is passed over. */
int	card_read(struct card *, const char *text, size_t n, struct err *) APR_MUSTCHECK;
void	card_release(struct card *);
/* The k-th value of a key, or NULL. */
const char *card_find(const struct card *, const char *key, size_t k);

#endif
