/* SPDX-License-Identifier: MIT */
/* diff_limits.c -- how far apart is too far. */
#include <math.h>

#include "diff.h"

static struct {
	double	nmse, rmse, abs, cosine, sqnr, equal;
	bool	given;
} limit = { INFINITY, INFINITY, INFINITY, -INFINITY, -INFINITY, -INFINITY, false };

bool
limit_option(int c, const char *arg)
{
	switch (c) {
	case OPT_MAX_NMSE: limit.nmse = tool_real(arg, "--max-nmse", 0, 1e300); break;
	case OPT_MAX_RMSE: limit.rmse = tool_real(arg, "--max-rmse", 0, 1e300); break;
	case OPT_MAX_ABS: limit.abs = tool_real(arg, "--max-abs", 0, 1e300); break;
	case OPT_MIN_COSINE: limit.cosine = tool_real(arg, "--min-cosine", -1, 1); break;
	case OPT_MIN_SQNR: limit.sqnr = tool_real(arg, "--min-sqnr", -1000, 1000); break;
	case OPT_MIN_EQUAL: limit.equal = tool_real(arg, "--min-equal", 0, 1); break;
	default: return false;
	}
	limit.given = true;
	return true;
}

bool
limits_given(void)
{
	return limit.given;
}

bool
limits_hold(const struct diff_error *e)
{
	if (!limit.given)
		return e->same;
	/* What is not finite on one side alone has no distance. */
	return e->odd == 0 && e->nmse <= limit.nmse && e->rmse <= limit.rmse &&
	    e->max <= limit.abs && e->cosine >= limit.cosine && e->sqnr >= limit.sqnr &&
	    e->equal >= limit.equal;
}
