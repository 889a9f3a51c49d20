/* SPDX-License-Identifier: MIT */
/* num.h -- numbers as text. */
#ifndef ARCH_NUM_H
#define ARCH_NUM_H

/* The shortest text that reads back as the same float (or double), as Python
 * prints it: 10000.0, 1e-05. */
void	num_float(char text[40], double, int single);

#endif
