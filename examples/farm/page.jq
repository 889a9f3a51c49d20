# The report as a page: well-formed, with neither scripts nor anything from
# elsewhere.  $pictures has what apr-stat drew, by "MODEL/TYPE".
include "figures";

def text: plain | @html;
def data($shown): if . == null then $shown else "<data value=\"\(tojson | @html)\">\($shown | @html)</data>" end;
def cell($shown): "<td class=\"number\">\(data($shown))</td>";
# Heads of columns with figures begin with #.
def table($caption; $head; rows):
	"<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"\($caption | text)\"><table><caption>\($caption | text)</caption>",
	"<thead><tr>\($head | map("<th scope=\"col\"\(if startswith("#") then " class=\"number\"" else "" end)>\(ltrimstr("#") | text)</th>") | join(""))</tr></thead><tbody>", rows, "</tbody></table></div>";

def style: "
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5a626c; --rule: #d5d9de; --paper: #fff; --band: #f4f6f8; --bad: #b3261e; --mark: #1f5fa8 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --soft: #a2abb5; --rule: #3b434c; --paper: #15191d; --band: #1e242a; --bad: #ff8a80; --mark: #7db4f0 } }
body { max-width: 76rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
h1, h2, h3 { line-height: 1.25 } h2 { margin-top: 3rem; border-bottom: 1px solid var(--rule) }
.wide { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-size: .9rem } caption { text-align: left; color: var(--soft); padding: .3rem 0 }
th, td { padding: .25rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); unicode-bidi: isolate }
.first > * { border-top: 2px solid var(--rule) } thead th { background: var(--band); white-space: nowrap } tbody th { font-weight: 600; white-space: nowrap }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.bad { color: var(--bad) } pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--band); padding: .7rem }
details { margin: .6rem 0; padding: .2rem .8rem; border: 1px solid var(--rule); border-radius: .4rem } summary { cursor: pointer }
figure { margin: 1rem 0 } figcaption { color: var(--soft); font-size: .9rem } .pair { display: flex; flex-wrap: wrap; gap: 1rem }
svg { max-width: 100%; height: auto } a { color: var(--mark) }
.dot { fill: var(--mark) } .frame { stroke: var(--rule) } .label { fill: var(--ink); font-size: 12px } .scale { fill: var(--soft); font-size: 11px }
";

# Where an axis has its marks, about four of them: 1, 2 or 5 of some power apart.
def apart($low; $high):
	(($high - $low) / 4) as $want | pow(10; ($want | log10 | floor)) as $p
	| first((1, 2, 5, 10) | . * $p | select(. >= $want * 0.999));
def marks($low; $high; $step): range(($low / $step | ceil); ($high / $step | floor) + 1) | . * $step;
def span: [min, max] | ((.[1] - .[0]) * 0.12) as $room | if $room > 0 then [.[0] - $room, .[1] + $room] else [.[0] * 0.9, .[1] * 1.1] end;

# Points of x, y and name, with y as it is or, for $powers, by its power of ten.
def chart($title; $powers):
	map(.y |= if $powers then log10 else . end) | sort_by(.y) as $points
	| ($points | map(.x) | span) as [$x0, $x1] | ($points | map(.y) | span) as [$y0, $y1]
	| apart($x0; $x1) as $xs | apart($y0; $y1) as $ys
	| def x: 66 + (. - $x0) / ($x1 - $x0) * 420 | fixed(1);
	  def y: 268 - (. - $y0) / ($y1 - $y0) * 240;
	"<figure><svg viewBox=\"0 0 520 330\" width=\"520\" height=\"330\" role=\"img\" aria-label=\"\($title | text); the figures are in the table of all\">",
	(marks($y0; $y1; $ys) | "<line class=\"frame\" x1=\"66\" x2=\"500\" y1=\"\(y | fixed(1))\" y2=\"\(y | fixed(1))\"/>"
		+ "<text class=\"scale\" x=\"60\" y=\"\(y + 4 | fixed(1))\" text-anchor=\"end\">\(if $powers then pow(10; .) | two else tick($ys) end | @html)</text>"),
	(marks($x0; $x1; $xs) | "<line class=\"frame\" y1=\"28\" y2=\"268\" x1=\"\(x)\" x2=\"\(x)\"/>"
		+ "<text class=\"scale\" x=\"\(x)\" y=\"286\" text-anchor=\"middle\">\(tick($xs))</text>"),
	"<text class=\"label\" x=\"283\" y=\"314\" text-anchor=\"middle\">size, MB</text>",
	# Names stand beside their points, and below those that they would cover.
	(reduce ($points | reverse)[] as $p ({ names: [], out: [] };
		($p.x | x | tonumber) as $x
		| ([$p.y | y + 4] + [.names[] | select(.x - $x | . > -80 and . < 80) | .y + 14] | max) as $at
		| .names += [{ $x, y: $at }]
		| (($p.x | x | tonumber) + 7 * ($p.name | length) > 500) as $left
		| .out += ["<circle class=\"dot\" cx=\"\($p.x | x)\" cy=\"\($p.y | y | fixed(1))\" r=\"4\"/>"
			+ "<text class=\"label\" x=\"\($p.x | x | tonumber + (if $left then -8 else 8 end) | fixed(1))\" y=\"\($at | fixed(1))\" text-anchor=\"\(if $left then "end" else "start" end)\">\($p.name | text)</text>"])
	 | .out[]),
	"</svg><figcaption>\($title | text)</figcaption></figure>";

def targets:
	table("All targets. Bits per weight are of the whole file; NMSE is that of the tensor that lost most; prompt and tokens are a second; memory is the most that running took.";
		["model", "type", "#MB", "#bits per weight", "#NMSE", "#perplexity", "#prompt/s", "#tokens/s", "#memory, MB", "says, or what went wrong"];
		. as $all | range(length) as $i | $all[$i]
		| "<tr\(if $i == 0 or $all[$i - 1].model != .model then " class=\"first\"" else "" end)><th scope=\"row\">\(.model | text)</th><th scope=\"row\">\(.type | text)</th>"
		+ (.bytes as $b | $b | cell(MB)) + (.bpw as $b | $b | cell(fixed(2))) + (.nmse as $n | $n | cell(two))
		+ (.perplexity as $p | .error as $e | $p | cell(fixed(2) + if $p and $e then " ± " + ($e | two) else "" end))
		+ (.measured | [.prompt_s, .tokens_s | cell(rate)] | join("")) + (.measured.memory | cell(MB))
		+ "<td\(if .failed then " class=\"bad\"" else "" end)>\(summary | @html)</td></tr>");

def details:
	"<details><summary><strong>\(.type | text)</strong>: \(.bytes | MB) MB, \(.bpw | fixed(2)) bits per weight, NMSE \(.nmse | two)</summary>",
	($pictures[0]["\(.model)/\(.type)"] // empty
		| tame | sub(" xmlns=\"[^\"]*\""; " role=\"img\" aria-label=\"NMSE by layer and role; the figures are in the tables below\"")
		| "<figure>\(.)</figure>"),
	table("By role"; ["role", "#tensors", "from", "to", "#bits per weight", "#mean NMSE", "#worst NMSE", "#in layer"];
		.roles[] | "<tr><th scope=\"row\">\(.role | text)</th>" + (.tensors | cell(tostring))
		+ "<td>\(.from | join(" ") | text)</td><td>\(.to | join(" ") | text)</td>"
		+ (.bpw | cell(fixed(2))) + (.mean | cell(two)) + (.nmse | cell(two)) + (.layer | cell(. // "-" | tostring)) + "</tr>"),
	(select(.worst != []) | table("The tensors that lost most"; ["tensor", "type", "#NMSE", "#RMSE", "#largest difference"];
		.worst[] | "<tr><th scope=\"row\">\(.name | text)</th><td>\(.type | text)</td>" + ([.nmse, .rmse, .max | cell(two)] | join("")) + "</tr>")),
	(select(.layers != []) | roles as $roles | table("NMSE by layer"; ["layer"] + ($roles | map("#" + .));
		.layers[] | .nmse as $l | "<tr><th scope=\"row\">\(.layer)</th>" + ([$roles[] | $l[.] | cell(two)] | join("")) + "</tr>")),
	"</details>";

def model:
	"<h2 id=\"\(.[0].model | text)\">\(.[0].model | text)</h2>",
	"<div class=\"pair\">",
	(map(select(.bytes and .perplexity) | { x: (.bytes / 1e6), y: .perplexity, name: .type }) | select(length > 1)
		| chart("Perplexity against size"; false)),
	(map(select(.bytes and .nmse > 0) | { x: (.bytes / 1e6), y: .nmse, name: .type }) | select(length > 1)
		| chart("NMSE of the tensor that lost most, against size"; true)),
	"</div>",
	(map(select(.failed)) | group_by(.failed)[] | "<h3>\(map(.type) | join(", ") | text): \(.[0].failed.step | text) failed</h3><pre class=\"bad\">\(.[0].failed.why | split("\n") | map(text) | join("\n"))</pre>"),
	(.[] | select(.roles != []) | details);

"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>",
"<title>Farm: \(.targets | length) targets</title><style>\(style)</style></head><body><main>",
"<h1>What came of the farm</h1>",
(.targets | "<p>\(length) targets: \(map(select(.state == "done")) | length) done, \(map(select(.failed)) | length) failed, \(map(select(.state != "done" and .failed == null)) | length) to be made.</p>", targets),
(.targets | reduce .[] as $t ([]; if .[-1][0].model == $t.model then .[-1] += [$t] else . + [[$t]] end) | .[] | model),
"<footer><p>\(.version | text)</p></footer></main></body></html>"
