# What is known of one target: of what its steps wrote, and of what went wrong.
def lines: split("\n") | map(fromjson?);

# "blk.3.attn_q.weight" is attn_q of layer 3.
def place:
	(capture("\\.(?<layer>[0-9]{1,6})\\.(?<role>.+)$") // { layer: null, role: . })
	| { layer: (.layer | if . then tonumber else null end), role: (.role | sub("\\.weight$"; "")) };

def mean: add / length;
def bits: (map(.bpw * .n) | add) / ([map(.n) | add, 1] | max);

($stats | lines | map(select(.name and .n) | . + (.name | place))) as $tensors
| ($line | lines | first) as $line
| ($run | lines) as $run
| ($timed | lines) as $timed
| ([$tensors[].n] | add // 0) as $weights
| {
	$model, $type,
	state: (if $why == "" then $state else "failed" end),
	failed: (if $why == "" then null else { $step, why: ($why | sub("\n+$"; "")) } end),
	bytes: ($bytes | tonumber? // null | if . == 0 then null else . end),
	bpw: ($line.bpw // (try ($bytes | tonumber * 8 / $weights) catch null)),
	nmse: ($line.nmse // ([$tensors[].nmse] | max)),
	worst: ($tensors | map(select(.nmse > 0)) | sort_by(-.nmse)[:5] | map({ name, type, n, bpw, nmse, rmse, max })),
	perplexity: $run[1].perplexity,
	error: $run[1].error,
	says: $run[0].text,
	measured: {
		prompt_s: ($timed[1] // $timed[0] | .timing | if . then .prompt_tokens / .first_token_s else null end),
		tokens_s: ($timed[0] | if . and .timing.total_s > .timing.first_token_s
			then ((.tokens | length) - 1) / (.timing.total_s - .timing.first_token_s) else null end),
		memory: ($timed | map(.timing.peak_bytes // empty) | max)
	},
	roles: ($tensors | to_entries | map(.value + { at: .key }) | group_by([.role, .layer == null]) | sort_by(.[0].at)
		| map(max_by(.nmse) as $worst | {
			role: .[0].role, tensors: length, n: (map(.n) | add),
			from: (map(.from) | unique), to: (map(.type) | unique),
			bpw: bits, mean: (map(.nmse) | mean), nmse: $worst.nmse, layer: (if $worst.nmse > 0 then $worst.layer else null end)
		})),
	layers: ($tensors | map(select(.layer != null and .nmse > 0)) | group_by(.layer) | map({
		layer: .[0].layer, nmse: (map({ key: .role, value: .nmse }) | from_entries)
	}))
}
