/* SPDX-License-Identifier: MIT */
/* apr-token -- text to a model's ids, and back. */
#include <stdio.h>
#include <string.h>

#include <apr/token.h>
#include <apr/vocabulary.h>

#include "text.h"
#include "token_text.h"
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

static void
open_file(const char *path, struct buf *b)
{
	if (strcmp(path, "-"))
		text_read(path, b);
	else
		text_rest(stdin, path, b);
}

/* What a command line asks for. */
struct want {
	const char	*messages, *template;
	bool		 back, lines, pieces, text;
	unsigned	 flags, shown;
};

static void
one(const struct want *o, struct tokenizer *t, const char *s, size_t n)
{
	if (o->back)
		token_decode(t, s, n, o->shown, o->lines);
	else
		token_encode(t, s, n, o->flags, o->pieces);
}

/* All of the input, or each of its lines. */
static void
run(const struct want *o, struct tokenizer *t)
{
	const char *p, *end, *nl;
	struct buf in = { 0 };

	text_rest(stdin, "standard input", &in);
	p = in.len ? (const char *)in.p : "";
	end = p + in.len;
	if (!o->lines)
		one(o, t, p, in.len);
	else
		for (; p < end; p = nl + 1) {
			if (!(nl = memchr(p, '\n', (size_t)(end - p))))
				nl = end;
			one(o, t, p, (size_t)(nl - p));
		}
	buf_release(&in);
}

static void
chat(const struct want *o, struct tokenizer *t, const struct vocab *v)
{
	struct buf messages = { 0 }, tmpl = { 0 }, out = { 0 };
	struct err e;

	open_file(o->messages, &messages);
	if (o->template)
		open_file(o->template, &tmpl);
	if (chat_render(v, o->template ? (char *)tmpl.p : NULL, tmpl.len, (char *)messages.p,
	    messages.len, true, &out, &e) < 0)
		die("%s", e.msg);
	if (o->text)
		fwrite(out.p, 1, out.len, stdout);
	else
		token_encode(t, (char *)out.p, out.len, o->flags | TOKEN_NO_BOS, o->pieces);
	buf_release(&messages);
	buf_release(&tmpl);
	buf_release(&out);
}

int
main(int argc, char **argv)
{
	struct want o = { 0 };
	struct tokenizer *t;
	struct weights *w;
	struct vocab *v;
	struct err e;
	int c;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "dl" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'd': o.back = true; break;
		case 'l': o.lines = true; break;
		case OPT_PIECES: o.pieces = true; break;
		case OPT_CHAT: o.messages = optarg; break;
		case OPT_TEXT: o.text = true; break;
		case OPT_TEMPLATE: o.template = optarg; break;
		case OPT_NO_BOS: o.flags |= TOKEN_NO_BOS; break;
		case OPT_NO_SPECIAL: o.flags |= TOKEN_NO_SPECIAL; break;
		case OPT_SHOW: o.shown = DETOKEN_SPECIAL; break;
		default: tool_option(c);
		}
	if (argc - optind != 1)
		usage("one model is wanted");
	if (!(w = weights_open(argv[optind], &e)) || weights_skip(w, &e) < 0 || !(v = vocab_new(&e)) ||
	    vocabulary_read(v, w, &e) < 0 || !(t = tokenizer_new(v, &e)))
		die("%s: %s", argv[optind], e.msg);
	if (o.messages)
		chat(&o, t, v);
	else
		run(&o, t);
	tool_flush();
	tokenizer_free(t);
	vocab_free(v);
	weights_close(w);
	return STATUS_OK;
}
