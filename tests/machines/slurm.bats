#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The farm on a Slurm of two nodes, which runs on this machine: munged, slurmctld,
# two slurmd.  The bytes are those that the farm makes without it.
load ../helper

MODELS='smollm qwen3 llama3 granite'
TYPES='q8_0 q6_k q5_k_m q4_k_m q4_0 iq4_nl'
CLUSTER=$BATS_TEST_DIRNAME/cluster
unset MAKEFLAGS MFLAGS MAKELEVEL "${!SLURM_@}" APR_SRUN

setup_file() {
	fixtures
	has munged slurmctld slurmd srun
	need hf/smollm hf/qwen3 hf/llama3 hf/granite
	# Sources, and what make gives by itself.
	mkdir "$BATS_FILE_TMPDIR/local" "$BATS_FILE_TMPDIR/slurm"
	cd "$BATS_FILE_TMPDIR/local"
	cp -r "$REPO"/examples/farm/. .
	cat >models.mk <<-END
		MODELS = $MODELS
		$(for m in $MODELS; do echo "source_$m = $F/hf/$m"; done)
		TYPES = $TYPES
		bounds = --max-nmse 0.02
		prompt = it's "1"
		tokens = 2
	END
	make -s -j2
	"$CLUSTER" "$BATS_FILE_TMPDIR/slurm" up
}

teardown_file() {
	[ ! -d "$BATS_FILE_TMPDIR/slurm" ] || "$CLUSTER" "$BATS_FILE_TMPDIR/slurm" down
}

setup() {
	set -o pipefail
	fixtures
	T=$BATS_TEST_TMPDIR
	CLEAN=$BATS_FILE_TMPDIR/local/out
	export SLURM_CONF=$BATS_FILE_TMPDIR/slurm/slurm.conf
	mkdir "$T/farm" && cd "$T/farm"
	cp "$BATS_FILE_TMPDIR/local"/* . 2>/dev/null || [ -e models.mk ]
}

# node NODE up -- it is there, and has nothing to do.
node() {
	[ "$(sinfo -h -n "$1" -o %T)" = idle ] || "$CLUSTER" "$BATS_FILE_TMPDIR/slurm" start "$1"
}

# hold STEP -- the next program of that name waits until go is there, having said
# in held where it runs; those behind it do not.
hold() {
	mkdir -p bin
	cat >"bin/$1" <<-END
		#!/bin/bash
		if mkdir '$PWD/holds' 2>/dev/null; then
			echo "\$SLURMD_NODENAME" >'$PWD/held'
			while [ ! -e '$PWD/go' ]; do sleep 0.1; done
		fi
		exec $(command -v "$1") "\$@"
	END
	chmod +x "bin/$1"
}

held() {
	local i
	for ((i = 0; i < 300; i++)); do
		[ ! -s held ] || return 0
		sleep 0.1
	done
	echo "nothing is held" >&2
	return 1
}

# few -- two types are enough; kept -- they are what they should be.
few() {
	sed -i '/^TYPES/s/=.*/= q4_k_m iq4_nl/' models.mk
}

kept() {
	local m t f
	for m in $MODELS; do
		for t in q4_k_m iq4_nl; do
			for f in "$CLEAN/$m/$t".*; do
				same "$f" "out/$m/${f##*/}"
			done
		done
	done
	[ "$(ls out/*/*.line | wc -l)" = 8 ]
}

@test "a line is a step of a job: where, as what, and what becomes of it" {
	local status=0
	export APR_SRUN='--mem=20M --cpus-per-task=1 --job-name=one' MADE='a "b"'
	[ "$(apr-srun -u -o pipefail -c 'echo "$PWD $MADE $(squeue -h -j $SLURM_JOB_ID -o "%j %C %m")"')" = "$PWD a \"b\" one 1 20M" ]
	apr-srun -c 'echo said >&2; exit 7' 2>err || status=$?
	[ $status = 7 ]
	grep -x said err
	status=0
	apr-srun -c 'kill -SEGV $$' 2>err || status=$?
	[ $status = 139 ]
	head -c 2000000 /dev/urandom >bytes
	apr-srun -c 'cat bytes' | cmp - bytes
	# More than there is.
	status=0
	APR_SRUN=--mem=50G apr-srun -c true 2>err || status=$?
	[ $status = 1 ]
	grep 'srun: error: .*[Mm]emory\|configuration is not available' err
	# Whatever ends the client ends the step.
	for sig in TERM KILL; do
		rm -f started
		apr-srun -c 'echo $$ >started; exec sleep 100' 2>/dev/null &
		pid=$!
		until [ -s started ]; do sleep 0.05; done
		kill -$sig $pid
		wait $pid || [ $? -ge 137 ]
		for ((i = 0; i < 100; i++)); do
			[ -e "/proc/$(cat started)" ] || break
			sleep 0.1
		done
		[ ! -e "/proc/$(cat started)" ]
	done
	[ -z "$(jobs -r)" ]
}

@test "the farm: each target a job, the bytes of make alone" {
	make -s -k -j8 SHELL=apr-srun
	diff -r out "$CLEAN"
	make SHELL=apr-srun | grep 'Nothing to be done'
	make | grep 'Nothing to be done'
	make -s report SHELL=apr-srun >report.txt
	for m in $MODELS; do
		[ "$(grep -cE "^$m +($(tr ' ' '|' <<<"$TYPES")) " report.txt)" -ge 6 ]
	done
	# 4 sources, 24 of each step.
	[ "$(grep -c 'Allocate JobId\|allocate_resources JobId' "$BATS_FILE_TMPDIR/slurm/slurmctld.log")" -ge 100 ]
}

@test "a node that dies under a target: make once more, and the same bytes" {
	local node status=0
	few
	hold apr-quant
	PATH=$PWD/bin:$PATH make -s -k -j4 SHELL=apr-srun 2>err &
	held
	node=$(cat held)
	"$CLUSTER" "$BATS_FILE_TMPDIR/slurm" kill "$node" --all
	wait $! || status=$?
	cat err
	[ $status = 2 ]
	grep "^srun: error: Node failure on $node" err
	grep '^apr-srun: srun came back before the line had ended' err
	[ "$(ls out/*/*.gguf | wc -l)" -lt 8 ]
	# The other one does it.
	[ "$(sinfo -h -t idle -o %N)" != "n[1-2]" ]
	make -s -j4 SHELL=apr-srun
	kept
	node "$node"
}

@test "its daemons alone die, and what they ran goes on: it is waited for" {
	local node status=0 pid
	few
	hold apr-quant
	PATH=$PWD/bin:$PATH make -s -k -j4 SHELL=apr-srun 2>err &
	held
	node=$(cat held)
	"$CLUSTER" "$BATS_FILE_TMPDIR/slurm" kill "$node"
	wait $! || status=$?
	[ $status = 2 ]
	[ "$(ls out/*/*.gguf | wc -l)" -lt 8 ]
	make -s -j4 SHELL=apr-srun &
	pid=$!
	sleep 2
	: >go
	wait $pid
	kept
	node "$node"
}

@test "tensor by tensor, in an allocation: the bytes of one pipe" {
	few
	for m in $MODELS; do echo "each_$m = yes"; done >>models.mk
	salloc -Q -N2 make -s -k -j8 SHELL=apr-srun
	[ "$(ls out/llama3/q4_k_m.each/*.tar | wc -l)" = "$(apr-ls --json out/llama3/q4_k_m.gguf | jq '.tensors | length')" ]
	kept
	make SHELL=apr-srun | grep 'Nothing to be done'
}
