# SPDX-License-Identifier: MIT
# One huge model, tensor by tensor.  Where each_MODEL is set, what a type comes to
# is decided from the model's header, its tensors become files, and each of those
# is quantized as a target by itself, on whatever machine.  Another recipe makes
# those anew to which it gives another type.  The bytes are those of one pipe, so
# the key is the same; and once they are there nobody misses the tensors.
types        = $(types.$m.$t)
tensors      = $(foreach n,$(numbers.$m.$t),out/$m/$t.each/$n.tar)

step.list    = split
reads.split  = $(source_$m)
after.split  = out/$m/source.stat
lost.split   = $(if $(wildcard out/$m/parts),,lost)
split        = rm -rf $$this && mkdir $$this && $(convert) $$source | apr-split -q --each --format tar $$this/ && ls $$this >$$this.list.new

step.tar     = tensor
reads.tensor = $(source_$m) $(imatrix_$m)
says.tensor  = $(word $(basename $(notdir $(target))),$(types))
after.tensor = $(if $(stale)$(missing),out/$m/parts.list)
tensor       = apr-quant -q -f -j $$jobs --stats $$this.stats $(addprefix --imatrix ,$(imatrix_$m)) -r .farm/$$name.types \
	<$$(echo out/$$model/parts/model-$${this\#\#*/}-*.tar) >$$this.tar.new

# Together again.  Each tensor is an open file here.
huge.quantize = $(if $(tensors),cat $(tensors:.tar=.stats) >$$to.stats && ulimit -n $$(ulimit -H -n) && \
	apr-cat -q $(tensors) | apr-pack -q -f $$out,\
	$(convert) --plan $$source | apr-quant -q $(quant) >/dev/null && false)

# What a type comes to: a recipe of names, and a word for each tensor; that of
# the first one has the keys as well, as they travel with it.
resolve = $(shell to=.farm/$m.$t; $(convert) --plan $(source_$m) | apr-quant -q -f --resolve $$to.types $(quant) >$$to.plan && \
	tar xOf $$to.plan manifest.json | jq -r --slurpfile r $$to.types '$$r[0] as $$r | [.tensors[].name | [$$r.tensors[.], $$r.effort, $$r.fallback] | join("/")] | \
	.[0] += ($$r.set | tojson | @base64) | join(" ")')
huge   := $(foreach at,$(call each,$(format)),$(if $(each_$m),$(at)))
$(foreach at,$(huge),$(if $(call other,$(call key,quantize),$(file <.farm/$m.$t.key)),\
	$(file >.farm/$m.$t.words,$(resolve))$(if $(file <.farm/$m.$t.words),$(file >.farm/$m.$t.key,$(call key,quantize))))\
	$(eval types.$m.$t := $(file <.farm/$m.$t.words))\
	$(eval numbers.$m.$t := $(shell seq -f %05.0f $(words $(types.$m.$t)))))
targets += $(sort $(foreach at,$(huge),out/$m/parts.list $(tensors)))
