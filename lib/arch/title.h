/* SPDX-License-Identifier: MIT */
/* title.h -- what a model's name says: the rules of gguf-py. */
#ifndef ARCH_TITLE_H
#define ARCH_TITLE_H

#include <stdint.h>

#include <apr/buf.h>

/* "Org/qwen2-odd" taken apart; empty: there is none. */
struct title {
	struct buf	org, full;	/* Org; qwen2-odd */
	struct buf	name;		/* Qwen2 Odd */
	struct buf	basename, finetune, version, size;
};

/* weights: how many the model has, against which a size is held; 0: any. */
int	title_read(struct title *, const char *id, uint64_t weights, struct err *)
	    APR_MUSTCHECK;
void	title_release(struct title *);
/* qwen2-odd as Qwen2 Odd, onto b. */
void	title_words(struct buf *b, const char *, size_t n);

#endif
