/* SPDX-License-Identifier: MIT */
/* vocabulary.c -- which of a source's many places has the tokenizer. */
#include <string.h>

#include <apr/arch.h>
#include <apr/vocabulary.h>

static enum vocab_family
family(const char *arch)
{
	static const struct { const char *arch; enum vocab_family f; } known[] = {
		{ "llama", VOCAB_FAMILY_LLAMA }, { "granite", VOCAB_FAMILY_LLAMA },
		{ "qwen2", VOCAB_FAMILY_QWEN }, { "qwen3", VOCAB_FAMILY_QWEN },
		{ "gemma", VOCAB_FAMILY_GEMMA }, { "gemma2", VOCAB_FAMILY_GEMMA },
		{ "gemma3", VOCAB_FAMILY_GEMMA3 }, { "phi3", VOCAB_FAMILY_PHI3 },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(known[i].arch, arch))
			return known[i].f;
	return VOCAB_FAMILY_BPE;
}

static int
from_files(struct vocab *v, const struct vocab_file *file, size_t n, struct err *e)
{
	enum vocab_family f = VOCAB_FAMILY_BPE;
	struct arch_model *m = NULL;
	struct err no;
	bool unknown;
	int r;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(file[i].name, "config.json"))
			m = arch_open("hf", file[i].p, file[i].n, &unknown, &no);
	if (m)
		f = family(arch_gguf(m));
	r = vocab_from_hf(v, file, n, f, 0, e);
	arch_close(m);
	return r;
}

static int
from_header(struct vocab *v, struct weights *w, const unsigned char *p, size_t n,
    struct err *e)
{
	const struct format *f = format_by_name(w->m->source ? w->m->source : "");
	struct header h = { 0 };
	struct manifest *scratch;
	struct buf copy = { 0 };
	int r = -1;

	if (!f)
		return 0;
	buf_put(&copy, p, n);
	if (buf_check(&copy, e) < 0)
		return -1;
	if (!(scratch = manifest_new(e))) {
		buf_release(&copy);
		return -1;
	}
	if (header_parse_mem(&h, f, &copy, scratch, 0, e) == 0)
		r = header_vocab(&h, v, e);
	header_release(&h);
	manifest_free(scratch);
	return r;
}

int
vocabulary_read(struct vocab *v, struct weights *w, struct err *e)
{
	static const char *const names[] = {
		"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model",
		"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
		"chat_template.jinja", "chat_template.json", "vocab.json", "merges.txt",
	};
	enum { N = sizeof names / sizeof *names };
	struct vocab_file file[N];
	const unsigned char *p;
	bool bad, any = false;
	size_t n = 0, len;

	for (size_t i = 0; i < N; i++) {
		p = weights_file(w, names[i], &len, &bad, e);
		if (bad)
			return -1;
		if (!p)
			continue;
		file[n++] = (struct vocab_file){ names[i], p, len };
		any |= i == 2 || i == 3 || i == 9;
	}
	if (any)
		return from_files(v, file, n, e);
	p = weights_file(w, ".source/header", &len, &bad, e);
	if (!p && !bad)
		p = weights_file(w, ".source/header.00001", &len, &bad, e);
	return bad ? -1 : p ? from_header(v, w, p, len, e) : 0;
}
