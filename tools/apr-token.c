/* SPDX-License-Identifier: MIT */
/* apr-token -- text to a model's ids, and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/token.h>
#include <apr/vocabulary.h>

#include "text.h"
#include "tool.h"

const char usage_text[] =
    "usage: apr-token [options] model <text >ids\n"
    "       apr-token -d [options] model <ids >text\n"
    "  -d, --decode          ids to text\n"
    "  -l, --lines           each line by itself\n"
    "      --pieces          an id and its text a line\n"
    "      --chat FILE       messages (JSON) through the model's template\n"
    "      --text            of --chat: the text, not the ids\n"
    "      --template FILE   another template\n"
    "      --no-bos          none before or behind\n"
    "      --no-parse-special  \"<|im_end|>\" is text\n"
    "      --show-special    when decoding\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_PIECES = OPT_OWN, OPT_CHAT, OPT_TEXT, OPT_TEMPLATE, OPT_NO_BOS, OPT_NO_SPECIAL, OPT_SHOW };

static const struct option options[] = {
	{ "decode",           no_argument,       NULL, 'd' },
	{ "lines",            no_argument,       NULL, 'l' },
	{ "pieces",           no_argument,       NULL, OPT_PIECES },
	{ "chat",             required_argument, NULL, OPT_CHAT },
	{ "text",             no_argument,       NULL, OPT_TEXT },
	{ "template",         required_argument, NULL, OPT_TEMPLATE },
	{ "no-bos",           no_argument,       NULL, OPT_NO_BOS },
	{ "no-parse-special", no_argument,       NULL, OPT_NO_SPECIAL },
	{ "show-special",     no_argument,       NULL, OPT_SHOW },
	TOOL_OPTIONS
};

static bool lines, pieces, text_only;
static unsigned flags, shown;

static void
open_file(const char *path, struct buf *b)
{
	if (strcmp(path, "-"))
		text_read(path, b);
	else
		text_rest(stdin, path, b);
}

static void
print_pieces(const struct tokenizer *t, const struct ids *ids)
{
	for (size_t i = 0; i < ids->n; i++) {
		struct buf b = { 0 }, json = { 0 };
		struct detokenizer *d;
		struct err e;

		if (!(d = detokenizer_new(t, DETOKEN_SPECIAL, &e)) ||
		    detokenizer_put(d, ids->p[i], &b, &e) < 0 || detokenizer_end(d, &b, &e) < 0)
			die("%s", e.msg);
		buf_json(&json, b.p, b.len);
		buf_put(&json, "", 1);
		if (buf_check(&json, &e) < 0)
			die("%s", e.msg);
		printf("%d\t%s\n", ids->p[i], (char *)json.p);
		detokenizer_free(d);
		buf_release(&b);
		buf_release(&json);
	}
}

/* "5 17 2": by hand, for there may be millions. */
static void
print_ids(const struct ids *ids)
{
	char out[16384], digits[12], *p = out;

	for (size_t i = 0; i < ids->n; i++) {
		unsigned v = (unsigned)ids->p[i], k = 0;

		if (p + sizeof digits > out + sizeof out) {
			fwrite(out, 1, (size_t)(p - out), stdout);
			p = out;
		}
		if (i)
			*p++ = ' ';
		do
			digits[k++] = (char)('0' + v % 10);
		while (v /= 10);
		while (k)
			*p++ = digits[--k];
	}
	*p++ = '\n';
	fwrite(out, 1, (size_t)(p - out), stdout);
}

static void
encode(struct tokenizer *t, const char *s, size_t n, unsigned how)
{
	struct ids ids = { 0 };
	struct err e;

	if (tokenizer_encode(t, s, n, how, &ids, &e) < 0)
		die("%s", e.msg);
	if (pieces)
		print_pieces(t, &ids);
	else
		print_ids(&ids);
	ids_release(&ids);
}

static void
decode(const struct tokenizer *t, const char *s, size_t n)
{
	struct detokenizer *d;
	struct buf out = { 0 };
	struct err e;

	if (!(d = detokenizer_new(t, shown | DETOKEN_BEGIN, &e)))
		die("%s", e.msg);
	for (const char *p = s, *end = s + n; p < end; ) {
		char *after;
		long id;

		if (*p == ' ' || *p == ',' || *p == '\n' || *p == '\t' || *p == '\r') {
			p++;
			continue;
		}
		id = strtol(p, &after, 10);
		if (after == p || id < 0 || id > INT32_MAX)
			die("byte %td is no id", p - s);
		if (detokenizer_put(d, (int32_t)id, &out, &e) < 0)
			die("%s", e.msg);
		p = after;
	}
	if (detokenizer_end(d, &out, &e) < 0)
		die("%s", e.msg);
	fwrite(out.p, 1, out.len, stdout);
	if (lines)
		putchar('\n');
	detokenizer_free(d);
	buf_release(&out);
}

/* All of the input, or each of its lines. */
static void
run(struct tokenizer *t, const struct buf *in, bool back)
{
	const char *p = in->len ? (const char *)in->p : "", *end = p + in->len, *nl;

	if (!lines) {
		if (back)
			decode(t, p, in->len);
		else
			encode(t, p, in->len, flags);
		return;
	}
	for (; p < end; p = nl + 1) {
		if (!(nl = memchr(p, '\n', (size_t)(end - p))))
			nl = end;
		if (back)
			decode(t, p, (size_t)(nl - p));
		else
			encode(t, p, (size_t)(nl - p), flags);
	}
}

static void
chat(struct tokenizer *t, const struct vocab *v, const char *path, const char *template)
{
	struct buf messages = { 0 }, tmpl = { 0 }, out = { 0 };
	struct err e;

	open_file(path, &messages);
	if (template)
		open_file(template, &tmpl);
	if (chat_render(v, template ? (char *)tmpl.p : NULL, tmpl.len, (char *)messages.p,
	    messages.len, true, &out, &e) < 0)
		die("%s", e.msg);
	if (text_only)
		fwrite(out.p, 1, out.len, stdout);
	else
		encode(t, (char *)out.p, out.len, flags | TOKEN_NO_BOS);
	buf_release(&messages);
	buf_release(&tmpl);
	buf_release(&out);
}

int
main(int argc, char **argv)
{
	const char *messages = NULL, *template = NULL;
	struct tokenizer *t;
	struct buf in = { 0 };
	struct weights *w;
	struct vocab *v;
	bool back = false;
	struct err e;
	int c;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "dl" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'd': back = true; break;
		case 'l': lines = true; break;
		case OPT_PIECES: pieces = true; break;
		case OPT_CHAT: messages = optarg; break;
		case OPT_TEXT: text_only = true; break;
		case OPT_TEMPLATE: template = optarg; break;
		case OPT_NO_BOS: flags |= TOKEN_NO_BOS; break;
		case OPT_NO_SPECIAL: flags |= TOKEN_NO_SPECIAL; break;
		case OPT_SHOW: shown = DETOKEN_SPECIAL; break;
		default: tool_option(c);
		}
	if (argc - optind != 1)
		usage("one model is wanted");
	if (!(w = weights_open(argv[optind], NULL, &e)) || !(v = vocab_new(&e)) ||
	    vocabulary_read(v, w, &e) < 0 || !(t = tokenizer_new(v, &e)))
		die("%s: %s", argv[optind], e.msg);
	if (messages) {
		chat(t, v, messages, template);
	} else {
		text_rest(stdin, "standard input", &in);
		run(t, &in, back);
		buf_release(&in);
	}
	tool_flush();
	tokenizer_free(t);
	vocab_free(v);
	weights_close(w);
	return STATUS_OK;
}
