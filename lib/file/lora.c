/* SPDX-License-Identifier: MIT */
/* lora.c -- PEFT's adapters: configuration, names, factors. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/json.h>
#include <apr/lora.h>
#include <apr/size.h>
#include <apr/source.h>

enum { PATTERNS = 4096, CONFIG = 1 << 24, TILE = 512 };

struct pattern {
	char	*name;
	double	 alpha;
};

/* One changed weight. */
struct change {
	char		*name;		/* of its module, "" before that */
	const struct tensor *a, *b;	/* factors, or */
	const struct tensor *whole;	/* a new value */
	const struct tensor *base;	/* a new value, to which they are added */
	bool		 embedding;	/* a, b are [r, rows], [cols, r] */
	float		*va, *vb, *vbase;	/* decoded */
	size_t		 rank;
	double		 scale;
};

struct lora {
	double		 alpha;
	bool		 rslora, turned, lora;
	struct pattern	*pattern;	size_t npattern;
	struct source	*source;
	struct change	*change;	size_t nchange;
	size_t		*of;		/* by the model's tensor: 1 + change, or 0 */
	size_t		 nof;
	/* While the configuration is read. */
	int		 depth, key;
};

enum { KEY_NONE, KEY_ALPHA, KEY_RSLORA, KEY_FAN, KEY_DORA, KEY_TYPE, KEY_BIAS, KEY_PATTERN,
	KEY_OTHER };

static const struct { const char *name; int key; } keys[] = {
	{ "lora_alpha", KEY_ALPHA }, { "use_rslora", KEY_RSLORA },
	{ "fan_in_fan_out", KEY_FAN }, { "use_dora", KEY_DORA }, { "peft_type", KEY_TYPE },
	{ "lora_bias", KEY_BIAS }, { "alpha_pattern", KEY_PATTERN }, { "use_qalora", KEY_OTHER },
	{ "use_bdlora", KEY_OTHER }, { "arrow_config", KEY_OTHER }, { "target_parameters", KEY_OTHER },
	{ "trainable_token_indices", KEY_OTHER }, { "megatron_config", KEY_OTHER },
};

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct lora *l = ctx;
	int key = l->key;

	if (ev == JSON_KEY) {
		if (l->depth == 1) {
			l->key = KEY_NONE;
			for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
				if (strlen(keys[i].name) == n && !memcmp(s, keys[i].name, n))
					l->key = keys[i].key;
		} else if (l->depth == 2 && key == KEY_PATTERN) {
			struct pattern *p;

			if (array_room(&l->pattern, l->npattern, sizeof *p, e) < 0)
				return -1;
			p = &l->pattern[l->npattern];
			if (!(p->name = strndup(s, n)))
				return err_set(e, "out of memory");
			p->alpha = NAN;
			l->npattern++;
			if (l->npattern > PATTERNS)
				return err_set(e, "alpha_pattern: more than %d entries", PATTERNS);
		}
		return 0;
	}
	l->depth += (ev == JSON_OBJECT || ev == JSON_ARRAY) -
	    (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END);
	if (l->depth == 2 && key == KEY_PATTERN && ev == JSON_NUMBER && l->npattern > 0)
		l->pattern[l->npattern - 1].alpha = strtod(s, NULL);
	if (l->depth != 1)
		return 0;
	if (key == KEY_ALPHA && ev == JSON_NUMBER)
		l->alpha = strtod(s, NULL);
	if (key == KEY_RSLORA)
		l->rslora = ev == JSON_TRUE;
	if (key == KEY_FAN)
		l->turned = ev == JSON_TRUE;
	if (key == KEY_TYPE && ev == JSON_STRING)
		l->lora = n == 4 && !memcmp(s, "LORA", 4);
	if ((key == KEY_DORA || key == KEY_BIAS) && ev == JSON_TRUE)
		return err_set(e, "%s is not merged here", key == KEY_DORA ? "DoRA" : "lora_bias");
	if (key == KEY_OTHER && ev == JSON_TRUE)
		return err_set(e, "it asks for what is not merged here");
	return 0;
}

static int
read_config(struct lora *l, const char *path, struct err *e)
{
	struct buf b = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = -1;
	struct in *in = NULL;
	const unsigned char *p;
	size_t n;

	if (fd < 0)
		return err_sys(e, "%s", path);
	if ((in = in_open(fd, e))) {
		while ((r = in_some(in, 65536, &p, &n, e)) > 0 && b.len <= CONFIG)
			buf_put(&b, p, n);
		if (r > 0)
			r = err_set(e, "more than %d bytes", CONFIG);
		if (r == 0 && (r = buf_check(&b, e)) == 0)
			r = json_text("the configuration", b.p, b.len, event, l, e);
	}
	in_close(in);
	close(fd);
	buf_release(&b);
	if (r == 0 && !l->lora)
		r = err_set(e, "peft_type is not LORA");
	if (r == 0 && !isfinite(l->alpha))
		r = err_set(e, "lora_alpha is no number");
	/* PEFT takes these for regular expressions. */
	for (size_t i = 0; r == 0 && i < l->npattern; i++)
		if (!isfinite(l->pattern[i].alpha) || strpbrk(l->pattern[i].name, "*+?[](){}|\\^$"))
			r = err_set(e, "alpha_pattern: \"%.200s\" is not a plain name with a number",
			    l->pattern[i].name);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

static bool
ends(const char *s, const char *with, size_t *head)
{
	size_t n = strlen(s), k = strlen(with);

	if (n < k || strcmp(s + n - k, with))
		return false;
	*head = n - k;
	return true;
}

static struct change *
change_of(struct lora *l, const char *name, size_t n, struct err *e)
{
	struct change *c;

	for (size_t i = 0; i < l->nchange; i++)
		if (strlen(l->change[i].name) == n && !memcmp(l->change[i].name, name, n))
			return &l->change[i];
	if (array_room(&l->change, l->nchange, sizeof *c, e) < 0)
		return NULL;
	c = &l->change[l->nchange];
	*c = (struct change){ .name = strndup(name, n) };
	if (!c->name) {
		err_set(e, "out of memory");
		return NULL;
	}
	l->nchange++;
	return c;
}

/* Each part of a change once: names may differ and mean the same. */
static int
part(const struct tensor **of, const struct tensor *t, struct err *e)
{
	if (*of)
		return err_set(e, "%s and %s are the same part of a change", (*of)->name, t->name);
	*of = t;
	return 0;
}

/* "base_model.model.MODULE.lora_A.weight" and so on. */
static int
sort_tensor(struct lora *l, const struct tensor *t, struct err *e)
{
	static const char prefix[] = "base_model.model.";
	static const struct { const char *tail; char what; } tails[] = {
		{ ".lora_A.weight", 'a' }, { ".lora_B.weight", 'b' },
		{ ".lora_A.default.weight", 'a' }, { ".lora_B.default.weight", 'b' },
		{ ".lora_embedding_A", 'A' }, { ".lora_embedding_B", 'B' },
		{ ".lora_embedding_A.default", 'A' }, { ".lora_embedding_B.default", 'B' },
	};
	const char *name = strncmp(t->name, prefix, sizeof prefix - 1) ? t->name :
	    t->name + sizeof prefix - 1;
	struct change *c;
	size_t head;

	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		if (!ends(name, tails[i].tail, &head))
			continue;
		if (!(c = change_of(l, name, head, e)))
			return -1;
		if (t->ndim != 2)
			return err_set(e, "%s: a factor has two dimensions", t->name);
		c->embedding |= tails[i].what < 'a';
		return part((tails[i].what | 32) == 'a' ? &c->a : &c->b, t, e);
	}
	/* PEFT saves embeddings that have factors with them. */
	if (ends(name, ".base_layer.weight", &head)) {
		if (!(c = change_of(l, name, head, e)))
			return -1;
		return part(&c->base, t, e);
	}
	if (strstr(name, ".lora_"))
		return err_set(e, "%s: is not merged here", t->name);
	/* modules_to_save, and biases: the value itself. */
	if (!(c = change_of(l, name, strlen(name), e)))
		return -1;
	return part(&c->whole, t, e);
}

static int
load_values(struct lora *l, const struct tensor *t, float **out, struct err *e)
{
	type_decode *decode = type_decoder(t->type);
	const void *p;
	size_t bytes;

	if (!decode || !(t->type->flags & TYPE_PLAIN))
		return err_set(e, "%s: %s is no type of an adapter", t->name, t->type->name);
	if (size_mul(&bytes, (size_t)t->n, sizeof **out) || !(*out = malloc(bytes + 1)))
		return err_set(e, "out of memory");
	if (t->n == 0)
		return 0;
	if (!(p = source_map(l->source, t, e)))
		return -1;
	decode(*out, p, (size_t)t->n);
	return 0;
}

static double
alpha_of(const struct lora *l, const char *module)
{
	size_t head;

	for (size_t i = 0; i < l->npattern; i++)
		if (ends(module, l->pattern[i].name, &head) && (head == 0 || module[head - 1] == '.'))
			return l->pattern[i].alpha;
	return l->alpha;
}

static int
complete(struct lora *l, struct change *c, struct err *e)
{
	double alpha = alpha_of(l, c->name);

	if (c->whole && (c->a || c->b))
		return err_set(e, "%s: has both factors and a value", c->name);
	if (c->whole)
		return load_values(l, c->whole, &c->va, e);
	if (!c->a || !c->b)
		return err_set(e, "%s: lora_%c is missing", c->name, c->a ? 'B' : 'A');
	c->rank = (size_t)c->a->dim[0];
	if (c->rank == 0 || c->b->dim[1] != c->rank)
		return err_set(e, "%s: lora_A is of rank %" PRIu64 ", lora_B of %" PRIu64, c->name,
		    c->a->dim[0], c->b->dim[1]);
	c->scale = alpha / (l->rslora ? sqrt((double)c->rank) : (double)c->rank);
	if (c->base && load_values(l, c->base, &c->vbase, e) < 0)
		return -1;
	return load_values(l, c->a, &c->va, e) < 0 || load_values(l, c->b, &c->vb, e) < 0 ? -1 : 0;
}

struct lora *
lora_open(const char *dir, struct err *e)
{
	struct lora *l = calloc(1, sizeof *l);
	char *path = malloc(strlen(dir) + 64);
	const struct manifest *m;

	if (!l || !path) {
		err_set(e, "out of memory");
		goto fail;
	}
	l->alpha = NAN;
	sprintf(path, "%s/adapter_config.json", dir);
	if (read_config(l, path, e) < 0)
		goto fail;
	sprintf(path, "%s/adapter_model.safetensors", dir);
	if (!(l->source = source_open(&path, 1, e)))
		goto fail;
	m = source_manifest(l->source);
	for (size_t i = 0; i < m->ntensor; i++)
		if (sort_tensor(l, &m->tensor[i], e) < 0)
			goto fail;
	if (l->nchange == 0) {
		err_set(e, "%s: changes nothing", path);
		goto fail;
	}
	for (size_t i = 0; i < l->nchange; i++)
		if (complete(l, &l->change[i], e) < 0)
			goto fail;
	free(path);
	return l;
fail:
	free(path);
	lora_free(l);
	return NULL;
}

void
lora_free(struct lora *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->nchange; i++) {
		free(l->change[i].name);
		free(l->change[i].va);
		free(l->change[i].vb);
		free(l->change[i].vbase);
	}
	for (size_t i = 0; i < l->npattern; i++)
		free(l->pattern[i].name);
	source_close(l->source);
	free(l->change);
	free(l->pattern);
	free(l->of);

	free(l);
}

/* The tensor that a module's weight (or a value's name) is, with or without
 * the model's own prefix; SIZE_MAX: none. */
static size_t
find(const struct names *names, const struct change *c)
{
	static const char *const prefixes[] = { "", "transformer.", "model." };
	char name[TENSOR_NAME + 16];
	size_t i = SIZE_MAX;

	for (size_t k = 0; i == SIZE_MAX && k < sizeof prefixes / sizeof *prefixes; k++) {
		size_t n = strlen(prefixes[k]);

		if (strncmp(c->name, prefixes[k], n))
			continue;
		snprintf(name, sizeof name, "%s%s", c->name + n, c->whole ? "" : ".weight");
		i = names_find(names, name);
	}
	return i;
}

static int
fits(const struct lora *l, const struct change *c, const struct tensor *t, struct err *e)
{
	uint64_t rows, cols, r = t->ndim ? t->dim[0] : 0, k = t->ndim ? t->dim[t->ndim - 1] : 0;
	char a[192], b[192];

	if (t->tied_to)
		return err_set(e, "%s: is tied to %s: without one of its own it cannot change",
		    t->name, t->tied_to);
	if (c->whole || (c->base && !tensor_same_shape(c->base, t)))
		return tensor_same_shape(c->whole ? c->whole : c->base, t) ? 0 : err_set(e, "%s: shape %s, the"
		    " adapter's is %s", t->name, tensor_shape(t, a, sizeof a),
		    tensor_shape(c->whole ? c->whole : c->base, b, sizeof b));
	/* B A is [out, in]; an embedding's is turned, as are Conv1D's. */
	rows = c->b->dim[0];
	cols = c->a->dim[1];
	if (c->embedding || l->turned) {
		rows = c->a->dim[1];
		cols = c->b->dim[0];
	}
	if (t->ndim != 2 || r != rows || k != cols)
		return err_set(e, "%s: shape %s, the adapter's is [%" PRIu64 ", %" PRIu64 "]",
		    t->name, tensor_shape(t, a, sizeof a), rows, cols);
	return 0;
}

int
lora_bind(struct lora *l, const struct manifest *m, struct err *e)
{
	struct names *names = names_new(m->ntensor, e);
	int r = names ? 0 : -1;

	if (r == 0 && !(l->of = calloc(m->ntensor + 1, sizeof *l->of)))
		r = err_set(e, "out of memory");
	l->nof = m->ntensor;
	for (size_t i = 0; r == 0 && i < m->ntensor; i++)
		if (names_add(names, m->tensor[i].name, i, NULL, e) < 0)
			r = -1;
	for (size_t k = 0; r == 0 && k < l->nchange; k++) {
		size_t i = find(names, &l->change[k]);

		if (i == SIZE_MAX)
			r = err_set(e, "%s: the model has no such tensor%s", l->change[k].name,
			    m->convention && !strcmp(m->convention, "gguf") ?
			    " (its names are GGUF's; apr-cat --as hf)" : "");
		else if (l->of[i])
			r = err_set(e, "%s: two parts of the adapter change it", m->tensor[i].name);
		else if ((r = fits(l, &l->change[k], &m->tensor[i], e)) == 0)
			l->of[i] = k + 1;
	}
	names_free(names);
	return r;
}

bool
lora_changes(const struct lora *l, size_t i)
{
	return i < l->nof && l->of[i] > 0;
}

size_t
lora_count(const struct lora *l)
{
	return l->nchange;
}

void
lora_row(struct lora *l, size_t i, uint64_t row, float *x, size_t cols)
{
	const struct change *c = &l->change[l->of[i] - 1];
	bool turned = !c->whole && (c->embedding || l->turned);
	size_t of_a = c->whole ? 0 : (size_t)c->a->dim[1];
	double sum[TILE];

	if (c->whole) {
		memcpy(x, c->va + row * cols, cols * sizeof *x);
		return;
	}
	if (c->base)
		memcpy(x, c->vbase + row * cols, cols * sizeof *x);
	for (size_t j = 0, n; j < cols; j += n) {
		n = cols - j < TILE ? cols - j : TILE;
		memset(sum, 0, n * sizeof *sum);
		/* Every sum over k, in its order. */
		for (size_t k = 0; k < c->rank && !turned; k++) {
			const float *a = c->va + k * of_a + j;
			double b = (double)c->vb[row * c->rank + k];

			for (size_t q = 0; q < n; q++)
				sum[q] += b * (double)a[q];
		}
		for (size_t q = 0; q < n && turned; q++)
			for (size_t k = 0; k < c->rank; k++)
				sum[q] += (double)c->vb[(j + q) * c->rank + k] *
				    (double)c->va[k * of_a + row];
		for (size_t q = 0; q < n; q++)
			x[j + q] = (float)((double)x[j + q] + c->scale * sum[q]);
	}
}
