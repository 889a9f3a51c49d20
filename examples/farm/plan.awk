# Lines of model, type, state, MiB of a pipe, bytes that apr-infer needs besides the
# weights, and those of the file and of its weights, as a table; and whether they fit.
BEGIN {
	form = "%-24s %-12s %-8s %12s %12s %12s\n"
	printf form, "model", "type", "state", "size", "to make", "to run"
}
{
	fails = $6 == ""
	printf form, $1, $2, $3, fails ? "no plan" : sprintf("%.1f MB", $6 / 1e6), $4 " MiB",
	    fails || $5 == "null" ? "-" : sprintf("%.0f MiB", 16 + ($5 + $7) / 1048576)
	broken += fails
	if ($3 != "done")
		todo += $6
}
END {
	printf "%.1f MB to be written, %.1f MB are free\n", todo / 1e6, free / 1e6
	exit todo > free || broken > 0
}
