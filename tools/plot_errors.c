/* SPDX-License-Identifier: MIT */
/* plot_errors.c -- what a quantization lost, by layer and role. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/json.h>

#include "outfile.h"
#include "plot.h"
#include "svg.h"
#include "tool.h"

enum { MOST = 100000, WIDE = 860, HIGH = 460, LEFT = 76, RIGHT = 220, TOP = 40, BOTTOM = 56 };

struct point {
	char	*role;
	long	 layer;		/* -1: none */
	double	 nmse;
};

struct line {
	int	 key, depth;	/* key: 1 name, 2 nmse */
	char	 name[1025];
	double	 nmse;
};

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct line *l = ctx;
	int key = l->key;

	(void)e;
	l->key = 0;
	if (ev == JSON_KEY && l->depth == 1)
		l->key = n == 4 && !memcmp(s, "name", 4) ? 1 : n == 4 && !memcmp(s, "nmse", 4) ? 2 : 0;
	l->depth += (ev == JSON_OBJECT || ev == JSON_ARRAY) -
	    (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END);
	if (key == 1 && ev == JSON_STRING && n < sizeof l->name) {
		memcpy(l->name, s, n);
		l->name[n] = '\0';
	}
	if (key == 2 && ev == JSON_NUMBER)
		l->nmse = strtod(s, NULL);
	return 0;
}

/* "blk.3.attn_q.weight" is layer 3 of attn_q.weight; so is
 * "model.layers.3.self_attn.q_proj.weight" of its own. */
static void
part(struct point *p, const char *name)
{
	p->layer = -1;
	p->role = strdup(name);
	for (const char *q = name; (q = strchr(q, '.')); q++) {
		size_t n = strspn(q + 1, "0123456789");

		if (n > 0 && n < 7 && q[n + 1] == '.') {
			p->layer = strtol(q + 1, NULL, 10);
			free(p->role);
			p->role = strdup(q + n + 2);
			break;
		}
	}
	if (!p->role)
		die("out of memory");
	if (strlen(p->role) > 7 && !strcmp(p->role + strlen(p->role) - 7, ".weight"))
		p->role[strlen(p->role) - 7] = '\0';
}

static size_t
load(const char *path, struct point **v)
{
	size_t n = 0, cap = 0, room = 0, number = 0;
	char *text = NULL;
	ssize_t len;
	FILE *f = fopen(path, "re");

	if (!f)
		die("%s: %s", path, strerror(errno));
	while ((len = getline(&text, &room, f)) > 0 && n < MOST) {
		struct line l = { .nmse = NAN };
		struct err e;

		number++;
		if (json_text("its JSON", text, (size_t)len, event, &l, &e) < 0)
			die("%s: line %zu: %s", path, number, e.msg);
		/* What is exact has no place on a scale of powers. */
		if (!l.name[0] || !(l.nmse > 0) || !isfinite(l.nmse))
			continue;
		if (n == cap && !(*v = realloc(*v, (cap = cap * 2 + 64) * sizeof **v)))
			die("out of memory");
		part(&(*v)[n], l.name);
		(*v)[n++].nmse = l.nmse;
	}
	if (ferror(f))
		die("%s: %s", path, strerror(errno));
	fclose(f);
	free(text);
	if (n == 0)
		die("%s: no line has a name and an nmse above 0", path);
	return n;
}

/* By role, those without a layer behind; then by layer. */
static int
by_role(const void *pa, const void *pb)
{
	const struct point *a = pa, *b = pb;
	int r = (a->layer < 0) - (b->layer < 0);

	r = r ? r : strcmp(a->role, b->role);
	return r ? r : (a->layer > b->layer) - (a->layer < b->layer);
}

struct axes {
	double	low, high;	/* powers of ten */
	long	layers;
};

static double
at_x(const struct axes *a, long layer)
{
	double w = WIDE - LEFT - RIGHT - 70;

	/* What has no layer stands apart, at the right. */
	return layer < 0 ? WIDE - RIGHT - 8 :
	    LEFT + 14 + w * (a->layers > 1 ? (double)layer / (double)(a->layers - 1) : 0.5);
}

static double
at_y(const struct axes *a, double nmse)
{
	return TOP + (HIGH - TOP - BOTTOM) * (a->high - log10(nmse)) / (a->high - a->low);
}

static void
grid(struct buf *b, const struct axes *a)
{
	long step = 1;
	char text[32];

	for (double p = a->low; p <= a->high; p++) {
		double y = at_y(a, pow(10, p));

		buf_printf(b, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
		    LEFT, WIDE - RIGHT, y, y);
		snprintf(text, sizeof text, "1e%.0f", p);
		svg_text(b, LEFT - 8, y + 4, "end", "tick", text);
	}
	while (a->layers / step > 16)
		step *= 2;
	for (long l = 0; l < a->layers; l += step) {
		snprintf(text, sizeof text, "%ld", l);
		svg_text(b, at_x(a, l), HIGH - BOTTOM + 18, "middle", "tick", text);
	}
	svg_text(b, at_x(a, -1), HIGH - BOTTOM + 18, "middle", "tick", "none");
	svg_text(b, (LEFT + WIDE - RIGHT) / 2.0, HIGH - 14, "middle", "axis", "layer");
	buf_printf(b, "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(20 %d)"
	    " rotate(-90)\">NMSE (error&#178; / weight&#178;)</text>\n", (HIGH - BOTTOM + TOP) / 2);
	svg_text(b, LEFT, 24, "start", "title", "Quantization error by layer and role");
}

static void
mark(struct buf *b, double x, double y, unsigned k, const char *colour)
{
	if (k / 10 % 2 == 0)
		buf_printf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x, y, colour);
	else
		buf_printf(b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"6\" height=\"6\" fill=\"%s\"/>\n",
		    x - 3, y - 3, colour);
}

static void
draw(struct buf *b, const struct axes *a, const struct point *v, size_t n)
{
	static const char *const colours[] = {
		"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e",
		"#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22",
	};
	unsigned k = 0;

	for (size_t i = 0, to; i < n; i = to, k++) {
		const char *colour = colours[k % 10];
		double y = TOP + 8 + 16.0 * k;

		for (to = i + 1; to < n && !strcmp(v[to].role, v[i].role) &&
		    (v[to].layer < 0) == (v[i].layer < 0); to++)
			;
		if (to - i > 1) {
			buf_printf(b, "<polyline class=\"line\" stroke=\"%s\" points=\"", colour);
			for (size_t q = i; q < to; q++)
				buf_printf(b, "%.1f,%.1f ", at_x(a, v[q].layer), at_y(a, v[q].nmse));
			buf_str(b, "\"/>\n");
		}
		for (size_t q = i; q < to; q++)
			mark(b, at_x(a, v[q].layer), at_y(a, v[q].nmse), k, colour);
		if (y < HIGH - 8) {
			mark(b, WIDE - RIGHT + 22, y - 4, k, colour);
			svg_text(b, WIDE - RIGHT + 32, y, "start", "tick", v[i].role);
		}
	}
}

void
plot_errors(const char *jsonl, const char *path, bool force)
{
	struct point *v = NULL;
	size_t n = load(jsonl, &v);
	struct axes a = { INFINITY, -INFINITY, 1 };
	struct buf b = { 0 };
	struct err e;

	for (size_t i = 0; i < n; i++) {
		a.low = fmin(a.low, floor(log10(v[i].nmse)));
		a.high = fmax(a.high, ceil(log10(v[i].nmse)));
		a.layers = v[i].layer + 1 > a.layers ? v[i].layer + 1 : a.layers;
	}
	if (a.high <= a.low)
		a.high = a.low + 1;
	qsort(v, n, sizeof *v, by_role);
	svg_begin(&b, WIDE, HIGH);
	grid(&b, &a);
	draw(&b, &a, v, n);
	buf_str(&b, "</svg>\n");
	if (buf_check(&b, &e) < 0)
		die("%s", e.msg);
	outfile_write(path, b.p, b.len, force);
	buf_release(&b);
	for (size_t i = 0; i < n; i++)
		free(v[i].role);
	free(v);
}
