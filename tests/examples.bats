#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the pages and README.md show is run, and does what they say.
load helper

# world -- what their examples take for granted, in $W.  (In a world that nothing
# writes to, as its files are linked into the folder of each example.)
world() {
	local sample=$REPO/examples/sample qwen=$F/hf/qwen3 smol=$F/hf/smollm d=$REPO/tests/data p one='\0\0\0\74'
	[ -d "$qwen" ] || qwen=$d/hf/qwen2
	[ -d "$smol" ] || smol=$d/hf/llama3
	W=$BATS_FILE_TMPDIR/world
	mkdir -p "$W/common" "$W/bin" && cd "$W/common"

	for p in model base a; do
		cp -rL "$sample" $p
	done
	cp -rL "$qwen" Qwen3-dir
	cp -rL "$smol" SmolLM2
	cp -r SmolLM2 SmolLM2-135M
	apr-cat model | apr-pack model.apr
	apr-cat model | apr-pack model.gguf
	apr-cat model.gguf | apr-quant -q q4_k_m | apr-pack q4.gguf
	apr-cat model | apr-quant -q q8_0 | apr-dequant f16 | apr-pack b/
	apr-cat model | apr-pack --shard-size 2M shards/
	apr-cat Qwen3-dir | apr-pack qwen.apr
	cp -r b code
	cp -r b chat
	cp "$d/hf/llama3/chat_template.jinja" chat
	cp shards/model* .
	ln model/model.safetensors m.safetensors
	for p in a f16 big; do
		ln model.gguf $p.gguf
	done
	ln model.apr m.apr
	ln q4.gguf model.q4_k_m.gguf
	ln model.gguf moe.gguf
	cp "$d/gguf/llama3.bf16.gguf" m.gguf
	cp "$d/gguf/llama3.imatrix.gguf" m.imatrix.gguf
	for p in 1 2 3; do
		cp "$d/gguf/split/llama3.q4_k_m-0000$p-of-00003.gguf" a-0000$p-of-00003.gguf
	done
	mkdir adapter
	echo '{"peft_type":"LORA","lora_alpha":1,"r":1}' >adapter/adapter_config.json
	printf "$one%.0s" {1..512} | st adapter/adapter_model.safetensors \
	    '{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight":{"dtype":"F32","shape":[1,256],"data_offsets":[0,1024]},"base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight":{"dtype":"F32","shape":[256,1],"data_offsets":[1024,2048]}}'
	head -n 40 model/heldout.txt >text.txt
	jq -c '{prompt, max_tokens: 3}' model/questions.jsonl | head -n 5 >prompts.jsonl
	apr-quant --show-recipe q4_k_m >recipe.json

	# Of one page.
	mkdir -p "$W/README.md"
	apr-token model.gguf <text.txt >"$W/README.md/ids"
	mkdir -p "$W/apr-split.1/shards" "$W/apr-stream.5" "$W/apr-farm.7"
	apr-cat model.apr | apr-split -q --max-size 2M "$W/apr-split.1/shards/part"
	apr-cat model.apr | tar xf - -C "$W/apr-stream.5"
	cp -r "$REPO"/examples/farm/. "$W/apr-farm.7"
	sed -i "s|= .*/sample\$|= $sample|" "$W/apr-farm.7/models.mk"
	(cd "$W/apr-farm.7" && unset MAKEFLAGS MFLAGS MAKELEVEL && make -s -j2 && make -s report)
	cp -r "$W/apr-farm.7" "$W/apr-srun.1"
	rm "$W"/apr-{farm.7,srun.1}/out/sample/q8_0.run

	# Another machine is a folder, the net is here, and so is the cluster.
	cat >"$W/bin/ssh" <<-'END'
		#!/bin/sh
		[ "$1" = host ] && shift && mkdir -p host && cd host && exec sh -c "$*"
	END
	cat >"$W/bin/curl" <<-'END'
		#!/bin/sh
		[ "${*##* }" = URL ] && exec cat model.gguf
	END
	cat >"$W/bin/srun" <<-'END'
		#!/bin/sh
		while case $1 in --wrap) shift; eval "set -- $1"; false ;; -*) ;; *) false ;; esac; do shift; done
		echo "$*" >>"$APR_STEPS"
		exec "$@"
	END
	cp "$W/bin/srun" "$W/bin/salloc"
	cp "$W/bin/srun" "$W/bin/sbatch"
	chmod +x "$W"/bin/*
}

setup_file() {
	set -eo pipefail
	fixtures
	world >&2
}

setup() {
	set -o pipefail
	fixtures
	T=$BATS_TEST_TMPDIR W=$BATS_FILE_TMPDIR/world
	cd "$T"
}

# installed -- a folder like /usr, in front of PATH: programs, and the examples.
installed() {
	local t
	mkdir -p usr/bin usr/share/apr-tools
	for t in "$REPO"/tools/apr-*.c; do
		t=$(basename "$t" .c)
		ln -s "$(command -v "$t")" usr/bin
	done
	ln -s "$REPO/examples" usr/share/apr-tools
	PATH=$T/usr/bin:$PATH
}

@test "every example" {
	cd "$REPO"
	export APR_STEPS=$T/steps
	scripts/examples -j 2 -n tests/examples.list -w "$W" README.md CONTRIBUTING.md \
	    $(ls man/*.[1-9] | grep -v tutorial)
	# Lines of the farm were steps of jobs.
	grep -q apr-infer "$APR_STEPS"
}

@test "the tutorial" {
	has socat
	installed
	"$REPO/scripts/examples" "$REPO/man/apr-tutorial.7"
}

@test "what is wrong on a page is found, and named" {
	printf '%s\n' '.Sh DESCRIPTION' '.Dl $ false' '.Dl $ true # exit 1' '.Dl not a command' \
	    '.Sh EXAMPLES' '.Dl $ apr-ls nowhere # exit 1' '.Dl no command' \
	    '.Bd -literal' '$ echo 10.25 b \(aqis \edifferent\(aq |' '    cat' '~2 b is \edifferent' '$ cat <<END' 'a  *' 'END' 'b' '.Ed' \
	    '.Dl $ echo >>model.gguf' '.Dl $ mkdir x && cd x' '.Dl $ pwd | grep /x$' '.Pp' '.Dl $ cd x' >t.7
	printf '%s\t%s\tbecause\n' t.7 'cd *' t.7 'ls *' u.7 '*' >list
	# One of them writes where others read.
	cp -a "$W" world
	run -1 "$REPO/scripts/examples" -n list -w "$T/world" t.7
	diff - <(sed 's/over: .*world.*gguf/over: W/; s/^\t//' <<<"$output") <<-EOT
		t.7:7: no command, and not on the list: no command
		t.7:2: status 1, not 0: false
		t.7:3: status 0, not 1: true # exit 1
		t.7:12: prints something else: cat <<END
		a  *
		END
			1c1
			< b
			---
			> a  *
		examples: written over: W 
		examples: on the list, but on no page: t.7	ls *
		examples: 8 commands run, 1 not
	EOT
	# In a session what stands alone prints nothing.
	printf '%s\n' '.Dl $ x=1' '.Dl $ test $x = 1' '.Dl $ echo $x' >s.7
	run -1 "$REPO/scripts/examples" s.7
	grep 's.7:3: prints something else: echo $x' <<<"$output"
	[ "$(grep -c :3: <<<"$output")" = "$(grep -c s.7: <<<"$output")" ]
}

@test "commands are what mandoc shows" {
	local p n
	has mandoc
	cd "$REPO"
	for p in man/*.[1-9]; do
		scripts/examples -l "$p" | sed "s/^[^:]*: //; s/^ *//" | sort -u >"$T/ours"
		mandoc -T ascii -O width=300 "$p" | sed $'s/.\b//g; s/^ *//; s/^\$ //' | sort -u >"$T/shown"
		n=$(comm -23 "$T/ours" "$T/shown" | tee /dev/stderr | wc -l)
		[ "$n" = 0 ] || { echo "$p: not what is shown" >&2; return 1; }
	done
	# Every page of a program or a format has some.
	for p in man/*.[1-9]; do
		[ -n "$(scripts/examples -l "$p")" ] || { echo "$p: no examples" >&2; return 1; }
	done
}

@test "apr(7) and man -k know every page" {
	local p name section
	cd "$REPO"
	for p in man/*.[1-9]; do
		name=${p#man/} section=${p##*.} name=${name%.*}
		[ "$name" = apr ] || grep -qx "\.It Xr $name $section" man/apr.7 ||
		    { echo "apr(7) does not name $name($section)" >&2; return 1; }
		# One line, which is no sentence and says more than the name.
		grep -qx "\.Nm $name" "$p"
		[ "$(grep -c '^\.Nd ' "$p")" = 1 ]
		grep -qE '^\.Nd .{14,66}[^.]$' "$p" || { echo "$p: $(grep '^\.Nd' "$p")" >&2; return 1; }
	done
	# README's table has every program.
	for p in tools/apr-*.c; do
		grep -q "^| \`$(basename "$p" .c)\` |" README.md || { echo "README.md: no $p" >&2; return 1; }
	done
	# mandoc's man -k, and man-db's where it is.
	PATH=$PATH:/usr/sbin
	has makewhatis mapropos
	for p in man/*.[1-9]; do
		mkdir -p "$T/man/man${p##*.}" && cp "$p" "$T/man/man${p##*.}"
	done
	(cd man && ls -- *.[1-9]) | sed 's/\.\(.\)$/(\1)/' | sort >"$T/names"
	makewhatis "$T/man"
	mapropos -M "$T/man" apr | cut -d' ' -f1 | sort | diff "$T/names" -
	command -v mandb || return 0
	mandb -qc "$T/man" >&2
	man -M "$T/man" -k apr | sed 's/ (\(.\)).*/(\1)/' | sort | diff "$T/names" -
}
