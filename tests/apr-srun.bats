#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The shell for make: what runs here, what goes to srun, what comes back.  What
# stands for srun says how it was called and runs the command; Slurm itself is
# in tests/machines.
load helper

setup() {
	set -o pipefail
	T=$BATS_TEST_TMPDIR
	cd "$T" || return
	unset APR_SRUN MAKEFLAGS MFLAGS MAKELEVEL
	mkdir bin
	cat >bin/srun <<-'END'
		#!/bin/bash
		echo "$*" >>srun.log
		while [ "${1#--}" != "$1" ]; do shift; done
		exec "$@" </dev/null
	END
	chmod +x bin/srun
	PATH=$T/bin:$PATH
}

@test "without APR_SRUN a line runs here, as bash would run it" {
	local status=0
	[ "$(apr-srun -c 'echo $0 "$@"' a 'b  c')" = "$(bash -c 'echo $0 "$@"' a 'b  c')" ]
	apr-srun -u -o pipefail -c 'false | exit 0' || status=$?
	[ $status = 1 ]
	status=0
	apr-srun -ec 'exit 77' || status=$?
	[ $status = 77 ]
	[ "$(echo in | apr-srun -c cat)" = in ]
	[ ! -e srun.log ]
}

@test "with APR_SRUN it is srun's, with these options and in this place" {
	local status=0
	export APR_SRUN='--mem=9M   --job-name=x' OTHER=two
	[ "$(apr-srun -u -o pipefail -c 'echo "$OTHER ${APR_SRUN-none} $PWD $1"' 0 'a  b')" = "two none $PWD a  b" ]
	grep -x -- '--quiet .*--ntasks=1 .*--mem=9M --job-name=x bash -c .* bash -u -o pipefail -c echo .*' srun.log
	apr-srun -c 'echo said >&2; exit 5' 2>err || status=$?
	[ $status = 5 ]
	[ "$(cat err)" = said ]
	apr-srun -v -c true
	tail -n 1 srun.log | grep -v quiet
	# A plan is the command, and no more.
	apr-srun --plan -c 'touch planned' | grep '^srun --quiet .* bash -c touch planned$'
	[ "$(APR_SRUN= apr-srun --plan -ec true | grep -c '^srun ')" = 1 ]
	(unset APR_SRUN; apr-srun --plan -ec true) | grep -x 'bash -ec true'
	[ ! -e planned ]
	status=0
	PATH=$(dirname "$(command -v apr-srun)") apr-srun -c true 2>err || status=$?
	[ $status = 1 ]
	grep '^apr-srun: srun: ' err
}

@test "what a line writes comes back as it is" {
	export APR_SRUN=
	head -c 3000000 /dev/urandom >bytes
	{ printf 'a\0'; cat bytes; printf '\0\0000123456789abcdef\0'; } >want
	apr-srun -c 'cat want' | cmp - want
	apr-srun -c 'printf "\0"' | cmp - <(printf '\0')
	# It is not held back, whatever it looks like.
	apr-srun -c 'printf "a\0b"; exec >&-; sleep 0.1' | cmp - <(printf 'a\0b')
	mkfifo pipe
	apr-srun -c 'echo one; read -r x <pipe; echo two' >said &
	while [ ! -s said ]; do sleep 0.05; done
	[ "$(cat said)" = one ]
	echo >pipe
	wait $!
	[ "$(cat said)" = $'one\ntwo' ]
	# Also what comes behind its end.
	[ "$(apr-srun -c '(sleep 0.2; echo late) & echo early')" = $'early\nlate' ]
	OUT=/dev/full fails 1 apr-srun -c 'echo x'
	says 'No space left'
}

@test "a 0 that nobody said is none" {
	export APR_SRUN=
	printf '#!/bin/sh\necho some; exit 0\n' >bin/srun
	fails 1 apr-srun -c true
	says 'before the line had ended'
	[ "$(cat fails.out)" = some ]
	printf '#!/bin/sh\nkill -9 $$\n' >bin/srun
	run -137 apr-srun -c true
}

@test "whatever ends it ends srun" {
	local sig pid
	export APR_SRUN=
	cat >bin/srun <<-'END'
		#!/bin/bash
		trap 'echo $sig >ended; exit 143' TERM
		echo $$ >started
		while :; do sleep 0.05; done
	END
	for sig in TERM KILL; do
		rm -f started ended
		apr-srun -c true &
		pid=$!
		until [ -s started ]; do sleep 0.02; done
		kill -$sig $pid
		wait $pid || [ $? -ge 137 ]
		until [ -e ended ]; do sleep 0.02; done
	done
}

@test "a shell for make, as it is called" {
	cat >Makefile <<-'END'
		SHELL = /bin/bash
		.SHELLFLAGS = -u -o pipefail -c
		.ONESHELL:
		.RECIPEPREFIX = >
		here := $(shell echo here >>local; echo $$$$)
		all: far
		>@echo 'all "$(here)"' |
		>grep -o all
		far: export APR_SRUN = --mem=1M --job-name=$@
		far:
		>@x="it's  far"
		>echo "$$x" >$@
		>false | true || echo failed >>$@
		.PHONY: all
	END
	[ "$(make -s -j2 SHELL=apr-srun)" = all ]
	printf "it's  far\nfailed\n" | cmp - far
	[ "$(wc -l <srun.log)" -ge 1 ]
	[ "$(grep -c -- ' --mem=1M --job-name=far bash ' srun.log)" = 1 ]
	[ "$(grep -c -- --mem srun.log)" = 1 ]
	# A line that fails is a target that fails.
	sed -i 's/echo "$$x" >$@/exit 3/' Makefile
	rm far
	run -2 make -s SHELL=apr-srun
	[[ $output == *'far] Error 3'* ]]
}

@test "called wrongly" {
	fails 2 apr-srun
	says 'no line'
	fails 2 apr-srun -c
	fails 2 apr-srun --nonsense
	fails 2 apr-srun make
}
