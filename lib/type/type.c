/* SPDX-License-Identifier: MIT */
/* type.c -- the table of number types, and how to find one in it. */
#include "block.h"

const struct type *const types[] = {
	&type_f32, &type_f16, &type_bf16, &type_f64,
	&type_i8, &type_i16, &type_i32, &type_i64,
	&type_u8, &type_u16, &type_u32, &type_u64, &type_bool,
	&type_f8_e4m3, &type_f8_e5m2, &type_f8_e8m0, &type_f8_e4m3fnuz,
	&type_f8_e5m2fnuz, &type_c64,
	&type_q4_0, &type_q4_1, &type_q5_0, &type_q5_1, &type_q8_0,
	&type_q1_0, &type_q2_0,
	&type_q2_k, &type_q3_k, &type_q4_k, &type_q5_k, &type_q6_k,
	&type_iq1_s, &type_iq1_m, &type_iq2_xxs, &type_iq2_xs, &type_iq2_s,
	&type_iq3_xxs, &type_iq3_s, &type_iq4_nl, &type_iq4_xs,
	&type_mxfp4, &type_nvfp4, &type_tq1_0, &type_tq2_0,
	&type_apr_q4, &type_apr_q8, &type_lattice_q4,
	NULL,
};

/* The locale has no say in this. */
static int
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool
same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if (lower(*a) != lower(*b))
			return false;
		if (*a == '\0')
			return true;
	}
}

const struct type *
type_by_name(const char *name)
{
	const struct type *const *t;

	for (t = types; *t; t++)
		if (same_name((*t)->name, name))
			return *t;
	return NULL;
}

const struct type *
type_by_ggml(uint32_t number)
{
	const struct type *const *t;

	for (t = types; *t; t++)
		if ((*t)->ggml >= 0 && (uint32_t)(*t)->ggml == number)
			return *t;
	return NULL;
}

int
type_file_type(const struct type *t)
{
	static const struct { const char *name; int number; } known[] = {
		{ "F32", 0 }, { "F16", 1 }, { "BF16", 32 }, { "Q4_0", 2 }, { "Q4_1", 3 },
		{ "Q5_0", 8 }, { "Q5_1", 9 }, { "Q8_0", 7 }, { "Q2_K", 10 }, { "Q3_K", 12 },
		{ "Q4_K", 15 }, { "Q5_K", 17 }, { "Q6_K", 18 }, { "IQ2_XXS", 19 },
		{ "IQ2_XS", 20 }, { "IQ3_XXS", 23 }, { "IQ1_S", 24 }, { "IQ4_NL", 25 },
		{ "IQ3_S", 26 }, { "IQ2_S", 28 }, { "IQ4_XS", 30 }, { "IQ1_M", 31 },
		{ "TQ1_0", 36 }, { "TQ2_0", 37 }, { "MXFP4", 38 }, { "NVFP4", 39 },
		{ "Q1_0", 40 }, { "Q2_0", 41 },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(t->name, known[i].name))
			return known[i].number;
	return -1;
}

const struct type *
type_by_safetensors(const char *dtype)
{
	const struct type *const *t;

	for (t = types; *t; t++)
		if ((*t)->safetensors && strcmp((*t)->safetensors, dtype) == 0)
			return *t;
	return NULL;
}
