# One line of what is known of a target: of what check, infer and ppl said.
.[0] as $check | .[1] as $run | .[2] as $ppl
| ($check.tensors | map(select(.nmse)) | max_by(.nmse)) as $worst
| {
	bytes: $bytes,
	bpw: ($bytes * 8 / ([$check.tensors[].n // 0] | add)),
	worst: $worst.name, nmse: $worst.nmse,
	perplexity: $ppl.perplexity,
	text: $run.text
}
