# Lines of model, type, state and bytes as a table, and whether they fit.
{
	printf "%-24s %-12s %-8s %12s\n", $1, $2, $3, $4 == "" ? "no plan" : sprintf("%.1f MB", $4 / 1e6)
	if ($4 == "")
		broken++
	if ($3 != "done")
		todo += $4
}
END {
	printf "%.1f MB to be written, %.1f MB are free\n", todo / 1e6, free / 1e6
	exit todo > free || broken > 0
}
