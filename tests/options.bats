#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What --help, the page, the code and the completions say of options is the same.
load helper

TOOLS=$(cd "$REPO/tools" && printf '%s\n' apr-*.c | sed 's/\.c$//')

# table TOOL -- option, short form and kind of argument, as --help has them.
table() {
	"$REPO/scripts/options" "$1" | awk -F '\t' '{ print $2, $3, $4 == "-" ? "no" : $4 ~ /^\[/ ? "optional" : "required" }' | sort
}

# page TOOL -- the same, from the heads of the lists in its page.
page() {
	sed -n 's/^\.It //p' "$REPO/man/$1.1" | awk '
	/(^| )Fl / {
		n = split($0, part, / , /)
		short = "-"
		for (i = 1; i <= n; i++) {
			p = part[i]
			if (p !~ /^Fl /)
				continue
			split(p, w, " ")
			kind = p ~ /Op = Ns Ar/ ? "optional" : p ~ / Ar | Cm | Ns = / ? "required" : "no"
			if (w[2] ~ /^-/) {
				print substr(w[2], 2), short, kind
				short = "-"
			} else {
				short = w[2]
			}
		}
	}' | sort
}

# code TOOL -- the same, from its struct option.
code() {
	sed -n 's|^\t{ "\([a-z-]*\)", *\([a-z]*\)_argument, *NULL, *\([^ ]*\) }.*|\1 \3 \2|p' \
	    "$REPO/tools/$1.c" $(compgen -G "$REPO/tools/${1#apr-}_*.h") "$REPO/tools/tool.h" |
	    awk '{ print $1, $2 ~ /^\x27/ ? substr($2, 2, 1) : "-", $3 }' | sort
}

@test "the code and --help" {
	local t
	for t in $TOOLS; do
		table "$t" >table
		[ "$(wc -l <table)" -ge 4 ]
		code "$t" | diff table - >&2 || { echo "$t: --help < > code" >&2; return 1; }
	done
}

@test "the page and --help" {
	local t
	for t in $TOOLS; do
		table "$t" >table
		page "$t" | diff table - >&2 || { echo "$t: --help < > page" >&2; return 1; }
	done
}

@test "the completions and --help" {
	local t
	PATH=$PATH "$REPO/scripts/completions" c $TOOLS
	for t in $TOOLS; do
		table "$t" | cut -d' ' -f1 >names
		bash -c '. "c/bash/$1" && COMPREPLY=() && "_${1//-/_}" "$1" -- "$1" && printf "%s\n" "${COMPREPLY[@]#--}"' - "$t" | sort | diff names -
		grep -o '^	[^[]*' "c/zsh/_$t" | grep -o -- '--[a-z-]*=\?-\?' | sed 's/^--//; s/=-*$//' | sort -u | diff names -
		sed -n "s/^complete -c $t -l \([a-z-]*\).*/\1/p" "c/fish/$t.fish" | sort | diff names -
	done
	# A file where one belongs, no options.
	: >file
	bash -c '. c/bash/apr-quant && _apr_quant apr-quant "" --recipe && printf "%s\n" "${COMPREPLY[@]}"' | grep -x file
	# What the shells themselves think of it, where they are.
	for t in $TOOLS; do
		! command -v zsh >/dev/null || zsh -n "c/zsh/_$t"
		! command -v fish >/dev/null || fish -n "c/fish/$t.fish"
	done
}

@test "CONTRIBUTING.md names files that are there" {
	local f n=0
	cd "$REPO"
	for f in $(grep -o '`[^` ]*`' CONTRIBUTING.md | tr -d '`' | grep -v NAME | grep / | sort -u); do
		[ -e "$f" ] || { echo "CONTRIBUTING.md: no $f" >&2; return 1; }
		((n += 1))
	done
	((n > 15))
	for f in $(grep -o '`make [a-z]*`' CONTRIBUTING.md | tr -d '`' | cut -d' ' -f2) asan check oracles; do
		grep -qE "^([a-z-]+ )*$f( [a-z-]+)*:" Makefile || { echo "CONTRIBUTING.md: no make $f" >&2; return 1; }
	done
}
