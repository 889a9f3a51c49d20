/* SPDX-License-Identifier: MIT */
/* words.c -- hyper-parameters by config.json's words, and roles in full. */
#include <string.h>

#include "arch.h"

bool
arch_real(const struct arch_model *m, const char *word, double *v)
{
	const struct doc_item *i = doc_find(&m->doc, word);

	if (i && (i->kind == JSON_TRUE || i->kind == JSON_FALSE)) {
		*v = i->kind == JSON_TRUE;
		return true;
	}
	return i && doc_double(&m->doc, word, v);
}

const char *
arch_string(const struct arch_model *m, const char *word)
{
	return doc_string(&m->doc, word);
}

size_t
arch_array(const struct arch_model *m, const char *word)
{
	return doc_array(&m->doc, word);
}

bool
arch_element(const struct arch_model *m, const char *word, size_t k, double *v)
{
	return doc_element(&m->doc, word, k, v);
}

const char *
arch_element_string(struct arch_model *m, const char *word, size_t k)
{
	return doc_element_string(&m->doc, word, k);
}

bool
arch_role(const struct arch_model *m, enum arch_conv from, const char *name,
    char gguf[TENSOR_NAME + 1], struct arch_place *p)
{
	struct arch_hit h;

	*p = (struct arch_place){ .expert = -1, .parts = 1 };
	*gguf = '\0';
	if (!arch_match(m, from, name, &h))
		return arch_passed_over(m, name);
	if (!h.row->gguf)
		return true;
	p->expert = h.expert;
	if (from != ARCH_GGUF) {
		p->part = h.part;
		p->parts = arch_parts_of(arch_pattern(h.row, from));
		p->stacks = arch_parts_of(h.row->gguf);
		h.part = 0;
	}
	arch_spell(m, ARCH_GGUF, &h, gguf);
	return true;
}
