/* SPDX-License-Identifier: MIT */
/*
 * hf_post.c -- what tokenizer.json's post_processor adds to a text, as the
 * three flags that GGUF has for it.  Simple templates alone can be told, as
 * converters tell them.
 */
#include <string.h>

#include "hf.h"

static bool
eq(struct string a, struct string b)
{
	return a.s && b.s && a.n == b.n && !memcmp(a.s, b.s, a.n);
}

static struct string
part(const struct node *d, const char *kind)
{
	const struct node *id = node_get(node_get(d, kind), "id");

	return node_str(id) && id->n > 0 ? (struct string){ id->s, id->n } :
	    (struct string){ NULL, 0 };
}

/* Strings here outlive the tree: they are looked up among added tokens. */
static void
assign(struct hf *h, enum vocab_special which, struct string s)
{
	char *p = s.s ? arena_strn(&h->v->arena, s.s, s.n) : NULL;

	if (p || !s.s)
		h->special[which] = (struct string){ p, s.n };
}

static size_t
items(const struct node *list, const struct node **first, const struct node **last)
{
	size_t n = 0;

	*first = *last = NULL;
	if (!list || list->type != JSON_ARRAY)
		return 0;
	for (const struct node *d = list->child; d; d = d->next, n++) {
		if (!*first)
			*first = d;
		*last = d;
	}
	return n;
}

/* The text's end, as a single one shows it. */
static void
ending(struct hf *h, struct string last)
{
	if (!h->config) {
		assign(h, VOCAB_EOS, last);
	} else if (!eq(last, h->special[VOCAB_EOS])) {
		/* What ended texts so far ends a turn. */
		enum vocab_special old = h->special[VOCAB_EOT].s ? VOCAB_EOM : VOCAB_EOT;

		if (!h->special[old].s)
			h->special[old] = h->special[VOCAB_EOS];
		assign(h, VOCAB_EOS, last);
	}
	vocab_flag(h->v, VOCAB_KEY_ADD_EOS, true);
}

/* Between A and B, a separator?  It is one if it is sep or eos, and texts do
 * not end with one anyway. */
static void
between(struct hf *h, const struct node *a, const struct node *b, struct string last)
{
	struct string x[2] = { { NULL, 0 }, { NULL, 0 } };
	bool sep[2] = { false, false };
	size_t n = 0;

	for (const struct node *d = a->next; d && d != b; d = d->next, n++)
		if (n < 2)
			x[n] = part(d, "SpecialToken");
	if (n == 0)
		return;
	for (size_t i = 0; i < 2; i++)
		sep[i] = eq(x[i], h->special[VOCAB_SEP]) || eq(x[i], h->special[VOCAB_EOS]);
	sep[0] = (sep[0] && !last.s) || (n == 2 && sep[1]);
	vocab_flag(h->v, VOCAB_KEY_ADD_SEP, sep[0]);
	if (sep[0] && !h->special[VOCAB_SEP].s)
		h->special[VOCAB_SEP] = h->special[VOCAB_EOS];
}

static void
template(struct hf *h, const struct node *d)
{
	const struct node *a, *b, *p;
	struct string first = { NULL, 0 }, last = { NULL, 0 }, id;

	if (items(node_get(d, "single"), &a, &b) > 1) {
		first = part(a, "SpecialToken");
		last = part(b, "SpecialToken");
	}
	if (first.s) {
		if (!h->config || (!h->special[VOCAB_BOS].s && !h->special[VOCAB_CLS].s))
			assign(h, VOCAB_BOS, first);
		vocab_flag(h->v, VOCAB_KEY_ADD_BOS, eq(first, h->special[VOCAB_BOS]) ||
		    eq(first, h->special[VOCAB_CLS]));
	}
	if (last.s)
		ending(h, last);
	if (items(node_get(d, "pair"), &a, &b) == 0)
		return;
	if (first.s && eq(part(a, "SpecialToken"), first))
		a = a->next;
	if (last.s && a && eq(part(b, "SpecialToken"), last)) {
		for (p = a; p != b && p->next != b; p = p->next)
			;
		b = p;
	}
	if (!a || a == b)
		return;
	id = part(a, "Sequence");
	if (!eq(id, (struct string){ "A", 1 }))
		return;
	id = part(b, "Sequence");
	if (eq(id, (struct string){ "B", 1 }))
		between(h, a, b, last);
}

static struct string
first_of(const struct node *d, const char *key)
{
	const struct node *list = node_get(d, key);

	return list && list->type == JSON_ARRAY && node_str(list->child) ?
	    (struct string){ list->child->s, list->child->n } : (struct string){ NULL, 0 };
}

static void
roberta(struct hf *h, const struct node *d)
{
	vocab_flag(h->v, VOCAB_KEY_ADD_BOS, true);
	vocab_flag(h->v, VOCAB_KEY_ADD_EOS, true);
	vocab_flag(h->v, VOCAB_KEY_ADD_SEP, true);
	if (!h->config)
		return;
	if (!h->special[VOCAB_CLS].s)
		assign(h, VOCAB_CLS, first_of(d, "cls"));
	if (!h->special[VOCAB_SEP].s)
		assign(h, VOCAB_SEP, first_of(d, "sep"));
}

static void
one(struct hf *h, const struct node *d)
{
	const struct node *type = node_get(d, "type");

	if (node_is(type, "ByteLevel")) {
		if (h->v->add_bos < 0)
			vocab_flag(h->v, VOCAB_KEY_ADD_BOS, false);
		if (h->v->add_eos < 0)
			vocab_flag(h->v, VOCAB_KEY_ADD_EOS, false);
	} else if (node_is(type, "TemplateProcessing")) {
		template(h, d);
	} else if (node_is(type, "RobertaProcessing"))
		roberta(h, d);
}

void
hf_post(struct hf *h, const struct node *d)
{
	const struct node *list = node_get(d, "processors");

	if (!list) {
		one(h, d);
		return;
	}
	for (d = list->child; d; d = d->next)
		one(h, d);
}
