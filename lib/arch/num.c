/* SPDX-License-Identifier: MIT */
/* num.c -- numbers as text, the way Python prints them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "num.h"

void
num_float(char text[40], double v, int single)
{
	int digits = 0, max = single ? 9 : 17, exp;
	double back;

	do {
		snprintf(text, 40, "%.*e", digits, v);
		back = single ? (double)strtof(text, NULL) : strtod(text, NULL);
	} while (back != v && ++digits < max);
	exp = atoi(strchr(text, 'e') + 1);
	if (v != 0 && (exp < -4 || exp >= 16))
		snprintf(text, 40, "%.*g", digits + 1, v);
	else
		snprintf(text, 40, "%.*f", digits - exp > 1 ? digits - exp : 1, v);
}
