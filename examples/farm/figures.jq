# How the report writes figures and names.
def fixed($n): if . == null then "-" else
	(. * pow(10; $n) | round | tostring) as $d
	| (if ($d | startswith("-")) then "-" else "" end) as $sign | ($d | ltrimstr("-")) as $d
	| (("0" * ([$n + 1 - ($d | length), 0] | max)) // "") + $d
	| $sign + .[:length - $n] + (if $n > 0 then "." + .[length - $n:] else "" end) end;

# Two digits that count: 0.0049, 3.1e-05.
def two: if . == null then "-" elif . <= 0 then "0" else
	. as $x | (log10 | floor) as $e
	| (if ($x / pow(10; $e) * 10 | round) >= 100 then $e + 1 else $e end) as $e
	| if $e < -4 then ($x / pow(10; $e) | fixed(1)) + "e-" + (-$e | tostring | if length < 2 then "0" + . else . end)
	  else fixed([1 - $e, 0] | max) end end;
def rate: if . == null then "-" elif . >= 100 then fixed(0) else fixed(if . >= 10 then 1 else 2 end) end;
def tick($step): fixed([-($step | log10 | floor), 0] | max);
def MB: if . == null then null else . / 1e6 end | fixed(1);

# Nothing that a terminal, or XML, takes for a command.
def tame: gsub("[\\x{7f}-\\x{9f}\\x{200e}\\x{200f}\\x{2028}-\\x{202e}\\x{2066}-\\x{2069}\\x{fffe}\\x{ffff}]"; "?");
def plain: tostring | gsub("[\\x{0}-\\x{1f}]"; "?") | tame;
def said: if . == null then "" else tojson | plain end;
def why: .failed | "\(.step): \(.why | split("\n")[0] | plain)";
def perplexity: .perplexity | fixed(2);
def summary: if .failed then why elif .state == "done" then .says | said else .state end;
def roles: [.layers[].nmse | keys[]] | unique;
