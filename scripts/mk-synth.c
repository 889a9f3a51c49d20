/* SPDX-License-Identifier: MIT */
/*
 * mk-synth -- synthetic models of named shapes, for memory and speed work.
 *
 * Writes .apr, .gguf, .safetensors and Hugging Face directories with code of
 * its own, so that our readers meet a second writer; only block types are
 * encoded by lib/type.  A value depends on the seed, the tensor's name in the
 * format (for .gguf: its Hugging Face name) and its place, so that files of
 * several formats and of F32 and F16 hold equal weights.  Not so where a
 * converter moves them: rows of q and k of Llama in .gguf, all of gpt2.
 *
 * qwen3-coder-30b-a3b by hand: 48 layers of 4 norms, q k v o, a router and
 * 128 * 3 expert tensors, and 3 more = 48 * 393 + 3 = 18,867 tensors.
 * Two-dimensional without the embedding: 48 * (2 * 8388608 + 2 * 1048576 +
 * 262144 + 384 * 1572864) + 311164928 = 30220746752, * 144/256 = 16999170048;
 * F32: 4 * (311164928 + 48 * (2 * 2048 + 2 * 128) + 2048) = 1245503488;
 * together 18,244,673,536.  (-n prints the same sums from the tables.)
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

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

#define L "model.layers.#."
#define BLOCK(hf, gguf, rows, cols, flags) \
	{ L hf, "", "blk.#." gguf, rows, cols, LAYER | (flags) }
static const struct part llama[] = {
	{ "model.embed_tokens.weight", "", "token_embd.weight", VOC, HID, 0 },
	BLOCK("input_layernorm.weight", "attn_norm.weight", HID, NONE, 0),
	BLOCK("self_attn.q_proj.weight", "attn_q.weight", Q, HID, 0),
	BLOCK("self_attn.q_proj.bias", "attn_q.bias", Q, NONE, BIAS),
	BLOCK("self_attn.k_proj.weight", "attn_k.weight", KV, HID, 0),
	BLOCK("self_attn.k_proj.bias", "attn_k.bias", KV, NONE, BIAS),
	BLOCK("self_attn.v_proj.weight", "attn_v.weight", KV, HID, 0),
	BLOCK("self_attn.v_proj.bias", "attn_v.bias", KV, NONE, BIAS),
	BLOCK("self_attn.o_proj.weight", "attn_output.weight", HID, Q, 0),
	BLOCK("self_attn.q_norm.weight", "attn_q_norm.weight",
	    HD, NONE, QKNORM),
	BLOCK("self_attn.k_norm.weight", "attn_k_norm.weight",
	    HD, NONE, QKNORM),
	BLOCK("post_attention_layernorm.weight", "ffn_norm.weight",
	    HID, NONE, 0),
	BLOCK("mlp.gate_proj.weight", "ffn_gate.weight", FFN, HID, DENSE),
	BLOCK("mlp.up_proj.weight", "ffn_up.weight", FFN, HID, DENSE),
	BLOCK("mlp.down_proj.weight", "ffn_down.weight", HID, FFN, DENSE),
	BLOCK("mlp.gate.weight", "ffn_gate_inp.weight", EXP, HID, MOE),
	BLOCK("mlp.experts.@.down_proj.weight", "ffn_down_exps.weight",
	    HID, MFF, MOE | EXPERT),
	BLOCK("mlp.experts.@.gate_proj.weight", "ffn_gate_exps.weight",
	    MFF, HID, MOE | EXPERT),
	BLOCK("mlp.experts.@.up_proj.weight", "ffn_up_exps.weight",
	    MFF, HID, MOE | EXPERT),
	{ "model.norm.weight", "", "output_norm.weight", HID, NONE, 0 },
	{ "lm_head.weight", "", "output.weight", VOC, HID, UNTIED },
	{ 0 }
};

#define H "transformer.h.#."
/* A weight and its bias; .apr has c_attn in three. */
#define PAIR(hf, apr, gguf, rows, cols, flags) \
	{ hf ".weight", apr ".weight", gguf ".weight", rows, cols, flags }, \
	{ hf ".bias", apr ".bias", gguf ".bias", \
	    (flags) & CONV ? cols : rows, NONE, (flags) & LAYER }
#define SPLIT(apr) \
	{ NULL, apr ".weight", NULL, HID, HID, LAYER }, \
	{ NULL, apr ".bias", NULL, HID, NONE, LAYER }
static const struct part gpt2[] = {
	{ "transformer.wte.weight", "model.embed_tokens.weight",
	    "token_embd.weight", VOC, HID, 0 },
	{ "transformer.wpe.weight", "model.position_embedding.weight",
	    "position_embd.weight", CTX, HID, 0 },
	PAIR(H "ln_1", L "input_layernorm", "blk.#.attn_norm",
	    HID, NONE, LAYER),
	{ H "attn.c_attn.weight", NULL, "blk.#.attn_qkv.weight",
	    HID, HID3, LAYER | CONV },
	{ H "attn.c_attn.bias", NULL, "blk.#.attn_qkv.bias",
	    HID3, NONE, LAYER },
	SPLIT(L "self_attn.q_proj"),
	SPLIT(L "self_attn.k_proj"),
	SPLIT(L "self_attn.v_proj"),
	PAIR(H "attn.c_proj", L "self_attn.o_proj", "blk.#.attn_output",
	    HID, HID, LAYER | CONV),
	PAIR(H "ln_2", L "post_attention_layernorm", "blk.#.ffn_norm",
	    HID, NONE, LAYER),
	PAIR(H "mlp.c_fc", L "mlp.up_proj", "blk.#.ffn_up",
	    HID, FFN, LAYER | CONV),
	PAIR(H "mlp.c_proj", L "mlp.down_proj", "blk.#.ffn_down",
	    FFN, HID, LAYER | CONV),
	PAIR("transformer.ln_f", "model.norm", "output_norm", HID, NONE, 0),
	{ 0 }
};

static const struct part one[] = {
	BLOCK("mlp.down_proj.weight", "ffn_down.weight", HID, FFN, 0),
	{ 0 }
};

static struct shape shapes[] = {
	{ "qwen3-coder-30b-a3b", "qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM",
	    llama, 48, 2048, 32, 4, 128, 5472, 151936, 262144, 128, 8, 768,
	    1e7, 1e-6, MOE | QKNORM | UNTIED },
	{ "qwen2.5-32b", "qwen2", "qwen2", "Qwen2ForCausalLM",
	    llama, 64, 5120, 40, 8, 128, 27648, 152064, 32768, 0, 0, 0,
	    1e6, 1e-6, DENSE | BIAS | UNTIED },
	{ "qwen2.5-7b", "qwen2", "qwen2", "Qwen2ForCausalLM",
	    llama, 28, 3584, 28, 4, 128, 18944, 152064, 32768, 0, 0, 0,
	    1e6, 1e-6, DENSE | BIAS | UNTIED },
	{ "llama-1b", "llama", "llama", "LlamaForCausalLM",
	    llama, 22, 2048, 32, 4, 64, 5632, 32000, 2048, 0, 0, 0,
	    1e4, 1e-5, DENSE | UNTIED },
	{ "moe-1b", "qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM",
	    llama, 16, 1024, 16, 4, 64, 3072, 32000, 4096, 64, 8, 384,
	    1e6, 1e-6, MOE | QKNORM | UNTIED },
	{ "smollm-135m", "llama", "llama", "LlamaForCausalLM",
	    llama, 30, 576, 9, 3, 64, 1536, 49152, 2048, 0, 0, 0,
	    1e4, 1e-5, DENSE },
	{ "qwen2-0.5b", "qwen2", "qwen2", "Qwen2ForCausalLM",
	    llama, 24, 896, 14, 2, 64, 4864, 151936, 131072, 0, 0, 0,
	    1e6, 1e-6, DENSE | BIAS },
	{ "gpt2-124m", "gpt2", "gpt2", "GPT2LMHeadModel",
	    gpt2, 12, 768, 12, 12, 64, 3072, 50257, 1024, 0, 0, 0,
	    0, 1e-5, 0 },
	{ "one-tensor", "llama", "llama", "LlamaForCausalLM",
	    one, 1, 0, 1, 1, 64, 0, 1, 2048, 0, 0, 0, 1e4, 1e-5, UNTIED },
};
#define NSHAPES (sizeof shapes / sizeof *shapes)

/* What each format calls a member of struct shape; zeros are left out. */
static const struct field {
	const char	*names[4];		/* apr, gguf, HF, HF of gpt2 */
	size_t		 at;
} fields[] = {
#define F(apr, gguf, hf, gpt2, m) \
	{ { apr, gguf, hf, gpt2 }, offsetof(struct shape, m) }
	F("num_layers", "block_count", "num_hidden_layers", "n_layer", layers),
	F("max_position_embeddings", "context_length",
	    "max_position_embeddings", "n_positions", ctx),
	F("hidden_size", "embedding_length", "hidden_size", "n_embd", hidden),
	F("intermediate_size", "feed_forward_length", "intermediate_size",
	    "n_inner", ffn),
	F("num_heads", "attention.head_count", "num_attention_heads",
	    "n_head", heads),
	F("num_kv_heads", "attention.head_count_kv", "num_key_value_heads",
	    NULL, kv),
	F("vocab_size", "vocab_size", "vocab_size", "vocab_size", vocab),
	F("head_dim", "attention.key_length", "head_dim", NULL, head_dim),
	F(NULL, "attention.value_length", NULL, NULL, head_dim),
	F("num_experts", "expert_count", "num_experts", NULL, experts),
	F("num_experts_per_tok", "expert_used_count", "num_experts_per_tok",
	    NULL, used),
	F("moe_intermediate_size", "expert_feed_forward_length",
	    "moe_intermediate_size", NULL, moe_ffn),
};
#define NFIELDS (sizeof fields / sizeof *fields)

static struct {
	const struct type *type;
	const char	*keep[16];		/* globs: these are F32 */
	unsigned	 nkeep;
	uint64_t	 seed, tokenizer, shards, rows, cols;
	const struct shape *walk;		/* its shape, or NULL */
	bool		 sparse, check;
} opt = { .seed = 1, .shards = 1 };

/* ---- errors ---- */

static _Noreturn __attribute__((format(printf, 2, 3))) void
die(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("mk-synth: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static void *
check_alloc(void *p)
{
	if (p == NULL)
		die(1, "out of memory");
	return p;
}

/* ---- number types, random values ---- */

enum { POOL = 65536, CHUNK = 1 << 20 };

static uint64_t
mix(uint64_t *s)				/* splitmix64 */
{
	uint64_t z = *s += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* To the nearest half, and *back its value; |x| < 60000. */
static uint16_t
half(float x, float *back)
{
	float a = fabsf(x);
	int e;
	long q;

	frexpf(a, &e);
	if (e < -13)
		e = -13;
	q = lrintf(ldexpf(a, 11 - e));
	*back = copysignf(ldexpf((float)q, e - 11), x);
	return (uint16_t)((signbit(x) ? 0x8000 : 0) + ((e + 14) << 10) +
	    (int)q - 1024);
}

static void
enc_f32(void *dst, const float *src, size_t n, const float *qw)
{
	(void)qw;
	memcpy(dst, src, n * sizeof *src);
}

static void
enc_f16(void *dst, const float *src, size_t n, const float *qw)
{
	uint16_t *d = dst;
	float back;

	(void)qw;
	for (size_t i = 0; i < n; i++)
		d[i] = half(src[i], &back);
}

static void
enc_bf16(void *dst, const float *src, size_t n, const float *qw)
{
	uint16_t *d = dst;
	uint32_t u;

	(void)qw;
	for (size_t i = 0; i < n; i++) {
		memcpy(&u, &src[i], sizeof u);
		d[i] = (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
	}
}

static const struct type plain[] = {
	{ "F32", 0, "F32", 1, 4, TYPE_PLAIN, NULL, enc_f32 },
	{ "F16", 1, "F16", 1, 2, TYPE_PLAIN, NULL, enc_f16 },
	{ "BF16", 30, "BF16", 1, 2, TYPE_PLAIN, NULL, enc_bf16 },
};
#define F32 (&plain[0])
#define F16 (&plain[1])

/* A type's number in .apr, -1: none.  Q8_0 shares 8 with the old Q4. */
static int
apr_code(const struct type *t)
{
	static const char codes[][8] = { [0] = "F32", [1] = "F16", [8] = "Q8_0",
	    [10] = "Q2_K", [11] = "Q3_K", [12] = "Q4_K", [13] = "Q5_K",
	    [14] = "Q6_K", [16] = "IQ2_XXS", [17] = "IQ2_XS", [30] = "BF16" };

	if (t->flags & (TYPE_FLAT | TYPE_WHOLE))
		return t->flags & TYPE_FLAT ? 128 : 129;
	for (int i = 0; i < (int)(sizeof codes / sizeof *codes); i++)
		if (strcmp(codes[i], t->name) == 0)
			return i;
	return -1;
}

static const struct type *
type_named(const char *s)
{
	const struct type *t = NULL;

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (strcasecmp(s, plain[i].name) == 0)
			return &plain[i];
#ifdef HAVE_TYPES
	t = type_by_name(s);
	if (t != NULL && t->from_f32 == NULL && !(t->flags & TYPE_WHOLE))
		t = NULL;
#endif
	return t;
}

/* 65536 random elements of a type: blocks to deal out at random. */
struct pool {
	const struct type *type;
	bool		 norm;			/* around 1, not 0 */
	unsigned	 mask;
	float		 scale;			/* of TYPE_WHOLE */
	uint8_t		*data;
};

static const struct pool *
pool_of(const struct type *t, bool norm)
{
	static struct pool pools[8];
	static float gauss[POOL], ones[POOL], x[POOL];
	struct pool *p = pools;

	for (; p->type != NULL; p++)
		if (p->type == t && p->norm == norm)
			return p;
	if (gauss[0] == 0) {
		uint64_t s = opt.seed ^ 0x6d6b2d73796e7468;
		for (size_t i = 0; i < POOL; i++) {
			double u = ((double)(mix(&s) >> 11) + 1) * 0x1p-53;
			double v = (double)(mix(&s) >> 11) * 0x1p-53;
			gauss[i] = (float)(0.02 * sqrt(-2 * log(u)) *
			    cos(6.283185307179586 * v));
			ones[i] = 1;
		}
	}
	*p = (struct pool){ t, norm, POOL / t->block - 1U, 0,
	    check_alloc(malloc((size_t)POOL / t->block * t->bytes)) };
	for (size_t i = 0; i < POOL; i++)
		half(norm ? 1 + gauss[i] : gauss[i], &x[i]);
#ifdef HAVE_TYPES
	if (t->flags & TYPE_WHOLE) {
		float max = 0;
		for (size_t i = 0; i < POOL; i++)
			max = fmaxf(max, fabsf(x[i]));
		p->scale = type_q8_scale(max);
		type_q8_from_f32((int8_t *)p->data, x, POOL, p->scale);
		return p;
	}
#endif
	t->from_f32(p->data, x, POOL, t->block > 1 ? ones : NULL);
	return p;
}

/* n blocks, a multiple of 4. */
static void
deal(uint8_t *dst, size_t n, const struct pool *p, uint64_t *state)
{
	size_t b = p->type->bytes;
	const uint16_t *h = (const void *)p->data;
	const uint32_t *w = (const void *)p->data;

	for (size_t i = 0; i < n; i += 4) {
		uint64_t z = mix(state);
		uint16_t k[4];

		memcpy(k, &z, sizeof k);
		if (b == 2) {
			uint16_t v[4] = { h[k[0]], h[k[1]], h[k[2]], h[k[3]] };
			memcpy(dst + i * 2, v, sizeof v);
		} else if (b == 4) {
			uint32_t v[4] = { w[k[0]], w[k[1]], w[k[2]], w[k[3]] };
			memcpy(dst + i * 4, v, sizeof v);
		} else {
			for (size_t j = 0; j < 4; j++)
				memcpy(dst + (i + j) * b,
				    p->data + (k[j] & p->mask) * b, b);
		}
	}
}

/* ---- output ---- */

struct out {
	char		*path;
	int		 fd;
	bool		 want_crc;
	uint64_t	 off;
	uint32_t	 crc;
};

static uint64_t written;			/* bytes in all files */

static void
out_open(struct out *o, const char *dir, const char *name, bool want_crc)
{
	if (asprintf(&o->path, "%s%s", dir, name) < 0)
		die(1, "out of memory");
	o->want_crc = want_crc;
	o->off = o->crc = 0;
	o->fd = open(o->path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (o->fd < 0)
		die(1, "%s: %s", o->path, strerror(errno));
}

static void
put(struct out *o, const void *buf, uint64_t n)
{
	const uint8_t *p = buf;

	if (o->want_crc)
		o->crc = (uint32_t)crc32_z(o->crc, p, (size_t)n);
	o->off += n;
	while (n > 0) {
		ssize_t r = write(o->fd, p, (size_t)n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			die(1, "%s: %s", o->path, strerror(errno));
		p += r;
		n -= (uint64_t)r;
	}
}

/* A hole of zeros.  The CRC's register (the CRC without its last xor) goes
 * through n zero bytes as crc32_combine's first argument does. */
static void
hole(struct out *o, uint64_t n)
{
	if (n == 0)
		return;
	if (o->want_crc)
		o->crc = (uint32_t)crc32_combine(o->crc ^ 0xffffffff,
		    0xffffffff, (z_off_t)n);
	o->off += n;
	if (lseek(o->fd, (off_t)o->off, SEEK_SET) < 0)
		die(1, "%s: %s", o->path, strerror(errno));
}

static void
pad(struct out *o, uint64_t align)
{
	hole(o, -o->off & (align - 1));
}

static void
out_close(struct out *o)
{
	if (ftruncate(o->fd, (off_t)o->off) != 0 || close(o->fd) != 0)
		die(1, "%s: %s", o->path, strerror(errno));
	written += o->off;
	free(o->path);
}

/* A head is put together in memory. */
struct mem {
	FILE	*f;
	char	*buf;
	size_t	 len;
};

static FILE *
mem_open(struct mem *m)
{
	return m->f = check_alloc(open_memstream(&m->buf, &m->len));
}

static void
mem_put(struct mem *m, struct out *o)
{
	if (fclose(m->f) != 0)
		die(1, "out of memory");
	put(o, m->buf, m->len);
	free(m->buf);
}

static void
le(FILE *f, uint64_t v, unsigned bytes)
{
	for (; bytes > 0; bytes--, v >>= 8)
		putc((int)(v & 255), f);
}

/* ---- tensors ---- */

struct tensor {
	char		*name;
	const struct part *part;
	const struct type *type;
	uint64_t	 layer, expert, parts;	/* parts: experts in a stack */
	uint64_t	 dim[3], row, bytes, off, shard;
	unsigned	 ndim;
};

static struct tensor *tensors;
static size_t ntensors;
static uint64_t weights, payload;

static char *
expand(const char *s, uint64_t layer, uint64_t expert)
{
	struct mem m;

	for (mem_open(&m); *s != '\0'; s++)
		if (*s == '#' || *s == '@')
			fprintf(m.f, "%" PRIu64, *s == '#' ? layer : expert);
		else
			putc(*s, m.f);
	if (fclose(m.f) != 0)
		die(1, "out of memory");
	return m.buf;
}

static uint64_t
dim_of(const struct shape *s, enum dim d)
{
	switch (d) {
	case HID: return s->hidden;
	case HID3: return 3 * s->hidden;
	case Q: return s->heads * s->head_dim;
	case KV: return s->kv * s->head_dim;
	case HD: return s->head_dim;
	case FFN: return s->ffn;
	case VOC: return s->vocab;
	case CTX: return s->ctx;
	case EXP: return s->experts;
	case MFF: return s->moe_ffn;
	case NONE: break;
	}
	return 0;
}

static const char *				/* NULL: not in this format */
name_in(const struct part *p, int kind)
{
	const char *name = kind == GGUF ? p->gguf : kind == APR ? p->apr : p->hf;

	return name != NULL && *name == '\0' ? p->hf : name;
}

static const struct type *
type_for(const struct tensor *t, int kind)
{
	const struct type *want = opt.type;
	uint64_t cols = t->dim[t->ndim - 1];

	for (unsigned i = 0; i < opt.nkeep; i++)
		if (fnmatch(opt.keep[i], t->name, 0) == 0)
			return F32;
	if (t->ndim == 1 && (kind == GGUF || !(want->flags & TYPE_PLAIN)))
		return F32;
	if (kind == GGUF && (strstr(t->name, "ffn_gate_inp.") != NULL ||
	    strstr(t->name, "position_embd.") != NULL))
		return F32;	/* llama.cpp wants them so */
	if (cols % want->block != 0 && !(kind == APR && want->block == 256))
		return F16;	/* .apr pads rows of K types */
	return want;
}

static void
add(const struct shape *s, const struct part *p, int kind, uint64_t layer,
    uint64_t expert)
{
	struct tensor *t = &tensors[ntensors++];
	bool turn = kind == GGUF && p->flags & CONV;
	uint64_t n = 1, rows = dim_of(s, p->rows), cols = dim_of(s, p->cols);

	*t = (struct tensor){ .part = p, .layer = layer, .expert = expert,
	    .name = expand(name_in(p, kind), layer, expert), .parts = 1 };
	if (kind == GGUF && p->flags & EXPERT)
		t->dim[t->ndim++] = t->parts = s->experts;
	t->dim[t->ndim++] = turn ? cols : rows;
	if (p->cols != NONE)
		t->dim[t->ndim++] = turn ? rows : cols;
	t->type = type_for(t, kind);
	t->row = (t->dim[t->ndim - 1] + t->type->block - 1) / t->type->block;
	for (unsigned i = 0; i < t->ndim; i++)
		n *= t->dim[i];
	t->bytes = n / t->dim[t->ndim - 1] * t->row * t->type->bytes +
	    (t->type->flags & TYPE_WHOLE ? 4 : 0);
	weights += n;
	payload += t->bytes;
}

static void
add_all(const struct shape *s, int kind)
{
	const struct part *p = s->parts, *end;
	size_t max = 0;

	while (p[max].apr != NULL || p[max].hf != NULL)
		max++;
	max *= s->layers * (s->experts + 1);
	tensors = check_alloc(calloc(max, sizeof *tensors));
	while (p->apr != NULL || p->hf != NULL) {
		for (end = p + 1; p->flags & LAYER && end->flags & LAYER;)
			end++;
		for (uint64_t l = 0; l < (p->flags & LAYER ? s->layers : 1); l++)
			for (const struct part *q = p; q < end; q++) {
				uint64_t n = q->flags & EXPERT &&
				    kind != GGUF ? s->experts : 1;
				if (name_in(q, kind) == NULL ||
				    q->flags & NEEDS & ~s->flags)
					continue;
				for (uint64_t e = 0; e < n; e++)
					add(s, q, kind, l, e);
			}
		p = end;
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct tensor *)a)->name,
	    ((const struct tensor *)b)->name);
}

static int					/* as the Rust crate sorts */
by_shard(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	if (x->type->bytes != y->type->bytes)
		return x->type->bytes > y->type->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void
place(struct tensor *t, size_t n, uint64_t align)
{
	for (uint64_t off = 0; n > 0; n--, t++) {
		t->off = off;
		off += (t->bytes + align - 1) & -align;
	}
}

/*
 * --walk: token u + 1 follows token u, beyond doubt.  Row u of the embedding is
 * two random halves, [h(u), h(u - 1)], and the last layer brings the first half
 * of what it reads to the second, so that row u + 1 is the nearest: by a pair of
 * neurons a column, gelu(z) - gelu(-z) = z or z silu(z) + z silu(-z), odd too.
 * What else the layers do to the stream stays random, and is less than that.
 */
enum { WALK_EMBED = 100, WALK_IN = 2, WALK_OUT = 3 };

static void
walk_embedding(const struct tensor *t, const struct pool *pool, uint64_t row,
    float *x, uint64_t rows)
{
	uint64_t vocab = t->dim[0], n = t->dim[1] / 2;

	for (uint64_t i = 0; i < 2 * rows; i++, x += n) {
		uint64_t u = (row + i / 2 + (i % 2 == 0 ? 0 : vocab - 1)) % vocab;
		uint64_t state = opt.seed + (u << 32);

		deal((uint8_t *)x, n, pool, &state);
		for (uint64_t j = 0; j < n; j++)
			x[j] *= WALK_EMBED;
	}
}

static void
walk_ffn(const struct tensor *t, uint64_t row, float *x, uint64_t rows)
{
	bool conv = t->part->flags & CONV, by_row = t->part->rows == FFN;
	bool down = conv == by_row, gate = strstr(t->name, "gate") != NULL;
	uint64_t half = opt.walk->hidden / 2, cols = t->dim[1];

	for (uint64_t r = row; r < row + rows; r++)
		for (uint64_t c = 0; c < cols; c++, x++) {
			uint64_t neuron = by_row ? r : c, at = by_row ? c : r;
			int sign = neuron % 2 == 1 && (conv || gate) ? -1 : 1;

			if (neuron < 2 * half && at == neuron / 2 + (down ? half : 0))
				*x += (float)(sign * (down ? WALK_OUT : WALK_IN));
		}
}

static void
put_values(struct out *o, const struct tensor *t)
{
	static _Alignas(float) uint8_t buf[CHUNK + 4096];
	const struct pool *pool = pool_of(t->type, t->ndim == 1 &&
	    strstr(t->name, ".bias") == NULL);
	uint64_t head = t->type->flags & TYPE_WHOLE ? 4 : 0, row = 0;
	size_t b = t->type->bytes, most = CHUNK / b / 4 * 4;

	if (opt.walk != NULL && t->ndim == 2)	/* whole rows */
		most -= most % t->dim[1];
	put(o, &pool->scale, head);
	for (uint64_t e = 0; e < t->parts; e++) {
		const char *hf = t->part->hf ? t->part->hf : t->part->apr;
		char *name = expand(hf, t->layer, t->parts > 1 ? e : t->expert);
		uint64_t state = opt.seed, left = (t->bytes - head) / t->parts;

		for (const char *c = name; *c != '\0'; c++)
			state = (state ^ (uint8_t)*c) * 0x100000001b3;
		state = mix(&state);
		free(name);
		for (; left > 0;) {
			uint64_t n = left < most * b ? left : most * b;
			deal(buf, ((size_t)(n / b) + 3) / 4 * 4, pool, &state);
			if (opt.walk != NULL && t->ndim == 2) {
				uint64_t rows = n / b / t->dim[1];
				if (t->part->rows == VOC)
					walk_embedding(t, pool, row, (float *)buf, rows);
				else if ((t->part->rows == FFN || t->part->cols == FFN) &&
				    t->layer + 1 == opt.walk->layers)
					walk_ffn(t, row, (float *)buf, rows);
				row += rows;
			}
			put(o, buf, n);
			left -= n;
		}
	}
}

static void
put_data(struct out *o, const struct tensor *t, size_t n, uint64_t align)
{
	for (; n > 0; n--, t++) {
		if (opt.sparse)
			hole(o, t->bytes);
		else
			put_values(o, t);
		pad(o, align);
	}
}

/* ---- tokenizer ---- */

/* Length of a token so that all with `extra` bytes each make up the size. */
static size_t
token_width(const struct shape *s, size_t extra)
{
	uint64_t w = opt.tokenizer / s->vocab;

	return w < extra + 10 ? 10 : (size_t)w - extra;
}

static void
token(FILE *f, uint64_t i, size_t width)
{
	int n = fprintf(f, "t%" PRIu64 "_", i);

	for (size_t k = n < 0 ? 0 : (size_t)n; k < width; k++)
		putc('x', f);
}

static void
put_tokenizer_json(const struct shape *s, const char *dir)
{
	static const char tail[] = "},\"merges\":[]}}";
	size_t w = token_width(s, 11);
	struct out o;
	struct mem m;
	FILE *f = mem_open(&m);

	fputs("{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
	    "\"added_tokens\":[],\"normalizer\":null,\"pre_tokenizer\":{"
	    "\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
	    "\"trim_offsets\":true,\"use_regex\":true},"
	    "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\","
	    "\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},"
	    "\"model\":{\"type\":\"BPE\",\"vocab\":{", f);
	for (uint64_t i = 0; i < s->vocab &&
	    (uint64_t)ftello(f) + w + sizeof tail + 11 < opt.tokenizer; i++) {
		fputs(i ? ",\"" : "\"", f);
		token(f, i, w);
		fprintf(f, "\":%" PRIu64, i);
	}
	fputs(tail, f);
	while ((uint64_t)ftello(f) < opt.tokenizer)
		putc(' ', f);
	out_open(&o, dir, "tokenizer.json", false);
	mem_put(&m, &o);
	out_close(&o);
}

/* ---- hyper-parameters ---- */

/* The value of a field if it is written under this column's name, else 0;
 * head_dim is written where it does not follow from the others. */
static uint64_t
value(const struct shape *s, const struct field *f, int column)
{
	uint64_t v;

	memcpy(&v, (const char *)s + f->at, sizeof v);
	if (f->names[column] == NULL || (f->at ==
	    offsetof(struct shape, head_dim) && v * s->heads == s->hidden))
		v = 0;
	return v;
}

static void
json_fields(FILE *f, const struct shape *s, int column, const char *eps)
{
	for (const struct field *d = fields; d < fields + NFIELDS; d++)
		if (value(s, d, column) > 0)
			fprintf(f, ",\"%s\":%" PRIu64, d->names[column],
			    value(s, d, column));
	if (s->theta > 0)
		fprintf(f, ",\"rope_theta\":%.1f", s->theta);
	fprintf(f, ",\"%s\":%.0e", eps, s->eps);
}

/* ---- .apr ---- */

static void
write_apr(const struct shape *s, const char *path)
{
	struct mem meta, index, head;
	struct out o;
	uint64_t meta_end, index_end;
	uint32_t crc;
	uint8_t h[64];
	FILE *f = mem_open(&meta);

	qsort(tensors, ntensors, sizeof *tensors, by_name);
	place(tensors, ntensors, 64);
	fprintf(f, "{\"model_type\":\"%s\",\"name\":\"%s\",\"total_size\":%" PRIu64
	    ",\"param_count\":%" PRIu64 ",\"architecture\":\"%s\","
	    "\"hf_architecture\":\"%s\",\"hf_model_type\":\"%s\"",
	    s->model_type, s->name, payload, weights, s->model_type, s->class,
	    s->model_type);
	json_fields(f, s, 0, "rms_norm_eps");
	if (s->theta > 0)
		fputs(",\"rope_type\":2", f);
	if (!(s->flags & UNTIED))
		fputs(",\"tied_embeddings\":true", f);
	if (opt.tokenizer) {
		size_t w = token_width(s, 3);
		fputs(",\"tokenizer.model_type\":\"BPE\",\"tokenizer.merges\":[]"
		    ",\"tokenizer.vocabulary\":[", f);
		for (uint64_t i = 0; i < s->vocab; i++) {
			fputs(i ? ",\"" : "\"", f);
			token(f, i, w);
			putc('"', f);
		}
		putc(']', f);
	}
	putc('}', f);
	fflush(f);
	meta_end = 64 + ((meta.len + 63) & ~(uint64_t)63);
	if (meta.len > UINT32_MAX)
		die(1, "metadata of %zu bytes does not fit", meta.len);

	f = mem_open(&index);
	for (struct tensor *t = tensors; t < tensors + ntensors; t++) {
		le(f, strlen(t->name), 2);
		fputs(t->name, f);
		le(f, (uint64_t)apr_code(t->type), 1);
		le(f, t->ndim, 1);
		for (unsigned i = 0; i < t->ndim; i++)
			le(f, t->dim[i], 8);
		le(f, t->off, 8);
		le(f, t->bytes, 8);
	}
	fflush(f);
	index_end = meta_end + ((index.len + 63) & ~(uint64_t)63);

	f = mem_open(&head);
	fwrite("APR\0\2\0\0\4", 8, 1, f);	/* version 2.0, row-major */
	le(f, ntensors, 4);
	le(f, 64, 8);
	le(f, meta.len, 4);
	le(f, meta_end, 8);
	le(f, index_end, 8);
	le(f, 0, 24);
	if (fclose(f) != 0 || head.len != sizeof h)
		die(1, "out of memory");
	memcpy(h, head.buf, sizeof h);
	free(head.buf);
	crc = (uint32_t)crc32(crc32(0, h, 40), h + 44, 20);
	memcpy(h + 40, &crc, 4);

	out_open(&o, "", path, true);
	put(&o, h, sizeof h);
	mem_put(&meta, &o);
	pad(&o, 64);
	mem_put(&index, &o);
	pad(&o, 64);
	put_data(&o, tensors, ntensors, 64);
	crc = o.crc;
	put(&o, &crc, 4);
	out_close(&o);
}

/* ---- .gguf ---- */

static uint64_t nkeys;

static void
str(FILE *f, const char *s)
{
	le(f, strlen(s), 8);
	fputs(s, f);
}

/* A key; all but general and tokenizer are the architecture's. */
static void
key(FILE *f, const struct shape *s, const char *k, unsigned type)
{
	bool own = strncmp(k, "general.", 8) && strncmp(k, "tokenizer.", 10);
	char buf[128];

	snprintf(buf, sizeof buf, "%s%s%s", own ? s->arch : "", own ? "." : "", k);
	str(f, buf);
	le(f, type, 4);
	nkeys++;
}

static void
key_str(FILE *f, const struct shape *s, const char *k, const char *v)
{
	key(f, s, k, 8);
	str(f, v);
}

static void
key_u32(FILE *f, const struct shape *s, const char *k, uint64_t v)
{
	key(f, s, k, 4);
	le(f, v, 4);
}

static void
key_f32(FILE *f, const struct shape *s, const char *k, double v)
{
	float x = (float)v;
	uint32_t u;

	memcpy(&u, &x, sizeof u);
	key(f, s, k, 6);
	le(f, u, 4);
}

static void
keys(FILE *f, const struct shape *s)
{
	/* general.file_type by number of type */
	static const int8_t ftype[64] = { [1] = 1, [2] = 2, [3] = 3, [6] = 8,
	    [7] = 9, [8] = 7, [10] = 10, [11] = 11, [12] = 14, [13] = 16,
	    [14] = 18, [16] = 19, [17] = 20, [18] = 23, [19] = 24, [20] = 25,
	    [21] = 26, [22] = 28, [23] = 30, [29] = 31, [30] = 32, [34] = 36,
	    [35] = 37, [39] = 38, [40] = 39, [41] = 40, [42] = 41 };

	key_str(f, s, "general.architecture", s->arch);
	key_str(f, s, "general.type", "model");
	key_str(f, s, "general.name", s->name);
	for (const struct field *d = fields; d < fields + NFIELDS; d++)
		if (value(s, d, 1) > 0)
			key_u32(f, s, d->names[1], value(s, d, 1));
	if (s->theta > 0)
		key_f32(f, s, "rope.freq_base", s->theta);
	key_f32(f, s, s->parts == gpt2 ? "attention.layer_norm_epsilon" :
	    "attention.layer_norm_rms_epsilon", s->eps);
	key_u32(f, s, "general.file_type", (uint64_t)ftype[opt.type->ggml & 63]);
	key_u32(f, s, "general.quantization_version", 2);
	if (opt.tokenizer) {
		size_t w = token_width(s, 12);
		key_str(f, s, "tokenizer.ggml.model", "gpt2");
		key_str(f, s, "tokenizer.ggml.pre", "default");
		key(f, s, "tokenizer.ggml.tokens", 9);
		le(f, 8, 4);
		le(f, s->vocab, 8);
		for (uint64_t i = 0; i < s->vocab; i++) {
			le(f, w, 8);
			token(f, i, w);
		}
		key(f, s, "tokenizer.ggml.token_type", 9);
		le(f, 5, 4);
		le(f, s->vocab, 8);
		for (uint64_t i = 0; i < s->vocab; i++)
			le(f, 1, 4);
	}
}

static void
write_gguf(const struct shape *s, const char *path)
{
	struct mem kv, head, infos;
	struct out o;
	FILE *f = mem_open(&kv);

	place(tensors, ntensors, 32);
	keys(f, s);
	f = mem_open(&infos);
	for (struct tensor *t = tensors; t < tensors + ntensors; t++) {
		str(f, t->name);
		le(f, t->ndim, 4);
		for (unsigned i = t->ndim; i-- > 0;)
			le(f, t->dim[i], 8);
		le(f, (uint64_t)t->type->ggml, 4);
		le(f, t->off, 8);
	}
	f = mem_open(&head);
	fputs("GGUF", f);
	le(f, 3, 4);
	le(f, ntensors, 8);
	le(f, nkeys, 8);

	out_open(&o, "", path, false);
	mem_put(&head, &o);
	mem_put(&kv, &o);
	mem_put(&infos, &o);
	pad(&o, 32);
	put_data(&o, tensors, ntensors, 32);
	out_close(&o);
}

/* ---- .safetensors, Hugging Face directory ---- */

static void
write_st(const char *dir, const char *name, struct tensor *t, size_t n)
{
	struct out o;
	struct mem m, len;
	FILE *f = mem_open(&m);

	place(t, n, 1);
	fputs("{\"__metadata__\":{\"format\":\"pt\"}", f);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t[i].name,
		    t[i].type->safetensors);
		for (unsigned d = 0; d < t[i].ndim; d++)
			fprintf(f, "%s%" PRIu64, d ? "," : "", t[i].dim[d]);
		fprintf(f, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
		    t[i].off, t[i].off + t[i].bytes);
	}
	putc('}', f);
	while (ftello(f) % 8 != 0)
		putc(' ', f);
	fflush(f);
	le(mem_open(&len), m.len, 8);
	out_open(&o, dir, name, false);
	mem_put(&len, &o);
	mem_put(&m, &o);
	put_data(&o, t, n, 1);
	out_close(&o);
}

static void
write_config(const struct shape *s, const char *dir)
{
	struct out o;
	struct mem m;
	FILE *f = mem_open(&m);
	const char *dtype = opt.type == F32 ? "float32" :
	    opt.type == F16 ? "float16" : "bfloat16";

	fprintf(f, "{\"architectures\":[\"%s\"],\"model_type\":\"%s\","
	    "\"torch_dtype\":\"%s\",\"tie_word_embeddings\":%s", s->class,
	    s->model_type, dtype, s->flags & UNTIED ? "false" : "true");
	if (s->parts == gpt2) {
		json_fields(f, s, 3, "layer_norm_epsilon");
		fputs(",\"activation_function\":\"gelu_new\"", f);
	} else {
		json_fields(f, s, 2, "rms_norm_eps");
		fputs(",\"hidden_act\":\"silu\"", f);
	}
	if (s->experts)
		fputs(",\"decoder_sparse_step\":1,\"mlp_only_layers\":[],"
		    "\"norm_topk_prob\":true", f);
	fputs("}\n", f);
	out_open(&o, dir, "config.json", false);
	mem_put(&m, &o);
	out_close(&o);
}

static void
write_dir(const struct shape *s, const char *dir)
{
	uint64_t before = 0, n = opt.shards;
	struct out o;
	struct mem m;
	FILE *f;

	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		die(1, "%s: %s", dir, strerror(errno));
	write_config(s, dir);
	if (opt.tokenizer)
		put_tokenizer_json(s, dir);
	for (size_t i = 0; i < ntensors; i++) {	/* by where it begins */
		tensors[i].shard = before / (payload / n + 1);
		before += tensors[i].bytes;
	}
	if (n == 1) {
		qsort(tensors, ntensors, sizeof *tensors, by_shard);
		write_st(dir, "model.safetensors", tensors, ntensors);
		return;
	}
	/* A tensor larger than a shard's share leaves empty shards. */
	n = 0;
	for (size_t i = 0; i < ntensors; i++) {
		n += i == 0 || tensors[i].shard != before;
		before = tensors[i].shard;
		tensors[i].shard = n;
	}
	f = mem_open(&m);
	qsort(tensors, ntensors, sizeof *tensors, by_name);
	fprintf(f, "{\n\t\"metadata\": {\"total_size\": %" PRIu64 "},"
	    "\n\t\"weight_map\": {", payload);
	for (size_t i = 0; i < ntensors; i++)
		fprintf(f, "%s\n\t\t\"%s\": \"model-%05" PRIu64 "-of-%05" PRIu64
		    ".safetensors\"", i ? "," : "", tensors[i].name,
		    tensors[i].shard, n);
	fputs("\n\t}\n}\n", f);
	out_open(&o, dir, "model.safetensors.index.json", false);
	mem_put(&m, &o);
	out_close(&o);
	qsort(tensors, ntensors, sizeof *tensors, by_shard);
	for (size_t a = 0, b; a < ntensors; a = b) {
		char name[64];
		for (b = a; b < ntensors &&
		    tensors[b].shard == tensors[a].shard; b++)
			;
		snprintf(name, sizeof name, "model-%05" PRIu64 "-of-%05" PRIu64
		    ".safetensors", tensors[a].shard, n);
		write_st(dir, name, tensors + a, b - a);
	}
}

/* ---- command ---- */

/* The sums of a consumer that makes 1-D tensors, norms, biases and names
 * with "embed" F32 and all others Q4_K. */
static void
check(const struct shape *s)
{
	uint64_t q = 0, f = 0, bytes = 0;

	for (struct tensor *t = tensors; t < tensors + ntensors; t++) {
		uint64_t rows = 1, cols = t->dim[t->ndim - 1];
		for (unsigned i = 0; i + 1 < t->ndim; i++)
			rows *= t->dim[i];
		if (t->ndim == 1 || strstr(t->name, "norm") != NULL ||
		    strstr(t->name, "bias") || strstr(t->name, "embed")) {
			f++;
			bytes += rows * cols * 4;
		} else {
			q++;
			bytes += rows * ((cols + 255) / 256) * 144;
		}
	}
	printf("%s: as Q4_K: %" PRIu64 " Q4_K, %" PRIu64 " F32, %" PRIu64
	    " bytes\n", s->name, q, f, bytes);
}

static _Noreturn void
usage(FILE *f)
{
	fputs("usage: mk-synth SHAPE [options] OUT\n"
	    "Make a synthetic model.  OUT ends in .apr, .gguf or .safetensors, or\n"
	    "in / for a Hugging Face directory.  Shapes:\n", f);
	for (size_t i = 0; i < NSHAPES; i++)
		fprintf(f, "%s%s", i == 0 ? "  " : i == 4 ? "\n  " : " ",
		    shapes[i].name);
	fputs("\noptions:\n"
	    "  --type T         f16 (default), f32, bf16, q4_k ...: 1-D tensors of\n"
	    "                   block types, and what llama.cpp needs, are F32\n"
	    "  --keep-f32 GLOB  tensors with such names are F32; may be repeated\n"
	    "  --seed N         other values (default 1)\n"
	    "  --sparse         zeros, as holes in the file\n"
	    "  --walk           token u + 1 follows token u, whatever the quantization;\n"
	    "                   a directory in f32, of a dense shape with tied embedding\n"
	    "  --tokenizer N    add a tokenizer of about N bytes\n"
	    "  --shards N       directory: N files and an index\n"
	    "  --rows N, --cols N   of one-tensor\n"
	    "  -n, --check      write nothing, print the sums; OUT may be absent\n"
	    "  -h, --help\n"
	    "exit status: 0, 1 (cannot write), 2 (usage)\n", f);
	exit(f == stdout ? 0 : 2);
}

static uint64_t
number(const char *s, uint64_t min)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end != '\0' || errno != 0 || v < min ||
	    v > UINT64_C(1) << 40)
		die(2, "%s: not a number from %" PRIu64 " to 2^40", s, min);
	return v;
}

static int
kind_of(const char *out)
{
	static const char suffix[][16] = { ".apr", ".gguf", ".safetensors", "/" };
	size_t n = strlen(out);

	for (int i = APR; i <= DIR; i++) {
		size_t k = strlen(suffix[i]);
		if (n > k && strcmp(out + n - k, suffix[i]) == 0)
			return i;
	}
	die(2, "%s: want a name in .apr, .gguf, .safetensors or /", out);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "type", 1, 0, 't' }, { "keep-f32", 1, 0, 'k' },
		{ "seed", 1, 0, 's' }, { "sparse", 0, 0, 'z' },
		{ "walk", 0, 0, 'w' },
		{ "tokenizer", 1, 0, 'T' }, { "shards", 1, 0, 'S' },
		{ "rows", 1, 0, 'r' }, { "cols", 1, 0, 'c' },
		{ "check", 0, 0, 'n' }, { "help", 0, 0, 'h' }, { 0 }
	};
	struct shape *s = NULL;
	struct timespec t0, t1;
	const char *out;
	bool walk = false;
	double sec;
	int c, kind;

	opt.type = F16;
	while ((c = getopt_long(argc, argv, "hn", longs, NULL)) != -1)
		switch (c) {
		case 't':
			if ((opt.type = type_named(optarg)) == NULL)
				die(2, "%s: no such type here", optarg);
			break;
		case 'k':
			if (opt.nkeep == sizeof opt.keep / sizeof *opt.keep)
				die(2, "too many --keep-f32");
			opt.keep[opt.nkeep++] = optarg;
			break;
		case 's': opt.seed = number(optarg, 0); break;
		case 'z': opt.sparse = true; break;
		case 'w': walk = true; break;
		case 'T': opt.tokenizer = number(optarg, 1); break;
		case 'S': opt.shards = number(optarg, 1); break;
		case 'r': opt.rows = number(optarg, 1); break;
		case 'c': opt.cols = number(optarg, 1); break;
		case 'n': opt.check = true; break;
		case 'h': usage(stdout);
		default: usage(stderr);
		}
	if (argc - optind != 2 && !(opt.check && argc - optind == 1))
		usage(stderr);
	out = argv[optind + 1];			/* NULL: absent */
	kind = out ? kind_of(out) : APR;
	for (size_t i = 0; i < NSHAPES; i++)
		if (strcmp(argv[optind], shapes[i].name) == 0)
			s = &shapes[i];
	if (s == NULL)
		die(2, "%s: no such shape", argv[optind]);
	if ((s->parts == one) != (opt.rows && opt.cols) ||
	    (s->parts != one && (opt.rows || opt.cols)))
		die(2, "--rows and --cols belong to one-tensor");
	if (s->parts == one) {
		s->hidden = s->head_dim = opt.rows;
		s->ffn = opt.cols;
	}
	if (walk && (kind != DIR || opt.type != F32 || s->parts == one ||
	    s->flags & (MOE | UNTIED)))
		die(2, "--walk is for a directory in f32, dense and tied");
	opt.walk = walk ? s : NULL;
	if (opt.shards > 1 && kind != DIR)
		die(2, "--shards is for a directory");
	if (kind == APR ? apr_code(opt.type) < 0 : kind == GGUF ?
	    opt.type->ggml < 0 : opt.type->safetensors == NULL)
		die(2, "%s: the format has no %s", out ? out : ".apr",
		    opt.type->name);

	clock_gettime(CLOCK_MONOTONIC, &t0);
	add_all(s, kind);
	printf("%s: %zu tensors, %" PRIu64 " weights, %" PRIu64 " bytes of them\n",
	    s->name, ntensors, weights, payload);
	if (opt.check) {
		check(s);
		return 0;
	}
	switch (kind) {
	case APR: write_apr(s, out); break;
	case GGUF: write_gguf(s, out); break;
	case ST:
		qsort(tensors, ntensors, sizeof *tensors, by_shard);
		write_st("", out, tensors, ntensors);
		break;
	case DIR: write_dir(s, out); break;
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	sec = (double)(t1.tv_sec - t0.tv_sec) +
	    (double)(t1.tv_nsec - t0.tv_nsec) * 1e-9;
	printf("%s: %" PRIu64 " bytes, %.2f s, %.0f MB/s\n", out, written, sec,
	    (double)written / 1e6 / sec);
	return 0;
}
