/* SPDX-License-Identifier: MIT */
/* svg.h -- the little of SVG that plots need. */
#ifndef SVG_H
#define SVG_H

#include <apr/buf.h>

void	svg_begin(struct buf *, int width, int height);
/* class: title, axis, tick. */
void	svg_text(struct buf *, double x, double y, const char *anchor, const char *class,
	    const char *text);
/* "950", "12k", "3.4M" */
void	svg_count(char text[32], double);

#endif
