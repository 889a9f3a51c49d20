/* SPDX-License-Identifier: MIT */
/*
 * arch.h -- what kind of model it is, and what its parts are called and how
 * they lie in each of three conventions: Hugging Face's, GGUF's, aprender's.
 *
 * One table an architecture in lib/arch; nothing here reads a weight but the
 * two functions that change values.  Names, keys and layouts are those of
 * llama.cpp's converter and of `apr import`.
 */
#ifndef APR_ARCH_H
#define APR_ARCH_H

#include <apr/manifest.h>
#include <apr/shuffle.h>
#include <apr/vocab.h>

enum arch_conv { ARCH_HF, ARCH_GGUF, ARCH_APR };

/* "hf", "gguf", "apr"; -1: none of them. */
int	arch_conv_by_name(const char *);
const char *arch_conv_name(enum arch_conv);
/* "llama, qwen2, ...": what general.architecture may be. */
const char *arch_known(void);

/* A model's architecture and its hyper-parameters. */
struct arch_model;

/*
 * What a source says about itself: "hf" is the text of config.json, "gguf"
 * and "apr" are their metadata as JSON (a manifest's view will do).
 * NULL: the text does not say what the architecture is, or it is not known
 * (*unknown is set then), or a hyper-parameter makes no sense.
 */
struct arch_model *arch_open(const char *source, const void *json, size_t n,
	    bool *unknown, struct err *);
void	arch_close(struct arch_model *);
/* GGUF's general.architecture. */
const char *arch_gguf(const struct arch_model *);
/* Which of a directory's tokenizer files count. */
enum vocab_family arch_family(const struct arch_model *);

/* "Qwen3 MoE, 30.5 B parameters, 3.35 B active, Q4_K_M 4.83 bpw, 18.6 GB"
 * onto a buffer; nothing if the manifest does not say what it is. */
int	arch_describe(const struct manifest *, struct buf *, struct err *) APR_MUSTCHECK;

/*
 * What a tensor called `name` in one convention is called in GGUF, which is
 * also its role: rules, mixes and importance go by it.  One expert of many is
 * called as the stack that it is part of; *expert is its number or -1.
 * False: no tensor of this architecture has that name.
 */
bool	arch_gguf_name(const struct arch_model *, enum arch_conv from,
	    const char *name, char gguf[TENSOR_NAME + 1], long *expert);

/* Where in the tensor of that GGUF name another convention's is. */
struct arch_place {
	long		 expert;	/* one of a stack, or -1 */
	unsigned	 part, parts;	/* rows of a fused one: which, of how many */
	unsigned	 stacks;	/* it is itself so many of GGUF's, fused */
};
/* The same, in full; an empty name: known, and not part of the model. */
bool	arch_role(const struct arch_model *, enum arch_conv from, const char *name,
	    char gguf[TENSOR_NAME + 1], struct arch_place *);

/* Hyper-parameters in config.json's newest words, defaults filled in:
 * "rope_parameters.rope_theta"; flags are 0 and 1. */
bool	arch_real(const struct arch_model *, const char *word, double *);
const char *arch_string(const struct arch_model *, const char *word);
size_t	arch_array(const struct arch_model *, const char *word);	/* its length */
bool	arch_element(const struct arch_model *, const char *word, size_t k, double *);
const char *arch_element_string(struct arch_model *, const char *word, size_t k);
/*
 * Give every tensor of a manifest its role, so that rules need not know whose
 * names it has.  1: the names are GGUF's, or are known; 0: they are nobody's,
 * and nothing was done; -1.  Only the first call works.
 */
int	arch_roles(struct manifest *, struct err *) APR_MUSTCHECK;
/* A manifest's model, by what its metadata show; NULL as arch_open(). */
struct arch_model *arch_of(const struct manifest *, bool *unknown, struct err *);
/* block_count and the like, as GGUF's key says it (behind the architecture's
 * name); false: the model does not say. */
bool	arch_number(const struct arch_model *, const char *key, uint64_t *);

/* Is a key of GGUF's only what transformers supposes where nothing is said? */
bool	arch_presumed(const struct arch_model *, const char *key);

/* What happens to each value on the way. */
enum arch_value { VALUE_SAME, VALUE_PLUS_1, VALUE_MINUS_1, VALUE_NEG_EXP, VALUE_LOG_NEG };

/*
 * Tensors that belong together: all of one side become all of the other.
 * Both sides are thought of as one run of bytes, tensor behind tensor, in the
 * type `to`; the shuffle leads from one to the other.
 */
struct arch_group {
	const struct type	*from, *to;	/* differ only if plain */
	enum arch_value		 value;
	struct shuffle		 sh;
	const unsigned char	*data;		/* made, not read; sh.total bytes */
};

/* One tensor's part of a group's run. */
struct arch_part {
	uint32_t	 group;		/* ARCH_LEFT_OUT, or into group */
	uint64_t	 at;		/* in type `to` */
};
#define ARCH_LEFT_OUT	UINT32_MAX

struct arch_map {
	struct arena		 arena;		/* made names and data */
	struct tensor		*out;		size_t nout;
	struct arch_part	*of;		/* one an out */
	struct arch_part	*in;		/* one a source tensor */
	size_t			 nin;
	struct arch_group	*group;		size_t ngroup;
	size_t			 left;		/* sources that have no place */
	const char		*left_name;	/* one of them */
};

/*
 * From a manifest's tensors to those of another convention, in the order of
 * the first source of each; stacked experts have their last one's shard.
 * Into GGUF, types that converters fix are fixed, and nothing is narrowed.
 * Names are borrowed from the manifest or live in the map.  Fails where a
 * part is missing, or a packed type cannot be taken apart.
 */
struct arch_map *arch_map_new(const struct arch_model *, const struct manifest *,
	    enum arch_conv from, enum arch_conv to, struct err *);
void	arch_map_free(struct arch_map *);

/* The converter's order of tensors that have GGUF names: sorts `which`, n
 * indices into t; t[i].shard counts. */
int	arch_order_convert(const struct arch_model *, const struct tensor *t,
	    size_t *which, size_t n, struct err *) APR_MUSTCHECK;

/* n values, from one plain type to another. */
void	arch_values(const struct arch_group *, void *dst, const void *src, size_t n);

/* What travels with a model and says something about it; NULL: not there. */
struct arch_about {
	const char		*name;		/* the folder's */
	const char		*readme, *generation;	/* texts of the files */
	size_t			 nreadme, ngeneration;
	const struct tensor	*t;		/* under GGUF's names */
	size_t			 nt;
};

/* A key as GGUF has it: type as manifests spell it, value as JSON. */
typedef int arch_put_key(void *ctx, const char *key, const char *type, const char *value,
    struct err *);

/* All keys but the tokenizer's, in the converter's order; general.file_type
 * says what most tensors are. */
int	arch_put_keys(const struct arch_model *, const struct arch_about *, arch_put_key *,
	    void *ctx, struct err *) APR_MUSTCHECK;

/*
 * What aprender reads of a model that was no .apr: members of its metadata in
 * aprender's order, without braces; elements: of all tensors, a tied one too.
 * source_metadata: a safetensors file's __metadata__, JSON, or NULL.
 */
int	arch_put_apr(const struct arch_model *, const struct manifest *m, const char *name,
	    const char *original_format, uint64_t elements, bool tied,
	    const char *source_metadata, struct buf *, struct err *) APR_MUSTCHECK;
/* Is the output the embedding, though no tensor says so? */
bool	arch_is_tied(const struct arch_model *, const struct manifest *m, enum arch_conv);

/*
 * Files of a directory that transformers loads, from a model that was none.
 * `file` is config.json, generation_config.json or README.md (then it may
 * stay empty: there is nothing to say).  m is the source's manifest, under
 * the names of conv.
 */
int	arch_put_file(struct arch_model *, const struct manifest *m, enum arch_conv conv,
	    const char *file, struct buf *, struct err *) APR_MUSTCHECK;
/* A tensor that config.json holds instead of a file: rope_freqs.weight and
 * the like; its values, F32, before config.json is made. */
bool	arch_in_config(const char *name);
int	arch_set_config(struct arch_model *, const char *name, const void *f32, size_t bytes,
	    struct err *) APR_MUSTCHECK;

#endif
