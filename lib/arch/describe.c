/* SPDX-License-Identifier: MIT */
/* describe.c -- a model in a line for people. */
#include <string.h>

#include "arch.h"

/* general.file_type's names, as llama.cpp numbers them. */
static const char *const mixes[] = {
	[0] = "F32", [1] = "F16", [2] = "Q4_0", [3] = "Q4_1", [7] = "Q8_0", [8] = "Q5_0",
	[9] = "Q5_1", [10] = "Q2_K", [11] = "Q3_K_S", [12] = "Q3_K_M", [13] = "Q3_K_L",
	[14] = "Q4_K_S", [15] = "Q4_K_M", [16] = "Q5_K_S", [17] = "Q5_K_M", [18] = "Q6_K",
	[19] = "IQ2_XXS", [20] = "IQ2_XS", [21] = "Q2_K_S", [22] = "IQ3_XS",
	[23] = "IQ3_XXS", [24] = "IQ1_S", [25] = "IQ4_NL", [26] = "IQ3_S", [27] = "IQ3_M",
	[28] = "IQ2_S", [29] = "IQ2_M", [30] = "IQ4_XS", [31] = "IQ1_M", [32] = "BF16",
	[36] = "TQ1_0", [37] = "TQ2_0", [38] = "MXFP4_MOE", [39] = "NVFP4", [40] = "Q1_0",
	[41] = "Q2_0",
};

/* Three digits that count, and a unit: 30.5 B. */
static void
put_count(struct buf *b, double v, const char *unit)
{
	static const struct { double n; const char *name; } units[] = {
		{ 1e12, "T" }, { 1e9, "G" }, { 1e6, "M" }, { 1e3, "K" }, { 1, "" },
	};
	size_t i = 0;

	while (i < 4 && v < units[i].n * 0.9995)
		i++;
	v /= units[i].n;
	/* Of weights there are billions, of bytes giga. */
	buf_printf(b, "%.*f %s%s", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v,
	    units[i].n == 1e9 && !*unit ? "B" : units[i].name, unit);
}

/* The type of most weights, or what the mix is called. */
static const char *
kind(const struct manifest *m, const struct arch_model *model)
{
	const struct type *most = NULL;
	uint64_t n, best = 0, v;

	for (size_t i = 0; i < m->nset; i++)
		if (!strcmp(m->set[i].key, "general.file_type") &&
		    json_u64(m->set[i].value, strlen(m->set[i].value), &v) &&
		    v < sizeof mixes / sizeof *mixes && mixes[v])
			return mixes[v];
	if (doc_u64(&model->doc, "general.file_type", &v) &&
	    v < sizeof mixes / sizeof *mixes && mixes[v])
		return mixes[v];
	for (size_t k = 0; types[k]; k++) {
		n = 0;
		for (size_t i = 0; i < m->ntensor; i++)
			if (m->tensor[i].type == types[k] && !m->tensor[i].tied_to)
				n += m->tensor[i].n;
		if (n > best) {
			best = n;
			most = types[k];
		}
	}
	return most ? most->name : "?";
}

int
arch_describe(const struct manifest *m, struct buf *b, struct err *e)
{
	int conv = arch_conv_by_name(m->convention);
	double all = 0, experts = 0, bytes = 0;
	uint64_t used = 0;
	struct arch_model *model;
	struct arch_hit h;
	struct err ignored;
	bool unknown;

	if (conv < 0 || !(model = arch_of(m, &unknown, &ignored)))
		return 0;
	for (size_t i = 0; i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];

		bytes += (double)t->bytes;
		if (t->tied_to)
			continue;
		all += (double)t->n;
		if (arch_match(model, (enum arch_conv)conv, t->name, &h) && h.row->gguf &&
		    strstr(h.row->gguf, "_exps."))
			experts += (double)t->n;
	}
	buf_printf(b, "%s, ", model->class->title);
	put_count(b, all, "");
	buf_str(b, " parameters, ");
	(void)doc_u64(&model->doc, "num_experts_per_tok", &used);
	if (experts > 0 && used > 0 && model->experts > 0 && used <= model->experts) {
		put_count(b, all - experts + experts / (double)model->experts * (double)used, "");
		buf_str(b, " active, ");
	}
	buf_printf(b, "%s %.2f bpw, ", kind(m, model), all > 0 ? 8 * bytes / all : 0);
	put_count(b, bytes, "B");
	arch_close(model);
	return buf_check(b, e);
}
