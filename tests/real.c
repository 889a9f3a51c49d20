/* SPDX-License-Identifier: MIT */
/* real -- numbers as JSON: each text reads back, none is longer than it must
 * be, and the locale (of the environment, told if it has no point) is not seen. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/buf.h>

#include "random.h"

enum { VALUES = 200000 };

/* The number behind a JSON text, whatever the locale: 0 if it is none. */
static int
back(const char *s, double *v, float *f)
{
	struct lconv *l = localeconv();
	char t[80];
	size_t n = 0;

	if (strspn(s, "0123456789+-.e") != strlen(s))
		return 0;
	for (; *s; s++)
		n += (size_t)(*s == '.' ? sprintf(t + n, "%s", l->decimal_point) :
		    sprintf(t + n, "%c", *s));
	*v = strtod(t, NULL);
	*f = strtof(t, NULL);
	return 1;
}

static size_t
digits(const char *s)
{
	size_t n = 0, zeros = 0;

	for (s += strspn(s, "-0."); *s && *s != 'e'; s++)
		if (*s != '.') {
			n++;
			zeros = *s == '0' ? zeros + 1 : 0;
		}
	return n - zeros;
}

int
main(void)
{
	static const double odd[] = { NAN, INFINITY, -INFINITY };
	struct buf b = { 0 };
	int status = 0;

	setlocale(LC_ALL, "");
	if (*localeconv()->decimal_point != '.')
		printf("the point is %s\n", localeconv()->decimal_point);
	for (unsigned i = 0; i < VALUES && !status; i++) {
		uint64_t bits = next();
		uint32_t half = (uint32_t)bits;
		double v, w = 0;
		float f, g = 0;
		char text[400];

		memcpy(&v, &bits, sizeof v);
		memcpy(&f, &half, sizeof f);
		if (i % 4 == 0)
			v = (double)(int64_t)(bits % 2000001) / 1000 - 1000;
		if (isfinite(v)) {
			b.len = 0;
			buf_real(&b, v);
			buf_put(&b, "", 1);
			snprintf(text, sizeof text, "%.*g", (int)digits((char *)b.p) - 1, v);
			status |= !back((char *)b.p, &w, &g) || w != v ||
			    (digits((char *)b.p) > 15 && strtod(text, NULL) == v);
		}
		if (isfinite(f)) {
			b.len = 0;
			buf_real32(&b, f);
			buf_put(&b, "", 1);
			snprintf(text, sizeof text, "%.*g", (int)digits((char *)b.p) - 1, (double)f);
			status |= !back((char *)b.p, &w, &g) || g != f ||
			    (digits((char *)b.p) > 6 && strtof(text, NULL) == f);
		}
		if (status)
			fprintf(stderr, "real: %a, %a: %s\n", v, (double)f, (char *)b.p);
	}
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		b.len = 0;
		buf_real(&b, odd[i]);
		buf_real32(&b, (float)odd[i]);
		status |= b.len != 8 || memcmp(b.p, "nullnull", 8);
	}
	buf_release(&b);
	return status;
}
