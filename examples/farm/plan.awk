# Lines of model, type, state, MiB of a pipe, bytes that apr-infer needs besides the
# weights, and the result's bytes, as a table; and whether they fit.
{
	run = 16 + ($5 + $6) / 1048576
	printf "%-24s %-12s %-8s %12s %8.0f MiB\n", $1, $2, $3, $6 == "" ? "no plan" : sprintf("%.1f MB", $6 / 1e6), (run > $4 ? run : $4)
	if ($6 == "")
		broken++
	if ($3 != "done")
		todo += $6
}
END {
	printf "%.1f MB to be written, %.1f MB are free\n", todo / 1e6, free / 1e6
	exit todo > free || broken > 0
}
