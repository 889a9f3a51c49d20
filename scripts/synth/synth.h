/* SPDX-License-Identifier: MIT */
/* synth.h -- what the parts of mk-synth share. */
#ifndef SYNTH_H
#define SYNTH_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "apr/type.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little endian only");

enum { APR, GGUF, ST, DIR };			/* kinds of output */

/* What a tensor of the tables needs of the shape. */
enum {
	BIAS = 1, QKNORM = 2, DENSE = 4, MOE = 8, UNTIED = 16,
	EXPERT = 32, LAYER = 64, CONV = 128,	/* one each; [in, out] in HF */
	NEEDS = BIAS | QKNORM | DENSE | MOE | UNTIED
};

enum dim { NONE, HID, HID3, Q, KV, HD, FFN, VOC, CTX, EXP, MFF };

struct part {
	const char	*hf, *apr, *gguf;	/* "" as hf, NULL not there */
	enum dim	 rows, cols;		/* # is the layer, @ the expert */
	unsigned	 flags;
};

struct shape {
	const char	*name, *arch, *model_type, *class;
	const struct part *parts;
	uint64_t	 layers, hidden, heads, kv, head_dim, ffn, vocab, ctx;
	uint64_t	 experts, used, moe_ffn;
	double		 theta, eps;
	unsigned	 flags;
};

extern const struct part synth_gpt2[], synth_one[];
extern struct shape shapes[];
extern const size_t nshapes;

/* What each format calls a member of struct shape; zeros are left out. */
struct field {
	const char	*names[4];		/* apr, gguf, HF, HF of gpt2 */
	size_t		 at;
};
extern const struct field fields[];
extern const size_t nfields;
uint64_t	value(const struct shape *s, const struct field *f, int column);
void	json_fields(FILE *f, const struct shape *s, int column, const char *eps);

/* The command line. */
struct options {
	const struct type *type;
	const char	*keep[16];		/* globs: these are F32 */
	unsigned	 nkeep;
	uint64_t	 seed, tokenizer, shards, rows, cols;
	const struct shape *walk;		/* its shape, or NULL */
	bool		 sparse, check, mix, no_vocab;
};
extern struct options opt;

_Noreturn void die(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void *check_alloc(void *p);

enum { POOL = 65536, CHUNK = 1 << 20 };
/* 65536 random elements of a type: blocks to deal out at random. */
struct pool {
	const struct type *type;
	bool		 norm;			/* around 1, not 0 */
	unsigned	 mask;
	float		 scale;			/* of TYPE_WHOLE */
	uint8_t		*data;
};
extern const struct type plain[];
#define F32 (&plain[0])
#define F16 (&plain[1])
uint64_t	mix(uint64_t *s);
int	apr_code(const struct type *t);
const struct type *type_named(const char *s);
const struct pool *pool_of(const struct type *t, bool norm);
void	deal(uint8_t *dst, size_t n, const struct pool *p, uint64_t *state);

struct out {
	char		*path;
	int		 fd;
	bool		 want_crc;
	uint64_t	 off;
	uint32_t	 crc;
};
extern uint64_t written;			/* bytes in all files */
/* A head is put together in memory. */
struct mem {
	FILE	*f;
	char	*buf;
	size_t	 len;
};
void	out_open(struct out *o, const char *dir, const char *name, bool want_crc);
void	put(struct out *o, const void *buf, uint64_t n);
void	hole(struct out *o, uint64_t n);
void	pad(struct out *o, uint64_t align);
void	out_close(struct out *o);
FILE	*mem_open(struct mem *m);
void	mem_put(struct mem *m, struct out *o);
void	le(FILE *f, uint64_t v, unsigned bytes);

struct tensor {
	char		*name;
	const struct part *part;
	const struct type *type;
	uint64_t	 layer, expert, parts;	/* parts: experts in a stack */
	uint64_t	 dim[3], row, bytes, off, shard;
	unsigned	 ndim;
};
extern struct tensor *tensors;
extern size_t ntensors;
extern uint64_t weights, payload;
char *expand(const char *s, uint64_t layer, uint64_t expert);
void	add_all(const struct shape *s, int kind);
int	by_name(const void *a, const void *b);
int	by_shard(const void *a, const void *b);
void	place(struct tensor *t, size_t n, uint64_t align);

/* data.c: what is in them; put_data() pads each to align. */
void	put_data(struct out *o, const struct tensor *t, size_t n, uint64_t align);

/* A file each. */
void	write_apr(const struct shape *s, const char *path);
void	write_gguf(const struct shape *s, const char *path);
size_t	token_width(const struct shape *s, size_t extra);
void	token(FILE *f, uint64_t i, size_t width);
void	put_tokenizer_json(const struct shape *s, const char *dir);
void	write_st(const char *dir, const char *name, struct tensor *t, size_t n);
void	write_dir(const struct shape *s, const char *dir);

#endif
