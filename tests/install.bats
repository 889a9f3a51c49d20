#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What `make install` puts somewhere works there, and goes away again.
load helper

# made TARGET -- of what is built already.
made() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$REPO" BUILD="${APR_BUILD:-$REPO/build}" \
	    DESTDIR="$T/root" PREFIX=/opt/apr "$1"
}

@test "installed, used, and removed without a trace" {
	local p=$T/root/opt/apr flags
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
	[ -z "$(find "$T/root" ! -type d)" ]
}
