/* SPDX-License-Identifier: MIT */
/*
 * convert.c -- tensors from one type to another, in pieces.
 *
 * One thread reads chunks and writes results, in the stream's order; workers
 * turn one into the other.  A chunk is whole rows, or, where rows are long or
 * blocks run over their ends, whole blocks of both types: so what a worker
 * sees never changes a block's bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/json.h>
#include <apr/pool.h>
#include <apr/quant.h>
#include <apr/size.h>

enum { TILE = 4096, HEAD = 4 };		/* f32 at a time; apr_q8's scale */

struct job {
	const struct tensor	*t;
	const struct type	*from, *to;	/* to NULL: only measure */
	enum effort		 effort;
	unsigned char		*src, *dst;
	size_t			 src_cap, dst_cap, head, dst_len;
	size_t			 rows, len;	/* len elements in each row */
	size_t			 src_row, dst_row;	/* bytes */
	uint64_t		 at;		/* element where it begins */
	float			 scale_in, scale_out;
	bool			 first, last;
	float			 max;		/* |x| */
	uint64_t		 tiny;
	bool			 failed;
	struct err		 err;
	float			 tile[TILE];
};

struct convert {
	struct stream_in	*in;
	struct stream_out	*out;
	struct pool		*pool;
	struct job		**job;
	size_t			 njob, next;
	enum effort		 effort;
	size_t			 budget;	/* bytes of a chunk, either side */
	uint64_t		 chunk_rows;	/* for tests; 0 */
	uint64_t		 tiny;
	void			(*progress)(uint64_t);

	/* The tensor being read. */
	const struct tensor	*t;
	const struct quant_from	*from;
	float			 scale_in, scale_out;
	float			 max, want_max;	/* measured; to be met, or < 0 */
	int			 spill;		/* fd, or -1 */
	bool			 spilling;	/* into it, else from it */

	/* Source blocks that do not end where the target's chunks end are
	 * decoded while reading. */
	bool			 loose;
	uint64_t		 row_left, all_left;
	size_t			 have, used;	/* of held */
	unsigned char		 block[TILE * 8];
	float			 held[TILE];
};

/* Bytes of a type's blocks for n elements, the last block whole. */
static uint64_t
bytes_of(const struct type *t, uint64_t n)
{
	return (n / t->block + (n % t->block != 0)) * t->bytes;
}

static size_t
whole(const struct type *t, size_t n)
{
	return (n + t->block - 1) / t->block * t->block;
}

static size_t
common(size_t a, size_t b)
{
	size_t x = a, y = b, r;

	while (y) {
		r = x % y;
		x = y;
		y = r;
	}
	return a / x * b;
}

static void
decode(const struct type *t, float *dst, const unsigned char *src, size_t n, float scale)
{
	if (t->flags & TYPE_WHOLE)
		type_q8_decoder()(dst, (const int8_t *)src, n, scale);
	else
		type_decoder(t)(dst, src, whole(t, n));
}

static int
bad_value(struct job *j, float v, uint64_t at)
{
	const struct tensor *t = j->t;
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1;

	j->failed = true;
	if (isfinite(v))
		return err_set(&j->err, "%s: %g at index %" PRIu64 " (row %" PRIu64
		    ", column %" PRIu64 ") does not fit %s", t->name, (double)v, at,
		    at / cols, at % cols, j->to->name);
	return err_set(&j->err, "%s: %s at index %" PRIu64 " (row %" PRIu64 ", column %"
	    PRIu64 ")", t->name, isnan(v) ? "NaN" : v > 0 ? "Inf" : "-Inf", at, at / cols,
	    at % cols);
}

/* Plain floats carry NaN and Inf on; nothing else can. */
static int
check(struct job *j, const float *x, size_t n, uint64_t at)
{
	bool f16 = j->to == &type_f16;
	float max = j->max, most;

	if (!f16 && j->to && (j->to->flags & TYPE_PLAIN))
		return 0;
	most = type_absmax(x, n);
	if (most < (f16 ? 65520 : INFINITY)) {
		j->max = most > max ? most : max;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		float a = fabsf(x[i]);

		if (f16 ? a >= 65520 && a < INFINITY : !(a < INFINITY))
			return bad_value(j, x[i], at + i);
		if (a > max)
			max = a;
	}
	j->max = max;
	return 0;
}

static bool
is_tiny(const unsigned char *half)
{
	return (le16_get(half) & 0x7c00) == 0;
}

/* Blocks of values whose scale is no normal f16: their digits are lost. */
static uint64_t
count_tiny(const struct type *t, const unsigned char *p, const float *x, size_t n)
{
	uint64_t count = 0;
	size_t d, min = 0;

	switch (t->ggml) {
	case 10: d = 80; min = 82; break;		/* Q2_K */
	case 11: d = 108; break;			/* Q3_K */
	case 12: case 13: d = 0; min = 2; break;	/* Q4_K, Q5_K */
	case 14: d = 208; break;			/* Q6_K */
	case 23: d = 0; break;				/* IQ4_XS */
	default: return 0;
	}
	for (; n > 0; n -= t->block, p += t->bytes, x += t->block) {
		if (!is_tiny(p + d))
			continue;
		/* A scale of exactly 0 is right where all values are equal. */
		if (min && !(le16_get(p + d) & 0x7fff) && !is_tiny(p + min))
			continue;
		for (size_t i = 0; i < t->block; i++)
			if (x[i] != 0) {
				count++;
				break;
			}
	}
	return count;
}

/* The values' scale must have fitted its f16. */
static int
check_fit(struct job *j, const unsigned char *p, const float *x, size_t n, uint64_t at)
{
	float y[TILE];
	size_t k;

	type_decoder(j->to)(y, p, whole(j->to, n));
	for (size_t i = 0; i < n; i++)
		if (!isfinite(y[i])) {
			/* Its block's largest is to blame. */
			i -= i % j->to->block;
			for (k = i; i < n && i / j->to->block == k / j->to->block; i++)
				if (fabsf(x[i]) > fabsf(x[k]))
					k = i;
			return bad_value(j, x[k], at + k);
		}
	return 0;
}

static int
encode(struct job *j, unsigned char *dst, float *x, size_t n, uint64_t at)
{
	const struct type *t = j->to;
	size_t k = n;

	if (t->flags & TYPE_WHOLE) {
		type_q8_encoder()((int8_t *)dst, x, n, j->scale_out);
		return 0;
	}
	if (!(t->flags & TYPE_FLAT)) {
		k = whole(t, n);
		memset(x + n, 0, (k - n) * sizeof *x);
	}
	type_encoder(t, j->effort)(dst, x, k, NULL);
	if (t->flags & TYPE_PLAIN)
		return 0;
	j->tiny += count_tiny(t, dst, x, k);
	/* No block type's scale is larger than its largest value. */
	return j->max >= 60000 ? check_fit(j, dst, x, n, at) : 0;
}

static void
work(void *arg)
{
	struct job *j = arg;
	size_t step = common(j->from->block, j->to ? j->to->block : 1);
	size_t tile = TILE / step * step;

	for (size_t r = 0; r < j->rows; r++) {
		const unsigned char *src = j->src + r * j->src_row;
		unsigned char *dst = j->to ? j->dst + j->head + r * j->dst_row : NULL;

		for (size_t i = 0, n; i < j->len; i += n) {
			uint64_t at = j->at + r * j->len + i;

			n = j->len - i < tile ? j->len - i : tile;
			decode(j->from, j->tile, src + i / j->from->block * j->from->bytes,
			    n, j->scale_in);
			if (check(j, j->tile, n, at) < 0)
				return;
			if (j->to && encode(j, dst + i / j->to->block * j->to->bytes,
			    j->tile, n, at) < 0)
				return;
		}
	}
}

/* The oldest job's result to its place; 1, 0 if there was none, -1. */
static int
drain_one(struct convert *c, struct err *e)
{
	struct job *j = pool_get(c->pool);

	if (!j)
		return 0;
	if (j->failed) {
		*e = j->err;
		return -1;
	}
	c->tiny += j->tiny;
	c->max = j->first || j->max > c->max ? j->max : c->max;
	if (!j->to)
		return 1;
	if (j->first && stream_member(c->out, MEMBER_TENSOR, j->t->name, j->t->bytes, e) < 0)
		return -1;
	if (stream_write(c->out, j->dst, j->dst_len, e) < 0)
		return -1;
	if (j->last && c->want_max >= 0 && c->max != c->want_max)
		return err_set(e, "%s: the largest |x| is %.9g, the manifest's absmax says %.9g",
		    j->t->name, (double)c->max, (double)c->want_max);
	return 1;
}

static int
drain(struct convert *c, struct err *e)
{
	int r;

	while ((r = drain_one(c, e)) > 0)
		;
	return r;
}

static int
spill_write(int fd, const unsigned char *p, size_t n, struct err *e)
{
	return io_write(fd, p, n, e) < 0 ? err_prefix(e, "$TMPDIR") : 0;
}

/* Source bytes as they are: from the stream, or from what was spilled. */
static int
raw(struct convert *c, void *dst, size_t n, struct err *e)
{
	unsigned char *p = dst;

	if (c->spill < 0 || c->spilling) {
		if (stream_read(c->in, dst, n, e) < 0)
			return -1;
		if (c->progress)
			c->progress(n);
		return c->spill < 0 ? 0 : spill_write(c->spill, dst, n, e);
	}
	while (n > 0) {
		ssize_t k = read(c->spill, p, n);

		if (k == 0)
			return err_set(e, "%s: its spilled copy is too short", c->t->name);
		if (k < 0 && errno != EINTR)
			return err_sys(e, "%s: reading its spilled copy", c->t->name);
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
	return 0;
}

/* The next elements of a loose source into held: a tile, or a row's end. */
static int
hold(struct convert *c, struct err *e)
{
	const struct type *t = c->from->type;
	uint64_t cols = c->from->row_bytes ? c->t->dim[c->t->ndim - 1] : c->t->n;
	size_t n;

	if (c->row_left == 0)
		c->row_left = cols;
	n = c->row_left < TILE ? (size_t)c->row_left : TILE;
	if (raw(c, c->block, (size_t)bytes_of(t, n), e) < 0)
		return -1;
	decode(t, c->held, c->block, n, c->scale_in);
	c->row_left -= n;
	c->have = n;
	c->used = 0;
	return 0;
}

static int
fetch(struct convert *c, unsigned char *dst, size_t n, struct err *e)
{
	if (!c->loose)
		return raw(c, dst, n, e);
	for (size_t k; n > 0; dst += k * 4, n -= k * 4) {
		if (c->used == c->have && hold(c, e) < 0)
			return -1;
		k = n / 4 < c->have - c->used ? n / 4 : c->have - c->used;
		type_f32.from_f32(dst, c->held + c->used, k, NULL);
		c->used += k;
	}
	return 0;
}

static int
grow(unsigned char **p, size_t *cap, uint64_t n, struct err *e)
{
	unsigned char *q;

	if (n <= *cap)
		return 0;
	if (n > SIZE_MAX / 2 || !(q = realloc(*p, (size_t)n)))
		return err_set(e, "out of memory");
	*p = q;
	*cap = (size_t)n;
	return 0;
}

/* Read a chunk and hand it to the workers. */
static int
put(struct convert *c, const struct type *from, const struct type *to, uint64_t at,
    uint64_t rows, uint64_t len, struct err *e)
{
	struct job *j = c->job[c->next];
	uint64_t src_row = bytes_of(from, len), dst_row = to ? bytes_of(to, len) : 0;

	if (pool_full(c->pool) && drain_one(c, e) < 0)
		return -1;
	c->next = (c->next + 1) % c->njob;
	j->t = c->t;
	j->from = from;
	j->to = to;
	j->effort = c->effort;
	j->at = at;
	j->first = at == 0;
	j->last = at + rows * len == c->t->n;
	j->rows = (size_t)rows;
	j->len = (size_t)len;
	j->head = j->first && to && (to->flags & TYPE_WHOLE) ? HEAD : 0;
	j->scale_in = c->scale_in;
	j->scale_out = c->scale_out;
	j->max = 0;
	j->tiny = 0;
	if (grow(&j->src, &j->src_cap, rows * src_row, e) < 0 ||
	    grow(&j->dst, &j->dst_cap, j->head + rows * dst_row, e) < 0)
		return -1;
	j->src_row = (size_t)src_row;
	j->dst_row = (size_t)dst_row;
	j->dst_len = j->head + j->rows * j->dst_row;
	if (j->head)
		type_f32.from_f32(j->dst, &j->scale_out, 1, NULL);
	if (fetch(c, j->src, j->rows * j->src_row, e) < 0)
		return -1;
	pool_put(c->pool, j);
	return 0;
}

/* Elements whose bytes, on the fatter side, are a chunk. */
static uint64_t
chunk_elements(const struct convert *c, const struct type *from, const struct type *to)
{
	uint64_t a = (uint64_t)c->budget / from->bytes * from->block;
	uint64_t b = to ? (uint64_t)c->budget / to->bytes * to->block : a;

	return a < b ? a : b;
}

/* One pass over the source. */
static int
pass(struct convert *c, const struct type *to, struct err *e)
{
	const struct tensor *t = c->t;
	const struct type *from = c->from->type;
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1, rows = tensor_rows(t);
	uint64_t at, len, k, max;
	bool pad_in = c->from->row_bytes != 0, pad_out = to && t->row_bytes != 0;
	size_t step;

	c->row_left = 0;
	c->have = c->used = 0;
	c->scale_in = 0;
	if (from->flags & TYPE_WHOLE) {
		unsigned char b[HEAD];

		if (raw(c, b, sizeof b, e) < 0)
			return -1;
		type_f32.to_f32(&c->scale_in, b, 1);
	}
	c->loose = (pad_in && to && !pad_out && cols % to->block != 0) ||
	    (pad_out && !pad_in && cols % from->block != 0);
	if (c->loose) {
		from = &type_f32;
		pad_in = false;
	}
	step = common(from->block, to ? to->block : 1);
	max = chunk_elements(c, from, to) / step * step;
	if (!pad_in && !pad_out) {
		/* One run of blocks, cut at rows if these are whole blocks. */
		len = cols % step == 0 && cols <= max ? max / cols * cols : max;
		if (c->chunk_rows && (u64_mul(&len, cols, c->chunk_rows) || len > t->n))
			len = t->n;
		len = (len + step - 1) / step * step;
		for (at = 0; at < t->n; at += k) {
			k = t->n - at < len ? t->n - at : len;
			if (put(c, from, to, at, 1, k, e) < 0)
				return -1;
		}
		return 0;
	}
	/* Padded rows: some whole ones, or pieces of one. */
	len = bytes_of(from, cols);
	if (to && bytes_of(to, cols) > len)
		len = bytes_of(to, cols);
	if (c->chunk_rows || len <= c->budget) {
		k = c->chunk_rows ? c->chunk_rows : c->budget / len;
		for (at = 0; at < rows; at += k) {
			k = rows - at < k ? rows - at : k;
			if (put(c, from, to, at * cols, k, cols, e) < 0)
				return -1;
		}
		return 0;
	}
	for (uint64_t r = 0; r < rows; r++)
		for (at = 0; at < cols; at += k) {
			k = cols - at < max ? cols - at : max;
			if (put(c, from, to, r * cols + at, 1, k, e) < 0)
				return -1;
		}
	return 0;
}

static int
open_spill(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	if ((fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) >= 0)
		return fd;
	if (strlen(dir) > sizeof path - 32)
		return err_set(e, "$TMPDIR is too long");
	strcpy(path, dir);
	strcat(path, "/apr-quant.XXXXXX");
	if ((fd = mkostemp(path, O_CLOEXEC)) < 0)
		return err_sys(e, "%s", path);
	(void)unlink(path);
	return fd;
}

/* apr_q8 has one scale, in front: the largest |x| is wanted before the first
 * value.  The manifest knows it, or the tensor is read twice. */
static int
find_scale(struct convert *c, struct err *e)
{
	char *end;

	if (drain(c, e) < 0)
		return -1;
	if (c->from->absmax) {
		c->want_max = strtof(c->from->absmax, &end);
		if (*end || !(c->want_max >= 0 && c->want_max < INFINITY))
			return err_set(e, "%s: absmax %s is no largest |x|", c->t->name,
			    c->from->absmax);
		c->scale_out = type_q8_scale(c->want_max);
		return 0;
	}
	if ((c->spill = open_spill(e)) < 0)
		return -1;
	c->spilling = true;
	if (pass(c, NULL, e) < 0 || drain(c, e) < 0)
		return -1;
	c->spilling = false;
	if (lseek(c->spill, 0, SEEK_SET) < 0)
		return err_sys(e, "%s: its spilled copy", c->t->name);
	c->want_max = c->max;
	c->scale_out = type_q8_scale(c->max);
	return 0;
}

static int
convert(struct convert *c, const struct tensor *t, const struct quant_from *from,
    struct err *e)
{
	bool two = t->type->flags & TYPE_WHOLE;
	int r = 0;

	c->t = t;
	c->from = from;
	if (t->n == 0) {
		if (drain(c, e) < 0)
			return -1;
		return stream_member(c->out, MEMBER_TENSOR, t->name, t->bytes, e);
	}
	if (two)
		r = find_scale(c, e);
	if (r == 0)
		r = pass(c, t->type, e);
	if (two && r == 0)
		r = drain(c, e);
	if (c->spill >= 0)
		(void)close(c->spill);
	c->spill = -1;
	c->want_max = -1;
	return r;
}

static int
copy(struct convert *c, const struct member *m, struct err *e)
{
	if (drain(c, e) < 0 || stream_copy(c->out, c->in, m, e) < 0)
		return -1;
	if (c->progress && m->kind == MEMBER_TENSOR)
		c->progress(m->bytes);
	return 0;
}

static struct convert *
start(unsigned jobs, struct err *e)
{
	struct convert *c = calloc(1, sizeof *c);
	const char *rows = getenv("APR_CHUNK_ROWS");

	if (!c)
		goto memory;
	c->spill = -1;
	c->want_max = -1;
	/* One job more than the workers have is read, one is written. */
	c->njob = (size_t)jobs + 2;
	c->budget = ((size_t)10 << 20) / c->njob / 2;
	if (c->budget > (size_t)512 << 10)
		c->budget = (size_t)512 << 10;
	if (c->budget < (size_t)32 << 10)
		c->budget = (size_t)32 << 10;
	if (rows && !json_u64(rows, strlen(rows), &c->chunk_rows)) {
		err_set(e, "APR_CHUNK_ROWS: %s is no number", rows);
		goto fail;
	}
	if (!(c->job = calloc(c->njob, sizeof(*c->job))))
		goto memory;
	for (size_t i = 0; i < c->njob; i++)
		if (!(c->job[i] = calloc(1, sizeof(*c->job[i]))))
			goto memory;
	if ((c->pool = pool_new(jobs, (unsigned)c->njob, work, e)))
		return c;
	goto fail;
memory:
	err_set(e, "out of memory");
fail:
	if (c)
		for (size_t i = 0; c->job && i < c->njob; i++)
			free(c->job[i]);
	if (c)
		free(c->job);
	free(c);
	return NULL;
}

int
convert_run(struct stream_in *in, struct stream_out *out, const struct quant_from *from,
    enum effort effort, unsigned jobs, void (*progress)(uint64_t), uint64_t *tiny,
    struct err *e)
{
	const struct manifest *mf = stream_manifest(in);
	struct convert *c = start(jobs, e);
	struct member m;
	int r;

	if (!c)
		return -1;
	c->in = in;
	c->out = out;
	c->progress = progress;
	c->effort = effort;
	while ((r = stream_next(in, &m, e)) > 0) {
		if (m.kind == MEMBER_TENSOR && from[m.index].type)
			r = convert(c, &mf->tensor[m.index], &from[m.index], e);
		else
			r = copy(c, &m, e);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = drain(c, e);
	*tiny = c->tiny;
	pool_free(c->pool);
	for (size_t i = 0; i < c->njob; i++) {
		free(c->job[i]->src);
		free(c->job[i]->dst);
		free(c->job[i]);
	}
	free(c->job);
	free(c);
	return r;
}
