# SPDX-License-Identifier: MIT
# models.mk -- which models, which types, what is good enough: yours to edit.
# No blanks in names and paths.  apr-farm(7) has every variable.

# The models, and where each is: anything that apr-cat reads.
MODELS = sample
source_sample = ../sample

# The types: names that apr-quant knows, or your own, by what it is to be told.
# A word there that is a file counts by what is in it.
TYPES = q8_0 q4_k_m
#quant_mine = -r mine.json
#quant_tight = --effort=high --target-bpw 4.5

# For one model: other types, an importance matrix.
#types_sample = q8_0 mine
#imatrix_sample = sample.imatrix.gguf
# A huge one: tensor by tensor.
#each_sample = yes

# What a type may do to a tensor (bounds of apr-diff); for one type, bounds_TYPE.
bounds = --max-nmse 0.05

# What a model says to a prompt; or, with a text, its perplexity as well.
prompt = 12+7=
tokens = 8
#text = heldout.txt
