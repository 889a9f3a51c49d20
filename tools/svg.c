/* SPDX-License-Identifier: MIT */
/* svg.c -- the little of SVG that plots need. */
#include <stdio.h>
#include <string.h>

#include "svg.h"

void
svg_begin(struct buf *b, int width, int height)
{
	buf_printf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\""
	    " viewBox=\"0 0 %d %d\">\n<style>\n"
	    "text { font-family: sans-serif; fill: #222 }\n"
	    ".title { font-size: 12px; font-weight: bold }\n"
	    ".axis { font-size: 12px }\n"
	    ".tick { font-size: 11px; fill: #555 }\n"
	    ".grid { stroke: #ddd; stroke-width: 1 }\n"
	    ".bar { fill: #3b6ea5 }\n"
	    ".line { fill: none; stroke-width: 1.6 }\n"
	    ".paper { fill: white }\n"
	    "@media (prefers-color-scheme: dark) {\n"
	    "text { fill: #e4e7ea }\n"
	    ".tick { fill: #a2abb5 }\n"
	    ".grid { stroke: #3b434c }\n"
	    ".bar { fill: #7db4f0 }\n"
	    ".paper { fill: #15191d }\n"
	    "}\n"
	    "</style>\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n",
	    width, height, width, height, width, height);
}

void
svg_text(struct buf *b, double x, double y, const char *anchor, const char *class,
    const char *text)
{
	buf_printf(b, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y,
	    anchor);
	for (const char *p = text; *p; p++)
		if (*p == '&' || *p == '<' || *p == '>')
			buf_printf(b, "&#%d;", *p);
		else if ((unsigned char)*p >= 0x20 && *p != 0x7f)
			buf_put(b, p, 1);
	buf_str(b, "</text>\n");
}

void
svg_count(char text[32], double v)
{
	const char *unit = v >= 1e9 ? "G" : v >= 1e6 ? "M" : v >= 1e3 ? "k" : "";
	double by = v >= 1e9 ? 1e9 : v >= 1e6 ? 1e6 : v >= 1e3 ? 1e3 : 1;

	snprintf(text, 32, "%.3g%s", v / by, unit);
}
