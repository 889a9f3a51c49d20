/* SPDX-License-Identifier: MIT */
/* gguf.h -- what gguf.c, gguf_kv.c (reading) and gguf_write.c share. */
#ifndef FILE_GGUF_H
#define FILE_GGUF_H

#include <apr/file.h>

#define GGUF_VERSION	3		/* written; 2 is read as well */
#define GGUF_ALIGN	32		/* without general.alignment */
#define GGUF_ALIGN_MIN	8
#define GGUF_ALIGN_MAX	65536
#define GGUF_DIMS	4
#define GGUF_NAME	64		/* bytes of a tensor's name, read */
#define GGUF_NAME_OUT	63		/* written: what ggml reads */
#define GGUF_KEY	65535		/* bytes of a key */
#define GGUF_KEYS	((uint64_t)1 << 20)

/* Types of values, as files number them. */
enum gguf_type {
	GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32,
	GGUF_BOOL, GGUF_STRING, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64,
	GGUF_TYPES
};

/* Bytes of a value; 0: it says its length itself. */
extern const unsigned char gguf_size[GGUF_TYPES];
extern const char *const gguf_type_name[GGUF_TYPES];

struct gguf_kv {
	const char	*key;		/* in the arena */
	size_t		 from, len;	/* key, type and value, in raw */
};

/* A header's priv. */
struct gguf {
	struct arena	 arena;
	uint32_t	 version;
	uint32_t	 align;
	struct gguf_kv	*kv;		size_t nkv;
};

struct gguf_reader {
	struct in	*in;
	struct header	*h;
	struct gguf	*g;		/* h->priv */
	struct view	*view;		/* NULL: nobody wants it */
	struct buf	 text;		/* a value as text */
	uint64_t	 ntensor, nkv;	/* declared */
};

bool	gguf_align_ok(uint32_t);

/* gguf_kv.c.  The next n bytes, good until the next call, or NULL. */
const unsigned char *gguf_take(struct gguf_reader *, uint64_t n, struct err *);
int	gguf_take_u32(struct gguf_reader *, uint32_t *, struct err *);
int	gguf_take_u64(struct gguf_reader *, uint64_t *, struct err *);
/* A name: length and as many bytes of UTF-8 without NULs, at most max. */
const char *gguf_take_name(struct gguf_reader *, uint64_t max, uint64_t *len,
	    struct err *);
/* All nkv of them, and m->metadata if there is none. */
int	gguf_read_kvs(struct gguf_reader *, struct err *);

/* gguf_set.c */
void	gguf_put_u32(struct buf *, uint32_t);
void	gguf_put_u64(struct buf *, uint64_t);
void	gguf_put_string(struct buf *, const char *, size_t);
/* Key, type and value, which begins at *val. */
int	gguf_put_set(struct buf *, const struct mset *, size_t *val,
	    struct err *);

/* gguf_json.c.  The i-th key's type (u32) and value, in the header. */
const unsigned char *gguf_kv_value(const struct header *, size_t i, size_t *n);
/* A header's keys as JSON; those that `elsewhere` claims are only named. */
int	gguf_put_json(const struct header *, bool (*elsewhere)(void *, const char *key),
	    void *, struct buf *, struct err *);
/* From an .apr's metadata, JSON: the keys' bytes onto out, counted in *nkv
 * (nothing if it has none); fill() writes what was only named. */
int	gguf_from_json(const void *, size_t, int (*fill)(void *, const char *key,
	    struct buf *, uint64_t *nkv, struct err *), void *, struct buf *out,
	    uint64_t *nkv, struct err *);

/* gguf_write.c */
int	gguf_holds(const struct tensor *, struct err *);
int	gguf_layout(const struct layout_in *, struct layout *, struct err *);
bool	gguf_has_key(const char *);

#endif
