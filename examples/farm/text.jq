# The report as text; of $only "table" no more than that.
include "figures";

# Columns as wide as what is in them; of $how, l and r, which side is even.
def pad($how; $wide): (" " * ([$wide - length, 0] | max) // "") as $blank | if $how == "l" then . + $blank else $blank + . end;
def table($how):
	. as $rows
	| [range($how | length) as $i | [$rows[][$i] | length] | max] as $wide
	| .[] | [range($how | length) as $i | .[$i] | pad($how[$i:$i + 1]; $wide[$i])] | join("  ") | sub(" +$"; "");

def targets:
	[["model", "type", "MB", "bpw", "NMSE", "perplexity", "prompt/s", "tokens/s", "memory", "says, or what went wrong"]]
	+ map([.model, .type, (.bytes | MB), (.bpw | fixed(2)), (.nmse | two), perplexity,
		(.measured | (.prompt_s, .tokens_s | rate), (.memory | MB)), summary])
	| table("llrrrrrrrl");

def details:
	"", "\(.model) \(.type)", "",
	(.roles | [["role", "tensors", "from", "to", "bpw", "mean NMSE", "worst", "layer"]]
		+ map([(.role | plain), (.tensors | tostring), (.from | join(" ")), (.to | join(" ")), (.bpw | fixed(2)),
			(.mean | two), (.nmse | two), (.layer // "-" | tostring)])
	 | table("lrllrrrr")),
	(select(.worst != []) | "", "The tensors that lost most:",
		([["NMSE", "RMSE", "max", "type", "tensor"]] + (.worst | map([(.nmse, .rmse, .max | two), .type, (.name | plain)])) | table("rrrll"))),
	(select(.layers != []) | roles as $roles | "", "NMSE by layer:",
		([["layer"] + ($roles | map(plain))] + (.layers | map(.nmse as $l | [(.layer | tostring)] + [$roles[] | $l[.] | two]))
		 | table("r" * ($roles | length + 1))));

(.targets | targets),
(select($only == "") | (.targets[] | select(.roles != []) | details),
	(.targets | map(select(.failed)) | group_by([.model, .failed])[]
		| "", "\(.[0].model) \(map(.type) | join(", ")): \(.[0].failed.step) failed", (.[0].failed.why | split("\n")[] | "  " + plain)))
