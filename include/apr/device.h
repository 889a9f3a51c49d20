/* SPDX-License-Identifier: MIT */
/*
 * device.h -- where a forward pass is computed: its memory, and what is done
 * to columns of floats there.
 *
 * A column is one token's vector; n of them lie `ld` floats apart.  Each
 * device gives the bits of the plain C in dot.h's and fmath.h's order, so
 * that code above does not know which one it has.
 *
 * Addresses in memory that a device gave may be counted with everywhere, and
 * followed by that device alone.  Weights keep the host's address as their
 * name, be there anything or not: place() makes room for the bytes there, and
 * operations then take any address among them.  They come through stage() and
 * send(), in whatever order, or by write().
 *
 * Operations are done in order, perhaps later.  One that fails is remembered:
 * read() waits for all and reports the first.
 */
#ifndef APR_DEVICE_H
#define APR_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/dot.h>
#include <apr/err.h>
#include <apr/type.h>

/* What the largest batch wants of a device besides memory that it asks for. */
struct device_need {
	size_t	 cols;		/* of the widest matrix */
	size_t	 fine;		/* of the widest that wants fine activations */
	size_t	 n;		/* columns at once */
	size_t	 experts;	/* products at once: 2 of them, or 3 */
	size_t	 used, inner, outer;	/* a mixture's: experts of a column, and
					 * the columns that they make and take */
	size_t	 head_dim;
	size_t	 result;	/* bytes, of result() */
	uint64_t types;		/* of weights: 1 << ggml's number */
	size_t	 rows, vocab;	/* of logits from which tokens are chosen */
	size_t	 n_head, n_ctx;	/* of attention; 0: it wants nothing more */
};
/* The larger of each. */
struct device_need device_need_both(const struct device_need *, const struct device_need *);

/* A device's memory, in bytes. */
struct device_room {
	uint64_t free;		/* when it was opened; 0: memory is the host's */
	uint64_t most;		/* in one piece */
	uint64_t taken;		/* so far */
	uint64_t extra;		/* that each piece takes besides its own */
};

/*
 * What will be taken, piece by piece, before any of it is: as much as really is
 * taken then.  RESERVE is what reserve() takes for the device's own use.
 */
enum device_part {
	DEVICE_WEIGHTS, DEVICE_KV, DEVICE_STATES, DEVICE_SCRATCH, DEVICE_RESERVE, DEVICE_PARTS
};
struct device_plan {
	const struct device *d;
	struct device_room room;
	uint64_t bytes[DEVICE_PARTS], total;
	/* The first piece that does not fit, and what was wanted before it. */
	enum device_part part;
	char	 piece[128];		/* "": all fit */
	uint64_t piece_bytes, before;
	bool	 large;			/* for one piece */
};
/* limit: no more than that is to be taken; 0: what is free. */
void	device_plan_begin(struct device_plan *, const struct device *, uint64_t limit);
void	device_plan_add(struct device_plan *, enum device_part, const char *what, uint64_t bytes);
/* What reserve() would take. */
void	device_plan_reserve(struct device_plan *, const struct device_need *);
/* An error that names the piece that does not fit, the bytes wanted and free. */
int	device_plan_fits(const struct device_plan *, struct err *) APR_MUSTCHECK;

/* Where a column belongs. */
struct device_at {
	uint32_t	 seq, pos;
};

/* Rows of a matrix by number, times scale, and of another by position, if it
 * has data; onto n columns that follow one another. */
struct device_embed {
	const struct mat *w, *pos;
	const int32_t	*id;		/* the device's */
	const struct device_at *at;	/* the batch, as batch() had it */
	float		 scale;
	float		*x;
};

/* y = w x + bias; bias may be NULL. */
struct device_product {
	const struct mat *w;
	const float	*bias, *x;
	size_t		 ldx, n;
	float		*y;
	size_t		 ldy;
};

/*
 * y = (x - mean) / sqrt(mean of squares + eps) * w + bias for each `len` of a
 * column's `width` floats; the mean is 0 unless `centered`, bias may be NULL.
 * y may be x.  Before that x += by * more, unless more is NULL.
 */
struct device_norm {
	const float	*w, *bias;
	float		*x, *y;
	size_t		 ldx, ldy, n, width, len;
	float		 eps;
	bool		 centered;
	const float	*more;
	size_t		 ldm;
	float		 by;
	/* The next operation takes y into a product with this, unless that is
	 * NULL; what comes of y does not depend on it. */
	const struct mat *next;
};

/* The 2 `half` floats of a head that turn: i with i + half, or 2 i with
 * 2 i + 1.  Tables have ldt floats a column. */
struct device_rope {
	size_t		 half;
	const float	*cos, *sin;
	size_t		 ldt;
	bool		 adjacent;
};

/* Keys and values: nseq x n_kv x n_ctx heads of head_bytes each. */
struct device_cache {
	unsigned char	*k, *v;
	const struct type *type;	/* F16, F32, Q8_0 */
	size_t		 n_kv, n_ctx, head_dim, head_bytes;
};

/*
 * What is done to the batch's queries, keys and values before attention: n_head
 * queries, `step` floats apart, and the keys turn, those that have a weight as
 * norms of each head first; then keys and values go to where they belong.
 */
struct device_remember {
	struct device_cache c;
	float		*q, *k, *v;
	size_t		 ld, n_head, step;
	const float	*q_norm, *k_norm;	/* head_dim, or NULL */
	float		 eps;
	struct device_rope turn;
};

/* Each query with the keys up to its own, the last `window` of them unless
 * that is 0: softmax of cap(scale q k), times values. */
struct device_attend {
	struct device_cache c;
	const float	*q;
	float		*out;
	size_t		 ldq, ldo, step;	/* from one query head to the next */
	size_t		 n_head;
	uint32_t	 window;
	float		 scale, cap;		/* 0: no cap */
};

/* y *= sigmoid(gate), head by head, whose steps are not the same. */
struct device_gate {
	float		*y;
	const float	*gate;
	size_t		 ldy, ldg, n, heads, head_dim, step;
};

/* y = act(gate) * y, or act(y) without gate. */
struct device_activate {
	float		*y;
	const float	*gate;
	size_t		 ld, n, width;
	enum kernel_curve curve;
	const struct mat *next;		/* as device_norm has it */
};

/* Columns by number: those that `from` has go to y, one behind the other. */
struct device_gather {
	float		*y;
	const float	*x;
	size_t		 ldy, ldx, n, width;
	const uint32_t	*from;		/* the device's, n */
};

/*
 * Softmax over what a router says, n columns of n_expert; the n_used largest of
 * each (of equals the first), in order of index, and their weights, which with
 * `norm` sum to 1.
 */
struct device_route {
	const float	*p;
	size_t		 n, n_expert, n_used;	/* 1024 experts at most */
	bool		 norm;
	uint32_t	*expert;	/* n x n_used */
	float		*weight;	/* n x n_used; 0 counts as not chosen */
};

/*
 * y = the sum of weight * down(act(gate x) * (up x)) over a column's experts,
 * in order of index, each one fmaf: what route() chose, in the device's memory,
 * which nobody has to know here.
 */
struct device_experts {
	const struct mat *gate, *up, *down;	/* n_expert each; see lacks_experts() */
	size_t		 n, n_expert, n_used;
	const uint32_t	*expert;
	const float	*weight;
	const float	*x;
	size_t		 ldx;
	float		*y;
	size_t		 ldy;
	enum kernel_curve curve;
	bool		 precise;
};

/*
 * Gated DeltaNet: columns x of 2 nk dk + nv dv channels; their convolution
 * with each sequence's past; heads of unit length; states that decay, are
 * corrected and read.
 */
struct device_delta {
	float		*x;
	size_t		 ld, n, n_conv, nk, nv, dk, dv;
	const float	*filter;	/* channels x n_conv, the oldest first */
	float		*past;		/* nseq x (n_conv - 1) x channels */
	float		*state;		/* nseq x nv x dk x dv */
	const float	*gates;		/* nv of decay, nv of correction a column */
	const float	*rate, *bias;	/* nv */
	float		*out;		/* nv dv a column */
	size_t		 ldg, ldo;
	bool		 mod;		/* value head p has key head p mod nk, else p div nv/nk */
};

/* What is said about a token: its logit is moved, and then made less likely
 * for having been seen at all, or so often among those that were made. */
struct device_mark {
	uint32_t	 id;
	float		 add;
	uint32_t	 seen, made;
};

/* How one token is chosen: see sample.h. */
struct device_choice {
	float		 temperature;
	uint32_t	 top_k;
	float		 top_p, min_p, typical, repetition, presence, frequency;
	uint64_t	 random;	/* any 64 bits, if there is a temperature */
	bool		 logprob;	/* wanted */
	struct device_mark *mark;	/* the host's; a token has one, or none */
	size_t		 nmark;
};
/* An id of -1 says that a logit is no number: that logit then. */
struct device_chosen {
	int32_t		 id;
	float		 logprob;
};
/* Rows of logits, which are changed, over scale and bent to below cap. */
struct device_sample {
	float		*logits;	/* n x n_vocab */
	size_t		 n, n_vocab;	/* up to 2^24 of them */
	float		 scale, cap;
	const struct device_choice *choice;	/* the host's, n; marks are changed */
};

struct device;

struct device_ops {
	void	(*close)(struct device *);
	void	(*room)(const struct device *, struct device_room *);
	/* Bytes that reserve() would take. */
	uint64_t (*scratch)(const struct device *, const struct device_need *);
	int	(*reserve)(struct device *, const struct device_need *, struct err *);

	/* Memory; its contents are anything. */
	void	*(*alloc)(struct device *, size_t bytes, struct err *);
	void	(*free)(struct device *, void *);
	/* Room for weights; once, however often. */
	int	(*place)(struct device *, const void *, size_t bytes, struct err *);
	/* For n of them, which follow one another there. */
	int	(*place_all)(struct device *, const void *const *, size_t n, size_t bytes,
		    struct err *);
	/* A buffer to read weights into, of *n bytes; NULL: something failed.  No
	 * such operation: weights are where their address says. */
	void	*(*stage)(struct device *, size_t *n, struct err *);
	/* Its first n bytes to an address among what was placed; the buffer is
	 * the device's again. */
	void	(*send)(struct device *, const void *to, size_t n);
	/* Until all is done; the first error. */
	int	(*wait)(struct device *, struct err *);
	/* What keeps it from multiplying this, for a message; NULL: nothing. */
	const char *(*lacks)(const struct device *, const struct mat *, bool precise);
	/* And from taking these n as experts of one mixture. */
	const char *(*lacks_experts)(const struct device *, const struct mat *, size_t n);
	void	(*write)(struct device *, void *to, const void *from, size_t bytes);
	int	(*read)(struct device *, void *to, const void *from, size_t bytes, struct err *);
	/* Where to compute what read() then brings to `host`: memory of the
	 * device's own that is kept, or that address itself. */
	void	*(*result)(struct device *, void *host, size_t bytes, struct err *);
	void	(*copy)(struct device *, void *to, const void *from, size_t bytes);
	/* n runs of bytes, ld bytes apart. */
	void	(*zero)(struct device *, void *, size_t bytes, size_t n, size_t ld);

	/* n columns from here on are these; good until the next batch. */
	void	(*batch)(struct device *, const struct device_at *, size_t n);
	void	(*embed)(struct device *, const struct device_embed *);
	/* Many at once; what is one x stands together. */
	void	(*multiply)(struct device *, const struct device_product *, size_t n, bool precise);
	void	(*norm)(struct device *, const struct device_norm *);
	void	(*remember)(struct device *, const struct device_remember *);
	void	(*attend)(struct device *, const struct device_attend *);
	void	(*gate)(struct device *, const struct device_gate *);
	void	(*activate)(struct device *, const struct device_activate *);
	/* y += x * by */
	void	(*add)(struct device *, float *y, size_t ldy, const float *x, size_t ldx, float by,
		    size_t width, size_t n);
	void	(*gather)(struct device *, const struct device_gather *);
	void	(*route)(struct device *, const struct device_route *);
	void	(*experts)(struct device *, const struct device_experts *);
	void	(*delta)(struct device *, const struct device_delta *);
	/* What sample() will want of n rows, said before the pass that makes
	 * them, which then is not interrupted; logits are not looked at. */
	int	(*choices)(struct device *, const struct device_sample *, struct err *);
	/* A token from each row: waits for it, as read() does. */
	int	(*sample)(struct device *, const struct device_sample *,
		    struct device_chosen *, struct err *);
};

struct device {
	const struct device_ops	*op;
	const char		*name;		/* "cpu" */
};

/* A kind of device. */
struct device_kind {
	const char	*name;
	/* Up to `jobs` threads, where that is the host's to say. */
	struct device	*(*open)(unsigned jobs, struct err *);
	/* What there is, or why there is nothing: lines for people. */
	void		(*list)(void (*line)(const char *));
};
extern const struct device_kind device_cpu, device_opencl, device_cuda;
extern const struct device_kind *const device_kinds[];	/* NULL at the end */

/* name: NULL is the CPU. */
struct device *device_open(const char *name, unsigned jobs, struct err *);
void	device_close(struct device *);

#endif
