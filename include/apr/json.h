/* SPDX-License-Identifier: MIT */
/*
 * json.h -- JSON in pieces: events in, never a document tree.  (The parser
 * is yajl; this is where depth, and the piecewise use, are fixed.)
 */
#ifndef APR_JSON_H
#define APR_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/buf.h>
#include <apr/err.h>

#define JSON_DEPTH	64

enum json_ev {
	JSON_NULL, JSON_TRUE, JSON_FALSE,
	JSON_NUMBER,		/* s, n: the number's own text */
	JSON_STRING,		/* s, n: UTF-8, may hold NULs */
	JSON_OBJECT, JSON_KEY, JSON_OBJECT_END,
	JSON_ARRAY, JSON_ARRAY_END,
};

/* 0 to go on, -1 to stop with *e set. */
typedef int (*json_fn)(void *ctx, enum json_ev, const char *s, size_t n,
    struct err *e);

struct json;

/* `what` stands before messages: "manifest.json", "header". */
struct json *json_new(const char *what, json_fn, void *ctx, struct err *);
int	json_feed(struct json *, const void *, size_t, struct err *) APR_MUSTCHECK;
int	json_end(struct json *, struct err *) APR_MUSTCHECK;
void	json_free(struct json *);
/* All of it at once. */
int	json_text(const char *what, const void *, size_t, json_fn, void *ctx,
	    struct err *) APR_MUSTCHECK;

/* Writes events as compact JSON.  Zero-initialise, set out. */
struct json_writer {
	struct buf	*out;
	int		 depth;
	bool		 comma, key;
};
int	json_write(void *writer, enum json_ev, const char *, size_t, struct err *);

/* A number's text as a non-negative integer; false if it is not one. */
bool	json_u64(const char *, size_t, uint64_t *);

/*
 * A view: the events as compact JSON in which arrays of more than 64
 * elements (but for one number a layer), inner objects of more than 256
 * members and strings over 4 KiB stand as {"count": N}.
 */
struct view;
struct view *view_new(struct err *);
int	view_event(void *view, enum json_ev, const char *, size_t, struct err *);
/* The text, valid until view_free(). */
const char *view_text(struct view *, struct err *);
void	view_free(struct view *);

#endif
