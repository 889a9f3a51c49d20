# SPDX-License-Identifier: MIT
# mixes.bats -- what apr-quant makes of a mix, against what llama-quantize made.
load helper

# models -- of which there are expected results.
models() {
	local f
	for f in "$F"/expected/*.convert-auto.json; do
		f=${f##*/}
		echo "${f%%.*}"
	done
}

# source_of MODEL -- the tag of the file that was quantized.
source_of() {
	case $1 in
	gpt2 | olmo2) echo convert-f32 ;;
	*) echo convert-auto ;;
	esac
}

# results MODEL -- the tags of what llama-quantize made of it.
results() {
	local f
	for f in "$F/expected/$1".*.json; do
		f=${f##*/"$1".}
		case $f in convert-*) ;; *) echo "${f%.json}" ;; esac
	done
}

# A stream of no data with a GGUF's names, shapes, types and metadata.
plan() {
	rm -rf plan.d && mkdir plan.d
	jq -c '{apr_stream: 1, source: "gguf", convention: "gguf", plan: true, files: [],
	    metadata: (.metadata | map_values(.value)),
	    tensors: [.tensors[] | {name, dtype: .type, shape: (.shape | reverse), bytes}]}' \
	    "$1" >plan.d/manifest.json
	(cd plan.d && xxhsum -H2 manifest.json >CHECKSUMS && tar cf - manifest.json CHECKSUMS)
}

# options TAG MODEL -- into args: how llama-quantize was called for it.
options() {
	args=()
	case $1 in
	pure.*) args=(--pure "${1#pure.}_m") ;;
	im.*)
		# The path is a key of the file: it was this one.
		mkdir -p fx/q
		[ -e "fx/q/$2.imatrix.gguf" ] || ln -s "$F/gguf/$2.imatrix.gguf" fx/q/
		args=(--imatrix "fx/q/$2.imatrix.gguf" "${1#im.}") ;;
	*) args=("$1") ;;
	esac
}

# can TAG -- can this apr-quant do it?
can() {
	[[ $1 != im.* ]] || apr-quant --help | grep -q -e ' --imatrix'
}

# report TAG MODEL WORD -- one cell of the table.
report() {
	printf '%s %s %s\n' "$1" "$2" "$3" >>table
}

# One line a mix, all models in it.
table() {
	sort table | awk '{ if ($1 != last) { if (last) print line; line = sprintf("# %-12s", $1); last = $1 }
	    line = line " " $2 ":" $3 } END { print line }' >&3
}

@test "which type each tensor gets: every mix of every model" {
	need expected/llama3.convert-auto.json
	local m tag bad=0 n=0
	for m in $(models); do
		plan "$F/expected/$m.$(source_of "$m").json" >"$m.plan"
		for tag in $(results "$m"); do
			can "$tag" || { report "$tag" "$m" unasked; continue; }
			options "$tag" "$m"
			apr-quant -q "${args[@]}" <"$m.plan" | tar xOf - manifest.json |
			    jq -r '.tensors[] | "\(.name) \(.dtype) \(.bytes)"' | sort >got
			jq -r '.tensors[] | "\(.name) \(.type) \(.bytes)"' "$F/expected/$m.$tag.json" | sort >want
			n=$((n + 1))
			if cmp -s got want; then
				report "$tag" "$m" ok
			else
				report "$tag" "$m" FAIL
				diff want got | head -n 5 >&2
				bad=$((bad + 1))
			fi
		done
	done
	table
	echo "# $n decided, $bad of them not as llama-quantize" >&3
	[ $n -gt 40 ]
	[ $bad = 0 ]
}

# whole MODEL -- the whole file, where its types can be made; what is planned
# of its size, where they cannot.
whole() {
	local m=$1 tag bad=0 size
	apr-cat "$F/gguf/$m.bf16.gguf" >in
	apr-cat --plan "$F/gguf/$m.bf16.gguf" >plan
	for tag in $(results "$m"); do
		can "$tag" || { report "$tag" "$m" unasked; continue; }
		options "$tag" "$m"
		size=$(apr-quant -q "${args[@]}" <plan | apr-pack --json x.gguf | jq .size)
		if [ "$size" != "$(jq .file_bytes "$F/expected/$m.$tag.json")" ]; then
			report "$tag" "$m" SIZE
			bad=$((bad + 1))
			continue
		fi
		if ! apr-quant -q "${args[@]}" <in >q 2>err; then
			grep -q 'can be read, not made$' err || { cat err >&2; bad=$((bad + 1)); }
			report "$tag" "$m" planned
			continue
		fi
		apr-pack -f out.gguf <q
		"$APR_BUILD/test/ggufjson" out.gguf | jq -c . >got
		jq -c . "$F/expected/$m.$tag.json" >want
		if cmp -s got want; then
			report "$tag" "$m" ok
		else
			report "$tag" "$m" FAIL
			bad=$((bad + 1))
		fi
	done
	table
	[ $bad = 0 ] && grep -q ' ok$' table
}

@test "llama3: whole files are llama-quantize's" {
	need gguf/llama3.bf16.gguf expected/llama3.q4_k_m.json
	whole llama3
}

@test "qwen2: whole files are llama-quantize's" {
	need gguf/qwen2.bf16.gguf expected/qwen2.q4_k_m.json
	whole qwen2
}

@test "the comparer reads llama-quantize's own files" {
	need gguf/llama3.q8_0.gguf expected/llama3.q8_0.json
	local f n=0
	for f in "$F"/gguf/llama3.*.gguf; do
		f=${f##*/}
		[ -e "$F/expected/${f%.gguf}.json" ] || continue
		"$APR_BUILD/test/ggufjson" "$F/gguf/$f" | jq -c . >got
		jq -c . "$F/expected/${f%.gguf}.json" >want
		same want got "$f"
		n=$((n + 1))
	done
	[ $n -gt 1 ]
}

@test "a plan's size is the file's, for every mix" {
	local f mix planned n=0
	for f in "$F"/gguf/{llama3.bf16,qwen2.bf16,granite.f32}.gguf; do
		[ -e "$f" ] || continue
		apr-cat "$f" >in
		apr-cat --plan "$f" >plan
		for mix in $(cd "$REPO/recipes" && ls *.json); do
			mix=${mix%.json}
			apr-quant -q "$mix" <in >q 2>/dev/null || continue
			planned=$(apr-quant -q "$mix" <plan | apr-pack --json out.gguf | jq .size)
			apr-pack -f out.gguf <q
			[ "$planned" = "$(stat -c %s out.gguf)" ]
			n=$((n + 1))
		done
	done
	# 20 mixes and more can be made without an importance matrix.
	[ $n -ge 20 ]
}

@test "a plan's size is the file's, for every type that an .apr holds" {
	local t how planned n=0
	apr-cat "$REPO/examples/sample" | apr-pack sample.apr
	apr-cat sample.apr >in
	apr-cat --plan sample.apr >plan
	for t in f32 f16 bf16 q2_k q3_k q4_k q5_k q6_k apr_q4 apr_q8; do
		for how in "--pure --fallback=f16" "--rules=apr" "--pure --fallback=pad"; do
			planned=$(apr-quant -q $how $t <plan | apr-pack --json out.apr | jq .size)
			apr-quant -q $how $t <in | apr-pack -f out.apr
			[ "$planned" = "$(stat -c %s out.apr)" ]
			n=$((n + 1))
		done
	done
	[ $n = 30 ]
}
