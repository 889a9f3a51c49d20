/* SPDX-License-Identifier: MIT */
/* quant_report.c -- what was lost: --stats, --report, --max-nmse, and the
 * lines of summary that everybody gets. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "outfile.h"
#include "put.h"
#include "quant_opts.h"
#include "tool.h"

enum { WORST = 5, SHOWN = 3 };

struct bad {
	size_t			 tensor;
	struct quant_error	 error;
};

static const char *stats_path, *summary_path;
static struct outfile stats, summary;
static double max_nmse = INFINITY;

static const struct manifest *m;
static const struct quant_from *from;
static const struct quant_report *rules;
static const struct type *asked;
static struct bad worst[WORST];
static size_t nworst, ntiny;
static uint64_t tiny, misread;
static struct buf tiny_text, tiny_json;

bool
report_option(int c, const char *arg)
{
	switch (c) {
	case OPT_STATS: stats_path = arg; return true;
	case OPT_REPORT: summary_path = arg; return true;
	case OPT_MAX_NMSE: max_nmse = tool_real(arg, "--max-nmse", 0, DBL_MAX); return true;
	default: return false;
	}
}

bool
report_measures(void)
{
	return stats_path || summary_path || max_nmse < INFINITY;
}

static double
bits(uint64_t bytes, uint64_t n)
{
	return n ? 8 * (double)bytes / (double)n : 0;
}

static void
put_errors(struct buf *b, const struct quant_error *q)
{
	double n = (double)q->n;

	put_real(b, "rmse", q->n ? sqrt(q->dd / n) : 0);
	put_real(b, "nmse", quant_nmse(q));
	put_real(b, "max", q->max);
	put_real(b, "cosine", quant_cosine(q));
	put_real(b, "sqnr_db", 10 * log10(q->xx / q->dd));
}

static void
put_stats(size_t i, const struct quant_error *q)
{
	const struct tensor *t = &m->tensor[i];
	struct quant_error same = { .n = t->n, .xx = 1, .yy = 1 };
	struct buf b = { 0 };

	buf_str(&b, "{");
	put_text(&b, "name", t->name);
	buf_printf(&b, ",\"from\":\"%s\",\"type\":\"%s\",\"n\":%" PRIu64,
	    q ? from[i].type->name : t->type->name, t->type->name, t->n);
	put_errors(&b, q ? q : &same);
	put_real(&b, "bpw", bits(t->bytes, t->n));
	buf_printf(&b, ",\"tiny\":%" PRIu64 "}\n", q ? q->tiny : 0);
	if (b.bad)
		die("out of memory");
	fwrite(b.p, 1, b.len, stats.f);
	buf_release(&b);
}

/* Into the list of the worst, if it belongs there: the first of equals. */
static void
rank(size_t i, const struct quant_error *q)
{
	double nmse = quant_nmse(q);
	size_t k = nworst;

	while (k > 0 && nmse > quant_nmse(&worst[k - 1].error))
		k--;
	if (k == WORST)
		return;
	if (nworst < WORST)
		nworst++;
	memmove(&worst[k + 1], &worst[k], (nworst - k - 1) * sizeof *worst);
	worst[k] = (struct bad){ i, *q };
}

int
report_tensor(void *ctx, size_t i, const struct quant_error *q, struct err *e)
{
	const struct tensor *t = &m->tensor[i];
	double nmse = q ? quant_nmse(q) : 0;

	(void)ctx;
	if (t->tied_to)
		return 0;
	if (stats_path)
		put_stats(i, q);
	if (!q)
		return 0;
	if (q->tiny) {
		if (ntiny++ < SHOWN)
			buf_printf(&tiny_text, "%s%s (%" PRIu64 ")", tiny ? ", " : "",
			    t->name, q->tiny);
		buf_str(&tiny_json, tiny ? ",{" : "{");
		put_text(&tiny_json, "name", t->name);
		buf_printf(&tiny_json, ",\"blocks\":%" PRIu64 "}", q->tiny);
		tiny += q->tiny;
	}
	misread += q->misread;
	if (!report_measures() || q->n == 0)
		return 0;
	rank(i, q);
	if (max_nmse < INFINITY && !(nmse <= max_nmse))
		return err_set(e, "%s: NMSE %.6g as %s, --max-nmse allows %.6g", t->name,
		    nmse, t->type->name, max_nmse);
	return 0;
}

void
report_begin(const struct manifest *mf, const struct quant_from *f,
    const struct quant_report *r, const struct type *type, bool force)
{
	m = mf;
	from = f;
	rules = r;
	asked = type;
	if (stats_path)
		outfile_open(&stats, stats_path, force);
	if (summary_path)
		outfile_open(&summary, summary_path, force);
}

/* {"Q4_K": {"tensors": 15, "weights": N, "bytes": N, "bpw": 4.5}, ...} */
static void
put_types(struct buf *b)
{
	const char *comma = "";

	buf_str(b, "{");
	for (size_t k = 0; types[k]; k++) {
		uint64_t n = 0, bytes = 0;
		size_t count = 0;

		for (size_t i = 0; i < m->ntensor; i++)
			if (m->tensor[i].type == types[k] && !m->tensor[i].tied_to) {
				count++;
				n += m->tensor[i].n;
				bytes += m->tensor[i].bytes;
			}
		if (!count)
			continue;
		buf_printf(b, "%s\"%s\":{\"tensors\":%zu,\"weights\":%" PRIu64 ",\"bytes\":%"
		    PRIu64, comma, types[k]->name, count, n, bytes);
		put_real(b, "bpw", bits(bytes, n));
		buf_str(b, "}");
		comma = ",";
	}
	buf_str(b, "}");
}

static void
put_fallbacks(struct buf *b)
{
	const char *comma = "";

	buf_str(b, ",\"fallbacks\":[");
	for (size_t i = 0; i < m->ntensor; i++)
		if (from[i].wanted) {
			buf_printf(b, "%s{", comma);
			put_text(b, "name", m->tensor[i].name);
			buf_printf(b, ",\"wanted\":\"%s\",\"type\":\"%s\"}",
			    from[i].wanted->name, m->tensor[i].type->name);
			comma = ",";
		}
	buf_str(b, "]");
}

static void
put_summary(uint64_t n, uint64_t bytes)
{
	struct buf b = { 0 };

	buf_printf(&b, "{\"tensors\":%zu,\"weights\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"bytes_in\":%" PRIu64, m->ntensor, n, bytes, rules->bytes_in);
	put_real(&b, "bpw", bits(bytes, n));
	if (asked)
		put_real(&b, "nominal_bpw", bits(asked->bytes, asked->block));
	buf_str(&b, ",\"types\":");
	put_types(&b);
	put_fallbacks(&b);
	buf_str(&b, ",\"worst\":[");
	for (size_t k = 0; k < nworst; k++) {
		const struct tensor *t = &m->tensor[worst[k].tensor];

		buf_str(&b, k ? ",{" : "{");
		put_text(&b, "name", t->name);
		buf_printf(&b, ",\"type\":\"%s\"", t->type->name);
		put_errors(&b, &worst[k].error);
		buf_str(&b, "}");
	}
	buf_str(&b, "],\"underflows\":[");
	buf_put(&b, tiny_json.p, tiny_json.len);
	buf_str(&b, "]}\n");
	if (b.bad || tiny_json.bad)
		die("out of memory");
	fwrite(b.p, 1, b.len, summary.f);
	buf_release(&b);
}

void
report_end(void)
{
	uint64_t n = 0, bytes = 0;
	struct buf b = { 0 };

	for (size_t i = 0; i < m->ntensor; i++) {
		bytes += m->tensor[i].bytes;
		n += m->tensor[i].tied_to ? 0 : m->tensor[i].n;
	}
	buf_printf(&b, "%.1f MB of tensors from %.1f MB", (double)bytes / 1e6,
	    (double)rules->bytes_in / 1e6);
	for (size_t k = 0; k < nworst && k < SHOWN; k++)
		buf_printf(&b, "%s%s %.3g (%s)", k ? ", " : ", worst NMSE: ",
		    m->tensor[worst[k].tensor].name, quant_nmse(&worst[k].error),
		    m->tensor[worst[k].tensor].type->name);
	buf_put(&b, "", 1);
	if (b.bad || tiny_text.bad)
		die("out of memory");
	warn("%s", (char *)b.p);
	if (tiny)
		warn("%" PRIu64 " blocks have a scale too small for an f16: %.*s%s", tiny,
		    (int)tiny_text.len, (char *)tiny_text.p, ntiny > SHOWN ? ", ..." : "");
	if (misread)
		warn("%" PRIu64 " blocks have zeros ahead, behind which ggml's IQ3_S is read"
		    " wrongly (not that of --effort=high)", misread);
	buf_release(&b);
	if (summary_path)
		put_summary(n, bytes);
	if (stats_path)
		outfile_close(&stats);
	if (summary_path)
		outfile_close(&summary);
	buf_release(&tiny_text);
	buf_release(&tiny_json);
}
