/* SPDX-License-Identifier: MIT */
/* parse.h -- a module's text as it is read; between parse.c, which knows its
 * form, and decode.c, which knows instructions. */
#ifndef STUB_PARSE_H
#define STUB_PARSE_H

#include <setjmp.h>

#include "ptx.h"

enum { SCOPES = 16, OPERAND_LIST = 8, OPERANDS_READ = 8 };

struct name {
	const char	*p;
	size_t		 n;
};

/* Of bits: 'b' any, 'i' integers, 'f' floats, 'p' a predicate. */
struct kind {
	char		 of;
	uint8_t		 bits;
};

enum operand_is { NOTHING, REGISTER, NUMBER, SYMBOL, ADDRESS, LIST, SINK };
struct operand {
	enum operand_is	 is;
	struct kind	 kind;		/* a register's, or 'i', 'f' of a number */
	int32_t		 at;		/* a register, or an address's base; -1: none */
	uint64_t	 v;		/* a number (a float's bits), an address's rest */
	bool		 not;		/* ! */
	bool		 dynamic;	/* v is where shared memory of the launch begins */
	enum ptx_space	 space;		/* of a symbol */
	struct operand	*part;		/* of a list, or p of p|q; q is the operand's `other` */
	struct operand	*other;
	unsigned	 parts;
};

struct ptx_symbol {
	struct name	 name;
	enum ptx_space	 space;
	uint64_t	 address;
	size_t		 bytes;
	uint32_t	 align;
	bool		 dynamic;
	unsigned	 scope;
	const struct ptx_function *user;	/* of shared memory: who has put it where */
};

struct declared {
	struct name	 name;
	uint32_t	 n;		/* NAME0 .. ; 0: itself */
	struct kind	 kind;
	int32_t		 at;
	unsigned	 scope;
};

struct label {
	struct name	 name;
	unsigned	 scope;
	uint32_t	 at;
};

struct parser {
	const char	*p;
	uint32_t	 line;
	struct ptx_module *m;
	struct ptx_function *f;
	struct declared	*declared;
	uint32_t	 declareds;
	struct label	*label, *jump;	/* a jump's `at` is the instruction */
	uint32_t	 labels, jumps;
	unsigned	 scope[SCOPES], depth, scopes;
	unsigned	*parent;	/* by scope */
	int32_t		*dynamic;	/* constants that get the end of static shared memory */
	uint32_t	 dynamics;
	struct operand	 pool[64];
	unsigned	 pooled;
	unsigned	 arch;
	int		 status;
	char		*why;
	size_t		 room;
	jmp_buf		 out;
};

/* Ends the parsing: a status, and the line with why. */
_Noreturn void parse_fail(struct parser *, int status, const char *format, ...);
/* A register that holds a value, or a special one. */
int32_t	parse_constant(struct parser *, enum ptx_fill, uint64_t);
/* Adds an instruction. */
struct ins *parse_add(struct parser *);
/* What grows one by one. */
void	*parse_grow(struct parser *, void *, uint32_t have, size_t size);
bool	parse_same(struct name, const char *);

/* An instruction's name has been read, and its operands. */
void	decode(struct parser *, struct name, struct operand *, unsigned n, int32_t guard, bool unless);

#endif
