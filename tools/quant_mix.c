/* SPDX-License-Identifier: MIT */
/* quant_mix.c -- which type for which tensor, as the command line says. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/where.h>

#include "kv.h"
#include "outfile.h"
#include "quant_fit.h"
#include "quant_mix.h"
#include "stage.h"
#include "tool.h"

static const char *const rules[] = { "ggml", "apr", "lattice", NULL };

static struct quant_opts o = { .rules = RULES_GGML };
static struct recipe *recipe;
static const char *path, *resolve;
static int fallback = -1, effort = -1;
static bool force, strict;
static struct buf overrides;		/* "REGEX=TYPE", a NUL behind each */
static struct mset *kv;

/* Of strings with a NUL behind each: the one behind p, the first one. */
static const char *
next(const struct buf *b, const char *p)
{
	size_t at = p ? (size_t)(p - (const char *)b->p) + strlen(p) + 1 : 0;

	return at < b->len ? (const char *)b->p + at : NULL;
}

static int
choice(const char *const *list, const char *arg, const char *what)
{
	for (int i = 0; list[i]; i++)
		if (!strcmp(arg, list[i]))
			return i;
	usage("%s: there is no %s", what, arg);
}

static const struct type *
type_arg(const char *what, const char *arg)
{
	const struct type *t = type_by_name(arg);

	if (!t || (t->flags & TYPE_INTEGER))
		usage("%s%s%s: no such type", what, *what ? ": " : "", arg);
	return t;
}

static void
show_recipe(const char *name)
{
	const struct preset *p = preset_by_name(name);

	if (!p) {
		struct buf all = { 0 };

		for (p = presets; p->name; p++)
			buf_printf(&all, " %s", p->name);
		buf_put(&all, "", 1);
		usage("--show-recipe: there is no %s among%s", name, (char *)all.p);
	}
	fwrite(p->text, 1, p->len, stdout);
	tool_flush();
	exit(STATUS_OK);
}

/* A name is a mix, if there is one, and else a type; --pure makes the mix its
 * main type everywhere, aprender has only types. */
static struct recipe *
recipe_operand(const char *arg, enum quant_rules how)
{
	const struct preset *p = preset_by_name(arg);
	const struct type *t;
	struct recipe *r;
	struct err e;

	if (p && how != RULES_GGML && !type_by_name(arg))
		usage("%s is a mix of types, and --rules=%s wants a type", arg, rules[how]);
	if (p && how == RULES_GGML) {
		r = recipe_preset(p, &e);
		if (r && !recipe_base(r))
			usage("%s is a part of other recipes, no mix", arg);
	} else {
		t = type_arg("", arg);
		if (!t->from_f32 && !(t->flags & TYPE_WHOLE))
			usage("%s can be read, not made", t->name);
		r = recipe_type(t, &e);
	}
	if (!r)
		die("%s", e.msg);
	return r;
}

/* The items of --tensor-type-file, between white space. */
static void
tensor_type_file(const char *name)
{
	char *line = NULL, *p, *q;
	size_t cap = 0;
	FILE *f = fopen(name, "r");

	if (!f)
		usage("--tensor-type-file: %s cannot be read", name);
	while (getline(&line, &cap, f) >= 0)
		for (p = line; *p; p = q) {
			while (isspace((unsigned char)*p))
				p++;
			for (q = p; *q && !isspace((unsigned char)*q); q++)
				;
			if (q > p) {
				buf_put(&overrides, p, (size_t)(q - p));
				buf_put(&overrides, "", 1);
			}
		}
	if (ferror(f))
		die("--tensor-type-file: %s cannot be read", name);
	free(line);
	fclose(f);
}

static void
add_overrides(void)
{
	struct err e;

	for (const char *p = NULL; (p = next(&overrides, p)); ) {
		const char *eq = strchr(p, '=');
		char *regex;

		if (!eq || eq == p)
			usage("--tensor-type: %s is not REGEX=TYPE", p);
		if (!(regex = strndup(p, (size_t)(eq - p))))
			die("out of memory");
		if (recipe_override(recipe, regex, type_arg("--tensor-type", eq + 1), &e) < 0)
			usage("--tensor-type: %s", e.msg);
		free(regex);
	}
}

static void
add_kv(const char *arg)
{
	if (!(kv = realloc(kv, (o.nkv + 1) * sizeof *kv)))
		die("out of memory");
	kv[o.nkv++] = kv_parse(arg);
	o.kv = kv;
}

bool
mix_option(int c, const char *arg)
{
	switch (c) {
	case 'r': path = arg; break;
	case 'f': force = true; break;
	case OPT_SHOW: show_recipe(arg); break;
	case OPT_RESOLVE: resolve = arg; break;
	case OPT_STRICT: strict = true; break;
	case OPT_RULES: o.rules = (enum quant_rules)choice(rules, arg, "--rules"); break;
	case OPT_FALLBACK: fallback = choice(quant_fallbacks, arg, "--fallback"); break;
	case OPT_EFFORT: effort = choice(quant_efforts, arg, "--effort"); break;
	case OPT_REQUANTIZE: o.requantize = true; break;
	case OPT_PURE: o.pure = true; break;
	case OPT_LEAVE: o.leave_output = true; break;
	case OPT_OUTPUT: o.output_type = type_arg("--output-tensor-type", arg); break;
	case OPT_EMBEDDING:
		o.embedding_type = type_arg("--token-embedding-type", arg);
		break;
	case OPT_TENSOR: buf_put(&overrides, arg, strlen(arg) + 1); break;
	case OPT_TENSOR_FILE: tensor_type_file(arg); break;
	case OPT_KV: add_kv(arg); break;
	default: return false;
	}
	return true;
}

/* What a recipe says, if no option says something else. */
static void
settle(void)
{
	o.recipe = recipe;
	if (fallback < 0)
		fallback = recipe_fallback(recipe);
	if (fallback < 0)
		fallback = o.rules == RULES_APR ? FALLBACK_PAD : FALLBACK_TABLE;
	o.fallback = (enum quant_fallback)fallback;
	if (effort < 0)
		effort = recipe_effort(recipe);
	o.effort = effort < 0 ? EFFORT_REFERENCE : (enum effort)effort;
	if (o.pure && !recipe_base(recipe))
		usage("--pure: the recipe has no base");
	if (o.rules != RULES_GGML &&
	    (o.leave_output || o.output_type || o.embedding_type || overrides.len))
		usage("--rules=%s: there are no such options there", rules[o.rules]);
	if (recipe_wants_imatrix(recipe) && !o.imatrix)
		die("%s was made with an importance matrix, and there is none (--imatrix)",
		    recipe_name(recipe));
	add_overrides();
}

const struct quant_opts *
mix_settle(const char *operand, const struct imatrix *im)
{
	struct err e;

	o.imatrix = im;
	if ((operand != NULL) + (path != NULL) + fit_wanted() != 1)
		usage("one of a type, a recipe and a target is wanted");
	if (!operand && o.rules != RULES_GGML)
		usage("--rules=%s wants a type", rules[o.rules]);
	recipe = operand ? recipe_operand(operand, o.rules) :
	    path ? recipe_open(path, &where_jq, &e) : recipe_empty("target", &e);
	if (!recipe)
		die("%s", e.msg);
	settle();
	return &o;
}

struct quant_from *
mix_apply(struct stream_in *s, struct quant_report *report)
{
	struct quant_from *from;
	struct err e;

	if (fit_wanted())
		fit_run(s, &o, recipe);
	if (!(from = quant_apply(stream_manifest(s), &o, report, &e)))
		die("%s", e.msg);
	return from;
}

static void
print_warnings(const struct quant_report *r)
{
	for (const char *p = NULL; (p = next(&r->warnings, p)); )
		if (strict)
			die("%s", p);
		else
			warn("%s", p);
}

static void
put_string(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(b, ",\"%s\":", key);
	buf_json(b, value, strlen(value));
}

/* The options that change bytes, and nothing else. */
static void
add_history(struct manifest *m)
{
	const char *comma = ",\"tensor_type\":[";
	struct buf b = { 0 };

	buf_str(&b, "\"type\":");
	buf_json(&b, recipe_name(recipe), strlen(recipe_name(recipe)));
	put_string(&b, "rules", rules[o.rules]);
	put_string(&b, "fallback", quant_fallbacks[o.fallback]);
	put_string(&b, "effort", quant_efforts[o.effort]);
	if (o.imatrix)
		buf_str(&b, ",\"imatrix\":true");
	if (o.pure)
		buf_str(&b, ",\"pure\":true");
	if (o.leave_output)
		buf_str(&b, ",\"leave_output_tensor\":true");
	put_string(&b, "output_tensor_type", o.output_type ? o.output_type->name : NULL);
	put_string(&b, "token_embedding_type",
	    o.embedding_type ? o.embedding_type->name : NULL);
	fit_history(&b);
	for (const char *p = NULL; (p = next(&overrides, p)); comma = ",") {
		buf_str(&b, comma);
		buf_json(&b, p, strlen(p));
	}
	buf_str(&b, *comma && !comma[1] ? "]" : "");
	for (size_t i = 0; i < o.nkv; i++) {
		buf_str(&b, i ? "," : ",\"override_kv\":{");
		buf_json(&b, o.kv[i].key, strlen(o.kv[i].key));
		buf_printf(&b, ":%s", o.kv[i].value);
	}
	buf_str(&b, o.nkv ? "}" : "");
	stage_history(m, "apr-quant", &b);
}

static void
write_resolved(const struct manifest *m, const struct quant_from *from)
{
	struct buf b = { 0 };
	char about[256];
	struct err e;

	snprintf(about, sizeof about, "%s, resolved by apr-quant %s", recipe_name(recipe),
	    TOOL_VERSION);
	if (quant_resolved(m, from, &o, about, &b, &e) < 0)
		die("%s", e.msg);
	outfile_write(resolve, b.p, b.len, force);
	buf_release(&b);
}

void
mix_done(struct manifest *m, const struct quant_from *from, const struct quant_report *report)
{
	struct err e;

	print_warnings(report);
	if (quant_check_effort(m, from, o.effort, &e) < 0)
		die("%s", e.msg);
	if (resolve)
		write_resolved(m, from);
	add_history(m);
}

bool
mix_force(void)
{
	return force;
}

void
mix_free(struct quant_report *report)
{
	warn("%s, rules %s: %s", recipe_name(recipe), rules[o.rules], (char *)report->text.p);
	quant_report_release(report);
	recipe_free(recipe);
	buf_release(&overrides);
	while (o.nkv-- > 0) {
		free((void *)kv[o.nkv].key);
		free((void *)kv[o.nkv].value);
	}
	free(kv);
}
