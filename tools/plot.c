/* SPDX-License-Identifier: MIT */
/* plot.c -- histograms as panels of one SVG. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/buf.h>

#include "outfile.h"
#include "plot.h"
#include "svg.h"
#include "tool.h"

enum { ACROSS = 3, WIDE = 380, HIGH = 230, LEFT = 62, RIGHT = 14, TOP = 34, BOTTOM = 46 };

struct plot {
	struct buf	 b;		/* panels */
	unsigned	 n;
};

struct plot *
plot_new(void)
{
	struct plot *p = calloc(1, sizeof *p);

	if (!p)
		die("out of memory");
	return p;
}

void
plot_hist(struct plot *p, const char *name, const double *edge, const uint64_t *count,
    unsigned n)
{
	int x = (int)(p->n % ACROSS) * WIDE, y = (int)(p->n / ACROSS) * HIGH;
	double w = WIDE - LEFT - RIGHT, h = HIGH - TOP - BOTTOM;
	double lo = edge[0], hi = edge[n], span = hi > lo ? hi - lo : 1;
	uint64_t most = 1;

	for (unsigned i = 0; i < n; i++)
		most = count[i] > most ? count[i] : most;
	buf_printf(&p->b, "<g transform=\"translate(%d %d)\">\n", x, y);
	svg_text(&p->b, LEFT, 20, "start", "title", name);
	for (unsigned k = 0; k <= 2; k++) {
		char text[32];

		/* Whole counts, thousands as 12k. */
		svg_count(text, (double)most * k / 2);
		buf_printf(&p->b, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
		    LEFT, WIDE - RIGHT, TOP + h * (2 - k) / 2, TOP + h * (2 - k) / 2);
		svg_text(&p->b, LEFT - 6, TOP + h * (2 - k) / 2 + 4, "end", "tick", text);
		snprintf(text, sizeof text, "%.3g", lo + (hi - lo) * k / 2);
		svg_text(&p->b, LEFT + w * k / 2, TOP + h + 16, k == 0 ? "start" : k == 1 ?
		    "middle" : "end", "tick", text);
	}
	for (unsigned i = 0; i < n; i++)
		if (count[i] > 0) {
			double left = (edge[i] - lo) / span, right = (edge[i + 1] - lo) / span;
			double high = h * (double)count[i] / (double)most;

			if (hi <= lo) {
				left = 0.45;
				right = 0.55;
			}
			/* What is there can be seen. */
			high = high < 0.7 ? 0.7 : high;
			buf_printf(&p->b, "<rect class=\"bar\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
			    "height=\"%.2f\"/>\n", LEFT + w * left, TOP + h - high,
			    w * (right > left ? right - left : 0.01), high);
		}
	svg_text(&p->b, LEFT + w / 2, HIGH - 12, "middle", "axis", "value");
	buf_printf(&p->b, "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(14 %.0f)"
	    " rotate(-90)\">weights</text>\n</g>\n", TOP + h / 2);
	p->n++;
}

void
plot_write(struct plot *p, const char *path, bool force)
{
	unsigned down = (p->n + ACROSS - 1) / ACROSS;
	struct buf b = { 0 };
	struct err e;

	if (p->n == 0)
		die("%s: no tensor to plot", path);
	svg_begin(&b, (int)(p->n < ACROSS ? p->n : ACROSS) * WIDE, (int)down * HIGH);
	buf_put(&b, p->b.p, p->b.len);
	buf_str(&b, "</svg>\n");
	if (buf_check(&b, &e) < 0 || buf_check(&p->b, &e) < 0)
		die("%s", e.msg);
	outfile_write(path, b.p, b.len, force);
	buf_release(&b);
	buf_release(&p->b);
	free(p);
}
