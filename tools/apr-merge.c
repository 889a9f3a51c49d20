/* SPDX-License-Identifier: MIT */
/* apr-merge -- two models into one, tensor by tensor. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/exact.h>
#include <apr/values.h>

#include "piped.h"
#include "stage.h"

const char usage_text[] =
    "usage: apr-merge [-qv] [--linear | --slerp | --task BASE] [-w WEIGHT]\n"
    "           [--zstd[=LEVEL]] source... <stream >stream\n"
    "      --linear        (1 - w) stream + w source\n"
    "      --slerp         between the two on a sphere, tensor by tensor\n"
    "      --task BASE     stream + w (source - base)\n"
    "  -w, --weight W      0.5 is the default, and 1 that of --task\n"
    "      --zstd[=LEVEL]  compress the stream\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_LINEAR = OPT_OWN, OPT_SLERP, OPT_TASK, OPT_ZSTD };

static const struct option options[] = {
	{ "linear", no_argument,       NULL, OPT_LINEAR },
	{ "slerp",  no_argument,       NULL, OPT_SLERP },
	{ "task",   required_argument, NULL, OPT_TASK },
	{ "weight", required_argument, NULL, 'w' },
	{ "zstd",   optional_argument, NULL, OPT_ZSTD },
	TOOL_OPTIONS
};

enum { TILE = 4096, SIDES = 3 };

struct side {
	struct piped	 p;
	struct values	*v;
	float		 x[TILE];
};

struct merge {
	struct side	 side[SIDES];	/* stream, source, base */
	unsigned	 n;
	bool		 slerp;
	double		 w;
	struct tensor	*was;		/* the stream's tensors as they came */
	unsigned char	 y[TILE * sizeof(double)];
};

/* a times the stream, b times the source, c times the base. */
struct factors {
	double	a, b, c;
};

/* Of all values: products and squares, in tiles, added without rounding. */
static struct factors
sphere(struct merge *m, const struct tensor *t)
{
	struct exact aa = { 0 }, bb = { 0 }, ab = { 0 };
	struct err e;
	double na, nb, dot, theta;

	for (uint64_t at = 0; at < t->n; at += TILE) {
		size_t n = t->n - at < TILE ? (size_t)(t->n - at) : TILE;
		double sa = 0, sb = 0, sab = 0;

		for (unsigned k = 0; k < 2; k++)
			if (values_read(m->side[k].v, m->side[k].x, n, &e) < 0)
				piped_fail(&m->side[k].p, &e);
		for (size_t i = 0; i < n; i++) {
			double a = (double)m->side[0].x[i], b = (double)m->side[1].x[i];

			sa += a * a;
			sb += b * b;
			sab += a * b;
		}
		if (!isfinite(sa) || !isfinite(sb))
			die("%s: has values that are not finite, so there is no angle", t->name);
		exact_add(&aa, sa);
		exact_add(&bb, sb);
		exact_add(&ab, sab);
	}
	for (unsigned k = 0; k < 2; k++)
		if (values_again(m->side[k].v, &e) < 0)
			die("%s", e.msg);
	na = sqrt(exact_value(&aa));
	nb = sqrt(exact_value(&bb));
	dot = na > 0 && nb > 0 ? exact_value(&ab) / na / nb : 1;
	/* As good as parallel: a straight line, as the sines vanish. */
	if (fabs(dot) > 0.9995)
		return (struct factors){ 1 - m->w, m->w, 0 };
	theta = acos(dot);
	return (struct factors){ sin((1 - m->w) * theta) / sin(theta),
		sin(m->w * theta) / sin(theta), 0 };
}

/* What counts nothing is not there: a zero's sign stays. */
static double
mix(const struct factors *f, double a, double b, double c)
{
	if (f->b == 0)
		return f->a * a;
	if (f->a == 0)
		return f->b * b;
	return f->a * a + f->b * b + f->c * c;
}

static void
blend(struct merge *m, struct stream_out *out, const struct tensor *t, size_t index)
{
	struct factors f = { 1 - m->w, m->w, 0 };
	const struct type *to = stream_manifest(m->side[0].p.in)->tensor[index].type;
	struct err e;

	if (m->n == 3)
		f = (struct factors){ 1, m->w, -m->w };
	for (unsigned k = 0; k < m->n; k++) {
		const struct manifest *sm = stream_manifest(m->side[k].p.in);
		const struct tensor *st = k ? &sm->tensor[index] : t;

		if (!values_of(st))
			die("%s: %s cannot be decoded", st->name, st->type->name);
		if (values_begin(m->side[k].v, st, m->slerp, &e) < 0)
			piped_fail(&m->side[k].p, &e);
	}
	if (m->slerp && t->n > 0)
		f = sphere(m, t);
	for (uint64_t at = 0; at < t->n; at += TILE) {
		size_t n = t->n - at < TILE ? (size_t)(t->n - at) : TILE;
		float *x = m->side[0].x;

		for (unsigned k = 0; k < m->n; k++)
			if (values_read(m->side[k].v, m->side[k].x, n, &e) < 0)
				piped_fail(&m->side[k].p, &e);
		for (size_t i = 0; i < n; i++)
			x[i] = (float)mix(&f, (double)x[i], (double)m->side[1].x[i],
			    m->n == 3 ? (double)m->side[2].x[i] : 0);
		type_encoder(to, EFFORT_REFERENCE)(m->y, x, n, NULL);
		if (stream_write(out, m->y, n * to->bytes, &e) < 0)
			die("%s", e.msg);
	}
}

/* What is packed becomes F32; integers are the stream's own. */
static void
retype(struct merge *m, struct manifest *man)
{
	struct err e;

	if (!(m->was = calloc(man->ntensor + 1, sizeof *m->was)))
		die("out of memory");
	for (size_t i = 0; i < man->ntensor; i++) {
		struct tensor *t = &man->tensor[i];

		m->was[i] = *t;
		if (t->tied_to || !values_of(t))
			t->absmax = NULL;
		else if (values_retype(t, &e) < 0)
			die("%s", e.msg);
	}
}

/* The others' next tensors are the stream's; files do not matter. */
static void
step(struct side *s, const struct tensor *t)
{
	const struct manifest *m = stream_manifest(s->p.in);
	struct member mem;
	struct err e;
	int r;

	while ((r = stream_next(s->p.in, &mem, &e)) > 0 && mem.kind == MEMBER_FILE)
		;
	if (r < 0)
		piped_fail(&s->p, &e);
	if (r == 0 || mem.kind != MEMBER_TENSOR || strcmp(m->tensor[mem.index].name, t->name))
		die("%s: the other model has another tensor here: a saved stream must be in the"
		    " same order", t->name);
}

static void
run(struct merge *m, struct stream_out *out)
{
	struct stream_in *in = m->side[0].p.in;
	const struct manifest *man = stream_manifest(in);
	struct member mem;
	struct err e;
	int r;

	while ((r = stream_next(in, &mem, &e)) > 0) {
		const struct tensor *t = mem.kind == MEMBER_TENSOR ? &m->was[mem.index] : NULL;

		for (unsigned k = 1; t && k < m->n; k++)
			step(&m->side[k], t);
		if (!t || t->tied_to || !values_of(t)) {
			if (stream_copy(out, in, &mem, &e) < 0)
				die("%s", e.msg);
			continue;
		}
		if (stream_member(out, MEMBER_TENSOR, t->name, man->tensor[mem.index].bytes, &e) < 0)
			die("%s", e.msg);
		blend(m, out, t, mem.index);
	}
	if (r < 0)
		die("%s", e.msg);
	for (unsigned k = 1; k < m->n; k++)
		while ((r = stream_next(m->side[k].p.in, &mem, &e)) != 0)
			if (r < 0)
				piped_fail(&m->side[k].p, &e);
}

static void
add_history(struct manifest *m, const char *how, double w)
{
	struct buf b = { 0 };

	buf_printf(&b, "\"method\":\"%s\",\"weight\":%.17g", how, w);
	stage_history(m, "apr-merge", &b);
}

int
main(int argc, char **argv)
{
	static struct merge m = { .w = NAN };
	const char *how = NULL;
	char *base = NULL;
	struct stream_out *out;
	struct manifest *man;
	struct err e;
	uint64_t total;
	int zstd = 0, c;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "w:" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case OPT_LINEAR:
		case OPT_SLERP:
		case OPT_TASK:
			if (how)
				usage("more than one of --linear, --slerp, --task");
			how = c == OPT_LINEAR ? "linear" : c == OPT_SLERP ? "slerp" : "task";
			m.slerp = c == OPT_SLERP;
			base = c == OPT_TASK ? optarg : NULL;
			break;
		case 'w': m.w = tool_real(optarg, "--weight", -DBL_MAX, DBL_MAX); break;
		case OPT_ZSTD: zstd = tool_zstd(optarg); break;
		default: tool_option(c);
		}
	if (optind == argc)
		usage("no source");
	for (int i = optind; i < argc; i++)
		if (!strcmp(argv[i], "-") || (base && !strcmp(base, "-")))
			usage("-: the standard input is the stream");
	tool_no_terminal(STDOUT_FILENO);
	if (isnan(m.w))
		m.w = base ? 1 : 0.5;
	if (m.slerp && !(m.w >= 0 && m.w <= 1))
		usage("--weight: %g is not between 0 and 1", m.w);
	piped_open(&m.side[0].p, NULL, 0, NULL);
	man = stream_manifest(m.side[0].p.in);
	if (man->plan)
		die("a plan has no tensors to merge");
	piped_open(&m.side[1].p, argv + optind, (size_t)(argc - optind), man);
	if (base)
		piped_open(&m.side[2].p, &base, 1, man);
	m.n = base ? 3 : 2;
	for (unsigned k = 0; k < m.n; k++)
		if (!(m.side[k].v = values_new(m.side[k].p.in, k ? NULL : tool_progress, &e)))
			die("%s", e.msg);
	total = stage_total(man);
	retype(&m, man);
	add_history(man, how ? how : "linear", m.w);
	if (!(out = stream_create(STDOUT_FILENO, man, zstd, &e)))
		die("%s", e.msg);
	tool_progress_begin(total);
	run(&m, out);
	if (stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	for (unsigned k = 0; k < m.n; k++) {
		values_free(m.side[k].v);
		piped_close(&m.side[k].p);
	}
	free(m.was);
	return STATUS_OK;
}
