/* SPDX-License-Identifier: MIT */
/*
 * chat.h -- the part of Jinja that chat templates are written in: values,
 * expressions, statements.  Nothing in it reads files or runs code; time,
 * memory and depth have bounds.  Private to lib/token.
 */
#ifndef TOKEN_CHAT_H
#define TOKEN_CHAT_H

#include <apr/token.h>

enum {
	CHAT_STEPS = 4000000,		/* values looked at, */
	CHAT_ROUND = 32,		/* and a loop's round counts as so many: its
					   variables take a KiB */
	CHAT_BYTES = 256,		/* and so many bytes looked at as one */
	CHAT_OUT = 16 << 20,		/* bytes of text */
	CHAT_MEMORY = 256 << 20,	/* of all values that there ever were */
	CHAT_DEPTH = 64, CHAT_NAMES = 256,
	CHAT_ARGS = 4			/* of a call */
};

enum chat_type { CHAT_NOTHING, CHAT_NONE, CHAT_BOOL, CHAT_INT, CHAT_STR, CHAT_LIST, CHAT_MAP };

/* Strings and lists live in the run's arena and never change, but for a
 * namespace's members. */
struct value {
	enum chat_type	 type;
	long long	 i;
	const char	*s;		/* a string, n bytes */
	size_t		 n;		/* of a list or map too */
	struct item	*item;
	struct value	*box;		/* a namespace: the map to change */
};
struct item {
	struct value	 key, v;
};

struct scope {
	const char	*name;
	size_t		 n;
	struct value	 v;
};

struct chat {
	struct arena	 arena;
	const char	*begin, *p, *end;	/* of the template */
	struct buf	*out;
	struct scope	 var[CHAT_NAMES];
	size_t		 nvar, base;	/* names of the innermost loop from base on */
	long		 steps;
	size_t		 memory;	/* bytes; both are looked at when there is time */
	int		 depth;
	bool		 live;		/* else only looked over */
	bool		 no_if;		/* the next expression ends before `if` */
	struct err	*e;
};

/* Where in the template, and why; returns -1. */
int	chat_bad(struct chat *, const char *fmt, ...) APR_PRINTF(2, 3);
/* 0, or -1: too many steps, or too much memory. */
int	chat_bounds(struct chat *);

/* chat_value.c */
struct value chat_str(struct chat *, const char *, size_t);
struct value chat_int(long long);
struct value chat_bool(bool);
bool	chat_true(const struct value *);
/* Those that are too deep count as steps beyond the bound. */
bool	chat_equal(struct chat *, const struct value *, const struct value *);
/* A member of a map, or NULL. */
const struct value *chat_get(const struct value *, const char *, size_t);
int	chat_put(struct chat *, struct value *map, struct value key, struct value v);
int	chat_push(struct chat *, struct value *list, struct value v);
/* The text gathered in a buffer, which it releases. */
struct value chat_take(struct chat *, struct buf *);
/* As print has it, and as JSON (indent < 0: on one line); bad: too large, or
 * too deep, as a namespace that contains itself is. */
void	chat_print(const struct value *, struct buf *);
void	chat_json(const struct value *, struct buf *, int indent, int level);
int	chat_read(struct chat *, const char *json, size_t n, struct value *);

/* Names, the innermost loop's first. */
struct scope *chat_find(struct chat *, const char *, size_t);
int	chat_set(struct chat *, const char *, size_t, struct value);

/* chat_word.c: what stands at p, consumed if it is there. */
void	chat_blanks(struct chat *);
bool	chat_word(struct chat *, const char *word);
bool	chat_mark(struct chat *, const char *mark);
bool	chat_name(struct chat *, const char **, size_t *);
int	chat_text(struct chat *, char quote, struct value *);	/* behind the quote */
/* Is a name that word? */
bool	chat_is(const char *, size_t, const char *word);

/* chat_apply.c: a value's method, or a filter of the same name. */
struct chat_args {
	struct value	 v[CHAT_ARGS];
	const char	*name[CHAT_ARGS];	/* or NULL */
	size_t		 len[CHAT_ARGS], n;
};
int	chat_apply(struct chat *, const char *, size_t, struct value *, const struct chat_args *);

/* chat_operand.c: one value, with its .a, [b], calls and filters. */
int	chat_operand(struct chat *, struct value *);

/* chat_expr.c: one expression at p. */
int	chat_expr(struct chat *, struct value *);

#endif
