/* SPDX-License-Identifier: MIT */
/* infer.h -- what the modes of apr-infer share. */
#ifndef TOOL_INFER_H
#define TOOL_INFER_H

#include <apr/device.h>
#include <apr/infer.h>
#include <apr/model.h>
#include <apr/sample.h>
#include <apr/token.h>

#include "tool.h"

struct run {
	/* What the command line said. */
	const char		*path, *prompt, *ids, *chat_template, *trace;
	const char		*device_name;	/* NULL: cpu */
	struct infer_opts	 o;
	struct sample_opts	 s;
	unsigned		 n, jobs, lookup;	/* tokens to make */
	unsigned		 flags;		/* TOKEN_NO_BOS, TOKEN_NO_SPECIAL */
	const char		*stop[16];
	size_t			 nstop;
	bool			 json, timing, logits, show_special;
	bool			 dump;		/* --dump-weights */
	uint64_t		 memory;	/* --memory; 0: what the system has */

	struct weights		*w;
	struct model		*m;
	struct device		*device;
	struct infer		*infer;
	struct vocab		*vocab;		/* NULL: none, or not wanted */
	struct tokenizer	*tk;
	double			 start, load;	/* when it began, seconds until it was there */
	double			 load_bytes, load_s;	/* weights, and how long they took */
};

/* infer_open.c: everything that the mode wants, or die. */
void	run_open(struct run *, bool text);
void	run_close(struct run *);

/* infer_plan.c: the sizes, as a table; exit status. */
int	run_plan(struct run *);
/* The context for o, if there is room for all, and then the weights. */
void	run_context(struct run *);
double	run_clock(void);		/* seconds, of no particular beginning */
/* The object of that name: seconds to the first token and to the last, and what
 * memory the process had at its most. */
void	run_timing(struct buf *, size_t prompt_tokens, double first, double total);
/* "5,17,2" or blanks between. */
void	run_ids(const char *text, struct ids *);

/* An answer as it grows: text up to a stop string. */
struct answer {
	struct detokenizer	*d;
	struct buf		 text;
	size_t			 shown;		/* bytes that are the caller's */
	bool			 stopped;
	struct ids		 ids;
};
void	answer_begin(struct run *, struct answer *);
/* 1: go on; 0: a stop string or an end token. */
int	answer_add(struct run *, struct answer *, int32_t id, struct err *);
/* What may be shown now: a stop string might have begun behind it. */
size_t	answer_safe(const struct run *, const struct answer *);
void	answer_end(struct run *, struct answer *);
void	answer_release(struct answer *);

/* infer_device.c: a kind of device by its name, or usage(); and what there is. */
const char *run_device(const char *arg);
void	run_devices(void);

/* The tokens of --ids, -p or standard input. */
void	prompt_ids(struct run *, struct ids *);

/* The modes; each returns the exit status. */
int	run_prompt(struct run *);
int	run_stream(struct run *);	/* --logits, --trace */
int	run_jsonl(struct run *);
int	run_chat(struct run *);
int	run_ppl(struct run *, const char *path);
/* Prompts of 512 and, where it is more, of as many positions as were asked for,
 * 0: none were; up to so many sequences at once. */
int	run_bench(struct run *, unsigned positions, unsigned sequences);
int	run_dump(struct run *);		/* --dump-weights */

#endif
