/* SPDX-License-Identifier: MIT */
/* unpack.h -- the types' ways into groups.  Private to lib/dot. */
#ifndef DOT_UNPACK_H
#define DOT_UNPACK_H

#include <string.h>

#include <apr/dot.h>
#include <apr/size.h>

extern const struct dot_type dot_q4_0, dot_q4_1, dot_q5_0, dot_q5_1, dot_q8_0,
    dot_q1_0, dot_q2_0, dot_mxfp4, dot_nvfp4, dot_apr_q4, dot_apr_q8,
    dot_q2_k, dot_q3_k, dot_q4_k, dot_q5_k, dot_q6_k, dot_tq1_0, dot_tq2_0,
    dot_iq4_nl, dot_iq4_xs, dot_iq1_s, dot_iq1_m, dot_iq2_xxs, dot_iq2_xs,
    dot_iq2_s, dot_iq3_xxs, dot_iq3_s;

/* Fine columns are quantized in runs, each followed by what it left. */
enum { ACT_RUN = 256 };
/* act.c: the records of the run that begins with column c. */
struct dot_acts act_run(const struct act *, size_t c);

/* float.c: mat_mul() from float activations. */
void	mul_float(const struct mat *, size_t from, size_t to, const struct act *, float *y,
	    size_t ldy, void *tmp);

static inline float
half_at(const uint8_t *p)
{
	return type_f16_to(le16_get(p));
}

/* The integer factors of group g's halves. */
static inline void
halves(int16_t *k, size_t g, int a, int b)
{
	k[2 * g] = (int16_t)a;
	k[2 * g + 1] = (int16_t)b;
}

#endif
