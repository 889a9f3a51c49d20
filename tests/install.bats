#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What `make install` puts somewhere works there, and goes away again.
load helper

# made TARGET -- of what is built already.
made() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$REPO" BUILD="${APR_BUILD:-$REPO/build}" \
	    DESTDIR="$T/root" PREFIX=/opt/apr "$1"
}

# tab DIR TOOL... -- TOOL.tab: what zsh shows for "TOOL --" and the tabulator.  It
# looks in DIR too, as /usr's folder for this was named when it was built.
tab() {
	zsh -f -s "$@" <<'END'
	zmodload zsh/zpty
	until_() { while zpty -r z line; do print -r -- "$line"; [[ $line = *$1* ]] && return; done }
	zpty z zsh -f -i
	zpty -w z "PS1=; stty columns 200 rows 500; fpath=($1 \$fpath); autoload -U compinit; compinit -D -u; LISTMAX=0"
	for t in ${@[2,-1]}; do
		zpty -w z "echo BEG''IN" && until_ BEGIN >/dev/null
		# What is typed before a list shows makes zsh leave the list out.
		zpty -w -n z "$t --"$'\t\t' && zpty -r z list '*--version*' && print -r -- "$list" >$t.tab
		zpty -w -n z $'\x15'"echo E''ND"$'\n' && until_ END >>$t.tab
	done
END
}

@test "installed, used, and removed without a trace" {
	local p=$T/root/opt/apr flags
	# What is there already stays as it is, empty folders too.
	mkdir -p "$p"/{bin,include,lib/pkgconfig,share/{apr,man/man{1,5,7},fish/vendor_completions.d}}
	mkdir -p "$p"/share/{bash-completion/completions,zsh/site-functions}
	: >"$p/share/apr/another's"
	(cd "$T/root" && find . | sort) >before
	made install-files
	export PATH=$p/bin:$PATH PKG_CONFIG_PATH=$p/lib/pkgconfig
	[ "$(command -v apr-cat)" = "$p/bin/apr-cat" ]
	[ "$(ls "$p/share/man/man1" | wc -l)" = "$(ls "$p/bin" | wc -l)" ]
	[ "$(pkg-config --modversion apr-tools)" = "$(apr-cat --version | cut -d' ' -f2)" ]
	[ "$(pkg-config --variable=examplesdir apr-tools)" = /opt/apr/share/apr-tools/examples ]
	[ -e "$p/share/bash-completion/completions/apr-cat" ]

	# The farm, as its page says.
	mkdir farm && cd farm
	cp -r "$(pkg-config --define-variable=prefix="$p" --variable=examplesdir apr-tools)"/farm/. .
	sed -i "s|= .*/sample\$|= $p/share/apr-tools/examples/sample|" models.mk
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -j2
	make report | grep '^sample *q8_0 .* "19'
	[ "$(jq '.targets | length' report.json)" = 2 ]
	grep '</main></body></html>$' report.html
	cd ..

	# The filter of apr-stream(5), built against what is installed.
	if [ "${APR_ASAN:-0}" != 1 ]; then
		sed -n '/^\/\* drop PREFIX/,/^\.Ed/p' "$REPO/man/apr-stream.5" | sed '/^\.Ed/d; s/\\e/\\/g' >drop.c
		flags=$(pkg-config --define-variable=prefix="$p" --cflags --libs apr-tools)
		${CC:-cc} -std=c11 -o drop drop.c $flags
		apr-cat "$REPO/examples/sample" | ./drop model.layers >s
		apr-ls s >list
		grep -c embed_tokens list
		! grep 'model\.layers' list
	fi

	made uninstall
	(cd "$T/root" && find . | sort) | diff before - >&2
}

@test "each shell finds its completions, and loads them" {
	local p=$T/root/opt/apr/share t tools
	has zsh fish
	[ -r /usr/share/bash-completion/bash_completion ] || has bash-completion
	made install-files
	tools=$(cd "$T/root/opt/apr/bin" && printf '%s\n' *)
	export PATH=$T/root/opt/apr/bin:$PATH HOME=$T XDG_DATA_DIRS=$p:/usr/local/share:/usr/share XDG_CONFIG_HOME=$T/config
	tab "$p/zsh/site-functions" $tools
	for t in $tools; do
		"$REPO/scripts/options" "$t" | cut -f2 | sed 's/^/--/' | sort >options
		bash -c '. /usr/share/bash-completion/bash_completion && _completion_loader "$1"
			COMP_WORDS=("$1" --) COMP_CWORD=1 && "_${1//-/_}" "$1" -- "$1" && printf "%s\n" "${COMPREPLY[@]}"' - "$t" | sort | diff options - >&2
		fish -c "complete -C '$t --'" | sed 's/=\?\t.*//; s/=$//' | sort | diff options - >&2
		sed 's/\x1b\[[0-9;?]*[a-zA-Z]//g' "$t.tab" | grep -o '^--[a-z-]*' | sort | diff options - >&2
	done
	# What is installed for a whole machine lies where they look without being told.
	make -s -n -C "$REPO" BUILD="${APR_BUILD:-$REPO/build}" PREFIX=/usr install-files | grep -o '/usr/share/zsh/[a-z-]*' | sort -u >zsh
	[ "$(cat zsh)" = /usr/share/zsh/vendor-completions ]
	grep -x /usr/share/zsh/vendor-completions < <(zsh -f -c 'print -l $fpath')
}

@test "the same commit is the same archive, in a clone too" {
	local make="env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s"
	has git
	git -C "$REPO" rev-parse -q --verify HEAD >/dev/null || skip "not a clone"
	$make -C "$REPO" BUILD="$T/a" dist
	(umask 0077 && git clone -q -c tar.umask=user "$REPO" clone && $make -C clone BUILD="$T/b" dist)
	cmp a/*.tar.gz b/*.tar.gz
	tar tzf a/*.tar.gz >listed
	[ "$(grep -vc /$ listed)" = "$(git -C "$REPO" ls-tree -r --name-only HEAD | wc -l)" ]
	! grep -v "^apr-tools-$(apr-cat --version | cut -d' ' -f2)/" listed
}
