# SPDX-License-Identifier: MIT
# What tests of GGUF files share: the values that stand in them.

# Size, keys, and tensors whatever their order.
SET='{file_bytes, tensors: (.tensors | sort_by(.name)), metadata}'

dump() {
	"${APR_BUILD:-$REPO/build}/test/ggufdump" "$1"
}

# alike A.gguf B.gguf -- the same tensors and keys?
alike() {
	dump "$1" | jq -S "$SET" >got.json
	dump "$2" | jq -S "$SET" >want.json
	cmp -s got.json want.json || { echo "$1 $2:" >&2; diff got.json want.json | head -n 20 >&2; return 1; }
}

# keys FILE.gguf -- KEY TYPE VALUE, a line each.
keys() {
	dump "$1" | jq -c '.metadata[] | [.key, .value.type[-1], .value.value]'
}

# model DIR JQ [FROM] -- a copy of hf/FROM whose config.json went through jq.
model() {
	mkdir "$1"
	cp "$F/hf/${3:-llama}"/* "$1"
	chmod -R u+w "$1"
	jq "$2" "$F/hf/${3:-llama}/config.json" >"$1/config.json"
}

# f32 NUMBER... -- little-endian floats.
f32() {
	local v
	printf %b "$(for v; do
		awk -v v="$v" 'BEGIN {
			s = v < 0; if (s) v = -v
			e = 0; if (v) { while (v >= 2) { v /= 2; e++ } while (v < 1) { v *= 2; e-- } }
			m = v ? int((v - 1) * 8388608 + .5) : 0; x = v ? e + 127 : 0
			printf "\\x%02x\\x%02x\\x%02x\\x%02x", m % 256, int(m / 256) % 256,
				x % 2 * 128 + int(m / 65536), s * 128 + int(x / 2)
		}'
	done)"
}

# values FILE NAME -- a tensor's floats.
values() {
	apr-cat --select "$2" "$1" | apr-dequant -q --all f32 | tar xOf - --wildcards 'tensors/*' |
	    od -An -v -tf4 | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
}
